"""MediaPipe's face detector (BlazeFace, short range) and face mesh with attention, in torch.

Bazarevsky et al. 2019, BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs; Grishchenko et al. 2020,
Attention Mesh: High-fidelity Face Mesh Prediction in Real-time. Both are chains of blocks: a depthwise convolution, a
pointwise one, the input added, an activation. Weights are stored in float16 and used in float32.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from face3d_data.detectors.mediapipe.assets import ATTENTION_MESH, SHORT_RANGE
from face3d_data.detectors.mediapipe.device import ready_device
from face3d_data.detectors.mediapipe.regions import LEFT_EYE, LIPS, RIGHT_EYE, MeshRegion
from face3d_data.resources import Asset

DETECTOR_PX, MESH_PX = 128, 192
REGION_PX = 16
"""Side of the features that a region (lips, an eye) is judged by."""
Weights = Mapping[str, Tensor]


class MobileBlock:
    """Depthwise and pointwise convolution, the input added, activation; or a plain convolution and activation.

    Features are (n, H, W, channels), which is fastest on a CPU. Those of several branches are worked on at once, as
    groups of channels.

    Args:
        weights: of a whole network.
        names: of this block in each branch.
        stride: 2 halves the resolution.
    """

    def __init__(self, weights: Weights, names: list[str], stride: int = 1) -> None:
        self.groups, self.stride = len(names), stride
        parts = [{key: weights[f"{name}.{key}"] for key in _KEYS if f"{name}.{key}" in weights} for name in names]
        joined = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
        self.slope = joined.get("slope")
        self.conv = (joined["conv.weight"], joined["conv.bias"]) if "conv.weight" in joined else None
        kind = "conv" if self.conv else "pointwise"
        if not self.conv:
            self.depthwise = (joined["depthwise.weight"], joined["depthwise.bias"])
        if joined[f"{kind}.weight"].shape[2] == 1:
            self.matrices = torch.stack([part[f"{kind}.weight"][:, :, 0, 0].T for part in parts]).contiguous()
            self.bias = torch.stack([part[f"{kind}.bias"] for part in parts])[:, None]

    def __call__(self, x: Tensor) -> Tensor:
        """Return (n, H, W, channels) after the block."""
        if self.conv is None:
            y = convolve(x, *self.depthwise, self.stride, x.shape[3])
            rows = self._add(self._pointwise(y), halve(x) if self.stride == 2 else x)
        elif self.conv[0].shape[2] == 1:
            y, rows = x, self._pointwise(x)
        else:
            y = convolve(x, *self.conv, self.stride)
            rows = y.reshape(-1, y.shape[3])
        rows = F.relu_(rows) if self.slope is None else torch.prelu(rows, self.slope)
        return rows.view(*y.shape[:3], -1)

    def _pointwise(self, x: Tensor) -> Tensor:
        """Return the pixels' outputs (pixels, channels)."""
        if self.groups == 1:
            return torch.addmm(self.bias[0], x.reshape(-1, x.shape[3]), self.matrices[0])
        rows = x.reshape(-1, self.groups, x.shape[3] // self.groups).transpose(0, 1)
        return torch.baddbmm(self.bias, rows, self.matrices).transpose(0, 1).flatten(1)

    def _add(self, rows: Tensor, x: Tensor) -> Tensor:
        had = x.shape[3]
        if rows.shape[1] == had:
            return rows.add_(x.reshape(-1, had))
        # The input has fewer channels: the others have nothing to add to them.
        grouped = rows.view(len(rows), self.groups, -1)
        grouped[..., : had // self.groups] += x.reshape(len(rows), self.groups, -1)
        return rows


_KEYS = (
    *("depthwise.weight", "depthwise.bias", "pointwise.weight", "pointwise.bias"),
    *("conv.weight", "conv.bias", "slope"),
)


def convolve(x: Tensor, weight: Tensor, bias: Tensor, stride: int, groups: int = 1) -> Tensor:
    """Return features (n, H, W, channels) convolved, padded as TensorFlow's SAME: what is odd goes to the far sides."""
    kernel = weight.shape[2]
    padding = kernel // 2
    if stride > 1:
        high, wide = (max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[1:3])
        x = F.pad(x, (0, 0, wide // 2, wide - wide // 2, high // 2, high - high // 2))
        padding = 0
    return torch.conv2d(x.permute(0, 3, 1, 2), weight, bias, stride, padding, 1, groups).permute(0, 2, 3, 1)


def halve(x: Tensor) -> Tensor:
    """Return the largest of each 2 x 2 features (n, H, W, channels)."""
    return F.max_pool2d(x.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


def chain(weights: Weights, prefixes: list[str], halving: tuple[int, ...]) -> list[MobileBlock]:
    """Return the blocks below each of `prefixes`, equal in form; those at the places `halving` have stride 2."""
    count = len(
        {name.split(".")[len(prefixes[0].split("."))] for name in weights if name.startswith(prefixes[0] + ".")}
    )
    return [
        MobileBlock(weights, [f"{prefix}.{i}" for prefix in prefixes], 2 if i in halving else 1) for i in range(count)
    ]


class ShortRange:
    """BlazeFace: the score and place of a face at each of 896 anchors."""

    def __init__(self, weights: Weights) -> None:
        self.fine = chain(weights, ["fine"], (0, 3, 6))
        self.coarse = chain(weights, ["coarse"], (0,))
        names = ("scores_16", "boxes_16", "scores_8", "boxes_8")
        self.heads = {name: (weights[f"{name}.weight"], weights[f"{name}.bias"]) for name in names}

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Judge images.

        Args:
            images: f4 (n, 3, 128, 128), RGB from -1 to 1.

        Returns:
            The log-odds of a face (n, 896), and its place (n, 896, 16): middle x, y, width, height, and six points
            x, y, all in px from the anchor.
        """
        x = images.permute(0, 2, 3, 1)
        for block in self.fine:
            x = block(x)
        coarse = x
        for block in self.coarse:
            coarse = block(coarse)
        scores = [self._head(f"scores_{side}", at, 1) for side, at in ((16, x), (8, coarse))]
        boxes = [self._head(f"boxes_{side}", at, 16) for side, at in ((16, x), (8, coarse))]
        return torch.cat(scores, dim=1)[..., 0], torch.cat(boxes, dim=1)

    def _head(self, name: str, x: Tensor, values: int) -> Tensor:
        weight, bias = self.heads[name]
        return F.linear(x, weight[:, :, 0, 0], bias).reshape(len(x), -1, values)


class AttentionMesh:
    """Face mesh with attention: 478 points of one face and whether there is one.

    A first pass places 468 points; the features round the lips and each eye are then cut out upright and judged again,
    which gives better points there, and the irises.
    """

    def __init__(self, weights: Weights) -> None:
        self.stem = chain(weights, ["stem"], (0, 3))
        self.face = chain(weights, ["face"], (2, 5, 8, 11))
        self.mesh, self.flag = whole_window(weights, "mesh"), whole_window(weights, "flag")
        self.trunk = chain(weights, [f"{region}.trunk" for region in _REGIONS], (2, 5))
        self.branches = chain(weights, [f"{branch}.blocks" for branch in _BRANCHES], (2,))
        self.outs = [whole_window(weights, f"{branch}.out") for branch in _BRANCHES]

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Place the points of the face in each image.

        Args:
            images: f4 (n, 3, 192, 192), RGB from 0 to 1, one upright face each.

        Returns:
            The points f4 (n, 478, 3), px of the image and a depth in the same unit, and the log-odds of a face (n,).
        """
        features = images.permute(0, 2, 3, 1)
        for block in self.stem:
            features = block(features)
        x = features
        for block in self.face:
            x = block(x)
        x = x.flatten(1)
        mesh = F.linear(x, *self.mesh).reshape(-1, 468, 3)
        flag = F.linear(x, *self.flag).reshape(-1)
        return self._refined(mesh, features), flag

    def _refined(self, mesh: Tensor, features: Tensor) -> Tensor:
        scale = features.shape[2] / MESH_PX
        maps = [region_map(mesh[..., :2] * scale, region) for region in _REGIONS.values()]
        x = cut_regions(features, torch.stack(maps, dim=1))
        for block in self.trunk:
            x = block(x)
        own = x.reshape(*x.shape[:3], len(_REGIONS), -1)
        x = own[:, :, :, list(_BRANCHES.values())].flatten(3)
        for block in self.branches:
            x = block(x)
        own = x.reshape(*x.shape[:3], len(_BRANCHES), -1)
        found = []
        for i, (out, region) in enumerate(zip(self.outs, _BRANCHES.values(), strict=True)):
            points = F.linear(own[:, :, :, i].flatten(1), *out).reshape(len(x), -1, 2)
            at = maps[region]
            # A region's points are in px of the image, four times as fine as its features.
            found.append(points @ at[:, :, :2].transpose(1, 2) + at[:, None, :, 2] / scale)
        return refined_mesh(mesh, *found)


_REGIONS = {"lips": LIPS, "left_eye": LEFT_EYE, "right_eye": RIGHT_EYE}
_BRANCHES = {"lips": 0, "left_eye": 1, "left_iris": 1, "right_eye": 2, "right_iris": 2}
"""Branches, and the region whose features each looks at."""


def region_map(points: Tensor, region: MeshRegion) -> Tensor:
    """Return the map (n, 2, 3) from the pixels of a region's upright square to those of the features.

    The square is turned so that the region's two corners are level, and is 1.5 times as wide and high as its points.

    Args:
        points: (n, 468, 2), px of the features.
        region: which.
    """
    across = points[:, region.right] - points[:, region.left]
    angle = torch.atan2(across[:, 1], across[:, 0])
    cos, sin = torch.cos(angle), torch.sin(angle)
    turn = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
    level = points[:, region.points] @ turn  # by the inverse rotation, as rows
    low, high = level.amin(dim=1), level.amax(dim=1)
    middle = (turn @ ((low + high) / 2)[..., None])[..., 0]
    linear = turn * ((high - low) * 1.5 / REGION_PX)[:, None, :]
    shift = middle - linear.sum(dim=2) * (REGION_PX / 2)
    return torch.cat([linear, shift[..., None]], dim=2)


def cut_regions(features: Tensor, at: Tensor) -> Tensor:
    """Return the features of regions (n, 16, 16, regions * channels), bilinear between pixel centres, 0 outside.

    Args:
        features: (n, H, W, channels).
        at: (n, regions, 2, 3), see `region_map`; pixel i covers i to i + 1.
    """
    n, height, width, channels = features.shape
    steps = torch.arange(REGION_PX, dtype=features.dtype, device=features.device) + 0.5
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    places = torch.stack([columns, rows, torch.ones_like(rows)], -1).reshape(-1, 3) @ at.transpose(2, 3) - 0.5
    x, y = places[..., 0], places[..., 1]
    inside = ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1))[..., None]
    left, top = x.floor().clamp(0, width - 2), y.floor().clamp(0, height - 2)
    right, lower = (x - left)[..., None].clamp(0, 1), (y - top)[..., None].clamp(0, 1)
    first = (top * width + left).long() + torch.arange(n, device=features.device)[:, None, None] * (height * width)
    flat = features.reshape(-1, channels)
    upper = torch.lerp(flat[first], flat[first + 1], right)
    below = torch.lerp(flat[first + width], flat[first + width + 1], right)
    found = torch.lerp(upper, below, lower) * inside
    return found.transpose(1, 2).reshape(n, REGION_PX, REGION_PX, -1)


def whole_window(weights: Weights, name: str) -> tuple[Tensor, Tensor]:
    """Return the matrix and bias of a convolution whose window is all of the features (H, W, channels)."""
    return weights[f"{name}.weight"].permute(0, 2, 3, 1).flatten(1).contiguous(), weights[f"{name}.bias"]


def refined_mesh(
    mesh: Tensor, lips: Tensor, left_eye: Tensor, left_iris: Tensor, right_eye: Tensor, right_iris: Tensor
) -> Tensor:
    """Return the mesh (n, 478, 3) with x and y of the regions' own points, and an iris as deep as its eye's rim.

    Args:
        mesh: (n, 468, 3).
        lips: (n, 80, 2).
        left_eye: (n, 71, 2); "left" in the image.
        left_iris: (n, 5, 2).
        right_eye: (n, 71, 2).
        right_iris: (n, 5, 2).
    """
    whole = torch.cat([mesh, mesh.new_zeros(len(mesh), 10, 3)], dim=1)
    for region, points in ((LIPS, lips), (LEFT_EYE, left_eye), (RIGHT_EYE, right_eye)):
        whole[:, region.points, :2] = points
    for first, iris, region in ((468, left_iris, LEFT_EYE), (473, right_iris, RIGHT_EYE)):
        whole[:, first : first + 5, :2] = iris
        whole[:, first : first + 5, 2] = whole[:, region.points[:16], 2].mean(dim=1, keepdim=True)
    return whole


def _load(asset: Asset, device: torch.device) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    return {name: tensor.to(device, torch.float32) for name, tensor in load_file(asset.file).items()}


@functools.cache
def load_nets(device: str) -> tuple[ShortRange, AttentionMesh]:
    """Return both networks, loaded once a process and device.

    Raises:
        MissingDependency: torch cannot use the device.
    """
    target = ready_device(device)
    with torch.inference_mode():
        return ShortRange(_load(SHORT_RANGE, target)), AttentionMesh(_load(ATTENTION_MESH, target))
