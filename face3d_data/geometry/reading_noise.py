"""The noise of a depth image's own readings: how large, how far it hangs together, how coarse; and more of its kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.optimize import nnls

WIDTHS_PX = (0.0, 0.8, 1.6, 5.0)
"""Components of noise: white noise smoothed by a Gaussian of that width."""
LAGS_PX = (1, 2, 3, 4, 6)
STEPS_MM = (10.0, 5.0, 2.0, 1.0, 0.5, 0.25, 0.2, 0.125, 0.1)
LEAST_SIGMA_MM = 0.03
"""Less noise than this is the roughness of the surface: the readings are taken for noise-free."""
FEWEST = 200


@dataclass(frozen=True)
class ReadingNoise:
    """What a depth camera's readings of a smooth surface look like.

    Attributes:
        variances_mm2: f8 (4,), at `reference_mm`, of the components of `WIDTHS_PX`.
        reference_mm: the depth at which they hold; sigma grows with its square, as in triangulation.
        step_mm: readings are multiples of this; 0 where they are not quantised.
    """

    variances_mm2: tuple[float, ...] = (0.0,) * len(WIDTHS_PX)
    reference_mm: float = 600.0
    step_mm: float = 0.0

    @property
    def sigma_mm(self) -> float:
        """Standard deviation at `reference_mm`, quantisation included."""
        return float(np.sqrt(sum(self.variances_mm2) + self.step_mm**2 / 12))

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
        if self.step_mm:
            found = np.round(found / self.step_mm) * self.step_mm
        return found.astype(np.float32)


def estimate_noise(depth: np.ndarray, usable: np.ndarray) -> ReadingNoise:
    """Estimate the noise of the readings of a mostly smooth surface.

    Second differences over several lags take curved surfaces out; their variances, robust to edges, give the noise's
    variogram, to which nested Gaussian components are fitted (Chilès and Delfiner 2012, Geostatistics, section 2.6).

    Args:
        depth: f4 (H, W), mm, 0 = no reading: the surroundings of a face.
        usable: bool (H, W), its pixels on the face.

    Returns:
        The noise; none, but the step, where there are too few readings to tell.
    """
    usable = usable & (depth > 0)
    if np.count_nonzero(usable) < FEWEST:
        return ReadingNoise()
    readings = depth[usable]
    reference, step = float(np.median(readings)), quantisation_step(readings)
    observed, design = [], []
    for lag in LAGS_PX:
        for axis in (0, 1):
            found = _second_differences(depth, usable, lag, axis)
            if len(found) >= FEWEST:
                observed.append((1.4826 * float(np.median(np.abs(found - np.median(found))))) ** 2)
                design.append(
                    [6 - 8 * _correlation(width, lag) + 2 * _correlation(width, 2 * lag) for width in WIDTHS_PX]
                )
    if len(observed) < len(WIDTHS_PX):
        return ReadingNoise(reference_mm=reference, step_mm=step)
    scale = 1 / np.maximum(np.array(observed), 1e-9)
    variances, _ = nnls(np.array(design) * scale[:, None], np.ones(len(observed)))
    variances[0] = max(variances[0] - step**2 / 12, 0.0)
    if np.sqrt(variances.sum()) < max(LEAST_SIGMA_MM, 0.2 * step):
        variances[:] = 0.0
    return ReadingNoise(tuple(variances.tolist()), reference, step)


def quantisation_step(readings: np.ndarray) -> float:
    """Return the coarsest of `STEPS_MM` that all readings (N,) are multiples of, 0 where there is none."""
    some = readings[:: max(1, len(readings) // 2000)].astype(np.float64)
    for step in STEPS_MM:
        if np.abs(some / step - np.round(some / step)).max(initial=0) * step < 2e-4 * max(1.0, some.max() / 1000):
            return step
    return 0.0


def _second_differences(depth: np.ndarray, usable: np.ndarray, lag: int, axis: int) -> np.ndarray:
    n = depth.shape[axis]
    if n <= 2 * lag:
        return np.empty(0, np.float32)
    first, middle, last = (
        tuple(slice(start, n - 2 * lag + start) if i == axis else slice(None) for i in (0, 1))
        for start in (0, lag, 2 * lag)
    )
    whole = usable[first] & usable[middle] & usable[last]
    return (depth[first] - 2 * depth[middle] + depth[last])[whole]


def _correlation(width: float, lag: int) -> float:
    return float(np.exp(-(lag**2) / (4 * width**2))) if width else 0.0


def _gain(width: float) -> float:
    """Return the standard deviation that a Gaussian filter leaves of white noise."""
    if not width:
        return 1.0
    reach = int(3.0 * width + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    return float(((kernel / kernel.sum()) ** 2).sum())
