"""Every kind of occluder: outside the skin, well formed, the same for one draw, and over what it says it covers."""

import numpy as np
import pytest

from face3d_data.geometry.mean_face import mean_face
from face3d_data.wear.head_map import mean_head, sample_map, unroll
from face3d_data.wear.occluders import KINDS
from face3d_data.wear.occluders.glasses import LENS
from face3d_data.wear.skin import Skin, fit_skin, mean_skin

LEFT_EYE, RIGHT_EYE, NOSE, LEFT_MOUTH, RIGHT_MOUTH = range(5)
DRAWS = 10
LARGER = np.array([1.08, 1.06, 1.1], np.float32)

Person = tuple[Skin, np.ndarray]


@pytest.fixture(scope="module")
def people() -> tuple[Person, Person]:
    """The mean head, and one that is broader, longer and has a bigger nose."""
    face = mean_face()
    larger = fit_skin(face.points * LARGER, face.landmarks * LARGER)
    return (mean_skin(), mean_head().landmarks), (larger, face.landmarks * LARGER)


def worn(kind: str, person: Person, n: int = DRAWS):
    """Yield draws of a kind and what is built from them on a person."""
    for i in range(n):
        draw = KINDS[kind].draw(np.random.default_rng(i))
        yield draw, KINDS[kind].build(*person, draw)


def hides(occluder, places: np.ndarray) -> list[bool]:
    """Return whether a viewer 600 mm before the face sees the occluder instead of places (N, 3)."""
    origin = np.array([0.0, 0.0, 600.0])
    rays = np.concatenate([np.broadcast_to(origin, places.shape), places - origin], axis=1).astype(np.float32)
    return (occluder.cast(rays).t < 1).tolist()


def straight_at(places: np.ndarray) -> np.ndarray:
    """Return rays against places (N, 3), from 300 mm before each."""
    return np.concatenate([places + np.float32([0, 0, 300]), 0 * places + np.float32([0, 0, -1])], axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_surfaces_are_well_formed_and_never_cut_through_the_skin(kind, people):
    for person in people:
        skin = np.maximum(person[0].radius, person[0].guard)
        for _, occluder in worn(kind, person, 4):
            assert occluder.label == 2
            assert np.isfinite(occluder.vertices).all()
            np.testing.assert_allclose(np.linalg.norm(occluder.normals, axis=1), 1, atol=1e-3)
            assert occluder.triangles.max() < len(occluder.vertices) == len(occluder.coords)
            assert len(occluder.part) == len(occluder.triangles)
            plane, r = unroll(occluder.vertices)
            on_map = (np.abs(plane) <= [160, 150]).all(axis=1) & (plane[:, 1] > -95)
            assert (r - sample_map(skin, plane))[on_map].min() > 0.25
            centres = occluder.vertices[occluder.triangles].mean(axis=1)
            plane, r = unroll(centres)
            on_map = (np.abs(plane) <= [156, 146]).all(axis=1) & (plane[:, 1] > -90)
            assert np.percentile((r - sample_map(skin, plane))[on_map], 0.1) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_seen_from_before_faces_the_viewer(kind, people):
    _, occluder = next(worn(kind, people[0]))
    x, y = np.meshgrid(np.arange(-80, 81, 1.5), np.arange(-100, 101, 1.5))
    rays = np.column_stack([x.ravel(), y.ravel(), np.full(x.size, 300.0), np.tile([0, 0, -1], (x.size, 1))])
    hits = occluder.cast(rays.astype(np.float32))
    corners = occluder.triangles[hits.triangle[hits.found]]
    a, b, c = (occluder.vertices[corners[:, i]].astype(np.float64) for i in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).mean() > 0.98
    assert (occluder.normals[corners][..., 2].mean(axis=1) > -0.1).mean() > 0.98


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_one_draw_gives_one_surface_and_others_give_others(kind, people):
    draws = [draw for draw, _ in worn(kind, people[0], 3)]
    assert len(set(draws)) == 3
    assert draws[0] == KINDS[kind].draw(np.random.default_rng(0))
    assert isinstance(draws[0], KINDS[kind].draws)
    first, again, other = (KINDS[kind].build(*people[0], draw) for draw in (draws[0], draws[0], draws[1]))
    assert first.vertices.tobytes() == again.vertices.tobytes()
    assert first.triangles.tobytes() == again.triangles.tobytes()
    assert first.vertices.tobytes() != other.vertices.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_paint_is_an_albedo(kind, people):
    for _, occluder in worn(kind, people[0], 3):
        triangle = np.arange(0, len(occluder.triangles), 3)
        coords = occluder.coords[occluder.triangles[triangle, 0]]
        albedo = occluder.paint(occluder.part[triangle], coords)
        assert albedo.shape == (len(triangle), 3)
        assert albedo.dtype == np.float32
        assert albedo.min() >= 0
        assert albedo.max() <= 1
        assert albedo.std(axis=0).max() > 1e-3


def test_sunglasses_hide_both_eyes_and_glasses_neither(people):
    for person in people:
        eyes = person[1][:2]
        for _, occluder in worn("sunglasses", person):
            assert hides(occluder, eyes) == [True, True]
        for _, occluder in worn("glasses", person):
            assert hides(occluder, eyes) == [False, False]
            assert occluder.has_clear
            assert occluder.opacity[LENS] < 0.2
            assert occluder.cast(straight_at(eyes), clear=True).found.all()


def test_glasses_stand_before_the_eyes_and_reach_the_ears(people):
    for person in people:
        for _, occluder in worn("glasses", person):
            eyes = person[1][:2]
            before = 300 - occluder.cast(straight_at(eyes), clear=True).t
            assert ((before > 8) & (before < 24)).all()
            for side in (-1, 1):
                arm = occluder.vertices[occluder.vertices[:, 0] * side > 40]
                assert arm[:, 2].min() < -110


@pytest.mark.slow
def test_hair_hides_one_eye(people):
    hidden = {-1: [], 1: []}
    for draw, occluder in worn("hair", people[0], 24):
        left, right = hides(occluder, people[0][1][:2])
        hidden[draw.side].append((left, right) if draw.side < 0 else (right, left))
    for seen in hidden.values():
        assert len(seen) >= 5
        assert np.mean([covered for covered, _ in seen]) > 0.9  # strands may leave a gap
        assert np.mean([free for _, free in seen]) < 0.35  # a long fringe may hang into the other


@pytest.mark.slow
def test_a_scarf_hides_the_mouth_and_up_to_the_nose_if_so_drawn(people):
    for person in people:
        tops = set()
        for draw, occluder in worn("scarf", person):
            tops.add(draw.top)
            mouth, nose = hides(occluder, np.stack([person[1][3:].mean(axis=0), person[1][NOSE]]))
            assert mouth
            assert nose == (draw.top == "nose")
            assert hides(occluder, person[1][:2]) == [False, False]
        assert tops == {"nose", "mouth"}


@pytest.mark.slow
def test_hands_cover_what_they_are_drawn_over(people):
    for person in people:
        for _, occluder in worn("hand_mouth", person, 6):
            assert hides(occluder, person[1][3:].mean(axis=0, keepdims=True)) == [True]
        for draw, occluder in worn("hand_eye", person, 6):
            left, right = hides(occluder, person[1][:2])
            assert (left, right) == ((True, False) if draw.side < 0 else (False, True))


def test_a_hand_has_five_fingers_and_is_the_mirror_image_of_the_other(people):
    from dataclasses import replace

    from face3d_data.wear.occluders.hand import HandDraw, build_hand

    draw = HandDraw(over="eye", knuckle_a_mm=40, knuckle_b_mm=74, turn_deg=10, spread_deg=5)
    right, left = (build_hand(*people[0], replace(draw, side=side)) for side in (-1, 1))
    for box in ("min", "max"):
        mirrored = getattr(left.vertices * np.float32([-1, 1, 1]), box)(axis=0)
        np.testing.assert_allclose(getattr(right.vertices, box)(axis=0), mirrored, atol=4)
    skin = right.vertices[np.unique(right.triangles[right.part < 2])]
    coords = right.coords[np.unique(right.triangles[right.part < 2])]
    tips = skin[coords[:, 0] < 0]  # beyond the last bone's end
    apart = np.linalg.norm(tips[:, None] - tips[None], axis=-1) < 5.0
    groups = np.arange(len(tips))
    for _ in range(30):
        groups = np.array([groups[near].min() for near in apart])
    assert len(set(groups)) == 5
