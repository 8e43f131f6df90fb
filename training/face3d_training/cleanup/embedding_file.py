"""Embeddings of images in a file (layout `images` of `face3d embed`), read back as labelled faces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d_data.digest import digest_file
from face3d_data.errors import UserError
from face3d_data.h5_file import open_h5
from face3d_data.names import id_of
from face3d_training.cleanup.faces import LabeledFaces, labeled_faces

if TYPE_CHECKING:
    import h5py

REMEDY = "write it with face3d embed --layout images"


def read_embedding_file(path: str | Path, root: str | Path | None = None) -> LabeledFaces:
    """Return the embeddings of a file as labelled faces.

    A group is a person, a group in it an image, with the attribute `file_path` and the array `embedding`. Names that
    `face3d` wrote (`d__anna__1.png`) become ids (`d/anna/1`); an image of another program is `<person>/<image>`.

    Args:
        path: HDF5.
        root: folder that `file_path` is relative to; with it images of equal bytes are known to be duplicates.

    Raises:
        UserError: the file cannot be read, is of another layout, or does not fit together.
    """

    path = Path(path)
    try:
        with open_h5(path) as file:
            rows = [
                _image(path, person, image, file[person]) for person in file for image in _images(path, file, person)
            ]
            facts = {name: _text(value) for name, value in file.attrs.items()}
    except (OSError, RuntimeError) as error:
        raise UserError(f"{path}: cannot be read as HDF5 ({error}): {REMEDY}") from None
    sizes = sorted({row["vector"].shape for row in rows})
    if len(sizes) > 1:
        raise UserError(f"{path}: embeddings of {sizes[0][0]} and of {sizes[1][0]} numbers: embed all by one network")
    files = [row["file"] for row in rows]
    contents = None if root is None else [_content(Path(root), name) for name in files]
    return labeled_faces(
        str(path),
        [row["id"] for row in rows],
        [row["person"] for row in rows],
        np.array([row["vector"] for row in rows]).reshape(len(rows), -1),
        contents=contents,
        files=files,
        facts={**facts, "file": str(path), "file_sha256": digest_file(path)},
    )


def _images(path: Path, file: h5py.File, person: str) -> list[str]:
    import h5py

    group = file[person]
    if not isinstance(group, h5py.Group):
        raise UserError(f"{path}: {person!r} is not a group of a person: {REMEDY}")
    if isinstance(group.get("embedding"), h5py.Dataset):
        raise UserError(f"{path}: has one embedding of each person (layout gallery), and no images: {REMEDY}")
    return list(group)


def _image(path: Path, person: str, image: str, group: h5py.Group) -> dict[str, Any]:
    import h5py

    there = group[image]
    vector = there.get("embedding") if isinstance(there, h5py.Group) else None
    if not isinstance(vector, h5py.Dataset) or vector.ndim != 1 or vector.dtype.kind != "f":
        raise UserError(f"{path}: {person}/{image} holds no vector 'embedding': {REMEDY}")
    name = image.partition(".")[0]
    ours = name.startswith(f"{person}__")
    return {
        "id": id_of(name) if ours else f"{person}/{image}",
        "person": id_of(person) if ours else person,
        "vector": vector[:],
        "file": _text(there.attrs.get("file_path", "")),
    }


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _content(root: Path, name: str) -> str:
    """Return the token of a file's bytes; none where the file does not exist."""
    path = root / name
    return f"sha256:{digest_file(path)}" if name and path.is_file() else ""
