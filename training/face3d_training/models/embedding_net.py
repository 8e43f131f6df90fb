"""Embedding network: a module that returns unit embeddings, and what else it returns in training."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional

from face3d_data.errors import UserError

Outputs = dict[str, torch.Tensor]
"""What a network returns in training. All tensors have the batch first.

`embedding` f4 (B, E), of unit length unless the network is not `normalized`, and `norm` f4 (B,), its length before it
was made 1, are always there. `penalty` f4
(B,) is a regulariser that is added to every loss. Others are what a loss asks for by name, such as `visible_ratio` f4
(B,).
"""


class EmbeddingNet(nn.Module):
    """A network from faces to embeddings; `compute` is what a family writes.

    Attributes:
        embedding_size: length of an embedding.
        in_channels: channels of the images that it takes; None where it says nothing, or takes points.
        sigmoid: whether the numbers of an embedding pass the logistic function first.
        normalized: whether embeddings are made to have unit length.
        branches: parts of an embedding that can stand alone, as outputs `<branch>_embedding` f4 (B, e), to their e.
    """

    embedding_size: int
    branches: Mapping[str, int] = MappingProxyType({})
    in_channels: Any = None
    sigmoid: bool = False
    normalized: bool = True

    _branch: str | None = None

    def answer_by(self, branch: str) -> None:
        """Give one of `branches` alone for an embedding from now on.

        Raises:
            UserError: there is no such part.
        """
        if branch not in self.branches:
            raise UserError(f"--branch {branch}: choose {', '.join([*self.branches, 'both'])}")
        self._branch, self.embedding_size = branch, self.branches[branch]

    def compute(self, inputs: torch.Tensor) -> Outputs:
        """Return the outputs; `embedding` need not have unit length yet."""
        raise TypeError(f"{type(self).__name__} defines no compute()")

    def forward(self, inputs: torch.Tensor, full: bool = False) -> torch.Tensor | Outputs:
        """Return embeddings, or all outputs.

        Args:
            inputs: f4 (B, N, 3[+C]) points, or f4 (B, C, H, W) images.
            full: return every output that a loss may want, not the embeddings alone.

        Returns:
            f4 (B, E), of unit length if `normalized`, or `Outputs`.

        Raises:
            UserError: images have other channels than `in_channels`.
        """
        if inputs.ndim == 4 and self.in_channels not in (None, inputs.shape[1]):
            raise UserError(
                f"the model has in_channels {self.in_channels}, but the images have {inputs.shape[1]} channels: set "
                f"model.in_channels to {inputs.shape[1]}, or change data.fields"
            )
        if inputs.ndim == 4:  # convolutions on the CPU take three quarters of the time in this order of memory
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        outputs = self.compute(inputs)
        if self._branch is not None:
            outputs["embedding"] = outputs[f"{self._branch}_embedding"]
        vector = torch.sigmoid(outputs["embedding"]) if self.sigmoid else outputs["embedding"]
        outputs["embedding"] = functional.normalize(vector, dim=1) if self.normalized else vector
        if not full:
            return outputs["embedding"]
        return {"norm": torch.linalg.vector_norm(vector, dim=1), **outputs}


def check_side(inputs: torch.Tensor, name: str, side: int) -> None:
    """Check that images (B, C, H, W), or maps, have the height and width that a network's last layer is built for.

    Raises:
        UserError: they have not.
    """
    if inputs.shape[2:] != (side, side):
        height, width = inputs.shape[2:]
        images = f"data.image_size_px to {side}"
        square = f"{images} (maps are never resized: make square ones, and set model.image_size_px to their side)"
        remedy = f"model.image_size_px to {width} or, if they are no maps, {images}" if height == width else square
        raise UserError(
            f"model {name} is built for images of {side} × {side} px and got {width} × {height}: set {remedy}"
        )


def norm_layer(kind: Literal["batch", "group"], channels: int, dims: int) -> nn.Module:
    """Return a normalisation of (B, channels[, …]) tensors.

    Args:
        kind: `batch` has statistics of the batch, so that samples of one batch influence each other; `group` does not.
        channels: number of channels; groups are the largest number up to 32 that divides it and leaves 16 channels in
            each (Wu and He 2018): the norm of one number alone, in a vector (B, C), would be 0 whatever it is.
        dims: 1 for (B, C) and (B, C, L), 2 for (B, C, H, W).
    """
    if kind == "group":
        least = min(16, channels)
        return nn.GroupNorm(max(g for g in range(1, 33) if channels % g == 0 and channels // g >= least), channels)
    return nn.BatchNorm1d(channels) if dims == 1 else nn.BatchNorm2d(channels)
