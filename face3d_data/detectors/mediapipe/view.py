"""Squares of an image, as MediaPipe's two networks see them: upright round a face, or the whole image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Square:
    """A square of an image, whose pixels have their centres at whole numbers.

    Attributes:
        middle: f8 (2,), px.
        side: px.
        angle: by which it is turned clockwise in the image, rad.
    """

    middle: np.ndarray
    side: float
    angle: float = 0.0

    def to_image(self, side_px: int) -> np.ndarray:
        """Return the map f8 (2, 3) from the pixels of its picture of `side_px` to those of the image."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        linear = np.array([[cos, -sin], [sin, cos]]) * (self.side / side_px)
        return np.column_stack([linear, self.middle - linear @ np.full(2, side_px / 2)])

    def picture(self, image: np.ndarray, side_px: int, outside: str = "edge") -> np.ndarray:
        """Return its picture u1 (side_px, side_px, 3), interpolated bilinearly and not averaged, as the nets learnt.

        Args:
            image: u1 (H, W, 3).
            side_px: side of the picture.
            outside: `edge` repeats the image's border, `black` does not.
        """
        import cv2

        border = cv2.BORDER_REPLICATE if outside == "edge" else cv2.BORDER_CONSTANT
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(image, self.to_image(side_px), (side_px, side_px), flags=flags, borderMode=border)


def whole(shape: tuple[int, ...]) -> Square:
    """Return the least square about an image (H, W) that shows all of it."""
    height, width = shape[:2]
    return Square(np.array([width / 2, height / 2]), float(max(height, width)))


def around_face(box: np.ndarray, left_eye: np.ndarray, right_eye: np.ndarray, grown: float = 1.5) -> Square:
    """Return the upright square round a face: about its box, `grown` times as large, level with the eyes.

    Args:
        box: (4,), x1, y1, x2, y2 px.
        left_eye: (2,), px.
        right_eye: (2,), px.
        grown: side of the square by the longer side of the box.
    """
    across = right_eye - left_eye
    side = float(max(box[2] - box[0], box[3] - box[1]))
    return Square((box[:2] + box[2:]) / 2, side * grown, float(np.arctan2(across[1], across[0])))
