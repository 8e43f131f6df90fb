"""Part networks on maps: the network of the options in `map_part_resnet`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from face3d_data.errors import UserError
from face3d_data.geometry.face_parts import PARTS, part_cells
from face3d_data.geometry.surface_map import MapGrid
from face3d_training.models.embedding_net import EmbeddingNet, Outputs, check_side, norm_layer
from face3d_training.models.map_resnet_net import map_stages, map_stem
from face3d_training.models.resnet import Norm

if TYPE_CHECKING:
    from face3d_training.models.map_part_resnet import MapPartResNet

LOOKED_AT = ("upper", "nose", "whole")
"""Parts with a network of their own. The lower face has none: it moves most, and masks cover it."""
HEAD_CHANNELS, DILATIONS = 12, (1, 2, 4)
"""Of the occlusion head: together its layers see 60 mm of a map with 2 mm cells around each."""
RARELY = -3.0
"""Logit of occlusion at first: a network that never learns of it takes 5 % of each cell for occluded."""
LEAST_WEIGHT = 1e-4
"""Weight of the whole face where nothing is visible at all: an embedding has a direction."""


class PartBranch(nn.Module):
    """Network of one part: stem, four stages and one linear layer, as `map_resnet` has them.

    Args:
        spec: the options.
        inside: channels of the map.
        size: rows and columns of the part.
    """

    def __init__(self, spec: MapPartResNet, inside: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.stem = map_stem(inside, spec.widths[0], spec.norm)
        self.stages = map_stages(spec.widths, spec.norm)
        high, wide = size
        for _ in range(4):  # the stem and the last three stages halve it
            high, wide = -(-high // 2), -(-wide // 2)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(spec.dropout),
            nn.Linear(spec.widths[-1] * high * wide, spec.embedding_size),
            norm_layer(spec.norm, spec.embedding_size, 1),
        )

    def forward(self, part: torch.Tensor) -> torch.Tensor:
        """Return embeddings f4 (B, E), unit length."""
        return functional.normalize(self.head(self.stages(self.stem(part))), dim=1)


class MapPartResNetNet(EmbeddingNet):
    """Parts' networks, and what weighs them.

    Args:
        spec: the options.

    Raises:
        UserError: a part has no cells on maps of this size.
    """

    cells: torch.Tensor

    def __init__(self, spec: MapPartResNet) -> None:
        super().__init__()
        self.embedding_size, self.in_channels, self.spec = spec.embedding_size, spec.in_channels, spec
        cells = _cells_of(spec)
        # Not stored: they follow from the options.
        self.register_buffer("cells", torch.from_numpy(cells.astype(np.float32)), persistent=False)
        self.windows = [_window(part) for part in cells]
        inside = spec.in_channels - (spec.occlusion == "given")
        sizes = [(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in self.windows]
        self.parts = nn.ModuleDict(
            {name: PartBranch(spec, inside, size) for name, size in zip(LOOKED_AT, sizes, strict=True)}
        )
        self.reliability = nn.Parameter(torch.zeros(len(LOOKED_AT)))
        self.occlusion_head = occlusion_head(inside, spec.norm) if spec.occlusion == "learnt" else None

    def compute(self, inputs: torch.Tensor) -> Outputs:
        """Return the outputs of maps f4 (B, C, S, S), whose last channel is validity, or `map_occlusion` after that.

        Returns:
            `embedding` f4 (B, E); `part_weights` f4 (B, 3), of upper face, nose and whole face, with a sum of 1; where
            it is learnt also `occlusion` f4 (B, S/2, S/2), logits that a cell is occluded.

        Raises:
            UserError: the maps have another size than the network.
        """
        check_side(inputs, self.spec.name, self.spec.image_size_px)
        more: Outputs = {}
        if self.occlusion_head is None:
            surface, occluded = inputs[:, :-1], inputs[:, -1].clamp(0, 1)
        else:
            surface, more["occlusion"] = inputs, self.occlusion_head(inputs)[:, 0]
            # Without a gradient: what is occluded is learnt from masks, and not from what helps the embedding.
            found = torch.sigmoid(more["occlusion"].detach())[:, None]
            occluded = functional.interpolate(found, size=list(inputs.shape[2:]), mode="bilinear")[:, 0]
        visible = (surface[:, -1] > 0).to(surface.dtype) * (1 - occluded)
        shown = torch.cat([surface[:, :-1] * visible[:, None], visible[:, None]], 1)
        weights = self._weights(visible)
        vectors = [
            branch(shown[:, :, rows, columns])
            for branch, (rows, columns) in zip(self.parts.values(), self.windows, strict=True)
        ]
        embedding = (torch.stack(vectors, 1) * weights[..., None]).sum(1)
        return {"embedding": embedding, "part_weights": weights, **more}

    def _weights(self, visible: torch.Tensor) -> torch.Tensor:
        """Return the weights of the parts (B, 3): 0 of a part that is not visible."""
        shares = torch.einsum("phw,bhw->bp", self.cells, visible) / self.cells.sum((1, 2))
        weights = shares * self.reliability.exp()
        if self.training and self.spec.drop_parts:
            kept = torch.rand_like(weights) >= self.spec.drop_parts
            weights = weights * (kept | ~kept.any(1, keepdim=True))
        least = torch.zeros_like(weights)
        least[:, LOOKED_AT.index("whole")] = LEAST_WEIGHT
        weights = torch.where(weights.sum(1, keepdim=True) > LEAST_WEIGHT, weights, weights + least)
        return weights / weights.sum(1, keepdim=True)


def occlusion_head(inside: int, norm: Norm) -> nn.Sequential:
    """Return layers from a map (B, C, S, S) to the logit (B, 1, S/2, S/2) that what a cell shows is not skin."""
    width = HEAD_CHANNELS
    layers: list[nn.Module] = [*map_stem(inside, width, norm)]
    for dilation in DILATIONS:
        conv = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        layers += [conv, norm_layer(norm, width, 2), nn.PReLU(width)]
    last = nn.Conv2d(width, 1, 1)
    nn.init.constant_(last.bias, RARELY)  # type: ignore[arg-type]
    return nn.Sequential(*layers, last)


def _cells_of(spec: MapPartResNet) -> np.ndarray:
    """Return the cells of each part, bool (3, S, S)."""
    side = spec.image_size_px
    grid = MapGrid(spec.cell_mm, side, side, -side * spec.cell_mm / 2, spec.top_mm)
    cells = part_cells(grid)[[PARTS.index(name) for name in LOOKED_AT]]
    empty = [name for name, part in zip(LOOKED_AT, cells, strict=True) if not part.any()]
    if empty:
        raise UserError(
            f"model {spec.name}: maps of {side} cells of {spec.cell_mm:g} mm whose upper edge is at {spec.top_mm:g} mm "
            f"have no {empty[0]}: set model.image_size_px, model.cell_mm and model.top_mm to those of the stage 'maps'"
        )
    return cells


def _window(part: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns of the smallest rectangle around cells."""
    rows, columns = (np.flatnonzero(part.any(axis=axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
