"""Shared MLP layers, which act on every point in the same way (channels last), and the base of all point networks.

A cloud that contains a number that is not finite gets an embedding of NaN; rows are checked when they are loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from face3d_data.errors import UserError
from face3d_training.models.embedding_net import norm_layer

if TYPE_CHECKING:
    from face3d_training.models.points_spec import NormKind


class ChannelsLastNorm(nn.Module):
    """`norm_layer` for tensors whose channels come last.

    Attributes:
        norm: the layer itself.
    """

    def __init__(self, kind: NormKind, channels: int) -> None:
        super().__init__()
        self.norm = norm_layer(kind, channels, 1)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Normalise f4 (B, ..., C) over all its rows (batch), or over the rows of each sample (group)."""
        channels = values.shape[-1]
        if isinstance(self.norm, nn.BatchNorm1d):
            return self.norm(values.reshape(-1, channels)).view(values.shape)
        rows = values.reshape(len(values), -1, channels)
        return self.norm(rows.transpose(1, 2)).transpose(1, 2).reshape(values.shape)


def shared_mlp(in_channels: int, widths: Sequence[int], norm: NormKind, bias: bool = True) -> nn.Sequential:
    """Return linear layers, each with norm and ReLU, for f4 (B, ..., C).

    Linear layers on channels that come last do the same as the usual convolutions of kernel 1, and are a quarter
    faster on a CPU: no layer has to move its channels. (ReLU is not in place: on the view that a norm returns, that
    would copy the gradient.)

    Args:
        in_channels: channels of what comes in.
        widths: channels of each layer.
        norm: kind of normalisation.
        bias: whether the linear layers have one.
    """
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Linear(in_channels, width, bias), ChannelsLastNorm(norm, width), nn.ReLU()]
        in_channels = width
    return nn.Sequential(*layers)


def embedding_head(in_channels: int, widths: Sequence[int], out: int, norm: NormKind, dropout: float) -> nn.Sequential:
    """Return the layers from one vector a sample, f4 (B, C), to `out` numbers; nothing follows the last linear layer.

    Args:
        in_channels: length of the vector.
        widths: hidden layers, each linear, norm, ReLU, dropout.
        out: length of what comes out.
        norm: kind of normalisation.
        dropout: share of a hidden layer that is dropped in training.
    """
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Linear(in_channels, width), norm_layer(norm, width, 1), nn.ReLU(inplace=True)]
        layers += [nn.Dropout(dropout)] if dropout else []
        in_channels = width
    return nn.Sequential(*layers, nn.Linear(in_channels, out))


def check_points(points: torch.Tensor, model: str, in_channels: int, least: int = 1) -> None:
    """Check that a batch is what a network of points was built for.

    Args:
        points: f4 (B, N, C).
        model: the network's name, for the message.
        in_channels: C that is expected.
        least: fewest points.

    Raises:
        UserError: another shape, other channels, or too few points.
    """
    if points.ndim != 3:
        raise UserError(f"model {model} takes points (B, N, {in_channels}), not an input of shape {list(points.shape)}")
    if points.shape[2] != in_channels:
        raise UserError(
            f"model {model} has in_channels {in_channels}, but the data has {points.shape[2]} channels a point:"
            f" set model.in_channels to {points.shape[2]}, or change data.fields"
        )
    if points.shape[1] < least:
        raise UserError(
            f"model {model} needs {least} points a cloud or more, not {points.shape[1]}: raise data.n_points"
        )
