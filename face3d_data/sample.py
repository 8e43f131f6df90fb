"""Sample: what passes through all stages, its arrays by fixed names, and their rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from face3d_data.errors import ContractError

Tag = str | int | float | bool


@dataclass(frozen=True)
class ArraySpec:
    """Declared form of one array. `shape` holds sizes, or letters for free sizes; `N` is the number of points."""

    dtype: str
    shape: tuple[int | str, ...]
    meaning: str


ARRAYS: dict[str, ArraySpec] = {
    "color": ArraySpec("u1", ("H", "W", 3), "RGB"),
    "depth": ArraySpec("f4", ("H", "W"), "mm along the optical axis, 0 = no reading"),
    "intrinsics": ArraySpec("f8", (4,), "fx, fy, cx, cy in px of depth"),
    "distortion": ArraySpec("f8", (13,), "of the lens: k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4, form; absent: a pinhole"),
    "grid": ArraySpec("f4", ("H", "W", 3), "range image of a scanner, mm, camera frame, NaN = nothing"),
    "grid_color": ArraySpec("u1", ("H", "W", 3), "RGB of the grid's points"),
    "box": ArraySpec("f4", (4,), "x1, y1, x2, y2 px"),
    "landmarks": ArraySpec("f4", (5, 2), "px: left eye, right eye, nose, left and right mouth corner (image left)"),
    "landmarks_68": ArraySpec("f4", (68, 2), "px: the 68 of iBUG (300-W), NaN = unknown"),
    "landmarks_dense": ArraySpec("f4", (478, 2), "px: the 478 of MediaPipe's face mesh, NaN = unknown"),
    "landmarks_3d": ArraySpec("f4", (5, 3), "the same five, mm, same frame as points"),
    "landmarks_68_3d": ArraySpec("f4", (68, 3), "the same 68, mm, same frame as points, NaN = no depth there"),
    "landmarks_dense_3d": ArraySpec("f4", (478, 3), "the same 478, mm, same frame as points, NaN = no depth there"),
    "points": ArraySpec("f4", ("N", 3), "mm, camera frame, or face frame after align_3d"),
    "pose": ArraySpec("f8", (4, 4), "camera frame to frame of points, normals, landmarks_3d, vertices"),
    "normals": ArraySpec("f4", ("N", 3), "unit"),
    "curvature": ArraySpec("f4", ("N",), "surface variation, 0 = flat"),
    "point_colors": ArraySpec("u1", ("N", 3), "RGB"),
    "occlusion": ArraySpec("u1", ("N",), "0 skin, 1 face mask, 2 other occluder"),
    "map": ArraySpec("f4", ("C", "H", "W"), "height mm, slopes or unit normal, 1 = seen; face frame, row 0 topmost"),
    "map_occlusion": ArraySpec("f4", ("H", "W"), "share of what a cell of the map shows that is not skin"),
    "map_parts": ArraySpec("f4", (4,), "share of upper face, nose, lower and whole face seen and not occluded"),
    "vertices": ArraySpec("f4", ("V", 3), "of a template fitted to the face, mm, same frame as points"),
    "vertex_visible": ArraySpec("u1", ("V",), "1 where points support the vertex, 0 where the fit fills a gap"),
    "vertex_residual": ArraySpec("f4", ("V",), "mm from the vertex to the points, NaN = not seen"),
}
PER_POINT: tuple[str, ...] = ("normals", "curvature", "point_colors", "occlusion")
"""Arrays with one row a point, beside `points` itself."""
POSITIONS: tuple[str, ...] = ("landmarks_3d", "landmarks_68_3d", "landmarks_dense_3d", "vertices")
"""Arrays of places (n, 3), mm, that are in the frame of `points` and move with them."""
PIXELS: tuple[str, ...] = ("landmarks", "landmarks_68", "landmarks_dense")
"""Arrays of places (n, 2) in px of the image."""
MAPS: tuple[str, ...] = ("map", "map_occlusion", "map_parts")
"""Images of the points in the face frame: they are of where the points were when they were made."""
VERTEX_VALUES: tuple[str, ...] = ("vertex_visible", "vertex_residual")
"""Arrays with one row a vertex: how well the points that were fitted support it."""


def check_array(name: str, array: np.ndarray) -> None:
    """Check one array against its declaration in `ARRAYS`.

    Raises:
        ContractError: unknown name, other dtype or other shape.
    """
    spec = ARRAYS.get(name)
    if spec is None:
        raise ContractError(f"array {name!r} is not declared: use one of {', '.join(ARRAYS)}")
    if not isinstance(array, np.ndarray) or array.dtype != np.dtype(spec.dtype):
        got = getattr(array, "dtype", type(array).__name__)
        raise ContractError(f"array {name!r} is {got}, declared {np.dtype(spec.dtype)}")
    fits = len(array.shape) == len(spec.shape) and all(
        isinstance(want, str) or have == want for have, want in zip(array.shape, spec.shape, strict=True)
    )
    if not fits:
        raise ContractError(f"array {name!r} has shape {array.shape}, declared {spec.shape}")


def _frozen(array: np.ndarray) -> np.ndarray:
    """Make an array read-only: changing it in place would change other samples behind their backs."""
    array.flags.writeable = False
    return array


ArrayMap = Mapping[str, np.ndarray]
"""Arrays by name, of one sample or of a batch."""


class Arrays(ArrayMap):
    """Arrays by name, read when asked for and not to be changed in place; it is known which were set by a stage.

    Args:
        lazy: a function without arguments for each array that can be read.
        own: arrays that are here, set by a stage.
        dropped: names of `lazy` that a stage removed.
    """

    __slots__ = ("_cache", "_dropped", "_lazy", "_own")

    def __init__(
        self,
        lazy: Mapping[str, Callable[[], np.ndarray]] | None = None,
        own: Mapping[str, np.ndarray] | None = None,
        dropped: frozenset[str] = frozenset(),
        cache: dict[str, np.ndarray] | None = None,
    ) -> None:
        self._lazy = dict(lazy or {})
        self._own = dict(own or {})
        self._dropped = dropped
        self._cache = {} if cache is None else cache

    def __getitem__(self, name: str) -> np.ndarray:
        if name in self._own:
            return self._own[name]
        if name in self._dropped or name not in self._lazy:
            raise KeyError(name)
        if name not in self._cache:
            self._cache[name] = _frozen(self._lazy[name]())
        return self._cache[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from (name for name in self._lazy if name not in self._own and name not in self._dropped)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        # Their shapes are not told: arrays that nobody asked for yet would have to be read.
        return f"Arrays({', '.join(self)})"

    def __contains__(self, name: object) -> bool:
        return name in self._own or (name in self._lazy and name not in self._dropped)

    @property
    def own(self) -> Mapping[str, np.ndarray]:
        """The arrays that were set since this sample came from its source or store."""
        return self._own

    @property
    def dropped(self) -> frozenset[str]:
        """The names that were removed and not set again."""
        return self._dropped

    def descends_from(self, other: Arrays) -> bool:
        """Return whether these arrays are `other` or were made from it by `changed`."""
        return self._cache is other._cache

    def changed(self, arrays: Mapping[str, np.ndarray], drop: frozenset[str] = frozenset()) -> Arrays:
        """Return a copy in which `arrays` are set and the names in `drop` are gone."""
        own = {name: array for name, array in self._own.items() if name not in drop} | dict(arrays)
        dropped = (self._dropped | (drop & self._lazy.keys())) - arrays.keys()
        return Arrays(self._lazy, own, frozenset(dropped), self._cache)


@dataclass(frozen=True)
class Sample:
    """One sample: who it shows, where it comes from, its arrays (see `ARRAYS`) and its tags.

    Inside a pipeline a stage sees only arrays and tags; `id`, `identity` and `dataset` are joined afterwards and are
    empty there, so that nothing cached can depend on them.
    """

    arrays: Arrays = field(default_factory=Arrays)
    tags: Mapping[str, Tag] = field(default_factory=dict)
    id: str = ""
    identity: str = ""
    dataset: str = ""
    key: str = ""
    variant: str = ""
    identity_suffix: str = ""

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray], **fields: Any) -> Sample:
        """Make a sample from arrays in memory, each checked against `ARRAYS`."""
        for name, array in arrays.items():
            check_array(name, array)
        return cls(Arrays({name: partial(_frozen, array.view()) for name, array in arrays.items()}), **fields)

    def with_arrays(self, **arrays: np.ndarray) -> Sample:
        """Return a copy with these arrays set, each checked against `ARRAYS` and made read-only."""
        for name, array in arrays.items():
            check_array(name, array)
            _frozen(array)
        return replace(self, arrays=self.arrays.changed(arrays))

    def without(self, *names: str) -> Sample:
        """Return a copy without these arrays; absent names are no error."""
        return replace(self, arrays=self.arrays.changed({}, frozenset(names)))

    def with_tags(self, **tags: Tag) -> Sample:
        """Return a copy with these tags set."""
        return replace(self, tags={**self.tags, **tags})

    def as_variant(self, name: str, identity_suffix: str = "") -> Sample:
        """Return a copy that is the draw `name` of its origin (`mask:surgical.0`, `aug:3`).

        Args:
            name: the draw; unique among the outputs of one input.
            identity_suffix: set where the face is not that person's any more (`~mirror`).
        """
        return replace(self, variant=name, identity_suffix=identity_suffix)

    def take(self, indices: np.ndarray) -> Sample:
        """Return a copy with only these points, in this order; every per-point array that is present is indexed too.

        Args:
            indices: int or bool (N,), as NumPy indexing takes them.
        """
        names = ("points", *(name for name in PER_POINT if name in self.arrays))
        return self.with_arrays(**{name: np.ascontiguousarray(self.arrays[name][indices]) for name in names})


def check_points_agree(sample: Sample, inherited_n: int | None = None) -> None:
    """Check that every per-point array of `sample` has as many rows as `points`.

    Args:
        sample: the output of a stage.
        inherited_n: the number of points that the input had, so that inherited arrays need not be read.

    Raises:
        ContractError: naming the array and both numbers.
    """
    arrays = sample.arrays
    own_points = arrays.own.get("points")
    n_points = inherited_n if own_points is None else len(own_points)
    for name in PER_POINT:
        if name not in arrays or n_points is None:
            continue
        n_rows = len(arrays.own[name]) if name in arrays.own else inherited_n
        if n_rows is not None and n_rows != n_points:
            raise ContractError(f"{name!r} has {n_rows} rows for {n_points} points: carry it along or drop it")
