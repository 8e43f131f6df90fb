"""MobileNet V2: the network of the options in `mobilenet`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from face3d_training.models.embedding_net import EmbeddingNet, Outputs, norm_layer
from face3d_training.models.resnet import Norm

if TYPE_CHECKING:
    from face3d_training.models.mobilenet import MobileNetV2


STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, channels, blocks and first stride of each stage (table 2 of the paper)."""


FIRST, LAST = 32, 1280


class InvertedResidual(nn.Module):
    """Channels expanded, filtered one by one, and joined again without a ReLU; beside a shortcut where sizes allow.

    Args:
        inside: channels that come in.
        outside: channels that go out.
        stride: of the filter.
        expansion: times the channels in between.
        norm: `batch` or `group`.
    """

    def __init__(self, inside: int, outside: int, stride: int, expansion: int, norm: Norm) -> None:
        super().__init__()
        hidden = inside * expansion
        self.has_shortcut = stride == 1 and inside == outside
        self.conv = nn.Sequential(
            *([_conv_norm(inside, hidden, 1, norm)] if expansion != 1 else []),
            _conv_norm(hidden, hidden, 3, norm, stride, groups=hidden),
            nn.Conv2d(hidden, outside, 1, bias=False),
            norm_layer(norm, outside, 2),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, outside, H/stride, W/stride)."""
        return x + self.conv(x) if self.has_shortcut else self.conv(x)


class MobileNet(EmbeddingNet):
    """MobileNet V2 whose classifier is a linear layer to the embedding.

    Args:
        spec: the options.
    """

    def __init__(self, spec: MobileNetV2) -> None:
        super().__init__()
        self.embedding_size, self.in_channels = spec.embedding_size, spec.in_channels
        channels = round_channels(FIRST * spec.width)
        layers: list[nn.Module] = [_conv_norm(spec.in_channels, channels, 3, spec.norm, 2)]
        for expansion, width, depth, stride in STAGES:
            outside = round_channels(width * spec.width)
            for index in range(depth):
                layers.append(InvertedResidual(channels, outside, stride if index == 0 else 1, expansion, spec.norm))
                channels = outside
        last = round_channels(LAST * max(1.0, spec.width))
        layers.append(_conv_norm(channels, last, 1, spec.norm))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(spec.dropout), nn.Linear(last, spec.embedding_size))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def compute(self, inputs: torch.Tensor) -> Outputs:
        """Return the `embedding` f4 (B, E) of images f4 (B, C, H, W)."""
        return {"embedding": self.classifier(self.features(inputs).mean((2, 3)))}


def round_channels(channels: float) -> int:
    """Return the nearest multiple of 8, but not below 90 % of what was asked, as the authors' code rounds."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def _conv_norm(inside: int, outside: int, size: int, norm: Norm, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, size, stride, padding=size // 2, groups=groups, bias=False),
        norm_layer(norm, outside, 2),
        nn.ReLU6(inplace=True),
    )
