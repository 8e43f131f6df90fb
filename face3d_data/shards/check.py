"""Check of a dataset's files against the sizes and hashes in its dataset.json, before they are used."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from face3d_data.digest import digest_file
from face3d_data.errors import UserError, refusal
from face3d_data.plurals import counted
from face3d_data.shards.read import Dataset
from face3d_data.shards.schema import DESCRIPTION, OWN_DIGEST, description_digest

THREADS = 4
"""Files that are hashed at a time, where there are cores: hashing lets other threads run."""
SHOWN = 3

_checked: set[tuple[Path, str]] = set()
"""Folders that this process has checked, each with the digest of the dataset.json that it was checked by."""


def checked_dataset(path: str | Path, check: bool = True) -> Dataset:
    """Open a dataset whose files are what its dataset.json says; each is hashed once in a process.

    Args:
        path: the dataset's folder.
        check: False: open it unchecked.

    Raises:
        UserError: no dataset, or files are missing, damaged or changed; the message says how to get them again.
    """
    path = Path(path)
    dataset = Dataset(path)
    if not check:
        return dataset
    state = (dataset.path.resolve(), digest_file(dataset.path / DESCRIPTION))
    if state not in _checked:
        _refuse(dataset, list(faults(dataset.path, dataset.info)))
        _checked.add(state)
    return dataset


def _refuse(dataset: Dataset, found: list[tuple[str, str]]) -> None:
    if not found:
        return
    shown = "; ".join(f"{name} {what}" for name, what in found[:SHOWN])
    more = f"; {counted(len(found) - SHOWN, 'more file')}" if len(found) > SHOWN else ""
    raise UserError(
        f"dataset {dataset.path} is damaged or was changed: {shown}{more}: {_remedy(dataset)}; --no-check takes it as "
        "it is"
    )


def _remedy(dataset: Dataset) -> str:
    """Return the command that writes a dataset again, where it lies in the workspace that made it."""
    workspace = dataset.path.absolute().parent.parent
    text = workspace / "runs" / str(dataset.info.get("pipeline")) / "pipeline.yaml"
    if not text.is_file():
        return "copy it again, or run its pipeline where it was made, which writes it again"
    return f"`face3d run {shlex.quote(str(text))} -w {shlex.quote(str(workspace))}` writes it again"


def faults(
    folder: str | Path, info: Mapping[str, Any], hash_file: Callable[[Path], str] | None = None
) -> Iterator[tuple[str, str]]:
    """Yield each file of a dataset that is not what its dataset.json says, and what is wrong with it.

    Args:
        folder: the dataset's folder.
        info: its dataset.json, with `files` (name to SHA-256) and `bytes` (name to size).
        hash_file: gives the SHA-256 of a file, in this thread; by default files are hashed in several.

    Raises:
        UserError: a file cannot be read, which says nothing of what it holds.
    """
    folder = Path(folder)
    if info.get(OWN_DIGEST) != description_digest(info):
        yield DESCRIPTION, "was changed or damaged: its own digest is another"
        return
    names = sorted(info["files"])
    if hash_file is not None:
        yield from ((name, what) for name in names if (what := _fault(folder / name, name, info, hash_file)))
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(min(THREADS, cores)) as pool:
        said = pool.map(lambda name: _fault(folder / name, name, info, digest_file), names)
        yield from ((name, what) for name, what in zip(names, said, strict=True) if what)


def _fault(path: Path, name: str, info: Mapping[str, Any], hash_file: Callable[[Path], str]) -> str:
    try:
        size, wanted = path.stat().st_size, info.get("bytes", {}).get(name)
        if wanted is not None and size != wanted:
            return f"has {size} bytes where dataset.json says {wanted}"
        if hash_file(path) != info["files"][name]:
            return "has another sha256 than dataset.json says: it was changed or damaged"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        raise UserError(f"{path}: {refusal(error)}") from None
    return ""
