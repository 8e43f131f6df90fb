"""Weights from files, fitted to an image network by name, shape and channels."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from face3d_data.errors import UserError
from face3d_training.models.embedding_net import EmbeddingNet
from face3d_training.torch_file import read_torch_file

log = logging.getLogger("face3d_training")


PREFIXES = ("module.", "_orig_mod.", "model.")
"""What DataParallel, torch.compile and wrappers put before every name."""


STATES = ("model_state_dict", "state_dict")
"""Where checkpoints keep the weights."""


SHOWN = 6
"""Number of names that a warning shows."""


@dataclass(frozen=True)
class WeightsFit:
    """What of a file fits a network.

    Attributes:
        tensors: by the network's names, in its shapes.
        unmatched: a line for each name of the file or of the network that found no partner, with why.
    """

    tensors: dict[str, torch.Tensor]
    unmatched: list[str]

    def summary(self) -> str:
        """Return one line that says how much fits and what does not."""
        more = len(self.unmatched) - SHOWN
        rest = f"; and {more} more" if more > 0 else ""
        return f"{len(self.tensors)} tensors fit; not: {'; '.join(self.unmatched[:SHOWN])}{rest}"


def fit_state(state: Mapping[str, torch.Tensor], net: EmbeddingNet, first_convolution: str = "") -> WeightsFit:
    """Match a state dict with a network by name and shape.

    A bias that the file lacks beside its weight is 0, which is what a layer without one computes.

    Args:
        state: tensors by name.
        net: the network; left as it is.
        first_convolution: the weight whose channels are fitted by `fit_channels`.
    """
    own = net.state_dict()
    tensors: dict[str, torch.Tensor] = {}
    unmatched = []
    for name, tensor in state.items():
        if name not in own:
            unmatched.append(f"{name}: the network has no weight of that name")
            continue
        fitted = fit_channels(tensor, own[name].shape[1]) if name == first_convolution else tensor
        if fitted.shape == own[name].shape:
            tensors[name] = fitted
        else:
            unmatched.append(f"{name}: {tuple(tensor.shape)} in the file, {tuple(own[name].shape)} in the network")
    for name, tensor in own.items():
        if name in state or name.endswith("num_batches_tracked"):
            continue
        if name.endswith(".bias") and f"{name.removesuffix('bias')}weight" in tensors:
            tensors[name] = torch.zeros_like(tensor)
        else:
            unmatched.append(f"{name}: not in the file, keeps its initial values")
    return WeightsFit(tensors, unmatched)


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
    """Return the state dict of a file: the file itself, or what a checkpoint keeps under `model_state_dict`.

    Raises:
        UserError: the file cannot be read, or there is no state dict in it.
    """
    path = Path(path)
    content = read_torch_file(path)
    state = next((content[key] for key in STATES if key in content), content)
    if not isinstance(state, Mapping) or not state or not all(torch.is_tensor(value) for value in state.values()):
        raise UserError(f"{path}: contains no state dict (tensors by name, alone or under {' or '.join(STATES)})")
    return dict(state)
