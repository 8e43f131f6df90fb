"""Parts of a training run, built from its config: rows, network, losses, optimizer, batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.shards.read import Dataset
from face3d_training.checkpoint import build_spec, find_checkpoint, load_weights, read_checkpoint, without_weights
from face3d_training.config import TrainConfig
from face3d_training.data import FaceRows
from face3d_training.fold_splits import run_splits
from face3d_training.foreign import start_from
from face3d_training.foreign_training import take_training
from face3d_training.health import Watched
from face3d_training.leaks import SeenData, training_fingerprint
from face3d_training.loader import make_loader
from face3d_training.losses.loss_module import LossModule
from face3d_training.losses.weighted import build_losses, loss_specs
from face3d_training.map_place import check_same_maps
from face3d_training.models.base import ModelSpec
from face3d_training.models.embedding_net import EmbeddingNet
from face3d_training.optimization import Schedule, make_optimizer
from face3d_training.sampler import BatchSampler, PairSampler, PKSampler, SampledRows, ShuffleSampler
from face3d_training.split_table import shapes_of
from face3d_training.teacher import Teacher
from face3d_training.variation import Variation

DEFAULT_CHANNELS = 3
"""Channels of a network that does not declare them."""


@dataclass(frozen=True)
class Learning:
    """Parts of a training run.

    Attributes:
        rows: the faces.
        spec: the network's options; `raw` is the network, `net` what Fabric made of it.
        losses: the loss, with its own parameters; `watched` is the same, and also measures the embeddings.
        optimizer: of the parameters of both.
        schedule: of the learning rate.
        sampler: which samples make a batch; `loader` gives the batches of its epoch.
        batch_size: samples of a batch, over all processes.
        seen: the people and captures that the network will have seen.
        teacher: a frozen network that the loss compares with, or None where there is none.
        notes: what differs from the config.
        epochs_before: epochs of the training that another program began.
    """

    rows: FaceRows
    spec: ModelSpec
    raw: EmbeddingNet
    net: Any
    losses: LossModule
    watched: LossModule
    optimizer: Optimizer
    schedule: Schedule
    sampler: Any
    loader: DataLoader
    batch_size: int
    seen: SeenData
    teacher: Teacher | None = None
    notes: tuple[str, ...] = ()
    epochs_before: int = 0

    def summary(self, fabric: Fabric) -> str:
        """Return one line on what is trained, on what, and where."""
        count = sum(parameter.numel() for parameter in self.raw.parameters())
        where = f"{fabric.device}" + (f" × {fabric.world_size}" if fabric.world_size > 1 else "")
        people = len(self.rows.identities)
        return (
            f"{self.spec.name}: {count:,} parameters; {counted(len(self.rows), 'sample')} of "
            f"{counted(people, 'person')}; "
            f"{counted(len(self.sampler), 'step')} of {self.batch_size} samples an epoch; on {where}"
        )


def check_options(config: TrainConfig) -> None:
    """Check the options of network, losses and augmentation, which only these know.

    Raises:
        UserError: there is no such network or loss, or no such option.
    """
    build_spec(without_weights(config))
    losses = loss_specs(config.loss)
    if losses and not any(spec.separates for spec in losses.values()):
        names = ",".join(losses)
        raise UserError(f"--loss {names}: keeps nobody apart alone: add one that does, such as --loss arcface,{names}")
    for name, spec in losses.items():
        if "pair" in spec.needs_labels and not config.masks.pairs:
            raise UserError(f"loss {name}: compares plain and masked variants of a capture: add --masks.pairs")
    Variation.of(config)


def build_learning(dataset: Dataset, config: TrainConfig, fabric: Fabric, folder: Path) -> Learning:
    """Build all parts; weights are drawn from the config's seed.

    Args:
        dataset: the training data.
        config: of the run.
        fabric: the device and precision.
        folder: the run's folder; offline triplets are written into it.

    Raises:
        UserError: the parts do not fit each other.
    """
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    spec = build_spec(config)
    variation = Variation.of(config)
    train = run_splits(config.data, dataset).train
    rows = FaceRows(dataset.path, train, config.data, spec.inputs, config.data.where, variation, config.seed)
    check_channels(spec, rows, config)
    _check_covered(config, dataset, rows)
    config, notes = _as_many_people_as_there_are(config, len(rows.identities))
    sampler = _make_sampler(config, rows, fabric, folder)
    loader = make_loader(rows, sampler, config.workers, pin_memory=fabric.device.type == "cuda")
    torch.manual_seed(config.seed % 2**63)
    raw = spec.build()
    losses = build_losses(config.loss, len(rows.identities), spec.embedding_size, spec.name)
    seen, begun, theirs = _begin(raw, spec, rows, config)
    fabric.to_device(losses)
    teacher = Teacher.of(config, rows, spec, fabric.device)
    if teacher is not None:
        seen.add(teacher.trained.info)
    compiled: Any = torch.compile(raw) if config.compile else raw
    net = fabric.setup_module(compiled, _reapply_compile=False)
    optimizer = make_optimizer(config.optimizer, [*raw.parameters(), *losses.parameters()])
    schedule = Schedule(config.schedule, optimizer, len(sampler), config.epochs)
    epochs = 0
    if theirs is not None:
        taken = take_training(config.weights or "", theirs, raw, spec, optimizer, config.optimizer)
        epochs, begun = taken.epochs, (*begun, *taken.notes)
        _check_epochs_left(config, epochs)
        schedule.go_to(epochs * len(sampler))
    watched = Watched(losses)
    placed: Any = fabric.setup_optimizers(optimizer)
    size = config.batch.identities * config.batch.samples if config.batch.sampler == "pk" else config.batch.size
    return Learning(
        *(rows, spec, raw, net, losses, watched, placed, schedule, sampler, loader, size, seen, teacher),
        notes=(*notes, *begun),
        epochs_before=epochs,
    )


def _check_epochs_left(config: TrainConfig, before: int) -> None:
    """Check that a training which began elsewhere has epochs left.

    Raises:
        UserError: it has none.
    """
    if before >= config.epochs:
        raise UserError(
            f"weights {config.weights}: {counted(before, 'epoch')} of its training are done, and this run has "
            f"{config.epochs}: more --epochs, or leave --continue-training out"
        )


def _check_covered(config: TrainConfig, dataset: Dataset, rows: FaceRows) -> None:
    """Check that a loss which learns what is covered sees something that is."""
    known = config.masks.are_on or (rows.masked.any() and "map_occlusion" in shapes_of(dataset))
    for name, spec in loss_specs(config.loss).items():
        if "map_occlusion" in spec.needs_labels and not known:
            raise UserError(
                f"loss {name}: nothing is covered in training (masks.share is 0, and dataset {dataset.name} has no "
                "masked rows with map_occlusion): add --masks.share 0.5"
            )


def _as_many_people_as_there_are(config: TrainConfig, people: int) -> tuple[TrainConfig, tuple[str, ...]]:
    """Return the config with batches of at most as many people as there are, and notes on what has no effect."""
    drawn = config.batch.sampler == "pk" or config.triplets.offline
    notes: tuple[str, ...] = ()
    if config.batch.iterations is not None and (config.triplets.offline or config.triplets.file is not None):
        notes = ("batch.iterations has no effect: the number of offline triplets decides how many batches there are",)
    if not drawn or config.triplets.file is not None or not 2 <= people < config.batch.identities:
        return config, notes
    has = f"the dataset has {counted(people, 'person')}"
    note = f"batch.identities is {config.batch.identities}, but {has}: batches contain all"
    batch = config.batch.model_copy(update={"identities": people})
    return config.model_copy(update={"batch": batch}), (*notes, note)


def _begin(
    raw: EmbeddingNet, spec: ModelSpec, rows: FaceRows, config: TrainConfig
) -> tuple[SeenData, tuple[str, ...], Mapping[str, Any] | None]:
    """Load the weights that training starts from, if any.

    Returns:
        What the network will have seen, lines on the weights, and the checkpoint of a training that is to be continued.
    """
    seen = SeenData(training_fingerprint(rows.table))
    notes: tuple[str, ...] = ()
    theirs: Mapping[str, Any] | None = None
    first_layers = getattr(spec, "weights", None)
    if first_layers is not None:
        seen.add(read_checkpoint(first_layers))
    if config.weights is not None:
        source = find_checkpoint(config.weights.expanduser())
        state = read_checkpoint(source)
        if isinstance(state.get("config"), str):
            if config.continue_training:
                raise UserError(
                    f"continue_training: {source} is of this program: --resume, with --out set to its run, continues it"
                )
            load_weights(raw, state.get("model_state_dict", {}), f"weights {source}: network {spec.name}")
        else:
            theirs = state if config.continue_training else None
            notes = start_from(raw, spec, source, state, config.continue_training)
        check_same_maps(state.get("maps"), rows.map_said, rows.dataset, f"weights {source}")
        seen.add(state)
    return seen, notes, theirs


def check_channels(spec: ModelSpec, rows: FaceRows, config: TrainConfig) -> None:
    """Check that a network takes as many channels as the rows have, and maps of the cells that it is made for.

    Raises:
        UserError: it does not; the message names the keys.
    """
    for key in ("cell_mm", "top_mm"):
        own, there = getattr(spec, key, None), rows.map_said.get(key)
        if own is not None and there is not None and own != there:
            raise UserError(f"model.{key}: {own:g}, but the maps of dataset {rows.dataset} have {there:g}: set it so")
    wanted = getattr(spec, "in_channels", DEFAULT_CHANNELS)
    if wanted not in (None, rows.channels):
        fields = ", ".join(config.data.fields)
        option = f"--model.in-channels {rows.channels}, or " if "in_channels" in type(spec).model_fields else ""
        raise UserError(
            f"model {spec.name} takes {wanted} channels and data.fields ({fields}) give {rows.channels}: set "
            f"{option}other --data.fields"
        )


def _make_sampler(config: TrainConfig, rows: FaceRows, fabric: Fabric, folder: Path) -> Any:
    batch, place = config.batch, {"seed": config.seed, "rank": fabric.global_rank, "world": fabric.world_size}
    if config.triplets.offline or config.triplets.file is not None:
        from face3d_training.triplets import make_triplet_sampler

        if config.masks.pairs:
            raise UserError("masks.pairs: triplets that are drawn in advance name their samples: leave one of both out")
        return make_triplet_sampler(config, rows.table, rows.labels, folder, **place, notes=rows.notes)
    copies = 2 if config.masks.pairs else 1
    key, count = ("size", batch.size) if batch.sampler == "shuffle" else ("samples", batch.samples)
    if count % copies:
        raise UserError(f"batch.{key}: {count}, but with masks.pairs each capture comes twice: choose an even number")
    sampler = _chosen_sampler(config, rows, count // copies, place)
    return sampler if copies == 1 else PairSampler(sampler, fabric.global_rank, fabric.world_size)


def _chosen_sampler(config: TrainConfig, rows: FaceRows, count: int, place: dict[str, int]) -> BatchSampler:
    """Return the sampler of different captures: `count` of a batch, or of each person in it."""
    batch = config.batch
    if batch.sampler == "shuffle":
        return ShuffleSampler(len(rows), count, iterations=batch.iterations, **place)
    return PKSampler(
        SampledRows(rows.labels, rows.masked, rows.table["origin_id"].tolist()),
        identities=batch.identities,
        samples=count,
        mix_masked=batch.mix_masked,
        iterations=batch.iterations,
        **place,
    )
