"""Maps as PNG files for other programs: height in 16 bits at a stated scale, normals in 8 bits, and back."""

from __future__ import annotations

import numpy as np

from face3d_data.pictures.map_picture import map_normals

STEP_MM = 0.01
"""Height of one step of a 16-bit map."""
ZERO = 32768
"""Pixel of height 0; pixel 0 is a hole."""

MAP_PNG = {
    "height_png": "mm = (pixel - 32768) * 0.01; pixel 0 = hole; 16 bits",
    "normals_png": "normal = (pixel - 128) / 127; red x, green y, blue z; 0, 0, 0 = hole; 8 bits",
    "occlusion_png": "share of the cell that is not skin = pixel / 255; 8 bits",
    "frame": "face frame: row 0 is topmost, x to the right, y up, z (height) towards the viewer",
}
"""What maps.json says of the files."""


def height_pixels(channels: np.ndarray) -> np.ndarray:
    """Return the heights of a map as u2 (H, W): 32768 + mm x 100, 0 = hole; from -327 to 327 mm.

    Args:
        channels: f2 or f4 (C, H, W), height first, validity last.
    """
    steps = np.clip(np.rint(channels[0].astype(np.float64) / STEP_MM) + ZERO, 1, 65535)
    return np.where(channels[-1] > 0.5, steps, 0).astype(np.uint16)


def heights_of_pixels(pixels: np.ndarray) -> np.ndarray:
    """Return heights f4 (H, W), mm, of what `height_pixels` returned; NaN in holes."""
    return np.where(pixels > 0, (pixels.astype(np.float64) - ZERO) * STEP_MM, np.nan).astype(np.float32)


def normal_pixels(channels: np.ndarray) -> np.ndarray:
    """Return the unit normals of a map as RGB u1 (H, W, 3): 128 + 127 n, x red, y green, z blue; 0 in holes."""
    pixels = np.rint(128 + 127 * map_normals(channels))
    return np.where(channels[-1:].transpose(1, 2, 0) > 0.5, pixels, 0).astype(np.uint8)


def normals_of_pixels(pixels: np.ndarray) -> np.ndarray:
    """Return unit normals f4 (H, W, 3) of what `normal_pixels` returned; NaN in holes."""
    normals = (pixels.astype(np.float32) - 128) / 127
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.where(pixels.any(axis=-1, keepdims=True), normals / np.maximum(length, 1e-6), np.nan).astype(np.float32)
