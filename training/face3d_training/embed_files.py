"""Embeddings in files that other programs read: one of each person, or one of each image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from face3d_data.atomic import atomic_path
from face3d_data.errors import UserError

if TYPE_CHECKING:
    import h5py
    import pandas as pd

FolderLayout = Literal["gallery", "images"]


def write_embeddings(
    path: str | Path,
    table: pd.DataFrame,
    embeddings: np.ndarray,
    layout: FolderLayout,
    about: Mapping[str, str] | None = None,
) -> int:
    """Write embeddings as HDF5, completely or not at all.

    `gallery`: `/<name>/embedding` f4 (E,), the mean over the person's images, of unit length again. `images`: `/<name>`
    with attribute `label`, the person's class; `/<name>/<file>`, the image's file name with its ending, with attribute
    `file_path` (bytes, UTF-8), and in it `embedding` f4 (E,): what clean-up scripts decode and copy under that name.
    Names and ids are those of the CSVs.

    Args:
        path: the file; nothing may be there yet.
        table: a row each embedding: columns `id`, `name`, and for `images` `class` and `file_path`.
        embeddings: (n, E) of unit length.
        layout: which of the two.
        about: texts that are kept as attributes of the file.

    Returns:
        Number of embeddings written.

    Raises:
        UserError: something is there already, the file cannot be written, or an embedding is not finite.
    """
    path = Path(path)
    check_absent(path)
    if not np.isfinite(embeddings).all():
        bad = table["id"].to_numpy()[~np.isfinite(embeddings).all(axis=1)]
        raise UserError(f"{len(bad)} embeddings are not finite, the first of {bad[0]}: check the network and its input")
    import h5py

    write = _write_gallery if layout == "gallery" else _write_images
    try:
        with atomic_path(path.absolute()) as temporary, h5py.File(temporary, "w") as file:
            file.attrs.update(about or {})
            return write(file, table, embeddings)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}): use another file") from None


def check_absent(path: str | Path) -> None:
    """Check, before any work, that a file of that name can be made.

    Raises:
        UserError: something is there already.
    """
    path = Path(path)
    if path.exists():
        raise UserError(f"{path}: already exists: use another name, or remove it first")


def mean_embeddings(names: np.ndarray, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of each person's embeddings, of unit length again.

    Args:
        names: (n,), the person of each embedding.
        embeddings: (n, E) of unit length.

    Returns:
        The p names, sorted, and f4 (p, E). Where a person's embeddings cancel each other out, the mean stays 0.
    """
    people, person = np.unique(np.asarray(names, dtype=object).astype(str), return_inverse=True)
    sums = np.zeros((len(people), embeddings.shape[1]))
    np.add.at(sums, person, embeddings.astype(np.float64))
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return people, (sums / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def _write_gallery(file: h5py.File, table: pd.DataFrame, embeddings: np.ndarray) -> int:
    people, means = mean_embeddings(table["name"].to_numpy(), embeddings)
    for name, mean in zip(people, means, strict=True):
        _put(file.create_group(name), mean)
    return len(people)


def _write_images(file: h5py.File, table: pd.DataFrame, embeddings: np.ndarray) -> int:
    columns = (table[column].tolist() for column in ("name", "class", "file_path"))
    for name, label, file_path, embedding in zip(*columns, embeddings, strict=True):
        person = file.require_group(name)
        person.attrs["label"] = int(label)
        group = person.create_group(file_path.rpartition("/")[2])
        group.attrs["file_path"] = np.bytes_(file_path.encode())
        _put(group, embedding)
    return len(table)


def _put(group: h5py.Group, embedding: np.ndarray) -> None:
    group.create_dataset("embedding", data=embedding.astype(np.float32), track_times=False)
