"""Weights from files, fitted to a network by name, shape and channels."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from face3d_data.errors import UserError
from face3d_training.models.embedding_net import EmbeddingNet
from face3d_training.torch_file import read_torch_file

log = logging.getLogger("face3d_training")


PREFIXES = ("module.", "_orig_mod.", "model.")
"""What DataParallel, torch.compile and wrappers put before every name."""


STATES = ("model_state_dict", "state_dict", "net", "model", "weights", "backbone")
"""Where checkpoints keep the weights; the first that is there is taken."""


SHOWN = 6
"""Number of names that a warning shows."""


@dataclass(frozen=True)
class WeightsFit:
    """What of a file fits a network.

    Attributes:
        tensors: by the network's names, in its shapes.
        unmatched: a line for each name of the file or of the network that found no partner, with why.
        lacking: those of the network alone, which keep their initial values.
    """

    tensors: dict[str, torch.Tensor]
    unmatched: list[str]
    lacking: list[str]

    def summary(self) -> str:
        """Return one line that says how much fits and what does not."""
        more = len(self.unmatched) - SHOWN
        rest = f"; and {more} more" if more > 0 else ""
        return f"{len(self.tensors)} tensors fit; not: {'; '.join(self.unmatched[:SHOWN])}{rest}"


def fit_state(state: Mapping[str, torch.Tensor], net: EmbeddingNet, first_convolution: str = "") -> WeightsFit:
    """Match a state dict with a network by name and shape.

    A bias that the file lacks beside its weight is 0, which is what a layer without one computes. Sides of length 1 do
    not matter: a convolution of kernel 1, (out, in, 1), is a linear layer, (out, in).

    Args:
        state: tensors by name.
        net: the network; left as it is.
        first_convolution: the weight whose channels are fitted by `fit_channels`.
    """
    own = net.state_dict()
    tensors: dict[str, torch.Tensor] = {}
    unmatched, lacking = [], []
    for name, tensor in state.items():
        if name not in own:
            unmatched.append(f"{name}: the network has no weight of that name")
            continue
        fitted = fit_channels(tensor, own[name].shape[1]) if name == first_convolution else tensor
        if _without_ones(fitted) == _without_ones(own[name]):
            fitted = fitted.reshape(own[name].shape)
        if fitted.shape == own[name].shape:
            tensors[name] = fitted
        else:
            unmatched.append(f"{name}: {tuple(tensor.shape)} in the file, {tuple(own[name].shape)} in the network")
            lacking.append(unmatched[-1])
    for name, tensor in own.items():
        if name in state or name.endswith("num_batches_tracked"):
            continue
        if name.endswith(".bias") and f"{name.removesuffix('bias')}weight" in tensors:
            tensors[name] = torch.zeros_like(tensor)
        else:
            lacking.append(f"{name}: not in the file, keeps its initial values")
            unmatched.append(lacking[-1])
    return WeightsFit(tensors, unmatched, lacking)


def _without_ones(tensor: torch.Tensor) -> list[int]:
    return [side for side in tensor.shape if side != 1]


def fit_channels(weight: torch.Tensor, channels: int) -> torch.Tensor:
    """Return a convolution for colour as one for other channels; others than colour are returned as they are.

    For 1 channel the filters are summed, so that a grey image gives exactly what it gave as three equal channels. For
    4 and more the colour filters stay and each further channel gets their mean.

    Args:
        weight: f4 (out, 3, k, k).
        channels: any number but 2.

    Returns:
        f4 (out, channels, k, k).
    """
    if weight.dim() != 4 or weight.shape[1] != 3:
        return weight
    if channels == 1:
        return weight.sum(1, keepdim=True)
    further = max(0, channels - 3)
    return torch.cat([weight, *[weight.mean(1, keepdim=True)] * further], 1)


def drop_prefixes(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a state dict without the prefixes that all its names share, such as `module.model.`."""
    named = dict(state)
    shared = True
    while shared:
        shared = False
        for prefix in PREFIXES:
            if named and all(name.startswith(prefix) for name in named):
                named, shared = {name.removeprefix(prefix): tensor for name, tensor in named.items()}, True
    return named


def read_state(path: str | Path) -> dict[str, torch.Tensor]:
    """Return the state dict of a file: the file itself, or what a checkpoint keeps under a key.

    Raises:
        UserError: the file cannot be read, or there is no state dict in it.
    """
    path = Path(path)
    return weights_in(read_torch_file(path), path)


def weights_in(content: Mapping[str, Any], path: Path) -> dict[str, torch.Tensor]:
    """Return the weights that the content of a file has: itself, one of `STATES`, or the only tensors by name in it.

    Args:
        content: of the file.
        path: the file, for messages.

    Raises:
        UserError: there are none, or several under keys that say nothing.
    """
    if _is_state(content):
        return dict(content)
    keys = [key for key in content if _is_state(content[key])]
    known = next((key for key in STATES if key in content), None)
    if known is not None and known not in keys:
        raise UserError(f"{path}: its {known} is not tensors by name, or has none: save a state dict")
    if known is None and len(keys) != 1:
        there = ", ".join(map(str, keys or list(content))) or "nothing"
        which = "several kinds of weights" if keys else "no weights (tensors by name)"
        raise UserError(
            f"{path}: contains {which} ({there}): save the network's state dict alone, or under {' or '.join(STATES)}"
        )
    return dict(content[keys[0] if known is None else known])


def _is_state(found: Any) -> bool:
    return isinstance(found, Mapping) and bool(found) and all(torch.is_tensor(value) for value in found.values())
