"""Contract check of occluders: a draw decides the surface, which is well formed and outside the skin."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, is_dataclass
from typing import Any

import numpy as np

from face3d_data.testing.contract_base import check_texts, need
from face3d_data.wear.head_map import mean_head, sample_map, unroll
from face3d_data.wear.occluder import Occluder
from face3d_data.wear.occluder_kind import OccluderKind
from face3d_data.wear.skin import mean_skin

SEEDS = range(4)
ON_MAP_MM = (160.0, 150.0)
CHIN_MM = -95.0
"""Below this height of the unrolled head lie throat and shoulders, which differ too much between people."""
DEEPEST_MM = 1.0
"""How far below the skin a vertex may lie before the surface is said to cut through it."""


def check_occluder(kind: OccluderKind) -> list[Occluder]:
    """Check a kind of occluder on the mean head, and return what is built from some draws.

    Checked are its texts, that a draw is a `draws` whose values are numbers and texts, the same for one seed and others
    for others, that a draw decides every byte of the surface, that the mesh is well formed, is outside the skin, and
    that its paint is an albedo.

    Raises:
        ContractError: naming the kind and what it breaks.
    """
    check_texts(kind)
    need(is_dataclass(kind.draws), kind, "draws is not a dataclass")
    said = kind.draws.__doc__ or ""
    silent = [field.name for field in fields(kind.draws) if f"{field.name}:" not in said]
    need(not silent, kind, f"the docstring of {kind.draws.__name__} says nothing of {silent}")
    draws = [_drawn(kind, seed) for seed in SEEDS]
    need(any(draw != draws[0] for draw in draws[1:]), kind, "every seed draws the same")
    made = []
    for draw in draws:
        occluder, again = (kind.build(mean_skin(), mean_head().landmarks, draw) for _ in range(2))
        same = occluder.vertices.tobytes() == again.vertices.tobytes()
        need(same and occluder.triangles.tobytes() == again.triangles.tobytes(), kind, "one draw gives two surfaces")
        _check_mesh(kind, occluder)
        _check_paint(kind, occluder)
        made.append(occluder)
    return made


def _drawn(kind: OccluderKind, seed: int) -> Any:
    draw = kind.draw(np.random.default_rng(seed))
    need(isinstance(draw, kind.draws), kind, f"draw() returns a {type(draw).__name__}, not a {kind.draws.__name__}")
    need(draw == kind.draw(np.random.default_rng(seed)), kind, "one seed gives two draws")
    try:
        stored = json.loads(json.dumps(asdict(draw)))
    except TypeError as error:
        need(False, kind, f"a draw cannot be stored ({error}): use Python numbers and texts")
        raise
    plain = all(isinstance(value, str | int | float | bool) for value in stored.values())
    need(plain and stored == asdict(draw), kind, "drawn values become tags: use numbers, texts, true and false")
    return draw


def _check_mesh(kind: OccluderKind, occluder: Occluder) -> None:
    vertices, triangles = occluder.vertices, occluder.triangles
    need(occluder.label in (1, 2), kind, f"label {occluder.label}: write 1 (face mask) or 2 (another occluder)")
    need(len(triangles) > 0 and triangles.max() < len(vertices), kind, "triangles name vertices that do not exist")
    need(len(occluder.normals) == len(occluder.coords) == len(vertices), kind, "vertices lack normals or coords")
    need(len(occluder.part) == len(triangles), kind, "not every triangle belongs to a part")
    need(bool(np.isfinite(vertices).all()), kind, "vertices are not finite")
    length = np.linalg.norm(occluder.normals, axis=1)
    need(bool(np.allclose(length, 1, atol=1e-3)), kind, "normals are not of unit length")
    plane, r = unroll(vertices)
    on_map = (np.abs(plane) <= ON_MAP_MM).all(axis=1) & (plane[:, 1] > CHIN_MM)
    need(bool(on_map.any()), kind, "nothing of it lies before the face")
    above = (r - sample_map(mean_skin().radius, plane))[on_map]
    need(float(above.min()) > -DEEPEST_MM, kind, f"it cuts {-float(above.min()):.0f} mm below the skin")


def _check_paint(kind: OccluderKind, occluder: Occluder) -> None:
    chosen = np.arange(0, len(occluder.triangles), 3)
    albedo = occluder.paint(occluder.part[chosen], occluder.coords[occluder.triangles[chosen, 0]])
    need(albedo.shape == (len(chosen), 3), kind, f"paint gives {albedo.shape} for {len(chosen)} places")
    inside = bool(np.isfinite(albedo).all()) and float(albedo.min()) >= 0 and float(albedo.max()) <= 1
    need(inside, kind, "paint is not an albedo from 0 to 1")
