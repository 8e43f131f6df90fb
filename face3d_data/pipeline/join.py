"""Joining of a stage's inputs with the rows in its cache: its manifest, its dirty rows and what was remarked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from face3d_data.digest import canonical
from face3d_data.pipeline.result import StepResult
from face3d_data.pipeline.spec import Step
from face3d_data.stage import Stage
from face3d_data.store.coded import MISSING, Coded, combined
from face3d_data.store.manifest import NO_POINTS, Dirty, Manifest, check_unique
from face3d_data.store.part import PartRow
from face3d_data.store.place_pools import StagePool
from face3d_data.store.places import Places
from face3d_data.store.step_rows import StepRows

INHERITED = -2
"""Number of points of a row whose points its step has not touched."""


def input_keys(stage: Stage, inputs: Manifest) -> np.ndarray:
    """Return the keys, S (n,), under which a stage keeps its work on some rows."""
    keys = inputs.arrays["key"]
    names = [name for name in stage.tag_inputs if name in inputs.tags]
    if not stage.tag_inputs:
        return keys
    columns = [inputs.tags[name] for name in names]
    found = []
    for row, key in enumerate(keys.tolist()):
        tags = {n: one.values[code] for n, one in zip(names, columns, strict=True) if (code := one.codes[row]) >= 0}
        found.append(stage.input_key(key.decode(), tags).encode())
    return np.array(found, "S")


def join_rows(step: Step, stage: Stage, fingerprint: str, inputs: Manifest, rows: StepRows) -> StepResult:
    """Join a step's inputs with the cached rows; inputs without any are left out (they are still to do)."""
    result = StepResult(step.id, stage.name, fingerprint, len(inputs), Manifest.empty())
    result.keys = input_keys(stage, inputs)
    parents, found = rows.rows_of(rows.find(result.keys))
    ok = rows.coded("status", found).where(lambda status: status == "ok")
    _add_dirty(result, step, inputs, rows, parents[~ok], found[~ok])
    parents, found = parents[ok], found[ok]
    result.parents, result.made_from = parents.astype(np.int32), len(np.unique(parents))
    result.rows = outputs = _outputs(step, inputs, rows, parents, found)
    remarks = rows.coded("detail", found)
    noted = np.flatnonzero(remarks.where(bool))
    result.remarks = {outputs.arrays["id"][i]: remarks[i] for i in noted.tolist()}
    result.settled = not any(rows.to_do(result.keys))
    check_unique(outputs, step.id)
    result.notes = (*_counts_notes(stage, outputs), *_remarks_note(result.remarks))
    return result


def _add_dirty(
    result: StepResult, step: Step, inputs: Manifest, rows: StepRows, parents: np.ndarray, found: np.ndarray
) -> None:
    for parent, place in zip(parents.tolist(), found.tolist(), strict=True):
        row = rows.row(place)
        name, origin, path = (inputs.arrays[column][parent] for column in ("id", "origin_id", "path"))
        source = inputs.coded["source"][parent]
        if row.status == "unreadable":
            dirty = _dirty(origin, source, path, row, source)
            result.unreadable.append(replace(dirty, status="reject"))
        else:
            result.dirty.append(_dirty(name, source, path, row, step.id))


def _dirty(sample_id: str, source: str, path: str, row: PartRow, step: str) -> Dirty:
    return Dirty(sample_id, source, step, row.status, row.reason, row.detail, path, row.attempt, row.trace, row.input)


def _outputs(step: Step, inputs: Manifest, rows: StepRows, parents: np.ndarray, found: np.ndarray) -> Manifest:
    """Return the output rows: those of their inputs, with what the stage made of each."""
    same = len(parents) == len(inputs) and bool((parents == np.arange(len(parents))).all())
    parent_rows = None if same else parents.astype(np.int32)
    base = inputs.take(parent_rows)
    variant, suffix = rows.coded("variant", found), rows.coded("identity_suffix", found)
    texts = {name: rows.coded(name, found) for name in ("shapes", "dropped", "carried")}
    keys = rows.column("key", found)
    ids, n_points = (
        _ids(base.arrays["id"], variant, keys),
        _n_points(base.arrays["n_points"], texts["shapes"], texts["dropped"]),
    )
    coded = dict(base.coded)
    coded["identity"] = _with_suffixes(base.coded["identity"], suffix, lambda own, end: own + end)
    coded["variant"] = _with_suffixes(base.coded["variant"], variant, _variants)
    places = {name: rows.column(name, found) for name in ("part", "record", "stored")} | {"key": keys}
    pool = StagePool(inputs.places, parent_rows, rows.paths, places, texts, step.id)
    arrays, tags = {**base.arrays, "key": keys, "id": ids, "n_points": n_points}, rows.coded("tags", found)
    return Manifest(arrays, coded, _with_tags(base.tags, tags), base.labels, Places((pool,)))


def _ids(ids: np.ndarray, variant: Coded, keys: np.ndarray) -> np.ndarray:
    named = np.flatnonzero(variant.where(bool))
    if not len(named):
        return ids
    ids = ids.copy()
    for i in named.tolist():
        ids[i] = f"{ids[i]}~{variant[i]}~{keys[i][:8].decode()}"
    return ids


def _variants(before: str, own: str) -> str:
    return "+".join(name for name in (before, own) if name and name != "plain") or "plain"


def _with_suffixes(before: Coded, own: Coded, combine: Callable[[str, str], str]) -> Coded:
    """Return a column with what a stage adds to its values; itself where it adds nothing."""
    return combined(combine, (before, own)) if own.where(bool).any() else before


def _n_points(before: np.ndarray, shapes: Coded, dropped: Coded) -> np.ndarray:
    own = np.array([json.loads(text).get("points", [INHERITED])[0] for text in shapes.values] or [INHERITED])
    own = own[shapes.codes]
    gone = dropped.where(lambda text: "points" in json.loads(text or "[]"))
    found = np.where(own != INHERITED, own, np.where(gone, NO_POINTS, before))
    return before if np.array_equal(found, before) else found


def _with_tags(tags: Mapping[str, Coded], own: Coded) -> Mapping[str, Coded]:
    """Return tags with those that the stage set in their place."""
    if all(text == canonical({}) for text in own.values):
        return tags
    parsed = [json.loads(text) for text in own.values]
    found = dict(tags)
    for name in dict.fromkeys(name for values in parsed for name in values):
        places: dict[tuple[type, Any], int] = {}
        codes = np.full(len(parsed) + 1, MISSING, np.int32)
        for i, values in enumerate(parsed):
            if name in values:
                codes[i] = places.setdefault((type(values[name]), values[name]), len(places))
        mine = Coded(codes[own.codes], [value for _, value in places])
        found[name] = mine.over(tags[name]) if name in tags else mine
    return found


def _counts_notes(stage: Stage, rows: Manifest) -> tuple[str, ...]:
    """Return a line for each of the stage's counted tags: its values, and how many outputs have each."""
    notes = []
    for tag in stage.counted_tags:
        column = rows.tags.get(tag)
        values = Counter(str(value) for value in column.objects() if value is not None) if column is not None else None
        if values:
            notes.append(f"{tag}: {', '.join(f'{value} {count}' for value, count in values.most_common())}")
    return tuple(notes)


def _remarks_note(remarks: dict[str, str]) -> tuple[str, ...]:
    """Return the line that says how many outputs have a remark, with the first."""
    if not remarks:
        return ()
    name, first = next(iter(remarks.items()))
    more = f"{len(remarks)} with a remark, first {name}: {first[:160]}"
    return (f"{more}; face3d show ID says each",)


def chosen_rows(several: Sequence[Manifest], where: Mapping[str, Any]) -> list[Manifest]:
    """Return the rows of each manifest that `where` lets through."""
    return [rows.where(rows.matches(where)) if where else rows for rows in several]
