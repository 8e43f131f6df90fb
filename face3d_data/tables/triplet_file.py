"""Triplet files of texts, as other trainers write and read them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.atomic import atomic_path

if TYPE_CHECKING:
    import pandas as pd

CHUNK = 65_536
"""Triplets that are texts at a time: seven texts of 60 characters take 1.7 kB a triplet."""


def triplet_file_name(epoch: int, n: int, identities: int, size: int) -> str:
    """Return the name of an epoch's file.

    Args:
        epoch: the epoch, from 0.
        n: triplets in it.
        identities: people that the triplets of one batch are of.
        size: triplets of a batch.
    """
    return f"epoch_{epoch}_training_triplets_{n}_identities_{identities}_batch_{size}.npy"


def save_triplets(path: str | Path, triplets: np.ndarray, table: pd.DataFrame) -> None:
    """Write triplets, completely or not at all.

    The array holds texts (n, 7): anchor id, positive id, negative id, positive class, negative class, positive name,
    negative name, as the columns `id`, `class` and `name` of a training CSV have them.

    Args:
        path: an .npy file.
        triplets: i8 (n, 3), rows of the table.
        table: the training CSV.
    """
    path = Path(path)
    ids, classes, names = (np.array(table[column].astype(str).tolist()) for column in ("id", "class", "name"))
    dtype = np.result_type(ids, classes, names)
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (len(triplets), 7)}
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for start in range(0, len(triplets), CHUNK):
            chosen = triplets[start : start + CHUNK]
            texts = np.empty((len(chosen), 7), dtype)
            texts[:, :3] = ids[chosen]
            texts[:, 3:5] = classes[chosen[:, 1:]]
            texts[:, 5:] = names[chosen[:, 1:]]
            texts.tofile(stream)
