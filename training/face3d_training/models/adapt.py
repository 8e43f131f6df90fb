"""Base of image networks: options, and weights from files fitted to them by name, shape and channels."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import torch
from pydantic import Field

from face3d_data.errors import UserError
from face3d_training.models.base import EmbeddingNet, ModelSpec
from face3d_training.torch_file import read_torch_file

log = logging.getLogger("face3d_training")

PREFIXES = ("module.", "_orig_mod.", "model.")
"""What DataParallel, torch.compile and wrappers put before every name."""
STATES = ("model_state_dict", "state_dict")
"""Where checkpoints keep the weights."""
SHOWN = 6
"""Number of names that a warning shows."""


class ImageSpec(ModelSpec):
    """Options that every image network has.

    Attributes:
        first_convolution: name of the weight that sees the image.
        aliases: names in published files, mapped to those of this program.
    """

    inputs: ClassVar[Literal["points", "image"]] = "image"
    first_convolution: ClassVar[str]
    aliases: ClassVar[Mapping[str, str]] = {}

    in_channels: Literal[1, 3, 4] = Field(3, description="channels: 1 depth or grey, 3 colour, 4 colour and depth")
    weights: Path | None = Field(
        None, description="file of weights to start from (.pt, .pth, .safetensors); 3 channels are fitted to 1 or 4"
    )

    def make(self) -> EmbeddingNet:
        """Return the network with fresh weights; what a family writes."""
        raise TypeError(f"{type(self).__name__} defines no make()")

    def build(self) -> EmbeddingNet:
        """Return the network with fresh weights, or those of the file; what the file does not give is warned of.

        Raises:
            UserError: the file cannot be read, or is of another network.
        """
        net = self.make()
        if self.weights is not None:
            fit = self.fit(read_state(self.weights), net)
            if not fit.tensors:
                raise UserError(
                    f"model.weights {self.weights}: nothing in it fits {self.name} ({fit.unmatched[0]}):"
                    " use weights of that network"
                )
            net.load_state_dict(fit.tensors, strict=False)
            if fit.unmatched:
                log.warning("model.weights %s: %s", self.weights, fit.summary())
        return net

    def fit(self, state: Mapping[str, torch.Tensor], net: EmbeddingNet) -> WeightsFit:
        """Return what of a state dict fits a network of this spec: prefixes dropped, aliases and channels resolved."""
        named = {self.aliases.get(name, name): tensor for name, tensor in drop_prefixes(state).items()}
        return fit_state(named, net, self.first_convolution)


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
    4 the colour filters stay and depth gets their mean.

    Args:
        weight: f4 (out, 3, k, k).
        channels: 1, 3 or 4.

    Returns:
        f4 (out, channels, k, k).
    """
    if weight.dim() != 4 or weight.shape[1] != 3:
        return weight
    if channels == 1:
        return weight.sum(1, keepdim=True)
    return torch.cat([weight, weight.mean(1, keepdim=True)], 1) if channels == 4 else weight


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


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Return the state dict of a file: the file itself, or what a checkpoint keeps under `model_state_dict`.

    Raises:
        UserError: the file cannot be read, or there is no state dict in it.
    """
    content = read_torch_file(path)
    state = next((content[key] for key in STATES if key in content), content)
    if not isinstance(state, Mapping) or not state or not all(torch.is_tensor(value) for value in state.values()):
        raise UserError(f"{path}: contains no state dict (tensors by name, alone or under {' or '.join(STATES)})")
    return dict(state)
