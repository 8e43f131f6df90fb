"""Baselines without a network, which a network has to beat: the untrained clipped depth map, and LDA on depth maps.

Both see faces as heights on a 2.5 mm grid (`face3d_data.geometry.depth_map`), so they need aligned points, or maps.

    table, known = dataset.table("test"), training.table("train")
    maps = depth_maps(dataset, "test", table.index)
    learnt = learn_lda(depth_maps(training, "train", known.index), known)
    matchers = [DepthMapMatcher(table, maps), lda_matcher("LDA", table, maps, learnt.lda)]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.digest import seed_from
from face3d_data.errors import UserError
from face3d_data.geometry.depth_map import clipped_distance, level_upper, resampled_map, smooth_map
from face3d_data.plurals import counted
from face3d_data.shards.read import Dataset
from face3d_data.tables.protocol import protocols
from face3d_data.tables.split import person_of
from face3d_training.evaluation.baselines.lda import Lda, fit_lda
from face3d_training.evaluation.metrics.identification import Gallery
from face3d_training.evaluation.metrics.matcher import EmbeddingMatcher, pairs_in_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

BATCH = 256
PAIRS_AT_A_TIME = 4096
LEAST_SEEN = 0.3
"""Share of the grid that the median face must cover; aligned faces cover 0.9 and more, masked ones too."""
LDA_FEWEST_PEOPLE = 6
"""Fewer people cannot be divided into some for training and some for choosing."""
PLACE = {"cell_mm", "left_mm", "top_mm"}
"""Attributes of maps that say where their cells lie."""
HELD_OUT = 0.2
RIDGES_MM2 = (20.0, 10.0, 5.0, 2.0)
"""Tried from the strongest on; below 2 mm² the directions fit how the training people were made (rank-1 .54 to .81 on
others)."""
DIMENSIONS = (20, 40, 80)
CLIP_MM = 3.0
"""Of 1.5, 2, 3, 4 and 6 mm the best on 64 synthetic training people: rank-1 .946 plain, .416 masked to plain."""


def can_be_mapped(dataset: Dataset) -> bool:
    """Tell whether a dataset contains what depth maps are made of: maps whose cells' place is known, or points."""
    return has_maps(dataset) or "points" in dataset.info["spec"]["fields"]


def has_maps(dataset: Dataset) -> bool:
    """Tell whether a dataset contains maps whose cells' place is known."""
    return dataset.info.get("array_attributes", {}).get("map", {}).keys() >= PLACE


def depth_maps(
    dataset: Dataset, split: str, rows: Sequence[int] | np.ndarray, progress: Callable[[int], None] | None = None
) -> np.ndarray:
    """Return the depth maps f4 (n, G) of rows of a split.

    Args:
        dataset: a dataset with `map`, which is preferred, or with `points` in the face frame, mm.
        split: the split.
        rows: indices in the split.
        progress: called with the number of rows done.

    Raises:
        UserError: the shards contain no points, or the points are not aligned.
    """
    said = dataset.info.get("array_attributes", {}).get("map", {})
    field = "map" if has_maps(dataset) else "points"
    reader = dataset.reader(split, [field])
    maps: list[np.ndarray] = []
    for start in range(0, len(rows), BATCH):
        batch = reader.__getitems__(list(rows[start : start + BATCH])).arrays[field]
        if field == "map":
            maps += [resampled_map(image, said["cell_mm"], said["left_mm"], said["top_mm"]) for image in batch]
        else:
            maps += [smooth_map(points) for points in batch]
        if progress is not None:
            progress(len(maps))
    found = np.array(maps, np.float32)
    seen = float(np.median(np.isfinite(found).mean(axis=1))) if len(found) else 1.0
    if seen < LEAST_SEEN:
        raise UserError(
            f"{dataset.path}: a baseline needs points in the face frame, and these cover {seen:.0%} of its grid: put "
            "align_3d into the pipeline, or say --no-baseline"
        )
    return found


class DepthMapMatcher:
    """Minus the clipped distance of depth maps, mm, with each one's median over the upper face removed; untrained.

    Args:
        table: the rows.
        maps: f4 (n, G), the depth map of each row.
    """

    def __init__(self, table: pd.DataFrame, maps: np.ndarray) -> None:
        self.name, self.table = "depth map, untrained", table
        self.maps = level_upper(maps)

    def similarity(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return f8 (A, B): minus the distances."""
        others, out = self.maps[second], np.empty((len(first), len(second)))
        for place, row in enumerate(first):
            out[place] = -clipped_distance(others, self.maps[row], CLIP_MM)
        return out

    def pair_similarity(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return f8 (n,): minus the distances."""
        return pairs_in_parts(self._distances, first, second, PAIRS_AT_A_TIME)

    def _distances(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return -clipped_distance(self.maps[first], self.maps[second], CLIP_MM)


@dataclass(frozen=True)
class Learnt:
    """An LDA and what was chosen for it.

    Attributes:
        lda: learnt from all training people.
        ridge_mm2: its ridge.
        dimensions: its directions.
        people: training people.
        held_out: how many of them these two were chosen on.
    """

    lda: Lda
    ridge_mm2: float
    dimensions: int
    people: int
    held_out: int


def lda_matcher(name: str, table: pd.DataFrame, maps: np.ndarray, lda: Lda) -> EmbeddingMatcher:
    """Return the matcher of depth maps f4 (n, G) that compares them in an LDA's directions, by their angle."""
    return EmbeddingMatcher(name, table, _unit(lda.project(maps)))


def learn_lda(maps: np.ndarray, table: pd.DataFrame) -> Learnt:
    """Return the LDA of training people; its ridge and dimensions are chosen on a fifth of them, which is held out.

    It takes the strongest ridge, and then the fewest dimensions, whose rank-1 (mean over held-out people, and over the
    protocols that these admit, plain and masked) is within one standard error of the best: Breiman et al. 1984,
    Classification and Regression Trees. Held-out people resemble the training people, so the best choice for them need
    not be the best for others.

    Args:
        maps: f4 (n, G), depth maps of plain and masked faces.
        table: their rows.

    Raises:
        UserError: there are too few people.
    """
    identity = table["identity"].to_numpy(object).astype(str)
    person = np.array([person_of(name) for name in identity], dtype=str)
    people = np.unique(person)
    if len(people) < LDA_FEWEST_PEOPLE:
        raise UserError(
            f"baseline LDA: {counted(len(people), 'person')} to train on, at least {LDA_FEWEST_PEOPLE} are needed: "
            "name a dataset that has more by --train-dataset, or say --no-baseline"
        )
    order = np.random.default_rng(seed_from("lda", people.tolist())).permutation(people)
    chosen = order[: max(2, round(HELD_OUT * len(people)))]
    held = np.isin(person, chosen)
    rows, tried = table[held].reset_index(drop=True), {}
    for ridge_mm2 in RIDGES_MM2:
        vectors = fit_lda(maps[~held], identity[~held], ridge_mm2, max(DIMENSIONS)).project(maps[held])
        for dimensions in DIMENSIONS:
            tried[ridge_mm2, dimensions] = _rank_1(EmbeddingMatcher("LDA", rows, _unit(vectors[:, :dimensions])))
    ridge_mm2, dimensions = within_an_error(tried)
    return Learnt(fit_lda(maps, identity, ridge_mm2, dimensions), ridge_mm2, dimensions, len(people), len(chosen))


def within_an_error(tried: dict[tuple[float, int], np.ndarray]) -> tuple[float, int]:
    """Return the first choice whose mean over people is within one standard error of the best choice's mean.

    Args:
        tried: by choice, the preferred ones first: f8 (p,), a figure of each person.
    """
    best = max(tried.values(), key=np.mean)
    least = np.mean(best) - (np.std(best, ddof=1) / np.sqrt(len(best)) if len(best) > 1 else 0.0)
    return next(choice for choice, found in tried.items() if np.mean(found) >= least)


def _rank_1(matcher: EmbeddingMatcher) -> np.ndarray:
    """Return rank-1 of each person, f8 (p,): the mean over all protocols of a table; of nobody, if none has probes."""
    hits, people = [np.zeros(0)], [np.zeros(0, str)]
    for protocol in protocols(matcher.table)[0].values():
        if len(protocol.probe):
            gallery = Gallery(matcher, protocol.gallery)
            hits.append(gallery.outcomes(protocol.probe).rank == 1)
            people.append(gallery.person_of_row[protocol.probe])
    place = np.unique(np.concatenate(people), return_inverse=True)[1]
    return np.bincount(place, weights=np.concatenate(hits)) / np.bincount(place) if len(place) else np.zeros(1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(length, np.finfo(np.float64).tiny)
