"""Neighbourhoods of points, in torch, on any device and without a build.

Distances are squared and float32, summed as (dx² + dy²) + dz²; of equal distances the lowest index wins. So the indices
are those of a plain loop, whatever the device. Points must be finite. No gradient flows through a choice of indices or
to coordinates; it flows through `gather_points` and `interpolate_three` to the features.

An operation is found by its name and the name of a method in `kernels.KERNELS`. A kernel of another package registers
there with `kernels.kernel`, and is used where a config or a caller names it.
"""

from face3d_training.ops.farthest import FarthestSampling, farthest_points
from face3d_training.ops.grouping import gather_points, interpolate_three
from face3d_training.ops.kernels import KERNELS, find_kernel, kernel
from face3d_training.ops.neighbors import ball_query, nearest_points

__all__ = [
    "KERNELS",
    "FarthestSampling",
    "ball_query",
    "farthest_points",
    "find_kernel",
    "gather_points",
    "interpolate_three",
    "kernel",
    "nearest_points",
]
