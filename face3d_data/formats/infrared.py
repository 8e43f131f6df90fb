"""Infrared images as grey photographs: 16 bits become 8."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from face3d_data.formats.image import read_color, read_depth_png
from face3d_data.formats.image_header import read_image_header

DARK_PERCENT, BRIGHT_PERCENT = 1.0, 99.0


def read_infrared(path: str | Path) -> np.ndarray:
    """Return an infrared image as u1 (H, W, 3), three equal channels; 8 bits as they are, 16 bits by `stretch`.

    Raises:
        Unreadable: `unreadable`: the file is missing, cut off, damaged or no image.
    """
    path = Path(path)
    header = read_image_header(path)
    if header.kind != "png" or header.bits < 16 or header.channels != 1:
        return read_color(path)
    return np.repeat(stretch(read_depth_png(path))[..., None], 3, axis=2)


def stretch(values: np.ndarray) -> np.ndarray:
    """Return u2 (H, W) as u1 (H, W): the 1st percentile of what is not 0 becomes 0, the 99th 255, linear between.

    By percentiles, because a lamp's reflex on glasses is many times brighter than the face.
    """
    seen = values[values > 0]
    if not seen.size:
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(seen, [DARK_PERCENT, BRIGHT_PERCENT])
    if high <= low:
        return np.where(values > 0, np.uint8(255), np.uint8(0))
    scaled = (values.astype(np.float32) - np.float32(low)) * np.float32(255.0 / (high - low))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
