"""Stage `align_3d`: bring a face into the face frame, by its landmarks and then by its surface."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from face3d_data.errors import Reject
from face3d_data.geometry.align import UPPER_FACE_MM, fit_rigid, measure_fit, refine, rotate, spread, transform
from face3d_data.geometry.landmarks import NOSE
from face3d_data.geometry.mean_face import MEAN_FACE_ASSET, mean_face
from face3d_data.registry import register
from face3d_data.resources import Asset
from face3d_data.sample import MAPS, POSITIONS, Sample
from face3d_data.stage import Frame, Inputs, Names, Stage

FACE_SIZES = (0.6, 1.6)
"""Rms distance of the landmarks relative to the mean face: 0.91 to 1.20 in 96 rendered and 80 synthetic captures, less
in children."""

_OTHERS = tuple(name for name in POSITIONS if name != "landmarks_3d")


@register
class Align3d(Stage):
    """Align a face rigidly to the mean face: landmarks first, then point-to-plane ICP."""

    name: ClassVar[str] = "align_3d"
    version: ClassVar[int] = 1
    inputs: ClassVar[Inputs] = ("points", "landmarks_3d")
    optional: ClassVar[Names] = ("pose", "normals", *_OTHERS)
    outputs: ClassVar[Names] = ("points", "landmarks_3d", "pose", "normals", *_OTHERS)
    drops: ClassVar[Names] = MAPS
    gives_frame: ClassVar[Frame] = "face"
    tag_names: ClassVar[Names] = ("rmse_mm", "inlier_share")
    assets: ClassVar[tuple[Asset, ...]] = (MEAN_FACE_ASSET,)
    reasons: ClassVar[dict[str, str]] = {
        "too_few_landmarks": "fewer than three of the five 3D landmarks are known",
        "non_finite_points": "a point is not finite: put clean or subsample before this step",
        "not_face_sized": "the landmarks are too far apart or too close for a face: a wrong unit, or wrong intrinsics",
        "poor_fit": "the points do not fit the mean face: not a face, wrong landmarks, or too much is hidden",
    }

    refine_icp: bool = Field(True, description="refine the fit of the landmarks by ICP to the surface of the mean face")
    region: Literal["whole", "upper"] = Field(
        "whole",
        description="what ICP is fitted to, and the fit is measured on: the whole face, or the part from just below "
        "the tip of the nose upwards, so that a mask does not move the face",
    )
    max_rmse_mm: float = Field(
        5.0, gt=0, description="reject if the rmse of the inliers to the mean face is larger, mm"
    )
    min_inlier_share: float = Field(
        0.6,
        ge=0,
        le=1,
        description="reject if a smaller share of the points near the nose is within 10 mm of the mean face",
    )

    @model_validator(mode="after")
    def _region_is_used(self) -> Align3d:
        if self.region != "whole" and not self.refine_icp:
            raise ValueError("region is for ICP: leave refine_icp on, or leave region out")
        return self

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the sample in the face frame, with the tags `rmse_mm` and `inlier_share`."""
        face = mean_face()
        points, landmarks = sample.arrays["points"], sample.arrays["landmarks_3d"]
        known = np.isfinite(landmarks).all(1)
        if known.sum() < 3:
            raise Reject("too_few_landmarks", f"{int(known.sum())} of 5 are known")
        if not np.isfinite(points).all():
            raise Reject("non_finite_points", f"{int((~np.isfinite(points)).any(1).sum())} of {len(points)}")
        size = spread(landmarks[known]) / spread(face.landmarks[known])
        if not FACE_SIZES[0] <= size <= FACE_SIZES[1]:
            raise Reject("not_face_sized", f"{size:.2f} times the mean face: check the depth's unit and the intrinsics")
        motion = fit_rigid(landmarks[known], face.landmarks[known])
        if self.refine_icp:
            motion = refine(points, face, motion, lowest_mm=self._lowest_mm)
        moved, moved_landmarks = transform(points, motion), transform(landmarks, motion)
        nose = moved_landmarks[NOSE] if known[NOSE] else face.landmarks[NOSE]
        fit = measure_fit(moved, face, nose, self._lowest_mm)
        if not fit.rmse_mm <= self.max_rmse_mm or fit.inlier_share < self.min_inlier_share:
            raise Reject("poor_fit", f"rmse {fit.rmse_mm:.2f} mm, inliers {fit.inlier_share:.2f}")
        pose = motion @ sample.arrays["pose"] if "pose" in sample.arrays else motion
        arrays = {"points": moved, "landmarks_3d": moved_landmarks, "pose": pose}
        arrays |= {name: transform(sample.arrays[name], motion) for name in _OTHERS if name in sample.arrays}
        if "normals" in sample.arrays:
            arrays["normals"] = rotate(sample.arrays["normals"], motion)
        tags = {"rmse_mm": round(fit.rmse_mm, 4), "inlier_share": round(fit.inlier_share, 4)}
        yield sample.without(*MAPS).with_arrays(**arrays).with_tags(**tags)

    def parameters(self) -> dict[str, Any]:
        """Return the parameters; `region` only where it is used, so that no cache is lost."""
        return {name: value for name, value in super().parameters().items() if name != "region" or value != "whole"}

    @property
    def _lowest_mm(self) -> float:
        return UPPER_FACE_MM if self.region == "upper" else -np.inf

    def created(self) -> frozenset[str]:
        """Return what is there afterwards in any case; everything else is moved where it is there."""
        return frozenset({"points", "landmarks_3d", "pose"})

    def output_bytes(self) -> int:
        """Return about how many bytes one output stores: some 20,000 points."""
        return 250_000
