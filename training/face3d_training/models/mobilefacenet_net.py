"""MobileFaceNet: the network of the options in `mobilefacenet`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from face3d_training.models.embedding_net import EmbeddingNet, Outputs, check_side, norm_layer
from face3d_training.models.resnet import Norm

if TYPE_CHECKING:
    from face3d_training.models.mobilefacenet import MobileFaceNet


STEM, LAST = 64, 512
STAGES = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
"""Expansion, channels, blocks and first stride of each stage (table 1 of the paper)."""


class MobileBottleneck(nn.Module):
    """Channels expanded, filtered one by one, and joined again without a PReLU; beside a shortcut where sizes allow.

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
        self.body = nn.Sequential(
            *convolution(inside, hidden, 1, norm),
            nn.PReLU(hidden),
            *convolution(hidden, hidden, 3, norm, stride, groups=hidden),
            nn.PReLU(hidden),
            *convolution(hidden, outside, 1, norm),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, outside, H/stride, W/stride)."""
        return x + self.body(x) if self.has_shortcut else self.body(x)


class MobileFaceNetNet(EmbeddingNet):
    """Stem, stages, a depthwise layer over the whole map, one linear layer, norm.

    Args:
        spec: the options.
    """

    def __init__(self, spec: MobileFaceNet) -> None:
        super().__init__()
        self.embedding_size, self.in_channels, self.spec = spec.embedding_size, spec.in_channels, spec
        channels, side = STEM, -(-spec.image_size_px // 2)
        self.stem = nn.Sequential(
            *convolution(spec.in_channels, STEM, 3, spec.norm, 2),
            nn.PReLU(STEM),
            *convolution(STEM, STEM, 3, spec.norm, groups=STEM),
            nn.PReLU(STEM),
        )
        blocks = []
        for expansion, width, depth, stride in STAGES:
            for index in range(depth):
                step = stride if index == 0 else 1
                blocks.append(MobileBottleneck(channels, width, step, expansion, spec.norm))
                channels, side = width, -(-side // step)
        self.stages = nn.Sequential(*blocks)
        self.head = nn.Sequential(
            *convolution(channels, LAST, 1, spec.norm),
            nn.PReLU(LAST),
            nn.Conv2d(LAST, LAST, side, groups=LAST, bias=False),
            norm_layer(spec.norm, LAST, 2),
            nn.Flatten(),
            nn.Linear(LAST, spec.embedding_size, bias=False),
            norm_layer(spec.norm, spec.embedding_size, 1),
        )

    def compute(self, inputs: torch.Tensor) -> Outputs:
        """Return the `embedding` f4 (B, E) of images f4 (B, C, S, S).

        Raises:
            UserError: the images have another size than the network.
        """
        check_side(inputs, self.spec.name, self.spec.image_size_px)
        return {"embedding": self.head(self.stages(self.stem(inputs)))}


def convolution(
    inside: int, outside: int, size: int, norm: Norm, stride: int = 1, groups: int = 1
) -> tuple[nn.Module, nn.Module]:
    """Return a convolution that keeps the size but for its stride, and its norm."""
    return (
        nn.Conv2d(inside, outside, size, stride, padding=size // 2, groups=groups, bias=False),
        norm_layer(norm, outside, 2),
    )
