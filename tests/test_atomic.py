"""A file is there whole, or as it was before."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from face3d_data.atomic import SHARE, TEMPORARY_SUFFIX, atomic_folder, atomic_path, write_atomic
from face3d_data.errors import UserError


def test_content_appears_only_at_the_end(tmp_path):
    target = tmp_path / "sub" / "file.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
        assert temporary.parent == target.parent
        assert temporary.name.endswith(TEMPORARY_SUFFIX)
    assert target.read_text() == "new"
    assert [p.name for p in target.parent.iterdir()] == ["file.txt"]


def test_an_exception_leaves_the_old_file_and_no_other(tmp_path):
    target = tmp_path / "file.txt"
    write_atomic(target, "old")
    with pytest.raises(ValueError, match="null character"), atomic_path(target) as temporary:
        temporary.write_text("half", newline="\0")
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


def test_text_is_written_as_utf8_with_its_own_newlines(tmp_path):
    write_atomic(tmp_path / "t", "é\r\n\n")
    assert (tmp_path / "t").read_bytes() == b"\xc3\xa9\r\n\n"


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out"
    with pytest.raises(ZeroDivisionError), atomic_folder(path) as partial:
        (partial / str((partial / "half").touch() or path.exists() or 1 / 0)).touch()
    assert list(tmp_path.iterdir()) == []
    with atomic_folder(path) as partial:
        (partial / "sub").mkdir()
        (partial / "sub" / "a").write_text("1")
    assert [p.relative_to(tmp_path).as_posix() for p in sorted(tmp_path.rglob("*"))] == ["out", "out/sub", "out/sub/a"]


def test_a_folder_that_is_there_is_replaced_only_by_a_whole_one(tmp_path):
    path = tmp_path / "out"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(RuntimeError), atomic_folder(path):
        raise RuntimeError
    assert (path / "old").exists()
    with atomic_folder(path) as partial:
        (partial / "new").touch()
    assert [p.name for p in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


HELD = """
import os, sys
from pathlib import Path
from face3d_data.atomic import atomic_folder
with atomic_folder(Path(sys.argv[1])) as partial:
    (partial / "half").touch()
    print(partial, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_left_is_removed_and_what_one_holds_is_not(tmp_path):
    path = tmp_path / "out[1]"
    running = subprocess.Popen(
        [sys.executable, "-c", HELD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    held = Path(running.stdout.readline().strip())
    (tmp_path / f".other.abc{TEMPORARY_SUFFIX}").mkdir()
    with atomic_folder(path):
        assert held.exists(), "its process is at work"
    running.kill()
    running.wait()
    running.stdin.close()
    running.stdout.close()
    assert (held / "half").exists()
    with atomic_folder(path):
        assert not held.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == [f".other.abc{TEMPORARY_SUFFIX}", "out[1]"]


def test_files_and_folders_are_for_whom_they_are_shared_with(tmp_path, monkeypatch):
    for share, file, folder in (("private", 0o600, 0o700), ("group", 0o640, 0o750), ("all", 0o644, 0o755)):
        monkeypatch.setenv(SHARE, share)
        write_atomic(tmp_path / share / "deep" / "a.txt", "x")
        rights = [stat.S_IMODE((tmp_path / share / name).stat().st_mode) for name in ("", "deep", "deep/a.txt")]
        assert rights == [folder, folder, file]
    monkeypatch.setenv(SHARE, "world")
    with pytest.raises(UserError, match="FACE3D_SHARE=world: give private, group, all"):
        write_atomic(tmp_path / "b.txt", "x")
    assert not (tmp_path / "b.txt").exists()
