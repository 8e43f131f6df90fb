"""The walk that readers of folders share: what disks and archives leave behind is no capture."""

import os

import pytest

from face3d_data.errors import UserError
from face3d_data.readers.folder import walk


@pytest.mark.parametrize("name", ["__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"])
def test_leftovers_are_not_entered(tmp_path, name):
    for folder in (tmp_path / name, tmp_path / "ann" / name):
        folder.mkdir(parents=True)
        (folder / "a_color.png").write_bytes(b"x")
    (tmp_path / "ann" / "a_color.png").write_bytes(b"x")
    assert [(folder.name, folder.files) for folder in walk(tmp_path)] == [("", ()), ("ann", ("a_color.png",))]


def test_a_folder_that_may_not_be_read_is_said_with_the_remedy(tmp_path, monkeypatch):
    (tmp_path / "ann").mkdir()
    scan = os.scandir

    def refusing(path):
        if str(path).endswith("ann"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(UserError, match=r"ann: cannot be read \(Permission denied\): allow it, or set root to another"):
        list(walk(tmp_path))
