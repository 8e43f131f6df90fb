"""Crops as pixel maps: the effect of a shift, a scale and a roll of an image on its depth, camera and landmarks.

Pixel centres are at whole coordinates: the middle of an image of width W is at (W - 1) / 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d_data.geometry.lens import turned

ARCFACE_SIZE_PX = 112
ARCFACE_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Left eye, right eye, nose, left and right mouth corner in a crop of 112 x 112 px.

The numbers that InsightFace aligns faces to (`face_align.py`), introduced with SphereFace (Liu et al., CVPR 2017) and
used by ArcFace (Deng et al., CVPR 2019)."""


@dataclass(frozen=True, eq=False)
class Crop:
    """A square crop of an image.

    Attributes:
        matrix: float64 (2, 3), source px to crop px.
        size_px: side of the crop.
    """

    matrix: np.ndarray
    size_px: int

    @property
    def scale(self) -> float:
        """Crop px per source px."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    def map(self, xy: np.ndarray) -> np.ndarray:
        """Map source px (..., 2) to crop px (..., 2)."""
        return xy @ self.matrix[:, :2].T + self.matrix[:, 2]

    def unmap(self, xy: np.ndarray) -> np.ndarray:
        """Map crop px (..., 2) to source px (..., 2)."""
        return (xy - self.matrix[:, 2]) @ np.linalg.inv(self.matrix[:, :2]).T

    def box(self, box: np.ndarray) -> np.ndarray:
        """Map a box (4,): its centre moves along, its sides are scaled and stay upright."""
        middle = self.map((box[:2] + box[2:]) / 2)
        half = (box[2:] - box[:2]) / 2 * self.scale
        return np.concatenate([middle - half, middle + half])

    def intrinsics(self, intrinsics: np.ndarray) -> np.ndarray:
        """Return the camera (4,) of the crop, its roll left to `camera_rotation`."""
        axes = self.matrix[:, :2] * intrinsics[:2]
        return np.concatenate([np.linalg.norm(axes, axis=0), self.map(intrinsics[2:])])

    def camera_rotation(self, intrinsics: np.ndarray | None = None) -> np.ndarray:
        """Return the roll (4, 4) that takes the source's camera frame to the crop's."""
        axes = self.matrix[:, :2] * (1.0 if intrinsics is None else intrinsics[:2])
        cosine, sine = axes[:, 0] / np.linalg.norm(axes[:, 0])
        rotation = np.eye(4)
        rotation[:2, :2] = [[cosine, -sine], [sine, cosine]]
        return rotation

    def distortion(self, distortion: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
        """Return the lens (13,) of the crop's camera (`geometry/lens`): a shift and a scale leave it, a roll turns it.

        Args:
            distortion: (13,), of the source's camera.
            intrinsics: (4,), of the source's camera.
        """
        rotation = self.camera_rotation(intrinsics)
        return turned(distortion, float(rotation[0, 0]), float(rotation[1, 0]))

    def corners(self) -> np.ndarray:
        """Return the outer corners of the crop (4, 2) in source px."""
        low, high = -0.5, self.size_px - 0.5
        return self.unmap(np.array([[low, low], [high, low], [high, high], [low, high]]))

    def depth(self, depth: np.ndarray) -> np.ndarray:
        """Return the depth (size_px, size_px) of each crop pixel's nearest source pixel, 0 outside.

        Nothing is interpolated: a mean across an edge or a hole is a point that does not exist.

        Args:
            depth: float32 (H, W), mm, 0 = no reading.
        """
        rows, columns = np.mgrid[: self.size_px, : self.size_px]
        height, width = depth.shape
        source = np.floor(self.unmap(np.stack([columns, rows], axis=-1)) + 0.5)
        x, y = np.clip(source, -1, [width, height]).astype(np.int64).transpose(2, 0, 1)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        out = np.zeros(inside.shape, depth.dtype)
        out[inside] = depth[y[inside], x[inside]]
        return out


def crop_of_box(box: np.ndarray, size_px: int, margin_px: float) -> Crop:
    """Return the crop in which the box's longer side takes `size_px - margin_px`, centred.

    The margin is counted in the crop, after scaling, so that faces near and far get the same share of it. (FaceNet's
    `align_dataset_mtcnn.py`, where 182 and 44 come from, adds it before scaling: its share varies with the distance.)

    Args:
        box: (4,), x1, y1, x2, y2, px.
        size_px: side of the crop.
        margin_px: left over in the crop, half of it on each side.

    Raises:
        ValueError: the box is empty or not finite.
    """
    box = np.asarray(box, np.float64)
    side = float((box[2:] - box[:2]).max())
    if not np.isfinite(box).all() or (box[2:] <= box[:2]).any():
        raise ValueError("the box is empty or not finite")
    scale = (size_px - margin_px) / side
    shift = (size_px - 1) / 2 - scale * (box[:2] + box[2:]) / 2
    return Crop(np.column_stack([np.eye(2) * scale, shift]), size_px)


def crop_of_landmarks(landmarks: np.ndarray, size_px: int, intrinsics: np.ndarray | None = None) -> Crop:
    """Return the crop in which five landmarks come closest to ArcFace's template: shift, scale and roll.

    The least-squares similarity in closed form (Umeyama, PAMI 13(4), 1991; in the plane with complex numbers). Pixels
    that are not square are made square first, so that a roll of the image is a roll of the camera.

    Args:
        landmarks: (5, 2), px.
        size_px: side of the crop; the template is scaled to it.
        intrinsics: (4,) where known.

    Raises:
        ValueError: the landmarks are all at one place or not finite.
    """
    stretch = np.ones(2) if intrinsics is None else np.sqrt(intrinsics[0] * intrinsics[1]) / intrinsics[:2]
    source = np.asarray(landmarks, np.float64) * stretch
    goal = (ARCFACE_TEMPLATE + 0.5) * (size_px / ARCFACE_SIZE_PX) - 0.5
    source_mean, goal_mean = source.mean(axis=0), goal.mean(axis=0)
    w, z = ((points - mean) @ [1, 1j] for points, mean in ((source, source_mean), (goal, goal_mean)))
    spread = float((np.abs(w) ** 2).sum())
    if not np.isfinite(spread) or spread <= 1e-6:
        raise ValueError("the landmarks are all at one place or not finite")
    turn = (np.conj(w) @ z) / spread
    if abs(turn) <= 1e-9:
        raise ValueError("the landmarks form no face")
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return Crop(np.column_stack([linear * stretch, goal_mean - linear @ source_mean]), size_px)
