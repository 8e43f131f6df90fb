"""Verification of a published dataset: files, schema, labels, rows against shards, lists, and leaks between splits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d_data.errors import UserError
from face3d_data.shards.audit.near_duplicates import Search
from face3d_data.shards.audit.verify_labels import check_labels, check_split_labels
from face3d_data.shards.audit.verify_leaks import audit, look_for_near_duplicates
from face3d_data.shards.audit.verify_lists import Problems, check_pairs, check_protocol
from face3d_data.shards.audit.verify_spellings import list_notes
from face3d_data.shards.buckets import buckets, order_digests, runs_of
from face3d_data.shards.check import faults
from face3d_data.shards.contents import CONTENT_FIELDS, content_form, content_of, hash_rows
from face3d_data.shards.leaks import Leak
from face3d_data.shards.mapped import MappedShard, ShardLayout, read_layout
from face3d_data.shards.read import Dataset
from face3d_data.shards.schema import (
    DATASET_COLUMNS,
    DATASET_DIRTY_COLUMNS,
    DESCRIPTION,
    FRAMES,
    TEXT_DATASETS,
    shard_name,
)

if TYPE_CHECKING:
    import pandas as pd

DESCRIBED = (
    *("name", "by", "seed", "spec", "shapes", "arrays", "splits", "shards", "files"),
    *("pipeline", "pipeline_digest", "package_version"),
)
"""Keys of dataset.json that the checks rest on."""
LEAKS_SHOWN = 3
"""Things of a leak whose samples a line names; `--json` names all."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a dataset.

    Attributes:
        check: files, schema, labels, rows, lists or leaks.
        where: the file, or the splits.
        detail: what is wrong.
    """

    check: str
    where: str
    detail: str

    def __str__(self) -> str:
        return f"{self.check}: {self.where}: {self.detail}"


@dataclass(frozen=True)
class Verification:
    """What a verification found.

    Attributes:
        splits: split to the number of its samples and people.
        shared: identity, origin, key and content to how many of them splits share; identity is None for a closed set.
        leaks: what they share, with the samples that show it.
        search: what was suspected, and where it was looked for; None: it was not looked for.
        allowed: the dataset was published with --allow-leaks.
        notes: what the list that was given names in vain.
    """

    name: str
    problems: tuple[Problem, ...]
    splits: Mapping[str, Mapping[str, int]]
    shared: Mapping[str, int | None]
    leaks: tuple[Leak, ...] = ()
    search: Search | None = None
    allowed: bool = False
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify_dataset(
    path: str | Path,
    same_person: str | Path | None = None,
    near_duplicates: bool | None = None,
    jobs: int = 1,
    show_progress: bool = False,
) -> Verification:
    """Check everything that a dataset promises.

    Args:
        path: the dataset's folder or the link to it.
        same_person: a CSV of `identity,same_as`: people with several names.
        near_duplicates: look for samples of different splits that may show one recording; None: unless there are more
            than `near_duplicates.FEW` samples.
        jobs: worker processes that look for them.
        show_progress: show how far they are.

    Raises:
        UserError: the folder is not a dataset, or has another schema; or the list is not valid.
    """
    path = Path(path)
    same_person = None if same_person is None else Path(same_person)
    dataset = _open(path)
    problems = [Problem("files", *found) for found in check_files(dataset)]
    if any(problem.where == DESCRIPTION for problem in problems):
        return Verification(path.name, tuple(problems), {}, {})
    table, broken = read_tables(dataset)
    problems += [Problem("schema", *found) for found in broken]
    if broken:
        return Verification(dataset.name, tuple(problems), {}, {})
    problems += [Problem("labels", *found) for found in check_labels(table, dataset.info.get("same_person", {}))]
    contents: dict[str, str] = {}
    for shard, rows in table.groupby("shard", sort=False):
        problems += [Problem("rows", str(shard), detail) for detail in check_shard(dataset, str(shard), rows, contents)]
    problems += [Problem("rows", *found) for found in check_counts(dataset, table)]
    damaged = bool(problems)
    # Leaks are looked for by what the shards hold, whatever the CSVs say.
    held = table
    if contents:
        held = table.assign(content=table["sample_id"].map(contents).fillna(table["content"]))
    counts, leaks, suspects = audit(dataset, held, same_person)
    problems += [Problem("leaks", ", ".join(dataset.splits), leak_detail(leak)) for leak in leaks]
    problems += [Problem("lists", *found) for found in (*check_pairs(dataset, table), *check_protocol(dataset, table))]
    by_split = {split: table.loc[table["split"] == split, "name"] for split in dataset.splits}
    sizes = {split: {"samples": len(mine), "people": mine.nunique()} for split, mine in by_split.items()}
    search = look_for_near_duplicates(dataset, held, suspects, near_duplicates, damaged, jobs, show_progress)
    allowed = bool(dataset.info.get("allow_leaks", False))
    notes = list_notes(table, same_person)
    return Verification(dataset.name, tuple(problems), sizes, counts, tuple(leaks), search, allowed, notes)


def _open(path: Path) -> Dataset:
    dataset = Dataset(path)
    lacking = [key for key in DESCRIBED if key not in dataset.info]
    if lacking:
        raise UserError(f"{path}: {DESCRIPTION} lacks {', '.join(lacking)}: build the dataset again")
    return dataset


def check_files(dataset: Dataset) -> Problems:
    """Yield files that are missing, changed, or not listed in dataset.json."""
    yield from faults(dataset.path, dataset.info)
    there = {path.relative_to(dataset.path).as_posix() for path in dataset.path.rglob("*") if path.is_file()}
    for name in sorted(there - dataset.info["files"].keys() - {DESCRIPTION}):
        yield name, "is not listed in dataset.json"


def read_tables(dataset: Dataset) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """Return the rows of all splits, and what keeps them from being read."""
    import pandas as pd

    frames, problems = [], []
    for split in dataset.splits:
        try:
            frame = dataset.table(split)
        except (UserError, ValueError) as error:
            problems.append((f"{split}.csv", f"cannot be read ({error})"))
            continue
        if list(frame.columns) != [*DATASET_COLUMNS, *dataset.info["spec"].get("tags", ())]:
            problems.append((f"{split}.csv", f"has the columns {','.join(frame.columns)}"))
        elif (frame["split"] != split).any():
            problems.append((f"{split}.csv", "holds rows of another split"))
        frames.append(frame)
    if not frames:
        problems.append(("*_files.txt", "there is no split"))
    if (dataset.path / "dirty.csv").exists() and tuple(dataset.dirty.columns) != DATASET_DIRTY_COLUMNS:
        problems.append(("dirty.csv", f"has the columns {','.join(dataset.dirty.columns)}"))
    return (pd.concat(frames, ignore_index=True) if frames and not problems else pd.DataFrame()), problems


def check_shard(dataset: Dataset, name: str, rows: pd.DataFrame, contents: dict[str, str]) -> Iterator[str]:
    """Yield what is wrong with one shard.

    Args:
        dataset: the dataset.
        name: the shard's path in it.
        rows: the rows of the split CSV that name this shard.
        contents: sample id to the `content` of what the shard holds where the CSV says another; filled.
    """
    try:
        layout = read_layout(dataset.path / name)
        shard = MappedShard(dataset.path / name, layout.arrays)
        texts = {column: shard.texts(column) for column in TEXT_DATASETS}
    except (OSError, ValueError, KeyError) as error:
        yield f"cannot be read as a shard ({error})"
        return
    yield from _schema(dataset.info, name, layout, rows)
    record = dataset.info["shards"].get(name, {})
    if {key: value for key, value in record.items() if key != "made_of"} != shard.header.record():
        yield f"its arrays are not where {DESCRIPTION} says"
    rows = rows.sort_values("index", kind="stable")
    n_rows = len(texts["sample_id"])
    if rows["index"].tolist() != list(range(n_rows)):
        yield f"holds {n_rows} rows, the CSV names the places {rows['index'].tolist()[:3]} …"
        return
    for column in TEXT_DATASETS:
        if texts[column] != rows[column].tolist():
            yield f"{column} is not that of the CSV"
    for stored, array in shard.arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            yield f"{stored} holds values that are not finite"
    normalize = dataset.info["spec"]["normalize"]
    hashes = {
        content_form(form["field"], form["dtype"], normalize): hash_rows(shard.arrays[stored], form["field"])
        for stored, form in dataset.info["arrays"].items()
        if stored in shard.arrays and form["field"] in CONTENT_FIELDS
    }
    found = [content_of(dict(zip(hashes, row, strict=True))) for row in zip(*hashes.values(), strict=True)]
    if hashes:
        each = zip(rows["sample_id"], found, rows["content"], strict=True)
        contents.update({sample_id: content for sample_id, content, listed in each if content != listed})
        if found != texts["content"]:
            yield "content is not that of its arrays"


def _schema(info: Mapping[str, Any], name: str, layout: ShardLayout, rows: pd.DataFrame) -> Iterator[str]:
    """Yield attributes and arrays that are not those of dataset.json."""
    made_of = info["shards"].get(name, {}).get("made_of")
    want = {"schema_version": info["schema_version"], "split": rows["split"].iloc[0], "made_of": made_of}
    if dict(layout.attributes) != want:
        yield f"has the attributes {dict(layout.attributes)}, not {want}"
    for stored, form in info["arrays"].items():
        shape, place = (len(rows), *info["shapes"][form["field"]]), layout.arrays.get(stored)
        if place is None:
            yield f"contains no {stored!r}"
        elif place[:2] != (np.dtype(form["dtype"]), shape):
            yield f"{stored} is {place[0]} {place[1]}, not {np.dtype(form['dtype'])} {shape}"
        elif layout.units[stored] != form["unit"]:
            yield f"{stored} is in {layout.units[stored] or 'no unit'}, not in {form['unit'] or 'no unit'}"
        elif dict(layout.said[stored]) != info.get("array_attributes", {}).get(form["field"], {}):
            yield f"{stored} has the attributes {dict(layout.said[stored])}, which is not what dataset.json says"
    normalized = FRAMES if info["spec"]["normalize"] else {}
    extra = sorted(layout.arrays.keys() - info["arrays"].keys() - {*TEXT_DATASETS, *normalized})
    if extra or any(name not in layout.arrays for name in normalized):
        yield f"holds {', '.join(sorted(layout.arrays))}, which is not what dataset.json says"


def check_counts(dataset: Dataset, table: pd.DataFrame) -> Problems:
    """Yield lists of shards, and numbers in dataset.json, that are not those of the rows; and rows out of order."""
    seed = dataset.info["seed"]
    for split in dataset.splits:
        rows = table.loc[table["split"] == split, ["sample_id", "shard", "class", "name"]]
        listed = (dataset.path / f"{split}_files.txt").read_text("utf-8").split()
        if listed != rows["shard"].unique().tolist():
            yield f"{split}_files.txt", "lists other shards than the CSV"
        digests = order_digests(seed, rows["sample_id"].array)
        if not np.array_equal(digests.order(np.zeros(len(rows), np.int8)), np.arange(len(rows))):
            yield f"{split}.csv", "is not in the order of digest(seed, sample_id)"
        else:
            of_rows = dataset.info["spec"]["shard_size"]
            cuts = [(shard_name(split, one.name), one.start, one.stop) for one in buckets(digests, of_rows)]
            if cuts != list(runs_of(rows["shard"].tolist())):
                yield f"{split}.csv", "names other shards than the digests of its rows"
        yield from check_split_labels(dataset, split, rows)
        want = dataset.info["splits"].get(split, {"samples": 0, "people": 0, "shards": 0})
        have = {"samples": len(rows), "people": rows["name"].nunique(), "shards": rows["shard"].nunique()}
        if want != have:
            yield DESCRIPTION, f"split {split}: {want}, the CSV has {have}"


def leak_detail(leak: Leak) -> str:
    """Return a leak with its first things and the samples that show them."""
    holders = "; ".join(map(str, leak.shared[:LEAKS_SHOWN]))
    return f"{leak} ({holders}{' …' if len(leak.shared) > LEAKS_SHOWN else ''})"
