"""Stage `maps`: the face's height over a grid, its slopes or normals, and where it was seen, as an image in mm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from face3d_data.errors import Reject
from face3d_data.geometry.face_parts import PARTS, part_cells, visible_shares
from face3d_data.geometry.surface_map import MapGrid, map_channels, nearest_seen, surface_map
from face3d_data.registry import register
from face3d_data.sample import Sample, Tag
from face3d_data.stage import Frame, Inputs, Names, Stage

CHANNELS = {
    "slopes": ("height", "slope_x", "slope_y", "valid"),
    "normals": ("height", "normal_x", "normal_y", "normal_z", "valid"),
}
HIGHEST_MM = 15.0
"""Median height above which points are no face in its frame: a face's is -32 mm, that of the back of one +32 mm."""


@register
class Maps(Stage):
    """Lay a metric map over the face: height in mm, slopes or unit normals, and validity, for 2D networks.

    It takes points in the face frame: put it behind `align_3d` and before `subsample`, where points are still dense.
    Row 0 of the map is the topmost, x runs to the right from column to column, and the map's vertical middle line is x
    = 0. Only the front of what the camera saw is shown. Cells that it did not see are holes: 0 in every channel, and
    `valid`, the last channel, is 0 there. `map_occlusion` is made where the points have `occlusion`: the share of what
    is seen in a cell that is not skin. `map_parts` has what is visible of upper face, nose, lower and whole face, as
    weights for networks that look at parts.
    """

    name: ClassVar[str] = "maps"
    version: ClassVar[int] = 1
    inputs: ClassVar[Inputs] = ("points",)
    optional: ClassVar[Names] = ("occlusion",)
    outputs: ClassVar[Names] = ("map", "map_occlusion", "map_parts")
    frame: ClassVar[Frame] = "face"
    tag_names: ClassVar[Names] = ("map_seen", "map_fill")
    reasons: ClassVar[dict[str, str]] = {
        "non_finite_points": "a point is not finite: put clean before this step",
        "not_in_face_frame": "the surface lies in front of where a face's does: put align_3d before this step",
        "too_little_seen": "a smaller share of the map's cells than min_seen has a surface",
    }

    cell_mm: float = Field(2.0, ge=0.25, le=20, description="width of a cell, mm")
    size: int = Field(64, ge=8, le=1024, description="number of cells from side to side, and from top to bottom")
    above_mm: float = Field(66.0, description="y of the map's upper edge, mm above the tip of the mean nose")
    channels: Literal["slopes", "normals"] = Field(
        "slopes",
        description="channels between height and validity: two slopes (dz/dx, dz/dy), or the unit normal (x, y, z)",
    )
    sigma_mm: float = Field(
        1.4, gt=0, le=20, description="standard deviation of the Gaussian that weighs the points around a cell, mm"
    )
    gap_mm: float = Field(
        4.0, ge=0, le=40, description="narrower gaps between points belong to the surface; wider ones stay holes, mm"
    )
    fill: Literal["none", "nearest"] = Field(
        "none",
        description="what stands in holes: 0 in all channels, or the nearest cell that was seen; valid is 0 there",
    )
    min_seen: float = Field(0.1, ge=0, le=1, description="reject a face with a smaller share of cells seen")

    @cached_property
    def grid(self) -> MapGrid:
        """The cells."""
        return MapGrid(self.cell_mm, self.size, self.size, -self.size * self.cell_mm / 2, self.above_mm)

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the sample with `map`, and `map_occlusion` where its points are labelled."""
        points = sample.arrays["points"]
        if not np.isfinite(points).all():
            raise Reject("non_finite_points", f"{int((~np.isfinite(points)).any(1).sum())} of {len(points)}")
        labels = sample.arrays["occlusion"] > 0 if "occlusion" in sample.arrays else None
        found = surface_map(points, self.grid, self.sigma_mm, self.gap_mm, labels)
        share = float(found.seen.mean())
        if share < self.min_seen or not found.seen.any():
            raise Reject("too_little_seen", f"{share:.2f} of the cells, {self.min_seen:g} needed")
        height_mm = float(np.median(found.height[found.seen]))
        if height_mm > HIGHEST_MM:
            raise Reject(
                "not_in_face_frame", f"median height {height_mm:.0f} mm: a face lies below the tip of its nose"
            )
        image = map_channels(found, self.channels)
        if self.fill == "nearest":
            image[:-1] = nearest_seen(image[:-1], found.seen)
        arrays = {"map": image}
        if found.shares is not None:
            arrays["map_occlusion"] = np.clip(np.nan_to_num(found.shares), 0, 1).astype(np.float32)
        arrays["map_parts"] = visible_shares(part_cells(self.grid), found.seen, arrays.get("map_occlusion"))
        yield sample.with_arrays(**arrays).with_tags(map_seen=round(share, 4), map_fill=self.fill)

    def array_attributes(self) -> Mapping[str, Mapping[str, Tag]]:
        """Return what the numbers of a map mean: where its cells lie, and its channels."""
        place: dict[str, Tag] = {
            "cell_mm": self.cell_mm,
            "left_mm": self.grid.left_mm,
            "top_mm": self.grid.top_mm,
        }
        place |= {"sigma_mm": self.sigma_mm, "gap_mm": self.gap_mm}
        names = {"channels": ",".join(CHANNELS[self.channels]), "height_unit": "mm", "fill": self.fill}
        return {"map": {**place, **names}, "map_occlusion": place, "map_parts": {"parts": ",".join(PARTS)}}

    def output_bytes(self) -> int:
        """Return about how many bytes one output stores."""
        return 4 * self.size**2 * (len(CHANNELS[self.channels]) + 1)
