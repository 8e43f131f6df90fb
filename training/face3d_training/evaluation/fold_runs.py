"""Runs of a cross-validation: which checkpoint left which fold for the test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from face3d_data.digest import canonical
from face3d_data.errors import UserError
from face3d_data.shards.read import Dataset
from face3d_training.checkpoint import find_checkpoint, read_checkpoint
from face3d_training.evaluation.networks.load import NO_DIFFERENCE
from face3d_training.fold_splits import fold_names

BY_FOLD = ("fold", "train_split", "eval_split")
"""Keys of `data` in which the runs of a cross-validation may differ: the fold decides the splits."""


@dataclass(frozen=True)
class FoldRuns:
    """Runs of a cross-validation.

    Attributes:
        methods: one path for each fold, by the name of config and seed.
        groups: methods that differ in their seeds alone, by the config's name.
    """

    methods: dict[str, list[Path]]
    groups: dict[str, list[str]]


def folds_of(dataset: Dataset) -> list[str]:
    """Return the folds of a dataset.

    Raises:
        UserError: it has none.
    """
    folds = fold_names(dataset)
    if not folds:
        raise UserError(
            f"--pool-folds: dataset {dataset.name} has the splits {', '.join(dataset.splits)} and no folds: give the "
            "step split 'folds: 5' in its pipeline"
        )
    return folds


def fold_runs(paths: Sequence[str | Path], folds: Sequence[str]) -> FoldRuns:
    """Return the runs by config and seed, each with one for every fold.

    Args:
        paths: checkpoints, or folders of runs.
        folds: those of the dataset.

    Raises:
        UserError: a run is not one of a cross-validation, two leave the same fold, or a fold has none.
    """
    found: dict[tuple[str, int, str], dict[int, Path]] = {}
    for path in map(Path, paths):
        config = json.loads(read_checkpoint(find_checkpoint(path)).get("config") or "{}")
        fold = config.get("data", {}).get("fold")
        if fold is None:
            raise UserError(f"--pool-folds: {path} is no run of a cross-validation: train it with --fold")
        kept = {key: value for key, value in config.items() if key not in NO_DIFFERENCE}
        kept["data"] = {key: value for key, value in config["data"].items() if key not in BY_FOLD}
        mine = found.setdefault((config["name"], config["seed"], canonical(kept)), {})
        if fold in mine:
            raise UserError(f"--pool-folds: {mine[fold]} and {path} both leave fold {fold}: give one of them")
        mine[fold] = path
    if not found:
        raise UserError("--pool-folds: give the runs of all folds")
    methods: dict[str, list[Path]] = {}
    groups: dict[str, list[str]] = {}
    for (name, seed, config_digest), mine in found.items():
        lacking = [number for number in range(1, len(folds) + 1) if number not in mine]
        if lacking:
            raise UserError(
                f"--pool-folds: fold {lacking[0]} of {len(folds)} has no run of config {name}, seed {seed}: train it "
                f"with --fold {lacking[0]}"
            )
        called = f"{name}-s{seed}"
        title = next(t for t in (called, *(f"{called} ({n})" for n in range(2, 1000))) if t not in methods)
        methods[title] = [mine[number] for number in range(1, len(folds) + 1)]
        groups.setdefault(f"{name}\n{config_digest}", []).append(title)
    several = {key.partition("\n")[0]: names for key, names in groups.items() if len(names) > 1}
    return FoldRuns(methods, {name: names for name, names in several.items() if name not in methods})
