"""Rows of a dataset, from a manifest: in which order, in which shard, and with which label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.errors import UserError
from face3d_data.names import name_of
from face3d_data.plurals import counted
from face3d_data.roots import split_root
from face3d_data.shards.buckets import buckets, order_digests
from face3d_data.shards.dataset_rows import DatasetRows
from face3d_data.shards.schema import DATASET_DIRTY_COLUMNS, ONLY_SPLIT, shard_name, split_order
from face3d_data.shards.tokens import tokens_of, whole_texts
from face3d_data.shards.usable import LeftOut
from face3d_data.store.coded import MISSING, Coded, distinct
from face3d_data.store.manifest import Manifest
from face3d_data.tables.split import own_identity, person_of

if TYPE_CHECKING:
    import pandas as pd


def copies(rows: Manifest, kept: np.ndarray) -> list[LeftOut]:
    """Return the rows of a recording that another capture of the same person and split is of, too.

    One recording that was read twice, from two folders or under two names, would be compared with itself. The one under
    the name that is kept for the person stays, and of several the first by id. What several splits share is a leak,
    which is checked elsewhere.

    Args:
        rows: a manifest.
        kept: i8, positions in it to consider.

    Returns:
        Position, reason and detail.
    """
    some = rows if len(kept) == len(rows) else rows.take(kept)
    every = tokens_of(some.arrays["key"]).and_of(tokens_of(some.arrays["root"]))
    of_one = every.of_groups(*(distinct(some.coded[name]).codes for name in ("split", "identity")))
    suspected = np.flatnonzero(of_one.rows_sharing(whole_texts(some.arrays["origin_id"]).hashes, len(some)))
    names = ("key", "root", "split", "identity", "id", "origin_id")
    looked_at = some.take(suspected)
    keys, roots, splits, people, ids, origins = (looked_at.values(name).tolist() for name in names)
    first: dict[tuple[str, str, str], int] = {}
    found = []
    other_name = [own_identity(one) != person_of(who) for one, who in zip(ids, people, strict=True)]
    for i in sorted(range(len(ids)), key=lambda i: (other_name[i], ids[i])):
        tokens = [(token, splits[i], people[i]) for token in (keys[i], *split_root(roots[i]))]
        same = next((first[token] for token in tokens if token in first and origins[first[token]] != origins[i]), None)
        if same is not None:
            detail = f"is {ids[same]} once more: one recording was read twice"
            found.append((int(kept[suspected[i]]), "same_content", detail))
            continue
        for token in tokens:
            first.setdefault(token, i)
    return sorted(found)


def order_rows(
    rows: Manifest,
    tag_names: Sequence[str],
    shapes: Mapping[str, Sequence[int]],
    shard_size: int,
    seed: int,
    where: str,
) -> DatasetRows:
    """Return the dataset's rows, of which neither tags nor `content` are set.

    Rows are ordered by split, then by digest(seed, id), which also says in which shard they are (`buckets`); a label is
    the place of the person's name among the sorted names of the whole dataset.

    Raises:
        UserError: some rows have a split and others have none, or two have one id.
    """
    splits = _splits(rows.coded["split"], where)
    _check_ids(rows.arrays["id"], where)
    digests = order_digests(seed, rows.arrays["id"])
    present = split_order([splits.values[code] for code in np.unique(splits.codes).tolist()])
    rank = {split: i for i, split in enumerate(present)}
    ranks = np.array([rank.get(split, MISSING) for split in splits.values], np.int16)[splits.codes]
    order = digests.order(ranks)
    digests, ranks = digests.take(order), ranks[order]
    shards = []
    for place, split in enumerate(present):
        first, end = np.searchsorted(ranks, [place, place + 1]).tolist()
        for start, stop, bucket in buckets(digests.part(first, end), shard_size):
            shards.append((shard_name(split, bucket), first + start, first + stop))
    origins, ids = rows.arrays["origin_id"], rows.arrays["id"]
    if not all(origins):
        origins = np.where(origins.astype(bool), origins, ids)
    rows = Manifest({**rows.arrays, "origin_id": origins}, rows.coded, rows.tags, rows.labels, rows.places)
    names = rows.coded["identity"].mapped(name_of)
    there = {names.values[code] for code in np.unique(names.codes).tolist()}
    label = {name: i for i, name in enumerate(sorted(there))}
    labels = np.array([label.get(name, MISSING) for name in names.values], np.int32)
    variants = rows.coded["variant"].mapped(lambda variant: variant or "plain").over(Coded.same("plain", len(rows)))
    coded = {name: rows.coded[name] for name in ("identity", "dataset")} | {"split": splits, "variant": variants}
    n_points = shapes["points"][0] if "points" in shapes else None
    return DatasetRows(rows, order, tag_names, {**coded, "name": names}, labels, shards, n_points)


def _splits(splits: Coded, where: str) -> Coded:
    lacking = splits.where(lambda split: not split)
    if lacking.all():
        return Coded.same(ONLY_SPLIT, len(splits))
    if lacking.any():
        raise UserError(
            f"{where}: {counted(int(lacking.sum()), 'row has', 'rows have')} no split while others do: "
            "split all of them"
        )
    return distinct(splits)


def _check_ids(ids: np.ndarray, where: str) -> None:
    hashes = np.sort(whole_texts(ids).hashes)
    if (hashes[1:] == hashes[:-1]).any():
        twice, times = Counter(ids.tolist()).most_common(1)[0]
        if times > 1:
            raise UserError(
                f"{where}: two rows have the id {twice!r}: add a 'combine' step before it, which reports why"
            )


def dirty_rows(rows: Manifest, left_out: Sequence[LeftOut], step: str) -> pd.DataFrame:
    """Return the rows that a dataset left out, columns as in `DATASET_DIRTY_COLUMNS`."""
    import pandas as pd

    some = rows.take(np.array([i for i, _, _ in left_out], np.int64))
    columns = (some.values(name).tolist() for name in ("id", "source", "path"))
    records = [
        (name, source, step, "reject", reason, detail, path)
        for name, source, path, (_, reason, detail) in zip(*columns, left_out, strict=True)
    ]
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
