"""Stage `crop`: a square image of the face, with everything that is measured in its pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from face3d_data.errors import Reject
from face3d_data.geometry.crop import ARCFACE_SIZE_PX, Crop, crop_of_box, crop_of_landmarks
from face3d_data.registry import register
from face3d_data.sample import PIXELS, POSITIONS, Sample
from face3d_data.stage import Inputs, Names, Stage


@register
class CropFace(Stage):
    """Crop the face to a square; depth, camera, landmarks and pose are adjusted to it."""

    name: ClassVar[str] = "crop"
    version: ClassVar[int] = 2
    inputs: ClassVar[Inputs] = (("color", "box"), ("depth", "box"), ("color", "landmarks"), ("depth", "landmarks"))
    optional: ClassVar[Names] = (
        "color", "depth", "intrinsics", "distortion", "box", *PIXELS, *POSITIONS, "points", "pose",
    )  # fmt: skip
    outputs: ClassVar[Names] = ("color", "depth", "intrinsics", "distortion", "box", *PIXELS, "pose")
    reasons: ClassVar[dict[str, str]] = {
        "no_region": "the box is empty or outside the image, or the landmarks do not form a face",
        "size_mismatch": "colour and depth differ in size, so they cannot be cropped together",
    }

    align: Literal["box", "similarity"] = Field(
        "box",
        description="box: shift and scale only; similarity: also roll, which brings the landmarks to a "
        "five-point template",
    )
    size_px: int = Field(182, ge=8, le=4096, description="side of the crop, px [112 with similarity]")
    margin_px: float = Field(
        44, ge=0, description="align = box: margin around the box in px of the crop, sum of both sides"
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_similarity(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("align") != "similarity":
            return data
        if data.get("margin_px"):
            raise ValueError("margin_px goes with align: box; the similarity's template has its own margin")
        return {"size_px": ARCFACE_SIZE_PX, **data, "margin_px": 0}

    @model_validator(mode="after")
    def _margin_leaves_a_face(self) -> CropFace:
        if self.margin_px >= self.size_px:
            raise ValueError(f"margin_px = {self.margin_px:g} leaves nothing of size_px = {self.size_px}")
        return self

    def groups(self) -> tuple[Names, ...]:
        """Return what this kind of crop needs: an image, and a box or landmarks."""
        region = "box" if self.align == "box" else "landmarks"
        return (("color", region), ("depth", region))

    def output_bytes(self) -> int:
        """Return the bytes of colour and depth."""
        return 7 * self.size_px**2 + 200

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the sample with its images cropped and what is measured in their pixels moved along."""
        arrays = sample.arrays
        shape = self._shape(sample)
        crop = self._crop(sample)
        low, high = crop.corners().min(axis=0), crop.corners().max(axis=0)
        if (high <= -0.5).any() or (low >= np.array(shape[::-1]) - 0.5).any():
            raise Reject("no_region", "the crop is outside the image")
        changed: dict[str, np.ndarray] = {}
        if "color" in arrays:
            changed["color"] = crop_color(arrays["color"], crop)
        if "depth" in arrays:
            changed["depth"] = crop.depth(arrays["depth"])
        if "intrinsics" in arrays:
            changed["intrinsics"] = crop.intrinsics(arrays["intrinsics"])
            if "distortion" in arrays and self.align == "similarity":
                changed["distortion"] = crop.distortion(arrays["distortion"], arrays["intrinsics"])
        if "box" in arrays:
            changed["box"] = crop.box(arrays["box"].astype(np.float64)).astype(np.float32)
        for name in PIXELS:
            if name in arrays:
                changed[name] = crop.map(arrays[name].astype(np.float64)).astype(np.float32)
        yield sample.with_arrays(**changed, **self._pose(sample, crop))

    def _shape(self, sample: Sample) -> tuple[int, int]:
        shapes = {sample.arrays[name].shape[:2] for name in ("color", "depth") if name in sample.arrays}
        if len(shapes) > 1:
            raise Reject("size_mismatch", " and ".join(f"{w}x{h}" for h, w in sorted(shapes)))
        return shapes.pop()

    def _crop(self, sample: Sample) -> Crop:
        arrays = sample.arrays
        try:
            if self.align == "box":
                return crop_of_box(arrays["box"], self.size_px, self.margin_px)
            intrinsics = arrays.get("intrinsics")
            return crop_of_landmarks(arrays["landmarks"], self.size_px, intrinsics)
        except ValueError as error:
            raise Reject("no_region", str(error)) from None

    def _pose(self, sample: Sample, crop: Crop) -> dict[str, np.ndarray]:
        """Return the pose from the crop's rolled camera to the frame that points and 3D landmarks stay in."""
        arrays = sample.arrays
        spatial = any(name in arrays for name in ("intrinsics", "points", *POSITIONS, "pose"))
        if self.align == "box" or not spatial:
            return {}
        roll = crop.camera_rotation(arrays.get("intrinsics"))
        return {"pose": arrays.get("pose", np.eye(4)) @ roll.T}


def crop_color(image: np.ndarray, crop: Crop) -> np.ndarray:
    """Return the colours of a crop: area means where it shrinks, linear where it enlarges, 0 outside.

    Args:
        image: uint8 (H, W, 3).
        crop: the map of pixels.

    Returns:
        uint8 (size_px, size_px, 3).
    """
    import cv2

    matrix, part = crop.matrix, image
    if crop.scale < 1:
        height, width = image.shape[:2]
        reach = 1 / crop.scale + 1
        corners = crop.corners()
        x0, y0 = np.clip(np.floor(corners.min(axis=0) - reach), 0, [width - 1, height - 1]).astype(int)
        x1, y1 = np.clip(np.ceil(corners.max(axis=0) + reach), [x0 + 1, y0 + 1], [width, height]).astype(int)
        part = image[y0:y1, x0:x1]
        size = np.maximum(1, np.ceil(np.array([x1 - x0, y1 - y0]) * crop.scale)).astype(int)
        part = cv2.resize(part, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA)
        step = np.array([x1 - x0, y1 - y0]) / size
        shift = (step - 1) / 2 + [x0, y0]  # pixel centres: (i + 0.5) * step - 0.5
        matrix = np.column_stack([matrix[:, :2] * step, matrix[:, :2] @ shift + matrix[:, 2]])
    side = (crop.size_px, crop.size_px)
    return cv2.warpAffine(np.ascontiguousarray(part), matrix, side, flags=cv2.INTER_LINEAR, borderValue=(0, 0, 0))
