"""Near-duplicates among clouds: mid-face maps for candidates, ICP both ways to confirm them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.errors import UserError
from face3d_data.geometry.align import every_nth, fit_rigid
from face3d_data.geometry.face_descriptor import LOW_MM, UPPER, UPPER_MM, pose_on_mean_face, relief_map
from face3d_data.geometry.mean_face import mean_face
from face3d_data.geometry.surface_distance import Distance, ScanSurface, surface_distance, surface_of
from face3d_data.shards.audit.look import FacePart
from face3d_data.shards.read import Dataset, ShardReader

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
REMEMBERED = 1024
"""Clouds that are kept with their search trees, 0.2 MB each."""
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


class PointsLook:
    """Clouds of a dataset, laid on the mean face.

    Args:
        clouds: gives them.
        name: the array.
    """

    def __init__(self, clouds: Clouds, name: str) -> None:
        self.name = name
        self._clouds = clouds
        n = len(clouds)
        poses = np.zeros((n, len(PARTS), 4, 4))
        maps = [np.zeros((n, int(cells.sum())), np.float32) for _, _, cells, _ in PARTS]
        seen = np.zeros(n, bool)
        for place, points in clouds.each():
            for number, (_, lowest_mm, cells, _) in enumerate(PARTS):
                pose = poses[place, number] = pose_on_mean_face(points, lowest_mm)
                relief = relief_map(points @ pose[:3, :3].T + pose[:3, 3])[cells]
                maps[number][place] = np.nan_to_num(relief)
                seen[place] |= np.isfinite(relief).mean() >= LEAST_SEEN
        self.places = np.flatnonzero(seen)
        few = sum(len(clouds.at(int(place))) < SURE_POINTS for place in self.places[:: max(1, len(self.places) // 32)])
        self.notes = (f"clouds of fewer than {SURE_POINTS:,} points hide most copies",) if few else ()
        self.parts = tuple(
            FacePart(name, found[self.places] / np.float32(np.sqrt(found.shape[1])), most)
            for (name, _, _, most), found in zip(PARTS, maps, strict=True)
        )
        self._poses = poses
        self._surface = lru_cache(REMEMBERED)(self._lay)

    def _lay(self, place: int, part: int) -> ScanSurface | None:
        pose, points = self._poses[place, part], self._clouds.at(place)
        if part and len(points) < LEAST_POINTS_OF_PART:
            return None
        return surface_of(points @ pose[:3, :3].T + pose[:3, 3], PARTS[part][1])

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


class Clouds:
    """The clouds of a dataset in the face frame, mm, row by row of its table.

    Raises:
        UserError: they are not in the face frame, and no landmarks tell how to bring them there.
    """

    def __init__(self, dataset: Dataset, table: pd.DataFrame, name: str) -> None:
        self._name = name
        fields = dataset.info["spec"]["fields"]
        scaled = ("centroid", "scale") if dataset.info["spec"]["normalize"] and name == "points" else ()
        marks = ("landmarks_3d",) if "landmarks_3d" in fields else ()
        self._readers: list[tuple[ShardReader, int, int]] = []
        start = 0
        for split, rows in table.groupby("split", sort=False):
            self._readers.append((dataset.reader(str(split), [name, *scaled, *marks]), start, start + len(rows)))
            start += len(rows)
        self._by_landmarks = False
        if not self._in_face_frame():
            self._by_landmarks = bool(marks)
            if not self._in_face_frame():
                raise UserError(
                    f"{name} are not in the face frame{', nor do landmarks_3d bring them there' if marks else ''}: "
                    "near-duplicates need align_3d, or landmarks_3d among the fields"
                )

    def __len__(self) -> int:
        return self._readers[-1][2]

    def each(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield place and points f4 (N, 3) of every row that has enough of them."""
        for reader, start, stop in self._readers:
            for first in range(0, stop - start, BATCH):
                batch = reader.__getitems__(range(first, min(first + BATCH, stop - start)))
                for number, sample in enumerate(batch):
                    points = self._cloud(sample)
                    if len(points) >= LEAST_POINTS:
                        yield start + first + number, points

    def at(self, place: int) -> np.ndarray:
        """Return the points of one row."""
        reader, start = next((reader, start) for reader, start, stop in self._readers if start <= place < stop)
        return self._cloud(reader[place - start])

    def _cloud(self, sample: dict[str, np.ndarray]) -> np.ndarray:
        points = sample[self._name].reshape(-1, 3).astype(np.float32)
        if "scale" in sample:
            points = points * np.float32(sample["scale"]) + sample["centroid"].astype(np.float32)
        points = every_nth(points[np.isfinite(points).all(axis=1)], MOST_POINTS)
        marks = sample.get("landmarks_3d")
        if not self._by_landmarks or marks is None:
            return points
        known = np.isfinite(marks).all(axis=1)
        if known.sum() < 3:
            return points[:0]
        pose = fit_rigid(marks[known], mean_face().landmarks[known])
        return (points @ pose[:3, :3].T + pose[:3, 3]).astype(np.float32)

    def _in_face_frame(self) -> bool:
        seen = []
        for place in np.unique(np.linspace(0, len(self) - 1, LOOKED_FIRST).astype(int)) if len(self) else ():
            points = self.at(int(place))
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
        UserError: they cannot be brought into the face frame.
    """
    return PointsLook(Clouds(dataset, table, name), name)
