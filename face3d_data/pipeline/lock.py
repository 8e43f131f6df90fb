"""Lock: record of what the last complete run was made of. `--explain` compares with it, `gc` keeps what it needs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from face3d_data.atomic import write_atomic
from face3d_data.digest import digest, digest_file
from face3d_data.errors import UserError
from face3d_data.pipeline.sources import describe_source as describe_source
from face3d_data.pipeline.spec import Pipeline
from face3d_data.pipeline.steps import describe_step as describe_step
from face3d_data.pipeline.steps import installed_packages
from face3d_data.stage import Stage
from face3d_data.store.newest_rows import unique_keys
from face3d_data.store.workspace import cache_folder
from face3d_data.version import __version__
from face3d_data.yaml_file import read_yaml

LOCK = "lock.yaml"
HEAD = "# SHA-256 of what follows: "
"""Beginning of a lock's first line."""
MOST_VALUES = 1_000_000
"""Values that a lock may hold: it names every parameter of every step, which a pipeline need not."""


def lock_record(pipeline: Pipeline) -> dict[str, Any]:
    """Return the resolved pipeline: every parameter, fingerprint and version; no paths, times or hosts."""
    steps = {}
    for step in pipeline.steps:
        record = describe_step(step, pipeline.seed)
        record.pop("packages")
        steps[step.id] = {**record, "from": list(step.upstream), "where": dict(step.where)}
    return {
        "name": pipeline.name,
        "seed": pipeline.seed,
        "version": __version__,
        "packages": installed_packages(),
        "sources": {
            source.id: {
                **describe_source(source, source.reader.fingerprint()),
                "dataset": source.dataset,
                "tags": dict(source.tags),
                "capture_prefix": source.capture_prefix,
            }
            for source in pipeline.sources
        },
        "steps": steps,
        "datasets": {name: spec.model_dump(mode="json", by_alias=True) for name, spec in pipeline.datasets.items()},
    }


def pipeline_digest(pipeline: Pipeline) -> str:
    """Return the digest of what decides a pipeline's results: not library versions, nor the order of upstreams."""
    record = lock_record(pipeline)
    for step in record["steps"].values():
        step["from"] = sorted(step["from"])
    return digest({name: record[name] for name in ("name", "seed", "sources", "steps", "datasets")})


def keys_digest(keys: np.ndarray) -> str:
    """Return the digest of the file in which a lock keeps the keys, S (n,), of a step's inputs."""
    return hashlib.sha256(_keys_text(keys)).hexdigest()


def keys_are(run_dir: Path, name: str, content: str) -> bool:
    """Return whether the file of a step's keys is there, by its digest."""
    path = run_dir / "keys" / f"{name}.txt"
    return path.exists() and digest_file(path) == content


def _keys_text(keys: np.ndarray) -> bytes:
    return b"\n".join([*unique_keys(keys).tolist(), b""])


def write_lock(run_dir: Path, pipeline: Pipeline, keys: Mapping[str, np.ndarray], measured: Mapping[str, str]) -> None:
    """Record a complete run: the input keys of each cached step, then the lock.

    Args:
        run_dir: the run's folder.
        pipeline: what was run.
        keys: source or step to the keys of its inputs, S (n,), of those whose file is not there already.
        measured: id to cache folder of steps that a dataset added.
    """
    for name, inputs in keys.items():
        write_atomic(run_dir / "keys" / f"{name}.txt", _keys_text(inputs))
    record = {**lock_record(pipeline), "measured": dict(measured)}
    text = yaml.safe_dump(record, sort_keys=False, allow_unicode=True)
    write_atomic(run_dir / LOCK, f"{HEAD}{_text_digest(text)}\n{text}")


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read_lock(run_dir: Path) -> dict[str, Any] | None:
    """Return the lock of the last complete run, or None.

    Raises:
        UserError: it is damaged.
    """
    try:
        head, _, text = (run_dir / LOCK).read_text("utf-8").partition("\n")
        if head.startswith(HEAD) and head != HEAD + _text_digest(text):  # that of an earlier version has no digest
            raise UserError(f"{run_dir / LOCK}: is damaged: run its pipeline to the end, which writes it again")
    except (OSError, UnicodeDecodeError):
        pass  # `read_yaml` says what is wrong
    try:
        return read_yaml(run_dir / LOCK, "what a run writes", MOST_VALUES)
    except UserError as error:
        if not (run_dir / LOCK).exists():
            return None
        raise UserError(f"{error}: remove it and run again") from None


def cache_folders(lock: Mapping[str, Any]) -> dict[str, str]:
    """Return, for each source and stage of a lock, the name of its folder in the cache."""
    records = {**lock["sources"], **{i: step for i, step in lock["steps"].items() if step["kind"] == Stage.kind}}
    folders = {name: cache_folder(record["name"], record["fingerprint"]) for name, record in records.items()}
    return {**folders, **lock.get("measured", {})}
