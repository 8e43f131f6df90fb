"""Files are hashed once while their stat stays the same, and again when it does not."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import closing

import pytest

from face3d_data.digest import digest_file
from face3d_data.store.files import SETTLE_NS, FileHashes


def settled(path, content):
    path.write_bytes(content)
    old = time.time_ns() - 10 * SETTLE_NS
    os.utime(path, ns=(old, old))
    return path


def test_hash_is_sha256_and_remembered(tmp_path, monkeypatch):
    path = settled(tmp_path / "a.bin", b"abc")
    monkeypatch.setattr("face3d_data.store.files.SETTLE_NS", -(10**12))
    first = FileHashes(tmp_path / "files")
    assert first.digest(path) == hashlib.sha256(b"abc").hexdigest()
    first.close()
    again = FileHashes(tmp_path / "files")
    assert again.digest(path) == hashlib.sha256(b"abc").hexdigest()
    assert (first.hashed, again.hashed) == (1, 0)
    again.close()


def test_changed_content_of_the_same_size_and_mtime_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr("face3d_data.store.files.SETTLE_NS", -(10**12))
    path = settled(tmp_path / "a.bin", b"abc")
    stat = path.stat()
    hashes = FileHashes(tmp_path / "files")
    hashes.digest(path)
    path.write_bytes(b"xyz")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert hashes.digest(path) == hashlib.sha256(b"xyz").hexdigest()
    hashes.close()


def hashed_in_runs(path, memory, times):
    """Return the state of a file, and how often it was hashed, in runs that begin at these times."""
    found = []
    for at in times:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("face3d_data.store.files.time.time_ns", lambda at=at: at)
            hashes = FileHashes(memory)
            states = {hashes.state(path) for _ in range(5)}
            hashes.close()
        assert len(states) == 1
        found.append((states.pop().settled, hashes.hashed))
    return found


def test_a_young_file_is_hashed_once_a_run_until_it_has_settled(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    now = time.time_ns()
    runs = [now, now + SETTLE_NS // 2, now + 2 * SETTLE_NS, now + 3 * SETTLE_NS]
    assert hashed_in_runs(path, tmp_path / "files", runs) == [(False, 1), (False, 1), (True, 1), (True, 0)]


@pytest.mark.parametrize("ahead_s", [60, 86_400 * 365])
def test_a_server_s_clock_that_is_ahead_costs_one_more_hash(tmp_path, ahead_s):
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    there = time.time_ns()
    here = there - ahead_s * 10**9
    runs = [here, here + SETTLE_NS // 2, here + SETTLE_NS, here + 5 * SETTLE_NS]
    assert hashed_in_runs(path, tmp_path / "files", runs) == [(False, 1), (False, 1), (True, 1), (True, 0)]
    path.write_bytes(b"xyz")
    assert hashed_in_runs(path, tmp_path / "files", [here + 9 * SETTLE_NS]) == [(False, 1)]


def test_a_clock_that_jumps_back_settles_nothing(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    now = time.time_ns() - 10**15
    assert hashed_in_runs(path, tmp_path / "files", [now, now - 10**12, now - 10**12]) == [(False, 1)] * 3


def test_a_link_is_remembered_where_nothing_but_the_time_of_that_change_is_new(tmp_path, monkeypatch):
    path, other = settled(tmp_path / "a.bin", b"abc"), tmp_path / "b.bin"
    monkeypatch.setattr("face3d_data.store.files.SETTLE_NS", -(10**12))
    first = FileHashes(tmp_path / "files")
    state = first.state(path)
    os.link(path, other)
    first.linked(state, path, other)
    first.close()
    again = FileHashes(tmp_path / "files")
    assert again.digest(path) == again.digest(other) == state.sha256
    assert again.hashed == 0
    other.write_bytes(b"xyzw")
    again.linked(state, other)
    assert again.digest(other) == hashlib.sha256(b"xyzw").hexdigest()
    assert again.hashed == 1
    again.close()


def test_a_memory_of_version_0_1_0_is_left_aside(tmp_path):
    import sqlite3

    with sqlite3.connect(tmp_path / "files") as memory:
        memory.execute(
            "CREATE TABLE files (path BLOB PRIMARY KEY, size INT, mtime INT, ctime INT, inode INT, hashed_at INT, "
            "digest TEXT) WITHOUT ROWID"
        )
    memory.close()
    path = settled(tmp_path / "a.bin", b"abc")
    hashes = FileHashes(tmp_path / "files")
    assert hashes.digest(path) == hashlib.sha256(b"abc").hexdigest()
    hashes.close()


def test_rehash_ignores_what_is_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr("face3d_data.store.files.SETTLE_NS", -(10**12))
    path = settled(tmp_path / "a.bin", b"abc")
    first = FileHashes(tmp_path / "files")
    first.digest(path)
    first.close()
    again = FileHashes(tmp_path / "files", rehash=True)
    again.digest(path)
    assert again.hashed == 1
    again.close()


def test_a_broken_memory_is_started_afresh(tmp_path):
    (tmp_path / "files").write_bytes(b"this is no database, it is longer than a header" * 50)
    path = settled(tmp_path / "a.bin", b"abc")
    hashes = FileHashes(tmp_path / "files")
    assert hashes.digest(path) == hashlib.sha256(b"abc").hexdigest()
    hashes.close()


def test_damage_past_the_first_page_is_started_afresh(tmp_path, monkeypatch):
    monkeypatch.setattr("face3d_data.store.files.SETTLE_NS", -(10**12))
    paths = [settled(tmp_path / f"{i:04d}.bin", b"abc%d" % i) for i in range(400)]
    first = FileHashes(tmp_path / "files")
    want = [first.digest(path) for path in paths]
    first.close()
    data = bytearray((tmp_path / "files").read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    (tmp_path / "files").write_bytes(data)
    again = FileHashes(tmp_path / "files")
    assert [again.digest(path) for path in paths] == want
    again.close()
    third = FileHashes(tmp_path / "files")
    assert [third.digest(path) for path in paths] == want
    assert third.hashed == 0
    third.close()


def test_looking_only_writes_nothing_but_remembers(tmp_path, monkeypatch):
    monkeypatch.setattr("face3d_data.store.files.SETTLE_NS", -(10**12))
    path = settled(tmp_path / "a.bin", b"abc")
    reader = FileHashes(tmp_path / "files", keep=False)
    reader.digest(path)
    reader.close()
    assert not (tmp_path / "files").exists()
    writer = FileHashes(tmp_path / "files")
    writer.digest(path)
    writer.close()
    before = (tmp_path / "files").read_bytes()
    reader = FileHashes(tmp_path / "files", keep=False)
    reader.digest(path)
    reader.close()
    assert reader.hashed == 0
    assert (tmp_path / "files").read_bytes() == before


def test_names_that_are_no_utf8(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.bin")
    hashes = FileHashes(tmp_path / "files")
    assert hashes.digest(settled(path, b"abc")) == hashlib.sha256(b"abc").hexdigest()
    hashes.close()


def test_a_database_of_an_earlier_version_is_looked_at_as_an_empty_one(tmp_path):
    import sqlite3

    (tmp_path / "a.txt").write_text("a")
    old = sqlite3.connect(tmp_path / "files")
    old.execute("CREATE TABLE files (path BLOB PRIMARY KEY, digest TEXT) WITHOUT ROWID")
    old.commit()
    old.close()
    before = (tmp_path / "files").read_bytes()
    hashes = FileHashes(tmp_path / "files", keep=False)
    assert hashes.digest(tmp_path / "a.txt") == digest_file(tmp_path / "a.txt")
    hashes.close()
    assert (tmp_path / "files").read_bytes() == before
    with closing(FileHashes(tmp_path / "files")) as kept:
        assert kept.digest(tmp_path / "a.txt") == digest_file(tmp_path / "a.txt")
