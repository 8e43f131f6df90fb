"""Pictures of the faces that a clean-up shows: from a dataset's arrays, or from the images that a file names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.image import read_color
from face3d_data.shards.read import Dataset
from face3d_training.cleanup.faces import LabeledFaces
from face3d_training.evaluation.report.face_picture import draw_face
from face3d_training.evaluation.report.mistakes import FacePictures

Picture = Callable[[str], np.ndarray | None]
"""Picture of an id, u1 (H, W, 3) RGB; None where there is nothing to be seen."""
SIZE_PX = 112


def dataset_pictures(folder: str | Path, splits: Sequence[str]) -> Picture:
    """Return what draws the samples of a dataset's splits by their ids."""
    source = Dataset(folder)
    where: dict[str, tuple[FacePictures, int]] = {}
    for split in splits:
        table = source.table(split)
        pictures = FacePictures(folder, split, table, SIZE_PX)
        where |= {sample_id: (pictures, row) for row, sample_id in enumerate(table["sample_id"].tolist())}

    def picture(sample_id: str) -> np.ndarray | None:
        pictures, row = where[sample_id]
        return pictures.picture(row)

    return picture


def file_pictures(faces: LabeledFaces, root: str | Path | None) -> Picture:
    """Return what reads the images of an embeddings file below a root; what is no image there has no picture."""
    files = dict(zip(faces.ids, faces.files, strict=True))

    def picture(face_id: str) -> np.ndarray | None:
        if root is None or not files[face_id]:
            return None
        try:
            return draw_face({"color": read_color(Path(root) / files[face_id])}, SIZE_PX)
        except (OSError, Unreadable):
            return None

    return picture
