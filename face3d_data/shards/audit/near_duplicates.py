"""Near-duplicates between splits: samples that may show one recording although their rows give no sign of it.

Candidates are nearest neighbours of a fixed descriptor; each is then compared closely. What is found is *suspected*:
one scan sampled twice, a photograph saved twice, or a mask put on a copy, under another name.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.engine.backends import Engine
from face3d_data.errors import UserError
from face3d_data.extras import extra_line
from face3d_data.shards.audit.look import Described, Look
from face3d_data.shards.audit.near_duplicates_tasks import Crew, compare, describe
from face3d_data.shards.audit.nearest_rows import NearRows, nearest_across, nearest_by_index
from face3d_data.shards.leaks import Suspect
from face3d_data.shards.read import Dataset

if TYPE_CHECKING:
    import pandas as pd

NOT_ASKED = "not asked for"
"""Note of a search that was not wanted."""
FEW = 100_000
"""Number of samples up to which datasets are searched by default: this takes a quarter of an hour of one processor."""
ALONE = 1024
"""Samples up to which this process does the work itself: workers take a second to start."""
EXACT = 100_000
"""Samples up to which all are compared for the nearest ones; more are searched by Faiss' index, if it is installed.

Of 100,000 clouds both take about a minute of one processor; beyond, the exact search grows with the square.
"""


@dataclass(frozen=True)
class Search:
    """What a search for near-duplicates found.

    Attributes:
        suspects: pairs of samples.
        looked: what was looked at: `points of 9,812 samples`; nothing where it was not possible.
        notes: what was not looked at, and why.
        remarks: how it was looked for, where that is worth knowing.
        compared: pairs that were compared closely.
        seconds: how long it took.
    """

    suspects: tuple[Suspect, ...] = ()
    looked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    compared: int = 0
    seconds: float = 0.0


def find_near_duplicates(
    dataset: Dataset,
    table: pd.DataFrame,
    known: Callable[[int, int], bool] = lambda first, second: False,
    jobs: int = 1,
    show_progress: bool = False,
) -> Search:
    """Look for near-duplicates between the splits of a dataset.

    Args:
        dataset: the dataset; its shards are whole.
        table: the rows of all splits, split by split in the order of their CSVs.
        known: whether two rows are known already to be one recording, so that they are passed over.
        jobs: worker processes; their number changes no result.
        show_progress: show how far the work is.
    """
    from threadpoolctl import threadpool_limits

    started = time.monotonic()
    if table["split"].nunique() < 2:
        return Search(looked=("there is one split",))
    looks, notes = _looks(dataset, table)
    engine = Engine("loky", jobs) if jobs > 1 and len(table) > ALONE else None
    search = _Searching(table, known, jobs, notes)
    # Of matrices as small as these, a second thread makes nothing but waiting.
    with threadpool_limits(1), engine or nullcontext():
        for look in looks:
            search.look(look, Crew(engine, show_progress))
    suspects = sorted((_suspect(table, *pair, how) for pair, how in search.found.items()), key=lambda one: one.samples)
    done = (tuple(suspects), tuple(search.looked), tuple(search.notes), tuple(dict.fromkeys(search.remarks)))
    return Search(*done, search.compared, time.monotonic() - started)


class _Searching:
    """A search on its way: one look after the other, so that memory holds the descriptors of one.

    Args:
        table: the rows of all splits.
        known: whether two rows are known to be one recording.
        jobs: threads that measure distances.
        notes: what cannot be looked at.
    """

    def __init__(self, table: pd.DataFrame, known: Callable[[int, int], bool], jobs: int, notes: list[str]) -> None:
        self.looked: list[str] = []
        self.notes = notes
        self.remarks: list[str] = []
        self.found: dict[tuple[int, int], str] = {}
        self.compared = 0
        self._ranks = table["split"].factorize()[0]
        self._known = known
        self._jobs = jobs

    def look(self, look: Look, crew: Crew) -> None:
        """Add what one look finds."""
        n = len(self._ranks)
        described, lost = describe(look, n, crew)
        shown = int(described.shown.sum())
        self.looked.append(f"{look.name} of {shown:,} samples")
        if shown < n:
            lost.append(f"{look.name} of {n - shown:,} of {n:,} samples show no face where the others have one")
        if described.poor.any():
            lost.append(f"{look.name} of {int(described.poor.sum()):,} of {shown:,} samples have {look.poor_note}")
        pairs, parts = self._candidates(look, described)
        new = [not self._known(*pair) and pair not in self.found for pair in map(tuple, pairs.tolist())]
        pairs, parts = pairs[new], parts[new]
        self.compared += len(pairs)
        found, killed = compare(look, pairs, parts, described.laid, crew)
        self.found |= {pair: f"{look.name}, {how}" for pair, how in found.items()}
        self.notes += [*lost, *killed]

    def _candidates(self, look: Look, described: Described) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs of rows i8 (p, 2) that are near, and by which parts they are, bool (p, k)."""
        rows = np.flatnonzero(described.shown)
        near = []
        for part, descriptors in zip(look.parts, described.descriptors, strict=True):
            mine = descriptors if len(rows) == len(descriptors) else descriptors[rows]
            near.append(self._near(mine, self._ranks[rows], part.most))
        every = np.concatenate([found.pairs for found in near])
        by = np.repeat(np.arange(len(near)), [len(found.pairs) for found in near])
        # By the later row, which has several neighbours: those who compare keep it.
        pairs, which = np.unique(every, axis=0, return_inverse=True)
        parts = np.zeros((len(pairs), len(near)), bool)
        parts[which.reshape(-1), by] = True
        self._remark(near, len(rows))
        return rows[pairs[:, ::-1]], parts

    def _near(self, descriptors: np.ndarray, ranks: np.ndarray, most: float) -> NearRows:
        if len(ranks) > EXACT and find_spec("faiss") is not None:
            return nearest_by_index(descriptors, ranks, most)
        return nearest_across(descriptors, ranks, most, self._jobs)

    def _remark(self, near: list[NearRows], n: int) -> None:
        checked, found = (sum(getattr(one, name) for one in near) for name in ("checked", "found"))
        if checked:
            self.remarks.append(
                f"the nearest samples were searched for by Faiss' index, which found {found:,} of {checked:,} pairs "
                "that an exact search of some samples found"
            )
        elif n > EXACT and find_spec("faiss") is None:
            self.remarks.append(
                "the nearest samples were searched for exactly, in a time that grows with the square of their number; "
                f"Faiss' index finds nearly all of them sooner: {extra_line('faiss')}"
            )


def _looks(dataset: Dataset, table: pd.DataFrame) -> tuple[list[Look], list[str]]:
    from face3d_data.shards.audit.near_duplicates_images import look_at_images
    from face3d_data.shards.audit.near_duplicates_points import look_at_points

    looks: list[Look] = []
    notes = []
    fields = dataset.info["spec"]["fields"]
    for name, look_at in (("points", look_at_points), ("grid", look_at_points), ("color", look_at_images)):
        if name in fields and not (name == "grid" and "points" in fields):
            try:
                looks.append(look_at(dataset, table, name))
            except UserError as error:
                notes.append(str(error))
    if not looks and not notes:
        notes.append(f"that needs points, grid or color, and the fields are {', '.join(fields)}")
    return looks, notes


def _suspect(table: pd.DataFrame, first: int, second: int, how: str) -> Suspect:
    rows = table.iloc[[first, second]]
    ids, splits, people = (tuple(rows[name].tolist()) for name in ("sample_id", "split", "identity"))
    return Suspect("near_duplicate", ids, splits, people, how)
