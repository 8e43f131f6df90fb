"""IR-50: the network of the options in `iresnet`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from face3d_training.models.embedding_net import EmbeddingNet, Outputs, check_side, norm_layer
from face3d_training.models.resnet import Norm

if TYPE_CHECKING:
    from face3d_training.models.iresnet import IR50


CHANNELS = (64, 128, 256, 512)
"""Channels of each stage; its first unit halves the image."""
REDUCTION = 16


class SqueezeExcitation(nn.Module):
    """Channels weighted by what the whole image shows.

    Args:
        channels: number of channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // REDUCTION, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // REDUCTION, channels, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x (B, channels, H, W), each channel times a number from 0 to 1."""
        return x * torch.sigmoid(self.fc2(torch.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


class Unit(nn.Module):
    """Norm, 3×3 convolution, PReLU, 3×3 convolution with the stride, norm; beside a shortcut.

    Args:
        inside: channels that come in.
        outside: channels that go out.
        stride: of the second convolution.
        excited: with squeeze and excitation.
        norm: `batch` or `group`.
    """

    def __init__(self, inside: int, outside: int, stride: int, excited: bool, norm: Norm) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        if inside != outside:
            conv = nn.Conv2d(inside, outside, 1, stride, bias=False)
            self.shortcut_layer = nn.Sequential(conv, norm_layer(norm, outside, 2))
        self.res_layer = nn.Sequential(
            norm_layer(norm, inside, 2),
            nn.Conv2d(inside, outside, 3, padding=1, bias=False),
            nn.PReLU(outside),
            nn.Conv2d(outside, outside, 3, stride, padding=1, bias=False),
            norm_layer(norm, outside, 2),
            *([SqueezeExcitation(outside)] if excited else []),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, outside, H/stride, W/stride)."""
        return self.res_layer(x) + self.shortcut_layer(x)


class IResNet(EmbeddingNet):
    """IR-50: units, then norm, dropout, one linear layer over the whole map, norm.

    Args:
        spec: the options.
    """

    def __init__(self, spec: IR50) -> None:
        super().__init__()
        self.embedding_size, self.in_channels, self.spec = spec.embedding_size, spec.in_channels, spec
        channels, side = CHANNELS[0], spec.image_size_px
        self.input_layer = nn.Sequential(
            nn.Conv2d(spec.in_channels, channels, 3, padding=1, bias=False),
            norm_layer(spec.norm, channels, 2),
            nn.PReLU(channels),
        )
        units = []
        for width, depth in zip(CHANNELS, spec.depths, strict=True):
            for index in range(depth):
                units.append(Unit(channels, width, 2 if index == 0 else 1, spec.excited, spec.norm))
                channels = width
            side = -(-side // 2)
        self.body = nn.Sequential(*units)
        self.output_layer = nn.Sequential(
            norm_layer(spec.norm, channels, 2),
            nn.Dropout(spec.dropout),
            nn.Flatten(),
            nn.Linear(channels * side * side, spec.embedding_size),
            norm_layer(spec.norm, spec.embedding_size, 1),
        )

    def compute(self, inputs: torch.Tensor) -> Outputs:
        """Return the `embedding` f4 (B, E) of images f4 (B, C, S, S).

        Raises:
            UserError: the images have another size than the network.
        """
        check_side(inputs, self.spec.name, self.spec.image_size_px)
        return {"embedding": self.output_layer(self.body(self.input_layer(inputs)))}
