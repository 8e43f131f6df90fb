"""Clouds of a face's size that are no faces: what a registration must refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from face3d_data.geometry.surface import sample_surface
from face3d_data.synthetic.appearance import draw_appearance
from face3d_data.synthetic.head import build_head
from face3d_data.synthetic.identity import draw_identity

Maker = Callable[[np.random.Generator], np.ndarray]


def _seen(points: np.ndarray, cell: float = 2.0) -> np.ndarray:
    """Return the points (N, 3) that are foremost along z in their cell."""
    cells = np.floor(points[:, :2] / cell).astype(int)
    order = np.lexsort((points[:, 2], cells[:, 0], cells[:, 1]))
    last = np.append((np.diff(cells[order], axis=0) != 0).any(axis=1), True)
    return points[order[last]]


def _turned(points: np.ndarray, rng: np.random.Generator, most: float = 180.0) -> np.ndarray:
    return points @ Rotation.from_euler("zyx", rng.uniform(-most, most, 3), degrees=True).as_matrix().T


def _sphere_points(rng: np.random.Generator, n: int) -> np.ndarray:
    points = rng.standard_normal((n, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def sphere(rng: np.random.Generator) -> np.ndarray:
    """A ball."""
    return _seen(_sphere_points(rng, 30000) * rng.uniform(50, 130))


def ellipsoid(rng: np.random.Generator) -> np.ndarray:
    """An egg, as a head without a face."""
    return _seen(_turned(_sphere_points(rng, 40000) * rng.uniform([60, 80, 70], [80, 120, 110]), rng, 20))


def box(rng: np.random.Generator) -> np.ndarray:
    """A carton."""
    points = rng.uniform(-1, 1, (40000, 3))
    axis = rng.integers(0, 3, len(points))
    points[np.arange(len(points)), axis] = np.sign(points[np.arange(len(points)), axis])
    return _seen(_turned(points * rng.uniform(40, 110, 3), rng))


def wall(rng: np.random.Generator) -> np.ndarray:
    """A wall with a slope."""
    xy = rng.uniform(-130, 130, (25000, 2))
    return np.column_stack([xy, xy @ rng.uniform(-0.3, 0.3, 2)])


def corner(rng: np.random.Generator) -> np.ndarray:
    """A ridge of two planes."""
    xy = rng.uniform(-120, 120, (25000, 2))
    return np.column_stack([xy, -rng.uniform(0.3, 1.5) * np.abs(xy[:, 0])])


def cylinder(rng: np.random.Generator) -> np.ndarray:
    """A pipe or a post, upright or tilted."""
    angle, y = rng.uniform(-np.pi, np.pi, 30000), rng.uniform(-130, 130, 30000)
    radius = rng.uniform(30, 100)
    return _seen(_turned(np.column_stack([radius * np.sin(angle), y, radius * np.cos(angle)]), rng, 35))


def hand(rng: np.random.Generator) -> np.ndarray:
    """A palm with four fingers and a thumb, of capsules."""
    parts = [_sphere_points(rng, 6000) * [42, 45, 14]]
    for k in range(4):
        length, base = rng.uniform(55, 85), np.array([-33 + 22 * k, 40, 0])
        tip = base + Rotation.from_euler("z", rng.uniform(-15, 15), degrees=True).apply(
            [0, length, rng.uniform(-15, 30)]
        )
        along = rng.uniform(0, 1, (2500, 1))
        parts.append(base + along * (tip - base) + _sphere_points(rng, 2500) * 9)
    along = rng.uniform(0, 1, (2000, 1))
    parts.append(np.array([45, -15, 0]) + along * np.array([35, 45, 10]) + _sphere_points(rng, 2000) * 11)
    return _seen(_turned(np.vstack(parts) * rng.uniform(0.9, 1.6), rng, 40))


def noise(rng: np.random.Generator) -> np.ndarray:
    """Points anywhere in a ball, or on a face-like front with much noise."""
    points = _sphere_points(rng, 15000) * (rng.uniform(0, 1, (15000, 1)) ** (1 / 3)) * 100
    return points if rng.random() < 0.5 else points * [1, 1, 0.25]


def chair(rng: np.random.Generator) -> np.ndarray:
    """A seat, a back and four legs."""

    def slab(size: list[float], at: list[float], n: int) -> np.ndarray:
        return rng.uniform(-0.5, 0.5, (n, 3)) * size + at

    parts = [slab([130, 12, 120], [0, -10, 0], 12000), slab([130, 110, 10], [0, 50, -55], 12000)]
    parts += [slab([12, 100, 12], [60 * a, -60, 55 * b], 2500) for a in (-1, 1) for b in (-1, 1)]
    return _seen(_turned(np.vstack(parts), rng, 35))


def cloth(rng: np.random.Generator) -> np.ndarray:
    """Folded cloth: smooth random heights."""
    size = rng.uniform(3, 9)
    height = gaussian_filter(rng.standard_normal((110, 110)), size) * size * rng.uniform(15, 45)
    y, x = np.mgrid[:110, :110] * 2.2 - 120
    return np.column_stack([x.ravel(), y.ravel(), height.ravel()])


def torso(rng: np.random.Generator) -> np.ndarray:
    """A back with shoulders: a large smooth surface."""
    x, y = rng.uniform(-150, 150, (2, 30000))
    z = -0.004 * x**2 - 0.001 * (y - 30) ** 2 + rng.uniform(3, 9) * np.cos(x / 22) * np.exp(-((x / 60) ** 2))
    return np.column_stack([x, y, z])


def vase(rng: np.random.Generator) -> np.ndarray:
    """A surface of revolution with a wavy outline."""
    y, angle = rng.uniform(-110, 110, 30000), rng.uniform(-np.pi, np.pi, 30000)
    radius = 60 + rng.uniform(5, 20) * np.sin(y / rng.uniform(15, 45) + rng.uniform(0, 6))
    return _seen(_turned(np.column_stack([radius * np.sin(angle), y, radius * np.cos(angle)]), rng, 25))


def foot(rng: np.random.Generator) -> np.ndarray:
    """Lumps that overlap: shoes, fruit, toys."""
    parts = [_sphere_points(rng, 4000) * rng.uniform(15, 60, 3) + rng.uniform(-45, 45, 3) for _ in range(6)]
    return _seen(np.vstack(parts))


def _head(rng: np.random.Generator) -> np.ndarray:
    identity = draw_identity(991, int(rng.integers(1 << 30)))
    head = build_head(identity, draw_appearance(identity), 0.8)
    points = np.vstack([part.rest.reshape(-1, 3) for part in head.parts])
    return points[points[:, 1] > -140]


def back_of_head(rng: np.random.Generator) -> np.ndarray:
    """A head seen from behind."""
    return _seen(_head(rng) * [-1, 1, -1], 4.0)


def top_of_head(rng: np.random.Generator) -> np.ndarray:
    """A head seen from above."""
    return _seen(_head(rng)[:, [0, 2, 1]] * [1, -1, 1], 4.0)


def side_of_head(rng: np.random.Generator) -> np.ndarray:
    """A head seen from behind one ear."""
    return _seen(
        _head(rng) @ Rotation.from_euler("y", rng.choice([-1, 1]) * rng.uniform(100, 150), degrees=True).as_matrix().T,
        4.0,
    )


def upside_down(rng: np.random.Generator) -> np.ndarray:
    """A face that stands on its head."""
    return _seen(_head(rng) * [-1, -1, 1], 3.0)


MAKERS: tuple[Maker, ...] = (
    sphere, ellipsoid, box, wall, corner, cylinder, hand, noise, chair, cloth, torso, vase, foot, back_of_head,
    top_of_head, side_of_head, upside_down,
)  # fmt: skip


def nonface(number: int) -> tuple[str, np.ndarray]:
    """Return a name and a cloud (N, 3), mm, whose foremost point near the middle is at the origin."""
    rng = np.random.default_rng(5000 + number)
    maker = MAKERS[number % len(MAKERS)]
    points = maker(rng)
    middle = np.median(points, axis=0)
    near = np.linalg.norm(points[:, :2] - middle[:2], axis=1) < 45
    tip = points[near][np.argmax(points[near, 2])]
    points = points - tip + rng.normal(0, 0.4, points.shape)
    return maker.__name__, points.astype(np.float32)


def body_parts(vertices: np.ndarray, triangles: np.ndarray, count: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield a name and a cloud (N, 3), mm, of parts of a body without its face, as a camera before them sees them.

    Args:
        vertices: (V, 3), mm, y up and z to the front.
        triangles: (T, 3).
        count: parts; every fourth is of the head, from behind or above.
    """
    crown = vertices[np.unique(triangles), 1].max()
    made = sample_surface(vertices, triangles, 300_000)
    rng = np.random.default_rng(17)
    head = made.points[:, 1] > crown - 230
    for number in range(count):
        chosen = np.flatnonzero(head & (made.normals[:, 2] < -0.2) if number % 4 == 3 else ~head)
        middle = rng.choice(chosen)
        ahead = made.normals[middle]
        up = np.array([0.0, 1.0, 0.0]) if abs(ahead[1]) < 0.9 else np.array([0.0, 0.0, 1.0])
        across = np.cross(up, ahead) / np.linalg.norm(np.cross(up, ahead))
        axes = np.stack([across, np.cross(ahead, across), ahead])
        turn = Rotation.from_euler("z", rng.uniform(-40, 40), degrees=True).as_matrix()
        points = (made.points - made.points[middle]) @ (turn @ axes).T
        facing = made.normals @ ahead > 0.1
        points = points[facing & (np.linalg.norm(points, axis=1) < 130)]
        size = rng.uniform(0.8, 1.6)
        seen = _seen(points * size)
        seen = seen + rng.normal(0, 0.4, seen.shape)
        yield f"body at {np.round(made.points[middle]).astype(int).tolist()}", seen.astype(np.float32)
