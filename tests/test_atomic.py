"""A file is there whole, or as it was before."""

from __future__ import annotations

import pytest

from face3d_data.atomic import TEMPORARY_SUFFIX, atomic_path, write_atomic


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
