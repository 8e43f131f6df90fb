"""Content hashes of rows: they identify samples that contain the same face, whatever their names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import numpy as np

from face3d_data.sample import ARRAYS

CONTENT_FIELDS = ("points", "depth", "color", "grid", "map")
"""Arrays that show the face itself: two samples that share one of these are one recording."""
OF_POINTS = ("points",)
"""Fields that are sets of points, whose order means nothing."""
HASH_BYTES = 16
VALUES_AT_ONCE = 65_536
"""Numbers of several rows that are hashed together."""
_SEEDS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)


def content_form(field: str, dtype: str, normalize: bool) -> str:
    """Return how an array is stored: only bytes of one form can be compared. `points`, `points/f2`, `points/f4/unit`.

    Args:
        field: name of the array in samples.
        dtype: what it is stored as.
        normalize: points are stored on the unit sphere.
    """
    if normalize and field == "points":
        return f"{field}/{dtype}/unit"
    return field if dtype == ARRAYS[field].dtype else f"{field}/{dtype}"


def content_of(hashes: Mapping[str, bytes]) -> str:
    """Return the `content` of a row: `<form>:<32 hex digits>` for each array that shows something, sorted.

    Args:
        hashes: form of an array, as `content_form` gives it, to the hash of the row, as `hash_rows` gives it.
    """
    return " ".join(f"{name}:{value.hex()}" for name, value in sorted(hashes.items()) if value)


def hash_rows(array: np.ndarray, field: str) -> list[bytes]:
    """Return 16 bytes for each row, equal for equal rows, empty where a row is one value all over: it shows nobody.

    Of points neither their order nor the signs of x, y and z count: a cloud that was exported, read back along other
    axes and put into another order is the same cloud.

    Args:
        array: (n, …), one row a sample; points float (n, N, 3).
        field: name of the array in samples.
    """
    if not array.size:
        return [b""] * len(array)
    hash_some = _hash_points if field in OF_POINTS else _hash_bytes
    at_once = max(1, VALUES_AT_ONCE // array[0].size)
    return [
        one for start in range(0, len(array), at_once) for one in _hashes(array[start : start + at_once], hash_some)
    ]


def _hashes(rows: np.ndarray, hash_some: Callable[[np.ndarray], list[bytes]]) -> list[bytes]:
    flat = rows.reshape(len(rows), -1)
    blank = (flat == flat[:, :1]).all(axis=1).tolist()
    return [b"" if nothing else one for one, nothing in zip(hash_some(rows), blank, strict=True)]


def _hash_bytes(rows: np.ndarray) -> list[bytes]:
    return [hashlib.blake2b(row.tobytes(), digest_size=HASH_BYTES).digest() for row in rows]


def _hash_points(rows: np.ndarray) -> list[bytes]:
    """Return hashes of multisets of points: sums, modulo 2^64, of well-mixed bits of each point's magnitudes."""
    sizes = np.ascontiguousarray(np.abs(rows))
    bits = sizes.view(f"u{sizes.dtype.itemsize}").astype(np.uint64)
    sums = np.empty((len(rows), len(_SEEDS)), np.uint64)
    for i, seed in enumerate(_SEEDS):
        mixed = np.full(bits.shape[:2], seed, np.uint64)
        for axis in range(bits.shape[2]):
            mixed = _mix(mixed + bits[:, :, axis])
        sums[:, i] = mixed.sum(axis=1, dtype=np.uint64)
    return [row.tobytes() for row in sums]


def _mix(values: np.ndarray) -> np.ndarray:
    """Return 64-bit numbers each bit of which depends on all bits: the finaliser of SplitMix64 (Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
