"""Files that change while a run is at work: nothing made of the later bytes is kept under the hash of the earlier."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from toys import ToyReader, write_toys

from face3d_data import unchanged as unchanged_module
from face3d_data.digest import digest_file
from face3d_data.errors import Unreadable
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.run import run
from face3d_data.store import files as files_module
from face3d_data.store.files import FileHashes
from face3d_data.unchanged import ChangedFile, read_state, unchanged

SCALED = {"id": "scaled", "stage": "toy_scale", "from": "src", "keep": True}
NOISY = {"id": "noisy", "stage": "toy_jitter", "from": "scaled"}


def make(root):
    raw = {"name": "toy", "sources": {"src": {"reader": "toy_files", "root": str(root)}}, "steps": [SCALED, NOISY]}
    return make_pipeline(raw, Path(root))


def go(root, work, **options):
    return run(make(root), work, engine="serial", **options)


def points(result, step="scaled"):
    return {entry.id: entry.place.read("points") for entry in result.entries(step)}


@pytest.fixture
def root(tmp_path):
    folder = write_toys(tmp_path / "in", 1, 3)
    for path in folder.rglob("*.txt"):
        os.utime(path, ns=(10**18, 10**18))
    return folder


def rewrite(path, text):
    path.write_text(text)


def replace_file(path, text):
    other = path.with_suffix(".new")
    other.write_text(text)
    os.replace(other, path)


def rewrite_in_the_same_size_and_mtime(path, text):
    stat = path.stat()
    path.write_text(text.ljust(stat.st_size)[: stat.st_size])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.slow
@pytest.mark.parametrize("change", [rewrite, replace_file, rewrite_in_the_same_size_and_mtime])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_file_that_changes_between_hashing_and_reading_is_an_error_that_is_tried_again(
    root, tmp_path, monkeypatch, change, when
):
    first = sorted(root.rglob("*.txt"))[0]
    text, load = first.read_text(), ToyReader.load
    want = points(go(root, tmp_path / "untouched"))

    def changing(self, source, name):
        path = source.files["text"]
        mine = path == first and path.read_text() == text
        if mine and when == "before":
            change(path, "99 98 97")
        array = load(self, source, name)
        if mine and when == "after":
            change(path, "99 98 97")
        return array

    monkeypatch.setattr(ToyReader, "load", changing)
    result = go(root, tmp_path / "work")
    assert result.steps["scaled"].reasons == {"ChangedFile": 1}
    (row,) = result.steps["scaled"].dirty
    assert row.status == "error"
    assert row.detail == f"{first.name} changed after it was hashed: run again when nothing writes to it"
    monkeypatch.setattr(ToyReader, "load", load)

    rewrite(first, text)
    again = go(root, tmp_path / "work")
    assert [again.steps[name].report.inputs for name in ("scaled", "noisy")] == [1, 1]
    found = points(again)
    assert found.keys() == want.keys()
    assert all(np.array_equal(found[name], want[name]) for name in want)


def test_an_error_over_a_file_that_changed_is_no_reject_of_what_was_hashed(root, tmp_path, monkeypatch):
    """A reader that meets half a file rejects it; that must not be settled under the hash of the whole one."""
    first = sorted(root.rglob("*.txt"))[0]
    text, load = first.read_text(), ToyReader.load

    def torn(self, source, name):
        if source.files["text"] == first and first.read_text() == text:
            first.write_text("")
            raise Unreadable("unreadable", "not numbers")
        return load(self, source, name)

    monkeypatch.setattr(ToyReader, "load", torn)
    assert go(root, tmp_path / "work").steps["scaled"].reasons == {"ChangedFile": 1}
    monkeypatch.setattr(ToyReader, "load", load)
    rewrite(first, text)
    assert len(go(root, tmp_path / "work").entries("scaled")) == 3


def test_a_file_that_changes_while_its_header_is_looked_at_is_tried_again(root, tmp_path, monkeypatch):
    first = sorted(root.rglob("*.txt"))[0]
    text, inspect = first.read_text(), ToyReader.inspect

    def emptied(self, source):
        if source.files["text"] == first and first.read_text() == text:
            first.write_text("")
        inspect(self, source)

    monkeypatch.setattr(ToyReader, "inspect", emptied)
    result = go(root, tmp_path / "work")
    assert [(row.status, row.reason) for row in result.steps["src"].dirty] == [("error", "ChangedFile")]
    monkeypatch.setattr(ToyReader, "inspect", inspect)
    rewrite(first, text)
    assert len(go(root, tmp_path / "work").entries("src")) == 3


def test_rehash_tries_again_what_was_rejected(root, tmp_path, monkeypatch):
    inspect = ToyReader.inspect

    def refuse(self, source):
        raise Unreadable("unreadable", "a reader of yesterday")

    monkeypatch.setattr(ToyReader, "inspect", refuse)
    assert go(root, tmp_path / "work").steps["src"].entries == []
    monkeypatch.setattr(ToyReader, "inspect", inspect)
    assert go(root, tmp_path / "work").steps["src"].entries == []
    assert len(go(root, tmp_path / "work", rehash=True).steps["src"].entries) == 3
    assert len(go(root, tmp_path / "work").steps["src"].entries) == 3


def test_a_file_that_is_written_while_it_is_hashed_is_hashed_again(tmp_path, monkeypatch):
    path, digest, read = tmp_path / "a.bin", files_module.digest_file, []
    path.write_bytes(b"one")

    def slow(found):
        read.append(found)
        content = digest(found)
        if found.read_bytes() == b"one":
            found.write_bytes(b"other")
        return content

    monkeypatch.setattr(files_module, "digest_file", slow)
    hashes = FileHashes(tmp_path / "files")
    assert hashes.digest(path) == digest(path)
    assert (len(read), hashes.hashed) == (2, 1)
    hashes.close()


def test_a_file_that_never_stops_changing_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    path.write_bytes(b"")

    def endless(found):
        with open(found, "ab") as stream:
            stream.write(b"x")
        return "0" * 64

    monkeypatch.setattr(files_module, "digest_file", endless)
    hashes = FileHashes(tmp_path / "files")
    with pytest.raises(OSError, match="changes while it is read"):
        hashes.digest(path)
    hashes.close()


def test_of_a_file_written_just_now_the_content_is_compared(tmp_path):
    """Its time stamps may be those of the write before: they have a grain of some milliseconds."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"one")
    state = read_state(path)
    assert not state.settled
    forged = state._replace(sha256="0" * 64)
    with unchanged({"a": path}, {"a": state}):
        pass
    with pytest.raises(ChangedFile, match=r"a\.bin changed after it was hashed"), unchanged({"a": path}, {"a": forged}):
        pass
    with unchanged({"a": path}, {"a": forged._replace(settled=True)}):
        pass


def test_a_file_that_is_gone_is_said_to_be(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"one")
    state = read_state(path)
    path.unlink()
    with pytest.raises(ChangedFile, match=r"a\.bin cannot be read any more"), unchanged({"a": path}, {"a": state}):
        pass


def test_settled_is_what_was_changed_long_before_it_was_hashed(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"one")
    hashes = FileHashes(tmp_path / "files")
    assert not hashes.state(path).settled
    hashes.close()
    now = time.time_ns() + 3 * files_module.SETTLE_NS
    hashes = FileHashes(tmp_path / "files")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files_module.time, "time_ns", lambda: now)
        assert hashes.state(path).settled
    hashes.close()


def test_a_young_file_of_many_rows_is_compared_until_its_time_stamps_tell(tmp_path, monkeypatch):
    path, now, read = tmp_path / "many.h5", [100.0], []
    path.write_bytes(b"one")
    state = read_state(path)
    monkeypatch.setattr(unchanged_module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(unchanged_module, "digest_file", lambda path: read.append(path) or digest_file(path))

    def row():
        with unchanged({"a": path}, {"a": state}):
            pass

    row()
    now[0] += 1.9
    row()
    assert len(read) == 2
    now[0] += 0.2
    row()
    row()
    row()
    assert len(read) == 3, "two seconds after the first time"
    os.utime(path, ns=(1, 1))
    with pytest.raises(ChangedFile):
        row()


def test_a_young_file_that_changes_within_its_time_stamp_s_grain_is_noticed_each_time(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"one")
    state = read_state(path)
    with unchanged({"a": path}, {"a": state}):
        pass
    forged = state._replace(sha256="0" * 64)
    for _ in range(2):
        with pytest.raises(ChangedFile), unchanged({"a": path}, {"a": forged}):
            pass
