"""Triplet files of texts, as other trainers write them: reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from face3d_data.errors import UserError
from face3d_data.numpy_files import load_npy
from face3d_data.plurals import counted
from face3d_data.tables.sample_names import SampleNames
from face3d_data.tables.spellings import MASKED
from face3d_data.tables.triplet_file import CHUNK

POSITIVE_NAME, NEGATIVE_NAME = 5, 6
"""Columns of the names of the people: of anchor and positive, and of the negative."""


def load_triplets(
    path: str | Path, table: pd.DataFrame, labels: np.ndarray, notes: list[str] | None = None
) -> np.ndarray:
    """Return the triplets of a file; classes are not used, so other programs may number them as they like.

    Trainers that take the folders `105` and `105_masked` for two people also draw one as the negative of the other.
    Where the dataset has one person for both names, such a triplet is left out.

    Args:
        path: an .npy file of texts (n, 7), as `tables.triplet_file` writes it, or as other trainers draw them from a
            CSV of their own, where an id is the name of a file, and a name that of its folder.
        table: the training CSV, in which ids are looked up, or names and ids as `SampleNames` finds them.
        labels: i8 (rows,), the person of each row.
        notes: takes a line on triplets that are left out.

    Returns:
        i8 (n, 3), rows of the table: anchor, positive, negative.

    Raises:
        UserError: the file does not have this form, it names a sample that the table lacks, or a triplet is not valid.
    """
    path = Path(path)
    try:
        texts = load_npy(path, mapped=True)
    except (OSError, ValueError) as error:
        raise UserError(f"triplets.file {path}: cannot be read ({error}): give an .npy of texts (n, 7)") from None
    if texts.dtype.kind != "U" or texts.ndim != 2 or texts.shape[1] != 7 or not len(texts):
        raise UserError(
            f"triplets.file {path}: holds {texts.dtype} of shape {texts.shape}, not texts (n, 7): anchor, positive and "
            "negative id, positive and negative class, positive and negative name"
        )
    index = pd.Index(table["id"].astype(str))
    triplets = np.empty((len(texts), 3), np.int64)
    for start in range(0, len(texts), CHUNK):
        ids = np.array(texts[start : start + CHUNK, :3])
        triplets[start : start + CHUNK] = index.get_indexer(pd.Index(ids.reshape(-1).tolist())).reshape(-1, 3)
    if (triplets < 0).any():
        _look_up_names(path, texts, triplets, table)
    _check_known(path, texts, triplets)
    kept = ~_has_two_names(texts, triplets, labels)
    _check(path, np.flatnonzero(kept), texts, triplets, labels)
    if kept.all():
        return triplets
    if not kept.any():
        raise UserError(f"triplets.file {path}: every triplet is of one person alone, plain and masked: draw others")
    if notes is not None:
        out = counted(int((~kept).sum()), "triplet")
        notes.append(f"triplets.file {path}: {out} of {len(kept)} left out, whose negative is the same person, masked")
    return triplets[kept]


def _has_two_names(texts: np.ndarray, triplets: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return bool (n,): the negative is the anchor's person, whose name has `_masked` behind it in one of both."""
    found = np.zeros(len(triplets), bool)
    for row in np.flatnonzero(labels[triplets[:, 0]] == labels[triplets[:, 2]]).tolist():
        names = str(texts[row, POSITIVE_NAME]), str(texts[row, NEGATIVE_NAME])
        masked = MASKED.fullmatch(max(names, key=len))
        found[row] = masked is not None and masked["person"] == min(names, key=len)
    return found


def _look_up_names(path: Path, texts: np.ndarray, triplets: np.ndarray, table: pd.DataFrame) -> None:
    """Find the samples that are no ids of the table by the name of their person, too; in place."""
    names, known = SampleNames(table), {}
    for row, column in np.argwhere(triplets < 0).tolist():
        who = str(texts[row, NEGATIVE_NAME if column == 2 else POSITIVE_NAME]), str(texts[row, column])
        if who not in known:
            found = names.rows(*who)
            if len(found) > 1:
                raise UserError(
                    f"triplets.file {path}: row {row}: {len(found)} samples are {who[1]!r} of {who[0]!r}: write the "
                    "ids of the training CSV"
                )
            known[who] = min(found, default=-1)
        triplets[row, column] = known[who]


def _check_known(path: Path, texts: np.ndarray, triplets: np.ndarray) -> None:
    unknown = np.argwhere(triplets < 0)
    if len(unknown):
        row, column = unknown[0].tolist()
        raise UserError(
            f"triplets.file {path}: row {row} names the sample {str(texts[row, column])!r} of "
            f"{str(texts[row, NEGATIVE_NAME if column == 2 else POSITIVE_NAME])!r}, which is not among the "
            f"training samples ({len(np.unique(unknown[:, 0]))} of {len(triplets)} rows name such ids): "
            "draw triplets from this dataset, or check data.train_split and data.where"
        )


def _check(path: Path, rows: np.ndarray, texts: np.ndarray, triplets: np.ndarray, labels: np.ndarray) -> None:
    """Check that some rows of a file are triplets."""
    anchor, positive, negative = labels[triplets[rows]].T
    wrong = rows[(anchor != positive) | (anchor == negative) | (triplets[rows, 0] == triplets[rows, 1])]
    if len(wrong):
        raise UserError(
            f"triplets.file {path}: row {wrong[0]} ({', '.join(map(str, texts[wrong[0], :3]))}) is not a valid "
            "triplet: anchor and positive must be two samples of one person, and the negative one of another"
        )
