"""Planning a dataset: which rows are written, where, and under which label, before any array is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d_data.digest import digest
from face3d_data.errors import RunStopped, UserError
from face3d_data.plurals import counted
from face3d_data.sample import Tag
from face3d_data.shards.dataset_plan import DatasetPlan
from face3d_data.shards.dataset_rows import DatasetRows
from face3d_data.shards.leaks import Leak, find_leaks, people_leaks
from face3d_data.shards.origin import DatasetOrigin
from face3d_data.shards.pair_lists import OF_CAPTURES, pair_texts
from face3d_data.shards.rows import all_dirty, copies, dirty_rows, order_rows
from face3d_data.shards.schema import SCHEMA_VERSION, DatasetSpec
from face3d_data.shards.sources_table import (
    merged_names,
    names_apart,
    own_names,
    refuse_apart,
    sources_notes,
    sources_table,
)
from face3d_data.shards.tag_columns import empty_tags, tag_columns, unwritten_masks
from face3d_data.shards.usable import usable_rows
from face3d_data.store.frames import manifest_of_frame
from face3d_data.store.manifest import Manifest
from face3d_data.table import FIXED_COLUMNS
from face3d_data.tables.same_person import IdentityPair, one_name_each

if TYPE_CHECKING:
    import pandas as pd

SAME_FILES = "give sources that read the same files one 'dataset', or leave one of them out; "
DIGESTED = ("sample_id", "identity", "origin_id", "dataset")
"""Columns that lists and CSVs rest on, beside what shards are made of."""


def plan_dataset(
    manifest: Manifest | pd.DataFrame,
    spec: DatasetSpec,
    *,
    name: str,
    seed: int,
    allow_leaks: bool = False,
    origin: DatasetOrigin | None = None,
) -> DatasetPlan:
    """Plan a dataset from its manifest.

    Args:
        manifest: the rows; as a DataFrame columns as in `table.FIXED_COLUMNS`, others are tags, and each `place` has
            names and shapes of arrays.
        spec: the dataset's entry in the pipeline.
        name: the dataset's name.
        seed: the pipeline's seed; with a sample's id it decides the order.
        allow_leaks: publish even if splits share people, captures or content.
        origin: the pipeline that the rows come from; unknown by default.

    Raises:
        UserError: no row is left, a person of these lists has two names, or the rows' ids, splits or names of
            people do not fit.
        RunStopped: the splits share people, captures or keys.
    """
    where, origin = f"dataset {name!r}", origin or DatasetOrigin()
    rows, shapes, left_out, types = _ordered(manifest, spec, name, seed, origin)
    names, apart, leaks = _people(rows, origin.by == "capture", origin.same_person, where, allow_leaks)
    every_dirty, sources = all_dirty(origin.dirty, left_out), sources_table(rows)
    said = {field: origin.array_attributes[field] for field in spec.fields if field in origin.array_attributes}
    record: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "name": name, **origin.attributes(), "seed": seed}
    record |= _record_of(spec, origin, shapes, said)
    record |= {"allow_leaks": allow_leaks, "same_person": {**apart, **names}, "tags": types}
    form = {name: [spec.stored_dtype(name), list(shape), spec.unit(name)] for name, shape in shapes.items()}
    made_of = rows.made_of(digest(SCHEMA_VERSION, form, spec.normalize, said))
    listed, pair_notes = _pairs(rows, origin)
    beside = (_tags_of_queries(rows, spec), every_dirty.to_numpy().tolist(), sources.to_dict("split"), listed)
    of_rows = digest(record, made_of, rows.digests(DIGESTED), rows.digests(spec.tags), beside)
    record |= {"readers": dict(origin.readers)} if origin.readers else {}  # says whose terms apply, not what rows hold
    return DatasetPlan(
        name=name,
        spec=spec,
        seed=seed,
        digest=of_rows,
        rows=rows,
        shapes=shapes,
        left_out=left_out,
        dirty=every_dirty,
        sources=sources,
        leaks=leaks,
        allow_leaks=allow_leaks,
        made_of=made_of,
        record=record,
        readers=origin.readers,
        array_attributes=said,
        pair_lists=listed,
        notes=[*_notes(left_out, leaks), *_tag_notes(rows, spec), *sources_notes(sources, names), *pair_notes],
    )


def _ordered(
    manifest: Manifest | pd.DataFrame, spec: DatasetSpec, name: str, seed: int, origin: DatasetOrigin
) -> tuple[DatasetRows, Mapping[str, tuple[int, ...]], pd.DataFrame, dict[str, str]]:
    """Return the rows in order, the shapes of their fields, the rows left out, and the types of the tags asked for."""
    every, tag_names = _manifest(manifest)
    kept, shapes, left_out = _written(every, spec, name, origin)
    rows = order_rows(kept, tag_names, shapes, spec.shard_size, seed, f"dataset {name!r}")
    asked, types = tag_columns(rows.rows, spec.tags)
    return replace(rows, asked=asked), shapes, left_out, types


def _pairs(rows: DatasetRows, origin: DatasetOrigin) -> tuple[dict[str, str], list[str]]:
    """Return the texts of published lists of pairs, and notes on them."""
    images = {name: rows.column(name) for name in OF_CAPTURES} if origin.pair_lists else {}
    return pair_texts(images, origin.pair_lists)


def _tag_notes(rows: DatasetRows, spec: DatasetSpec) -> list[str]:
    return [*empty_tags(rows.asked), *unwritten_masks(rows.rows, rows.coded["variant"], spec.tags)]


def _manifest(given: Manifest | pd.DataFrame) -> tuple[Manifest, Sequence[str]]:
    """Return rows as a manifest, and the names of their tags."""
    if isinstance(given, Manifest):
        return given, given.tag_names
    return manifest_of_frame(given), [name for name in given.columns if name not in FIXED_COLUMNS]


def _record_of(
    spec: DatasetSpec,
    origin: DatasetOrigin,
    shapes: Mapping[str, tuple[int, ...]],
    said: Mapping[str, Mapping[str, Tag]],
) -> dict[str, Any]:
    """Return what dataset.json says of a dataset's arrays and of how they were made."""
    record: dict[str, Any] = {"by": origin.by, "spec": spec.content()}
    record |= {"shapes": {field: list(shape) for field, shape in shapes.items()}}
    record |= {"array_attributes": dict(said)} if said else {}
    return record | ({"preparation": dict(origin.preparation)} if origin.preparation else {})


def _written(
    rows: Manifest, spec: DatasetSpec, name: str, origin: DatasetOrigin
) -> tuple[Manifest, Mapping[str, tuple[int, ...]], pd.DataFrame]:
    """Return the rows that can be written, the shapes of their fields, and the others with reasons.

    Raises:
        UserError: none can.
    """
    try:
        usable = usable_rows(rows.places, spec.fields, origin.makers, origin.read)
    except UserError as error:
        raise UserError(f"dataset {name!r}: {error}") from None
    again = copies(rows, usable.kept)
    left_out = dirty_rows(rows, sorted([*usable.left_out, *again]), name)
    kept = usable.kept[~np.isin(usable.kept, [i for i, _, _ in again])] if again else usable.kept
    if not len(kept):
        raise UserError(f"dataset {name!r}: no row of {spec.upstream!r} can be written ({_why(left_out)})")
    return rows if len(kept) == len(rows) else rows.take(kept), usable.shapes, left_out


def _people(
    rows: DatasetRows, closed_set: bool, same_person: Sequence[IdentityPair], where: str, allow_leaks: bool
) -> tuple[dict[str, str], dict[str, str], list[Leak]]:
    """Return who is renamed here, who is renamed in some rows only, and what splits share nevertheless.

    Raises:
        UserError: a person has two names, and leaks are not allowed.
        RunStopped: the splits share something, and leaks are not allowed.
    """
    compared = rows.compared()
    others = find_leaks(compared, closed_set=True)
    refuse_leaks([*([] if closed_set else people_leaks(compared, {})), *others], where, allow_leaks)
    identities, ids = rows.named
    names = merged_names(identities, ids, where, allow_leaks)
    listed = one_name_each([*same_person, *own_names(identities, ids)])
    apart = names_apart(identities, listed)
    if not allow_leaks:
        refuse_apart(apart, where)
    return names, apart, [*([] if closed_set else people_leaks(compared, listed)), *others]


def refuse_leaks(leaks: Sequence[Leak], where: str, allowed: bool) -> None:
    """Refuse a dataset whose splits share something, unless that was allowed.

    Raises:
        RunStopped: naming what is shared and the remedy.
    """
    if leaks and not allowed:
        raise RunStopped(
            f"{where}: {'; '.join(map(str, leaks))}: {SAME_FILES if any(leak.kind == 'root' for leak in leaks) else ''}"
            "put 'split' behind every 'combine' with 'same_person' and before the steps that multiply samples, block "
            "one of each with 'select', or publish with --allow-leaks"
        )


def _why(left_out: pd.DataFrame) -> str:
    reasons = Counter(left_out["reason"])
    if not reasons:
        return "there is none"
    return f"{left_out['detail'].iloc[0]}; " + ", ".join(f"{reason} {n}" for reason, n in reasons.most_common())


def _notes(left_out: pd.DataFrame, leaks: Sequence[Leak]) -> list[str]:
    notes = [f"allowed leak: {leak}" for leak in leaks]
    for reason, rows in left_out.groupby("reason", sort=True):
        more = " …" if rows["detail"].nunique() > 1 else ""
        notes.append(f"{counted(len(rows), 'row')} left out, {reason}: {rows['detail'].iloc[0]}{more}")
    return notes


def _tags_of_queries(rows: DatasetRows, spec: DatasetSpec) -> list[list[str]]:
    """Return the tags as texts if a list of the spec may rest on them: then they decide the dataset's bytes."""
    queries = [part.query for part in (spec.gallery, spec.probe) if part is not None and part.query]
    if not queries and spec.protocol is None:
        return []
    names = [name for name in (*FIXED_COLUMNS, *rows.tag_names) if name not in ("place", "key")]
    return [[name, *map(str, rows.rows.values(name)[rows.order].tolist())] for name in names]
