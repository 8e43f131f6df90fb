"""Hand-made embeddings with labels: directions along axes, tilted a little."""

import numpy as np

from face3d_training.cleanup.faces import LabeledFaces, labeled_faces

TILT = 0.05


def along(axis: int, tilt: int = 0, size: int = 8) -> np.ndarray:
    """Return a vector along an axis (negative: the other way, counted from 1), tilted by a number of steps."""
    vector = np.zeros(size)
    vector[abs(axis) - 1] = np.sign(axis)
    vector[-1] = TILT * tilt
    return vector


def faces_of(*rows: tuple[str, int], **more: list[str]) -> LabeledFaces:
    """Return faces of (id, axis); each is tilted by another step, and its person is what stands before the last `/`."""
    ids = [one for one, _ in rows]
    vectors = np.array([along(axis, tilt) for tilt, (_, axis) in enumerate(rows)])
    return labeled_faces("here", ids, [one.rpartition("/")[0] for one in ids], vectors, **more)
