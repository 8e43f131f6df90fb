"""Residual networks: those of the options in `resnet`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from face3d_training.models.embedding_net import EmbeddingNet, Outputs, check_side, norm_layer

if TYPE_CHECKING:
    from face3d_training.models.resnet import FaceResNetSpec, Norm


WIDTHS = (64, 128, 256, 512)
"""Channels of the four stages, before a bottleneck's expansion."""


REDUCED = 32
"""Pixels of an image, along one side, that come to lie in one place of the last map."""


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut."""

    expansion = 1

    def __init__(self, inside: int, width: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = _conv(inside, width, 3, stride)
        self.bn1 = norm_layer(norm, width, 2)
        self.conv2 = _conv(width, width, 3)
        self.bn2 = norm_layer(norm, width, 2)
        self.downsample = _shortcut(inside, width, stride, norm)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, width, H/stride, W/stride)."""
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class Bottleneck(nn.Module):
    """A 3×3 convolution between two 1×1 ones, beside a shortcut; the stride is at the 3×3 one, as in torchvision."""

    expansion = 4

    def __init__(self, inside: int, width: int, stride: int, norm: Norm) -> None:
        super().__init__()
        outside = width * self.expansion
        self.conv1 = _conv(inside, width, 1)
        self.bn1 = norm_layer(norm, width, 2)
        self.conv2 = _conv(width, width, 3, stride)
        self.bn2 = norm_layer(norm, width, 2)
        self.conv3 = _conv(width, outside, 1)
        self.bn3 = norm_layer(norm, outside, 2)
        self.downsample = _shortcut(inside, outside, stride, norm)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, 4 × width, H/stride, W/stride)."""
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        return functional.relu(self.bn3(self.conv3(y)) + self.downsample(x))


Block = type[BasicBlock] | type[Bottleneck]


class ResidualTrunk(EmbeddingNet):
    """All of a residual network before its pooling.

    Args:
        block: kind of block.
        depths: blocks of each stage.
        in_channels: channels of the images.
        norm: `batch` or `group`.
        last_stride: of the fourth stage; 1 keeps its maps twice as large.
    """

    def __init__(
        self, block: Block, depths: tuple[int, ...], in_channels: int, norm: Norm = "batch", last_stride: int = 2
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = _conv(in_channels, WIDTHS[0], 7, 2)
        self.bn1 = norm_layer(norm, WIDTHS[0], 2)
        inside = WIDTHS[0]
        for stage, (width, depth, stride) in enumerate(zip(WIDTHS, depths, (1, 2, 2, last_stride), strict=True), 1):
            blocks: list[nn.Module] = []
            for index in range(depth):
                blocks.append(block(inside, width, stride if index == 0 else 1, norm))
                inside = width * block.expansion
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        self.out_channels = inside
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return f4 (B, out_channels, h, w) from f4 (B, C, H, W) of any size."""
        x = functional.relu(self.bn1(self.conv1(images)))
        x = functional.max_pool2d(x, kernel_size=3, stride=2, padding=1)
        for stage in range(1, len(WIDTHS) + 1):
            x = self.get_submodule(f"layer{stage}")(x)
        return x


class ResNet(ResidualTrunk):
    """A residual network whose classifier is a linear layer to the embedding.

    Args:
        block: kind of block.
        depths: blocks of each stage.
        in_channels: channels of the images.
        embedding_size: length of an embedding.
        norm: `batch` or `group`.
    """

    def __init__(
        self, block: Block, depths: tuple[int, ...], in_channels: int, embedding_size: int, norm: Norm = "batch"
    ) -> None:
        super().__init__(block, depths, in_channels, norm)
        self.embedding_size = embedding_size
        self.fc = nn.Linear(self.out_channels, embedding_size)

    def compute(self, inputs: torch.Tensor) -> Outputs:
        """Return the `embedding` f4 (B, E) of images f4 (B, C, H, W)."""
        return {"embedding": self.fc(self.features(inputs).mean((2, 3)))}


class FaceResNet(ResidualTrunk):
    """A residual network of bottlenecks that ends in norm, dropout, one linear layer over the whole map, and norm.

    Args:
        spec: the options.
    """

    def __init__(self, spec: FaceResNetSpec) -> None:
        super().__init__(Bottleneck, spec.depths, spec.in_channels, spec.norm)
        self.spec, self.embedding_size = spec, spec.embedding_size
        side = -(-spec.image_size_px // REDUCED)
        self.bn_o1 = norm_layer(spec.norm, self.out_channels, 2)
        self.dropout = nn.Dropout(spec.dropout)
        self.fc = nn.Linear(self.out_channels * side * side, spec.embedding_size)
        self.bn_o2 = norm_layer(spec.norm, spec.embedding_size, 1)

    def compute(self, inputs: torch.Tensor) -> Outputs:
        """Return the `embedding` f4 (B, E) of images f4 (B, C, S, S).

        Raises:
            UserError: the images have another size than the network.
        """
        check_side(inputs, self.spec.name, self.spec.image_size_px)
        places = self.dropout(self.bn_o1(self.features(inputs))).flatten(1)
        return {"embedding": self.bn_o2(self.fc(places))}


def _conv(inside: int, outside: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, size, stride, padding=size // 2, bias=False)


def _shortcut(inside: int, outside: int, stride: int, norm: Norm) -> nn.Module:
    if stride == 1 and inside == outside:
        return nn.Identity()
    return nn.Sequential(_conv(inside, outside, 1, stride), norm_layer(norm, outside, 2))
