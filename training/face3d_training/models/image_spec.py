"""Base of image networks' options."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from face3d_data.errors import UserError
from face3d_training.models.base import ModelSpec

if TYPE_CHECKING:
    import torch

    from face3d_training.models.adapt import WeightsFit
    from face3d_training.models.embedding_net import EmbeddingNet


class ImageSpec(ModelSpec):
    """Options that every image network has.

    Attributes:
        first_convolution: name of the weight that sees the image.
        last_layer: name of the weight that has a row for each number of the embedding; empty: there are several.
        aliases: names in published files, mapped to those of this program.
    """

    inputs: ClassVar[Literal["points", "image"]] = "image"
    first_convolution: ClassVar[str]
    last_layer: ClassVar[str] = ""
    aliases: ClassVar[Mapping[str, str]] = {}

    in_channels: int = Field(
        3,
        ge=1,
        le=16,
        description="channels: 1 depth or grey, 3 colour, 4 colour and depth, or a map with slopes, 5 one with normals",
    )
    weights: Path | None = Field(
        None, description="file of weights to start from (.pt, .pth, .safetensors); 3 channels are fitted to 1 or more"
    )

    def make(self) -> EmbeddingNet:
        """Return the network with fresh weights; what a family writes."""
        raise TypeError(f"{type(self).__name__} defines no make()")

    def build(self) -> EmbeddingNet:
        """Return the network with fresh weights, or those of the file; what the file does not give is warned of.

        Raises:
            UserError: the file cannot be read, or is of another network.
        """
        from face3d_training.models.adapt import log, read_state

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

    def renamed(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return a state dict with aliases resolved."""
        return {self.aliases.get(name, name): tensor for name, tensor in state.items()}

    def options_in(self, state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        """Return the channels and the length of the embedding that a state dict's first and last layer have."""
        found = {}
        first, last = state.get(self.first_convolution), state.get(self.last_layer)
        if first is not None and first.dim() == 4:
            found["in_channels"] = first.shape[1]
        if last is not None and last.dim() == 2:
            found["embedding_size"] = last.shape[0]
        return found

    def fit(self, state: Mapping[str, torch.Tensor], net: EmbeddingNet) -> WeightsFit:
        """Return what of a state dict fits a network of this spec; filters of colour are fitted to its channels."""
        from face3d_training.models.adapt import drop_prefixes, fit_state

        return fit_state(self.renamed(drop_prefixes(state)), net, self.first_convolution)


def side_in(weight: torch.Tensor | None, channels: int, reduced: int) -> dict[str, Any]:
    """Return the side of the images, as an option, that a last layer over a whole map of `channels` was made for.

    Several sides give the same map: it is 112 or 224, which are published, or else the one that fills the map.

    Args:
        weight: f4 (E, channels × side × side) of that layer; None: not in the file.
        channels: of the map.
        reduced: pixels of an image, along one side, that come to lie in one place of the map.
    """
    if weight is None or weight.dim() != 2:
        return {}
    places = math.isqrt(weight.shape[1] // channels)
    if places == 0 or weight.shape[1] != places**2 * channels:
        return {}
    fills = places * reduced
    return {"image_size_px": next((side for side in (112, 224) if 0 <= fills - side < reduced), fills)}
