"""Images that MediaPipe's outputs are recorded for: made of one photograph without resampling."""

from __future__ import annotations

import numpy as np


def photograph() -> np.ndarray:
    """Return the astronaut of scikit-image, u1 (512, 512, 3)."""
    from skimage import data

    return data.astronaut()


def detector_picture() -> np.ndarray:
    """Return a picture of 128 x 128 px with a face."""
    return photograph()[::2, ::2][:128, 32:160]


def mesh_pictures() -> list[np.ndarray]:
    """Return pictures of 192 x 192 px with one face each."""
    cut = photograph()[30:222, 130:322]
    dark = (cut // 3).astype(np.uint8)
    return [cut, cut[:, ::-1], dark]


def images() -> dict[str, np.ndarray]:
    """Return whole images by name, with one or two faces of 90 px and more."""
    photo = photograph()
    masked = photo.copy()
    masked[145:190, 190:265] = (70, 120, 170)
    large = np.repeat(np.repeat(photo[:320, 60:380], 2, axis=0), 2, axis=1)
    two = np.concatenate([photo[:300, 80:380], photo[:300, 80:380][:, ::-1]], axis=1)
    made = {"plain": photo, "mirrored": photo[:, ::-1], "masked": masked, "large": large, "two": two}
    return {name: np.ascontiguousarray(image) for name, image in made.items()}
