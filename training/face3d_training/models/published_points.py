"""Names that published point networks have for their weights, and those of this program.

PointNet as azhadzuraimi/3D-face-masked-recognition has it (models/Pointnet.py), PointNet++ as pointnet2_ops names it
(erikwijmans/Pointnet2_PyTorch), PointMLP as in ma-xu/pointMLP-pytorch. Their convolutions of kernel 1 are linear layers
here; `fit_state` takes their sides of length 1 away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


Rename = tuple[str, str | Callable[[re.Match[str]], str]]
"""A pattern of the beginning of a name, and what takes its place."""

TRANSFORMS = ("input_transform", "feature_transform")
POINTNET: tuple[Rename, ...] = (
    *(
        (rf"transform\.{name}\.{theirs}\.", f"{name}.{ours}.")
        for name in TRANSFORMS
        for theirs, ours in (
            *(("conv1", "points.0"), ("bn1", "points.1.norm"), ("conv2", "points.3"), ("bn2", "points.4.norm")),
            *(("conv3", "points.6.linear"), ("bn3", "points.6.norm.norm")),
            *(("fc1", "head.0"), ("bn5", "head.1"), ("fc3", "head.3")),
        )
    ),
    *(
        (rf"transform\.{theirs}\.", f"{ours}.")
        for theirs, ours in (
            *(("conv1", "first.0"), ("bn1", "first.1.norm"), ("conv1_1", "first.3"), ("bn1_1", "first.4.norm")),
            *(("conv2_1", "second.0"), ("bn1_2", "second.1.norm"), ("conv2", "second.3"), ("bn2", "second.4.norm")),
            *(("conv3", "second.6.linear"), ("bn3", "second.6.norm.norm")),
        )
    ),
)
UNUSED = re.compile(r"transform\.\w+\.bn4\.")
"""A norm of the published PointNet that nothing passes: leaving it out changes nothing."""

POINTMLP: tuple[Rename, ...] = (
    (r"embedding\.net\.0\.", "embed.0."),
    (r"embedding\.net\.1\.", "embed.1.norm."),
    (r"local_grouper_list\.(\d+)\.affine_(alpha|beta)$", r"stages.\1.group.\2"),
    (r"pre_blocks_list\.(\d+)\.transfer\.net\.0\.", r"stages.\1.group.linear."),
    (r"pre_blocks_list\.(\d+)\.transfer\.net\.1\.", r"stages.\1.norm.norm."),
    *(
        (rf"{kind}_blocks_list\.(\d+)\.operation\.(\d+)\.{theirs}\.", rf"stages.\1.{kind}.\2.{ours}.")
        for kind in ("pre", "pos")
        for theirs, ours in (
            *((r"net1\.0", "inner.0"), (r"net1\.1", "inner.1.norm"), (r"net2\.0", "outer"), (r"net2\.1", "norm.norm")),
        )
    ),
)


def _ball_layer(found: re.Match[str]) -> str:
    """Return the name of a layer of a ball's network; layers are convolution, norm and ReLU in turn."""
    level, scale, place = ("first", "second")[int(found[1])], found[2], int(found[3])
    if place < 2:
        return f"{level}.scales.{scale}.{('first', 'norm.norm')[place]}."
    return f"{level}.scales.{scale}.rest.{_with_norm(place - 3)}."


def _whole_layer(found: re.Match[str]) -> str:
    return f"whole.{_with_norm(int(found[1]))}."


def _with_norm(place: int) -> str:
    """Return the name of a convolution, or norm, at that place of layers that are three each."""
    return f"{place}.norm" if place % 3 == 1 else str(place)


POINTNET2: tuple[Rename, ...] = (
    (r"SA_modules\.([01])\.mlps\.(\d+)\.(\d+)\.", _ball_layer),
    (r"SA_modules\.2\.mlps\.0\.(\d+)\.", _whole_layer),
)


def renamed_points(
    state: Mapping[str, torch.Tensor], renames: Iterable[Rename], dropout: float
) -> dict[str, torch.Tensor]:
    """Return a state dict with published names under those of this program; other names stay.

    Args:
        state: tensors by name, without the prefixes that all names share.
        renames: of the family.
        dropout: of our head: its layers have a place for it where it is above 0; published ones always.
    """
    step = 4 if dropout else 3
    head: Rename = (
        r"(?:classifier|fc_layer)\.(\d+)\.",
        lambda found: f"head.{int(found[1]) // 4 * step + int(found[1]) % 4}.",
    )
    rules = [(re.compile(pattern), new) for pattern, new in (*renames, head)]
    return {_renamed(name, rules): tensor for name, tensor in state.items() if UNUSED.match(name) is None}


def with_identity(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights of a published PointNet, which adds 1 to its transforms' diagonals: here biases hold it.

    Args:
        state: tensors by the names of this program.
    """
    import torch

    found = dict(state)
    for name in TRANSFORMS:
        key = f"{name}.head.3.bias"
        if key in found:
            size = round(found[key].numel() ** 0.5)
            found[key] = found[key] + torch.eye(size).flatten()
    return found


def _renamed(name: str, rules: Iterable[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]]) -> str:
    for pattern, new in rules:
        if pattern.match(name) is not None:
            return pattern.sub(new, name, count=1)
    return name
