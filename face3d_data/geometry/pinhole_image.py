"""Undistortion of images: from a lens to a pinhole camera with the same focal lengths and centre."""

from __future__ import annotations

import functools

import numpy as np

from face3d_data.geometry.camera import EDGE_SAMPLES, slopes
from face3d_data.geometry.lens import distort, reach


@functools.lru_cache(maxsize=4)
def _sources(intrinsics: bytes, distortion: bytes, shape: tuple[int, int]) -> np.ndarray:
    height, width = shape
    camera, lens = np.frombuffer(intrinsics), np.frombuffer(distortion)
    v, u = np.divmod(np.arange(height * width), width)
    places = slopes(np.stack([u, v], axis=1), camera)
    shown = distort(places, lens) * camera[:2] + camera[2:]
    shown[~(np.hypot(places[:, 0], places[:, 1]) < reach(lens))] = -2.0  # outside every image
    shown = shown.reshape(height, width, 2)
    shown.flags.writeable = False
    return shown


def lens_pixels(intrinsics: np.ndarray, distortion: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return where in the lens's image each pixel of the pinhole's lies; captures of one camera share it.

    Args:
        intrinsics: (4,) fx, fy, cx, cy in px, of both.
        distortion: (13,), see `geometry/lens`.
        shape: height and width of both images.

    Returns:
        f8 (H, W, 2), px; (-2, -2) where the lens shows nothing.
    """
    return _sources(np.asarray(intrinsics, np.float64).tobytes(), np.asarray(distortion, np.float64).tobytes(), shape)


def pinhole_color(image: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Return colours u1 (H, W, 3) at `sources`, f8 (H, W, 2) from `lens_pixels`: linear, 0 outside."""
    import cv2

    places = sources.astype(np.float32)
    return cv2.remap(image, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderValue=(0, 0, 0))


def pinhole_depth(depth: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Return depth f4 (H, W), mm, of the nearest pixel at `sources`, 0 outside.

    Nothing is interpolated: a mean across an edge or a hole is a point that does not exist. Readings move by up to half
    a pixel; `to_cloud` undistorts exactly, without this.
    """
    height, width = depth.shape
    x, y = np.floor(sources + 0.5).astype(np.int64).transpose(2, 0, 1)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    out = np.zeros(inside.shape, depth.dtype)
    out[inside] = depth[y[inside], x[inside]]
    return out


def pinhole_pixels(pixels: np.ndarray, intrinsics: np.ndarray, distortion: np.ndarray) -> np.ndarray:
    """Return where pixels (N, 2) of the lens's image are in the pinhole's, px; NaN where the lens shows nothing."""
    camera = np.asarray(intrinsics, np.float64)
    return slopes(pixels, camera, distortion) * camera[:2] + camera[2:]


def pinhole_box(box: np.ndarray, intrinsics: np.ndarray, distortion: np.ndarray) -> np.ndarray:
    """Return the upright box (4,), px, round what a box of the lens's image shows; NaN where the lens shows nothing."""
    x0, y0, x1, y1 = np.asarray(box, np.float64)
    along = np.linspace(0.0, 1.0, EDGE_SAMPLES)
    x, y = x0 + along * (x1 - x0), y0 + along * (y1 - y0)
    sides = [(x, np.full_like(x, y0)), (x, np.full_like(x, y1)), (np.full_like(y, x0), y), (np.full_like(y, x1), y)]
    edge = pinhole_pixels(np.concatenate([np.stack(side, axis=1) for side in sides]), intrinsics, distortion)
    return np.concatenate([edge.min(axis=0), edge.max(axis=0)])
