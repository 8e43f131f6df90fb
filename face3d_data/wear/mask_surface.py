"""Surface of a worn face mask: cloth stretched over a person's skin, with the relief of its style.

Cloth touches what stands out (nose bridge, cheekbones, chin) and spans what is between: it is the convex hull of the
skin inside the outline, moved off by the stand-off, smoothed as stiffly as the style is, and brought down to the skin
along the rim. Nowhere does it are below the skin, lips and nose wings included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull

from face3d_data.geometry.normals import mesh_normals
from face3d_data.wear.fabric import Fabric, noise_tile, sample_tile
from face3d_data.wear.head_map import CENTRE, directions, roll_up, sample_map
from face3d_data.wear.mask_draw import MaskDraw
from face3d_data.wear.mask_fittings import discs, straps, valve
from face3d_data.wear.mask_outline import WornOutline
from face3d_data.wear.mask_style import MaskStyle
from face3d_data.wear.occluder import Occluder, join_occluders
from face3d_data.wear.skin import Skin

STEP_MM = 2.0
HULL_EVERY = 3
"""The hull is taken of every third node, and asked there: it is smooth, and its cost grows with their number."""
TALLEST_MM = 60.0
"""No cloth spans a hollow deeper than this."""
NARROW_MM = 28.0
"""A hollow that is narrower in one direction is bridged even by cloth that clings: lips apart, nostrils."""
SLACK_SHARE = 0.7
"""By this share the slackest cloth bridges and rounds off less than its style: it follows nose and lips."""
PRESSED_MM, WIRE_HALF_MM = 10.0, 38.0
"""A nose wire presses cloth to the skin within about this distance, over this half of its length."""
RIM_STANDOFF = 0.5
"""Share of the stand-off that is left along the outline."""
MASK = 1
"""What a mask's points get in `occlusion`."""


def build_mask(skin: Skin, style: MaskStyle, draw: MaskDraw, texture: np.ndarray | None = None) -> Occluder:
    """Build a worn mask.

    Args:
        skin: the person's.
        style: what the mask is made of.
        draw: how it is worn, its colour and stand-off.
        texture: u1 (H, W, 4) RGBA, laid over the outline's bounding box, for styles that have one.

    Returns:
        The mask with its straps, valve and discs; face frame, label 1. Part 0 is the cloth.
    """
    worn = WornOutline(style, draw, skin)
    sheet = _cut(worn)
    radius = _stretch(worn, sheet)
    cloth = _mesh(sheet, radius, Fabric(style, draw, texture))
    fittings = [straps(worn, skin)]
    if style.valve:
        fittings.append(valve(style.valve, cloth, skin))
    if style.discs:
        fittings.extend(discs(style.discs, cloth, skin))
    return join_occluders([cloth, *(part for part in fittings if part is not None)])


@dataclass(frozen=True)
class _Sheet:
    """Nodes on a lattice of the cloth: those inside the outline, and a border of nodes moved onto it.

    Attributes:
        cloth: f8 (R, C, 2), the style's coordinates.
        ab: f4 (R, C, 2), the person's plane.
        used: bool (R, C), nodes of some triangle.
        triangles: (T, 3), flat indices, counter-clockwise seen from outside.
        inward_mm: f8 (R, C), distance from the outline.
    """

    cloth: np.ndarray
    ab: np.ndarray
    used: np.ndarray
    triangles: np.ndarray
    inward_mm: np.ndarray


def _cut(worn: WornOutline) -> _Sheet:
    edge = worn.outline()
    low, high = edge.min(axis=0) - STEP_MM, edge.max(axis=0) + 2 * STEP_MM
    columns = np.arange(np.floor(low[0] / STEP_MM), np.ceil(high[0] / STEP_MM)) * STEP_MM
    rows = np.arange(np.floor(low[1] / STEP_MM), np.ceil(high[1] / STEP_MM)) * STEP_MM
    cloth = np.stack(np.meshgrid(columns, rows), axis=-1)
    inward = worn.inward_mm(cloth)
    inside = inward > 0.2 * STEP_MM
    index = np.arange(inside.size).reshape(inside.shape)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    triangles = np.concatenate([np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, b, d), (a, d, c))])
    corners = inside.ravel()[triangles.T]
    triangles = triangles[corners[0] | corners[1] | corners[2]]
    used = np.zeros(inside.shape, bool)
    used.ravel()[triangles.ravel()] = True
    border = used & ~inside
    cloth[border] = worn.to_outline(cloth[border])
    inward = np.where(border, 0.0, np.maximum(inward, 0.0))
    return _Sheet(cloth, worn.to_person(cloth).astype(np.float32), used, triangles, inward)


def _stretch(worn: WornOutline, sheet: _Sheet) -> np.ndarray:
    """Return the radius f4 (R, C) of the cloth over the person's plane."""
    style, draw = worn.style, worn.draw
    floor = sample_map(worn.skin.guard, sheet.ab) + np.float32(draw.standoff_mm)
    slack = 0.0 if draw.taut is None else 1.0 - draw.taut
    clinging = _closed(floor, NARROW_MM * (1 - SLACK_SHARE * slack))
    taut = clinging + _tension(worn, sheet) * (_hull(sheet, floor) - clinging)
    smooth_mm = style.smooth_mm * (1 - SLACK_SHARE * slack)
    if smooth_mm:
        taut = _stiffened(taut, floor, sheet.used, smooth_mm / STEP_MM)
    rim = sample_map(worn.skin.guard, sheet.ab) + np.float32(RIM_STANDOFF * draw.standoff_mm)
    share = _smooth_step(sheet.inward_mm / style.edge_mm)
    raised = taut + _ridge(worn, sheet) + _relief(worn, sheet)
    radius = rim + share * (raised - rim) + _hem(style, sheet)
    if draw.worn == "one_ear":
        radius = radius + _hanging(worn, sheet)
    least = rim + share * (floor - rim)  # smoothing would else take from the stand-off on narrow ridges
    return np.maximum(_smoothed(radius, sheet.used, 0.7), least).astype(np.float32)


def _hull(sheet: _Sheet, floor: np.ndarray) -> np.ndarray:
    """Return the radius of the convex hull of the floor inside the outline, at every node."""
    coarse = np.zeros_like(sheet.used)
    coarse[::HULL_EVERY, ::HULL_EVERY] = True
    chosen = sheet.used & (coarse | (sheet.inward_mm <= 0))
    facets = ConvexHull(roll_up(sheet.ab[chosen], floor[chosen]).astype(np.float64)).equations
    distance = -(facets[:, 3] + facets[:, :3] @ CENTRE)
    front = distance > 1.0  # planes that the centre lies behind: a ray leaves the hull where it meets the first of them
    per_mm = (facets[front, :3] / distance[front, None]).astype(np.float32)
    rays = directions(sheet.ab[::HULL_EVERY, ::HULL_EVERY])
    leaves = 1 / np.maximum((rays.reshape(-1, 3) @ per_mm.T).max(axis=1), np.float32(1e-4))
    # A ray beyond the hull's rim would run to infinity; there the cloth is on the skin anyway.
    radius = np.minimum(leaves.reshape(rays.shape[:2]), floor[::HULL_EVERY, ::HULL_EVERY] + TALLEST_MM)
    return np.maximum(_between(radius, floor.shape), floor)


def _between(coarse: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return every node's value, interpolated linearly from every `HULL_EVERY`-th row and column."""
    rows, columns = (np.arange(n) / HULL_EVERY for n in shape)
    i, j = (np.minimum(at.astype(int), n - 2) for at, n in zip((rows, columns), coarse.shape, strict=True))
    v, u = (rows - i).astype(np.float32)[:, None], (columns - j).astype(np.float32)[None]
    along = coarse[i] * (1 - v) + coarse[i + 1] * v
    return along[:, j] * (1 - u) + along[:, j + 1] * u


def _tension(worn: WornOutline, sheet: _Sheet) -> np.ndarray | np.float32:
    """Return how taut the cloth is, 0 to 1; cloth whose tautness is drawn is pressed to the nose by its wire."""
    if worn.draw.taut is None:
        return np.float32(worn.style.taut)
    if not worn.style.wire_mm:
        return np.float32(worn.draw.taut)
    x, y = sheet.cloth[..., 0], sheet.cloth[..., 1]
    pressed = np.exp(-(((y - wire_height(worn.style, x)) / PRESSED_MM) ** 2)) * (np.abs(x) < WIRE_HALF_MM)
    return (worn.draw.taut * (1 - pressed)).astype(np.float32)


def wire_height(style: MaskStyle, x: np.ndarray) -> np.ndarray:
    """Return the height of the nose wire at places x along the cloth, the style's coordinates, mm."""
    return style.outline[0][1] - 0.012 * x**2 - style.hem_mm - 3


def _closed(floor: np.ndarray, narrow_mm: float) -> np.ndarray:
    """Return the floor with its narrow hollows filled: no cloth sinks into an open mouth or a nostril."""
    import cv2

    cells = int(2 * round(narrow_mm / 2 / STEP_MM) + 1)
    return cv2.morphologyEx(floor, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (cells, cells)))


def _stiffened(taut: np.ndarray, floor: np.ndarray, used: np.ndarray, sigma: float) -> np.ndarray:
    """Return the cloth smoothed, and as smoothly lifted where it would be below the floor: no bump comes through."""
    import cv2

    smooth = _smoothed(taut, used, sigma)
    below = np.where(used, np.maximum(floor - smooth, 0), 0).astype(np.float32)
    size = int(2 * round(2 * sigma) + 1)
    lift = cv2.dilate(below, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    return np.maximum(smooth + _smoothed(lift, used, sigma), floor)


def _ridge(worn: WornOutline, sheet: _Sheet) -> np.ndarray | float:
    """Return how far a style's ridge or dome stands off, over the cloth."""
    ridge = worn.style.ridge
    if ridge is None:
        return 0.0
    share = np.minimum(worn.share(sheet.cloth), 1.0)
    height = ridge.height_mm * (0.5 if worn.draw.worn in ("below_mouth", "one_ear") else 1.0)
    if ridge.kind == "dome":
        return height * (1 - share**2) ** 0.8
    axis, other = (0, 1) if ridge.kind == "vertical" else (1, 0)
    edge = worn.outline()
    across = sheet.cloth[..., axis] - ridge.at
    half = np.where(across > 0, edge[:, axis].max() - ridge.at, ridge.at - edge[:, axis].min())
    rounded = np.sqrt(across**2 + ridge.softness_mm**2) - ridge.softness_mm
    middle, reach = (edge[:, other].max() + edge[:, other].min()) / 2, np.ptp(edge[:, other]) / 2
    along = np.clip(1 - ((sheet.cloth[..., other] - middle) / reach) ** 2, 0, 1)
    return height * np.clip(1 - rounded / half, 0, 1) * along


def _relief(worn: WornOutline, sheet: _Sheet) -> np.ndarray:
    """Return pleats, nose wire, seams and wrinkles, mm, over the cloth."""
    style, x, y = worn.style, sheet.cloth[..., 0], sheet.cloth[..., 1]
    relief = np.zeros(x.shape)
    if style.pleats:
        for height in style.pleats.heights:
            below = np.maximum(height - y, 0.0)
            relief += style.pleats.depth_mm * np.where(below > 0, np.exp(-below / style.pleats.drop_mm), 0.0)
    if style.wire_mm:
        relief += style.wire_mm * np.exp(-(((y - wire_height(style, x)) / 2.2) ** 2)) * (np.abs(x) < WIRE_HALF_MM)
    for seam in style.seams:
        across = (x if seam.kind == "vertical" else y) - seam.at
        relief -= seam.depth_mm * np.exp(-((across / 1.6) ** 2))
    if style.wrinkles_mm:
        tile = noise_tile(worn.draw.seed, 1, smoothing=(1.6, 3.2))
        relief += style.wrinkles_mm * sample_tile(tile, sheet.cloth / 3.0)
    return relief


def _hem(style: MaskStyle, sheet: _Sheet) -> np.ndarray:
    """Return the thickness of the hem along the outline, mm."""
    if not style.hem_mm:
        return np.zeros(sheet.inward_mm.shape)
    return 0.5 * (1 - _smooth_step((sheet.inward_mm - style.hem_mm) / 2.0)) * _smooth_step(sheet.inward_mm / 1.5)


def _hanging(worn: WornOutline, sheet: _Sheet) -> np.ndarray:
    """Return how far a mask that hangs from one ear stands off, mm: the more, the farther from the ear."""
    low, high = sheet.cloth[..., 0].min(), sheet.cloth[..., 0].max()
    away = (sheet.cloth[..., 0] - low) / (high - low)
    return 3.0 + 9.0 * (1 - away if worn.draw.side > 0 else away)


def _smoothed(values: np.ndarray, used: np.ndarray, sigma: float) -> np.ndarray:
    """Return values smoothed over the nodes in use alone."""
    import cv2

    weight = used.astype(np.float32)
    total = cv2.GaussianBlur(np.where(used, values, 0).astype(np.float32), (0, 0), sigma)
    return total / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), np.float32(1e-6))


def _smooth_step(value: np.ndarray) -> np.ndarray:
    clipped = np.clip(value, 0.0, 1.0)
    return clipped**2 * (3 - 2 * clipped)


def _mesh(sheet: _Sheet, radius: np.ndarray, paint: Fabric) -> Occluder:
    number = np.cumsum(sheet.used.ravel()) - 1
    triangles = number[sheet.triangles]
    vertices = roll_up(sheet.ab[sheet.used], radius[sheet.used])
    return Occluder(
        vertices=vertices,
        normals=mesh_normals(vertices, triangles),
        triangles=triangles.astype(np.uint32),
        coords=sheet.cloth[sheet.used].astype(np.float32),
        part=np.zeros(len(triangles), np.uint8),
        paint=paint,
        label=MASK,
    )
