"""MobileNet V3: the network of the options in `mobilenet_v3`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from face3d_training.models.embedding_net import EmbeddingNet, Outputs, norm_layer
from face3d_training.models.resnet import Norm

if TYPE_CHECKING:
    from face3d_training.models.mobilenet_v3 import InvertedBottleneck, MobileNetV3Small


FIRST, WIDE = 16, 1280
"""Channels of the first layer, and of the one before the embedding."""
REDUCTION = 4


class HardExcitation(nn.Module):
    """Channels weighted by what the whole image shows, with a piecewise linear function for the sigmoid.

    Args:
        channels: number of channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // REDUCTION
        self.fc = nn.Sequential(
            nn.Linear(channels, inner, bias=False), nn.ReLU(inplace=True), nn.Linear(inner, channels, bias=False)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x (B, channels, H, W), each channel times a number from 0 to 1."""
        return x * functional.hardsigmoid(self.fc(x.mean((2, 3))))[:, :, None, None]


class ExcitedResidual(nn.Module):
    """Channels expanded, filtered one by one, weighted and joined again; beside a shortcut where sizes allow.

    Args:
        inside: channels that come in.
        block: the rest of its sizes.
        norm: `batch` or `group`.
    """

    def __init__(self, inside: int, block: InvertedBottleneck, norm: Norm) -> None:
        super().__init__()
        size, hidden, outside, excited, swish, stride = block
        self.has_shortcut = stride == 1 and inside == outside
        filtered = nn.Conv2d(hidden, hidden, size, stride, padding=size // 2, groups=hidden, bias=False)
        self.conv = nn.Sequential(
            *(nn.Conv2d(inside, hidden, 1, bias=False), norm_layer(norm, hidden, 2), _activation(swish)),
            *(filtered, norm_layer(norm, hidden, 2)),
            *(HardExcitation(hidden) if excited else nn.Identity(), _activation(swish)),
            *(nn.Conv2d(hidden, outside, 1, bias=False), norm_layer(norm, outside, 2)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, outside, H/stride, W/stride)."""
        return x + self.conv(x) if self.has_shortcut else self.conv(x)


class MobileNetV3(EmbeddingNet):
    """MobileNet V3 whose classifier is a linear layer to the embedding.

    Args:
        spec: the options.
    """

    def __init__(self, spec: MobileNetV3Small) -> None:
        super().__init__()
        self.embedding_size, self.in_channels = spec.embedding_size, spec.in_channels
        channels = FIRST
        layers: list[nn.Module] = [_conv_norm(spec.in_channels, channels, 3, spec.norm, 2)]
        for block in spec.blocks:
            layers.append(ExcitedResidual(channels, block, spec.norm))
            channels = block[2]
        layers += [_conv_norm(channels, spec.last, 1, spec.norm), nn.AdaptiveAvgPool2d(1)]
        layers += [nn.Conv2d(spec.last, WIDE, 1), nn.Hardswish()]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(spec.dropout), nn.Linear(WIDE, spec.embedding_size))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def compute(self, inputs: torch.Tensor) -> Outputs:
        """Return the `embedding` f4 (B, E) of images f4 (B, C, H, W)."""
        return {"embedding": self.classifier(self.features(inputs).flatten(1))}


def _activation(swish: bool) -> nn.Module:
    return nn.Hardswish() if swish else nn.ReLU()


def _conv_norm(inside: int, outside: int, size: int, norm: Norm, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inside, outside, size, stride, padding=size // 2, bias=False)
    return nn.Sequential(conv, norm_layer(norm, outside, 2), nn.Hardswish())
