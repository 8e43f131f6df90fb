"""Leak check of networks: the people and captures that one was trained on are recorded in its checkpoint."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from face3d_data.errors import RunStopped
from face3d_data.shards.leaks import NAMED, Leak, told_leaks
from face3d_data.shards.read import Dataset
from face3d_data.tables.split import own_identity

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {"identity": "identity", "origin": "origin_id", "key": "key", "root": "root", "content": "content"}
"""Kind of leak to the column that tells of it: people, captures, what was computed, recordings' files, and bytes."""
FORMS = "form"
"""Kind of a fingerprint that is not a leak: the arrays whose contents it has, and how they are stored."""
COMPARED = {
    "name": "people and captures by their names",
    "recording": "captures by the bytes of their files",
    "content": "faces by the bytes that are stored",
}
"""How rows are compared with training, to what that means."""
CANNOT_KNOW = (
    "Faces that came back under another name, out of files that do not say what they were made of (an export as PLY, "
    "NPY or images), and changed since, are found by none of these."
)
"""Note if rows cannot be compared."""
DATASET_LEAKS = "dataset_leaks"
"""Key of a checkpoint: what splits share in its network's training data, in words."""


def leaks_of(dataset: Dataset) -> list[str]:
    """Return what the splits of a dataset share, one line per kind that begins with the dataset's name."""
    return [f"dataset {dataset.name}: {line}" for line in told_leaks(dataset)]


def is_closed_set(dataset: Dataset) -> bool:
    """Return whether a dataset is split by capture, so that its people are in every split on purpose."""
    return dataset.info.get("by") == "capture"


def refuse_leaking(dataset: Dataset, allowed: bool) -> list[str]:
    """Return what the splits of a dataset share, as `leaks_of` does.

    Args:
        dataset: the dataset to train on.
        allowed: continue if splits share something.

    Raises:
        RunStopped: splits share something, and that is not allowed.
    """
    found = leaks_of(dataset)
    if found and not allowed:
        raise RunStopped(
            f"{'; '.join(found)}: its figures would be wrong: fix the dataset (`face3d verify` names the samples), "
            "or use --allow-leaks, which the run, its checkpoints and every report will record"
        )
    return found


@dataclass
class SeenData:
    """What a network has seen of training data: the rows that it learns from, and those of the weights it begins with.

    Attributes:
        data: what `training_fingerprint` returns of all of them.
        complete: False if it starts from weights whose training data are unknown.
        leaks: what splits share in the training data, in words; leaks were allowed if there are any.
    """

    data: Mapping[str, torch.Tensor]
    complete: bool = True
    leaks: tuple[str, ...] = ()

    def add(self, state: Mapping[str, Any]) -> None:
        """Add the training data of the checkpoint from whose weights training starts."""
        data = state.get("training_data")
        self.complete &= data is not None and bool(state.get("training_data_complete", False))
        if data is not None:
            # An older checkpoint does not know of all kinds: then nothing is known of them for the whole.
            self.data = {kind: torch.cat([self.data[kind], data[kind]]).unique() for kind in self.data if kind in data}
        self.add_leaks(state.get(DATASET_LEAKS, ()))

    def add_leaks(self, lines: Iterable[str]) -> None:
        """Add what splits share in a dataset of the training data."""
        self.leaks = tuple(dict.fromkeys((*self.leaks, *lines)))

    def as_state(self) -> dict[str, Any]:
        """Return the data as keys of a checkpoint."""
        return {
            "training_data": self.data,
            "training_data_complete": self.complete,
            DATASET_LEAKS: list(self.leaks),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore the data from a checkpoint of the same run."""
        self.data, self.complete = state["training_data"], state.get("training_data_complete", False)
        self.add_leaks(state.get(DATASET_LEAKS, ()))


def packed(fingerprint: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Return a fingerprint as texts, for files whose other values are texts: base64 of its i8, little-endian."""
    return {
        kind: base64.b64encode(found.numpy().astype("<i8").tobytes()).decode() for kind, found in fingerprint.items()
    }


def unpacked(texts: Mapping[str, str]) -> dict[str, torch.Tensor]:
    """Return the fingerprint that `packed` made texts of."""
    arrays = {kind: np.frombuffer(base64.b64decode(text), "<i8") for kind, text in texts.items()}
    return {kind: torch.from_numpy(array.astype(np.int64)) for kind, array in arrays.items()}


def training_fingerprint(table: pd.DataFrame) -> dict[str, torch.Tensor]:
    """Return hashes of the people, captures, keys, recordings' files and contents of training rows.

    Args:
        table: columns `identity`, `origin_id`, `key`, `root`, `content`; a mirrored face counts as the person, and who
            has the name of another collection is known by both names.

    Returns:
        Kind to i8 (n,), sorted: 64 bits of each name's BLAKE2b, which tell names apart and give none away.
    """
    names = {kind: [name for _, name in _names(table, kind)] for kind in COLUMNS}
    names[FORMS] = _forms(table)
    return {kind: torch.from_numpy(np.unique(name_hashes(found))) for kind, found in names.items()}


def compared_by(table: pd.DataFrame, fingerprint: Mapping[str, torch.Tensor]) -> tuple[str, ...]:
    """Return how rows can be compared with a network's training, of `COMPARED`.

    Recordings where both know them; contents where both have some array stored in one form.
    """
    # A capture's id begins with its person's, so those of people find captures, too.
    known = {"name": "identity" in fingerprint}
    known["recording"] = len(fingerprint.get("root", ())) > 0 and bool(_own(table, "root"))
    forms = fingerprint.get(FORMS, torch.zeros(0, dtype=torch.int64)).numpy()
    known["content"] = bool(np.isin(name_hashes(_forms(table)), forms).any())
    return tuple(how for how in COMPARED if known[how])


def _forms(table: pd.DataFrame) -> list[str]:
    return sorted({token.rpartition(":")[0] for _, token in _own(table, "content")})


def shared_with_training(table: pd.DataFrame, fingerprint: Mapping[str, torch.Tensor]) -> list[Leak]:
    """Return which of these rows are in the training data.

    Args:
        table: the rows that are to be judged on, columns as above and `sample_id`.
        fingerprint: what `training_fingerprint` returned.

    Returns:
        One leak for each kind that is shared; what it names are people, captures, or samples of equal key, of the same
        files, or of equal bytes.
    """
    found, ids = [], table["sample_id"].tolist()
    for kind in (kind for kind in COLUMNS if kind in fingerprint):
        named = _names(table, kind)
        known = np.isin(name_hashes([name for _, name in named]), fingerprint[kind].numpy())
        labels = [name for _, name in _own(table, kind)] if kind in NAMED else ids
        things = {labels[place] for (place, _), hit in zip(named, known, strict=True) if hit}
        found.append(Leak(kind, tuple(sorted(things))))
    return [leak for leak in found if leak.things]


def _names(table: pd.DataFrame, kind: str) -> list[tuple[int, str]]:
    """Return what rows are compared by, as (index of the row, name); a row may have several names, or none.

    People are also compared by their original names, in the captures' ids, which no list of one person's names changed.
    """
    found = _own(table, kind)
    if kind == "identity":
        found += [(place, own_identity(origin)) for place, origin in enumerate(table["origin_id"].tolist())]
    return found


def _own(table: pd.DataFrame, kind: str) -> list[tuple[int, str]]:
    texts = table[COLUMNS[kind]].tolist()
    if kind == "identity":
        return [(place, text.partition("~")[0]) for place, text in enumerate(texts)]
    if kind == "origin":
        return list(enumerate(texts))
    return [(place, token) for place, text in enumerate(texts) for token in text.split()]


def name_hashes(names: list[str]) -> np.ndarray:
    """Return i8 (n,): 64 bits of each name's BLAKE2b, which tell names apart and give none away."""
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names)
    return np.frombuffer(digests, "<i8").astype(np.int64)
