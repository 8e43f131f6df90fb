"""Samples for judging `register`, with the true surface and landmarks in the frame of their points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from face_topology import Person
from make_template import grid, trimmed

from face3d_data.geometry.align import transform
from face3d_data.registry import find
from face3d_data.sample import Sample
from face3d_data.synthetic import capture as generator
from face3d_data.synthetic.identity import draw_identity

SEED = 77
"""Another population than the template's."""


@dataclass(frozen=True, eq=False)
class Case:
    """One scan with its truth, in the frame of its points, mm.

    Attributes:
        name: what it is.
        sample: after align_3d.
        surface: (V, 3) and (T, 3), the true skin.
        landmarks: (68, 3), the true landmarks.
        vertices: (V, 3) of the template's topology on the true skin, or None.
    """

    name: str
    sample: Sample
    surface: tuple[np.ndarray, np.ndarray]
    landmarks: np.ndarray
    vertices: np.ndarray | None = None


@lru_cache(maxsize=1)
def _topology():
    from face_topology import Places, Topology

    topology, triangles, shape = grid()
    used, _ = trimmed(topology, triangles, shape)
    return Topology(Places(topology.places.angle[used], topology.places.level[used]), topology.seam[used])


@lru_cache(maxsize=4)
def _places(seed: int, number: int):
    person = Person(draw_identity(seed, number))
    return person, _topology().on(person)


def synthetic_case(
    number: int, capture: int, seed: int = SEED, styles: tuple[str, ...] = (), *, noise: bool = True
) -> Case:
    """Render a synthetic capture, prepare it as the pipeline does with given landmarks, and put a mask on it if asked.

    Raises:
        Reject: a step cannot use it.
    """
    made = generator.render_capture(seed, number, capture, noise=noise)
    names = ("color", "depth", "intrinsics", "landmarks")
    sample = Sample.of({name: made[name] for name in names}, key=f"synthetic {seed}/{number}/{capture}")
    sample = find("stage", "detect")(detector="given").apply(sample)
    for name in ("to_cloud", "clean"):
        sample = find("stage", name)().apply(sample)
    sample = find("stage", "align_3d")().apply(sample)
    if styles:
        style = styles[number % len(styles)]
        sample = find("stage", "mask")(styles={style: 1.0}, keep_images=False).apply(sample)
    pose = sample.arrays["pose"]
    scene = generator.draw_scene(seed, number, capture, generator._capture_rng(seed, number, capture))
    camera = generator.camera_for(640, 480)
    person, places = _places(seed, number)
    menton = person.skull.levels.menton

    def posed(where) -> np.ndarray:
        rest = person.surface(where)
        moved = person.surface(where, scene.expression)
        return transform(generator.place(moved, scene, camera, menton, rest[:, 1]), pose)

    head, _ = generator.person_head(seed, number, 1.0)
    part = head.parts[0]
    skin = transform(generator._posed(head, part.rest, part.coords, part.front, scene, camera).reshape(-1, 3), pose)
    triangles = head.triangles[(head.triangles < len(skin)).all(axis=1)]
    worn = sample.tags.get("mask", "")
    label = f"{number}/{capture} {scene.expression_name} yaw {scene.yaw_deg:.0f} {worn}"
    return Case(label, sample, (skin, triangles), posed(person.landmarks), posed(places))
