"""Check of a cluster's workers: they see the files, and have the package and the libraries, that the driver has."""

from __future__ import annotations

import hashlib
import platform
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path

import face3d_data
from face3d_data.atomic import TEMPORARY_SUFFIX, make_folder
from face3d_data.errors import UserError

LIBRARIES = (
    *("numpy", "scipy", "pandas", "h5py", "torch", "opencv-python-headless", "trimesh", "mtcnn", "open3d-cpu"),
    *("open3d", "fpsample", "small_gicp"),
)
"""What results are computed with: another version may give other bytes."""


@dataclass(frozen=True)
class Surroundings:
    """What a process has around it.

    Attributes:
        text: of the file that it was asked to read; empty where that is not there.
        missing: the folders, of those asked for, that are not there.
        versions: of Python, of this package with a digest of its code, of libraries and of plugins.
    """

    text: str
    missing: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


def surroundings(path: str, roots: Sequence[str]) -> Surroundings:
    """Look at what this process has around it.

    Args:
        path: of a file that is new.
        roots: folders of sources.
    """
    try:
        text = Path(path).read_text()
    except OSError:
        text = ""
    return Surroundings(text, tuple(root for root in roots if not Path(root).exists()), _versions())


@contextmanager
def asking(folder: Path, roots: Sequence[Path]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give the arguments of `surroundings`: the path of a file that is new in a folder, and roots of sources.

    The file is removed when the block ends.

    Raises:
        OSError: the folder cannot be written.
    """
    make_folder(folder)
    path = folder / f".seen.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
    path.write_text(secrets.token_hex(16))
    try:
        yield str(path), tuple(map(str, roots))
    finally:
        path.unlink(missing_ok=True)


def compare(worker: str, there: Surroundings, here: Surroundings, folder: Path) -> None:
    """Check that what a worker has is what the driver has.

    Raises:
        UserError: naming the worker, the first difference, and the remedy.
    """
    if there.text != here.text:
        raise UserError(f"worker {worker} does not see the files of {folder}: mount it there under the same path")
    lacking = [root for root in there.missing if root not in here.missing]
    if lacking:
        raise UserError(f"worker {worker} does not see the source {lacking[0]}: mount it there under the same path")
    for name in sorted({*here.versions, *there.versions}):
        mine, other = here.versions.get(name, "none"), there.versions.get(name, "none")
        if mine != other:
            raise UserError(
                f"worker {worker} has {name} {other}, this machine {mine}: results might differ; install the same there"
            )


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version(), "face3d_data": f"{face3d_data.__version__} (code {_code_digest()})"}
    for name in LIBRARIES:
        try:
            found[name] = version(name).partition("+")[0]  # a build for CUDA is the same release
        except PackageNotFoundError:
            continue
    for point in entry_points(group="face3d_data.components"):
        if point.dist is not None:
            found[point.dist.name] = point.dist.version
    return found


def _code_digest() -> str:
    root = Path(face3d_data.__file__).parent
    whole = hashlib.blake2b(digest_size=4)
    for path in sorted(root.rglob("*.py")):
        whole.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return whole.hexdigest()
