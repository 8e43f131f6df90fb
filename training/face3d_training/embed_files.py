"""Embeddings in files that other programs read: one of each person, or one of each image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

import numpy as np

from face3d_data.atomic import atomic_path
from face3d_data.errors import UserError
from face3d_data.h5_file import open_h5
from face3d_data.parquet_file import PARQUET, write_parquet

if TYPE_CHECKING:
    import h5py
    import pandas as pd

FolderLayout = Literal["gallery", "images"]
ENDINGS = (".h5", ".hdf5", PARQUET)
"""How files of embeddings end."""


def write_embeddings(
    path: str | Path,
    table: pd.DataFrame,
    embeddings: np.ndarray,
    layout: FolderLayout,
    about: Mapping[str, str] | None = None,
) -> int:
    """Write embeddings as HDF5 or, to a file that ends in .parquet, as Parquet, completely or not at all.

    HDF5, layout `gallery`: `/<name>/embedding` f4 (E,), the mean over the person's images, of unit length again.
    `images`: `/<name>` with attribute `label`, the person's class; `/<name>/<file>` for each image, named as the file
    that `face3d export` writes, with its ending; attribute `file_path`, bytes in UTF-8, and in it `embedding` f4 (E,).

    Parquet: a row a person (`name`, `class`), or a row an image, with the columns of `table`; and `embedding`, a list
    of E f4.

    Args:
        path: the file; nothing may be there yet.
        table: a row each embedding: columns `id`, `name`, `class`, and for `images` in HDF5 `file_path`.
        embeddings: (n, E) of unit length.
        layout: which of the two.
        about: texts that are kept as attributes, or as metadata, of the file.

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
    try:
        with atomic_path(path.absolute()) as temporary:
            if path.suffix == PARQUET:
                return _write_parquet(temporary, table, embeddings, layout, about or {})
            return _write_h5(temporary, table, embeddings, layout, about or {})
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}): use another file") from None


def check_file(path: str | Path) -> None:
    """Check, before any work, that a file of embeddings of that name can be made.

    Raises:
        UserError: something is there already, or its name ends in another way.
    """
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise UserError(f"--out {path}: is written as HDF5 or Parquet: give it the ending {' or '.join(ENDINGS)}")
    check_absent(path)


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


def _write_h5(
    path: Path, table: pd.DataFrame, embeddings: np.ndarray, layout: FolderLayout, about: Mapping[str, str]
) -> int:

    write = _write_gallery if layout == "gallery" else _write_images
    with open_h5(path, "w") as file:
        file.attrs.update(about)
        return write(file, table, embeddings)


def _write_parquet(
    path: Path, table: pd.DataFrame, embeddings: np.ndarray, layout: FolderLayout, about: Mapping[str, str]
) -> int:
    import pyarrow as pa

    if layout == "gallery":
        people, embeddings = mean_embeddings(table["name"].to_numpy(), embeddings)
        classes = dict(zip(table["name"].tolist(), table["class"].tolist(), strict=True))
        columns = pa.table({"name": people.tolist(), "class": [int(classes[name]) for name in people]})
    else:
        columns = pa.Table.from_pandas(table, preserve_index=False)
    numbers = pa.array(np.ascontiguousarray(embeddings, np.float32).reshape(-1))
    vectors = pa.FixedSizeListArray.from_arrays(numbers, embeddings.shape[1])
    write_parquet(path, columns.append_column("embedding", vectors), about)
    return len(columns)


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
        group = person.create_group(PurePosixPath(file_path).name)
        group.attrs["file_path"] = np.bytes_(file_path.encode())
        _put(group, embedding)
    return len(table)


def _put(group: h5py.Group, embedding: np.ndarray) -> None:
    group.create_dataset("embedding", data=embedding.astype(np.float32), track_times=False)
