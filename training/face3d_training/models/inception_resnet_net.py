"""Inception-ResNet v2: the network of the options in `inception_resnet`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from face3d_data.errors import UserError
from face3d_training.models.embedding_net import EmbeddingNet, Outputs

if TYPE_CHECKING:
    from face3d_training.models.inception_resnet import InceptionResNetV2


KernelSize = int | tuple[int, int]


SMALLEST_PX = 75
"""Below this side nothing is left of the map after the last reduction."""


DEPTHS = (10, 20, 9)


SCALES = (0.17, 0.10, 0.20)
"""Blocks of the three stages, and what their residuals are multiplied by."""


class ConvNorm(nn.Module):
    """Convolution, norm, ReLU; without padding by default."""

    def __init__(self, inside: int, outside: int, size: KernelSize, stride: int = 1, padding: KernelSize = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outside, eps=1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, outside, h, w)."""
        return functional.relu(self.bn(self.conv(x)))


class Branches(nn.Module):
    """Branches on one map, joined along the channels."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.count = len(branches)
        for index, branch in enumerate(branches):
            self.add_module(f"branch{index}", branch)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, sum of the branches' channels, h, w)."""
        return torch.cat([self.get_submodule(f"branch{index}")(x) for index in range(self.count)], 1)


class Residual(Branches):
    """Branches whose joined map is projected, scaled and added to what came in.

    Args:
        channels: of the map.
        joined: channels of all branches.
        scale: what the projection is multiplied by.
        branches: the branches.
        last: no ReLU after the sum.
    """

    def __init__(self, channels: int, joined: int, scale: float, *branches: nn.Module, last: bool = False) -> None:
        super().__init__(*branches)
        self.conv2d = nn.Conv2d(joined, channels, 1)
        self.scale, self.last = scale, last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, channels, h, w)."""
        y = x + self.scale * self.conv2d(super().forward(x))
        return y if self.last else functional.relu(y)


class InceptionResNet(EmbeddingNet):
    """Inception-ResNet v2 whose classifier is a linear layer to the embedding.

    Args:
        spec: the options.
    """

    def __init__(self, spec: InceptionResNetV2) -> None:
        super().__init__()
        self.embedding_size, self.in_channels = spec.embedding_size, spec.in_channels
        self.conv2d_1a = ConvNorm(spec.in_channels, 32, 3, 2)
        self.conv2d_2a = ConvNorm(32, 32, 3)
        self.conv2d_2b = ConvNorm(32, 64, 3, padding=1)
        self.maxpool_3a = nn.MaxPool2d(3, 2)
        self.conv2d_3b = ConvNorm(64, 80, 1)
        self.conv2d_4a = ConvNorm(80, 192, 3)
        self.maxpool_5a = nn.MaxPool2d(3, 2)
        self.mixed_5b = _mixed_5b()
        self.repeat = nn.Sequential(*[_block35() for _ in range(DEPTHS[0])])
        self.mixed_6a = _mixed_6a()
        self.repeat_1 = nn.Sequential(*[_block17() for _ in range(DEPTHS[1])])
        self.mixed_7a = _mixed_7a()
        self.repeat_2 = nn.Sequential(*[_block8(SCALES[2]) for _ in range(DEPTHS[2])])
        self.block8 = _block8(1.0, last=True)
        self.conv2d_7b = ConvNorm(2080, 1536, 1)
        self.body = tuple(name for name, _ in self.named_children())
        self.dropout = nn.Dropout(spec.dropout)
        self.last_linear = nn.Linear(1536, spec.embedding_size)

    def compute(self, inputs: torch.Tensor) -> Outputs:
        """Return the `embedding` f4 (B, E) of images f4 (B, C, H, W).

        Raises:
            UserError: the images are smaller than 75 px.
        """
        if min(inputs.shape[2:]) < SMALLEST_PX:
            height, width = inputs.shape[2:]
            raise UserError(
                f"model inception_resnet_v2 needs images of {SMALLEST_PX} px or more and got {width} × {height}:"
                " set data.image_size_px"
            )
        x = inputs
        for name in self.body:
            x = self.get_submodule(name)(x)
        return {"embedding": self.last_linear(self.dropout(x.mean((2, 3))))}


def _mixed_5b() -> Branches:
    return Branches(
        ConvNorm(192, 96, 1),
        nn.Sequential(ConvNorm(192, 48, 1), ConvNorm(48, 64, 5, padding=2)),
        nn.Sequential(ConvNorm(192, 64, 1), ConvNorm(64, 96, 3, padding=1), ConvNorm(96, 96, 3, padding=1)),
        nn.Sequential(nn.AvgPool2d(3, 1, padding=1, count_include_pad=False), ConvNorm(192, 64, 1)),
    )


def _block35() -> Residual:
    return Residual(
        320,
        128,
        SCALES[0],
        ConvNorm(320, 32, 1),
        nn.Sequential(ConvNorm(320, 32, 1), ConvNorm(32, 32, 3, padding=1)),
        nn.Sequential(ConvNorm(320, 32, 1), ConvNorm(32, 48, 3, padding=1), ConvNorm(48, 64, 3, padding=1)),
    )


def _mixed_6a() -> Branches:
    return Branches(
        ConvNorm(320, 384, 3, 2),
        nn.Sequential(ConvNorm(320, 256, 1), ConvNorm(256, 256, 3, padding=1), ConvNorm(256, 384, 3, 2)),
        nn.MaxPool2d(3, 2),
    )


def _block17() -> Residual:
    return Residual(
        1088,
        384,
        SCALES[1],
        ConvNorm(1088, 192, 1),
        nn.Sequential(
            ConvNorm(1088, 128, 1),
            ConvNorm(128, 160, (1, 7), padding=(0, 3)),
            ConvNorm(160, 192, (7, 1), padding=(3, 0)),
        ),
    )


def _mixed_7a() -> Branches:
    return Branches(
        nn.Sequential(ConvNorm(1088, 256, 1), ConvNorm(256, 384, 3, 2)),
        nn.Sequential(ConvNorm(1088, 256, 1), ConvNorm(256, 288, 3, 2)),
        nn.Sequential(ConvNorm(1088, 256, 1), ConvNorm(256, 288, 3, padding=1), ConvNorm(288, 320, 3, 2)),
        nn.MaxPool2d(3, 2),
    )


def _block8(scale: float, last: bool = False) -> Residual:
    return Residual(
        2080,
        448,
        scale,
        ConvNorm(2080, 192, 1),
        nn.Sequential(
            ConvNorm(2080, 192, 1),
            ConvNorm(192, 224, (1, 3), padding=(0, 1)),
            ConvNorm(224, 256, (3, 1), padding=(1, 0)),
        ),
        last=last,
    )
