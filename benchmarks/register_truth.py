"""Samples for judging `register`, with the true surface and landmarks in the frame of their points."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from face_topology import Person, Places, Topology
from make_template import grid, trimmed

from face3d_data.errors import Reject
from face3d_data.formats.face_model import read_face_model
from face3d_data.formats.landmarks import LANDMARK_NAMES
from face3d_data.geometry.align import transform
from face3d_data.registry import find
from face3d_data.sample import Sample
from face3d_data.synthetic import capture as generator
from face3d_data.synthetic import statistical
from face3d_data.synthetic.identity import draw_identity
from face3d_data.wear.mask_style import mask_styles

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
def _topology() -> Topology:
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
        sample = unlabelled(find("stage", "mask")(styles={style: 1.0}, keep_images=False).apply(sample))
    pose = sample.arrays["pose"]
    scene = generator.draw_scene(seed, number, capture, generator.capture_rng(seed, number, capture))
    camera = generator.camera_for(640, 480)
    person, places = _places(seed, number)
    menton = person.skull.levels.menton

    def posed(where) -> np.ndarray:
        rest = person.surface(where)
        moved = person.surface(where, scene.expression)
        return transform(generator.place(moved, scene, camera, menton, rest[:, 1]), pose)

    head, _ = generator.person_head(seed, number, 1.0)
    part = head.parts[0]
    skin = transform(generator.posed(head, part.rest, part.coords, part.front, scene, camera).reshape(-1, 3), pose)
    triangles = head.triangles[(head.triangles < len(skin)).all(axis=1)]
    worn = sample.tags.get("mask", "")
    label = f"{number}/{capture} {scene.expression_name} yaw {scene.yaw_deg:.0f} {worn}"
    return Case(label, sample, (skin, triangles), posed(person.landmarks), posed(places))


def synthetic_cases(count: int, *, masked: bool) -> Iterator[Case]:
    """Yield a capture each of people, from near-frontal and neutral to turned with an expression."""
    styles = tuple(mask_styles()) if masked else ()
    for number in range(count):
        yield synthetic_case(number, number % 4, styles=styles)


ICT_68 = (
    1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088, 3443, 268, 493, 1914,
    2044, 1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942, 4857, 1140, 2075, 1147, 4269, 3360, 1507, 1542, 1537,
    1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732, 5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957,
    5841, 5702, 5711, 5533, 6216, 6207, 6470, 5517, 5966,
)  # fmt: skip
"""Vertices of the 68 landmarks, as ICT-FaceKit's documentation lists them."""


def statistical_cases(data: Path, count: int, *, masked: bool, seed: int = 5) -> Iterator[Case]:
    """Yield a capture each of people drawn from the statistical face of the shared data."""
    landmarks = np.array(ICT_68)
    model = replace(read_face_model(data / "ict_face_small.npz"), landmarks=landmarks)
    styles = list(mask_styles())
    for number in range(count):
        capture = number % 4
        made = statistical.render_model_capture(model, seed, number, capture)
        names = ("color", "depth", "intrinsics", "landmarks")
        sample = Sample.of({name: made[name] for name in names}, key=f"statistical {seed}/{number}/{capture}")
        sample = find("stage", "detect")(detector="given").apply(sample)
        for name in ("to_cloud", "clean", "align_3d"):
            sample = find("stage", name)().apply(sample)
        if masked:
            chosen = {styles[number % len(styles)]: 1.0}
            sample = unlabelled(find("stage", "mask")(styles=chosen, keep_images=False).apply(sample))
        posed, _, _, _ = statistical.pose_person(model, seed, number, capture, 640, 480)
        vertices = transform(posed.vertices, sample.arrays["pose"])
        yield Case(f"statistical {number}/{capture}", sample, (vertices, model.triangles), vertices[landmarks])


def unlabelled(sample: Sample) -> Sample:
    """Return a sample without labels of what is worn: as a camera gives it."""
    return sample.without("occlusion")


def shared_captures(data: Path, folder: str, people: int | None) -> Iterator[tuple[str, Sample | Reject, np.ndarray]]:
    """Yield each shared capture after the pipeline's steps up to align_3d, or its reject, and its true landmarks."""
    reader = find("reader", "rgbd_folder")(root=data / folder)
    for source in list(reader.scan())[:people]:
        entries = json.loads((data / folder / source.person / "landmarks.json").read_text("utf-8"))
        truth = np.array([entries[source.capture]["landmarks_3d_mm"][name] for name in LANDMARK_NAMES])
        sample: Sample | Reject = reader.sample(source).without("landmarks")
        try:
            for name in ("detect", "to_cloud", "clean", "align_3d"):
                sample = find("stage", name)().apply(sample)
        except Reject as reject:
            sample = reject
        yield f"{source.person}/{source.capture}", sample, truth
