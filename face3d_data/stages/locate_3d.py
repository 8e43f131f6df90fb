"""Stage `locate_3d`: the five landmarks of scans without any, by fitting the mean face."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from face3d_data.errors import Reject
from face3d_data.geometry.camera import depth_to_points, project
from face3d_data.geometry.locate import TURNED, UPRIGHT, Located, locate_face, locate_turned, turn_deg
from face3d_data.geometry.mean_face import MEAN_FACE_ASSET
from face3d_data.registry import register
from face3d_data.resources import Asset
from face3d_data.sample import Sample
from face3d_data.stage import Frame, Inputs, Names, Stage

AXES: dict[str, np.ndarray] = {
    "camera": UPRIGHT,
    "upside_down": np.diag([-1.0, 1.0, -1.0]),
    "left_up": np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]]),
    "right_up": np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]]),
}
"""How the head stands in front of the camera, to the rotation that brings its axes to those of the face frame."""
CHECK = "if many are, check the reader's axes (up, front), or head; for covered or half faces lower min_score"
SURE_SCORE = 0.5
"""Faces that fit worse are looked for in scans that stand otherwise, too: it takes nine times as long."""
BETTER = 1.1
APART_DEG = 40.0


@register
class Locate3d(Stage):
    """Find the five landmarks in points, a grid or depth, without colour, by fitting the mean face from many starts.

    They are the landmarks of the mean face at its best fit, so they are a few millimetres from the person's own.
    """

    name: ClassVar[str] = "locate_3d"
    version: ClassVar[int] = 4
    inputs: ClassVar[Inputs] = (("points",), ("grid",), ("depth", "intrinsics"))
    optional: ClassVar[Names] = ("distortion", "landmarks_3d", "landmarks")
    outputs: ClassVar[Names] = ("landmarks_3d", "landmarks")
    frame: ClassVar[Frame] = "camera"
    tag_names: ClassVar[Names] = ("located", "located_rmse_mm", "located_score")
    assets: ClassVar[tuple[Asset, ...]] = (MEAN_FACE_ASSET,)
    reasons: ClassVar[dict[str, str]] = {
        "no_face": "the mean face does not fit well enough anywhere",
        "turned": "the face fits better in another orientation of the scan: wrong axes",
        "too_few_points": "there are fewer points than min_points",
    }

    head: Literal["camera", "upside_down", "left_up", "right_up"] = Field(
        "camera",
        description="orientation of the head: upright in front of the camera, or the side of the image that is up",
    )
    replace_given: bool = Field(False, description="also locate captures that have landmarks already")
    min_score: float = Field(
        0.42,
        ge=0,
        le=1,
        description="reject if the mean face fits worse: faces score 0.44 to 0.8, other positions up to 0.4",
    )
    min_points: int = Field(300, ge=30, description="reject a capture with fewer points than this")

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the sample with `landmarks_3d`, or for depth with `landmarks` (px), and how well the face fits."""
        if not self.replace_given and self._given(sample):
            yield sample.with_tags(located=False)
            return
        points = self._points(sample)
        if len(points) < self.min_points:
            raise Reject("too_few_points", f"{len(points)} < {self.min_points}")
        found = self._checked(points, locate_face(points, AXES[self.head]))
        tags = {"located_rmse_mm": round(found.rmse_mm, 4), "located_score": round(found.score, 4)}
        if _by_depth(sample):
            lens = sample.arrays.get("distortion")
            pixels = project(found.landmarks.astype(np.float64), sample.arrays["intrinsics"], lens)
            yield sample.with_arrays(landmarks=pixels.astype(np.float32)).with_tags(located=True, **tags)
        else:
            yield sample.with_arrays(landmarks_3d=found.landmarks).with_tags(located=True, **tags)

    def output_bytes(self) -> int:
        """Return the bytes of five landmarks."""
        return 64

    def _given(self, sample: Sample) -> bool:
        name = "landmarks" if _by_depth(sample) else "landmarks_3d"
        return name in sample.arrays and bool(np.isfinite(sample.arrays[name]).all())

    def _points(self, sample: Sample) -> np.ndarray:
        if "points" in sample.arrays:
            points = sample.arrays["points"]
        elif "grid" in sample.arrays:
            points = sample.arrays["grid"].reshape(-1, 3)
        else:
            lens = sample.arrays.get("distortion")
            points, _ = depth_to_points(sample.arrays["depth"], sample.arrays["intrinsics"], distortion=lens)
        return points[np.isfinite(points).all(1)]

    def _checked(self, points: np.ndarray, found: Located | None) -> Located:
        if found is None or found.score < SURE_SCORE:
            self._check_axes(points, found)
        if found is None:
            raise Reject("no_face", f"nothing protrudes like a nose: {CHECK}")
        if found.score < self.min_score:
            fit = f"rmse {found.rmse_mm:.2f} mm, inliers {found.inlier_share:.2f}, covered {found.covered:.2f}"
            raise Reject("no_face", f"the best fit scores {found.score:.2f} < {self.min_score:g} ({fit}): {CHECK}")
        return found

    def _check_axes(self, points: np.ndarray, found: Located | None) -> None:
        """Refuse a scan that holds a face where it is looked at otherwise: with wrong axes something fits somewhere."""
        how, other = locate_turned(points, AXES[self.head])
        if other is None or other.score < self.min_score:
            return
        score = found.score if found is not None else 0.0
        elsewhere = found is None or turn_deg(found.motion, other.motion) > APART_DEG
        if other.score > BETTER * score and (elsewhere or score < self.min_score):
            said = f"the face is seen {how}: it scores {other.score:.2f} so, {score:.2f} upright: {CHECK}"
            raise Reject("turned", said + (_axes_instead(how) if self.head == "camera" else ""))


def _axes_instead(how: str) -> str:
    """Return which options a reader of scans needs that has its usual ones, where a face stands otherwise."""
    _, up, front = (
        f"{'-' if row[axis] < 0 else ''}{'xyz'[axis]}" for row in TURNED[how] for axis in [int(np.abs(row).argmax())]
    )
    options = (("up", up, "y"), ("front", front, "z"))
    wanted = ", ".join(f"{name}: {axis}" for name, axis, usual in options if axis != usual)
    return f"; try {wanted} (where the reader has up: y, front: z)"


def _by_depth(sample: Sample) -> bool:
    """Return whether landmarks are sought in a depth image, whose landmarks are pixels."""
    return "points" not in sample.arrays and "grid" not in sample.arrays
