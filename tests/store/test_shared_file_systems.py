"""Network file systems: other machines see other inodes, and locks may not be there."""

from __future__ import annotations

import errno
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest

import face3d_data
import face3d_training
from face3d_data import unchanged
from face3d_data.atomic import atomic_folder
from face3d_data.errors import UserError
from face3d_data.h5_file import open_h5
from face3d_data.store.files import FileHashes
from face3d_data.store.workspace import Workspace
from face3d_data.unchanged import ChangedFile, read_state, same_stat, stat_of

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@dataclass
class Mounts:
    """Text in the place of /proc/self/mountinfo."""

    text: str

    def read_text(self, *_):
        """Return it."""
        return self.text


def mounted(monkeypatch, path, kind):
    device = os.stat(path).st_dev
    line = f"36 35 {os.major(device)}:{os.minor(device)} / /data rw,noatime shared:1 - {kind} server:/data rw\n"
    monkeypatch.setattr(unchanged, "MOUNTS", Mounts("22 1 0:21 / /proc rw - proc proc rw\n" + line))
    monkeypatch.setattr(unchanged, "_network", {})


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "smb3", "lustre", "ceph", "9p", "fuse.sshfs", "fuse", "beegfs"]
)
def test_inode_and_ctime_are_not_trusted_on_a_network_mount(tmp_path, monkeypatch, kind):
    file = tmp_path / "a"
    file.write_text("content")
    stat = os.stat(file)
    assert stat_of(file) == (7, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    mounted(monkeypatch, tmp_path, kind)
    assert stat_of(file) == (7, stat.st_mtime_ns, 0, 0)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "overlay", "tmpfs", "zfs", "nfsd"])
def test_they_are_on_a_local_one(tmp_path, monkeypatch, kind):
    (tmp_path / "a").write_text("content")
    before = stat_of(tmp_path / "a")
    mounted(monkeypatch, tmp_path, kind)
    assert stat_of(tmp_path / "a") == before
    assert before[3] == os.stat(tmp_path / "a").st_ino


def test_a_file_that_another_machine_hashed_is_the_same_file(tmp_path, monkeypatch):
    file = tmp_path / "a"
    file.write_text("content")
    os.utime(file, ns=(10**18, 10**18))
    here = read_state(file)
    mounted(monkeypatch, tmp_path, "nfs4")
    there = read_state(file)
    assert here != there
    assert same_stat(here, there)
    for mine, other in ((here, there), (there, here)):
        with unchanged.unchanged({"depth": file}, {"depth": mine}):
            assert same_stat(mine, other)
    file.write_text("changed")
    with (
        pytest.raises(ChangedFile, match="a changed after it was hashed"),
        unchanged.unchanged({"d": file}, {"d": there}),
    ):
        pass
    assert not same_stat(here, here._replace(inode=here.inode + 1))
    assert not same_stat(there, there._replace(mtime_ns=1))


def test_what_was_hashed_under_another_inode_is_not_hashed_again(tmp_path, monkeypatch):
    file = tmp_path / "a"
    file.write_text("content")
    os.utime(file, ns=(10**18, 10**18))
    mounted(monkeypatch, tmp_path, "nfs4")
    for hashed in (1, 0):
        hashes = FileHashes(tmp_path / "files")
        monkeypatch.setattr("face3d_data.store.files._is_settled", lambda *_: True)
        hashes.digest(file)
        assert hashes.hashed == hashed
        hashes.close()
        content = file.read_bytes()
        file.unlink()
        file.write_bytes(content)  # as a file server does that is started again: another number, the same file
        os.utime(file, ns=(10**18, 10**18))


@pytest.mark.parametrize("code", NO_LOCKS)
def test_a_workspace_without_locks_is_one_line(tmp_path, monkeypatch, code):
    def no_lock(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", no_lock)
    space = Workspace(tmp_path / "work")
    for hold in (space.running("p"), space.publishing("d"), space.alone()):
        with pytest.raises(UserError, match=r"the file system gives no lock .*: mount it with locks") as stop, hold:
            pass
        assert "\n" not in str(stop.value)
        assert str(tmp_path / "work") in str(stop.value)
    with atomic_folder(tmp_path / "out") as partial:
        (partial / "a").write_text("1")
    with atomic_folder(tmp_path / "out") as partial:
        (partial / "a").write_text("2")
    assert (tmp_path / "out" / "a").read_text() == "2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "work"]


def test_hdf5_files_are_read_while_another_program_holds_a_lock_on_them(tmp_path, monkeypatch):
    monkeypatch.delenv("HDF5_USE_FILE_LOCKING", raising=False)
    with open_h5(tmp_path / "a.h5", "w") as file:
        file["x"] = np.arange(3)
    with open(tmp_path / "a.h5", "rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="lock"):
            h5py.File(tmp_path / "a.h5", "r", locking=True)
        with open_h5(tmp_path / "a.h5") as file:
            assert file["x"][:].tolist() == [0, 1, 2]


def test_only_one_function_opens_hdf5_files():
    found = [
        str(path)
        for package in (face3d_data, face3d_training)
        for path in Path(package.__file__).parent.rglob("*.py")
        if "h5py.File(" in path.read_text() and "backing_store=False" not in path.read_text()
    ]
    assert [Path(path).name for path in found] == ["h5_file.py"]
