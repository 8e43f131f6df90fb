"""Base of image networks' options."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

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
        aliases: names in published files, mapped to those of this program.
    """

    inputs: ClassVar[Literal["points", "image"]] = "image"
    first_convolution: ClassVar[str]
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

    def fit(self, state: Mapping[str, torch.Tensor], net: EmbeddingNet) -> WeightsFit:
        """Return what of a state dict fits a network of this spec: prefixes dropped, aliases and channels resolved."""
        from face3d_training.models.adapt import drop_prefixes, fit_state

        named = {self.aliases.get(name, name): tensor for name, tensor in drop_prefixes(state).items()}
        return fit_state(named, net, self.first_convolution)
