"""Small residual network on maps: the network of the options in `map_resnet`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from face3d_training.models.embedding_net import EmbeddingNet, Outputs, check_side, norm_layer
from face3d_training.models.resnet import Norm

if TYPE_CHECKING:
    from face3d_training.models.map_resnet import MapResNet


class MapBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut, each with a norm, PReLU between and after.

    Args:
        inside: channels that come in.
        outside: channels that go out.
        stride: of the first convolution.
        norm: `batch` or `group`.
    """

    def __init__(self, inside: int, outside: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, padding=1, bias=False),
            norm_layer(norm, outside, 2),
            nn.PReLU(outside),
            nn.Conv2d(outside, outside, 3, padding=1, bias=False),
            norm_layer(norm, outside, 2),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inside != outside:
            conv = nn.Conv2d(inside, outside, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, norm_layer(norm, outside, 2))
        self.after = nn.PReLU(outside)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, outside, H/stride, W/stride)."""
        return self.after(self.body(x) + self.shortcut(x))


class MapResNetNet(EmbeddingNet):
    """Stem, four stages, one linear layer over the whole map, norm.

    Args:
        spec: the options.
    """

    def __init__(self, spec: MapResNet) -> None:
        super().__init__()
        self.embedding_size, self.in_channels, self.spec = spec.embedding_size, spec.in_channels, spec
        self.stem = map_stem(spec.in_channels, spec.widths[0], spec.norm)
        self.stages = map_stages(spec.widths, spec.norm)
        side = spec.image_size_px
        for _ in range(4):  # the stem and the last three stages halve it
            side = -(-side // 2)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(spec.dropout),
            nn.Linear(spec.widths[-1] * side * side, spec.embedding_size),
            norm_layer(spec.norm, spec.embedding_size, 1),
        )

    def compute(self, inputs: torch.Tensor) -> Outputs:
        """Return the `embedding` f4 (B, E) of maps f4 (B, C, S, S).

        Raises:
            UserError: the maps have another size than the network.
        """
        check_side(inputs, self.spec.name, self.spec.image_size_px)
        return {"embedding": self.head(self.stages(self.stem(inputs)))}


def map_stem(inside: int, outside: int, norm: Norm) -> nn.Sequential:
    """Return the first layers, from (B, inside, H, W) to (B, outside, H/2, W/2)."""
    conv = nn.Conv2d(inside, outside, 3, 2, padding=1, bias=False)
    return nn.Sequential(conv, norm_layer(norm, outside, 2), nn.PReLU(outside))


def map_stages(widths: Sequence[int], norm: Norm) -> nn.Sequential:
    """Return a block of each width, from (B, widths[0], H, W); each but the first halves the map."""
    channels, blocks = widths[0], []
    for number, width in enumerate(widths):
        blocks.append(MapBlock(channels, width, 1 if number == 0 else 2, norm))
        channels = width
    return nn.Sequential(*blocks)
