"""Validation entries of a training config: names of datasets and lists, looked up in a folder. Without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from face3d_data.errors import UserError, did_you_mean
from face3d_data.shards.pair_lists import find_pairs, pair_list_names
from face3d_data.shards.read import Dataset
from face3d_data.shards.schema import DESCRIPTION

PAIRS = "pairs"
"""Name of the list that is drawn for a dataset, which says nothing of what it is."""
PREFERRED = "test"
"""Split of a dataset where an entry names none."""


class ValidationEntry(BaseModel):
    """One set of `validate`; a text is its `dataset`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str = Field(
        min_length=1, description="name or folder of a dataset; alone also NAME:SPLIT, a published list, or NAME:LIST"
    )
    split: str | None = Field(None, description="split of it")
    pairs: str | None = Field(None, description="a published list of it by name, or a file of pairs")
    name: str | None = Field(None, pattern=r"^\w+$", description="what its figures begin with")

    @model_validator(mode="before")
    @classmethod
    def _text_alone(cls, value: Any) -> Any:
        if not isinstance(value, str | dict | ValidationEntry):
            raise ValueError("is no set: write the name of a dataset or list, or {dataset: NAME, …}")
        return {"dataset": value} if isinstance(value, str) else value


@dataclass(frozen=True)
class FoundSet:
    """A validation set that was found.

    Attributes:
        name: what its figures begin with.
        dataset: where its faces are.
        splits: splits of it that they are in.
        pairs: list of pairs that is judged; None: all pairs and ranks of the split.
        folds: pairs in folds that are drawn from the split, which have an accuracy beside those.
    """

    name: str
    dataset: Dataset
    splits: tuple[str, ...]
    pairs: Path | None = None
    folds: Path | None = None


def find_sets(entries: Sequence[ValidationEntry], datasets: str | Path) -> list[FoundSet]:
    """Return the validation sets that a config names.

    Args:
        entries: of its key `validate`.
        datasets: the folder in which names are looked up.

    Raises:
        UserError: there is no such dataset, split or list, it is not clear which, or two sets have one name.
    """
    datasets = Path(datasets)
    found: list[FoundSet] = []
    for entry in entries:
        alone = entry.split is None and entry.pairs is None
        one = _found(_read(entry, datasets) if alone else entry, datasets)
        if one.name in [other.name for other in found]:
            raise UserError(f"validate: two sets are called {one.name!r}: give one of them another 'name'")
        found.append(one)
    return found


def _read(entry: ValidationEntry, datasets: Path) -> ValidationEntry:
    """Return an entry whose dataset names a split or a list, too, with these as parts of their own."""
    text = entry.dataset
    folder = _folder(text, datasets)
    if folder is not None:  # a dataset that is called as the list that it has is named for that list
        return entry.model_copy(update={"pairs": text}) if text in pair_list_names(folder) else entry
    name, colon, part = text.rpartition(":")
    if not colon:
        return entry.model_copy(update={"dataset": _holder(text, datasets), "pairs": text})
    folder = _folder(name, datasets)
    if folder is None:
        raise _unknown(name, datasets)
    splits, lists = Dataset(folder).splits, pair_list_names(folder)
    if part in lists:
        return entry.model_copy(update={"dataset": name, "pairs": part})
    if part not in splits:
        there = f"splits: {', '.join(splits)}; lists of pairs: {', '.join(lists) or 'none'}"
        raise UserError(
            f"validate: dataset {name} has no split or list {part!r} ({there}){did_you_mean(part, [*splits, *lists])}"
        )
    return entry.model_copy(update={"dataset": name, "split": part})


def _holder(name: str, datasets: Path) -> str:
    """Return the dataset that has a published list."""
    holders = [one for one in _names(datasets) if name in pair_list_names(datasets / one)]
    if not holders:
        raise _unknown(name, datasets)
    if len(holders) > 1:
        raise UserError(f"validate: datasets {', '.join(holders)} have a list {name}: write {holders[0]}:{name}")
    return holders[0]


def _unknown(name: str, datasets: Path) -> UserError:
    names = _names(datasets)
    lists = [f"{one}:{each}" for one in names for each in pair_list_names(datasets / one)]
    there = f"datasets in {datasets}: {', '.join(names) or 'none'}; lists of pairs: {', '.join(lists) or 'none'}"
    return UserError(
        f"validate: {name!r} is no dataset and no published list of pairs ({there}){did_you_mean(name, names)}"
    )


def _names(datasets: Path) -> list[str]:
    """Return the datasets of a folder by name: links, and what no link is for."""
    there = [path.parent for path in datasets.glob(f"*/{DESCRIPTION}")]
    linked = {path.resolve() for path in there if path.is_symlink()}
    return sorted(path.name for path in there if path.is_symlink() or path.resolve() not in linked)


def _folder(text: str, datasets: Path) -> Path | None:
    folders = (Path(text).expanduser(), datasets / text)
    return next((folder for folder in folders if text and (folder / DESCRIPTION).is_file()), None)


def _found(entry: ValidationEntry, datasets: Path) -> FoundSet:
    folder = _folder(entry.dataset, datasets)
    if folder is None:
        raise _unknown(entry.dataset, datasets)
    dataset = Dataset(folder)
    filled = tuple(name for name, said in dataset.info.get("splits", {}).items() if said["samples"])
    if entry.split is not None and entry.split not in filled:
        raise UserError(
            f"validate: dataset {dataset.name} has no rows in split {entry.split!r}: choose one of {', '.join(filled)}"
        )
    if entry.pairs is not None:
        file = find_pairs(folder, entry.pairs)
        name = entry.name or _as_name(file.stem if file.stem != PAIRS else dataset.name)
        return FoundSet(name, dataset, filled if entry.split is None else (entry.split,), pairs=file)
    split = entry.split or _split_of(dataset, filled)
    drawn = dataset.info["spec"].get("pairs")
    folds = folder / f"{PAIRS}.csv" if drawn and drawn["split"] == split else None
    name = entry.name or _as_name(dataset.name if entry.split is None else f"{dataset.name}_{split}")
    return FoundSet(name, dataset, (split,), folds=folds)


def _split_of(dataset: Dataset, filled: Sequence[str]) -> str:
    if PREFERRED in filled or len(filled) == 1:
        return PREFERRED if PREFERRED in filled else filled[0]
    raise UserError(
        f"validate: dataset {dataset.name} has the splits {', '.join(filled)}: write {dataset.name}:{filled[0]}"
    )


def _as_name(text: str) -> str:
    """Return a name as the beginning of figures' names: small letters, digits and `_`."""
    return "".join(letter if letter.isalnum() else "_" for letter in text).lower()
