"""The workspace folder: cached steps, runs and datasets, and the locks that keep runs apart."""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from face3d_data.atomic import make_folder, share_mask, write_atomic
from face3d_data.errors import UserError
from face3d_data.store.add_part import add_part
from face3d_data.store.cache_lock import CacheLock
from face3d_data.store.files import FileHashes
from face3d_data.store.part import BadPart, PartRow
from face3d_data.store.step_rows import StepRows, parts_digest, read_rows

log = logging.getLogger("face3d_data")


class StepCache:
    """What one component, with one fingerprint, has made so far: `cache/<name>-<fingerprint>`.

    Args:
        folder: the folder.
        in_use: folders whose rows were read, of all caches of a workspace.
        written: names of the parts that workers wrote, by folder, of all caches of a workspace.
    """

    def __init__(
        self, folder: Path, in_use: set[Path] | None = None, written: dict[Path, set[str]] | None = None
    ) -> None:
        self.folder = folder
        self.parts = folder / "parts"
        self.bad: list[BadPart] = []
        self._in_use = set() if in_use is None else in_use
        self._written = {} if written is None else written

    @property
    def in_use(self) -> bool:
        """Whether the workspace has read its rows, so that places in its parts may be held."""
        return self.folder in self._in_use

    def describe(self, record: dict[str, Any]) -> None:
        """Keep what the component is, for people and for `gc`; written once."""
        path = self.folder / "stage.json"
        if not path.exists():
            write_atomic(path, json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n")

    def rows(self, keep: bool = False) -> StepRows:
        """Return the newest rows of each input key; bad parts count as absent.

        Args:
            keep: write the indexes of parts that have none, so that these need not be read again.
        """
        self._in_use.add(self.folder)
        rows, bad = read_rows(self.parts, keep, self._written.get(self.folder, ()))
        for error in bad:
            log.warning("%s: counts as absent and is made again", error)
        self.bad += bad
        return rows

    def note_written(self, names: Iterable[str], instead_of: Iterable[str] = ()) -> None:
        """Keep in mind parts that a worker has written, and that others have gone: a listing may be a minute old."""
        known = self._written.setdefault(self.folder, set())
        known.difference_update(instead_of)
        known.update(names)

    def state(self) -> str:
        """Return a digest of the state of all parts: while it is the same, so are the rows."""
        return parts_digest(self.parts)

    def discard_bad(self) -> None:
        """Remove the rows of parts that `rows` found to be bad, so that it warns once."""
        for error in self.bad:
            error.discard()
        self.bad.clear()

    def add(self, rows: list[PartRow]) -> None:
        """Store rows that have no arrays."""
        add_part(self.parts, rows)


class Workspace:
    """A folder with `cache/`, `runs/` and `datasets/`.

    Args:
        root: the folder; made on first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))
        if self.root.exists() and not self.root.is_dir():
            raise UserError(f"workspace {root} is a file: give a folder with -w/--workspace")
        self._lock = CacheLock(self.cache)
        self._in_use: set[Path] = set()
        self._written: dict[Path, set[str]] = {}

    @property
    def cache(self) -> Path:
        """Folder of all cached steps."""
        return self.root / "cache"

    @property
    def datasets(self) -> Path:
        """Folder of all published datasets."""
        return self.root / "datasets"

    def run_dir(self, pipeline: str) -> Path:
        """Return the folder of a pipeline's run."""
        return self.root / "runs" / pipeline

    def run_names(self) -> list[str]:
        """Return the names of the pipelines that ran here."""
        runs = self.root / "runs"
        return sorted(path.name for path in runs.iterdir() if path.is_dir()) if runs.exists() else []

    def step_cache(self, name: str, fingerprint: str) -> StepCache:
        """Return the cache of a component with this fingerprint."""
        return StepCache(self.cache / cache_folder(name, fingerprint), self._in_use, self._written)

    def file_hashes(self, rehash: bool = False, keep: bool = True) -> FileHashes:
        """Open the memory of file hashes; without `keep` nothing is written."""
        return FileHashes(self.cache / "files", rehash, keep)

    def keep_parts(self) -> None:
        """Let no other process merge parts while this object is there: places in them may be held; waits for one."""
        self._lock.share(make=False)

    def merging(self) -> AbstractContextManager[bool]:
        """Return a block in which parts may be merged, if it gets true: nobody else holds places in them."""
        return self._lock.alone()

    @contextmanager
    def running(self, pipeline: str) -> Iterator[None]:
        """Hold the pipeline for this process, and keep `gc` out, until the block ends; `keep_parts`.

        Raises:
            UserError: the same pipeline runs already, or `gc` does.
        """
        with (
            _lock(self.root / "lock", fcntl.LOCK_SH, f"gc is at work in {self.root}: wait for it"),
            _lock(
                self.run_dir(pipeline) / "lock",
                fcntl.LOCK_EX,
                f"pipeline {pipeline!r} is running already in {self.root}: wait for it, or use another workspace (-w)",
            ),
        ):
            self._lock.share(make=True)
            yield

    @contextmanager
    def publishing(self, dataset: str) -> Iterator[None]:
        """Hold a dataset's name for this process until the block ends.

        Raises:
            UserError: another run publishes a dataset of that name.
        """
        message = f"dataset {dataset!r} is being written by another run in {self.root}: wait for it, or rename one"
        with _lock(self.datasets / f".{dataset}.lock", fcntl.LOCK_EX, message):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the whole workspace, as `gc` needs it.

        Raises:
            UserError: a run is at work.
        """
        with _lock(self.root / "lock", fcntl.LOCK_EX, f"a run is at work in {self.root}: wait for it to end"):
            yield


def cache_folder(name: str, fingerprint: str) -> str:
    """Return the name of the cache folder of a component with this fingerprint."""
    return f"{name}-{fingerprint[:16]}"


@contextmanager
def _lock(path: Path, kind: int, message: str) -> Iterator[None]:
    try:
        make_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666 & ~share_mask())
    except OSError as error:
        raise UserError(
            f"workspace {path.parent} cannot be written ({error.strerror}): choose another with -w/--workspace"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(message) from None
        except OSError as error:
            raise UserError(
                f"{path}: the file system gives no lock ({error.strerror}), without which two runs would destroy each "
                "other's work: mount it with locks (NFS: without nolock; Lustre: with flock), or use another "
                "workspace (-w)"
            ) from None
        yield
    finally:
        os.close(descriptor)
