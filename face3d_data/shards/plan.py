"""Planning a dataset: which rows are written, where, and under which label, before any array is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from face3d_data.digest import digest
from face3d_data.errors import RunStopped, UserError
from face3d_data.plurals import counted
from face3d_data.sample import Tag
from face3d_data.shards.buckets import runs_of
from face3d_data.shards.dataset_plan import DatasetPlan
from face3d_data.shards.leaks import Leak, find_leaks
from face3d_data.shards.origin import DatasetOrigin
from face3d_data.shards.pair_lists import pair_texts
from face3d_data.shards.rows import all_dirty, copies, dirty_rows, order_rows, usable_rows
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
from face3d_data.shards.write import OF_A_ROW
from face3d_data.tables.same_person import IdentityPair, one_name_each

if TYPE_CHECKING:
    import pandas as pd

SAME_FILES = "give sources that read the same files one 'dataset', or leave one of them out; "
DIGESTED = ("sample_id", "identity", "origin_id", "dataset")
"""Columns that lists and CSVs rest on, beside what shards are made of."""


def plan_dataset(
    frame: pd.DataFrame,
    spec: DatasetSpec,
    *,
    name: str,
    seed: int,
    allow_leaks: bool = False,
    origin: DatasetOrigin | None = None,
) -> DatasetPlan:
    """Plan a dataset from its manifest.

    Args:
        frame: columns as in `table.FIXED_COLUMNS`, others are tags; `place` has names and shapes of arrays.
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
    kept, usable_shapes, left_out = _written(frame, spec, name, origin)
    table, order = order_rows(kept, usable_shapes, spec.shard_size, seed, where)
    names, apart, leaks = _people(table, origin.by == "capture", origin.same_person, where, allow_leaks)
    tags = kept.iloc[order].reset_index(drop=True)
    every_dirty, sources = all_dirty(origin.dirty, left_out), sources_table(table, tags)
    asked, asked_types = tag_columns(tags, spec.tags)
    masks = unwritten_masks(tags, table["variant"], spec.tags)
    said = {field: origin.array_attributes[field] for field in spec.fields if field in origin.array_attributes}
    record: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "name": name, **origin.attributes(), "seed": seed}
    record |= _record_of(spec, origin, usable_shapes, said)
    record |= {"allow_leaks": allow_leaks, "same_person": {**apart, **names}, "tags": asked_types}
    made_of = _made_of(table, spec, usable_shapes, said)
    listed, notes = pair_texts(table, origin.pair_lists)
    beside = (_tags_of_queries(tags, spec), every_dirty.to_numpy().tolist(), sources.to_dict("split"), listed)
    of_rows = digest(record, made_of, _column_digests(table, DIGESTED), _column_digests(asked, spec.tags), beside)
    record |= {"readers": dict(origin.readers)} if origin.readers else {}  # says whose terms apply, not what rows hold
    return DatasetPlan(
        name=name,
        spec=spec,
        seed=seed,
        digest=of_rows,
        table=table.join(asked),
        tags=tags,
        places=tags["place"].tolist(),
        shapes=usable_shapes,
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
        notes=[*_notes(left_out, leaks), *empty_tags(asked), *masks, *sources_notes(sources, names), *notes],
    )


def _column_digests(table: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Return a digest a column: the text of a million rows at once would be as large as all else that is kept."""
    return [digest(table[name].tolist()) for name in names]


def _made_of(
    table: pd.DataFrame,
    spec: DatasetSpec,
    shapes: Mapping[str, tuple[int, ...]],
    said: Mapping[str, Mapping[str, Tag]],
) -> dict[str, str]:
    """Return, for each shard, the digest of all that decides its bytes: two datasets share the shards that agree."""
    form = {name: [spec.stored_dtype(name), list(shape), spec.unit(name)] for name, shape in shapes.items()}
    common = digest(SCHEMA_VERSION, form, spec.normalize, said)
    splits, columns = table["split"].tolist(), [table[name].tolist() for name in ("key", *OF_A_ROW)]
    return {
        name: digest(common, splits[start], [column[start:stop] for column in columns])
        for name, start, stop in runs_of(table["shard"].tolist())
    }


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
    frame: pd.DataFrame, spec: DatasetSpec, name: str, origin: DatasetOrigin
) -> tuple[pd.DataFrame, Mapping[str, tuple[int, ...]], pd.DataFrame]:
    """Return the rows that can be written, the shapes of their fields, and the others with reasons.

    Raises:
        UserError: none can.
    """
    usable = usable_rows(frame["place"].tolist(), spec.fields, origin.makers, origin.read)
    again = copies(frame, usable.kept)
    left_out = dirty_rows(frame, sorted([*usable.left_out, *again]), name)
    kept = sorted({*usable.kept}.difference(i for i, _, _ in again))
    if not kept:
        raise UserError(f"dataset {name!r}: no row of {spec.upstream!r} can be written ({_why(left_out)})")
    return frame.iloc[kept].reset_index(drop=True), usable.shapes, left_out


def _people(
    table: pd.DataFrame, closed_set: bool, same_person: Sequence[IdentityPair], where: str, allow_leaks: bool
) -> tuple[dict[str, str], dict[str, str], list[Leak]]:
    """Return who is renamed here, who is renamed in some rows only, and what splits share nevertheless.

    Raises:
        UserError: a person has two names, and leaks are not allowed.
        RunStopped: the splits share something, and leaks are not allowed.
    """
    refuse_leaks(find_leaks(table, closed_set), where, allow_leaks)
    names = merged_names(table["identity"], table["sample_id"], where, allow_leaks)
    listed = one_name_each([*same_person, *own_names(table["identity"], table["sample_id"])])
    apart = names_apart(table["identity"], listed)
    if not allow_leaks:
        refuse_apart(apart, where)
    return names, apart, find_leaks(table, closed_set, listed)


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


def _tags_of_queries(tags: pd.DataFrame, spec: DatasetSpec) -> list[list[str]]:
    """Return the tags as texts if a list of the spec may rest on them: then they decide the dataset's bytes."""
    queries = [part.query for part in (spec.gallery, spec.probe) if part is not None and part.query]
    if not queries and spec.protocol is None:
        return []
    names = [name for name in tags.columns if name not in ("place", "key")]
    return [[name, *map(str, tags[name].tolist())] for name in names]
