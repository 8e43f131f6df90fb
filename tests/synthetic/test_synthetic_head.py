import numpy as np
import pytest

from face3d_data.synthetic.appearance import FALLING, draw_appearance
from face3d_data.synthetic.expression import EXPRESSIONS, Expression, displacement
from face3d_data.synthetic.features import smooth_max, smooth_step
from face3d_data.synthetic.head import EAR, HAIR, SKIN, build_head
from face3d_data.synthetic.identity import draw_identity

HEADS = [build_head(identity, draw_appearance(identity), 0.5) for identity in (draw_identity(1, p) for p in range(4))]


@pytest.fixture(params=range(len(HEADS)))
def head(request):
    return HEADS[request.param]


def moved(head, expression):
    skin = head.parts[0]
    flat = (skin.coords.reshape(-1, 2), skin.rest.reshape(-1, 3), skin.front.reshape(-1))
    return displacement(head.identity, head.skull.levels, expression, *flat).reshape(skin.rest.shape)


def test_the_mesh_is_finite_and_its_triangles_index_it(head):
    vertices = np.concatenate([part.rest.reshape(-1, 3) for part in head.parts])
    assert np.isfinite(vertices).all()
    assert head.triangles.dtype == np.uint32
    assert head.triangles.max() == len(vertices) - 1
    assert all(part.rest.shape[:2] == part.coords.shape[:2] == part.front.shape for part in head.parts)


def test_falling_hair_hides_the_ears(head):
    kinds = [part.kind for part in head.parts]
    assert kinds[0] == SKIN
    assert kinds[-1] == HAIR
    assert kinds.count(EAR) == (0 if head.appearance.style in FALLING else 2)


def test_landmarks_lie_on_the_surface_and_the_nose_is_its_foremost_point(head):
    skin = head.parts[0].rest[head.parts[0].front > 0.5]
    for landmark in head.landmarks:
        assert np.linalg.norm(skin - landmark, axis=1).min() < 2.5
    near = skin[np.abs(skin[:, 0]) < 20]
    assert near[:, 2].max() == pytest.approx(head.landmarks[2, 2], abs=0.7)


def test_the_eyes_are_as_far_apart_as_the_identity_says(head):
    assert np.linalg.norm(head.landmarks[0] - head.landmarks[1]) == pytest.approx(
        head.identity["interpupillary"], abs=1.0
    )


def test_neutral_moves_nothing(head):
    assert not moved(head, Expression()).any()


@pytest.mark.parametrize("name", [name for name in EXPRESSIONS if name != "neutral"])
def test_expressions_move_the_mouth_and_not_the_skull(head, name):
    shift = np.linalg.norm(moved(head, EXPRESSIONS[name]), axis=-1)
    rest = head.parts[0].rest
    cranium = (rest[..., 1] > 60) | (rest[..., 2] < -20)
    mouth = (np.abs(rest[..., 0]) < 35) & (np.abs(rest[..., 1] - head.skull.levels.stomion) < 12) & (rest[..., 2] > 60)
    assert shift[cranium].max() < 0.1
    assert shift[mouth].max() > 1.0


def test_an_open_jaw_parts_the_lips(head):
    shift = moved(head, Expression(jaw=12.0))
    coords, stomion = head.parts[0].coords, head.skull.levels.stomion
    middle = (np.abs(coords[..., 0]) < 6) & (head.parts[0].front > 0.5)
    lower = middle & (np.abs(coords[..., 1] - stomion + 4) < 1.5)
    upper = middle & (np.abs(coords[..., 1] - stomion - 4) < 1.5)
    assert shift[lower][:, 1].max() < -7.0
    assert shift[upper][:, 1].min() > -0.5


def test_a_smile_lifts_and_spreads_both_corners(head):
    mouth = head.landmark_coords[3:], head.landmarks[3:], np.ones(2)
    left, right = displacement(head.identity, head.skull.levels, Expression(smile=6.0), *mouth)
    assert left[0] < -2 < 2 < right[0]
    assert min(left[1], right[1]) > 2


def test_smooth_max_is_the_maximum_away_from_the_joint_and_never_below_it():
    a, b = np.array([0.0, 5.0, 1.0]), np.array([10.0, -5.0, 1.0])
    joined = smooth_max(a, b, 2.0)
    assert np.array_equal(joined[:2], [10.0, 5.0])
    assert joined[2] == 1.5


def test_smooth_step_falls_where_its_ends_are_swapped():
    assert smooth_step(np.array([0.0, 1.0, 0.5]), 1.0, 0.0).tolist() == [1.0, 0.0, 0.5]
