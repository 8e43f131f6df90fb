"""Parts hold arrays and rows whole; anything torn or changed counts as absent."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.digest import digest_file
from face3d_data.errors import RunStopped
from face3d_data.store import part, part_arrays
from face3d_data.store.part import BadPart, PartRow, part_id, read_part_rows, write_part
from face3d_data.store.part_arrays import read_array


def rows_and_records():
    records = [
        {"points": np.arange(12, dtype="f4").reshape(4, 3), "box": np.array([1, 2, 3, 4], "f4")},
        {"points": np.zeros((0, 3), "f4")},
        {"depth": np.full((2, 5), 7, "f4"), "points": np.ones((1, 3), "f4")},
    ]
    rows = [
        PartRow("b" * 32, "k1", record=0, shapes={"points": [4, 3], "box": [4]}, tags={"x": 1.5, "é": "ü"}),
        PartRow("a" * 32, "k2", record=1, shapes={"points": [0, 3]}, variant="copy:0"),
        PartRow(
            "a" * 32, "k3", record=2, shapes={"depth": [2, 5], "points": [1, 3]}, variant="copy:1", dropped=["box"]
        ),
        PartRow("c" * 32, status="reject", reason="no_face", detail="none of 3"),
    ]
    return rows, records


def test_round_trip(tmp_path):
    rows, records = rows_and_records()
    name = write_part(tmp_path, rows, records)
    assert name == part_id(rows) == part_id(rows[::-1])
    found_rows = read_part_rows(tmp_path / f"{name}.jsonl")
    assert [replace(row, record=0) for row in found_rows] == [replace(rows[i], record=0) for i in (1, 2, 0, 3)]
    for row, record in zip((found_rows[2], found_rows[0], found_rows[1]), records, strict=True):
        for array_name, array in record.items():
            found = read_array(tmp_path / f"{name}.h5", row.record, array_name)
            assert found.dtype == array.dtype
            assert np.array_equal(found, array)
            assert found.shape == array.shape
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{name}.h5", f"{name}.jsonl"]


def test_the_same_rows_in_another_order_are_the_same_part(tmp_path):
    """Two runs over one content in another order of files write one part id: its rows must fit either's arrays."""
    rows, records = rows_and_records()
    turned = [rows[3], rows[0], *rows[1:3]]
    one = write_part(tmp_path / "one", rows, records)
    two = write_part(tmp_path / "two", turned, records)
    assert one == two
    for suffix in (".jsonl", ".h5"):
        assert (tmp_path / "one" / f"{one}{suffix}").read_bytes() == (tmp_path / "two" / f"{one}{suffix}").read_bytes()


def test_rows_alone_need_no_arrays_file(tmp_path):
    name = write_part(tmp_path, [PartRow("a" * 32, status="reject", reason="no_face")], [])
    assert [p.name for p in tmp_path.iterdir()] == [f"{name}.jsonl"]
    assert read_part_rows(tmp_path / f"{name}.jsonl")[0].reason == "no_face"


def test_an_array_that_a_record_lacks_is_a_bad_part_not_another_records(tmp_path):
    rows, records = rows_and_records()
    name = write_part(tmp_path, rows, records)
    with pytest.raises(BadPart):
        read_array(tmp_path / f"{name}.h5", 0, "box")
    with pytest.raises(BadPart):
        read_array(tmp_path / f"{name}.h5", 2, "color")
    with pytest.raises(BadPart):
        read_array(tmp_path / "absent.h5", 0, "box")


def _damage_rows(path):
    text = path.read_text()
    path.write_text(text.replace("k1", "k9"))


def _cut_rows(path):
    path.write_bytes(path.read_bytes()[:-3])


def _cut_arrays(path):
    arrays = path.with_suffix(".h5")
    arrays.write_bytes(arrays.read_bytes()[:-1])


def _lose_arrays(path):
    path.with_suffix(".h5").unlink()


def _empty(path):
    path.write_text("")


def _other_json(path):
    path.write_text(json.dumps([1, 2]))


@pytest.mark.parametrize("damage", [_damage_rows, _cut_rows, _cut_arrays, _lose_arrays, _empty, _other_json])
def test_any_damage_is_noticed(tmp_path, damage):
    rows, records = rows_and_records()
    path = tmp_path / f"{write_part(tmp_path, rows, records)}.jsonl"
    damage(path)
    with pytest.raises(BadPart):
        read_part_rows(path)


def _flip_bit(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("place", ["values", "offsets", "shapes"])
def test_a_flipped_bit_in_the_arrays_is_noticed(tmp_path, place):
    rows, records = rows_and_records()
    path = tmp_path / f"{write_part(tmp_path, rows, records)}.h5"
    with h5py.File(path) as file:
        at = file["points"][place].id.get_offset()
    assert np.array_equal(read_array(path, 0, "points"), records[1]["points"])
    _flip_bit(path, at)
    read_part_rows(path.with_suffix(".jsonl"))  # the size is right
    with pytest.raises(BadPart, match="its bytes are not those that were written"):
        read_array(path, 0, "points")


def test_two_parts_of_one_size_that_were_exchanged_are_noticed(tmp_path):
    paths = []
    for who in "ab":
        record = {"points": np.full((4, 3), ord(who), "f4")}
        paths.append(tmp_path / f"{write_part(tmp_path, [PartRow(who * 32, 'k', record=0)], [record])}.h5")
    one, two = (path.read_bytes() for path in paths)
    assert len(one) == len(two)
    paths[0].write_bytes(two)
    paths[1].write_bytes(one)
    for path in paths:
        with pytest.raises(BadPart, match="not those that were written"):
            read_array(path, 0, "points")


def test_arrays_are_compared_once_for_each_state_of_the_file(tmp_path, monkeypatch):
    rows, records = rows_and_records()
    path = tmp_path / f"{write_part(tmp_path, rows, records)}.h5"
    hashed = []
    monkeypatch.setattr(part_arrays, "digest_file", lambda path: hashed.append(path) or digest_file(path))
    for _ in range(3):
        read_array(path, 0, "points")
    assert hashed == [path]
    os.utime(path, ns=(1, 1))
    read_array(path, 0, "points")
    assert hashed == [path, path]


@pytest.mark.parametrize("suffix", [".jsonl", ".h5"])
def test_a_file_that_may_not_be_read_is_no_damage(tmp_path, monkeypatch, suffix):
    rows, records = rows_and_records()
    path = (tmp_path / write_part(tmp_path, rows, records)).with_suffix(suffix)

    def refuse(found, *rest, **more):
        raise PermissionError(13, "Permission denied", str(found))

    monkeypatch.setattr(part_arrays, "digest_file", refuse)
    monkeypatch.setattr(Path, "read_text", refuse)
    call = (lambda: read_part_rows(path)) if suffix == ".jsonl" else (lambda: read_array(path, 0, "points"))
    with pytest.raises(RunStopped, match=r"Permission denied.*nothing was removed"):
        call()
    assert path.exists()


def test_a_part_of_an_earlier_version_has_no_digest_and_is_made_again(tmp_path):
    rows, records = rows_and_records()
    path = tmp_path / f"{write_part(tmp_path, rows, records)}.jsonl"
    header, _, lines = path.read_text().partition("\n")
    values = json.loads(header)
    del values["h5_sha256"]
    path.write_text(json.dumps(values) + "\n" + lines)
    with pytest.raises(BadPart, match="earlier version"):
        read_part_rows(path)


def test_nothing_is_left_when_writing_fails(tmp_path, monkeypatch):
    rows, records = rows_and_records()

    def fail(path, records):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(part, "_write_arrays", fail)
    with pytest.raises(OSError, match="No space"):
        write_part(tmp_path, rows, records)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=6))
def test_any_mix_of_sizes_and_absent_arrays(tmp_path_factory, shapes):
    folder = tmp_path_factory.mktemp("part")
    records = []
    for i, (n, with_depth) in enumerate(shapes):
        record = {"points": np.full((n, 3), i, "f4")}
        if with_depth:
            record["depth"] = np.full((n + 1, 2), -i, "f4")
        records.append(record)
    rows = [PartRow(f"{i:032x}", f"k{i}", record=i) for i in range(len(records))]
    name = write_part(folder, rows, records)
    for i, record in enumerate(records):
        for array_name, array in record.items():
            assert np.array_equal(read_array(folder / f"{name}.h5", i, array_name), array)
