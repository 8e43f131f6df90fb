"""Embeddings of raw captures in files that other programs read, with a reason for each that has none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from face3d_data.digest import digest
from face3d_data.errors import UserError
from face3d_data.inputs.captures import RawCapture
from face3d_data.plurals import counted
from face3d_training.embed_files import FolderLayout, check_file, write_embeddings
from face3d_training.recognition.embedder import Embedder
from face3d_training.recognition.faces import FaceFinder, SeenFace


def embed_captures(
    captures: Sequence[RawCapture],
    root: str | Path,
    embedder: Embedder,
    out: str | Path,
    layout: FolderLayout,
    progress: Callable[[int], None] | None = None,
) -> list[SeenFace]:
    """Embed the main face of each capture and write the embeddings, in a layout of `write_embeddings`.

    Args:
        captures: with the person of each.
        root: `file_path` is relative to it.
        embedder: the network.
        out: the file, which must not exist yet.
        layout: one embedding of each person, or one of each capture.
        progress: called with the number of captures done.

    Returns:
        What became of each capture.

    Raises:
        UserError: not one face can be used, or the file cannot be written.
        MissingDependency: the extra parquet is not installed.
    """
    import pandas as pd

    root, out = Path(root), Path(out)
    check_file(out)
    faces: list[SeenFace] = []
    for done, found in enumerate(FaceFinder(embedder).of(captures, every=False), 1):
        faces += found
        if progress is not None:
            progress(done)
    used = [face for face in faces if face.embedding is not None]
    if not used:
        first = ": ".join(faces[0].problem or ()) if faces else "there is none"
        raise UserError(f"{root}: no face of {counted(len(faces), 'capture')} can be used (first: {first})")
    paths = [Path(face.path).relative_to(root).as_posix() for face in used]
    names = [face.person for face in used]
    labels, _ = pd.factorize(np.array(names, object), sort=True)
    table = pd.DataFrame({"id": paths, "name": names, "class": labels, "file_path": paths})
    vectors = np.stack([face.embedding for face in used if face.embedding is not None])
    about = {
        "dataset": str(root),
        "dataset_digest": digest(paths),
        "split": "",
        "model": embedder.name,
        "network": embedder.name,
        "network_sha256": embedder.file_sha256,
        "network_digest": embedder.digest,
    }
    write_embeddings(out, table, vectors, layout, about)
    return faces
