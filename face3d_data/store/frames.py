"""Frames of manifests: rows as the DataFrames that table steps and datasets take, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d_data.store.coded import Coded
from face3d_data.store.manifest import FEW_VALUES, MANY_VALUES, NO_POINTS, Manifest
from face3d_data.store.places import PlaceKind, Places
from face3d_data.table import FIXED_COLUMNS

if TYPE_CHECKING:
    import pandas as pd


def to_frame(rows: Manifest, columns: Iterable[str] | None = None) -> pd.DataFrame:
    """Return rows as a DataFrame: `FIXED_COLUMNS`, then one object column a tag, None where a row lacks it.

    Args:
        rows: the manifest.
        columns: only these columns and tags, those that there are; None: all. `place` holds numbers.
    """
    import pandas as pd

    wanted = None if columns is None else {*columns}
    names = [name for name in (*FIXED_COLUMNS, *rows.tag_names) if wanted is None or name in wanted]
    found = {name: rows.values(name) if name != "place" else np.arange(len(rows)) for name in names}
    return pd.DataFrame({name: pd.Series(values, dtype=object, copy=False) for name, values in found.items()})


def from_frame(frame: pd.DataFrame, inputs: Manifest) -> Manifest:
    """Return the rows that a table step's rows stand for, with its identities, splits and any tags that it set."""
    ids = inputs.arrays["id"].tolist()
    wanted = frame["id"].tolist()
    if ids == wanted:
        rows = inputs
    else:
        known = dict(zip(ids, range(len(ids)), strict=True))
        rows = inputs.take(np.fromiter((known[name] for name in wanted), np.int64, len(wanted)))
    identities = coded_texts(frame["identity"])
    splits = coded_texts(frame["split"], "")
    labels = dict(rows.labels)
    for name in frame.columns:
        if name not in FIXED_COLUMNS:
            new = _changed(frame[name].tolist(), rows.values(name).tolist())
            if new is not None:
                labels[name] = new.over(labels[name]) if name in labels else new
    coded = {**rows.coded, "identity": identities, "split": splits}
    return Manifest(rows.arrays, coded, rows.tags, labels, rows.places)


def coded_texts(values: Any, otherwise: str | None = None) -> Coded:
    """Return a column of texts, faster than `Coded.of`.

    Args:
        values: a Series or object array (n,) of texts.
        otherwise: stands for what is no text; None: that stays what it is.
    """
    import pandas as pd

    codes, found = pd.factorize(values)
    texts = found.tolist()
    if (len(codes) and codes.min() < 0) or not all(isinstance(text, str) for text in texts):
        several = values.tolist()
        if otherwise is not None:
            several = [one if isinstance(one, str) else otherwise for one in several]
        return Coded.of(several)
    return Coded(codes.astype(np.int32), texts)


def _changed(values: Sequence[Any], before: Sequence[Any]) -> Coded | None:
    """Return the values that are others than before, None where none is."""
    import pandas as pd

    if not any(value is not old for value, old in zip(values, before, strict=True)):
        return None
    found = Coded.of(
        None if value is old or pd.isna(value) or value == old else value
        for value, old in zip(values, before, strict=True)
    )
    return found if found.values else None


class GivenPlaces(Places):
    """Places that are there as objects, with the names and shapes of their arrays.

    Args:
        places: objects (n,), whatever reads arrays from them.
    """

    def __init__(self, places: np.ndarray) -> None:
        super().__init__(())
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, row: int) -> Any:  # type: ignore[override]
        return self._places[row]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._places)

    def take(self, rows: np.ndarray | None) -> Places:
        """Return the places of some rows; None: of all."""
        return self if rows is None else GivenPlaces(self._places[rows])

    def kinds(self, arrays: Sequence[str]) -> Coded:
        """Return the `PlaceKind` of each row, with the shapes of these arrays."""
        return Coded.of(_kind_of(place, arrays) for place in self._places)


def _kind_of(place: Any, arrays: Sequence[str]) -> PlaceKind:
    shapes = (place.shape(name) if name in place.names else None for name in arrays)
    chain = place.chain() if hasattr(place, "chain") else ()
    steps = frozenset(one.step for one in chain if hasattr(one, "step"))
    return PlaceKind(frozenset(place.names), tuple(None if one is None else tuple(one) for one in shapes), steps)


def manifest_of_frame(frame: pd.DataFrame) -> Manifest:
    """Return the rows of a DataFrame, columns as in `FIXED_COLUMNS`, others are tags; its places are objects."""
    import pandas as pd

    arrays = {name: _objects(frame[name]) for name in MANY_VALUES}
    arrays["key"] = np.array([key.encode() for key in arrays["key"]], "S")
    points = [NO_POINTS if pd.isna(n) else int(n) for n in arrays["n_points"]]
    arrays["n_points"] = np.array(points, np.int64)
    coded = {name: Coded.of(_objects(frame[name])) for name in FEW_VALUES}
    tags = {
        name: Coded.of(None if pd.isna(value) else value for value in _objects(frame[name]))
        for name in frame.columns
        if name not in FIXED_COLUMNS
    }
    return Manifest(arrays, coded, tags, {}, GivenPlaces(_objects(frame["place"])))


def _objects(values: pd.Series) -> np.ndarray:
    return np.fromiter(values.tolist(), object, len(values))
