"""Back-ends and fusion of an evaluation: people that they learn from, and whether these are among those judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.shards.leaks import counted_things
from face3d_data.shards.read import Dataset
from face3d_training.back_ends.back_end import BackEnd
from face3d_training.back_ends.back_end_file import back_end_digest
from face3d_training.back_ends.learn import check_kind, learn_back_end
from face3d_training.checkpoint import PEOPLE
from face3d_training.evaluation.baselines.plan import ProgressCallback
from face3d_training.evaluation.networks.about import LeakCheck
from face3d_training.evaluation.networks.load import Network, check_leaks
from face3d_training.fold_splits import run_splits
from face3d_training.leaks import is_closed_set, packed, shared_with_training, training_fingerprint, unpacked
from face3d_training.network_back_end import asked_back_end, is_back_end_of, network_digest, own_back_end
from face3d_training.packaged import is_packaged
from face3d_training.run_folder import dataset_digest
from face3d_training.split_table import rows_of
from face3d_training.training_embeddings import TrainingRows, embed_training_rows, taught, training_rows

if TYPE_CHECKING:
    import pandas as pd

FUSION = "fusion"
HELD_OUT = "eval"
"""Split of the training data whose people no network learnt from, where its checkpoint names no other."""
FEWEST_HELD_OUT = 2
"""One person makes no impostor pair."""
BACK_END_FILE = ".safetensors"
PEOPLE_LEARNT_FROM = "people_learnt_from"
"""Key of a back-end's `info`: the fingerprint of their names, by which those of their captures are found, too."""


@dataclass(frozen=True)
class TeachingData:
    """What a user named to learn from.

    Attributes:
        dataset: the dataset; None: the one that is judged, if networks were trained on it.
        where: query on its columns: the rows that are used; None: those of a network's own training, else all.
        changes: keys of `data` that are changed, how faces are put before networks.
    """

    dataset: Dataset | None = None
    where: str | None = None
    changes: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class BackEndPlan:
    """Back-ends of one network; nothing is computed yet.

    Attributes:
        network: the network.
        kinds: what is learnt.
        ready: back-ends out of files, by the name of what reports call them.
        rows: what is learnt from; None: there is nothing to learn.
        teacher: the dataset of these rows.
        leaks: whether what is learnt from shares something with what is judged.
        notices: lines for the reader.
    """

    network: Network
    kinds: tuple[str, ...]
    ready: dict[str, BackEnd]
    rows: TrainingRows | None
    teacher: Dataset | None
    leaks: tuple[LeakCheck, ...] = ()
    notices: tuple[str, ...] = ()

    def learn(
        self, device: torch.device, workers: int, progress: ProgressCallback
    ) -> tuple[dict[str, BackEnd], list[str]]:
        """Return the back-ends by the name of what reports call them, and lines on what they were learnt from."""
        found, told = dict(self.ready), []
        if self.rows is not None and self.teacher is not None:
            label = f"embed training faces, {self.network.name}"
            seen = embed_training_rows(
                *(self.network.trained, self.rows, device, workers),
                progress=lambda done, total: progress(label, done, total),
            )
            info = self._info(self.rows, self.teacher)
            for kind in self.kinds:
                try:
                    learnt = learn_back_end(
                        kind, seen.vectors, seen.people, seed=self.network.facts.seed or 0, info=info
                    )
                except UserError as error:
                    raise UserError(f"{self.network.name}: {error}") from None
                found[method_name(self.network.name, kind)] = learnt
            varied = "" if self.rows.varied is None else " and as varied in its training, masks included"
            faces, people = counted(len(seen.people), "embedding"), counted(len(self.rows.plain.identities), "person")
            told.append(
                f"{self.network.name}, back-ends {', '.join(self.kinds)}: learnt on {faces} of {people} of dataset "
                f"{self.teacher.name}, split {self.rows.plain.split}, as stored{varied}"
            )
        return found, told

    def _info(self, rows: TrainingRows, teacher: Dataset) -> dict[str, str]:
        return {
            "network": network_digest(self.network.trained),
            "dataset": teacher.name,
            "dataset_digest": dataset_digest(teacher),
            "split": rows.plain.split,
            "people": str(rows.table["identity"].nunique()),
            PEOPLE_LEARNT_FROM: packed({PEOPLE: training_fingerprint(rows.table)[PEOPLE]})[PEOPLE],
        }


def method_name(network: str, back_end: str) -> str:
    """Return what reports call a network with a back-end."""
    return f"{network} + {back_end}"


def plan_back_ends(
    wanted: Sequence[str],
    networks: Sequence[Network],
    dataset: Dataset,
    given: TeachingData,
) -> list[BackEndPlan]:
    """Return the back-ends of each network, none of them learnt yet: those wanted, and the one that comes with it.

    Args:
        wanted: kinds, or files that an evaluation wrote.
        networks: what they are learnt on.
        dataset: the test data.
        given: what the user named to learn from.

    Raises:
        UserError: there is no network, no such kind or file, or no training data to learn from.
    """
    kinds = tuple(dict.fromkeys(each for each in wanted if not each.endswith(BACK_END_FILE)))
    for kind in kinds:
        check_kind(kind)
    if wanted and not networks:
        raise UserError("--back-end: is learnt on a network's embeddings, and there is no network: give a checkpoint")
    files = {path: asked_back_end(path) for path in map(Path, dict.fromkeys(wanted)) if path.suffix == BACK_END_FILE}
    for path, back_end in files.items():
        if not any(is_back_end_of(back_end, network.trained) for network in networks):
            raise UserError(f"--back-end {path}: was learnt on another network's embeddings: give that network too")
    there = [_back_ends_in_files(network, files) for network in networks]
    if not wanted and not any(there):
        return []
    return [_plan(network, kinds, own, dataset, given) for network, own in zip(networks, there, strict=True)]


def _back_ends_in_files(network: Network, files: Mapping[Path, BackEnd]) -> dict[Path, BackEnd]:
    """Return the back-ends of a network that are learnt already: the one that comes with it first, each once."""
    own = own_back_end(network.trained)
    found = {} if own is None else {back_end_digest(own[1]): own}
    for path, back_end in files.items():
        if is_back_end_of(back_end, network.trained):
            found.setdefault(back_end_digest(back_end), (path, back_end))
    return dict(found.values())


def _plan(
    network: Network,
    kinds: tuple[str, ...],
    files: Mapping[Path, BackEnd],
    dataset: Dataset,
    given: TeachingData,
) -> BackEndPlan:
    ready, leaks, notices = _ready(network, kinds, files, is_closed_set(dataset))
    if not kinds:
        return BackEndPlan(network, (), ready, None, None, tuple(leaks), tuple(notices))
    source = _teacher("--back-end", network, dataset, given.dataset)
    rows = training_rows(network.trained, source.path, given.changes, given.where)
    seen = training_fingerprint(rows.table)
    leaks += [
        check_leaks(method_name(network.name, kind), network.rows.table, seen, is_closed_set(dataset)) for kind in kinds
    ]
    if not taught(network.trained, source):
        notices.append(
            f"{network.name}: its back-ends learn from dataset {source.name}, not from what the network was trained on"
        )
    return BackEndPlan(network, kinds, ready, rows, source, tuple(leaks), tuple(notices))


def _leaks_of_file(name: str, back_end: BackEnd, network: Network, closed: bool) -> LeakCheck:
    """Return the leak check of a back-end out of a file, which keeps the names of its people alone.

    Where it was learnt from the network's training data, all is compared that is known of those.
    """
    people, data = (back_end.info.get(key) for key in (PEOPLE_LEARNT_FROM, "dataset_digest"))
    found = check_leaks(name, network.rows.table, None if people is None else unpacked({PEOPLE: people}), closed)
    own = data is not None and data == network.trained.info.get("dataset")
    return replace(network.leaks, method=name) if own and found.state != "found" else found


def _ready(
    network: Network, kinds: Sequence[str], files: Mapping[Path, BackEnd], closed: bool
) -> tuple[dict[str, BackEnd], list[LeakCheck], list[str]]:
    """Return the back-ends of files by the name of what reports call them, their leak checks, and lines on these."""
    ready: dict[str, BackEnd] = {}
    leaks, notices = [], []
    for path, back_end in files.items():
        name = method_name(network.name, back_end.kind)
        if back_end.kind in kinds or name in ready:
            name += f" ({path.stem})"
        ready[name] = back_end
        leaks.append(_leaks_of_file(name, back_end, network, closed))
        if leaks[-1].state == "unknown":
            notices.append(
                f"{name}: leaks could not be checked: its file does not name the people that it was learnt from"
            )
    return ready, leaks, notices


def _teacher(option: str, network: Network, dataset: Dataset, teacher: Dataset | None) -> Dataset:
    if teacher is not None or taught(network.trained, dataset):
        return teacher or dataset
    on = network.facts.trained_on
    if is_packaged(network.trained.path):
        raise UserError(
            f"{option}: learns from training people, and those of {network.name} are not part of the package: name a "
            f"dataset of others by --train-dataset, or make theirs by face3d run {on} (hours, 25 GB)"
        )
    was = "does not say what it was trained on" if on is None else f"was trained on dataset {on}"
    raise UserError(
        f"{option}: learns from a network's training data, and {network.name} {was}, which is not the dataset judged "
        f"({dataset.name}): name its training data by --train-dataset"
    )


@dataclass(frozen=True)
class FusionPlan:
    """People that methods are weighed on; nothing is computed yet.

    Attributes:
        teacher: their dataset.
        split: their split of it.
        where: query on its columns: their rows; None: all.
        table: their rows.
        leaks: whether they are among the people judged.
        notices: lines for the reader.
    """

    teacher: Dataset
    split: str
    where: str | None
    table: pd.DataFrame
    leaks: tuple[LeakCheck, ...]
    notices: tuple[str, ...]


def plan_fusion(networks: Sequence[Network], dataset: Dataset, table: pd.DataFrame, given: TeachingData) -> FusionPlan:
    """Return the people that methods are weighed on: those of split `eval` of the training data.

    Nobody else will do: a network knows its training people, so that weights learnt on them would trust it too much,
    and weights learnt on the people judged would be chosen by the result.

    Args:
        networks: what is fused.
        dataset: the test data.
        table: the rows judged.
        given: what the user named to learn from.

    Raises:
        UserError: the training data are not known, or hold nobody out.
    """
    sources = [_teacher("--fuse", network, dataset, given.dataset) for network in networks]
    source = sources[0] if sources else given.dataset or dataset
    own = next((one.config.data for one in (n.trained for n in networks) if one.config and taught(one, source)), None)
    split, where = (
        (HELD_OUT, given.where) if own is None else (run_splits(own, source).evaluation, given.where or own.where)
    )
    there = split in source.splits and len(source.table(split)) > 0
    held = rows_of(source, split, where, key="--train-where") if there else None
    people = 0 if held is None else held["identity"].nunique()
    if held is None or people < FEWEST_HELD_OUT:
        raise UserError(
            f"--fuse: weighs methods on people held out of training, and dataset {source.name} has "
            f"{counted(people, 'person')} in split {split!r}, {FEWEST_HELD_OUT} are needed: put more there, or name "
            "another dataset by --train-dataset"
        )
    leaks = (check_leaks(FUSION, table, training_fingerprint(held), is_closed_set(dataset)),)
    return FusionPlan(source, split, where, held, leaks, tuple(_who_knows_them(networks, held)))


def _who_knows_them(networks: Sequence[Network], held: pd.DataFrame) -> Iterator[str]:
    """Yield a line for each network that was trained on some of the people held out."""
    for network in networks:
        shared = shared_with_training(held, network.trained.info.get("training_data") or {})
        if shared:
            count = counted_things(len(shared[0].things), shared[0].kind)
            yield f"{FUSION}: {network.name} was trained on {count} that it is weighed on: its weight is too large"
