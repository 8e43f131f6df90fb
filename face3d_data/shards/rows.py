"""Rows of a dataset, from a manifest: which can be written, in which order, with which label."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from face3d_data.errors import UserError
from face3d_data.names import name_of
from face3d_data.plurals import counted
from face3d_data.roots import split_root
from face3d_data.sample import ARRAYS, PER_POINT
from face3d_data.shards.buckets import buckets, order_digests
from face3d_data.shards.schema import (
    DATASET_COLUMNS,
    DATASET_DIRTY_COLUMNS,
    ONLY_SPLIT,
    is_fixed,
    shard_name,
    split_order,
)
from face3d_data.shards.write import Read
from face3d_data.tables.split import own_identity, person_of

if TYPE_CHECKING:
    import pandas as pd

ArrayShapes = dict[str, tuple[int, ...]]
Makers = Mapping[str, Mapping[str, str]]
"""Array to the steps that make it: their ids, and the names of their stages."""
MORE_LANDMARKS = frozenset({"landmarks_68", "landmarks_dense", "landmarks_68_3d", "landmarks_dense_3d"})
"""What only some detectors give."""
FIVE = frozenset({"landmarks", "landmarks_3d"})
DISTORTED = "its lens has distortion, which intrinsics alone leave out: add distortion to fields, or use undistort"
SIZED_BY = {"N": "'subsample'", "H": "'crop'", "V": "one 'template' of 'register'", "C": "one 'channels' of 'maps'"}
"""What gives every row the same number of points, the same image size, the same vertices."""


@dataclass(frozen=True)
class Usable:
    """The rows of a manifest that can be written.

    Attributes:
        kept: positions in the manifest.
        shapes: field to the shape that it has in all of them.
        left_out: position, reason and detail of the others.
    """

    kept: Sequence[int]
    shapes: ArrayShapes
    left_out: Sequence[tuple[int, str, str]]


def usable_rows(places: Sequence[Any], fields: Sequence[str], makers: Makers, read: Read | None) -> Usable:
    """Return the rows that have every field, in the shapes that most rows have.

    Args:
        places: where each row's arrays are.
        fields: names of arrays.
        makers: array to the steps that make it, for messages.
        read: reads an array whose shape only its source knows.

    Raises:
        UserError: such an array, and no `read`.
    """
    left_out: list[tuple[int, str, str]] = []
    shapes: dict[int, tuple[tuple[int, ...], ...]] = {}
    for i, place in enumerate(places):
        names = place.names
        lacking = next((name for name in fields if name not in names), None)
        if "intrinsics" in fields and "distortion" in names and "distortion" not in fields:
            left_out.append((i, "distorted", DISTORTED))
        elif lacking is None:
            shapes[i] = tuple(_shape(place, name, read) for name in fields)
            unequal = _unequal(fields, shapes[i])
            if unequal:
                left_out.append((i, "other_size", unequal))
                del shapes[i]
        else:
            left_out.append((i, f"missing_{lacking}", f"has no {lacking!r}{_remedy(lacking, place, makers)}"))
    if not shapes:
        return Usable([], {}, left_out)
    counts = Counter(shapes.values())
    usual = max(counts, key=lambda found: (counts[found], found))
    for i, found in shapes.items():
        if found != usual:
            left_out.append((i, "other_size", _other_size(fields, found, usual)))
    kept = [i for i, found in shapes.items() if found == usual]
    if 2 * len(kept) < len(shapes):
        detail = next(text for _, reason, text in left_out if reason == "other_size")
        raise UserError(
            f"{len(set(shapes.values()))} sizes among {len(shapes)} rows, none of which covers half of them: {detail}"
        )
    return Usable(kept, dict(zip(fields, usual, strict=True)), sorted(left_out))


def copies(frame: pd.DataFrame, kept: Sequence[int]) -> list[tuple[int, str, str]]:
    """Return the rows of a recording that another capture of the same person and split is of, too.

    One recording that was read twice, from two folders or under two names, would be compared with itself. The one under
    the name that is kept for the person stays, and of several the first by id. What several splits share is a leak,
    which is checked elsewhere.

    Args:
        frame: a manifest.
        kept: positions in it to consider.

    Returns:
        Position, reason and detail.
    """
    names = ("key", "root", "split", "identity", "id", "origin_id")
    keys, roots, splits, people, ids, origins = (frame[name].tolist() for name in names)
    first: dict[tuple[str, str, str], int] = {}
    found = []
    other_name = [own_identity(one) != person_of(who) for one, who in zip(ids, people, strict=True)]
    for i in sorted(kept, key=lambda i: (other_name[i], ids[i])):
        tokens = [(token, splits[i], people[i]) for token in (keys[i], *split_root(roots[i]))]
        same = next((first[token] for token in tokens if token in first and origins[first[token]] != origins[i]), None)
        if same is not None:
            found.append((i, "same_content", f"is {ids[same]} once more: one recording was read twice"))
            continue
        for token in tokens:
            first.setdefault(token, i)
    return sorted(found)


def _shape(place: Any, name: str, read: Read | None) -> tuple[int, ...]:
    if is_fixed(name):
        return tuple(size for size in ARRAYS[name].shape if isinstance(size, int))
    shape = place.shape(name)
    if shape is not None:
        return tuple(shape)
    if read is None:
        raise UserError(f"field {name!r} comes directly from its source, whose size is unknown: add a stage before it")
    return tuple(read(place, name).shape)


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


def _remedy(lacking: str, place: Any, makers: Makers) -> str:
    """Return what to do for an array: run a step that makes it, unless the row went through it and has none."""
    steps = makers.get(lacking, {})
    passed = {place.step for place in place.chain() if hasattr(place, "step")}
    others = dict.fromkeys(stage for step, stage in steps.items() if step not in passed)
    if not passed.intersection(steps):
        return f": {' or '.join(map(repr, others))} would give it" if others else ""
    if lacking in MORE_LANDMARKS and place.names & FIVE and not place.names & MORE_LANDMARKS:
        return ": these rows have the five landmarks only: use `detector: facemesh`, or leave the field out"
    done = " and ".join(dict.fromkeys(repr(stage) for step, stage in steps.items() if step in passed))
    more = f", {' or '.join(map(repr, others))} would give it" if others else ""
    return f", although it went through {done}: leave the field or these rows out{more}"


def _other_size(fields: Sequence[str], found: Sequence[tuple[int, ...]], usual: Sequence[tuple[int, ...]]) -> str:
    name, have, want = next(
        (name, have, want) for name, have, want in zip(fields, found, usual, strict=True) if have != want
    )
    stage = SIZED_BY.get(str(ARRAYS[name].shape[0]), "'crop'")
    sizes = ["x".join(map(str, shape)) for shape in (have, want)]
    return f"{name!r} is {sizes[0]} where most rows have {sizes[1]}: {stage} would make them equal"


def order_rows(
    frame: pd.DataFrame, shapes: Mapping[str, Sequence[int]], shard_size: int, seed: int, where: str
) -> tuple[pd.DataFrame, list[int]]:
    """Return the dataset's table (columns: `DATASET_COLUMNS`, `content` still empty), and the row of `frame` of each.

    Rows are ordered by split, then by digest(seed, id), which also says in which shard they are (`buckets`); a label is
    the place of the person's name among the sorted names of the whole dataset.

    Raises:
        UserError: some rows have a split and others have none, or two have one id.
    """
    import pandas as pd

    ids, splits = frame["id"].tolist(), _splits(frame["split"].tolist(), where)
    if len(set(ids)) < len(ids):
        twice = Counter(ids).most_common(1)[0][0]
        raise UserError(f"{where}: two rows have the id {twice!r}: add a 'combine' step before it, which reports why")
    digests, rank = order_digests(seed, ids), {split: i for i, split in enumerate(split_order(splits))}
    order = sorted(range(len(ids)), key=lambda i: (rank[splits[i]], digests[i], ids[i]))
    names = {identity: name_of(identity) for identity in set(frame["identity"])}
    label = {name: i for i, name in enumerate(sorted(set(names.values())))}
    columns = ("id", "identity", "dataset", "variant", "origin_id", "n_points", "key", "root")
    rows = list(zip(*(frame[column].tolist() for column in columns), strict=True))
    records = []
    for split, mine in itertools.groupby(order, key=splits.__getitem__):
        places = list(mine)
        for start, stop, bucket in buckets([digests[i] for i in places], shard_size):
            shard = shard_name(split, bucket)
            for index, i in enumerate(places[start:stop]):
                sample_id, identity, dataset, variant, origin, n_points, key, root = rows[i]
                name = names[identity]
                points = shapes["points"][0] if "points" in shapes else None if pd.isna(n_points) else int(n_points)
                who = (name_of(sample_id), name, label[name], sample_id, identity, dataset)
                what = (split, variant or "plain", origin or sample_id)
                records.append((*who, *what, shard, index, points, key, root, ""))
    return pd.DataFrame(records, columns=list(DATASET_COLUMNS)).astype({"n_points": "Int64"}), order


def _splits(splits: Sequence[str], where: str) -> list[str]:
    if not any(splits):
        return [ONLY_SPLIT] * len(splits)
    if not all(splits):
        raise UserError(
            f"{where}: {counted(sum(not s for s in splits), 'row has', 'rows have')} no split while others do: "
            "split all of them"
        )
    return list(splits)


def dirty_rows(frame: pd.DataFrame, left_out: Sequence[tuple[int, str, str]], step: str) -> pd.DataFrame:
    """Return the rows that a dataset left out, columns as in `DATASET_DIRTY_COLUMNS`."""
    import pandas as pd

    ids, sources, paths = (frame[name].tolist() for name in ("id", "source", "path"))
    records = [(ids[i], sources[i], step, "reject", reason, detail, paths[i]) for i, reason, detail in left_out]
    return pd.DataFrame(records, columns=list(DATASET_DIRTY_COLUMNS), dtype=object)


def all_dirty(*frames: pd.DataFrame | None) -> pd.DataFrame:
    """Return dirty rows of every step, in an order that rests on what they hold."""
    import pandas as pd

    rows = [
        tuple("" if pd.isna(value) else str(value) for value in row)
        for frame in frames
        if frame is not None
        for row in zip(*(frame[name].tolist() for name in DATASET_DIRTY_COLUMNS), strict=True)
    ]
    return pd.DataFrame(sorted(rows), columns=list(DATASET_DIRTY_COLUMNS), dtype=object)
