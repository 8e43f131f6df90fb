"""An occluder in a colour image: lit as the face is, whatever its skin, and nothing changed beside it."""

from dataclasses import replace

import numpy as np
import pytest
from cover_toys import INTRINSICS, SHAPE, TO_FACE, ball_color, ball_depth, ball_view, patch
from scipy.ndimage import distance_transform_edt, gaussian_filter

from face3d_data.wear.cover import Covered, View, cover
from face3d_data.wear.light import to_linear


def covered_by(view: View, occluder, seed: int = 0, **options) -> Covered:
    return cover(view, occluder, np.random.default_rng(seed), **options)


def lit_ball(albedo: float = 0.35, ambient: float = 0.4, lamp=(0.0, 0.0, -0.6), grain: float = 0.0) -> View:
    true = ball_depth()
    color = ball_color(true, albedo, (ambient, lamp), grain)
    return View(TO_FACE, color=color, depth=true, intrinsics=INTRINSICS)


def inside(made: Covered, deep_px: float = 4) -> np.ndarray:
    return distance_transform_edt(made.silhouette) > deep_px


@pytest.mark.parametrize("softening_px", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_nothing_changes_farther_out_than_the_softening(softening_px):
    view = lit_ball()
    made = covered_by(view, patch(), softening_px=softening_px)
    beyond = distance_transform_edt(~made.silhouette) > softening_px
    assert (made.color[beyond] == view.color[beyond]).all()
    changed = (made.color != view.color).any(axis=2)
    assert changed[inside(made, 1)].mean() > 0.99
    outside = changed & ~made.silhouette
    assert outside.any() == (softening_px >= 1)


def test_the_outline_is_soft():
    made = covered_by(lit_ball(), patch(), softening_px=1.5)
    row = to_linear(made.color)[106, :, 1]
    steps = np.abs(np.diff(row))
    edge = np.flatnonzero(np.diff(made.silhouette[106].astype(int)))
    for at in edge:
        assert steps[at - 3 : at + 4].max() < 0.75 * abs(row[at + 4] - row[at - 3])


@pytest.mark.parametrize("albedo", [0.06, 0.12, 0.3, 0.55])
def test_white_cloth_is_white_on_every_skin(albedo):
    white = patch((20, 15), (0, 0), paint=lambda part, _: np.full((len(part), 3), 0.82, np.float32))
    made = covered_by(lit_ball(albedo), white)
    shown = made.color[inside(made)].mean(axis=0)
    assert (shown > 200).all()
    assert (shown < 253).all()
    assert np.ptp(shown) < 3


@pytest.mark.parametrize("toward", [(-0.5, 0, -0.3), (0.5, 0, -0.3), (0, -0.5, -0.3), (0.35, -0.35, -0.3)])
def test_cloth_is_bright_where_the_lamp_is(toward):
    made = covered_by(lit_ball(lamp=toward), patch((35, 30), (0, 0)))
    v, u = np.nonzero(inside(made))
    light = to_linear(made.color[v, u])[:, 1]
    design = np.column_stack([np.ones(len(u)), u - 99.5, v - 99.5])
    slope = np.linalg.lstsq(design, light, rcond=None)[0][1:]
    wanted = np.array(toward[:2]) / np.linalg.norm(toward[:2])
    assert slope @ wanted / np.linalg.norm(slope) > 0.95


def test_shading_has_the_contrast_of_the_skin_s():
    view = lit_ball(lamp=(-0.5, 0, -0.3))
    made = covered_by(view, patch((35, 30), (0, 0), off_mm=2))
    left, right = (np.s_[90:110, 82:88], np.s_[90:110, 111:117])
    assert inside(made)[left].all()
    assert inside(made)[right].all()
    bare = to_linear(view.color[left]).mean() / to_linear(view.color[right]).mean()
    worn = to_linear(made.color[left]).mean() / to_linear(made.color[right]).mean()
    assert worn == pytest.approx(bare, rel=0.25)


def test_a_dark_cloth_is_darker_than_a_light_one_by_its_albedo():
    def shown(albedo: float) -> float:
        made = covered_by(
            lit_ball(), patch(paint=lambda part, _: np.full((len(part), 3), albedo, np.float32)), softening_px=0
        )
        return float(to_linear(made.color[inside(made)]).mean())

    assert shown(0.1) / shown(0.4) == pytest.approx(0.25, abs=0.02)


def test_paint_lies_where_its_coordinates_are():
    def half(part, coords):
        return np.where(coords[:, :1] > 0, np.float32([[0.8, 0.1, 0.1]]), np.float32([[0.1, 0.1, 0.8]]))

    made = covered_by(lit_ball(), patch(centre_mm=(0, 0), paint=half))
    deep = inside(made)
    assert (made.color[:, 104:, 0][deep[:, 104:]] > made.color[:, 104:, 2][deep[:, 104:]] + 60).all()
    assert (made.color[:, :96, 2][deep[:, :96]] > made.color[:, :96, 0][deep[:, :96]] + 60).all()


def test_a_lens_lets_the_face_through():
    def black(part, coords):
        return np.zeros((len(part), 3), np.float32)

    view = lit_ball()
    for opacity in (0.2, 0.8):
        made = covered_by(view, patch(see_through=(opacity,), paint=black), softening_px=0)
        deep = inside(made)
        assert deep.any()
        dimmed = to_linear(made.color[deep]) / to_linear(view.color[deep])
        assert dimmed.mean() == pytest.approx(1 - opacity, abs=0.02)
        assert (made.depth == view.depth).all() == (opacity < 0.5)


def test_grain_is_the_image_s_own():
    for grain in (0.0, 2.0, 5.0):
        made = covered_by(lit_ball(grain=grain), patch((50, 45), (0, 0)))
        deep = inside(made, 14)
        high = made.color[..., 1].astype(float) - gaussian_filter(made.color[..., 1].astype(float), 3)
        assert high[deep].std() == pytest.approx(grain, rel=0.25, abs=0.6)


def test_an_occluder_shades_itself_beside_what_stands_out():
    flat = patch((35, 30), (0, 0), n=141)
    x, y = flat.coords.T
    wall = np.exp(-(((x - 4) / 2.0) ** 2)) * 12.0 * (np.abs(y) < 25)
    ridge = replace(flat, vertices=(flat.vertices + np.column_stack([0 * x, 0 * x, wall])).astype(np.float32))
    view = lit_ball(lamp=(0.55, 0, -0.3))
    plain, made = covered_by(view, flat), covered_by(view, ridge)
    behind = np.s_[90:110, 92:97]  # on the side away from the lamp
    before = np.s_[90:110, 122:126]
    lost = to_linear(made.color[behind]).mean() / to_linear(plain.color[behind]).mean()
    assert lost < 0.8
    assert to_linear(made.color[before]).mean() / to_linear(plain.color[before]).mean() > 0.9


def skin_of_the_ball() -> tuple[np.ndarray, np.ndarray]:
    whole = patch((79.0, 79.0), (0, 0), off_mm=0, n=81)
    return whole.vertices, whole.triangles


def test_without_depth_the_skin_gives_the_light():
    view = lit_ball(lamp=(-0.5, 0, -0.3))
    alone = replace(view, depth=None, skin=skin_of_the_ball())
    assert np.array(alone.light.toward) @ np.array(view.light.toward) > 0.95
    with_depth, without = covered_by(view, patch()), covered_by(alone, patch())
    deep = inside(with_depth)
    assert np.abs(with_depth.color[deep].mean(axis=0) - without.color[deep].mean(axis=0)).max() < 12
    assert without.depth is None
    assert (without.silhouette == with_depth.silhouette).mean() > 0.999


def test_an_image_in_which_nothing_is_known_is_painted_all_the_same():
    made = covered_by(View(TO_FACE, color=np.zeros((*SHAPE, 3), np.uint8), intrinsics=INTRINSICS), patch())
    assert made.silhouette.any()
    assert made.color[inside(made)].mean() > 60
    assert made.points is None
    assert made.occlusion is None


def test_depth_noise_does_not_reach_the_colour():
    quiet, loud = (covered_by(ball_view(sigma_mm=s, points=None), patch()) for s in (0.0, 1.5))
    deep = inside(quiet) & inside(loud)
    assert np.abs(quiet.color[deep].astype(int) - loud.color[deep]).mean() < 4
