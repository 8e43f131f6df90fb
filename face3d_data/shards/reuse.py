"""Reuse of shards: those of other versions of a dataset whose rows are the same become shards of the next version.

They are hard links where the file system has them, clones where it shares blocks (FICLONE of Linux), else copies.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from face3d_data.atomic import TEMPORARY_SUFFIX, atomic_path, make_folder, share_mask, sync
from face3d_data.digest import digest_file
from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.shards.found import read_description
from face3d_data.shards.mapped import MappedShard, ShardHeader
from face3d_data.shards.write import ShardInfo, ShardTask
from face3d_data.unchanged import FileState

FICLONE = 0x40049409
"""Request of ioctl_ficlone(2): the target shares the blocks of the source until one of them is written to."""
NO_LINKS = (errno.EPERM, errno.EACCES, errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""Errors of link(2) that say that this file cannot have another name here."""


@dataclass(frozen=True)
class ReusedShard:
    """A shard that was taken over.

    Attributes:
        info: as `write_shard` would return it.
        linked: state of the file before it was linked; None: it was cloned or copied.
        other: the file that it was taken from.
    """

    info: ShardInfo
    linked: FileState | None
    other: Path


VERSION = re.compile(r"(.+)-[0-9a-f]{16}")
"""Name of the folder of a dataset's version: the dataset's name and the start of its digest."""


def dataset_names(datasets: str | Path) -> list[str]:
    """Return the names of the datasets of which there is any version."""
    return sorted({found[1] for path in Path(datasets).glob("*") if (found := VERSION.fullmatch(path.name))})


def versions_of(datasets: str | Path, name: str) -> list[Path]:
    """Return the folders of a dataset's versions, the one that its name links to first, then the newest first."""
    datasets = Path(datasets)
    found = [path for path in datasets.glob(f"{glob.escape(name)}-*") if path.is_dir()]
    found = [path for path in found if (whole := VERSION.fullmatch(path.name)) and whole[1] == name]
    now = (datasets / name).resolve().name
    return sorted(found, key=lambda path: (path.name != now, -path.stat().st_mtime_ns, path.name))


def older_versions(datasets: str | Path, name: str) -> list[str]:
    """Return a line where there are versions of a dataset that its name does not link to, with what removes them."""
    older = versions_of(datasets, name)[1:]
    if not older:
        return []
    what = "it" if len(older) == 1 else "them"
    return [f"{counted(len(older), 'older version')} of {name!r} kept: `face3d gc --datasets 1 --apply` removes {what}"]


def reuse_shards(
    tasks: Sequence[ShardTask], versions: Sequence[str | Path], state_of: Callable[[Path], FileState]
) -> Iterator[ReusedShard]:
    """Take over what other versions have of the shards that are to be written; a damaged shard is left alone.

    Args:
        tasks: the shards; those whose file is there already are left to `write_shard`.
        versions: folders of other versions.
        state_of: hashes a file, or knows its hash.
    """
    wanted = {task.made_of: task for task in tasks if not task.path.exists()}
    folders = set()
    for name, record, version, sha256 in _recorded(versions):
        task = wanted.get(record.get("made_of", ""))
        if task is None:
            continue
        reused = _take(version / name, sha256, record, task, state_of)
        if reused is not None:
            del wanted[task.made_of]
            folders.add(task.path.parent)
            yield reused
        if not wanted:
            break
    for folder in folders:
        sync(folder)


def _recorded(versions: Sequence[str | Path]) -> Iterator[tuple[str, dict[str, Any], Path, str]]:
    """Yield name, record, version and SHA-256 of every shard; versions that cannot be read have none to give."""
    for version in map(Path, versions):
        try:
            info = read_description(version)
            shards, files = info["shards"], info["files"]
            found = [(name, record, version, files[name]) for name, record in shards.items()]
        except (UserError, KeyError, TypeError, AttributeError):
            continue
        yield from found


def _take(
    path: Path, sha256: str, record: dict[str, Any], task: ShardTask, state_of: Callable[[Path], FileState]
) -> ReusedShard | None:
    try:
        state = state_of(path)
        header = ShardHeader.of(record)
    except (OSError, KeyError):
        return None
    if state.sha256 != sha256 or header.rows != len(task.rows):
        return None
    linked = _link(path, task.path)
    if not linked and not _copy(path, task.path, sha256):
        return None
    contents = MappedShard(task.path).arrays["content"].copy()
    info = ShardInfo(task.name, task.made_of, sha256, header, contents, reused=True)
    return ReusedShard(info, state if linked else None, path)


def _link(path: Path, target: Path) -> bool:
    """Give a file a second name; False where that cannot be, or where it would have other rights than new files."""
    if path.stat().st_mode & 0o777 != 0o666 & ~share_mask():
        return False
    make_folder(target.parent)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    try:
        os.link(path, temporary)
    except OSError as error:
        if error.errno in NO_LINKS:
            return False
        raise
    try:
        os.replace(temporary, target)
    finally:
        with suppress(FileNotFoundError):  # of two names of one file, rename(2) removes neither
            temporary.unlink()
    return True


def _copy(path: Path, target: Path, sha256: str) -> bool:
    """Clone or copy a file; False where the copy is another."""
    with atomic_path(target) as temporary:
        if not _clone(path, temporary):
            shutil.copyfile(path, temporary)
        if digest_file(temporary) == sha256:
            return True
        raise UserError(f"{path}: changed while it was copied: run again when nothing writes to it")


def _clone(path: Path, target: Path) -> bool:
    with open(path, "rb") as source, open(target, "wb") as clone:
        try:
            fcntl.ioctl(clone, FICLONE, source.fileno())
        except OSError:
            return False
    return True
