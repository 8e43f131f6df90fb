"""Training that another program began: its optimizer's state and epoch, taken from its checkpoint where they fit.

The triplet trainers (tamerthamoqa/facenet-pytorch-glint360k at 38fc241, azhadzuraimi/3D-face-masked-recognition at
d46e20d) write torch's state of an optimizer over all weights, in the order of the state dict without its buffers, and
`epoch`, the number from 0 of the epoch that was finished: they go on with the next one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer

from face3d_data.plurals import counted
from face3d_training.config import OptimizerConfig
from face3d_training.foreign import OPTIMIZER
from face3d_training.models.adapt import drop_prefixes, weights_in
from face3d_training.models.base import ModelSpec
from face3d_training.models.embedding_net import EmbeddingNet

BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
"""Endings of what a state dict holds beside the weights that an optimizer moves."""
KINDS = {
    "betas": ("adam", "adamw"),
    "dampening": ("sgd",),
    "alpha": ("rmsprop",),
    "initial_accumulator_value": ("adagrad",),
}
"""What torch writes of an optimizer, by which it is known, to the names that it may have in a config."""
DECOUPLED = "decoupled_weight_decay"
"""What newer versions write of adam and adamw, to tell one from the other."""
MOMENTS = {
    **dict.fromkeys(("adam", "adamw"), ("exp_avg", "exp_avg_sq")),
    **{"sgd": (), "rmsprop": ("square_avg",), "adagrad": ("sum",)},
}
"""What each keeps of a weight beside the number of steps and, with momentum, a `momentum_buffer`."""
STEP = "step"


@dataclass(frozen=True)
class Begun:
    """What was taken of a training that began elsewhere.

    Attributes:
        epochs: that were finished there.
        notes: lines on what was taken, and on what was not and why.
    """

    epochs: int
    notes: tuple[str, ...]


class _Unfit(Exception):
    """The state of an optimizer does not fit, and why."""


def take_training(
    path: str | Path,
    content: Mapping[str, Any],
    net: EmbeddingNet,
    spec: ModelSpec,
    optimizer: Optimizer,
    config: OptimizerConfig,
) -> Begun:
    """Take the epoch of a checkpoint, and give an optimizer the state that it had there, where that fits.

    Rates and all other numbers stay those of the config.

    Args:
        path: the checkpoint, for messages.
        content: of it.
        net: the network, with the checkpoint's weights.
        spec: its options.
        optimizer: of its weights, before its first step; its state is set.
        config: the optimizer's.
    """
    epoch = content.get("epoch")
    if isinstance(epoch, torch.Tensor | np.generic) and np.size(epoch) == 1:
        epoch = epoch.item()
    epochs = epoch + 1 if isinstance(epoch, int) and epoch >= 0 else 0
    lines = [f"goes on behind its {counted(epochs, 'epoch')}" if epochs else "says no epoch: begins with the first"]
    try:
        moved = _take_state(path, content, net, spec, optimizer, config)
        lines.append(
            f"the state of its optimizer is taken ({config.name}, {counted(moved, 'weight')}), rates are this run's"
        )
    except _Unfit as reason:
        lines.append(f"the state of its optimizer is not taken: {reason}")
    return Begun(epochs, (f"weights {path}: {'; '.join(lines)}",))


def _take_state(
    path: str | Path,
    content: Mapping[str, Any],
    net: EmbeddingNet,
    spec: ModelSpec,
    optimizer: Optimizer,
    config: OptimizerConfig,
) -> int:
    """Set the state of an optimizer; return of how many of the network's weights."""
    groups, states = _parts(content.get(OPTIMIZER))
    _check_kind(groups[0], config)
    order = [number for group in groups for number in group["params"]]
    weights = drop_prefixes(weights_in(content, Path(path)))
    moved = [name for name in weights if name.rpartition(".")[2] not in BUFFERS]
    if len(moved) != len(order):
        raise _Unfit(f"it is of {counted(len(order), 'weight')}, and the network has {len(moved)} there")
    own = dict(net.named_parameters())
    found: dict[str, dict[str, Any]] = {}
    for name, number in zip(moved, order, strict=True):
        here = next(iter(spec.renamed({name: weights[name]})), None)
        state = {key: value for key, value in states.get(number, {}).items() if value is not None}
        if here in own and state:
            found[here] = _fitted(here, state, own[here], config)
    if not found:
        raise _Unfit("it holds nothing: no step was made there")
    for name, state in found.items():
        optimizer.state[own[name]] = state
    return len(found)


def _parts(saved: Any) -> tuple[list[Mapping[str, Any]], Mapping[int, Mapping[str, Any]]]:
    if saved is None:
        raise _Unfit("the file has none")
    groups = saved.get("param_groups") if isinstance(saved, Mapping) else None
    states = saved.get("state") if isinstance(saved, Mapping) else None
    whole = isinstance(groups, Sequence) and groups and isinstance(states, Mapping)
    if not whole or not all(isinstance(group, Mapping) and "params" in group for group in groups or ()):
        raise _Unfit("it is not what torch writes")
    return list(groups or ()), states or {}


def _check_kind(group: Mapping[str, Any], config: OptimizerConfig) -> None:
    names = next((names for key, names in KINDS.items() if key in group), ())
    if DECOUPLED in group:
        names = ("adamw",) if group[DECOUPLED] else ("adam",)
    if config.name not in names:
        which = " or ".join(names) or "no optimizer that is known here"
        raise _Unfit(f"it is of {which}, this run has {config.name}" + (": set --optimizer.name" if names else ""))


def _fitted(name: str, state: Mapping[str, Any], weight: torch.nn.Parameter, config: OptimizerConfig) -> dict[str, Any]:
    """Return the state of one weight as the optimizer keeps it here."""
    momentum = (config.name == "sgd" and config.momentum != 0) or (config.name == "rmsprop" and bool(config.momentum))
    wanted = {*MOMENTS[config.name], *(("momentum_buffer",) if momentum else ())}
    if {*state} - {STEP} != wanted:
        there = ", ".join(sorted({*state} - {STEP})) or "nothing"
        raise _Unfit(
            f"it keeps {there} of each weight, this run {', '.join(sorted(wanted)) or 'nothing'}: momentum differs"
        )
    made: dict[str, Any] = {}
    if config.name != "sgd":
        made[STEP] = torch.tensor(float(state.get(STEP, 0)))
    for key in sorted(wanted):
        value = state[key]
        if not torch.is_tensor(value) or value.numel() != weight.numel() or _sides(value) != _sides(weight):
            shape = tuple(value.shape) if torch.is_tensor(value) else value
            raise _Unfit(f"{key} of {name} is {shape} there, {tuple(weight.shape)} here")
        made[key] = value.reshape(weight.shape).to(weight.device, weight.dtype).clone()
    return made


def _sides(tensor: torch.Tensor) -> list[int]:
    return [side for side in tensor.shape if side != 1]
