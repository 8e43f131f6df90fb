"""Loading of networks to evaluate: by checkpoint, named, and checked for what they were trained on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from face3d_data.digest import canonical, digest_file
from face3d_data.shards.leaks import counted_things
from face3d_data.shards.read import Dataset
from face3d_training.checkpoint import BEST_CHECKPOINT, CHECKPOINT_FOLDER, PEOPLE, Trained, find_checkpoint, load_model
from face3d_training.config import TrainConfig, as_mapping
from face3d_training.data import FaceRows
from face3d_training.evaluation.networks.about import CheckpointFacts, LeakCheck
from face3d_training.foreign import check_architecture_used
from face3d_training.leaks import compared_by, is_closed_set, shared_with_training
from face3d_training.packaged import is_packaged, shown_name
from face3d_training.run_folder import MAY_CHANGE, dataset_digest
from face3d_training.trained_rows import BOTH, ONLY_TRAINING, choose_branch, rows_for, unmatched_weights

if TYPE_CHECKING:
    import pandas as pd

RUN_ENDING = re.compile(r"[-_ ]*(s|seed)?[-_ ]*$")
"""What is left of the names of several runs before their seeds: `masks-s` of `masks-s0` and `masks-s1`."""
NO_DIFFERENCE = (*(key for key in MAY_CHANGE if key != "epochs"), "seed")
"""Keys of a config in which runs that are averaged may differ."""


@dataclass(frozen=True)
class Network:
    """A network that is judged.

    Attributes:
        name: what the report calls it.
        trained: the network and its checkpoint.
        rows: the faces that it is judged on.
        config: how they are put before it.
        facts: where it comes from.
        leaks: whether it was trained on its test data.
        notices: lines for the reader.
    """

    name: str
    trained: Trained
    rows: FaceRows
    config: TrainConfig
    facts: CheckpointFacts
    leaks: LeakCheck
    notices: tuple[str, ...]


def load_networks(
    paths: Sequence[str | Path],
    dataset: Dataset,
    split: str,
    changes: Iterable[tuple[str, Any]],
    device: torch.device,
    architecture: str | None = None,
    branch: str | None = None,
) -> list[Network]:
    """Return the networks of checkpoints, none of them used yet.

    Args:
        paths: checkpoints, or folders of runs, of which the best is taken.
        dataset: the test data.
        split: the split of it.
        changes: keys of `data` that are changed.
        device: where they are put.
        architecture: name of the network of checkpoints that do not say it.
        branch: the part of an embedding that stands for it, of networks that have parts.

    Raises:
        UserError: there is no such checkpoint, no one needs `architecture` or has such a branch, or the dataset does
            not fit a network.
    """
    paths = [Path(each) for each in paths]
    given = tuple(changes)
    found = []
    loaded = [load_model(path, device, architecture) for path in paths]
    choose_branch(loaded, branch)
    for trained, name in zip(loaded, method_names([find_checkpoint(path) for path in paths]), strict=True):
        rows, config = rows_for(trained, dataset.path, split, given)
        leaks = check_leaks(name, rows.table, trained.info.get("training_data"), is_closed_set(dataset))
        notices = tuple(_notices(trained, dataset, split, rows.table, leaks, _changed(trained, config)))
        notices = (*notices, *rows.notes)
        if branch not in (None, BOTH) and trained.net.branches:
            notices = (*notices, f"an embedding is its part {branch!r} alone")
        found.append(Network(name, trained, rows, config, _facts(name, trained, config), leaks, notices))
    check_architecture_used(architecture, [network.trained.info for network in found])
    return found


def method_names(files: Sequence[str | Path]) -> list[str]:
    """Return a name for each checkpoint: its run's folder, the file's too where it is not the best; all different.

    A network that comes with the package has the name that it has there.
    """
    names = []
    for path in (Path(file).absolute() for file in files):
        if is_packaged(path):
            names.append(shown_name(path))
        elif path.parent.name != CHECKPOINT_FOLDER:
            names.append(path.stem)
        else:
            run = path.parent.parent.name
            names.append(run if path.stem == Path(BEST_CHECKPOINT).stem else f"{run} {path.stem}")
    several = {name for name, count in Counter(names).items() if count > 1}
    numbers = Counter[str]()
    for place, name in enumerate(names):
        numbers[name] += 1
        if name in several:
            names[place] = f"{name} ({numbers[name]})"
    return names


def check_leaks(
    name: str, table: pd.DataFrame, seen: Mapping[str, torch.Tensor] | None, closed: bool = False
) -> LeakCheck:
    """Return whether rows, or anything that they share, were in the training data.

    Args:
        name: the method.
        table: the rows.
        seen: `training_fingerprint` of the training data; None: not known.
        closed: the rows are of a closed set: people in common are no leak.
    """
    if seen is None:
        return LeakCheck(name, "unknown")
    compared = compared_by(table, seen)
    alone = compared == ("name",)
    shared = [leak for leak in shared_with_training(table, seen) if leak.kind != PEOPLE or not closed]
    lines = tuple(leak_line(leak.kind, leak.things, alone) for leak in shared)
    return LeakCheck(name, "found" if lines else "none", lines, compared)


def leak_line(kind: str, things: Sequence[str], names_alone: bool = False) -> str:
    """Return what is shared with training in words.

    Args:
        kind: people, captures, …
        things: their names.
        names_alone: nothing but names could be compared.
    """
    count, shown = _counted(kind, things)
    doubt = " (compared by names alone: other people of these names need another source name)" if names_alone else ""
    return f"{count} of the split were in the training data: {shown}{doubt}"


def _counted(kind: str, things: Sequence[str]) -> tuple[str, str]:
    """Return how many things of what kind, and the first of them."""
    return counted_things(len(things), kind), ", ".join(things[:3]) + (" …" if len(things) > 3 else "")


def runs_of_one_config(networks: Sequence[Network]) -> dict[str, list[str]]:
    """Return the networks that differ in their seeds alone, two or more, by a name for them together."""
    alike: dict[str, list[Network]] = {}
    for network in networks:
        if network.trained.config is not None:
            alike.setdefault(_without_seed(network), []).append(network)
    found: dict[str, list[str]] = {}
    for runs in alike.values():
        names = [run.name for run in runs]
        if len({run.facts.seed for run in runs}) < 2:
            continue
        common = RUN_ENDING.sub("", _common_beginning(names)) or runs[0].config.name
        taken = {*found, *(network.name for network in networks)}
        title = next(t for t in (common, *(f"{common} ({n})" for n in range(2, 1000))) if t not in taken)
        found[title] = names
    return found


def _common_beginning(names: Sequence[str]) -> str:
    shortest = min(names, key=len)
    ends = range(len(shortest), 0, -1)
    return next((shortest[:end] for end in ends if all(name.startswith(shortest[:end]) for name in names)), "")


def _without_seed(network: Network) -> str:
    config = as_mapping(network.trained.config) if network.trained.config is not None else {}
    kept = {key: value for key, value in config.items() if key not in NO_DIFFERENCE}
    return canonical([kept, str(network.trained.info.get("dataset", ""))])


def _facts(name: str, trained: Trained, config: TrainConfig) -> CheckpointFacts:
    info, own = trained.info, trained.config
    data = config.data.model_dump(mode="json")
    return CheckpointFacts(
        method=name,
        file=str(trained.path),
        sha256=digest_file(trained.path),
        model=trained.spec.name,
        embedding_size=trained.net.embedding_size,
        epoch=info.get("epoch"),
        seed=None if own is None else own.seed,
        trained_on=info.get("dataset_name"),
        trained_on_digest=info.get("dataset"),
        chosen_on=info.get("splits", {}).get("eval"),
        data={key: value for key, value in data.items() if key not in ONLY_TRAINING and value not in (None, [])},
        config=None if own is None else dict(as_mapping(own)),
    )


def _changed(trained: Trained, config: TrainConfig) -> list[str]:
    """Return how faces are put before a network otherwise than in its training, key by key."""
    if trained.config is None:
        return []
    learnt, used = (one.data.model_dump(mode="json") for one in (trained.config, config))
    return [
        f"data.{key} {value}, learnt with {learnt[key]}"
        for key, value in used.items()
        if key not in ONLY_TRAINING and value != learnt[key]
    ]


def _notices(
    trained: Trained, dataset: Dataset, split: str, table: pd.DataFrame, leaks: LeakCheck, changed: Sequence[str]
) -> list[str]:
    found, info, own = [], trained.info, trained.config
    if leaks.state == "unknown":
        found.append("leaks could not be checked: the checkpoint does not say what it was trained on")
    if changed:
        found.append(f"it sees faces otherwise than in training: {', '.join(changed)}")
    first = None if own is None else own.weights or own.model.get("weights")
    if first is not None and leaks.state != "unknown" and not info.get("training_data_complete", False):
        found.append(f"its training started from the weights of {first}: what those were trained on was not checked")
    if info.get("dataset") == dataset_digest(dataset) and info.get("splits", {}).get("eval") == split:
        found.append(f"its epoch was chosen on split {split!r}, on which it is judged here: the figures are optimistic")
    elif chosen := shared_with_training(table, info.get("selection_data", {})):
        count, shown = _counted(chosen[0].kind, chosen[0].things)
        found.append(f"its epoch was chosen on {count} of the split ({shown}): the figures are optimistic")
    return [*found, *unmatched_weights(trained)]
