"""Near-duplicates among clouds: mid-face maps for candidates, ICP both ways to confirm them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d_data.errors import UserError
from face3d_data.geometry.align import every_nth, fit_rigid
from face3d_data.geometry.face_descriptor import LOW_MM, UPPER, UPPER_MM, pose_on_mean_face, relief_map
from face3d_data.geometry.mean_face import mean_face
from face3d_data.geometry.surface_distance import Distance, ScanSurface, surface_distance, surface_of
from face3d_data.shards.audit.look import Described, FacePart, SplitRows
from face3d_data.shards.read import Dataset

if TYPE_CHECKING:
    import pandas as pd

BATCH = 256
MOST_POINTS = 4096
"""Larger clouds are thinned evenly to this number of points."""
LEAST_POINTS = 200
SURE_POINTS = 1000
"""Copies are found as docs/concepts/leaks.md says in clouds of 1,024 points; of a few hundred hardly any was."""
LEAST_POINTS_OF_PART = 1500
"""Of sparser clouds too little of a face's upper part is known: with 768 and 1,024 points strangers were suspected."""
LEAST_SEEN = 0.5
"""Share of the map that has to be seen: aligned faces cover 0.99, those in masks too."""
LOOKED_FIRST = 32
REMEMBERED = 128
"""Clouds that a worker keeps with their search trees, 0.2 MB each."""
PARTS = (("whole face", LOW_MM, np.ones(len(UPPER), bool), 0.9), ("upper face", UPPER_MM, UPPER, 0.6))
"""Name, lowest height, cells, and rms of the maps' difference in mm up to which two clouds are compared closely."""
MOST_SHAPE_MM, MOST_NOISE_RATIO = 0.28, 0.8
"""Whole faces: of 1,000 synthetic strangers, and of the nearest of them, none; see docs/concepts/leaks.md."""
MOST_PART_MM, MOST_PART_NOISE_RATIO = 0.15, 0.6
"""Upper faces carry less information: only pairs that share their noise, or have almost none, are reported."""
MOST = (
    Distance(MOST_SHAPE_MM, np.inf, MOST_NOISE_RATIO),
    Distance(np.inf, MOST_PART_MM, MOST_PART_NOISE_RATIO),
)
"""The same as distances, a part each."""


@dataclass(frozen=True)
class PointsLook:
    """Clouds of a dataset, laid on the mean face.

    Attributes:
        clouds: gives them.
    """

    clouds: Clouds

    @property
    def name(self) -> str:
        """The array that is looked at."""
        return self.clouds.name

    @property
    def parts(self) -> tuple[FacePart, ...]:
        """The whole face and its upper part, the differences of whose maps are rms, mm."""
        return tuple(FacePart(name, int(cells.sum()), most) for name, _, cells, most in PARTS)

    @property
    def laid_shape(self) -> tuple[int, ...]:
        """The poses of a cloud, a part each, without their last rows."""
        return (len(PARTS), 3, 4)

    @property
    def poor_note(self) -> str:
        """What poor clouds are, and what of it."""
        return f"fewer than {SURE_POINTS:,} points, which hides most copies"

    def describe(self, start: int, stop: int) -> Described:
        """Describe the rows from `start` to `stop` of the table."""
        n = stop - start
        found = Described(
            np.zeros(n, bool),
            np.zeros(n, bool),
            tuple(np.zeros((n, part.length), np.float32) for part in self.parts),
            np.zeros((n, *self.laid_shape)),
        )
        for row, points in self.clouds.each(start, stop):
            at = row - start
            maps, found.laid[at], found.shown[at] = describe_cloud(points)
            found.poor[at] = found.shown[at] and len(points) < SURE_POINTS
            for descriptors, one in zip(found.descriptors, maps, strict=True):
                descriptors[at] = one
        return found

    def comparison(self, laid: Mapping[int, np.ndarray]) -> PointsComparison:
        """Return the comparison of rows by their poses."""
        return PointsComparison(self.clouds, laid)


def describe_cloud(points: np.ndarray) -> tuple[list[np.ndarray], np.ndarray, bool]:
    """Return the descriptors f4 (k,) of the parts of a cloud (N, 3), its poses, and whether it shows a face."""
    poses = np.empty((len(PARTS), 3, 4))
    maps, shown = [], False
    for part, (_, lowest_mm, cells, _) in enumerate(PARTS):
        poses[part] = pose_on_mean_face(points, lowest_mm)[:3]
        relief = relief_map(points @ poses[part, :, :3].T + poses[part, :, 3])[cells]
        maps.append(np.nan_to_num(relief) / np.float32(np.sqrt(len(relief))))
        shown |= bool(np.isfinite(relief).mean() >= LEAST_SEEN)
    return maps, poses, shown


def lay(points: np.ndarray, poses: np.ndarray, part: int) -> ScanSurface | None:
    """Return a part of a cloud (N, 3) for comparison; None where it has too few points."""
    if part and len(points) < LEAST_POINTS_OF_PART:
        return None
    return surface_of(points @ poses[part, :, :3].T + poses[part, :, 3], PARTS[part][1])


class PointsComparison:
    """Comparison of clouds by point-to-plane ICP.

    Args:
        clouds: gives them.
        laid: the poses of each row.
    """

    def __init__(self, clouds: Clouds, laid: Mapping[int, np.ndarray]) -> None:
        self._surface = lru_cache(REMEMBERED)(lambda row, part: lay(clouds.at(row), laid[row], part))

    def distance(self, first: int, second: int, part: int) -> Distance:
        """Return how far two clouds are apart by a part of the face; farther than that if it is more than `MOST`."""
        surfaces = self._surface(first, part), self._surface(second, part)
        if surfaces[0] is None or surfaces[1] is None:
            return Distance(np.inf, np.inf, np.inf)
        return surface_distance(surfaces[0], surfaces[1], PARTS[part][1], MOST[part])

    def confirm(self, first: int, second: int, part: int) -> str | None:
        """Return how far two clouds are apart if they are samplings of one scan."""
        apart = self.distance(first, second, part)
        if not apart.within(MOST[part]):
            return None
        shape_mm = apart.shape_mm if np.isfinite(MOST[part].shape_mm) else apart.part_mm
        return (
            f"{PARTS[part][0]}: shapes {shape_mm:.2f} mm apart, points {apart.noise_ratio:.0%} of what two recordings' "
            "noise would give"
        )


@dataclass(frozen=True)
class Clouds:
    """The clouds of a dataset in the face frame, mm, row by row of its table.

    Attributes:
        rows: gives the arrays.
        name: the array that has the points.
        by_landmarks: they are brought into the face frame by their landmarks.
    """

    rows: SplitRows
    name: str
    by_landmarks: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    def each(self, start: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield row and points f4 (N, 3) of every row from `start` to `stop` that has enough of them."""
        for first, batch in self.rows.batches(start, stop, BATCH):
            for number, sample in enumerate(batch):
                points = self._cloud(sample)
                if len(points) >= LEAST_POINTS:
                    yield first + number, points

    def at(self, row: int) -> np.ndarray:
        """Return the points of one row."""
        return self._cloud(self.rows.at(row))

    def _cloud(self, sample: dict[str, Any]) -> np.ndarray:
        points = sample[self.name].reshape(-1, 3).astype(np.float32)
        if "scale" in sample:
            points = points * np.float32(sample["scale"]) + sample["centroid"].astype(np.float32)
        points = every_nth(points[np.isfinite(points).all(axis=1)], MOST_POINTS)
        marks = sample.get("landmarks_3d")
        if not self.by_landmarks or marks is None:
            return points
        known = np.isfinite(marks).all(axis=1)
        if known.sum() < 3:
            return points[:0]
        pose = fit_rigid(marks[known], mean_face().landmarks[known])
        return (points @ pose[:3, :3].T + pose[:3, 3]).astype(np.float32)

    def in_face_frame(self) -> bool:
        """Return whether most of some clouds cover the mean face."""
        seen = []
        for row in np.unique(np.linspace(0, len(self) - 1, LOOKED_FIRST).astype(int)) if len(self) else ():
            points = self.at(int(row))
            pose = pose_on_mean_face(points)
            seen.append(np.isfinite(relief_map(points @ pose[:3, :3].T + pose[:3, 3])).mean())
        return bool(np.median(seen) >= LEAST_SEEN) if seen else True


def look_at_points(dataset: Dataset, table: pd.DataFrame, name: str) -> PointsLook:
    """Return the look at the clouds of a dataset.

    Args:
        dataset: the dataset.
        table: its rows, split by split.
        name: `points` or `grid`.

    Raises:
        UserError: they are not in the face frame, and no landmarks tell how to bring them there.
    """
    spec = dataset.info["spec"]
    scaled = ("centroid", "scale") if spec["normalize"] and name == "points" else ()
    marks = ("landmarks_3d",) if "landmarks_3d" in spec["fields"] else ()
    clouds = Clouds(SplitRows.of(dataset, table, (name, *scaled, *marks)), name)
    if clouds.in_face_frame():
        return PointsLook(clouds)
    clouds = replace(clouds, by_landmarks=bool(marks))
    if not marks or not clouds.in_face_frame():
        raise UserError(
            f"{name} are not in the face frame{', nor do landmarks_3d bring them there' if marks else ''}: "
            "near-duplicates need align_3d, or landmarks_3d among the fields"
        )
    return PointsLook(clouds)
