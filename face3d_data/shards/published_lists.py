"""Published protocols in a dataset: `protocols/<name>.csv`, made, read and checked."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.shards.read import Dataset
from face3d_data.shards.schema import PublishedSpec
from face3d_data.tables.published import Published, differences, make_published
from face3d_data.tables.published_rules import RULES

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("role", "category", "id", "name", "sample_id")
"""Columns of a protocol's CSV; a row that enrols has no category."""
ROLES = ("gallery", "probe")
PROBES_AT = "test"
"""Split that protocols are of where none is named and it is there."""


def file_of(name: str) -> str:
    """Return the path of a protocol's list in a dataset's folder."""
    return f"protocols/{name}.csv"


def split_of(asked: str | None, splits: Iterable[str], where: str) -> str:
    """Return the split that protocols are of.

    Args:
        asked: the one that is named, if any.
        splits: those that have rows.
        where: what messages name first.

    Raises:
        UserError: there is no such split, or none is named and it is not clear which.
    """
    there = sorted(set(splits))
    chosen = asked or (PROBES_AT if PROBES_AT in there or len(there) != 1 else there[0])
    if chosen not in there:
        raise UserError(f"{where}: no row is in split {chosen!r} (there: {', '.join(there)}): name another: "
                        "'protocol: {names: …, split: …}'")  # fmt: skip
    return chosen


def published_texts(
    table: pd.DataFrame, tags: pd.DataFrame, spec: PublishedSpec, where: str, readers: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Return the lists of the published protocols that a spec asks for, path to text, and notes.

    Args:
        table: the dataset's rows.
        tags: the manifest's rows in the same order.
        spec: what is asked for.
        where: what messages name first.
        readers: source to the reader that reads it. A protocol is of the rows that its database's reader reads; of all
            where none is read by it.

    Raises:
        UserError: there is no such split, or no one in it can be enrolled.
    """
    split = split_of(spec.split, table["split"], f"{where}: protocol")
    rows = (table["split"] == split).to_numpy(bool)
    texts: dict[str, str] = {}
    notes: list[str] = []
    for name in spec.names:
        of_database = rows & _read_by(tags, name, readers)
        mine, own_tags = (frame[of_database].reset_index(drop=True) for frame in (table, tags))
        made = make_published(mine, own_tags, name)
        if not len(made.gallery):
            raise UserError(
                f"{where}: protocol {name!r}: nobody in split {split!r} can be enrolled: it reads the tags "
                f"{', '.join(RULES[name].tags)} as reader {name!r} gives them; read the database with that one"
            )
        texts[file_of(name)] = _csv(mine, made)
        counts = ", ".join(f"{category} {n}" for category, n in made.counts().items() if "/" not in category)
        notes.append(f"protocol {name}: gallery {len(made.gallery)}; probes {len(made.probe)}: {counts}")
        notes += made.notes
        others = int((rows & ~of_database).sum())
        notes += [f"{name}: {counted(others, 'row')} left out: of other databases"] if others else []
    return texts, notes


def _read_by(tags: pd.DataFrame, name: str, readers: Mapping[str, str]) -> np.ndarray:
    """Return which rows, bool (n,), a database's reader reads: other databases have tags of the same names."""
    own = [source for source, reader in readers.items() if reader in RULES[name].readers]
    found = tags["source"].isin(own).to_numpy(bool)
    return found if found.any() else np.ones(len(tags), bool)


def _csv(table: pd.DataFrame, made: Published) -> str:
    columns = {name: table[name].tolist() for name in COLUMNS[2:]}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    asked = [("probe", *pair) for pair in zip(made.categories, made.probe.tolist(), strict=True)]
    for role, category, row in [("gallery", "", row) for row in made.gallery.tolist()] + asked:
        writer.writerow((role, category, *(values[row] for values in columns.values())))
    return out.getvalue()


def published_names(info: dict[str, Any], split: str, splits: Sequence[str]) -> tuple[str, ...]:
    """Return the published protocols that a dataset has for a split.

    Args:
        info: what dataset.json says.
        split: the split.
        splits: those that have rows.
    """
    spec = info["spec"].get("protocol")
    return tuple(spec["names"]) if spec and split_of(spec["split"], splits, "protocol") == split else ()


def read_published(dataset: Dataset, name: str, table: pd.DataFrame) -> Published:
    """Return a dataset's published protocol as rows of a table.

    Args:
        dataset: the dataset.
        name: the protocol.
        table: rows of its split.

    Raises:
        UserError: the list does not exist, or names a sample that the table lacks.
    """
    listed = _read(dataset, name)
    row_of = {sample_id: row for row, sample_id in enumerate(table["sample_id"])}
    lost = [sample_id for sample_id in listed["sample_id"] if sample_id not in row_of]
    if lost:
        raise UserError(f"{dataset.path / file_of(name)}: sample {lost[0]!r} is not in its split: run face3d verify")
    rows = np.array([row_of[sample_id] for sample_id in listed["sample_id"]], np.int64)
    enrols = (listed["role"] == "gallery").to_numpy(bool)
    probe = rows[~enrols]
    notes = differences(name, int(enrols.sum()), None if RULES[name].of_videos else len(probe))
    return Published(name, rows[enrols], probe, tuple(listed["category"][~enrols].tolist()), tuple(notes))


def _read(dataset: Dataset, name: str) -> pd.DataFrame:
    import pandas as pd

    path = dataset.path / file_of(name)
    try:
        listed = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}): run the pipeline again") from None
    if tuple(listed.columns) != COLUMNS:
        raise UserError(f"{path}: has the columns {','.join(listed.columns)}, not {','.join(COLUMNS)}")
    return listed


def check_published(dataset: Dataset, table: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a dataset's published protocols: file and detail.

    Args:
        dataset: the dataset.
        table: the rows of all splits.
    """
    spec = dataset.info["spec"].get("protocol")
    for name in spec["names"] if spec else ():
        try:
            split = split_of(spec["split"], table["split"], file_of(name))
            listed = _read(dataset, name)
        except UserError as error:
            yield file_of(name), str(error)
            continue
        for detail in _wrong(listed, table[table["split"] == split], split):
            yield file_of(name), detail


def _wrong(listed: pd.DataFrame, rows: pd.DataFrame, split: str) -> Iterator[str]:
    columns = ("sample_id", "id", "name", "identity", "origin_id")
    known = {row[0]: row for row in zip(*(rows[name].tolist() for name in columns), strict=True)}
    people: dict[str, list[str]] = {role: [] for role in ROLES}
    captures: dict[str, list[str]] = {role: [] for role in ROLES}
    strange = []
    for role, category, *texts, sample_id in zip(*(listed[name].tolist() for name in COLUMNS), strict=True):
        row = known.get(sample_id)
        if row is None or list(row[1:3]) != texts or role not in ROLES or bool(category) != (role == "probe"):
            strange.append(sample_id)
            continue
        people[role].append(row[3])
        captures[role].append(row[4])
    if strange:
        wrong = counted(len(strange), "row is not a gallery or probe row", "rows are not gallery or probe rows")
        yield f"{wrong} of {split}.csv ({strange[0]} …)"
    for what, names in (
        (("person enrols", "people enrol"), people["gallery"]),
        (("capture is a probe", "captures are probes"), captures["probe"]),
    ):
        twice = [one for one, n in Counter(names).items() if n > 1]
        if twice:
            yield f"{counted(len(twice), *what)} twice ({twice[0]} …)"
    both = sorted(set(captures["gallery"]) & set(captures["probe"]))
    if both:
        yield f"{counted(len(both), 'capture is', 'captures are')} in the gallery and probes ({both[0]} …)"
    unknown = sorted(set(people["probe"]) - set(people["gallery"]))
    if unknown:
        yield (
            f"{counted(len(unknown), 'person is asked for who is', 'people are asked for who are')} not "
            f"enrolled ({unknown[0]} …)"
        )
