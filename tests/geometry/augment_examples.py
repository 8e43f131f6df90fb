"""Every operation of augmentation with strengths at which it does something, and a sample that it can do it to."""

from __future__ import annotations

import numpy as np

from face3d_data.geometry.augment.augmentation import OPERATIONS
from face3d_data.geometry.augment.operation import Operation
from face3d_data.testing import tiny_sample

STRONG: dict[str, dict] = {
    "mirror": {"mirror_p": 1.0},
    "holes": {"holes": 8, "hole_radius_mm": 20.0},
    "dropout": {"dropout": 0.5},
    "resampling": {"resample_points": 300},
    "depth_noise": {"depth_noise_mm": 2.0},
    "jitter": {"jitter_mm": 0.5},
    "rotation": {"yaw_deg": 20.0, "pitch_deg": 10.0, "roll_deg": 5.0},
    "scale": {"scale": 0.1},
    "translation": {"translation_mm": 10.0},
}
KINDS = {kind.name: kind for kind in OPERATIONS}


def strong(name: str) -> Operation:
    """Return an operation with strengths at which it does something."""
    return KINDS[name](**STRONG[name])


def zero(name: str) -> Operation:
    """Return an operation with its default strengths."""
    return KINDS[name]()


def capture(width: int = 96, height: int = 72) -> dict[str, np.ndarray]:
    """Return every array of a tiny capture, none of which can be written to; `curvature` numbers the points."""
    arrays = dict(tiny_sample(width=width, height=height).arrays)
    count = len(arrays["points"])
    arrays["curvature"] = np.arange(count, dtype=np.float32)
    arrays["occlusion"] = (np.arange(count) % 3).astype(np.uint8)
    arrays["grid"] = np.random.default_rng(0).normal(size=(6, 8, 3)).astype(np.float32)
    arrays["grid_color"] = np.random.default_rng(1).integers(0, 255, (6, 8, 3)).astype(np.uint8)
    for array in arrays.values():
        array.flags.writeable = False
    return arrays


def same(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> bool:
    """Tell whether two sets of arrays are the same, bit for bit."""
    forms = [{name: (a.dtype, a.shape, a.tobytes()) for name, a in arrays.items()} for arrays in (one, two)]
    return forms[0] == forms[1]
