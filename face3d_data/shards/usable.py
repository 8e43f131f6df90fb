"""Rows of a manifest that a dataset can write: those that have every field, in the shapes that most rows have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from face3d_data.errors import UserError
from face3d_data.sample import ARRAYS, PER_POINT
from face3d_data.shards.schema import is_fixed
from face3d_data.shards.write import Read
from face3d_data.store.coded import Coded, distinct
from face3d_data.store.places import PlaceKind, Places

ArrayShapes = dict[str, tuple[int, ...]]
Makers = Mapping[str, Mapping[str, str]]
"""Array to the steps that make it: their ids, and the names of their stages."""
MORE_LANDMARKS = frozenset({"landmarks_68", "landmarks_dense", "landmarks_68_3d", "landmarks_dense_3d"})
"""What only some detectors give."""
FIVE = frozenset({"landmarks", "landmarks_3d"})
DISTORTED = "its lens has distortion, which intrinsics alone leave out: add distortion to fields, or use undistort"
SIZED_BY = {"N": "'subsample'", "H": "'crop'", "V": "one 'template' of 'register'", "C": "one 'channels' of 'maps'"}
"""What gives every row the same number of points, the same image size, the same vertices."""


LeftOut = tuple[int, str, str]
"""Position of a row, reason and detail."""
RowShapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Usable:
    """The rows of a manifest that can be written.

    Attributes:
        kept: positions in the manifest, i8, ascending.
        shapes: field to the shape that it has in all of them.
        left_out: position, reason and detail of the others.
    """

    kept: np.ndarray
    shapes: ArrayShapes
    left_out: Sequence[LeftOut]


def usable_rows(places: Places, fields: Sequence[str], makers: Makers, read: Read | None) -> Usable:
    """Return the rows that have every field, in the shapes that most rows have.

    Args:
        places: where each row's arrays are; rows of one kind of place are looked at once.
        fields: names of arrays.
        makers: array to the steps that make it, for messages.
        read: reads an array whose shape only its source knows.

    Raises:
        UserError: such an array, and no `read`.
    """
    open_fields = [name for name in fields if not is_fixed(name)]
    kinds = places.kinds(open_fields)
    complete = kinds.where(lambda kind: kind is not None and not _lacking(fields, kind))
    shapes = _shapes(places, fields, open_fields, kinds, complete, read)
    unequal = shapes.mapped(lambda found: _unequal(fields, found))
    left_out = [(i, *_why_incomplete(fields, kinds[i], makers)) for i in np.flatnonzero(~complete).tolist()]
    left_out += [(i, "other_size", unequal[i]) for i in np.flatnonzero(unequal.where(bool)).tolist()]
    left_out.sort()
    sized = np.flatnonzero(complete & ~unequal.where(bool))
    counts = Counter(dict(zip(*_counted(shapes, sized), strict=True)))
    if not counts:
        return Usable(sized, {}, left_out)
    usual = max(counts, key=lambda found: (counts[found], found))
    usual_rows = shapes.where(lambda found: found == usual)
    kept, others = sized[usual_rows[sized]], sized[~usual_rows[sized]]
    left_out += [(i, "other_size", _other_size(fields, shapes[i], usual)) for i in others.tolist()]
    if 2 * len(kept) < len(sized):
        example = _other_size(fields, shapes[int(others[0])], usual, "another")
        raise UserError(f"{len(counts)} sizes among {len(sized)} rows, and none is that of half of them: {example}")
    return Usable(kept, dict(zip(fields, usual, strict=True)), sorted(left_out))


def _counted(shapes: Coded, rows: np.ndarray) -> tuple[list[RowShapes], list[int]]:
    codes, counts = np.unique(shapes.codes[rows], return_counts=True)
    return [shapes.values[code] for code in codes.tolist()], counts.tolist()


def _lacking(fields: Sequence[str], kind: PlaceKind) -> str:
    """Return what a row cannot be written for: the first field that it lacks, or its lens; empty where it can."""
    if "intrinsics" in fields and "distortion" in kind.names and "distortion" not in fields:
        return "distorted"
    return next((name for name in fields if name not in kind.names), "")


def _why_incomplete(fields: Sequence[str], kind: PlaceKind, makers: Makers) -> tuple[str, str]:
    lacking = _lacking(fields, kind)
    if lacking == "distorted":
        return lacking, DISTORTED
    return f"missing_{lacking}", f"has no {lacking!r}{_remedy(lacking, kind, makers)}"


def _shapes(
    places: Places,
    fields: Sequence[str],
    open_fields: Sequence[str],
    kinds: Coded,
    complete: np.ndarray,
    read: Read | None,
) -> Coded:
    """Return the shapes of the fields in each complete row; in the others nothing.

    Raises:
        UserError: a shape is unknown, and nothing reads it.
    """
    rows = np.flatnonzero(complete)
    known = (
        kinds.take(rows)
        .used()
        .mapped(lambda kind: _all_shapes(fields, dict(zip(open_fields, kind.shapes, strict=True))))
    )
    found = np.full(len(places), -1, np.int32)
    found[rows] = known.codes
    unknown = rows[known.where(lambda shapes: shapes is not None and None in shapes)]
    if not len(unknown):
        return distinct(Coded(found, known.values).used())
    if read is None:
        name = fields[known.values[found[unknown[0]]].index(None)]
        raise UserError(f"field {name!r} comes directly from its source, whose size is unknown: add a stage before it")
    measured: list[RowShapes] = []
    for i in unknown.tolist():
        there = zip(fields, known.values[found[i]], strict=True)
        measured.append(tuple(read(places[i], name).shape if shape is None else shape for name, shape in there))
    own = Coded.of(measured)
    found[unknown] = own.codes + len(known.values)
    return distinct(Coded(found, [*known.values, *own.values]).used())


def _all_shapes(
    fields: Sequence[str], known: Mapping[str, tuple[int, ...] | None]
) -> tuple[tuple[int, ...] | None, ...]:
    fixed = {name: tuple(size for size in ARRAYS[name].shape if isinstance(size, int)) for name in fields}
    return tuple(known[name] if name in known else fixed[name] for name in fields)


def _unequal(fields: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> str:
    """Return what is wrong with a row whose per-point arrays are not of the same points; empty where nothing is."""
    points = {
        name: shape[0]
        for name, shape in zip(fields, shapes, strict=True)
        if name == "points" or (name in PER_POINT and "points" in fields)
    }
    other = next((name for name, n in points.items() if n != points["points"]), None)
    if other is None:
        return ""
    return f"{other!r} has {points[other]} rows where 'points' has {points['points']}: let both pass the same steps"


def _remedy(lacking: str, kind: PlaceKind, makers: Makers) -> str:
    """Return what to do for an array: run a step that makes it, unless the row went through it and has none."""
    steps = makers.get(lacking, {})
    others = dict.fromkeys(stage for step, stage in steps.items() if step not in kind.steps)
    if not kind.steps.intersection(steps):
        return f": {' or '.join(map(repr, others))} would give it" if others else ""
    if lacking in MORE_LANDMARKS and kind.names & FIVE and not kind.names & MORE_LANDMARKS:
        return ": these rows have the five landmarks only: use `detector: facemesh`, or leave the field out"
    done = " and ".join(dict.fromkeys(repr(stage) for step, stage in steps.items() if step in kind.steps))
    more = f", {' or '.join(map(repr, others))} would give it" if others else ""
    return f", although it went through {done}: leave the field or these rows out{more}"


def _other_size(
    fields: Sequence[str], found: Sequence[tuple[int, ...]], usual: Sequence[tuple[int, ...]], rows: str = "most rows"
) -> str:
    name, have, want = next(
        (name, have, want) for name, have, want in zip(fields, found, usual, strict=True) if have != want
    )
    stage = SIZED_BY.get(str(ARRAYS[name].shape[0]), "'crop'")
    sizes = ["x".join(map(str, shape)) for shape in (have, want)]
    verb = "has" if rows == "another" else "have"
    return f"{name!r} is {sizes[0]} where {rows} {verb} {sizes[1]}: {stage} would make them equal"
