"""Texts of HDF5: of fixed and of variable length, as h5py writes them, and held against every kind of damage."""

import h5py
import numpy as np
import pytest

from face3d_data.errors import Unreadable
from face3d_data.formats import h5_texts
from face3d_data.formats.h5_points import read_arrays
from face3d_data.formats.h5_texts import LONGEST_TEXT, read_texts

NAMES = ["ann", "bé", "", "a longer name, of more than eight bytes"]
WAYS = {
    "list of str": lambda f: f.create_dataset("who", data=NAMES),
    "objects": lambda f: f.create_dataset("who", data=np.array(NAMES, object), dtype=h5py.string_dtype()),
    "bytes": lambda f: f.create_dataset(
        "who", data=[name.encode() for name in NAMES], dtype=h5py.string_dtype("ascii")
    ),
    "fixed": lambda f: f.create_dataset("who", data=np.array([name.encode() for name in NAMES])),
    "column": lambda f: f.create_dataset("who", data=np.array(NAMES, object)[:, None], dtype=h5py.string_dtype()),
    "chunked": lambda f: f.create_dataset(
        "who", data=NAMES, dtype=h5py.string_dtype(), chunks=(3,), compression="gzip"
    ),
    "resizable": lambda f: f.create_dataset("who", data=NAMES, dtype=h5py.string_dtype(), maxshape=(None,)),
}


def texts_of(path):
    return read_texts(path, read_arrays(path, ["who"])["who"])


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("way", WAYS)
def test_texts_are_what_was_written(tmp_path, way, libver):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=libver) as file:
        WAYS[way](file)
    assert texts_of(path) == NAMES


def test_many_texts_take_several_heaps(tmp_path):
    names = [f"person {i} {'x' * (i % 50)}" for i in range(3000)]
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["who"] = names
    assert texts_of(path) == names


def test_what_is_no_name_is_refused(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["who"] = ["x" * (LONGEST_TEXT + 1)]
    with pytest.raises(Unreadable, match="a text of 4097 bytes: not a name"):
        texts_of(path)
    with h5py.File(path, "w") as file:
        file.create_dataset("who", data=[b"a\xff"], dtype=h5py.string_dtype("ascii"))
    with pytest.raises(Unreadable, match="not UTF-8"):
        texts_of(path)


@pytest.fixture
def variable(tmp_path):
    """Return a file of texts, and where its heap and the array's first place lie."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["who"] = NAMES
        at = file["who"].id.get_offset()
    data = path.read_bytes()
    return path, data, data.index(b"GCOL"), at


def test_a_heap_cut_off_or_elsewhere_is_named_with_its_byte(variable):
    path, data, heap, at = variable
    array = read_arrays(path, ["who"])["who"]
    for cut in (heap, heap + 5, heap + 40):
        path.write_bytes(data[:cut])
        with pytest.raises(Unreadable, match=r"a\.h5: 'who': byte"):
            read_texts(path, array)
    for value in (0, heap + 8, len(data), 2**63, 2**64 - 1):
        path.write_bytes(data[: at + 4] + value.to_bytes(8, "little") + data[at + 12 :])
        with pytest.raises(Unreadable, match=r"a\.h5: 'who': byte"):
            read_texts(path, array)


@pytest.mark.slow
def test_every_byte_of_a_heap_changed_gives_texts_or_a_refusal(variable):
    path, data, heap, at = variable
    array = read_arrays(path, ["who"])["who"]
    for place in (*range(heap, heap + 160), *range(at, at + 64)):
        for value in (0, 0x7F, 0xFF):
            path.write_bytes(data[:place] + bytes([value]) + data[place + 1 :])
            try:
                found = read_texts(path, array)
            except Unreadable:
                continue
            assert len(found) == len(NAMES)


def test_heaps_that_lie_in_one_another_are_not_read_over_and_over(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["who"] = NAMES
    monkeypatch.setattr(h5_texts, "_MOST_READ", 0)
    with pytest.raises(Unreadable, match="overlapping"):
        texts_of(path)
