"""Farthest point sampling: exact, fast, by PointNet++'s CUDA kernel, and weighted by curvature.

All start at the point farthest from the centroid by default, so that nothing is random. Points must be finite.
"""

from __future__ import annotations

import numpy as np

from face3d_data.errors import MissingDependency

KERNEL_SHIFT = 1.0
"""PointNet++'s kernel skips points whose squared norm is at most 1e-3: every coordinate is made this or more."""


def farthest_from_centroid(points: np.ndarray) -> int:
    """Return the index of the point farthest from the centroid: float32 squared distance, ties to the lowest index."""
    # Coordinates apart: eight times as fast as the same over rows of three.
    x, y, z = columns = np.array(points.T, np.float32, order="C")
    columns -= columns.mean(axis=1, dtype=np.float64).astype(np.float32)[:, None]
    columns *= columns
    x += y
    x += z
    return int(x.argmax())


def exact_farthest(points: np.ndarray, n_points: int) -> np.ndarray:
    """Sample by the plain algorithm: each next point is the one farthest from all chosen so far.

    Squared distances are float32, summed as (dx² + dy²) + dz²; ties go to the lowest index (Eldar et al. 1997, The
    Farthest Point Strategy for Progressive Image Sampling).

    Args:
        points: f4 (N, 3), finite.
        n_points: how many, at most N.

    Returns:
        int (n_points,), in the order of choice.
    """
    return _greedy(points, n_points, None)


def curvature_farthest(points: np.ndarray, n_points: int, curvature: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Sample farthest points in a metric in which strongly curved places are larger, so that features get more points.

    After the curvature-aware sampling of Zhang, Da and Yu 2019 (arXiv 1911.04731), which weighs FPS by curvature. The
    weight here: distance times 1 + strength · rank, rank being the curvature's place in the cloud from 0 to 1, so that
    one noisy point cannot outweigh a face.

    Args:
        points: f4 (N, 3), finite.
        n_points: how many, at most N.
        curvature: (N,), larger is more curved.
        strength: 0 gives `exact_farthest`.

    Returns:
        int (n_points,), in the order of choice.
    """
    ranks = np.empty(len(points), np.float32)
    ranks[np.argsort(curvature, kind="stable")] = np.linspace(0, 1, len(points), dtype=np.float32)
    return _greedy(points, n_points, (1 + np.float32(strength) * ranks) ** 2)


def _greedy(points: np.ndarray, n_points: int, weights: np.ndarray | None) -> np.ndarray:
    """Choose greedily by weighted squared distance; coordinates apart and buffers reused, as memory decides speed."""
    columns = np.ascontiguousarray(points.T, np.float32)
    nearest = np.full(len(points), np.inf, np.float32)
    squared, term = np.empty_like(nearest), np.empty_like(nearest)
    chosen = np.empty(n_points, np.intp)
    index = farthest_from_centroid(points)
    for i in range(n_points):
        chosen[i] = index
        np.subtract(columns[0], columns[0, index], out=squared)
        np.multiply(squared, squared, out=squared)
        for axis in (1, 2):
            np.subtract(columns[axis], columns[axis, index], out=term)
            np.multiply(term, term, out=term)
            np.add(squared, term, out=squared)
        np.minimum(nearest, squared, out=nearest)
        index = int((nearest if weights is None else np.multiply(nearest, weights, out=term)).argmax())
    return chosen


def fast_farthest(points: np.ndarray, n_points: int, start: int | None = None) -> np.ndarray:
    """Sample by fpsample's kd-line buckets: spread as the exact algorithm's within some percent, 10 times faster.

    Han et al. 2023, QuickFPS. The height of the tree that is fastest depends on the number of points.

    Args:
        points: f4 (N, 3), finite.
        n_points: how many, less than N.
        start: index of the first point; None: the one farthest from the centroid.

    Returns:
        int (n_points,), in the order of choice.
    """
    import fpsample

    height = min(5 if len(points) <= 15_000 else 7, len(points).bit_length() - 1)
    start = farthest_from_centroid(points) if start is None else start
    return fpsample.bucket_fps_kdline_sampling(points, n_points, h=height, start_idx=start).astype(np.intp)


def pointnet2_farthest(points: np.ndarray, n_points: int) -> np.ndarray:
    """Sample by the CUDA kernel of PointNet++'s extension, to reproduce what was trained with it.

    The kernel starts at index 0 and never selects points near the origin, so the start is put first and the cloud is
    shifted away.

    Args:
        points: f4 (N, 3), finite, mm.
        n_points: how many, at most N.

    Returns:
        int (n_points,), in the order of choice.

    Raises:
        MissingDependency: the extension, torch with CUDA or a device is missing.
    """
    try:
        from pointnet2_ops.pointnet2_utils import furthest_point_sample
        from torch import cuda, from_numpy
    except ImportError as error:
        raise MissingDependency(_pointnet2_remedy(str(error))) from None
    if not cuda.is_available():
        raise MissingDependency(_pointnet2_remedy("no CUDA device"))
    start = farthest_from_centroid(points)
    order = np.concatenate([[start], np.delete(np.arange(len(points)), start)])
    shifted = points[order] - points.min(axis=0) + np.float32(KERNEL_SHIFT)
    cloud = from_numpy(np.ascontiguousarray(shifted)).cuda()[None]
    return order[furthest_point_sample(cloud, n_points)[0].cpu().numpy().astype(np.intp)]


def _pointnet2_remedy(problem: str) -> str:
    return (
        f"subsample method 'pointnet2' cannot run ({problem}): on a machine with CUDA, pip install --no-build-isolation"
        " 'git+https://github.com/erikwijmans/Pointnet2_PyTorch#subdirectory=pointnet2_ops_lib', or use method 'fast'"
    )
