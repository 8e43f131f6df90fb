"""Rows of a step: what parts say, whatever the index beside them is like."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.digest import digest
from face3d_data.errors import TOO_LARGE
from face3d_data.store import newest_rows, rows_index
from face3d_data.store import step_rows as module
from face3d_data.store.add_part import add_part
from face3d_data.store.coded import MISSING
from face3d_data.store.part import RETRIED, PartRow, read_part_rows, write_part
from face3d_data.store.step_rows import is_settled, read_rows

INPUTS = [digest("input", i) for i in range(12)]


def part_rows(choices):
    """Rows of one part: (number of the input, attempt, kind) each; two outputs where the kind says so."""
    found = {}
    for number, attempt, kind in choices:
        key = INPUTS[number]
        if kind == "ok":
            made = [
                PartRow(key, digest(key, attempt, i), variant=f"aug:{i}" * (i > 0), attempt=attempt,
                        tags={"n": i, "t": "é"}, shapes={"points": [number + i, 3]}, dropped=["map"] * i, detail="seen")
                for i in range(2)
            ]  # fmt: skip
        else:
            reason = TOO_LARGE if kind == "large" else "why"
            status = RETRIED if kind == RETRIED else "reject"
            made = [PartRow(key, status=status, reason=reason, attempt=attempt, trace="a\nb" * (status == RETRIED))]
        found.setdefault(key, made)
    return [row for rows in found.values() for row in rows]


def twin(folder):
    """The same from the parts alone, as plain dictionaries: input key to part and rows."""
    found = {}
    for path in sorted(folder.glob("*.jsonl")):
        groups = {}
        for row in read_part_rows(path):
            groups.setdefault(row.input, []).append(row)
        for key, group in groups.items():
            if key not in found or group[0].attempt > found[key][1][0].attempt:
                found[key] = (path.with_suffix(".h5"), group)
    return found


def plain(rows):
    return [(row.input, row.key, row.status, row.reason, row.detail, row.variant, row.identity_suffix, dict(row.tags),
             {name: list(shape) for name, shape in row.shapes.items()}, list(row.dropped), row.record, row.attempt,
             row.trace) for row in rows]  # fmt: skip


def same(folder, keep=False):
    """Compare what is read with the twin, and return it."""
    expected = twin(folder / "parts")
    rows, bad = read_rows(folder / "parts", keep)
    assert bad == []
    assert len(rows) == len(expected)
    found = {key: (part, plain(group)) for key, part, group in rows.groups()}
    assert found == {key: (part, plain(group)) for key, (part, group) in expected.items()}
    places = rows.find([*INPUTS, "unknown", ""])
    assert [place != MISSING for place in places] == [key in expected for key in (*INPUTS, "unknown", "")]
    for key, place in zip(INPUTS, places, strict=False):
        if place != MISSING:
            assert plain(rows.group(int(place))[1]) == plain(expected[key][1])
    for forced, retry in ((False, False), (False, True), (True, False)):
        asked = [*INPUTS, *INPUTS[:3], "unknown"]
        want = {}
        for i, key in enumerate(asked):
            group = expected.get(key, (None, []))[1]
            done = group and all(map(is_settled, group)) and not (retry and group[0].status != "ok")
            if forced or not done:
                want.setdefault(key, (i, group[0].attempt + 1 if group else 1))
        assert list(rows.to_do(asked, forced, retry)) == list(want.values())
    return rows


CHOICES = st.lists(
    st.tuples(st.integers(0, 11), st.integers(1, 300), st.sampled_from(["ok", "reject", "large", RETRIED])),
    min_size=1,
    max_size=5,
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(CHOICES, max_size=6), st.data())
def test_rows_are_those_of_the_parts_as_parts_come_and_go(tmp_path_factory, parts, data):
    folder = tmp_path_factory.mktemp("step")
    for choices in parts:
        write_part(folder / "parts", part_rows(choices), ())
        same(folder, keep=data.draw(st.booleans()))
    there = sorted((folder / "parts").glob("*.jsonl"))
    if there:
        data.draw(st.sampled_from(there)).unlink()
    same(folder, keep=True)
    same(folder)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "INDEXED_ROWS", 1)
    for first in (0, 3, 6):
        write_part(
            tmp_path / "parts", part_rows([(first + i, 1, kind) for i, kind in enumerate(("ok", "reject", "ok"))]), ()
        )
    same(tmp_path, keep=True)
    assert len(indexes(tmp_path)) == 3
    return tmp_path


def indexes(folder):
    return sorted((folder / "index").glob("*"))


def states(folder):
    return [(path.stem, (stat := path.stat()).st_ino, stat.st_mtime_ns) for path in indexes(folder)]


def read_count(monkeypatch):
    read = []
    monkeypatch.setattr(module, "read_part_rows", lambda path: read.append(path.stem) or read_part_rows(path))
    return read


def test_what_an_index_knows_is_not_read_again(folder, monkeypatch):
    read = read_count(monkeypatch)
    before = states(folder)
    same(folder)
    assert read == []
    name = write_part(folder / "parts", part_rows([(9, 1, "ok")]), ())
    same(folder, keep=True)
    assert read == [name]
    same(folder)
    assert read == [name]
    assert [state for state in states(folder) if state[0] != name] == before  # one part more writes one index


def test_a_small_part_has_no_index(folder, monkeypatch):
    monkeypatch.setattr(module, "INDEXED_ROWS", 3)
    read = read_count(monkeypatch)
    name = write_part(folder / "parts", part_rows([(9, 1, "reject"), (10, 1, "reject")]), ())
    same(folder, keep=True)
    same(folder, keep=True)
    assert read == [name, name]
    assert add_part(folder / "parts", part_rows([(11, 1, "ok"), (9, 2, "reject")])) in {p.stem for p in indexes(folder)}
    same(folder)
    assert read == [name, name, name]


def test_the_index_that_is_written_with_a_part_is_that_of_its_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "INDEXED_ROWS", 1)
    rows = [*part_rows([(3, 1, "ok"), (1, 2, RETRIED), (2, 70_000, "large")])]
    rows = [replace(row, record=i, carried={"depth": (3, 4)}) if row.key else row for i, row in enumerate(rows)]
    arrays = [{"points": np.zeros((4, 3), np.float32), "depth": np.zeros((3, 4), np.float32)} for _ in rows]
    name = add_part(tmp_path / "parts", rows, arrays)
    (path,) = indexes(tmp_path)
    written = path.read_bytes()
    path.unlink()
    read_rows(tmp_path / "parts", keep=True)
    assert path.read_bytes() == written
    assert path.stem == name


def test_nothing_is_written_where_nothing_is_new_or_nothing_may_be(folder):
    before = states(folder)
    same(folder, keep=True)
    write_part(folder / "parts", part_rows([(9, 1, "ok")]), ())
    same(folder, keep=False)
    assert states(folder) == before
    read_rows(folder / "none" / "parts", keep=True)
    assert sorted(path.name for path in folder.iterdir()) == ["index", "parts"]


@pytest.mark.slow
def test_an_index_that_is_torn_or_has_a_flipped_bit_is_passed_over(folder, monkeypatch):
    path = indexes(folder)[1]
    whole = path.read_bytes()
    read = read_count(monkeypatch)
    for size in [0, 1, 22, 31, 32, 36, 100, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:size])
        same(folder)
    assert read == [path.stem] * 9
    rng = np.random.default_rng(0)
    for place in rng.integers(len(whole), size=60).tolist():
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        same(folder)
    assert len(read) == 69
    same(folder, keep=True)
    assert path.read_bytes() == whole


def test_an_index_of_another_version_is_made_again(folder, monkeypatch):
    shutil.rmtree(folder / "index")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_index, "VERSION", 99)
        same(folder, keep=True)
    read = read_count(monkeypatch)
    same(folder)
    assert len(read) == 3


def test_an_index_of_another_part_is_not_believed(folder, monkeypatch):
    one, other, _ = indexes(folder)
    one.write_bytes(other.read_bytes())
    read = read_count(monkeypatch)
    same(folder)
    assert read == [one.stem]


def test_something_else_in_the_place_of_an_index(folder):
    path = indexes(folder)[0]
    path.unlink()
    path.mkdir()
    same(folder)


@pytest.mark.parametrize("change", ["rewritten", "arrays gone", "arrays changed"])
def test_a_part_that_is_not_as_the_index_saw_it_is_believed_by_itself_alone(tmp_path, monkeypatch, change):
    monkeypatch.setattr(module, "INDEXED_ROWS", 1)
    cloud = {"points": np.zeros((4, 3), np.float32)}
    row = PartRow(INPUTS[0], digest("a"), shapes={"points": [4, 3]}, record=0)
    name = write_part(tmp_path / "parts", [row], [cloud])
    same(tmp_path, keep=True)
    lines, arrays = (tmp_path / "parts" / f"{name}{suffix}" for suffix in (".jsonl", ".h5"))
    if change == "rewritten":
        stat = lines.stat()
        text = lines.read_text()
        lines.write_text(text.replace(INPUTS[0][:8], "f" * 8))
        os.utime(lines, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    elif change == "arrays gone":
        arrays.unlink()
    else:
        arrays.write_bytes(arrays.read_bytes() + b"x")
    rows, bad = read_rows(tmp_path / "parts", keep=True)
    assert len(rows) == 0
    assert len(bad) == 1
    assert list(rows.to_do([INPUTS[0]])) == [(0, 1)]


def test_a_copied_workspace_reads_its_parts_once(folder, monkeypatch, tmp_path_factory):
    copy = tmp_path_factory.mktemp("copy") / "step"
    shutil.copytree(folder, copy)
    read = read_count(monkeypatch)
    same(copy, keep=True)
    same(copy, keep=True)
    assert len(read) == 3


@pytest.mark.parametrize("digits", [0, 1, 2])
def test_keys_that_have_one_number_to_sort_by_are_told_apart(folder, monkeypatch, digits):
    monkeypatch.setattr(newest_rows, "ORDER_CHARS", digits)
    for first in (2, 5, 8):
        write_part(folder / "parts", part_rows([(first + i, 1 + i % 2, "ok") for i in range(4)]), ())
        same(folder)


def test_keys_of_any_text_are_found(tmp_path):
    names = ["a", "A", "a b", "0" * 40, "é", INPUTS[0]]
    write_part(tmp_path / "parts", [PartRow(name, status="reject", reason="why") for name in names], ())
    rows, _ = read_rows(tmp_path / "parts", keep=True)
    assert [rows.group(int(place))[1][0].input for place in rows.find(names)] == names
    assert list(rows.find(["b", "0" * 39, "", "a b c"])) == [MISSING] * 4


def test_a_part_that_goes_while_the_folder_is_read_is_no_damage(folder, monkeypatch):
    """Another process merges two parts between the listing and the reading."""
    shutil.rmtree(folder / "index")
    first, second, _ = sorted((folder / "parts").glob("*.jsonl"))
    merged = [*read_part_rows(first), *read_part_rows(second)]

    def merging(path):
        if path == second and second.exists():
            write_part(folder / "parts", merged, ())
            first.unlink()
            second.unlink()
        return read_part_rows(path)

    monkeypatch.setattr(module, "read_part_rows", merging)
    rows, bad = read_rows(folder / "parts", keep=False)
    assert bad == []
    assert len(rows) == 9
    assert second not in rows.paths


@pytest.mark.parametrize(
    "keys", [[], INPUTS * 2, ["b", "a", "a", "0", "é"], ["a" * 20, "a" * 19 + "b", "a" * 20], ["z", "Z"]]
)
def test_unique_keys_are_those_of_numpy(keys):
    array = np.array([key.encode() for key in keys], "S32")
    assert newest_rows.unique_keys(array).tolist() == np.unique(array).tolist()
