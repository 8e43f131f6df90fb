"""Arrays of HDF5 files: where they lie, their rows, and files that are damaged or made to do harm."""

import random
import re
import struct

import h5py
import numpy as np
import pytest

from face3d_data.errors import Unreadable
from face3d_data.formats.h5_points import read_arrays, read_point_rows

NAMES = ("data", "label", "text")
NOWHERE = "ff" * 8
BY_HAND = f"""
89 48 44 46 0d 0a 1a 0a                            # 0    signature
00 00 00 00  00 08 08 00                           # 8    versions; sizes of offsets and lengths
01 00  01 00  00 00 00 00                          # 16   K of group leaves and nodes; flags
00 00 00 00 00 00 00 00  {NOWHERE}                 # 24   base address; free space
8a 02 00 00 00 00 00 00  {NOWHERE}                 # 40   end of file = 650; driver
00 00 00 00 00 00 00 00  60 00 00 00 00 00 00 00   # 56   root: name, header at 96
01 00 00 00  00 00 00 00                           # 72   its cache: a group
88 00 00 00 00 00 00 00  c8 00 00 00 00 00 00 00   # 80   tree at 136, heap at 200
01 00  01 00  01 00 00 00  18 00 00 00  00 00 00 00   # 96   header: 1 message of 24 bytes
11 00  10 00  00  00 00 00                         # 112  symbol table message
88 00 00 00 00 00 00 00  c8 00 00 00 00 00 00 00   #      tree, heap
54 52 45 45  00 00  01 00                          # 136  TREE of a group, level 0, 1 entry
{NOWHERE} {NOWHERE}                                #      no siblings
00 00 00 00 00 00 00 00  00 01 00 00 00 00 00 00   # 160  first name; child at 256
10 00 00 00 00 00 00 00                            # 176  last name at 16 in the heap
00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00   # 184  room for one more
48 45 41 50  00 00 00 00                           # 200  HEAP
18 00 00 00 00 00 00 00  01 00 00 00 00 00 00 00   #      24 bytes, none free
e8 00 00 00 00 00 00 00                            #      at 232
00 00 00 00 00 00 00 00                            # 232  ""
64 61 74 61 00 00 00 00  6c 61 62 65 6c 00 00 00   # 240  "data", "label"
53 4e 4f 44  01 00  02 00                          # 256  SNOD, 2 symbols
08 00 00 00 00 00 00 00  58 01 00 00 00 00 00 00   # 264  "data": header at 344
00 00 00 00 00 00 00 00  {"00" * 16}
10 00 00 00 00 00 00 00  e0 01 00 00 00 00 00 00   # 304  "label": header at 480
00 00 00 00 00 00 00 00  {"00" * 16}
01 00  04 00  01 00 00 00  78 00 00 00  00 00 00 00   # 344  header: 4 messages of 120 bytes
01 00  20 00  00 00 00 00   01 03 00 00 00 00 00 00   # 360  dataspace, rank 3
02 00 00 00 00 00 00 00  02 00 00 00 00 00 00 00  03 00 00 00 00 00 00 00
03 00  18 00  00 00 00 00   11 20 1f 00  04 00 00 00   # 400  datatype: IEEE float, 4 bytes
00 00 20 00  17 08  00 17  7f 00 00 00  00 00 00 00
05 00  08 00  00 00 00 00   02 02 02 00 00 00 00 00   # 432  fill value: undefined
08 00  18 00  00 00 00 00   03 01                  # 448  layout: contiguous,
58 02 00 00 00 00 00 00  30 00 00 00 00 00 00 00   #      at 600, 48 bytes
00 00 00 00 00 00
01 00  04 00  01 00 00 00  68 00 00 00  00 00 00 00   # 480  header: 4 messages of 104 bytes
01 00  18 00  00 00 00 00   01 02 00 00 00 00 00 00   # 496  dataspace, rank 2
02 00 00 00 00 00 00 00  01 00 00 00 00 00 00 00
03 00  10 00  00 00 00 00   10 00 00 00  01 00 00 00   # 528  datatype: unsigned, 1 byte
00 00 08 00  00 00 00 00
05 00  08 00  00 00 00 00   02 02 02 00 00 00 00 00   # 552  fill value
08 00  18 00  00 00 00 00   03 01                  # 568  layout: contiguous,
88 02 00 00 00 00 00 00  02 00 00 00 00 00 00 00   #      at 648, 2 bytes
00 00 00 00 00 00
00 00 80 3f 00 00 00 40 00 00 40 40  00 00 80 40 00 00 a0 40 00 00 c0 40   # 600  1 2 3, 4 5 6
00 00 80 bf 00 00 00 3f 00 00 80 3e  00 00 00 00 00 00 7a 44 00 00 20 c1   # 624  -1 .5 .25, 0 1000 -10
07 09                                              # 648  labels 7 and 9
"""
"""HDF5 File Format Specification 3.0: superblock II.A version 0, groups III.A.1 to III.D, headers IV.A."""


def by_hand():
    return bytes.fromhex(re.sub(r"#.*", "", BY_HAND))


def write(path, data):
    path.write_bytes(data)
    return path


def test_a_file_typed_by_hand(tmp_path):
    data = by_hand()
    assert len(data) == 650
    path = write(tmp_path / "a.h5", data)
    arrays = read_arrays(path, NAMES)
    assert {name: (array.shape, array.offset) for name, array in arrays.items()} == {
        "data": ((2, 2, 3), 600),
        "label": ((2, 1), 648),
    }
    points = read_point_rows(path, arrays["data"])
    assert points.dtype == np.float32
    assert points.tolist() == [[[1, 2, 3], [4, 5, 6]], [[-1, 0.5, 0.25], [0, 1000, -10]]]
    assert read_point_rows(path, arrays["data"], 1, 2).tolist() == points[1:].tolist()
    assert read_point_rows(path, arrays["label"]).tolist() == [[7], [9]]


@pytest.fixture(params=["plain", "big_endian", "gzip", "shuffled", "checked", "half", "odd_chunks", "new"])
def stored(request, tmp_path):
    """A file of one kind, and what it holds."""
    rng = np.random.default_rng(0)
    data = rng.normal(0, 60, (7, 50, 3)).astype({"big_endian": ">f4", "half": "f2"}.get(request.param, "<f4"))
    options = {
        "gzip": {"compression": "gzip", "chunks": (7, 50, 3)},
        "shuffled": {"compression": "gzip", "shuffle": True, "chunks": (2, 16, 3)},
        "checked": {"fletcher32": True, "shuffle": True, "compression": "gzip", "chunks": (3, 50, 1)},
        "odd_chunks": {"chunks": (4, 33, 2)},
        "new": {"compression": "gzip", "chunks": (1, 50, 3)},
    }.get(request.param, {})
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest" if request.param == "new" else "earliest") as file:
        file.create_dataset("data", data=data, **options)
        file.create_dataset("label", data=np.arange(7, dtype="<i8")[:, None], **({"chunks": (2, 1)} if options else {}))
        text = np.array([b"ann", "bé".encode()] * 3 + [b""], "S3").astype(h5py.string_dtype("utf-8", 3))
        file.create_dataset("text", data=text)
    return path, data


def test_rows_are_what_h5py_reads(stored):
    path, data = stored
    arrays = read_arrays(path, (*NAMES, "absent"))
    assert set(arrays) == set(NAMES)
    assert np.array_equal(read_point_rows(path, arrays["data"]), data)
    for row in range(7):
        assert np.array_equal(read_point_rows(path, arrays["data"], row, row + 1)[0], data[row])
    assert np.array_equal(read_point_rows(path, arrays["data"], 2, 6), data[2:6])
    assert read_point_rows(path, arrays["label"]).reshape(-1).tolist() == list(range(7))
    assert read_point_rows(path, arrays["text"]).tolist()[:2] == [b"ann", "bé".encode()]
    assert read_point_rows(path, arrays["data"]).dtype.isnative


def make(path, fill):
    with h5py.File(path, "w") as file:
        fill(file)
    return path


def linked(file):
    file["other"] = np.zeros((2, 3, 3), "f4")
    file["data"] = h5py.SoftLink("/other")


def virtual(file):
    layout = h5py.VirtualLayout((2, 3, 3), "f4")
    layout[0] = h5py.VirtualSource("other.h5", "data", (3, 3))
    file.create_virtual_dataset("data", layout)


CLOUD = np.zeros((2, 3, 3), "f4")
REFUSED = {
    "link": (linked, "is a link"),
    "elsewhere": (lambda f: f.__setitem__("data", h5py.ExternalLink("/etc/passwd", "/data")), "is a link"),
    "group": (lambda f: f.create_group("data"), "a group"),
    "virtual": (virtual, "virtual or external"),
    "external": (lambda f: f.create_dataset("data", (2, 3, 3), "f4", external="/etc/passwd"), "virtual or external"),
    "lzf": (lambda f: f.create_dataset("data", data=CLOUD, compression="lzf"), "compressed by filter 32000: write it"),
    "lists": (lambda f: f.create_dataset("data", (2,), h5py.vlen_dtype(np.dtype("i4"))), "expected rows of numbers"),
    "number": (lambda f: f.create_dataset("data", data=1.0), "expected rows of numbers"),
    "empty": (lambda f: f.create_dataset("data", data=h5py.Empty("f4")), "expected rows of numbers"),
    "huge": (lambda f: f.create_dataset("data", (10**7, 2048, 3), "f4", chunks=(1, 2048, 3)), "the file has"),
    "never": (lambda f: f.create_dataset("data", (9, 9, 3), "f4"), "972 bytes nowhere"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_said(tmp_path, name):
    fill, message = REFUSED[name]
    path = make(tmp_path / "a.h5", fill)
    with pytest.raises(Unreadable, match=rf"unreadable: a\.h5: .*{message}"):
        read_arrays(path, NAMES)


def test_a_chunk_that_was_never_written_and_one_that_is_a_bomb(tmp_path):
    def fill(file):
        data = file.create_dataset("data", (4, 200, 3), "f4", chunks=(1, 200, 3), compression="gzip")
        data[0] = 1

    path = make(tmp_path / "a.h5", fill)
    array = read_arrays(path, NAMES)["data"]
    assert (read_point_rows(path, array, 0, 1) == 1).all()
    with pytest.raises(Unreadable, match=r"a\.h5: 'data': chunk \(1, 0, 0\) was never written"):
        read_point_rows(path, array, 1, 2)

    def bomb(file):
        import zlib

        data = file.create_dataset("data", (1, 200, 3), "f4", chunks=(1, 200, 3), compression="gzip")
        data.id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(30_000_000), 9))

    path = make(tmp_path / "b.h5", bomb)
    with pytest.raises(Unreadable, match=r"chunk \(0, 0, 0\) is damaged: 2404 of 2400 bytes"):
        read_point_rows(path, read_arrays(path, NAMES)["data"])


def test_a_file_that_is_cut_off_after_it_was_looked_at(tmp_path):
    path = write(tmp_path / "a.h5", by_hand())
    array = read_arrays(path, NAMES)["data"]
    path.write_bytes(by_hand()[:630])
    assert read_point_rows(path, array, 0, 1).shape == (1, 2, 3)
    with pytest.raises(Unreadable, match=r"a\.h5: 'data': byte 630: the file is truncated"):
        read_point_rows(path, array)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        read_arrays(path, NAMES)


def look(path):
    """Read all that a file says it has; return whether it could be. Anything but `Unreadable` fails the test."""
    try:
        shapes = [(read_point_rows(path, array).shape, array.shape) for array in read_arrays(path, NAMES).values()]
    except Unreadable as error:
        said = str(error)
    else:
        assert all(got == wanted for got, wanted in shapes)
        return True
    assert said.startswith(f"unreadable: {path.name}: ")
    assert "\n" not in said
    return False


@pytest.mark.slow
def test_cut_off_at_every_byte(tmp_path):
    data = by_hand()
    assert all(not look(write(tmp_path / f"{n}.h5", data[:n])) for n in range(len(data)))


@pytest.mark.slow
def test_every_byte_changed(tmp_path):
    data = by_hand()
    for n in range(600):
        for value in {255, data[n] ^ 1} - {data[n]}:
            look(write(tmp_path / "a.h5", data[:n] + bytes([value]) + data[n + 1 :]))


@pytest.mark.parametrize("at", [376, 384, 392, 458, 466, 512, 520, 578])
def test_absurd_sizes_and_addresses(tmp_path, at):
    data = by_hand()
    for value in (2**63, 2**40, 2**32 - 1, 10**6):
        assert not look(write(tmp_path / "a.h5", data[:at] + struct.pack("<Q", value) + data[at + 8 :])) or at == 466


def test_changed_bytes_of_chunked_files(stored, tmp_path):
    data = stored[0].read_bytes()
    for seed in range(30):
        rng = random.Random(seed)
        changed = bytearray(data)
        for _ in range(rng.choice([1, 2, 5])):
            changed[rng.randrange(len(data))] = rng.randrange(256)
        look(write(tmp_path / "b.h5", bytes(changed)))
