"""Run folder of a training: made once, and continued only on request."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from face3d_data.atomic import make_folder, write_atomic
from face3d_data.digest import digest
from face3d_data.errors import UserError
from face3d_data.shards.read import Dataset
from face3d_training.checkpoint import CHECKPOINT_FOLDER, LAST_CHECKPOINT, read_checkpoint
from face3d_training.config import TrainConfig, as_mapping

ABOUT = "run.json"
MAY_CHANGE = ("device", "workers", "threads", "epochs", "checkpoint_every", "compile", "description")
"""Keys that a resumed run may change: they decide where and how long it runs, not what it computes."""
ABSENT = object()
VERSIONED = ("face3d_data", "torch", "numpy", "lightning-fabric", "pytorch-metric-learning")


def find_run(
    folder: str | Path, config: TrainConfig, dataset: Dataset, resume: bool, restart: bool = False
) -> dict[str, Any] | None:
    """Return the state of a stopped run, or None if a new one may start; writes nothing.

    Args:
        folder: the run's folder.
        config: how it is to be trained.
        dataset: what it is trained on.
        resume: continue an existing run.
        restart: an existing run may be removed.

    Returns:
        The last checkpoint, or None for a new run.

    Raises:
        UserError: the folder is in use and neither is set, or there is no run to continue, or config or dataset
            differ from those of the run.
    """
    folder = Path(folder)
    last = folder / CHECKPOINT_FOLDER / LAST_CHECKPOINT
    if not resume:
        _check_free(folder, last.is_file(), restart)
        return None
    if not last.is_file():
        raise UserError(
            f"{folder}: has no {CHECKPOINT_FOLDER}/{LAST_CHECKPOINT} to resume: "
            "leave out --resume, or set --out to the run's folder"
        )
    state = read_checkpoint(last)
    _check_same(folder, json.loads(state["config"]), config, state["dataset"], dataset)
    return state


def _check_free(folder: Path, resumable: bool, restart: bool) -> None:
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not os.access(there, os.W_OK) or not (there.is_dir() or there == folder.absolute()):
        raise UserError(f"{folder}: cannot be made, as {there} is not a writable folder: use another --out")
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / ABOUT).is_file():
        raise UserError(f"{folder}: is not empty, and is not a run: use another --out")
    if not restart:
        remedy = "--resume continues it, --restart removes it" if resumable else "--restart removes it"
        raise UserError(f"{folder}: already contains a run: {remedy}; or use another --out")


def describe_run(
    folder: str | Path, config: TrainConfig, dataset: Dataset, resume: bool, leaks: Sequence[str] = ()
) -> None:
    """Write the description of a run into its folder; a new run first removes what another one left there.

    Args:
        folder: the run's folder.
        config: how it is trained.
        dataset: what it is trained on.
        resume: an earlier run is continued.
        leaks: what splits share of the datasets that it learns from, in words.
    """
    folder = Path(folder)
    if not resume:
        _empty(folder)
    make_folder(folder)
    write_atomic(folder / "config.yaml", yaml.safe_dump(dict(as_mapping(config)), sort_keys=False, allow_unicode=True))
    about = {
        "dataset": dataset.name,
        "dataset_path": str(dataset.path.resolve()),
        "dataset_digest": dataset_digest(dataset),
        "allow_leaks": config.allow_leaks,
        "leaks": list(leaks),
        "seed": config.seed,
        "git": git_state(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: version(name) for name in VERSIONED},
    }
    write_atomic(folder / ABOUT, json.dumps(about, indent=2) + "\n")


def remove_run(folder: str | Path) -> None:
    """Remove a run; its folder stays where it cannot be removed, such as a place where a disk is mounted."""
    folder = Path(folder)
    _empty(folder)
    with suppress(OSError):
        folder.rmdir()


def _empty(folder: Path) -> None:
    for path in folder.iterdir() if folder.exists() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _check_same(folder: Path, before: dict[str, Any], config: TrainConfig, digest: str, dataset: Dataset) -> None:
    with suppress(ValidationError):
        before = dict(as_mapping(TrainConfig(**before)))  # keys that came since have their defaults
    was, now = _flat(before), _flat(as_mapping(config))
    changed = sorted(
        key for key in {*was, *now} if key not in MAY_CHANGE and was.get(key, ABSENT) != now.get(key, ABSENT)
    )
    if changed:
        key = changed[0]
        raise UserError(
            f"{folder}: was started with another {key} ({_short(was.get(key))} → {_short(now.get(key))}): a resumed "
            f"run keeps its config except {', '.join(MAY_CHANGE)}: use --config {folder / 'config.yaml'} alone, or "
            "another --out to start a new run"
        )
    if dataset_digest(dataset) != digest:
        raise UserError(
            f"{folder}: was started with another dataset than {dataset.path}: use that one, or another --out"
        )


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a config's values by dotted keys."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        inner = isinstance(value, Mapping) and value
        found |= _flat(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value}
    return found


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."


def dataset_digest(dataset: Dataset) -> str:
    """Return a digest of all of a dataset's files, by the hashes that its dataset.json holds."""
    return digest(dataset.info.get("files", {}))


def git_state() -> dict[str, Any] | None:
    """Return commit and whether files differ from it, of the repository that the process runs in; None outside one."""
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=False)
        status = subprocess.run(
            ["git", "status", "--porcelain"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if commit.returncode:
        return None
    return {"commit": commit.stdout.strip(), "changed": bool(status.stdout.strip())}
