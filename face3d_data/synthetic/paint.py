"""Paint: colour per pixel, in undeformed coordinates, so that mesh resolution does not limit the detail.

Functions take points of one material and return linear-light albedo f4 (N, 3) in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from face3d_data.synthetic.appearance import Appearance
from face3d_data.synthetic.expression import LIP_SPREAD_MM, Expression
from face3d_data.synthetic.features import bump, eye_frame, lid_edges, lip_borders, smooth_step
from face3d_data.synthetic.hair import hairline
from face3d_data.synthetic.head import Head, collar_depth

_TEXTURE = 256
_SCLERA = np.array([208, 198, 190], np.float32)
_TEETH = np.array([226, 214, 196], np.float32)


def linear(color: np.ndarray) -> np.ndarray:
    """Return linear light f4 of sRGB 0..255, by the usual power of 2.2."""
    return (np.asarray(color, np.float32) / 255.0) ** np.float32(2.2)


@dataclass(frozen=True)
class Canvas:
    """What paint needs beside the points.

    Attributes:
        head: the person.
        expression: the movements of this capture (lids, open mouth).
        gaze: where the eyes look, mm of the iris on the eyeball, right and up.
        pixel_mm: size of a pixel on the face, for soft edges.
        texture: f4 (256, 256, 2) coarse and fine noise, about -1..1, tiled.
    """

    head: Head
    expression: Expression
    gaze: tuple[float, float]
    pixel_mm: float
    texture: np.ndarray

    def noise(self, x: np.ndarray, y: np.ndarray, per_mm: float) -> np.ndarray:
        """Return both noises f4 (N, 2) at points, `per_mm` texels a millimetre."""
        column = (x * per_mm).astype(np.int32) & (_TEXTURE - 1)
        row = (y * per_mm).astype(np.int32) & (_TEXTURE - 1)
        return self.texture[row, column]

    def smooth_noise(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return both noises f4 (N, 2) between texels x, y, without the steps of `noise`."""
        column, row = np.floor(x), np.floor(y)
        u, v = (x - column)[:, None].astype(np.float32), (y - row)[:, None].astype(np.float32)
        c, r = column.astype(np.int32) & (_TEXTURE - 1), row.astype(np.int32) & (_TEXTURE - 1)
        right, below = (c + 1) & (_TEXTURE - 1), (r + 1) & (_TEXTURE - 1)
        top = self.texture[r, c] * (1 - u) + self.texture[r, right] * u
        return top * (1 - v) + (self.texture[below, c] * (1 - u) + self.texture[below, right] * u) * v


def noise_texture(appearance: Appearance) -> np.ndarray:
    """Return a person's tileable noise f4 (256, 256, 2): blotches of about 12 texels, and grain."""
    rng = np.random.default_rng(appearance.texture_seed)
    white = rng.standard_normal((2, _TEXTURE, _TEXTURE), dtype=np.float32)
    coarse = gaussian_filter(white[0], 9, mode="wrap") * 32 * 0.5 + gaussian_filter(white[0], 3, mode="wrap") * 10 * 0.4
    return np.stack([coarse, gaussian_filter(white[1], 0.8, mode="wrap") * 1.6], axis=-1).astype(np.float32)


def paint_skin(canvas: Canvas, coords: np.ndarray, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return albedo (N, 3) and gloss (N,) of skin, with everything drawn on it, at undeformed points (N, 2)."""
    look, at, p = canvas.head.appearance, canvas.head.skull.levels, canvas.head.identity
    x, y = coords.T
    noise = canvas.noise(x, y, 2.0)
    albedo = linear(look.skin) * (1 + 0.045 * noise[:, :1] + 0.02 * noise[:, 1:])
    gloss = np.full(len(x), 0.6, np.float32)
    face = np.flatnonzero((rest[:, 2] > 20) & (y > at.menton - 25) & (y < 75))
    fx, fy = x[face], y[face]
    painted, shine = albedo[face], gloss[face]
    _blush(canvas, fx, fy, painted)
    _brows(canvas, fx, fy, painted)
    _nostrils(canvas, fx, fy, painted)
    _beard(canvas, fx, fy, rest[face, 2], painted)
    _draw(
        painted,
        shine,
        _mouth,
        canvas,
        np.flatnonzero((np.abs(fx) < p["mouth_width"] / 2 + 6) & (np.abs(fy - at.stomion) < 18)),
        fx,
        fy,
    )
    for side in (-1, 1):
        near = np.flatnonzero((np.abs(fx - side * p["interpupillary"] / 2) < 22) & (np.abs(fy) < 14))
        _draw(painted, shine, _EYES[side], canvas, near, fx, fy)
    albedo[face], gloss[face] = painted, shine
    _scalp(canvas, rest, albedo)
    return _clothes(canvas, x, y, rest, albedo, gloss)


def _scalp(canvas: Canvas, rest: np.ndarray, albedo: np.ndarray) -> None:
    """Let the hairline thin out into the skin instead of ending at an edge."""
    look = canvas.head.appearance
    top = np.flatnonzero(rest[:, 1] > -10)
    angle = np.abs(np.arctan2(rest[top, 0], rest[top, 2] + 5.0))
    above = rest[top, 1] - hairline(look, angle) + 1.5 * canvas.noise(rest[top, 0], rest[top, 1] * 0.3, 2.0)[:, 1]
    alpha = (0.85 * smooth_step(above, -7.0, 3.0)).astype(np.float32)
    albedo[top] = _over(albedo[top], linear(look.hair), alpha)


def paint_ear(canvas: Canvas, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return albedo (N, 3) and gloss (N,) of the ears: skin, a little redder, darker inside."""
    red = linear(canvas.head.appearance.skin) * np.array([1.0, 0.86, 0.84], np.float32)
    return np.broadcast_to(red, (len(rest), 3)).copy(), np.full(len(rest), 0.4, np.float32)


def paint_hair(canvas: Canvas, strand: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return albedo (N, 3) and gloss (N,) of hair at (angle in degrees, height in mm)."""
    streak = canvas.smooth_noise(strand[:, 0] * 1.9, strand[:, 1] * 0.07)
    shade = np.clip(0.85 + 0.20 * streak[:, :1] + 0.30 * streak[:, 1:], 0.35, 1.7)
    return linear(canvas.head.appearance.hair) * shade, np.full(len(strand), 0.35, np.float32)


def _draw(albedo, gloss, painter, canvas, near, x, y) -> None:
    if len(near):
        albedo[near], gloss[near] = painter(canvas, x[near], y[near], albedo[near], gloss[near])


def _over(albedo: np.ndarray, color: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return albedo + (color - albedo) * alpha[:, None]


def _blush(canvas: Canvas, x: np.ndarray, y: np.ndarray, albedo: np.ndarray) -> None:
    """Redden cheeks, nose and chin, darken the lids and the hollow below the eyes, add freckles."""
    look, at = canvas.head.appearance, canvas.head.skull.levels
    half_ipd, side = canvas.head.identity["interpupillary"] / 2, np.abs(x)
    red = bump(side, y, 36, -34, 14, 13) + 0.9 * bump(x, y, 0, at.tip, 10, 8) + 0.5 * bump(x, y, 0, at.pogonion, 12, 9)
    amount = (0.16 * look.ruddy * np.clip(red, 0, 1.2)).astype(np.float32)
    albedo *= 1 - amount[:, None] * np.array([0.05, 1.0, 0.85], np.float32)
    hollow = bump(side, y, half_ipd, 3, 15, 9) + 0.7 * bump(side, y, half_ipd - 5, -10, 10, 4)
    albedo *= 1 - (0.13 * np.clip(hollow, 0, 1))[:, None].astype(np.float32) * np.array([0.8, 1.0, 0.95], np.float32)
    if look.freckles > 0:
        spots = smooth_step(canvas.noise(x, y, 1.1)[:, 1], 1.0, 1.9) * look.freckles
        where = bump(side, y, 22, -26, 22, 14)
        albedo *= 1 - (0.4 * spots * where)[:, None].astype(np.float32) * np.array([0.6, 0.9, 1.0], np.float32)


def _brows(canvas: Canvas, x: np.ndarray, y: np.ndarray, albedo: np.ndarray) -> None:
    look, p = canvas.head.appearance, canvas.head.identity
    near = np.flatnonzero(np.abs(y - p["brow_y"]) < 14)
    side = np.abs(x[near])
    start, end = p["interpupillary"] / 2 - 19.5, p["interpupillary"] / 2 + 20.0
    t = (side - start) / (end - start)
    s = np.clip(t, 0.0, 1.0)
    centre = p["brow_y"] - 2.5 + 5.0 * np.sin(np.pi * np.clip(0.15 + 0.62 * s, 0, 1)) ** 1.3 - 4.4 * s**3
    half = look.brow_mm * (0.78 + 0.45 * np.sin(np.pi * np.clip(s * 1.25, 0, 1))) * (1 - 0.62 * s**2)
    streak = canvas.noise(x[near] * 2.4 + y[near] * 1.1, y[near] * 0.5, 2.0)[:, 1]
    fray = np.abs(y[near] - centre) / half - 0.18 * streak
    alpha = smooth_step(fray, 1.25, 0.35) * smooth_step(t, -0.05, 0.10) * smooth_step(t, 1.03, 0.86)
    alpha *= look.brow_strength * np.clip(0.88 + 0.16 * streak, 0.4, 1.0)
    albedo[near] = _over(albedo[near], linear(look.brow), alpha.astype(np.float32))


def _nostrils(canvas: Canvas, x: np.ndarray, y: np.ndarray, albedo: np.ndarray) -> None:
    p, at = canvas.head.identity, canvas.head.skull.levels
    side = np.abs(x)
    tilted = y - at.subnasale - 2.5 - 0.25 * (side - 0.42 * p["nose_width"] / 2)
    q = ((side - 0.42 * p["nose_width"] / 2) / 3.6) ** 2 + (tilted / 1.9) ** 2
    dark = 0.86 * smooth_step(q, 1.35, 0.35)
    under = 0.22 * bump(x, y, 0, at.subnasale + 3, 11, 2.6)
    albedo *= (1 - np.clip(dark + under, 0, 0.9))[:, None].astype(np.float32)


def _beard(canvas: Canvas, x: np.ndarray, y: np.ndarray, rest_z: np.ndarray, albedo: np.ndarray) -> None:
    look, at, p = canvas.head.appearance, canvas.head.skull.levels, canvas.head.identity
    if look.stubble <= 0:
        return
    side = np.abs(x)
    cheek_edge = at.subnasale - 24 + 0.75 * np.maximum(side - 30, 0) + 18 * np.exp(-0.5 * (x / 19) ** 4)
    grows = smooth_step(y, cheek_edge + 4, cheek_edge - 5) * smooth_step(y, at.subnasale - 0.5, at.subnasale - 4)
    upper, _, lower = lip_borders(p, at, x)
    lip = (
        smooth_step(side, p["mouth_width"] / 2 + 3, p["mouth_width"] / 2)
        * smooth_step(y, lower - 3, lower)
        * smooth_step(y, upper + 1.5, upper)
    )
    grows = grows * smooth_step(y, at.menton - 23, at.menton - 8) * smooth_step(rest_z, 24, 44)
    grain = np.clip(0.75 + 0.35 * canvas.noise(x, y, 3.0)[:, 1], 0.2, 1.2)
    alpha = 0.55 * look.stubble * grows * (1 - lip) * grain
    albedo[:] = _over(albedo, linear(0.55 * look.hair + 0.2 * look.skin), alpha.astype(np.float32))


def _mouth(canvas: Canvas, x, y, albedo, gloss):
    """Draw lips with their dark line, and teeth and the inside where the mouth is open."""
    look, p, at = canvas.head.appearance, canvas.head.identity, canvas.head.skull.levels
    half, soft = p["mouth_width"] / 2, 0.5 + 0.5 * canvas.pixel_mm
    upper, line, lower = lip_borders(p, at, x)
    within = smooth_step(np.abs(x), half + 0.4, half - 2.0)
    red = smooth_step(y, lower - soft, lower + soft) * smooth_step(y, upper + soft, upper - soft) * within
    shade = np.where(y > line, 0.86, 1.0) * (1 + 0.05 * canvas.noise(x * 2.5, y * 0.4, 2.0)[:, 1])
    albedo = _over(albedo, linear(look.lip) * shade[:, None], 0.82 * red)
    gloss = gloss + 0.5 * red
    seam = np.exp(-np.abs(y - line) / (0.35 + 0.45 * canvas.pixel_mm)) * smooth_step(np.abs(x), half + 2.5, half - 2)
    albedo = albedo * (1 - 0.72 * seam[:, None])
    if canvas.expression.jaw > 1.0:
        depth = 0.5 + 0.5 * (line - y) / LIP_SPREAD_MM  # 0 at the upper lip's edge, 1 at the lower one's
        split = smooth_step(depth, 0.0, 1.0)
        gap = smooth_step(depth, -0.1, 0.1) * smooth_step(depth, 1.1, 0.9) * smooth_step(np.abs(x), half, 0.86 * half)
        teeth = smooth_step(split, 0.55, 0.42) if canvas.expression.smile > 2 else smooth_step(split, 0.30, 0.18)
        teeth = teeth * smooth_step(np.abs(x), 0.72 * half, 0.45 * half)
        hollow = linear(np.array([58, 20, 20]))
        inside = hollow + (0.75 * linear(_TEETH) - hollow) * teeth[:, None]
        albedo, gloss = _over(albedo, inside, gap), gloss * (1 - 0.6 * gap)
    return albedo.astype(np.float32), gloss.astype(np.float32)


def _eye(side: int):
    """Return the painter of one eye: white, iris, pupil, lash line, fold."""

    def painter(canvas: Canvas, x, y, albedo, gloss):
        look, p = canvas.head.appearance, canvas.head.identity
        along, across = eye_frame(p, side, x, y)
        upper, lower = lid_edges(p, along, 1.0 - canvas.expression.blink)
        soft = 0.25 + 0.35 * canvas.pixel_mm
        reach = p["fissure"] / 2
        inside = smooth_step(across, lower - soft, lower + soft) * smooth_step(across, upper + soft, upper - soft)
        inside *= smooth_step(np.abs(along), reach + soft, reach - soft)
        fold = np.exp(-0.5 * ((across - upper - 3.4 + 0.012 * along**2) / 0.8) ** 2) * smooth_step(np.abs(along), 17, 9)
        albedo = albedo * (1 - 0.30 * fold[:, None])
        shadow = 1 - 0.45 * np.exp(-np.maximum(upper - across, 0) / 1.5)
        dim = shadow * (0.92 - 0.30 * (along / reach) ** 2)
        bright = (
            0.62 + 0.38 * look.skin.mean() / 200.0
        )  # beside dark skin the camera exposes, and we see, whites less white
        white = bright * linear(_SCLERA)[None] * dim[:, None]
        pink = smooth_step(along, -reach + 4.0, -reach + 1.0)[:, None] * 0.7
        white = white * (1 - pink) + linear(np.array([196, 128, 118]))[None] * pink
        r = np.hypot(along - side * canvas.gaze[0], across - 0.6 - canvas.gaze[1])
        rim = 0.35 + 0.65 * smooth_step(r, 6.2, 4.4)
        fibre = 1 + 0.25 * canvas.noise(x * 3, y * 3, 2.0)[:, 1]
        iris = linear(look.iris)[None] * (rim * fibre * shadow)[:, None] * smooth_step(r, 1.5, 2.6)[:, None]
        ball = _over(white, iris, smooth_step(r, 6.2 + soft, 6.2 - soft))
        glint = 0.8 * smooth_step(np.hypot(along - side * (canvas.gaze[0] - 1.6), across - 2.4), 1.0 + soft, 0.5)
        ball = _over(ball, np.ones(3, np.float32), glint)
        albedo = _over(albedo, ball, inside)
        lash = np.exp(-0.5 * ((across - upper - 0.25) / (0.55 + 0.3 * canvas.pixel_mm)) ** 2)
        lash *= (0.35 + 0.5 * look.makeup) * smooth_step(np.abs(along), reach + 2.0, reach - 1.5)
        low = np.exp(-0.5 * ((across - lower + 0.2) / 0.6) ** 2) * (0.12 + 0.2 * look.makeup) * (np.abs(along) < reach)
        albedo = albedo * (1 - np.clip(lash + low, 0, 0.92))[:, None]
        return albedo.astype(np.float32), (gloss * (1 - inside) + 1.2 * inside).astype(np.float32)

    return painter


_EYES = {-1: _eye(-1), 1: _eye(1)}


def _clothes(canvas: Canvas, x, y, rest, albedo, gloss):
    look = canvas.head.appearance
    depth = collar_depth(canvas.head.skull, rest[:, 0], rest[:, 1], rest[:, 2])
    on = smooth_step(depth, 0.2, 1.4).astype(np.float32)
    cloth = linear(look.shirt) * (1 + 0.06 * canvas.noise(rest[:, 0], rest[:, 1], 1.0)[:, 1:])
    if look.stripes:
        cloth = cloth * (1 - 0.45 * (np.sin(2 * np.pi * rest[:, 1] / look.stripes) > 0.4))[:, None]
    band = np.exp(-0.5 * ((depth - 9.0) / 1.2) ** 2)
    cloth = cloth * (1 - 0.35 * band)[:, None]
    return _over(albedo, cloth, on).astype(np.float32), gloss * (1 - on)
