"""Surface maps: the height of a face's front over a grid, with its slopes, from points in the face frame.

Each cell's height and slopes are those of the plane fitted to the points around it, weighted by a Gaussian (Cleveland
1979, Robust Locally Weighted Regression; Fan 1992, Design-adaptive Nonparametric Regression): a mean of heights is
wrong on a slope wherever points lie unevenly. What that fit leaves is fitted once more and added (Tukey 1977,
Exploratory Data Analysis: twicing), which takes off most of what curvature costs.

Points are first summed up in their cells: nine sums each, about the cell's middle, which is all that a fit needs. So
planes come out exactly, and the cost hardly depends on the number of points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BACK_MM, FRONT_MM = -90.0, 300.0
"""What is farther behind the tip of the nose, or in front of it, is not the face, nor anything on it."""
BEHIND_MM, BEHIND_SLOPE = 8.0, 2.0
"""A point this far behind the front of its cell, and as far again as a slope of 2 falls within it, lies behind it."""
LONE_SHARE = 0.15
"""Fewer of a cell's points than this do not hide the others: readings that fly in front of the face."""
REACH_SIGMAS = 2.0
ROUGH_MM, ROUGH_MEDIANS = 3.0, 2.5
"""A fit that leaves more than this rms joins two surfaces, one behind the other; and more than its multiple of the
median: a noisy sensor's fits leave as much everywhere."""
THINNEST_CELLS = 0.2
"""Standard deviation, in cells, of the points of a fit across the line that they lie on; less does not tell a slope."""


@dataclass(frozen=True)
class MapGrid:
    """Square cells over the x, y plane of the face frame; row 0 is the topmost, column 0 the leftmost, x to the right.

    Attributes:
        cell_mm: width of a cell.
        rows: how many from top to bottom.
        columns: how many from left to right.
        left_mm: x of the left edge.
        top_mm: y of the upper edge.
    """

    cell_mm: float
    rows: int
    columns: int
    left_mm: float
    top_mm: float

    def x_mm(self) -> np.ndarray:
        """Return x of the middles of cells by column, f8 (columns,), mm."""
        return self.left_mm + self.cell_mm * (np.arange(self.columns) + 0.5)

    def y_mm(self) -> np.ndarray:
        """Return y of the middles of cells by row, f8 (rows,), mm; it falls from row to row."""
        return self.top_mm - self.cell_mm * (np.arange(self.rows) + 0.5)


@dataclass(frozen=True)
class SurfaceMap:
    """Height and slopes of a surface over a grid; NaN where nothing was seen.

    Attributes:
        height: f4 (rows, columns), z, mm.
        slope_x: f4 (rows, columns), dz/dx, x to the right.
        slope_y: f4 (rows, columns), dz/dy, y upwards.
        shares: f4 (rows, columns), weighted mean around a cell of the values given for points; None: none were.
    """

    height: np.ndarray
    slope_x: np.ndarray
    slope_y: np.ndarray
    shares: np.ndarray | None = None

    @property
    def seen(self) -> np.ndarray:
        """Bool (rows, columns): where there is a surface."""
        return np.isfinite(self.height)


def surface_map(
    points: np.ndarray, grid: MapGrid, sigma_mm: float, gap_mm: float, values: np.ndarray | None = None
) -> SurfaceMap:
    """Return the map of a face's front surface.

    Args:
        points: (N, 3), mm, face frame; those that are not finite are left out.
        grid: the cells.
        sigma_mm: standard deviation of the Gaussian, by the distance between middles of cells.
        gap_mm: narrower gaps between points are surface, as far as the Gaussian reaches; wider ones are holes.
        values: (N,), of each point, such as 1 = occluded; averaged into `shares`.
    """
    reach = max(1, int(np.ceil(REACH_SIGMAS * sigma_mm / grid.cell_mm)))
    bins = _Bins.of(np.asarray(points), grid, 2 * reach)
    bins = bins.front(grid.cell_mm)
    fit = _Fits(bins, _kernels(bins.shape, reach, sigma_mm / grid.cell_mm))
    height, across, down, rms = fit.planes(bins.z)
    seen = closed(bins.count > 0, round(gap_mm / grid.cell_mm / 2)) & fit.tells & (fit.weight > 0)
    if bins.count.any():
        occupied = seen & (bins.count > 0)
        typical = float(np.median(rms[occupied])) if occupied.any() else 0.0
        seen &= rms <= max(ROUGH_MM, ROUGH_MEDIANS * typical)
    at = bins.cell
    left = bins.z - (height.ravel()[at] + across.ravel()[at] * bins.right + down.ravel()[at] * bins.below)
    left = np.where(fit.tells.ravel()[at], left, 0.0)
    more = fit.planes(left)
    kept = np.s_[2 * reach : 2 * reach + grid.rows, 2 * reach : 2 * reach + grid.columns]
    found = [height + more[0], (across + more[1]) / grid.cell_mm, -(down + more[2]) / grid.cell_mm]
    if values is not None:
        found.append(fit.mean(np.asarray(values, np.float64)[bins.source]))
    return SurfaceMap(*(np.where(seen, image, np.nan)[kept].astype(np.float32) for image in found))


def closed(there: np.ndarray, radius: int) -> np.ndarray:
    """Return cells (rows, columns) that are there, with gaps of up to twice `radius` cells between such filled."""
    if radius == 0:
        return there
    from scipy.ndimage import maximum_filter1d, minimum_filter1d

    found = np.pad(there, radius).astype(np.uint8)
    for over in (maximum_filter1d, minimum_filter1d):
        for axis in (0, 1):
            found = over(found, 2 * radius + 1, axis=axis)
    return found[radius:-radius, radius:-radius] > 0


@dataclass(frozen=True)
class _Bins:
    """Points in the cells of a grid with a border round it.

    Attributes:
        shape: rows and columns with the border.
        cell: (n,), each point's cell.
        right, below: f8 (n,), where the point lies from the middle of its cell, cells.
        z: f8 (n,), mm.
        source: (n,), its place among the points given.
        count: (rows, columns), how many each cell has.
    """

    shape: tuple[int, int]
    cell: np.ndarray
    right: np.ndarray
    below: np.ndarray
    z: np.ndarray
    source: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, points: np.ndarray, grid: MapGrid, border: int) -> _Bins:
        high, wide = grid.rows + 2 * border, grid.columns + 2 * border
        z = points[:, 2].astype(np.float64)
        right = (points[:, 0].astype(np.float64) - grid.left_mm) / grid.cell_mm + (border - 0.5)
        below = (grid.top_mm - points[:, 1].astype(np.float64)) / grid.cell_mm + (border - 0.5)
        # Written so that NaN is outside.
        inside = (right > -0.5) & (right < wide - 0.5) & (below > -0.5) & (below < high - 0.5)
        source = np.flatnonzero(inside & (z > BACK_MM) & (z < FRONT_MM))
        right, below, z = right[source], below[source], z[source]
        column, row = np.rint(right), np.rint(below)
        cell = (row * wide + column).astype(np.intp)
        count = np.bincount(cell, minlength=high * wide).reshape(high, wide)
        return cls((high, wide), cell, right - column, below - row, z, source, count)

    def front(self, cell_mm: float) -> _Bins:
        """Return the bins without points that lie behind others of their cell, or of cells on both sides of it."""
        within = BEHIND_MM + BEHIND_SLOPE * cell_mm
        behind = self.z < self._nearest()[self.cell] - within
        if behind.any():
            hidden = np.bincount(self.cell, behind, self.count.size)
            flying = (self.count.ravel() - hidden) < LONE_SHARE * self.count.ravel()
            return self._chosen(behind | ~flying[self.cell])._without_hidden(within)
        return self._without_hidden(within)

    def _without_hidden(self, within: float) -> _Bins:
        from scipy.ndimage import grey_closing

        if not len(self.z):
            return self
        front = grey_closing(self._nearest().reshape(self.shape), size=(3, 3), mode="nearest").ravel()
        return self._chosen(self.z >= front[self.cell] - within)

    def _nearest(self) -> np.ndarray:
        """Return the greatest z of each cell, f8 (rows * columns,); far behind where it has no point."""
        front = np.full(self.count.size, 2 * BACK_MM)
        np.maximum.at(front, self.cell, self.z)
        return front

    def _chosen(self, kept: np.ndarray) -> _Bins:
        if kept.all():
            return self
        parts = (self.cell, self.right, self.below, self.z, self.source)
        cell, right, below, z, source = (part[kept] for part in parts)
        count = np.bincount(cell, minlength=self.count.size).reshape(self.shape)
        return _Bins(self.shape, cell, right, below, z, source, count)

    def sums(self, values: np.ndarray | None) -> np.ndarray:
        """Return the sum of values in each cell (rows, columns)."""
        return np.bincount(self.cell, values, self.count.size).reshape(self.shape)


def _kernels(shape: tuple[int, int], reach: int, sigma_cells: float) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return matrices that sum over rows, and over columns: weighted by the Gaussian, times distance, times its square.

    The first multiply from the left, the second from the right.
    """
    found = []
    for size in shape:
        away = np.arange(size)[None, :] - np.arange(size)[:, None]
        weight = np.where(np.abs(away) <= reach, np.exp(-0.5 * (away / sigma_cells) ** 2), 0.0)
        found.append([weight, weight * away, weight * away**2])
    return found[0], [matrix.T.copy() for matrix in found[1]]


class _Fits:
    """Planes around every cell, by weighted least squares.

    Args:
        bins: the points.
        kernels: those of `_kernels`.
    """

    def __init__(self, bins: _Bins, kernels: tuple[list[np.ndarray], list[np.ndarray]]) -> None:
        self.bins, (self.rows, self.columns) = bins, kernels
        one, x, y = bins.count.astype(np.float64), bins.sums(bins.right), bins.sums(bins.below)
        weight, total_x, total_y = self._first(one, x, y)
        self.weight = weight
        share = 1 / np.where(weight > 0, weight, 1.0)
        self._share, self.x, self.y = share, total_x * share, total_y * share
        r, c = self.rows, self.columns
        xx = r[0] @ (bins.sums(bins.right**2) @ c[0] + 2 * (x @ c[1]) + one @ c[2])
        yy = (r[0] @ bins.sums(bins.below**2) + 2 * (r[1] @ y) + r[2] @ one) @ c[0]
        xy = r[0] @ (bins.sums(bins.right * bins.below) @ c[0] + y @ c[1]) + r[1] @ (x @ c[0] + one @ c[1])
        self.xx, self.yy = xx * share - self.x**2, yy * share - self.y**2
        self.xy = xy * share - self.x * self.y
        area = self.xx * self.yy - self.xy**2
        trace = self.xx + self.yy
        self.tells = area > THINNEST_CELLS**2 * np.maximum(trace, 1e-12)
        """Bool (rows, columns): whether the points lie widely enough for a plane."""
        self._per_area = np.where(self.tells, 1 / np.where(self.tells, area, 1.0), 0.0)

    def _first(self, one: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return weighted sums of a value, and of it times the distance right and below, from sums over cells."""
        (r0, r1, _), (c0, c1, _) = self.rows, self.columns
        across = one @ c0
        return r0 @ across, r0 @ (x @ c0 + one @ c1), r0 @ (y @ c0) + r1 @ across

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Return the weighted mean of values (n,) around every cell."""
        return self.rows[0] @ self.bins.sums(values) @ self.columns[0] * self._share

    def planes(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return of the plane through values (n,) its height, its rise to the right and downwards a cell, and the rms.

        Where points do not tell a slope it is 0, and the height is their mean.
        """
        bins = self.bins
        sums = (bins.sums(values), bins.sums(values * bins.right), bins.sums(values * bins.below))
        mean, x, y = (total * self._share for total in self._first(*sums))
        x, y = x - mean * self.x, y - mean * self.y
        across = (self.yy * x - self.xy * y) * self._per_area
        down = (self.xx * y - self.xy * x) * self._per_area
        variance = self.mean(values**2) - mean**2 - across * x - down * y
        return mean - across * self.x - down * self.y, across, down, np.sqrt(np.maximum(variance, 0))


def map_channels(found: SurfaceMap, kind: str) -> np.ndarray:
    """Return a map as channels f4 (C, rows, columns): height, `slopes` (2) or unit `normals` (3), and validity, 0 or 1.

    Every channel is 0 where nothing was seen. The normal of a surface with slopes sx, sy is (-sx, -sy, 1) / length.
    """
    sx, sy = found.slope_x, found.slope_y
    if kind == "normals":
        length = np.sqrt(sx**2 + sy**2 + 1)
        between = [-sx / length, -sy / length, 1 / length]
    else:
        between = [sx, sy]
    channels = np.stack([found.height, *between, np.ones_like(sx)])
    return np.where(found.seen, channels, 0).astype(np.float32)


def nearest_seen(channels: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return channels (C, rows, columns) whose holes have the values of the nearest cell that was seen."""
    from scipy.ndimage import distance_transform_edt

    row, column = distance_transform_edt(~seen, return_distances=False, return_indices=True)
    return np.ascontiguousarray(channels[:, row, column])


def mirrored_map(channels: np.ndarray) -> np.ndarray:
    """Return a map f4 (C, rows, columns) of the mirrored face: columns reversed, slope or normal along x negated."""
    turned = np.ascontiguousarray(channels[:, :, ::-1])
    turned[1] = -turned[1] + 0.0  # no -0 in holes
    return turned
