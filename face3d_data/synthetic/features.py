"""Facial features as heights over the smooth head: cheeks, brows, sockets, eyes, nose, lips, chin.

Every function takes undeformed coordinates x, y (mm, any shape) and returns heights in mm along z; a nose or a lid,
which stands out with an edge of its own, is joined by a smooth maximum so that a groove remains around it.
"""

from __future__ import annotations

import numpy as np

from face3d_data.synthetic.identity import N_RESIDUALS, Identity
from face3d_data.synthetic.skull import NASION_Y, Levels

EYEBALL_MM = 12.0
LID_MM = 0.9

_RESIDUAL_X = np.array(
    [0, 0, 0, 0, 22, -22, 44, -44, 26, -26, 50, -50, 36, -36, 56, -56, 22, -22, 42, -42, 0, 12, -12, 0]
)
_RESIDUAL_Y = np.array(
    [58, 36, -52, -98, 50, 50, 38, 38, 26, 26, 14, 14, -22, -22, -30, -30, -50, -50, -66, -66, -82, -94, -94, 20]
)
_RESIDUAL_WIDTH = np.linspace(24.0, 11.0, N_RESIDUALS)


def bump(x: np.ndarray, y: np.ndarray, at_x: float, at_y: float, width: float, height: float) -> np.ndarray:
    """Return a Gaussian hill of height 1 at (at_x, at_y) with standard deviations `width`, `height` mm."""
    across, up = (x - at_x) / width, (y - at_y) / height
    across *= across
    up *= up
    across += up
    across *= -0.5
    return np.exp(across, out=across)


def smooth_step(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return 0 below `low`, 1 above `high`, with a C1 rise between (falling if low > high)."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def smooth_max(a: np.ndarray, b: np.ndarray, fillet: float) -> np.ndarray:
    """Return the maximum of two heights, rounded where they meet over about `fillet` mm."""
    near = np.maximum(fillet - np.abs(a - b), 0.0)
    return np.maximum(a, b) + near**2 / (4.0 * fillet)


def ellipsoid(x: np.ndarray, y: np.ndarray, centre: tuple[float, float, float], radii: tuple[float, float, float]):
    """Return the height of an ellipsoid's front, falling steeply outside its outline."""
    q = ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2
    inside = np.sqrt(np.maximum(1.0 - q, 0.0))
    return centre[2] + radii[2] * np.where(q < 1.0, inside, -1.6 * (np.sqrt(q) - 1.0))


def tissue(p: Identity, at: Levels, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the relief of bone and fat: brows, sockets, cheekbones, cheeks, chin, residual bumps."""
    side = np.abs(x)
    half_ipd = p["interpupillary"] / 2
    relief = p["brow_ridge"] * bump(side, y, half_ipd - 5, p["brow_y"] - 5.5 + 0.05 * side, 14, 6.0)
    relief += 0.35 * p["brow_ridge"] * bump(x, y, 0, p["brow_y"] - 3, 10, 7)
    relief -= (4.2 + 0.6 * p["eye_depth"]) * bump(side, y, half_ipd + 1, 2.5, 14.5, 9.5)
    relief -= 5.4 * bump(side, y, half_ipd - 14.0, 2.0, 6.0, 8.0)
    relief -= 1.3 * bump(side, y - 0.28 * (30 - side), half_ipd - 6, -15.5, 11, 4.5)
    relief += (p["zygoma"] - 0.6) * bump(side, y, 50, -19, 16, 13)
    relief -= 2.6 * bump(side, y, 27, at.subnasale - 4, 9, 10)
    relief += (0.5 + p["cheek"]) * bump(side, y, 38, -46, 17, 20)
    relief += (0.4 + p["midface"]) * bump(side, y, 25, -30, 14, 15)
    relief -= (1.8 - p["cheek"] * 0.25) * bump(side, y, 46, -60, 11, 15)
    relief += (2.4 + 0.35 * p["chin"]) * bump(x, y, 0, at.pogonion, 13, 10)
    relief += 0.8 * bump(side, y, 8, at.pogonion - 1, 6, 8)
    relief -= p["mentolabial"] * bump(x, y, 0, at.mentolabial, 17, 5.5)
    for height, bx, by, width in zip(p.residuals, _RESIDUAL_X, _RESIDUAL_Y, _RESIDUAL_WIDTH, strict=True):
        relief += height * bump(x, y, float(bx), float(by), width, width)
    for shift, bx, by in zip(
        p.asymmetry, (18, 30, 40, 48, 24, 14, 34, 55), (8, -10, 25, -40, -66, -95, 45, 0), strict=True
    ):
        relief += 0.9 * shift * (bump(x, y, bx, by, 15, 15) - bump(x, y, -bx, by, 15, 15))
    return relief


def eye_frame(p: Identity, side: int, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return coordinates along (towards the temple) and across one eye's fissure, mm; side -1 is the image's left."""
    tilt = np.deg2rad(p["eye_tilt_deg"])
    out = side * x - p["interpupillary"] / 2
    return out * np.cos(tilt) + y * np.sin(tilt), y * np.cos(tilt) - out * np.sin(tilt)


def lid_edges(p: Identity, along: np.ndarray, openness: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the heights (mm) of the upper and the lower lid's edge along the fissure."""
    t = np.clip(along / (p["fissure"] / 2), -1.0, 1.0)
    arch = np.clip(1.0 - t * t, 0.0, None)
    upper = p["opening"] * 0.60 * openness * arch**0.75 * (1.0 - 0.16 * t)
    lower = -p["opening"] * (0.40 + 0.15 * (1 - min(openness, 1.0))) * arch**0.85 * (1.0 + 0.22 * t)
    return np.maximum(upper, lower + 0.25 * arch), lower


def eyes(p: Identity, x: np.ndarray, y: np.ndarray, z: np.ndarray, openness: float) -> np.ndarray:
    """Return heights with eyeballs, lids, the fold above and the bag below joined to the sockets."""
    for side in (-1, 1):
        along, across = eye_frame(p, side, x, y)
        near = along**2 + across**2 < 24.0**2
        a, c = along[near], across[near]
        cornea = 82.8 - 0.8 * p["eye_depth"]
        q = (a / 1.12) ** 2 + (c / 1.0) ** 2
        radius = EYEBALL_MM + LID_MM
        ball = (
            cornea
            - EYEBALL_MM
            + np.where(
                q < 0.92 * radius**2,
                np.sqrt(np.maximum(radius**2 - q, 1.0)),
                3.65 - 4.0 * (np.sqrt(q) - 0.959 * radius),
            )
        )
        lids = smooth_max(z[near], ball, 5.0)
        upper, lower = lid_edges(p, a, openness)
        inside = smooth_step(c, lower - 0.5, lower + 0.5) * smooth_step(c, upper + 0.5, upper - 0.5)
        inside *= np.abs(a) < p["fissure"] / 2
        lids -= 1.25 * LID_MM * inside
        fold = upper + 3.2 - 0.012 * a**2
        lids -= 0.8 * np.exp(-0.5 * ((c - fold) / 1.1) ** 2) * smooth_step(np.abs(a), 17.0, 9.0)
        lids += 0.7 * np.exp(-0.5 * ((c - upper - 1.0) / 0.9) ** 2) * smooth_step(np.abs(a), 15.0, 8.0)
        lids += 0.5 * np.exp(-0.5 * ((c - lower + 2.6) / 1.6) ** 2) * smooth_step(np.abs(a), 15.0, 8.0)
        out = z.copy() if side < 0 else z
        out[near] = lids
        z = out
    return z


def nose(p: Identity, at: Levels, x: np.ndarray, y: np.ndarray, z: np.ndarray, subnasale_z: float) -> np.ndarray:
    """Return heights with the nose joined: bridge, tip, columella, wings with their groove, nostrils."""
    near = (np.abs(x) < 34) & (y < NASION_Y + 16) & (y > at.subnasale - 8)
    nx, ny, nz = x[near] - 0.8 * p.asymmetry[0], y[near], z[near]
    tip_z = subnasale_z + p["protrusion"]
    half, ball = p["nose_width"] / 2, p["tip_half_width"]
    root_z = 90.6 + p["bridge_height"]
    t = np.clip((NASION_Y - ny) / (NASION_Y - at.tip), -0.5, 1.0)
    line = root_z + (tip_z - 0.6 - root_z) * t + 3.6 * np.sin(np.pi * np.clip(t, 0, 1) ** 1.25)
    line = np.where(t < 0, root_z + 9.0 * t, line) + p["hump"] * np.exp(-0.5 * ((t - 0.42) / 0.17) ** 2)
    crest = 5.6 + (p["bridge_half_width"] - 7.5) * 0.9 + 2.6 * t**2
    steep = 1.25 + ((p["protrusion"] + 11.0) / (half - 3.0) - 1.25) * np.clip(t, 0, 1)
    ridge = line - (np.sqrt((steep * nx) ** 2 + crest**2) - crest)
    ridge -= np.maximum(at.tip + 5.0 - ny, 0.0) ** 2 * (0.10 + 0.004 * nx**2)
    shape = smooth_max(nz, ridge, 7.0)
    lobule = ellipsoid(nx, ny, (0, at.tip, tip_z - 9.5), (ball, 9.0, 9.5))
    shape = smooth_max(shape, lobule, 6.0)
    strut = np.where(ny > at.tip - 13, tip_z - 6 - 0.55 * (at.tip - ny), 0) - (nx / 2.4) ** 2
    shape = np.where(ny < at.tip, smooth_max(shape, strut, 1.5), shape)
    shape = _wings(p, at, nx, ny, shape, subnasale_z, half)
    out = z.copy()
    fade = smooth_step(np.abs(x[near]), 34, 27) * smooth_step(ny, at.subnasale - 8, at.subnasale - 3)
    out[near] = nz + (shape - nz) * fade
    return out


def _wings(
    p: Identity, at: Levels, x: np.ndarray, y: np.ndarray, z: np.ndarray, subnasale_z: float, half: float
) -> np.ndarray:
    """Join the alae, then press in the groove around them and the nostrils below."""
    side = np.abs(x)
    thick = 0.45 * p["ala"] + 1.6
    centre = (half - thick, at.subnasale + 9.6, subnasale_z - 3.0)
    wing = ellipsoid(side, y, centre, (thick, 0.38 * p["ala"] + 3.4, 9.5 + 0.18 * p["protrusion"]))
    z = smooth_max(z, wing, 3.0)
    q = np.sqrt(((side - centre[0]) / (thick + 1.0)) ** 2 + ((y - centre[1]) / (0.38 * p["ala"] + 4.6)) ** 2)
    upper_outer = smooth_step(y + 0.6 * (side - centre[0]), at.subnasale + 3.0, at.subnasale + 9.0)
    z = z - 1.4 * np.exp(-0.5 * ((q - 1.0) / 0.16) ** 2) * upper_outer * smooth_step(side, centre[0] - 5, centre[0] + 1)
    return z - 2.4 * bump(side, y, 0.42 * half, at.subnasale + 2.6, 2.9, 1.7)


def lip_borders(p: Identity, at: Levels, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the heights (mm) of the upper border, the mouth line and the lower border of the lips at x."""
    t = np.clip(np.abs(x) / (p["mouth_width"] / 2), 0.0, 1.0)
    arch = np.clip(1.0 - t * t, 0.0, None)
    bow = 1.0 + 0.10 * np.exp(-0.5 * ((t - 0.24) / 0.11) ** 2) - 0.20 * np.exp(-0.5 * (t / 0.09) ** 2)
    line = at.stomion + 0.2 * t**2 + 0.7 * np.exp(-0.5 * ((t - 0.42) / 0.2) ** 2) - 0.7 * np.exp(-0.5 * (t / 0.2) ** 2)
    upper = line + p["vermilion_upper"] * (1.0 - t) ** 0.62 * (1.0 + 0.35 * t) * bow
    return upper, line, line - p["vermilion_lower"] * arch**0.8


def lips(p: Identity, at: Levels, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the relief of lips, mouth line, corners, philtrum and the fold from nose to mouth."""
    side, half = np.abs(x), p["mouth_width"] / 2
    t = np.clip(side / half, 0.0, 1.0)
    arch = np.clip(1.0 - t * t, 0.0, None)
    upper, line, lower = lip_borders(p, at, x)
    above, below = y - line, line - y
    out = p["lip_protrusion"] + 1.0
    high, low = np.maximum(upper - line, 1.2), np.maximum(line - lower, 1.2)
    roll = np.where(above > 0, _lip_roll(above, 0.58 * high + 0.4, 2.2 + 0.45 * high, 9.0), 0.0)
    pout = np.where(below >= 0, _lip_roll(below, 0.52 * low + 0.4, 1.9 + 0.42 * low, 6.5), 0.0)
    relief = out * arch**0.55 * roll + 0.95 * out * arch**0.7 * pout
    relief -= 1.0 * np.exp(-np.abs(above) / 0.8) * arch**0.3
    relief -= 2.8 * bump(side, y, half + 0.8, at.stomion + 0.2, 3.0, 3.6)
    relief += 0.9 * bump(side, y, half + 6.5, at.stomion - 2, 3.5, 7)
    relief += 3.4 * bump(x, y, 0, 0.5 * (at.subnasale + at.stomion) + 2, 12, 5.5)
    middle = smooth_step(y, at.stomion + 3, at.stomion + 8) * smooth_step(y, at.subnasale + 1, at.subnasale - 4)
    relief += middle * (0.6 * np.exp(-0.5 * ((side - 4.6) / 1.9) ** 2) - 1.0 * np.exp(-0.5 * (x / 2.6) ** 2))
    return relief + _nasolabial(p, at, x, y)


def _lip_roll(distance: np.ndarray, peak: np.ndarray, width: np.ndarray, reach: float) -> np.ndarray:
    """Return a lip's section: it rises from the mouth line to the peak and tapers into the skin."""
    inner = np.sin(0.5 * np.pi * np.clip(distance / peak, 0.0, 1.0)) ** 0.8
    outer = np.exp(-0.5 * (np.maximum(distance - peak, 0.0) / width) ** 2) * smooth_step(
        distance, reach * 2.2, reach * 0.8
    )
    return np.where(distance < peak, inner, outer)


def _nasolabial(p: Identity, at: Levels, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the fold from the wing of the nose around the corner of the mouth: a step that fades outward."""
    top, bottom = at.tip - 3.0, at.stomion - 10.0
    t = np.clip((top - y) / (top - bottom), 0.0, 1.0)
    fold_x = p["nose_width"] / 2 + 2.5 + (p["mouth_width"] / 2 + 8.0 - p["nose_width"] / 2) * t**1.15
    out = np.abs(x) - fold_x
    along = smooth_step(y, top + 4, top - 6) * smooth_step(y, bottom - 6, bottom + 8)
    cheek = np.tanh(np.maximum(out, 0) / 6.0) * np.exp(-0.5 * (out / 11.0) ** 2)
    return p["nasolabial"] * along * (cheek - 0.7 * np.exp(-0.5 * (out / 2.2) ** 2))
