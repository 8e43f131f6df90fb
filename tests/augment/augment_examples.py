"""Every operation of augmentation with strengths at which it does something, and a sample that it can do it to."""

from __future__ import annotations

import numpy as np

from face3d_data.augment.augmentation import OPERATIONS
from face3d_data.augment.operation import Operation
from face3d_data.sample import PER_POINT
from face3d_data.testing.contract_augmentation import tiny_arrays

STRONG: dict[str, dict] = {
    "mirror": {"mirror_p": 1.0},
    "flip": {"flip_p": 1.0},
    "virtual_view": {"view_yaw_deg": 40.0, "view_pitch_deg": 10.0, "view_distance_mm": 100.0},
    "low_quality": {"low_quality_mm": 4.0},
    "sensor": {"sensors": ("kinect_v1", "d415", "structured_light")},
    "holes": {"holes": 8, "hole_radius_mm": 20.0},
    "dropout": {"dropout": 0.5},
    "resampling": {"resample_points": 300},
    "depth_noise": {"depth_noise_mm": 2.0},
    "jitter": {"jitter_mm": 0.5},
    "rotation": {"yaw_deg": 20.0, "pitch_deg": 10.0, "roll_deg": 5.0},
    "scale": {"scale": 0.1},
    "translation": {"translation_mm": 10.0},
    "color_jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue_deg": 30.0},
    "blur": {"blur_px": 3.0, "motion_blur_px": 9.0},
    "jpeg": {"jpeg_quality": 10},
    "erasing": {"erase_p": 1.0},
}
KINDS = {kind.name: kind for kind in OPERATIONS}


def strong(name: str) -> Operation:
    """Return an operation with strengths at which it does something."""
    return KINDS[name](**STRONG[name])


def zero(name: str) -> Operation:
    """Return an operation with its default strengths."""
    return KINDS[name]()


def fitting(name: str) -> dict[str, np.ndarray]:
    """Return the arrays of a tiny capture that an operation does something to: a photograph has no shape."""
    shape = ("points", "depth", "grid", "grid_color", "map", *PER_POINT)
    return {key: array for key, array in tiny_arrays().items() if name != "flip" or key not in shape}


def same(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> bool:
    """Tell whether two sets of arrays are the same, bit for bit."""
    forms = [{name: (a.dtype, a.shape, a.tobytes()) for name, a in arrays.items()} for arrays in (one, two)]
    return forms[0] == forms[1]
