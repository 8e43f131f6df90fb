"""Noise of depth readings: its size, correlation length and quantization in a depth image, and its simulation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.optimize import nnls

WIDTHS_PX = (0.0, 0.8, 1.6)
"""Components of noise, white noise smoothed by a Gaussian of that width. Noise that is correlated over more than about
5 px cannot be distinguished from the shape of a face, and is ignored."""
LAGS_PX = (1, 2, 3, 4)
REACH_MM = 4.5
"""Longer lags than this (two at least) show the face's features: coarse images tell less of their noise."""
STEPS_MM = (10.0, 5.0, 2.0, 1.0, 0.5, 0.25, 0.2, 0.125, 0.1)
LEAST_SIGMA_MM = 0.06
"""Less noise than this is the roughness of the surface: the readings are taken for noise-free."""
LEAST_SIGMA_STEPS = 0.3
FEWEST, FEWEST_LEVELS = 200, 8
BLOCKS_ACROSS, BLOCK_PX = 8, (8, 20)
"""The face is measured in blocks: about how many across, and least and most pixels of a block's side."""
SMOOTHEST = 0.25
"""Share of the blocks that count: the flattest, as strong curvature looks like correlated noise."""
CHOSEN_SHARE = np.array([0.93, 0.86, 0.75])
"""What the flattest blocks of nothing but noise show of it: they are also those where it is small by chance."""


@dataclass(frozen=True)
class ReadingNoise:
    """What a depth camera's readings of a smooth surface look like.

    Attributes:
        variances_mm2: at `reference_mm`, of the components of `WIDTHS_PX`.
        reference_mm: the depth at which they hold; sigma grows with its square, as in triangulation.
        step_mm: readings are multiples of this; 0 where they are not quantised.
        levels: before that, 1/z is a whole multiple of the second of these after the first, as disparities come in
            steps; None where these are finer than `step_mm`.
    """

    variances_mm2: tuple[float, ...] = (0.0,) * len(WIDTHS_PX)
    reference_mm: float = 600.0
    step_mm: float = 0.0
    levels: tuple[float, float] | None = None

    @property
    def coarsest_mm(self) -> float:
        """Distance between neighbouring readings at `reference_mm`."""
        return self.step_mm if self.levels is None else max(self.step_mm, self.levels[1] * self.reference_mm**2)

    @property
    def sigma_mm(self) -> float:
        """Standard deviation at `reference_mm`, quantisation included."""
        return float(np.sqrt(sum(self.variances_mm2) + self.coarsest_mm**2 / 12))

    def field(self, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        """Return noise f4 (H, W) in mm at `reference_mm`, without quantisation."""
        noise = np.zeros(shape, np.float32)
        for width, variance in zip(WIDTHS_PX, self.variances_mm2, strict=True):
            if variance > 0:
                white = rng.standard_normal(shape, dtype=np.float32)
                smooth = gaussian_filter(white, width, mode="wrap", truncate=3.0) if width else white
                noise += np.float32(np.sqrt(variance) / _gain(width)) * smooth
        return noise

    def readings(self, z_mm: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Return the readings f4 of true depths, with the noise of a `field` at the same places, both (N,)."""
        found = z_mm + noise * (z_mm / self.reference_mm) ** 2
        if self.levels is not None:
            first, step = self.levels
            found = 1 / (first + step * np.round((1 / found - first) / step))
        if self.step_mm:
            found = np.round(found / self.step_mm) * self.step_mm
        return found.astype(np.float32)


def estimate_noise(depth: np.ndarray, usable: np.ndarray, focal_px: float) -> ReadingNoise:
    """Estimate the noise of the readings of a mostly smooth surface.

    Third differences over several lags take curved surfaces out; their variances in the flattest parts give a
    generalised variogram, to which nested Gaussian components are fitted (Chilès and Delfiner 2012, Geostatistics,
    sections 2.6 and 4.5).

    Args:
        depth: f4 (H, W), mm, 0 = no reading: the surroundings of a face.
        usable: bool (H, W), its pixels on the face.
        focal_px: focal length of the image.

    Returns:
        The noise; none, but the step, where there are too few readings to tell.
    """
    usable = usable & (depth > 0)
    if np.count_nonzero(usable) < FEWEST:
        return ReadingNoise()
    readings = depth[usable]
    step = quantisation_step(readings)
    none = ReadingNoise((0.0,) * len(WIDTHS_PX), float(np.median(readings)), step, disparity_levels(readings, step))
    n_lags = int(np.clip(REACH_MM * focal_px / none.reference_mm, 2, len(LAGS_PX)))
    found = _block_variances(depth, usable, LAGS_PX[:n_lags])
    if found is None:
        return none
    design = np.array([[_third_difference_gain(width, lag) for width in WIDTHS_PX] for lag in LAGS_PX[:n_lags]])
    # Relative errors count alike, those of longer lags less: there the surface shows.
    scale = 1 / (np.maximum(found, 1e-9) * np.array(LAGS_PX[:n_lags]))
    variances = np.zeros(len(WIDTHS_PX))
    variances[:n_lags], _ = nnls(design[:, :n_lags] * scale[:, None], found * scale)
    variances /= CHOSEN_SHARE
    variances[0] = max(variances[0] - none.coarsest_mm**2 / 12, 0.0)
    # A sensor's noise is never all smooth; what is, is shape.
    if np.sqrt(variances[:2].sum()) < max(LEAST_SIGMA_MM, LEAST_SIGMA_STEPS * none.coarsest_mm):
        variances[:] = 0.0
    return replace(none, variances_mm2=tuple(variances.tolist()))


def quantisation_step(readings: np.ndarray) -> float:
    """Return the coarsest of `STEPS_MM` that all readings (N,) are multiples of, 0 where there is none."""
    if not len(readings):
        return 0.0
    some = readings[:: max(1, len(readings) // 2000)].astype(np.float64)
    for step in STEPS_MM:
        if np.abs(some / step - np.round(some / step)).max(initial=0) * step < 2e-4 * max(1.0, some.max() / 1000):
            return step
    return 0.0


def disparity_levels(readings: np.ndarray, step_mm: float) -> tuple[float, float] | None:
    """Find the levels of 1/z that a stereo camera's whole steps of disparity leave, where they show.

    Args:
        readings: (N,), mm, rounded to `step_mm` after that.
        step_mm: see `quantisation_step`; without one levels are not sought.

    Returns:
        Lowest level and distance of levels, 1/mm; None where there are none, or they are finer than 1.5 steps.
    """
    z, counts = np.unique(readings, return_counts=True)
    inverse = 1 / z[counts >= 2][::-1].astype(np.float64)
    if not step_mm or len(inverse) < FEWEST_LEVELS:
        return None
    first, spacing = inverse[0], float(np.median(np.diff(inverse)))
    if spacing < 1.5 * step_mm * float(np.median(inverse)) ** 2:
        return None
    for _ in range(2):
        number = np.concatenate([[0], np.cumsum(np.round(np.diff(inverse) / spacing))])
        spacing, first = np.polyfit(number, inverse, 1)
    missed = np.abs(1 / (first + spacing * number) - 1 / inverse)
    return (float(first), float(spacing)) if np.quantile(missed, 0.9) <= 0.75 * step_mm else None


def _block_variances(depth: np.ndarray, usable: np.ndarray, lags: tuple[int, ...]) -> np.ndarray | None:
    """Return for each lag the variance of third differences, mm², about the mean of each of the flattest blocks."""
    height, width = depth.shape
    side = int(np.clip(width // BLOCKS_ACROSS, *BLOCK_PX))
    across = -(-width // side)
    blocks = (np.arange(height)[:, None] // side) * across + np.arange(width) // side
    n_blocks = int(blocks[-1, -1]) + 1
    counts, squares = np.zeros((2, len(lags), n_blocks))
    for row, lag in enumerate(lags):
        for images in ((depth, usable, blocks), (depth.T, usable.T, blocks.T)):
            values, block = _third_differences(*images, lag)
            count, total, square = (np.bincount(block, weights, n_blocks) for weights in (None, values, values**2))
            squares[row] += square - total**2 / np.maximum(count, 1)
            counts[row] += np.maximum(count - 1, 0)
    full = np.flatnonzero((counts >= side**2 / 2).all(axis=0))
    if not len(full):
        return None
    rough = squares[-1, full] / counts[-1, full]
    flat = full[rough <= np.quantile(rough, SMOOTHEST)]
    return squares[:, flat].sum(axis=1) / counts[:, flat].sum(axis=1)


def _third_differences(
    depth: np.ndarray, usable: np.ndarray, blocks: np.ndarray, lag: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return third differences (N,) down the rows where all four readings are usable, and the blocks they are in."""
    n = max(len(depth) - 3 * lag, 0)
    d, w = (array[: n + 3 * lag] for array in (depth, usable))
    whole = w[:n] & w[lag : n + lag] & w[2 * lag : n + 2 * lag] & w[3 * lag :][:n]
    found = d[3 * lag :][:n] - 3 * (d[2 * lag : n + 2 * lag] - d[lag : n + lag]) - d[:n]
    return found[whole].astype(np.float64), blocks[3 * lag // 2 :][:n][whole]


def _third_difference_gain(width: float, lag: int) -> float:
    """Return the variance of third differences of noise with variance 1."""
    near, middle, far = (_correlation(width, k * lag) for k in (1, 2, 3))
    return 20 - 30 * near + 12 * middle - 2 * far


def _correlation(width: float, lag: int) -> float:
    return float(np.exp(-(lag**2) / (4 * width**2))) if width else 0.0


def _gain(width: float) -> float:
    """Return the standard deviation that a Gaussian filter leaves of white noise."""
    if not width:
        return 1.0
    reach = int(3.0 * width + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    return float(((kernel / kernel.sum()) ** 2).sum())
