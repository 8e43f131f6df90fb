"""Manifests: the rows of a source or step, in columns; one row as an object where one asks for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from face3d_data.digest import canonical
from face3d_data.errors import UserError
from face3d_data.sample import Tag
from face3d_data.store.coded import MISSING, Coded, joined
from face3d_data.store.places import Places, RowPlace, places_of
from face3d_data.table import FIXED_COLUMNS

if TYPE_CHECKING:
    pass

NOT_COUNTED = "dropped"
"""Status of what a table step left out on purpose, or a reader by its kind; it counts to no limit."""
DIGESTED_AT_ONCE = 8192
NO_POINTS = -1
"""Number of points of a row without any."""
FEW_VALUES = ("identity", "dataset", "variant", "split", "source")
"""Columns with few values."""
MANY_VALUES = ("key", "id", "origin_id", "path", "root", "n_points")
"""Columns with many: `key` is S (n,), `n_points` i8 (n,), the others are object arrays of texts."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a manifest; columns as in `FIXED_COLUMNS`, tags apart.

    `tags` are those of the source and of stages: a stage sees those that it declares as `tag_inputs`. `labels` are tags
    that table steps set: `where`, lists and CSVs see them, stages do not.
    """

    key: str
    id: str
    identity: str
    dataset: str
    origin_id: str
    source: str
    path: str
    place: RowPlace
    variant: str = "plain"
    split: str = ""
    n_points: int | None = None
    root: str = ""
    tags: Mapping[str, Tag] = field(default_factory=dict)
    labels: Mapping[str, Tag] = field(default_factory=dict)

    @property
    def all_tags(self) -> Mapping[str, Tag]:
        """Return tags and labels together."""
        return {**self.tags, **self.labels} if self.labels else self.tags


@dataclass(frozen=True)
class Dirty:
    """One input that gave no output, and why."""

    sample_id: str
    source: str
    step: str
    status: str
    reason: str
    detail: str
    path: str
    attempt: int = 1
    trace: str = ""
    key: str = ""


class Manifest(Sequence[Entry]):
    """Rows in columns; nothing in it is ever changed.

    Args:
        arrays: the columns `MANY_VALUES`.
        coded: the columns `FEW_VALUES`.
        tags: of the sources and of stages.
        labels: tags that table steps set.
        places: where the arrays of each row are.
    """

    def __init__(
        self,
        arrays: Mapping[str, np.ndarray],
        coded: Mapping[str, Coded],
        tags: Mapping[str, Coded],
        labels: Mapping[str, Coded],
        places: Places,
    ) -> None:
        self.arrays, self.coded = arrays, coded
        self.tags, self.labels, self.places = tags, labels, places

    @classmethod
    def empty(cls) -> Manifest:
        """Return a manifest without rows."""
        arrays = {name: np.zeros(0, object) for name in MANY_VALUES}
        arrays |= {"key": np.zeros(0, "S1"), "n_points": np.zeros(0, np.int64)}
        return cls(arrays, {name: Coded.same(None, 0) for name in FEW_VALUES}, {}, {}, Places(()))

    def __len__(self) -> int:
        return len(self.arrays["key"])

    @overload
    def __getitem__(self, row: int) -> Entry: ...

    @overload
    def __getitem__(self, row: slice) -> list[Entry]: ...

    def __getitem__(self, row: int | slice) -> Entry | list[Entry]:
        if isinstance(row, slice):
            return [self._entry(i) for i in range(*row.indices(len(self)))]
        if not -len(self) <= row < len(self):
            raise IndexError(row)
        return self._entry(row % len(self))

    def __iter__(self) -> Iterator[Entry]:
        return (self._entry(row) for row in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(_same, self, other))

    __hash__ = None  # type: ignore[assignment]

    def _entry(self, row: int) -> Entry:
        arrays = self.arrays
        n_points = int(arrays["n_points"][row])
        return Entry(
            key=arrays["key"][row].decode(),
            n_points=None if n_points == NO_POINTS else n_points,
            place=self.places[row],
            tags=_tags_of(self.tags, row),
            labels=_tags_of(self.labels, row),
            **{name: arrays[name][row] for name in ("id", "origin_id", "path", "root")},
            **{name: self.coded[name][row] for name in FEW_VALUES},
        )

    def take(self, rows: np.ndarray | None) -> Manifest:
        """Return some rows, by their places; None: all."""
        if rows is None:
            return self
        arrays = {name: one[rows] for name, one in self.arrays.items()}
        several = (self.coded, self.tags, self.labels)
        coded, tags, labels = ({name: one.take(rows) for name, one in some.items()} for some in several)
        return Manifest(arrays, coded, tags, labels, self.places.take(rows))

    def where(self, holds: np.ndarray) -> Manifest:
        """Return the rows for which a bool array (n,) is true."""
        return self if holds.all() else self.take(np.flatnonzero(holds))

    def matches(self, where: Mapping[str, Any]) -> np.ndarray:
        """Return bool (n,): which rows have the values that `where` asks for (one value, or a list of any of them)."""
        found = np.ones(len(self), bool)
        for name, wanted in where.items():
            some = wanted if isinstance(wanted, list) else [wanted]
            found &= self.column(name).where(some.__contains__)
        return found

    def column(self, name: str) -> Coded:
        """Return a column or a tag; a row that lacks the tag has no value."""
        if name in self.coded:
            return self.coded[name]
        if name in FIXED_COLUMNS:
            return Coded.of(self.values(name).tolist())
        nothing = Coded.same(None, len(self))
        tags, labels = self.tags.get(name, nothing), self.labels.get(name)
        return tags if labels is None else labels.over(tags)

    def values(self, name: str) -> np.ndarray:
        """Return the values of a column or tag as an object array (n,), None where a row has none."""
        if name == "place":
            return np.fromiter(self.places, object, len(self))
        if name not in self.arrays:
            return self.column(name).objects()
        column = self.arrays[name]
        if name == "key":
            return np.fromiter((key.decode() for key in column.tolist()), object, len(column))
        if name == "n_points":
            found = column.astype(object)
            found[column == NO_POINTS] = None
            return found
        return column

    def digest(self) -> str:
        """Return the digest of all columns and tags in their order, 32 hex digits; not of where arrays are."""
        whole = hashlib.blake2b(digest_size=16)
        for name in MANY_VALUES:
            column = self.arrays[name]
            if column.dtype == object:
                lengths = np.fromiter(map(len, column), np.int64, len(column))
                whole.update(lengths.tobytes())
                for start in range(0, len(column), DIGESTED_AT_ONCE):
                    text = "".join(column[start : start + DIGESTED_AT_ONCE])
                    whole.update(text.encode("utf-8", "surrogatepass"))
            else:
                whole.update(np.ascontiguousarray(column).tobytes())
        for kind, some in (("column", self.coded), ("tag", self.tags), ("label", self.labels)):
            for name in sorted(some):
                whole.update(f"\0{kind} {name}\0{canonical(some[name].values)}\0".encode("utf-8", "surrogatepass"))
                whole.update(np.ascontiguousarray(some[name].codes, np.int32).tobytes())
        return whole.hexdigest()

    @property
    def tag_names(self) -> list[str]:
        """Names of all tags that a row has, sorted."""
        several = (self.tags, self.labels)
        return sorted({name for some in several for name, one in some.items() if (one.codes != MISSING).any()})


def _same(one: Any, other: Any) -> bool:
    return bool(one == other)


def _tags_of(columns: Mapping[str, Coded], row: int) -> dict[str, Tag]:
    return {name: one.values[code] for name, one in columns.items() if (code := one.codes[row]) != MISSING}


def manifest_of(several: Sequence[Manifest]) -> Manifest:
    """Return the rows of several manifests, one after the other."""
    several = [one for one in several if len(one)]
    if len(several) < 2:
        return several[0] if several else Manifest.empty()
    arrays = {name: np.concatenate([one.arrays[name] for one in several]) for name in MANY_VALUES}
    coded = {name: joined([one.coded[name] for one in several]) for name in FEW_VALUES}
    tags, labels = (_joined_tags([getattr(one, kind) for one in several], several) for kind in ("tags", "labels"))
    return Manifest(arrays, coded, tags, labels, places_of([one.places for one in several]))


def _joined_tags(tags: Sequence[Mapping[str, Coded]], several: Sequence[Manifest]) -> dict[str, Coded]:
    names = dict.fromkeys(name for mine in tags for name in mine)
    return {
        name: joined([mine.get(name, Coded.same(None, len(one))) for mine, one in zip(tags, several, strict=True)])
        for name in names
    }


def check_unique(rows: Manifest, step: str) -> None:
    """Check that no two rows have one id.

    Raises:
        UserError: naming both and the remedy.
    """
    ids = rows.arrays["id"]
    hashes = np.sort(np.fromiter(map(hash, ids), np.int64, len(ids)))
    if not (hashes[1:] == hashes[:-1]).any():
        return
    seen: dict[str, int] = {}
    for i, name in enumerate(ids):
        first = seen.setdefault(name, i)
        if first != i:
            one, other = rows[i], rows[first]
            where = f"step {step!r}: two rows have the id {name!r}"
            if (other.source, other.path, other.key) == (one.source, one.path, one.key):
                raise UserError(f"{where}: {one.source}: {one.path} arrives on two paths: fix 'from' or 'where'")
            raise UserError(
                f"{where} ({other.source}: {other.path} and {one.source}: {one.path}): give one source another "
                "'dataset', or a 'capture_prefix' if the people are the same"
            )
