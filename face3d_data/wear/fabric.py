"""Fabric of a mask: colour, pattern, weave, seams and the shadow of its folds, in linear light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.ndimage import gaussian_filter

from face3d_data.wear.mask_draw import MaskDraw
from face3d_data.wear.mask_style import MaskStyle, PrintedLines

GAMMA = 2.2
DARK_CLOTH = 0.1
TILE = 96


def linear_rgb(color: str) -> np.ndarray:
    """Return a colour `#rrggbb` in linear light, f4 (3,), 0..1."""
    values = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], np.float32)
    return (values / np.float32(255)) ** np.float32(GAMMA)


def noise_tile(seed: int, layer: int, smoothing: tuple[float, float]) -> np.ndarray:
    """Return smooth noise f4 (96, 96) of standard deviation 1 that repeats without a seam."""
    noise = np.random.default_rng([seed, layer]).standard_normal((TILE, TILE), dtype=np.float32)
    smooth = gaussian_filter(noise, smoothing, mode="wrap")
    return smooth / max(float(smooth.std()), 1e-6)


def sample_tile(tile: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Interpolate a tile bilinearly at places (..., 2) in cells, x then y; it repeats."""
    columns, rows = (np.floor(at[..., i]).astype(np.intp) for i in (0, 1))
    u, v = at[..., 0] - columns, at[..., 1] - rows
    x, y = columns % TILE, rows % TILE
    right, row, above = (x + 1) % TILE, y * TILE, (y + 1) % TILE * TILE
    flat = tile.ravel()
    lower = np.take(flat, row + x) * (1 - u) + np.take(flat, row + right) * u
    upper = np.take(flat, above + x) * (1 - u) + np.take(flat, above + right) * u
    return lower * (1 - v) + upper * v


@dataclass(frozen=True)
class Plain:
    """One colour.

    Attributes:
        albedo: f4 (3,), linear light.
    """

    albedo: np.ndarray

    def __call__(self, part: np.ndarray, coords: np.ndarray) -> np.ndarray:
        """Return the albedo f4 (N, 3)."""
        return np.broadcast_to(self.albedo, (len(part), 3))


@dataclass(frozen=True)
class Fabric:
    """The cloth of one drawn mask, painted at places of it.

    Attributes:
        style: what it is made of.
        draw: colour, pattern and seed.
        texture: u1 (H, W, 4) RGBA over the outline's bounding box, or None.
    """

    style: MaskStyle
    draw: MaskDraw
    texture: np.ndarray | None = None

    def __call__(self, part: np.ndarray, coords: np.ndarray) -> np.ndarray:
        """Return the albedo f4 (N, 3) at places f4 (N, 2) of the cloth, mm from the nose tip."""
        coords = np.asarray(coords, np.float32)
        albedo = np.broadcast_to(linear_rgb(self.style.colors[self.draw.color]), (len(coords), 3))
        if self.draw.pattern != "plain":
            share, ink = self._pattern(coords)
            albedo = albedo + share[:, None] * (ink - albedo)
        label = self.style.label
        if label is not None:
            share = self._letters(label, coords)[:, None]
            albedo = albedo + share * (self._ink(label) - albedo)
        if self.texture is not None:
            albedo = self._textured(self.texture, albedo, coords)
        return (albedo * (self._weave(coords) * self._folds(coords))[:, None]).astype(np.float32)

    @cached_property
    def _rng_values(self) -> np.ndarray:
        """F8 (8,), numbers 0..1 that place and size the pattern."""
        return np.random.default_rng([self.draw.seed, 7]).random(8)

    def _pattern(self, coords: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how much of the second colour there is (N,), and that colour (3,) or (N, 3)."""
        value = self._rng_values
        inks = [linear_rgb(ink) for ink in self.style.inks]
        ink = inks[int(value[0] * len(inks))]
        period = 7.0 + 9.0 * value[1]
        angle = np.deg2rad([0, 0, 90, 45][int(value[2] * 4)]) + 0.06 * (value[3] - 0.5)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
        at = (coords @ turn + 50 * value[4:6].astype(np.float32)) / np.float32(period)
        wave = np.abs((at % 1) - 0.5) * 2  # 0 in the middle of a cell, 1 at its edge
        if self.draw.pattern == "stripes":
            return _soft(0.5 - wave[:, 1], period), ink
        if self.draw.pattern == "checks":
            return 0.5 * (_soft(0.5 - wave[:, 0], period) + _soft(0.5 - wave[:, 1], period)), ink
        if self.draw.pattern == "dots":
            at[:, 0] += 0.5 * (np.floor(at[:, 1]) % 2)
            offset = (at % 1) - 0.5
            return _soft(0.27 - np.hypot(offset[:, 0], offset[:, 1]), period), ink
        blots = [noise_tile(self.draw.seed, 20 + i, (2.2, 2.2)) for i in range(2)]
        first, second = (sample_tile(tile, at * 5 + 17 * i) for i, tile in enumerate(blots))
        other = inks[(int(value[0] * len(inks)) + 1) % len(inks)]
        share = _soft((first - 0.35) / 3, period)
        mixed = np.where((second > 0.4)[:, None], other, ink)
        return share, mixed

    def _ink(self, label: PrintedLines) -> np.ndarray:
        """Return the letters' colour, linear light."""
        cloth = linear_rgb(self.style.colors[self.draw.color])
        return linear_rgb(label.color or ("#4b4f57" if cloth.mean() > DARK_CLOTH else "#c9cbce"))

    def _letters(self, label: PrintedLines, coords: np.ndarray) -> np.ndarray:
        """Return where letters are printed (N,): bars that a camera cannot tell from small type."""
        pitch = 1.5 * label.letter_mm
        x, y = coords[:, 0] - label.at[0], coords[:, 1] - label.at[1]
        line = np.rint(y / pitch + (label.lines - 1) / 2)
        across = y - (line - (label.lines - 1) / 2) * pitch
        on_line = (line >= 0) & (line < label.lines) & (np.abs(across) <= label.letter_mm / 2)
        widths = label.width_mm / 2 * (1 - 0.25 * (line.clip(0, label.lines - 1) % 2))
        letter = np.floor(x / (0.75 * label.letter_mm))
        drawn = noise_tile(self.draw.seed, 4, (0.0, 0.0))[(line.astype(int) * 31) % TILE, letter.astype(int) % TILE]
        gap = (x / (0.75 * label.letter_mm)) % 1 > 0.8
        return np.where(on_line & (np.abs(x) <= widths) & ~gap & (drawn > -1.2), 0.85, 0.0).astype(np.float32)

    def _textured(self, texture: np.ndarray, albedo: np.ndarray, coords: np.ndarray) -> np.ndarray:
        outline = np.array(self.style.outline)
        right, top, bottom = outline[:, 0].max(), outline[0, 1], outline[-1, 1]
        height, width = texture.shape[:2]
        column = (coords[:, 0] + right) / (2 * right) * width - 0.5
        row = (top - coords[:, 1]) / (top - bottom) * height - 0.5
        rgba = _bilinear(texture, column, row) / np.float32(255)
        share = rgba[:, 3:]
        return albedo + share * (rgba[:, :3] ** np.float32(GAMMA) - albedo)

    def _weave(self, coords: np.ndarray) -> np.ndarray:
        if not self.style.weave:
            return np.ones(len(coords), np.float32)
        fine = sample_tile(noise_tile(self.draw.seed, 2, (0.5, 0.5)), coords / 0.8)
        coarse = sample_tile(noise_tile(self.draw.seed, 3, (2.0, 2.0)), coords / 2.5)
        return np.clip(1 + self.style.weave * (0.35 * fine + 0.3 * coarse), 0.6, 1.3)

    def _folds(self, coords: np.ndarray) -> np.ndarray:
        """Return the share of light left where a fold, seam or the hem's stitches shade the cloth."""
        style, x, y = self.style, coords[:, 0], coords[:, 1]
        light = np.ones(len(coords), np.float32)
        for height in style.pleats.heights if style.pleats else ():
            above = y - height  # the fold overhangs what is above its lower edge
            light *= 1 - 0.55 * np.exp(-((above / 1.3) ** 2)) - 0.16 * np.exp(-np.abs(above) / 4) * (above > 0)
        for seam in style.seams:
            across = (x if seam.kind == "vertical" else y) - seam.at
            light *= 1 - 0.22 * np.exp(-((across / 0.9) ** 2))
        return light


def _soft(signed: np.ndarray, period_mm: float) -> np.ndarray:
    """Return 0..1 across a pattern's edge, blurred over about half a millimetre."""
    return np.clip(0.5 + signed * np.float32(period_mm), 0, 1)


def _bilinear(image: np.ndarray, column: np.ndarray, row: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    column, row = np.clip(column, 0, width - 1), np.clip(row, 0, height - 1)
    x, y = np.minimum(column.astype(np.intp), width - 2), np.minimum(row.astype(np.intp), height - 2)
    u, v = (column - x)[:, None], (row - y)[:, None]
    pixel = image.astype(np.float32)
    low = pixel[y, x] * (1 - u) + pixel[y, x + 1] * u
    high = pixel[y + 1, x] * (1 - u) + pixel[y + 1, x + 1] * u
    return low * (1 - v) + high * v
