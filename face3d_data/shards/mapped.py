"""Memory maps of a shard's arrays: HDF5 is opened once, for the offsets, and closed again."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class ShardLayout:
    """What a shard's header says: enough to map it without HDF5.

    Attributes:
        attributes: the file's attributes.
        units: array to its unit, empty where it has none.
        said: array to its other attributes, such as the width of a map's cells.
        arrays: array to dtype, shape and offset in the file.
    """

    attributes: Mapping[str, Any]
    units: Mapping[str, str]
    said: Mapping[str, Mapping[str, Any]]
    arrays: Mapping[str, tuple[np.dtype, tuple[int, ...], int]]


def read_layout(path: str | Path) -> ShardLayout:
    """Read a shard's header.

    Args:
        path: an HDF5 file whose datasets are contiguous and uncompressed.

    Raises:
        OSError: the file is missing or no HDF5.
        ValueError: a dataset is chunked, compressed, or not allocated.
    """
    import h5py

    path = Path(path)
    arrays: dict[str, tuple[np.dtype, tuple[int, ...], int]] = {}
    with h5py.File(path, "r") as file:
        attributes = {name: _plain(value) for name, value in file.attrs.items()}
        units = {name: _plain(dataset.attrs.get("unit", "")) for name, dataset in file.items()}
        said = {
            name: {key: _plain(value) for key, value in dataset.attrs.items() if key != "unit"}
            for name, dataset in file.items()
        }
        for name, dataset in file.items():
            offset = dataset.id.get_offset()
            if dataset.chunks is not None or offset is None:
                raise ValueError(f"{name!r} is not contiguous: write the shard again")
            arrays[name] = (dataset.dtype, dataset.shape, offset)
    return ShardLayout(attributes, units, said, arrays)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


class MappedShard:
    """The arrays of one shard, read-only, over the file's bytes; safe to keep across a fork.

    Args:
        path: the shard.
        layout: its header, where it was read before.

    Raises:
        OSError: the file is missing or no HDF5.
        ValueError: a dataset is not contiguous, or the file is shorter than its header says.
    """

    def __init__(self, path: str | Path, layout: ShardLayout | None = None) -> None:
        path = Path(path)
        self.layout = layout or read_layout(path)
        with open(path, "rb") as stream:
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            self.arrays = {
                name: np.ndarray(shape, dtype, data, offset)
                for name, (dtype, shape, offset) in self.layout.arrays.items()
            }
        except TypeError as error:
            raise ValueError(f"is shorter than its header says ({error})") from None

    def texts(self, name: str) -> list[str]:
        """Return an array of texts (`sample_id`, `identity`, `variant`) as strings."""
        return [raw.decode() for raw in self.arrays[name].tolist()]
