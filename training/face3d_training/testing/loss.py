"""Contract check of losses: gradients, order of the batch, refusals, and difficult batches."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch.nn import functional

from face3d_data.errors import ContractError, UserError
from face3d_data.testing.contract_base import need
from face3d_training.losses.base import LossSpec
from face3d_training.losses.loss_module import LossModule, LossValue, Number, TensorBatch
from face3d_training.losses.weighted import WeightedLosses
from face3d_training.models.embedding_net import Outputs
from face3d_training.testing.breach import check_texts, generator, learns

PERSONS, CAPTURES = 4, 3
NOTHING = "finds nothing to learn from in four people with three captures each"
SampleOutputs = Mapping[str, torch.Tensor]
"""Outputs of a network beside the embedding, with the batch first."""


def check_loss(spec: LossSpec, more: SampleOutputs | None = None, embedding_size: int = 8) -> float:
    """Check a loss, and return its value on random embeddings of four people with three captures each.

    Checked are its texts, one finite number, a gradient to the embeddings and to each parameter of its own, the same
    value twice and in any order of the batch, that it writes into nothing it is given, that outputs and labels that it
    needs are refused in one line where they lack, and that batches of one person, of one capture each, of two samples
    and of one embedding many times give a finite number with finite gradients, or nothing to learn from.

    Args:
        spec: its options.
        more: what it needs in addition to `embedding`, for 12 samples; random numbers of (12, E) or (12,) if not given.
        embedding_size: E.

    Raises:
        ContractError: naming the loss and what it breaks.
    """
    check_texts(spec)
    labels = torch.arange(PERSONS).repeat_interleave(CAPTURES)
    embedding = functional.normalize(torch.randn(len(labels), embedding_size, generator=generator(4)), dim=1)
    every = torch.arange(len(labels))
    outputs = {"embedding": embedding, **(_needed(spec, embedding_size) if more is None else more)}
    lacking = sorted(set(spec.needs) - outputs.keys())
    need(not lacking, spec, f"give outputs for {lacking}")
    number = _check_value(spec, outputs, every)
    need(number == _number(spec, outputs, every), spec, "the same batch gives another value")
    order = torch.randperm(len(labels), generator=generator(5))
    moved = _number(spec, outputs, order)
    close = abs(moved - number) <= 1e-4 * max(1.0, abs(number))
    need(close, spec, f"the batch in another order gives {moved:g}, not {number:g}")
    _check_refusals(spec, outputs)
    _check_hostile(spec, "one embedding many times", outputs | {"embedding": embedding[:1].expand_as(embedding)}, every)
    _check_hostile(spec, "one person", outputs, every[labels == 0])
    _check_hostile(spec, "one capture each", outputs, every[::CAPTURES])
    _check_hostile(spec, "two samples", outputs, every[:2])
    return number


def _check_value(spec: LossSpec, outputs: SampleOutputs, chosen: torch.Tensor) -> float:
    run = _Run(spec, outputs, chosen)
    if run.value.loss is None:
        raise ContractError(f"loss {spec.name!r}: {NOTHING}")
    value = float(run.value.loss.detach()) if run.value.loss.numel() == 1 else tuple(run.value.loss.shape)
    one = run.value.loss.shape == () and bool(torch.isfinite(run.value.loss))
    need(one, spec, f"its value is {value}: give one finite number")
    need(
        all(map(_is_number, run.value.stats.values())),
        spec,
        "its stats are neither numbers nor detached tensors of shape ()",
    )
    if run.value.read().loss is None:
        raise ContractError(f"loss {spec.name!r}: {NOTHING}")
    need(run.value.loss.requires_grad, spec, "no gradient reaches the embeddings")
    run.value.loss.backward()
    need(any(learns(leaf.grad) for leaf in run.leaves.values()), spec, "no gradient reaches the embeddings")
    silent = [name for name, weight in run.module.named_parameters() if not learns(weight.grad)]
    need(not silent, spec, f"no gradient reaches its own {silent}")
    written = [name for name, value in run.given.items() if not torch.equal(value.detach(), outputs[name])]
    need(not written, spec, f"it writes into {written}: copy them first")
    need(torch.equal(run.batch["label"], _batch(chosen)["label"]), spec, "it writes into the labels: copy them first")
    return float(run.value.loss.detach())


class _Run:
    """A loss computed on some samples.

    Attributes:
        leaves: outputs in which gradients gather; `given` are copies of them, which the loss is given.
    """

    def __init__(self, spec: LossSpec, outputs: SampleOutputs, chosen: torch.Tensor) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.module = spec.build(PERSONS, outputs["embedding"].shape[1]).train()
        self.leaves = {name: value[chosen].clone().requires_grad_() for name, value in outputs.items()}
        self.given = {name: leaf.clone() for name, leaf in self.leaves.items()}
        self.batch = _batch(chosen)
        self.value: LossValue = self.module(dict(self.given), self.batch)


def _needed(spec: LossSpec, embedding_size: int) -> dict[str, torch.Tensor]:
    count = PERSONS * CAPTURES
    shapes = {name: (count, embedding_size) if name.endswith("embedding") else (count,) for name in spec.needs}
    return {name: torch.rand(shape, generator=generator(6)) for name, shape in shapes.items()}


def _batch(chosen: torch.Tensor) -> TensorBatch:
    """Return the samples of these numbers as a batch: four people with three captures each, in this order."""
    labels = torch.arange(PERSONS).repeat_interleave(CAPTURES)
    visible = torch.linspace(0.5, 1, len(labels))
    pair = torch.where(chosen % CAPTURES < 2, chosen // CAPTURES, -1)  # of the first two, one wears a mask
    occlusion = torch.rand(len(labels), 8, 8, generator=generator(7))
    known = {"visible_ratio": visible[chosen], "map_occlusion": occlusion[chosen], "pair": pair}
    return {"label": labels[chosen], "masked": chosen % 2 == 1, **known}


def _number(spec: LossSpec, outputs: SampleOutputs, chosen: torch.Tensor) -> float:
    number = _Run(spec, outputs, chosen).value.read().number
    return float("nan") if number is None else number


def _is_number(value: Number) -> bool:
    if isinstance(value, torch.Tensor):
        return value.shape == () and not value.requires_grad
    return isinstance(value, int | float)


def _check_refusals(spec: LossSpec, outputs: SampleOutputs) -> None:
    weighted = WeightedLosses({spec.name: spec}, PERSONS, outputs["embedding"].shape[1], "check")
    batch = _batch(torch.arange(PERSONS * CAPTURES))
    for name in spec.needs:
        _check_refused(spec, weighted, {key: value for key, value in outputs.items() if key != name}, batch, name)
    for name in spec.needs_labels:
        _check_refused(spec, weighted, dict(outputs), {key: each for key, each in batch.items() if key != name}, name)


def _check_refused(spec: LossSpec, losses: LossModule, outputs: Outputs, batch: TensorBatch, name: str) -> None:
    try:
        losses(outputs, batch)
    except UserError as error:
        need("\n" not in str(error) and name in str(error), spec, f"without {name!r} the line does not name it")
        return
    need(False, spec, f"{name!r} lacks and is not refused")


def _check_hostile(spec: LossSpec, what: str, outputs: SampleOutputs, chosen: torch.Tensor) -> None:
    try:
        run = _Run(spec, outputs, chosen)
        if run.value.loss is None:
            return
        run.value.read()
        run.value.loss.backward()
    except Exception as error:
        raise ContractError(f"loss {spec.name!r}: {what}: {type(error).__name__}: {error}") from error
    number = float(run.value.loss.detach())
    need(math.isfinite(number), spec, f"{what} gives {number}")
    finite = all(leaf.grad is None or bool(torch.isfinite(leaf.grad).all()) for leaf in run.leaves.values())
    need(finite, spec, f"{what} gives gradients that are not finite")
