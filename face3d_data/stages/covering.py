"""Covering: the base of the stages `mask` and `occlude`, variants of a sample with something in front of the face."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field, model_validator

from face3d_data.geometry.mean_face import MEAN_FACE_ASSET as MEAN_FACE
from face3d_data.resources import Asset
from face3d_data.sample import MAPS, VERTEX_VALUES, Sample
from face3d_data.stage import Inputs, Names, Stage
from face3d_data.wear.head_map import MEAN_HEAD_ASSET as MEAN_HEAD
from face3d_data.wear.occluder import Occluder
from face3d_data.wear.wearing import COVERED, REASONS, Face, find_face, wear

IMAGES = ("color", "depth")


def _with_labels(sample: Sample) -> Sample:
    """Return a bare face with `occlusion` all skin, so that plain samples of a dataset have labels too."""
    if "points" not in sample.arrays or "occlusion" in sample.arrays or sample.tags.get("mask", "none") != "none":
        return sample
    return sample.with_arrays(occlusion=np.zeros(len(sample.arrays["points"]), np.uint8))


class Covering(Stage):
    """Base of stages that put something on the face, consistently in colour, depth and points."""

    inputs: ClassVar[Inputs] = (
        ("points", "landmarks_3d"),
        ("depth", "intrinsics", "landmarks"),
        ("color", "landmarks"),
    )
    optional: ClassVar[Names] = (
        "color", "depth", "intrinsics", "landmarks", "pose", "normals", "point_colors", "occlusion",
    )  # fmt: skip
    outputs: ClassVar[Names] = COVERED
    tag_inputs: ClassVar[Names] = ("mask", "visible_ratio")
    random: ClassVar[bool] = True
    variants: ClassVar[bool] = True
    assets: ClassVar[tuple[Asset, ...]] = (MEAN_FACE, MEAN_HEAD)
    reasons: ClassVar[dict[str, str]] = REASONS

    per_sample: int = Field(1, ge=1, le=100, description="number of variants of each sample")
    keep_original: bool = Field(False, description="also yield the plain sample, under its own id")
    keep_images: bool = Field(
        True,
        description="false: covered samples have only points; color and depth are neither read nor stored for them",
    )
    p: float = Field(1.0, ge=0, le=1, description="share of the samples to cover; needs keep_original")
    max_yaw_deg: float = Field(55.0, gt=0, le=90, description="reject faces with a larger yaw")
    min_points: int = Field(200, ge=1, description="reject faces with fewer points than this")
    softening_px: float = Field(1.5, ge=0, le=2, description="width of the colour blend outside the outline")

    @model_validator(mode="after")
    def _p_needs_the_original(self) -> Covering:
        if self.p < 1 and not self.keep_original:
            raise ValueError(f"p = {self.p:g} would drop the other samples: set keep_original: true, or leave p out")
        return self

    @property
    def _images_dropped(self) -> Names:
        return () if self.keep_images else IMAGES

    @property
    def drops(self) -> Names:  # type: ignore[override]
        """Arrays that would go on showing the bare face."""
        return tuple(dict.fromkeys(("curvature", "grid", "grid_color", *VERTEX_VALUES, *MAPS, *self._images_dropped)))

    def groups(self) -> tuple[Names, ...]:
        """Return the arrays that suffice: without images, those of a cloud."""
        return super().groups() if self.keep_images else (("points", "landmarks_3d"),)

    def names_read(self) -> Names:
        """Return every array that is asked for; images only if they are kept."""
        return tuple(name for name in super().names_read() if name not in self._images_dropped)

    def created(self) -> frozenset[str]:
        """Return `occlusion`, which new points bring: everything else is changed only where it is there."""
        return frozenset({"occlusion"})

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the variants, and with `keep_original` the sample before them."""
        if rng is None:
            raise ValueError(f"{self.name} draws: give it a generator")
        covered: list[Sample] = []
        if rng.random() < self.p:
            bare = sample.without(*self._images_dropped)
            face = find_face(bare.arrays, self.max_yaw_deg, self.min_points)
            # Each variant has its own generator: what one draws moves no other.
            covered = [self.variant(bare, face, i, own) for i, own in enumerate(rng.spawn(self.per_sample))]
        if self.keep_original:
            yield _with_labels(sample)
        yield from covered

    def variant(self, sample: Sample, face: Face, number: int, rng: np.random.Generator) -> Sample:
        """Return one variant of a sample whose face was found."""
        raise NotImplementedError

    def put_on(self, sample: Sample, face: Face, occluder: Occluder, rng: np.random.Generator) -> Sample:
        """Return the sample with an occluder on its face, and the tag `visible_ratio`."""
        return self.with_covered(sample, *wear(face, occluder, rng, self.softening_px))

    def with_covered(self, sample: Sample, arrays: Mapping[str, np.ndarray], visible: float) -> Sample:
        """Return the sample with the arrays of a covered face, and the tag `visible_ratio`."""
        before = sample.tags.get("visible_ratio")
        if isinstance(before, float):
            # Labels of points tell what was hidden before; without them it is taken to lie elsewhere as often as not.
            visible = min(visible, before) if "points" in arrays else visible * before
        # A colour image whose camera is not known would go on showing the bare face.
        stale = () if "color" in arrays else ("color",)
        return sample.without(*self.drops, *stale).with_arrays(**arrays).with_tags(visible_ratio=round(visible, 4))

    def output_bytes(self) -> int:
        """Return about how many bytes one output stores: colour, depth and points of a VGA frame, or points alone."""
        return self.per_sample * (2_400_000 if self.keep_images else 320_000)
