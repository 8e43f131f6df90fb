"""Published lists of pairs in a dataset: `pairs/<NAME>.csv`, made of what its readers know of their databases."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from face3d_data.errors import UserError
from face3d_data.formats.pair_lists import ListedPair
from face3d_data.names import name_of, same_form
from face3d_data.plurals import counted
from face3d_data.shards.read import Dataset
from face3d_data.tables.pairs import PAIR_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "pairs"
OF_CAPTURES = ("variant", "sample_id", "origin_id", "identity")
"""Columns of rows by which the images of a list are found."""
FOLDS = 10
"""Folds of a list that names none for its pairs: what LFW, CALFW, CPLFW and CFP are judged with."""


@dataclass(frozen=True)
class PublishedPairs:
    """A database's own list of pairs.

    Attributes:
        dataset: what ids of the database's rows begin with.
        capture_prefix: what their captures begin with.
        pairs: of images as (person, capture), as the reader calls them.
    """

    dataset: str
    capture_prefix: str
    pairs: Sequence[ListedPair]

    def named(self) -> list[tuple[int, bool, str, str]]:
        """Return fold, whether it shows one person, and the two captures by their ids, pair by pair."""
        return [
            (pair.fold, pair.same, self._id_of(pair.first), self._id_of(pair.second)) for pair in in_folds(self.pairs)
        ]

    def _id_of(self, image: tuple[str, str]) -> str:
        person, capture = map(same_form, image)
        return f"{self.dataset}/{person}/{self.capture_prefix}{capture}"


def in_folds(pairs: Sequence[ListedPair]) -> list[ListedPair]:
    """Return pairs that all have a fold: those without are cut into equal ones in the order of the list.

    Genuine and impostor pairs are cut each by themselves, into as many folds as the others name, or ten. CALFW and
    CPLFW, whose lists name no folds for all of their pairs, are judged in this way.
    """
    folds = 1 + max((pair.fold for pair in pairs), default=-1) or FOLDS
    counts, seen = Counter(pair.same for pair in pairs if pair.fold < 0), Counter[bool]()
    found = []
    for pair in pairs:
        if pair.fold < 0:
            place = seen[pair.same]
            seen[pair.same] += 1
            pair = replace(pair, fold=place * folds // counts[pair.same])
        found.append(pair)
    return found


def file_of_pairs(name: str) -> str:
    """Return the path of a list in a dataset's folder."""
    return f"{FOLDER}/{name}.csv"


def pair_texts(
    table: Mapping[str, Sequence[str]] | pd.DataFrame, lists: Mapping[str, PublishedPairs]
) -> tuple[dict[str, str], list[str]]:
    """Return the lists as texts, path to text, and notes; a list of whose images none is in the table is left out.

    Args:
        table: the columns `OF_CAPTURES` of the dataset's rows, if there are lists. A capture's pairs are of its row
            that nothing was put on and nothing varied.
        lists: published lists by name.
    """
    rows = _row_of_capture(table) if lists else {}
    texts: dict[str, str] = {}
    notes: list[str] = []
    for name, each in lists.items():
        named = each.named()
        kept = [pair for pair in named if pair[2] in rows and pair[3] in rows]
        if not kept:
            notes.append(f"pairs {name}: none of {counted(len(named), 'pair')}: their images are not in the dataset")
            continue
        texts[file_of_pairs(name)] = _csv(kept, rows)
        lost = len(named) - len(kept)
        said = f"; {counted(lost, 'pair')} left out: an image is not in the dataset" if lost else ""
        notes.append(
            f"pairs {name}: {counted(len(kept), 'pair')} in {counted(len({pair[0] for pair in kept}), 'fold')}{said}"
        )
    return texts, notes


def _row_of_capture(table: Mapping[str, Sequence[str]] | pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Return the name and person of each capture's plain row by the capture's id."""
    columns = (table[name] for name in OF_CAPTURES)
    found: dict[str, tuple[bool, str, str]] = {}
    for variant, sample_id, origin, identity in zip(*columns, strict=True):
        mine = (variant != "plain", sample_id, identity)
        found[origin] = min(found.get(origin, mine), mine)
    return {
        origin: (name_of(sample_id), name_of(identity))
        for origin, (varied, sample_id, identity) in found.items()
        if not varied
    }


def _csv(pairs: Iterable[tuple[int, bool, str, str]], rows: Mapping[str, tuple[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(PAIR_COLUMNS)
    for fold, same, first, second in pairs:
        writer.writerow((fold, int(same), *rows[first], *rows[second]))
    return out.getvalue()


def pair_list_names(path: str | Path) -> list[str]:
    """Return the names of the published lists of pairs that a dataset has, sorted."""
    return sorted(file.stem for file in (Path(path) / FOLDER).glob("*.csv"))


def find_pairs(path: str | Path, given: str | Path) -> Path:
    """Return a file of pairs, given itself or as the name of a published list that a dataset has.

    Args:
        path: the dataset's folder.
        given: the file, or the name.

    Raises:
        UserError: it is neither.
    """
    file, listed = Path(given), Path(path) / file_of_pairs(str(given))
    if file.is_file() or not listed.is_file():
        if file.exists():
            return file
        there = ", ".join(pair_list_names(path)) or "none"
        raise UserError(f"{given}: is no file of pairs, and no list of dataset {path} (there: {there})")
    return listed


def check_pair_lists(dataset: Dataset, table: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a dataset's published lists of pairs: file and detail.

    Args:
        dataset: the dataset.
        table: the rows of all splits.
    """
    from face3d_data.tables.pairs_file import read_pairs

    for name in pair_list_names(dataset.path):
        try:
            read_pairs(dataset.path / file_of_pairs(name), table)
        except UserError as error:
            yield file_of_pairs(name), str(error)
