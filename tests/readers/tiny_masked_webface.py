"""A tiny collection for reader `masked_webface`: two people's plain images, and masks over most of them."""

from pathlib import Path

import cv2
import numpy as np

from face3d_data.readers.masked_webface import MaskedWebface

PLAIN = "faces_webface_112x112_raw_image"


def picture(*numbers: int) -> np.ndarray:
    return np.random.default_rng(numbers).integers(0, 256, (8, 6, 3), np.uint8)


def put(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., ::-1])


def write(root: Path) -> None:
    for person in (0, 17):
        for number, scale in ((0, "0.6180"), (1, "1"), (12, ".5")):
            put(root / PLAIN / str(person) / f"{number}_{scale}.png", picture(person, number))
            for style in ("n95", "mask_5")[: 2 - number % 2]:
                put(root / style / str(person) / f"{number}.jpg", picture(person, number, len(style)))


def reader(root: Path) -> MaskedWebface:
    return MaskedWebface(root=root)
