"""Random variation of maps while they are loaded: shifts, tilts, noise, holes, and masks drawn over the map.

A map has no points that could be moved or covered, so that these are its own: each takes a fraction of a millisecond.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from face3d_training.config import VaryMapConfig
from face3d_training.map_place import MapPlace
from face3d_training.mirror import mirrored_map

LARGEST_HOLES_MM = 14.0
MOST_HOLES = 4
SIDE_LEFT = 0.35
"""Share of the columns that a turned face loses on its far side, at most."""

TOP_MM, TOP_SLOPE = (2.0, 26.0), (0.1, 0.7)
"""Upper edge of a mask: its height above the tip of the nose on the midline, and how it falls to both sides."""
HALF_WIDTH_MM, BOTTOM_MM = (48.0, 75.0), (-75.0, -45.0)
STANDOFF_MM = (0.5, 6.0)
BRIDGED_MM, STIFF_MM = (2.0, 30.0), (1.0, 14.0)
"""Slack to taut: hollows that the cloth spans, and how far it is smoothed (standard deviation)."""
RIM_MM = 9.0
"""Within this distance of its outline the cloth comes down to half its stand-off."""
CREASES_MM = (0.0, 1.0)
BULKY = 0.5
"""Share of the drawn masks that stand off by a shape of their own, as respirators do: cups, and folds."""
BULGE_MM, BULGE_Y_MM = (3.0, 30.0), (-45.0, -15.0)
BULGE_HALF_WIDTH_MM, BULGE_HALF_HEIGHT_MM = (25.0, 50.0), (18.0, 38.0)
FILLED_CELLS = (7, 33)
"""Holes are filled by the means of squares of these sides, in turn; what lies farther away by the mean of all."""
VISIBLE_MM = 40.0
"""Half the width of the face by which the visible share is counted."""


@dataclass(frozen=True)
class MapVariation:
    """Variation of the maps of one dataset.

    Attributes:
        config: its strengths.
        place: cells and channels of the maps.
    """

    config: VaryMapConfig
    place: MapPlace

    @property
    def is_on(self) -> bool:
        """Whether anything is drawn."""
        return self.config != VaryMapConfig()

    def varied(
        self, image: np.ndarray, occlusion: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return a map f4 (C, rows, columns) as another recording would give it, and its `map_occlusion` too."""
        config, grid = self.config, self.place.grid
        if config.mirror and rng.random() < config.mirror:
            image, occlusion = mirrored_map(image), occlusion[:, ::-1]
        height, (sx, sy), seen = image[0].copy(), self.place.slopes(image), image[-1] > 0
        sx, sy = sx.copy(), sy.copy()
        if config.noise_mm:
            noise = smooth_noise(height.shape, rng.uniform(0.6, 2.0), rng) * np.float32(rng.uniform(0, config.noise_mm))
            height += noise
            down, across = np.gradient(noise, grid.cell_mm)
            sx, sy = sx + across, sy - down
        if config.tilt:
            a, b = (rng.standard_normal(2) * config.tilt).astype(np.float32)
            height += a * grid.x_mm()[None, :].astype(np.float32) + b * grid.y_mm()[:, None].astype(np.float32)
            sx, sy = sx + a, sy + b
        if config.holes and rng.random() < config.holes:
            seen = seen & ~self._holes(rng)
        varied = self.place.channels(height, (sx, sy), seen)
        occlusion = np.where(seen, occlusion, np.float32(0))
        if config.shift_cells:
            down, right = (int(step) for step in rng.integers(-config.shift_cells, config.shift_cells + 1, 2))
            varied = shifted(varied, down, right)
            occlusion = shifted(occlusion[None], down, right)[0]
        return varied, occlusion

    def _holes(self, rng: np.random.Generator) -> np.ndarray:
        """Return bool (rows, columns): cells that were not seen, in spots, and on one side of a turned face."""
        grid = self.place.grid
        lost = np.zeros((grid.rows, grid.columns), np.uint8)
        for _ in range(int(rng.integers(1, MOST_HOLES + 1))):
            middle = (int(rng.integers(grid.columns)), int(rng.integers(grid.rows)))
            axes = tuple(max(1, round(float(rng.uniform(1, LARGEST_HOLES_MM)) / grid.cell_mm)) for _ in range(2))
            cv2.ellipse(lost, middle, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
        if rng.random() < 0.5:
            gone = int(rng.uniform(0, SIDE_LEFT) * grid.columns)
            ragged = gone + np.rint(2 * smooth_noise((1, grid.rows), 3.0, rng)[0]).astype(int)
            columns = np.arange(grid.columns)[None, :]
            columns = columns if rng.random() < 0.5 else columns[:, ::-1]
            lost |= columns < ragged[:, None]
        return lost > 0

    def masked(self, image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float, np.ndarray]:
        """Put a drawn mask over a map f4 (C, rows, columns).

        Returns:
            the covered map, the share of the seen face that stays visible, and bool (rows, columns): covered cells.
        """
        grid, seen = self.place.grid, image[-1] > 0
        outline = self._outline(rng)
        covered = outline & (seen | closed_holes(seen))
        face = filled_holes(image[0], seen)
        cloth = _spanned(face, grid.cell_mm, rng)
        inward = cv2.distanceTransform(outline.astype(np.uint8), cv2.DIST_L2, 3) * np.float32(grid.cell_mm)
        rise = np.minimum(inward / RIM_MM, 1)
        standoff = np.float32(rng.uniform(*STANDOFF_MM)) * (0.5 + 0.5 * rise)
        creases = smooth_noise(face.shape, rng.uniform(1.0, 3.0), rng) * np.float32(rng.uniform(*CREASES_MM))
        made = face + rise * (cloth - face + self._bulge(rng)) + standoff + creases
        np.copyto(made, face, where=seen & ~covered)
        down, across = np.gradient(made, grid.cell_mm)
        sx, sy = self.place.slopes(image)
        slopes = np.where(covered, across, sx), np.where(covered, -down, sy)
        counted = seen & (np.abs(grid.x_mm()) < VISIBLE_MM)
        visible = 1 - int(np.count_nonzero(covered & counted)) / max(int(np.count_nonzero(counted)), 1)
        return self.place.channels(made, slopes, seen | covered), visible, covered

    def _bulge(self, rng: np.random.Generator) -> np.ndarray | float:
        """Return how far f4 (rows, columns), mm, a mask stands off by its shape: a cup, or a level or upright fold."""
        if rng.random() >= BULKY:
            return 0.0
        grid = self.place.grid
        high, middle = (np.float32(rng.uniform(*limits)) for limits in (BULGE_MM, BULGE_Y_MM))
        across = (np.abs(grid.x_mm()) / rng.uniform(*BULGE_HALF_WIDTH_MM)).astype(np.float32)[None, :]
        down = (np.abs(grid.y_mm() - middle) / rng.uniform(*BULGE_HALF_HEIGHT_MM)).astype(np.float32)[:, None]
        kind = rng.integers(3)
        if kind == 0:
            return high * np.sqrt(np.maximum(1 - across**2 - down**2, 0))
        fold, along = (down, across) if kind == 1 else (across, down)
        return high * np.maximum(1 - fold, 0) * np.sqrt(np.maximum(1 - along**2, 0))

    def _outline(self, rng: np.random.Generator) -> np.ndarray:
        """Return bool (rows, columns): below a V from the bridge of the nose, to the cheeks and the chin."""
        grid = self.place.grid
        x, y = np.abs(grid.x_mm())[None, :], grid.y_mm()[:, None]
        top = rng.uniform(*TOP_MM) - rng.uniform(*TOP_SLOPE) * x
        bottom, half = rng.uniform(*BOTTOM_MM), rng.uniform(*HALF_WIDTH_MM)
        return (y < top) & (y > bottom) & (x < half * np.minimum(np.maximum(1.2 + y / 150, 0.6), 1.0))


def _spanned(face: np.ndarray, cell_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Return the cloth over heights f4 (rows, columns): hollows spanned, details rounded off, from slack to taut."""
    taut = rng.random()
    bridged, stiff = (low + taut * (high - low) for low, high in (BRIDGED_MM, STIFF_MM))
    cells = 2 * max(0, round(bridged / cell_mm / 2)) + 1
    kernel = _disc(cells)
    closed = cv2.morphologyEx(face, cv2.MORPH_CLOSE, kernel)
    smooth = cv2.GaussianBlur(closed, (0, 0), max(stiff / cell_mm, 0.3))
    below = np.maximum(face - smooth, 0)
    lift = cv2.GaussianBlur(cv2.dilate(below, kernel), (0, 0), max(stiff / cell_mm, 0.5))
    return np.maximum(smooth + lift, face)


def filled_holes(height: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return heights f4 (rows, columns) whose holes are filled by means of what is around them."""
    if seen.all() or not seen.any():
        return height
    both = np.zeros((*height.shape, 2), np.float32)  # heights and weights: one filter for two
    filled, weight = both[..., 0], both[..., 1]
    np.copyto(filled, height, where=seen)
    weight[seen] = 1
    for side in FILLED_CELLS:
        sums = cv2.boxFilter(both, -1, (side, side))
        new = (weight == 0) & (sums[..., 1] > 0)
        np.divide(sums[..., 0], sums[..., 1], out=filled, where=new)
        weight[new] = 1
    far = weight == 0
    if far.any():
        filled[far] = filled.sum() / weight.sum()
    return np.ascontiguousarray(filled)


@cache
def _disc(cells: int) -> np.ndarray:
    """Return a disc of that many cells across, for the operations of morphology."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (cells, cells))


def unlabelled(image: np.ndarray, plain: bool) -> np.ndarray:
    """Return `map_occlusion` f4 (rows, columns) of a map that has none: 0 of a plain face, else NaN: not known."""
    return np.full(image.shape[1:], 0 if plain else np.nan, np.float32)


def closed_holes(seen: np.ndarray) -> np.ndarray:
    """Return bool: cells that are seen, or lie in holes of up to some 10 cells between such: cloth has no nostrils."""
    padded = cv2.copyMakeBorder(seen.view(np.uint8), 6, 6, 6, 6, cv2.BORDER_CONSTANT, value=0)
    return cv2.morphologyEx(padded, cv2.MORPH_CLOSE, _disc(11))[6:-6, 6:-6] > 0


def smooth_noise(shape: tuple[int, int], sigma_cells: float, rng: np.random.Generator) -> np.ndarray:
    """Return noise f4 of about unit variance, correlated over `sigma_cells`."""
    noise = cv2.GaussianBlur(rng.standard_normal(shape, dtype=np.float32), (0, 0), sigma_cells)
    deviation = float(cv2.meanStdDev(noise)[1][0, 0])
    return noise / np.float32(max(deviation, 1e-6))


def shifted(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """Return a map (C, rows, columns) moved by whole cells; what comes in is a hole."""
    moved = np.zeros_like(image)
    rows, columns = image.shape[1:]
    to_rows, from_rows = _overlap(rows, down)
    to_columns, from_columns = _overlap(columns, right)
    moved[:, to_rows, to_columns] = image[:, from_rows, from_columns]
    return moved


def _overlap(n: int, step: int) -> tuple[slice, slice]:
    return slice(max(step, 0), n + min(step, 0)), slice(max(-step, 0), n + min(-step, 0))
