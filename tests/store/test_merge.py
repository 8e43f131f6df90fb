"""Merging of parts: the same rows and arrays in fewer files, and nothing lost wherever it is stopped."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from face3d_data.digest import digest
from face3d_data.store import merge as module
from face3d_data.store import step_rows
from face3d_data.store.merge import blocks, merge_parts, part_bytes, small_parts
from face3d_data.store.part import BadPart, PartRow, write_part
from face3d_data.store.part_arrays import forget_open_parts, read_array
from face3d_data.store.step_rows import read_rows


def part(folder, numbers, attempt=1, stored=True, shape=(5, 3)):
    """Write a part: of every third input a reject, of the others two outputs, with arrays where `stored`."""
    rows, records = [], []
    for number in numbers:
        key = digest("input", number)
        if number % 3 == 0:
            rows.append(PartRow(key, status="reject", reason="why", attempt=attempt))
            continue
        for i in range(2):
            row = PartRow(key, digest(key, i), variant=f"v{i}", attempt=attempt, shapes={"points": list(shape)})
            if stored:
                records.append(
                    {"points": np.full(shape, 10 * number + i, np.float32), "landmarks_3d": np.zeros((5, 3))}
                )
                row = replace(row, record=len(records) - 1, carried={"landmarks_3d": [5, 3]})
            rows.append(replace(row, stored=stored))
    return folder / f"{write_part(folder, rows, records)}.jsonl"


def content(folder):
    """What a step's parts hold by input, wherever it lies."""
    forget_open_parts()
    rows, bad = read_rows(folder, keep=False)
    assert bad == []
    found = {}
    for key, path, group in rows.groups():
        arrays = [
            {name: read_array(path, row.record, name).tolist() for name in row.held} if row.held else None
            for row in group
        ]
        found[key] = ([replace(row, record=0) for row in group], arrays)
    return found


def test_small_parts_become_one_with_the_same_rows_and_arrays(tmp_path):
    folder = tmp_path / "parts"
    for first in range(0, 40, 5):
        part(folder, range(first, first + 5))
    part(folder, [3, 4], attempt=2)
    part(folder, [7, 8], stored=False)
    before = content(folder)
    assert len(before) == 40
    assert before[digest("input", 4)][0][0].attempt == 2
    assert before[digest("input", 7)][1][0]["points"] == [[70.0] * 3] * 5
    (block,) = small_parts(folder)
    assert len(block) == 10
    merge_parts(block)
    assert content(folder) == before
    assert sorted(path.suffix for path in folder.iterdir()) == [".h5", ".jsonl"]
    assert small_parts(folder) == []


def test_a_merged_part_has_its_index_and_the_others_have_none(tmp_path, monkeypatch):
    monkeypatch.setattr(step_rows, "INDEXED_ROWS", 1)
    folder = tmp_path / "parts"
    for first in range(8):
        part(folder, [first])
    read_rows(folder, keep=True)
    assert len(list((tmp_path / "index").iterdir())) == 8
    merge_parts(small_parts(folder)[0])
    (rows,) = folder.glob("*.jsonl")
    assert [path.stem for path in (tmp_path / "index").iterdir()] == [rows.stem]


@pytest.mark.parametrize(("small", "merged"), [(7, 0), (8, 1), (30, 1)])
def test_few_small_parts_wait_for_more(tmp_path, small, merged):
    for number in range(small):
        part(tmp_path / "parts", [number])
    assert len(small_parts(tmp_path / "parts")) == merged


def test_large_parts_stay_and_small_ones_are_merged_up_to_a_size(tmp_path, monkeypatch):
    folder = tmp_path / "parts"
    big = part(folder, [1, 2, 4, 5, 7, 8], shape=(400, 3))
    small = [part(folder, [number], shape=(40, 3)) for number in range(101, 132, 3)]
    size = part_bytes(small[0])
    monkeypatch.setattr(module, "SMALL_BYTES", part_bytes(big))
    monkeypatch.setattr(module, "PART_BYTES", 5 * size + size // 2)
    found = small_parts(folder)
    assert [len(block) for block in found] == [5, 5]
    assert not {big} & {path for block in found for path in block}
    assert [len(block) for block in blocks([(path, size) for path in small])] == [5, 5, 1]


def test_what_does_not_count_is_left_out(tmp_path):
    folder = tmp_path / "parts"
    one, two = part(folder, [1, 2]), part(folder, [4, 5])
    merge_parts([one, two], lambda key: key == digest("input", 2))
    assert list(content(folder)) == [digest("input", 2)]
    (left,) = folder.glob("*.jsonl")
    merge_parts([left], lambda key: False)
    assert list(folder.iterdir()) == []


def test_a_part_that_has_all_that_the_others_have_stays(tmp_path):
    """The merged one would bear its name."""
    folder = tmp_path / "parts"
    one, all_of_it = part(folder, [1]), part(folder, [1, 2], attempt=2)
    before = content(folder)
    merge_parts([one, all_of_it])
    assert content(folder) == before
    assert [path.stem for path in sorted(folder.iterdir())] == [all_of_it.stem] * 2


def test_a_damaged_part_changes_nothing(tmp_path):
    folder = tmp_path / "parts"
    parts = [part(folder, [number]) for number in (1, 2, 4)]
    arrays = parts[1].with_suffix(".h5")
    damaged = bytearray(arrays.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    arrays.write_bytes(damaged)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(BadPart, match=arrays.name):
        merge_parts(parts)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


class Stopped(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("calls", range(11))
def test_nothing_is_lost_wherever_merging_stops(tmp_path, monkeypatch, calls):
    folder = tmp_path / "parts"
    parts = [part(folder, [number, number + 1]) for number in range(0, 8, 2)]
    before, left = content(folder), [calls]

    def dying(real):
        def call(*args, **kwargs):
            if left[0] == 0:
                raise Stopped
            left[0] -= 1
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", dying(os.replace))
        patch.setattr(Path, "unlink", dying(Path.unlink))
        try:
            merge_parts(parts)
            stopped = False
        except Stopped:
            stopped = True
    assert stopped
    assert content(folder) == before
    rest = sorted(folder.glob("*.jsonl"))
    merge_parts(rest)
    assert content(folder) == before
    assert len(list(folder.glob("*.jsonl"))) == 1
