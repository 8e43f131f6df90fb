"""Fittings of a mask: ear loops or head straps, an exhalation valve, filter discs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.ndimage import maximum_filter

from face3d_data.geometry.normals import mesh_normals
from face3d_data.wear.fabric import DARK_CLOTH, Plain, linear_rgb
from face3d_data.wear.head_map import CENTRE, roll_up, sample_map, unroll
from face3d_data.wear.mask_draw import MaskDraw
from face3d_data.wear.mask_outline import WornOutline
from face3d_data.wear.mask_style import Discs, MaskStyle, Valve
from face3d_data.wear.occluder import Occluder
from face3d_data.wear.skin import Skin

STRAP_STANDOFF_MM = 1.6
STRAP_STEP_MM = 4.0
CORNERS_DEG = (62.0, 116.0)
"""Where straps are sewn on: angles around the outline's middle, from the top."""
EAR_TOP, EAR_BOTTOM = (134.0, 30.0), (138.0, -22.0)
"""Where loops go behind the ear, mm from the nose tip on the mean head."""
OVER_EAR, UNDER_EAR = ((132.0, 50.0), (152.0, 78.0)), ((120.0, -52.0), (150.0, -64.0))
PUCK_SEGMENTS = 48
PUCK_STANDOFF_MM, PUCK_CELLS = 0.8, 5


def straps(worn: WornOutline, skin: Skin) -> Occluder | None:
    """Return ear loops, or head straps, as strips along the skin; None where the style has none."""
    style, draw = worn.style, worn.draw
    if style.straps == "none":
        return None
    ends = ((EAR_TOP,), (EAR_BOTTOM,)) if style.straps == "ear_loops" else (OVER_EAR, UNDER_EAR)
    sides = (draw.side,) if draw.worn == "one_ear" else (-1, 1)
    strips = [
        _strip(worn, corner, np.array(end) * [side, 1.0], side)
        for side in sides
        for corner, end in zip(CORNERS_DEG, ends, strict=True)
    ]
    first = np.cumsum([0, *(len(strip[0]) for strip in strips)])
    ab = np.concatenate([strip[0] for strip in strips])
    vertices = roll_up(ab, sample_map(skin.guard, ab) + np.float32(STRAP_STANDOFF_MM))
    triangles = np.concatenate([strip[2] + start for strip, start in zip(strips, first, strict=False)])
    return Occluder(
        vertices=vertices,
        normals=_outwards(vertices, mesh_normals(vertices, triangles)),
        triangles=triangles.astype(np.uint32),
        coords=np.concatenate([strip[1] for strip in strips]),
        part=np.zeros(len(triangles), np.uint8),
        paint=Plain(_strap_rgb(style, draw)),
        label=1,
        thin=(0,),
    )


def _strap_rgb(style: MaskStyle, draw: MaskDraw) -> np.ndarray:
    """Return the straps' colour, linear light: if the style leaves it open, dark on dark cloth, near white on other."""
    if style.strap_color is not None:
        return linear_rgb(style.strap_color)
    cloth = linear_rgb(style.colors[draw.color])
    return cloth if cloth.mean() < DARK_CLOTH else linear_rgb("#f2f2ee")


def _strip(worn: WornOutline, corner_deg: float, end: np.ndarray, side: int) -> tuple[np.ndarray, ...]:
    """Return places in the person's plane, surface coordinates and triangles of one strap from outline to end."""
    angle = np.deg2rad(corner_deg) * side
    along = np.stack([np.sin(angle), np.cos(angle)])
    sewn = worn.to_person(worn.to_outline(worn.centre + along) - along * worn.style.hem_mm)
    places = np.vstack([sewn[None], worn.skin.to_person(end + worn.nose)])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(places, axis=0), axis=1))])
    at = np.linspace(0, length[-1], max(3, round(length[-1] / STRAP_STEP_MM)))
    line = np.stack([np.interp(at, length, places[:, i]) for i in (0, 1)], axis=1)
    forward = np.gradient(line, axis=0)
    across = np.stack([-forward[:, 1], forward[:, 0]], axis=1)
    across *= worn.style.strap_mm / 2 / np.linalg.norm(across, axis=1, keepdims=True)
    ab = np.concatenate([line - across, line + across]).astype(np.float32)
    coords = np.concatenate([np.stack([at, np.full(len(at), half)], 1) for half in (-1.0, 1.0)]).astype(np.float32)
    low = np.arange(len(at) - 1)
    high = low + len(at)
    triangles = np.concatenate([np.stack([low, low + 1, high + 1], 1), np.stack([low, high + 1, high], 1)])
    return ab, coords, triangles


def _outwards(vertices: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Return normals turned away from the head's middle."""
    outward = np.einsum("ij,ij->i", normals, vertices - CENTRE.astype(np.float32)) >= 0
    return np.where(outward[:, None], normals, -normals)


def valve(part: Valve, cloth: Occluder, skin: Skin) -> Occluder:
    """Return a valve that sits on the cloth."""
    return _puck(cloth, skin, np.array(part.at), part.radius_mm, part.height_mm, part.color, rings=True)


def discs(part: Discs, cloth: Occluder, skin: Skin) -> list[Occluder]:
    """Return the two filter discs, one at each side of the cloth."""
    places = (np.array(part.at) * [side, 1.0] for side in (-1, 1))
    return [_puck(cloth, skin, place, part.radius_mm, part.thickness_mm, part.color, rings=False) for place in places]


def _puck(
    cloth: Occluder, skin: Skin, at: np.ndarray, radius: float, height: float, color: str, rings: bool
) -> Occluder:
    """Return a round body with a bevelled edge that stands on the cloth, square to it."""
    near = np.hypot(*(cloth.coords - at).T) <= max(radius / 2, 6.0)
    foot = cloth.vertices[np.argmin(np.hypot(*(cloth.coords - at).T))]
    up = cloth.normals[near].mean(axis=0) if near.any() else np.array([0.0, 0.0, 1.0])
    up = up / np.linalg.norm(up)
    right = np.cross([0.0, 1.0, 0.0], up)
    right /= np.linalg.norm(right)
    frame = np.stack([right, np.cross(up, right), up])
    profile = _puck_profile(radius, height, rings)
    angle = np.linspace(0, 2 * np.pi, PUCK_SEGMENTS, endpoint=False)
    local = np.concatenate(
        [np.stack([r * np.cos(angle), r * np.sin(angle), np.full(PUCK_SEGMENTS, h)], axis=1) for r, h in profile]
    )
    index = np.arange(len(local)).reshape(len(profile), PUCK_SEGMENTS)
    a, b, c, d = index[:-1], np.roll(index[:-1], -1, 1), index[1:], np.roll(index[1:], -1, 1)
    triangles = np.concatenate([np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, b, d), (a, d, c))])
    vertices = (foot + local @ frame).astype(np.float32)
    ab, out = unroll(vertices)
    # A disc's back would else reach into the cheek; the highest skin about counts, as triangles are some mm long.
    highest = maximum_filter(skin.guard, PUCK_CELLS)
    vertices = roll_up(ab, np.maximum(out, sample_map(highest, ab) + np.float32(PUCK_STANDOFF_MM)))
    return Occluder(
        vertices=vertices,
        normals=mesh_normals(vertices, triangles),
        triangles=triangles.astype(np.uint32),
        coords=local[:, :2].astype(np.float32),
        part=np.zeros(len(triangles), np.uint8),
        paint=Plain(linear_rgb(color)),
        label=1,
    )


def _puck_profile(radius: float, height: float, rings: bool) -> np.ndarray:
    """Return radius and height (K, 2) along a body's outside, no step longer than 4 mm."""
    bevel = min(2.0, height / 3)
    ring = [(0.58 * radius, height - 1.5)] if rings else []
    corners = np.array(
        [
            (radius, -radius / 2),
            (radius, height - bevel),
            (radius - bevel, height),
            (0.62 * radius, height),
            *ring,
            (0.5 * radius, height + (1.0 if rings else 0.6)),
            (0.02 * radius, height + 1.0),
        ]
    )
    steps = [
        np.linspace(a, b, max(1, int(np.ceil(np.hypot(*(b - a)) / 4.0))), endpoint=False) for a, b in pairwise(corners)
    ]
    return np.concatenate([*steps, corners[-1:]])
