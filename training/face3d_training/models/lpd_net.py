"""Latent part detection: the network of the options in `lpd`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from face3d_training.models.embedding_net import Outputs, norm_layer
from face3d_training.models.resnet import Norm
from face3d_training.models.resnet_net import Bottleneck, ResidualTrunk

if TYPE_CHECKING:
    from face3d_training.models.lpd import Lpd


LOCALISER_SIDE_PX = 128


LOCALISER_WIDTH = 32


START = (3.0, 0.6, 0.0, -2.0)
"""Crop before training, as the localiser gives it: width .95, height .65, in the middle, at the top."""


START_SPREAD = 0.01
"""Deviation of the localiser's last weights at first: near the crop above, but not without gradient."""


class Localiser(nn.Module):
    """Where the unmasked part of a face is.

    Args:
        norm: `batch` or `group`.
    """

    def __init__(self, norm: Norm) -> None:
        super().__init__()
        self.fc1 = nn.Linear(LOCALISER_SIDE_PX**2, LOCALISER_WIDTH)
        self.bn1 = norm_layer(norm, LOCALISER_WIDTH, 1)
        self.fc2 = nn.Linear(LOCALISER_WIDTH, len(START))
        nn.init.normal_(self.fc2.weight, std=START_SPREAD)
        with torch.no_grad():
            self.fc2.bias.copy_(torch.tensor(START))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the crop of each image and its height.

        Args:
            images: f4 (B, C, H, W).

        Returns:
            f4 (B, 2, 3), the crop's coordinates to the image's, -1 to 1 from left to right and from top to bottom; and
            f4 (B,), its height as a share of the image's, in (0, 1).
        """
        grey = functional.adaptive_avg_pool2d(images.mean(1, keepdim=True), LOCALISER_SIDE_PX)
        crop = self.fc2(functional.relu(self.bn1(self.fc1(grey.flatten(1))))).float()
        width, height = torch.sigmoid(crop[:, 0]), torch.sigmoid(crop[:, 1])
        # What a centre can move without the crop leaving the image is 1 - its size.
        x, y = (1 - width) * torch.tanh(crop[:, 2]), (1 - height) * torch.tanh(crop[:, 3])
        zero = torch.zeros_like(x)
        return torch.stack([width, zero, x, zero, height, y], 1).unflatten(1, (2, 3)), height


class LatentPartNet(ResidualTrunk):
    """ResNet-50 on the whole image and on a crop that it learns to find.

    Args:
        spec: the options.
    """

    def __init__(self, spec: Lpd) -> None:
        super().__init__(Bottleneck, (3, 4, 6, 3), spec.in_channels, spec.norm, last_stride=1)
        self.embedding_size = spec.embedding_size
        self.branches = dict.fromkeys(("global", "part"), spec.embedding_size // 2)
        self.localiser = Localiser(spec.norm)
        self.global_head = self._head(spec)
        self.part_head = self._head(spec)

    def compute(self, inputs: torch.Tensor) -> Outputs:
        """Return the outputs of images f4 (B, C, H, W).

        Returns:
            `global_embedding` and `part_embedding` f4 (B, E/2), of any length, for classification; `embedding` f4
            (B, E), both together; `visible_ratio` f4 (B,) in (0, 1), the crop's height.
        """
        crop, visible_ratio = self.localiser(inputs)
        whole = self.global_head(self.features(inputs))
        part = self.part_head(self.features(cut_out(inputs, crop)))
        return {
            "embedding": torch.cat([whole, part], 1),
            "global_embedding": whole,
            "part_embedding": part,
            "visible_ratio": visible_ratio,
        }

    def _head(self, spec: Lpd) -> nn.Sequential:
        size, wide = spec.embedding_size // 2, self.out_channels
        layers = [nn.AdaptiveMaxPool2d(1), nn.Flatten(), norm_layer(spec.norm, wide, 1)]
        return nn.Sequential(*layers, *([] if size == wide else [nn.Linear(wide, size, bias=False)]))


def cut_out(images: torch.Tensor, crop: torch.Tensor) -> torch.Tensor:
    """Return crops at the size of their images (Jaderberg et al. 2015, arXiv 1506.02025), bilinear.

    Args:
        images: f4 (B, C, H, W).
        crop: f4 (B, 2, 3), from a crop's coordinates to its image's, -1 to 1 from edge to edge.
    """
    grid = functional.affine_grid(crop.to(images.dtype), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
