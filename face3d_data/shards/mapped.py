"""Memory maps of a shard's arrays: HDF5 is opened once, for the offsets, and closed again."""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.h5_file import open_h5
from face3d_data.shards.schema import FRAMES, TEXT_DATASETS

ArrayPlaces = Mapping[str, tuple[np.dtype, tuple[int, ...], int]]
"""Array to dtype, shape and offset in the file."""


@dataclass(frozen=True)
class ShardHeader:
    """Header of a shard as dataset.json records it: enough, with the shapes of one row, to map it without HDF5.

    Attributes:
        rows: how many samples it holds.
        offsets: array to the place of its first byte in the file.
        widths: array of texts to the bytes of each text.
    """

    rows: int
    offsets: Mapping[str, int]
    widths: Mapping[str, int]

    def record(self) -> dict[str, Any]:
        """Return the header as dataset.json has it."""
        return {"rows": self.rows, "offsets": dict(self.offsets), "widths": dict(self.widths)}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> ShardHeader:
        """Return the header that dataset.json has.

        Raises:
            KeyError: it has none.
        """
        return cls(record["rows"], record["offsets"], record["widths"])

    def places(self, arrays: Mapping[str, tuple[np.dtype, tuple[int, ...]]]) -> ArrayPlaces:
        """Return where the arrays are.

        Args:
            arrays: array to dtype and shape of one row; those of `FRAMES` and texts are known.
        """
        of_row = {**arrays, **{name: (np.dtype("<f4"), shape) for name, shape in FRAMES.items()}}
        of_row |= {name: (np.dtype(f"S{width}"), ()) for name, width in self.widths.items()}
        return {name: (of_row[name][0], (self.rows, *of_row[name][1]), offset) for name, offset in self.offsets.items()}


@dataclass(frozen=True)
class ShardLayout:
    """What a shard's header says: enough to map it without HDF5.

    Attributes:
        attributes: the file's attributes.
        units: array to its unit, empty where it has none.
        said: array to its other attributes, such as the width of a map's cells.
        arrays: where they are.
    """

    attributes: Mapping[str, Any]
    units: Mapping[str, str]
    said: Mapping[str, Mapping[str, Any]]
    arrays: ArrayPlaces


def read_layout(path: str | Path) -> ShardLayout:
    """Read a shard's header.

    Args:
        path: an HDF5 file whose datasets are contiguous and uncompressed.

    Raises:
        OSError: the file is missing or no HDF5.
        ValueError: a dataset is chunked, compressed, or not allocated.
    """

    path = Path(path)
    arrays: dict[str, tuple[np.dtype, tuple[int, ...], int]] = {}
    with open_h5(path) as file:
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

    The map holds no file descriptor, so that as many shards can be mapped as there is address space for.

    Args:
        path: the shard.
        places: where its arrays are, where that is known; else its header is read.

    Raises:
        OSError: the file is missing or no HDF5.
        ValueError: a dataset is not contiguous, or the file is shorter than its header says.
    """

    def __init__(self, path: str | Path, places: ArrayPlaces | None = None) -> None:
        path = Path(path)
        places = read_layout(path).arrays if places is None else places
        data = map_file(path)
        try:
            self.arrays = {
                name: np.ndarray(shape, dtype, data, offset) for name, (dtype, shape, offset) in places.items()
            }
        except TypeError as error:
            raise ValueError(f"is shorter than its header says ({error})") from None
        self._offsets = {name: offset for name, (_, _, offset) in places.items()}

    @property
    def header(self) -> ShardHeader:
        """What dataset.json says of it."""
        rows = len(next(iter(self.arrays.values()), ()))
        widths = {name: array.dtype.itemsize for name, array in self.arrays.items() if name in TEXT_DATASETS}
        return ShardHeader(rows, self._offsets, widths)

    def texts(self, name: str) -> list[str]:
        """Return an array of texts (`sample_id`, `identity`, `variant`) as strings."""
        return [raw.decode() for raw in self.arrays[name].tolist()]


def map_file(path: str | Path) -> np.ndarray:
    """Return a file's bytes, u1 (n,), read-only, mapped into memory without keeping a file descriptor.

    Raises:
        OSError: the file cannot be opened or mapped.
        ValueError: it is empty.
    """
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if not size:
            raise ValueError("is empty")
        # mmap.mmap keeps a descriptor, which only Python 3.13 lets it close: 1,024 shards would be all that many shells
        # allow. The map itself needs none.
        address = _libc().mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, stream.fileno(), 0)
    if address == ctypes.c_void_p(-1).value:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(path))
    buffer = (ctypes.c_ubyte * size).from_address(address)
    unmap = weakref.finalize(buffer, _libc().munmap, address, size)
    unmap.atexit = False  # arrays may outlive the interpreter's other objects: the system unmaps what is left
    data = np.ctypeslib.as_array(buffer)
    data.flags.writeable = False
    return data


@functools.cache
def _libc() -> Any:
    """Return the C library, its `mmap` and `munmap` declared."""
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    library.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return library
