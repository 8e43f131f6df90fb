"""Embeddings of many rows in parts on the disk, so that a command that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from face3d_data.atomic import atomic_path, make_folder, write_atomic
from face3d_data.errors import UserError
from face3d_data.json_text import parse_json
from face3d_training.data import FaceRows
from face3d_training.embedding import embed_rows
from face3d_training.models.embedding_net import EmbeddingNet

PART_ROWS = 1024
"""Rows of a part: what a stopped command loses at most."""
JOB, PART, SHA256, EMBEDDINGS = "job.json", ".safetensors", "sha256", "embeddings"


def parts_folder(out: str | Path) -> Path:
    """Return the folder beside a file of embeddings that holds its parts until it is written."""
    out = Path(out)
    return out.with_name(f"{out.name}.parts")


def check_parts(out: str | Path, job: Mapping[str, Any]) -> int:
    """Check, before any work, that parts which are there already are of the same embeddings.

    Args:
        out: the file of embeddings.
        job: what decides the embeddings, as plain values.

    Returns:
        Number of parts that are there.

    Raises:
        UserError: they are of others, or are no parts.
    """
    folder = parts_folder(out)
    if not folder.exists():
        return 0
    try:
        before = parse_json((folder / JOB).read_text("utf-8"))
    except (OSError, ValueError):
        before = None
    if not isinstance(before, dict):
        raise UserError(f"{folder}: holds no parts of embeddings: remove it, or use another name for --out")
    differing = [key for key in job if before.get(key) != job[key]]
    if differing:
        raise UserError(
            f"{folder}: holds parts of other embeddings ({', '.join(differing)} differ): give the options that these "
            "were begun with, remove it, or use another name for --out"
        )
    return sum(1 for _ in folder.glob(f"*{PART}"))


def embed_in_parts(
    net: EmbeddingNet,
    rows: FaceRows,
    out: str | Path,
    job: Mapping[str, Any],
    device: torch.device | str = "cpu",
    workers: int = 0,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Return the embedding of every row, as `embed_rows` gives it; parts that are on the disk are not computed again.

    Args:
        net: the network, on `device`.
        rows: the faces.
        out: the file that the embeddings are for; parts are kept in `parts_folder`, where rows are more than one part.
        job: what decides the embeddings; of `check_parts`.
        device: where the network is.
        workers: loader processes.
        progress: called with the number of faces done.

    Raises:
        UserError: parts cannot be written.
    """
    folder, found = parts_folder(out), []
    for start in range(0, len(rows), PART_ROWS):
        only = range(start, min(start + PART_ROWS, len(rows)))
        part = folder / f"{start:09d}{PART}"
        vectors = _read(part, (len(only), net.embedding_size))
        if vectors is None:
            tell = None if progress is None else (lambda done, start=start: progress(start + done))
            vectors = embed_rows(net, rows, device, workers=workers, progress=tell, only=only)
            if len(only) < len(rows):
                _write(part, vectors, job)
        if progress is not None:
            progress(only.stop)
        found.append(vectors)
    return np.concatenate(found) if found else np.zeros((0, net.embedding_size), np.float32)


def remove_parts(out: str | Path) -> None:
    """Remove the parts of a file of embeddings that is written."""
    shutil.rmtree(parts_folder(out), ignore_errors=True)


def _read(part: Path, shape: tuple[int, int]) -> np.ndarray | None:
    """Return a part; None where it is missing, or not what was written, and is computed again."""
    try:
        with safe_open(part, framework="np") as file:
            vectors, written = file.get_tensor(EMBEDDINGS), (file.metadata() or {}).get(SHA256)
    except (OSError, SafetensorError):
        return None
    sound = vectors.shape == shape and vectors.dtype == np.float32 and _digest(vectors) == written
    return vectors if sound else None


def _write(part: Path, vectors: np.ndarray, job: Mapping[str, Any]) -> None:
    try:
        make_folder(part.parent)
        if not (part.parent / JOB).exists():
            write_atomic(part.parent / JOB, json.dumps(job, indent=1))
        with atomic_path(part) as temporary:
            save_file({EMBEDDINGS: np.ascontiguousarray(vectors)}, temporary, metadata={SHA256: _digest(vectors)})
    except OSError as error:
        raise UserError(f"{part}: cannot be written ({error.strerror or error}): use another --out") from None


def _digest(vectors: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(vectors).tobytes()).hexdigest()
