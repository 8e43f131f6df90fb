"""The mask's surface: never below the skin, on it along the rim, taut over hollows, with its style's relief."""

import numpy as np
import pytest

from face3d_data.wear.head_map import CENTRE, grid_ab, map_mesh, mean_head, roll_up, sample_map, unroll
from face3d_data.wear.mask_draw import WORN, MaskDraw, MaskRanges, draw_mask
from face3d_data.wear.mask_style import mask_styles
from face3d_data.wear.mask_surface import build_mask
from face3d_data.wear.skin import fit_skin, mean_skin

STYLES = mask_styles()


def made(style="surgical", skin=None, texture=None, **draw):
    own = STYLES[style]
    drawn = MaskDraw(style, **{"color": next(iter(own.colors)), "pattern": own.patterns[0], "seed": 5} | draw)
    return build_mask(skin or mean_skin(), own, drawn, texture)


def cloth_of(mask):
    """Radii of the cloth's vertices and where they are in the plane."""
    used = np.unique(mask.triangles[mask.part == 0])
    return unroll(mask.vertices[used])


@pytest.mark.parametrize("style", ["surgical", "cloth", "n95"])
def test_the_stand_off_is_kept_wherever_the_cloth_is_off_its_rim(style):
    ridge = 6.0 * np.exp(-(((grid_ab()[..., 0] - 16.0) / 3.0) ** 2))  # narrow, as a nose wing
    places = np.stack(np.meshgrid(np.arange(-90, 90, 0.7), np.arange(-60, 100, 0.7)), -1).reshape(-1, 2)
    places = places.astype(np.float32)
    points = roll_up(places, sample_map((mean_head().radius + ridge).astype(np.float32), places))
    skin = fit_skin(points, mean_head().landmarks)
    mask = made(style, skin=skin, standoff_mm=2.0)
    ab, r = cloth_of(mask)
    inside = np.hypot(*(ab - unroll(mean_head().landmarks[2:3])[0][0] + [0, 40]).T) < 25  # round the mouth
    assert (r - sample_map(skin.guard, ab))[inside].min() > 1.99


@pytest.mark.parametrize("style", STYLES)
def test_slack_cloth_follows_the_face_and_taut_cloth_spans_it(style):
    floor = mean_skin().guard
    stands_off = []
    for taut in (0.0, 0.5, 1.0):
        ab, r = cloth_of(made(style, taut=taut, standoff_mm=1.5))
        stands_off.append(float(np.mean(r - sample_map(floor, ab))))
    assert stands_off == sorted(stands_off)
    assert stands_off[0] < stands_off[2] - 0.3
    # Its lowest stand-off holds for slack cloth, too.
    ab, r = cloth_of(made(style, taut=0.0, standoff_mm=1.5))
    assert (r - sample_map(floor, ab)).min() > 0.5


def test_a_wire_presses_slack_and_taut_cloth_to_the_nose():
    wired, loose = STYLES["surgical"], STYLES["surgical"].model_copy(update={"wire_mm": 0.0})
    drawn = MaskDraw("surgical", color="blue", seed=5, standoff_mm=1.5, taut=1.0)
    heights = {}
    for name, style in (("wired", wired), ("loose", loose)):
        mask = build_mask(mean_skin(), style, drawn)
        ab, r = cloth_of(mask)
        beside_nose = np.abs(ab[:, 1] - ab[:, 1].max()) < 14
        heights[name] = float(np.mean((r - sample_map(mean_skin().guard, ab))[beside_nose]))
    assert heights["wired"] < heights["loose"]


def rim_of(mask):
    """Indices of the cloth's vertices on its outline: ends of edges that one triangle alone has."""
    triangles = mask.triangles[mask.part == 0].astype(np.int64)
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    unique, count = np.unique(edges, axis=0, return_counts=True)
    return np.unique(unique[count == 1])


@pytest.mark.parametrize("how", WORN)
@pytest.mark.parametrize("style", STYLES)
def test_no_part_of_a_mask_lies_below_the_skin(style, how):
    skin = mean_skin()
    mask = made(style, worn=how, standoff_mm=1.2)
    ab, r = cloth_of(mask)
    assert (r - sample_map(skin.guard, ab)).min() > 0.3
    # Not only at vertices: rays through the skin's own vertices meet the mask outside of it.
    outwards = (map_mesh(skin.radius)[0] - CENTRE).astype(np.float32)
    rays = np.concatenate([np.broadcast_to(CENTRE.astype(np.float32), outwards.shape), outwards], axis=1)
    hits = mask.cast(rays)
    assert hits.found.sum() > 500
    assert ((hits.t[hits.found] - 1) * np.linalg.norm(outwards[hits.found], axis=1)).min() > 0


@pytest.mark.parametrize("style", STYLES)
def test_the_rim_lies_on_the_skin(style):
    mask = made(style, standoff_mm=2.0)
    ab, r = unroll(mask.vertices[rim_of(mask)])
    gap = r - sample_map(mean_head().radius, ab)
    assert gap.min() > 0.4
    assert np.median(gap) < 1.6
    assert gap.max() < 3.5


def test_cloth_spans_the_hollows_beside_the_nose_and_touches_nose_and_chin():
    skin, mask = mean_skin(), made("surgical", standoff_mm=1.5)
    ab, r = cloth_of(mask)
    gap = r - sample_map(skin.radius, ab)
    nose, mouth = unroll(mean_head().landmarks)[0][[2, 3]]
    chin = unroll(mean_head().chin[None])[0][0]

    def near(at, reach=6.0):
        return gap[np.hypot(*(ab - at).T) < reach]

    assert near(nose).min() < 2.5
    assert near(chin).min() < 5
    assert np.median(near([(nose[0] + mouth[0]) / 2, (nose[1] + mouth[1]) / 2])) > 4.5  # an offset copy: 1.5


def test_an_open_mouth_leaves_no_hole():
    """A pit of 15 mm between the lips is bridged: the cloth stays where it was within a millimetre or two."""
    ab = grid_ab()
    pit = 15.0 * ((np.abs(ab[..., 0]) < 18) & (np.abs(ab[..., 1] - 0) < 8))
    open_mouth = (mean_head().radius - pit).astype(np.float32)
    places = (
        np.stack(np.meshgrid(np.arange(-90, 90, 1.0), np.arange(-60, 100, 1.0)), -1).reshape(-1, 2).astype(np.float32)
    )
    skin = fit_skin(roll_up(places, sample_map(open_mouth, places)), mean_head().landmarks)
    closed, opened = made(), made(skin=skin)
    rays = np.concatenate(
        [
            np.broadcast_to(CENTRE, (400, 3)),
            roll_up(np.random.default_rng(0).uniform([-15, -6], [15, 6], (400, 2)), np.ones(400)) - CENTRE,
        ],
        axis=1,
    ).astype(np.float32)
    np.testing.assert_allclose(opened.cast(rays).t, closed.cast(rays).t, atol=2.0)


@pytest.mark.parametrize(("style", "part"), [("ffp2_valve", 2), ("respirator", 4)])
def test_valve_and_discs_stand_off_the_cloth(style, part):
    mask = made(style)
    assert mask.part.max() == part
    fitting = unroll(mask.vertices[np.unique(mask.triangles[mask.part == part])])[1]
    assert fitting.max() > cloth_of(mask)[1].mean() + 5


def test_relief_shows_in_the_normals():
    plain = STYLES["surgical"].model_copy(update={"pleats": None, "wire_mm": 0.0, "wrinkles_mm": 0.0, "hem_mm": 0.0})
    smooth = build_mask(mean_skin(), plain, MaskDraw("surgical", color="blue"))
    pleated = made("surgical")
    for height in STYLES["surgical"].pleats.heights:

        def lean(mask, at=height):
            chosen = (np.abs(mask.coords[:, 1] - at) < 2.1) & (np.abs(mask.coords[:, 0]) < 40)
            return mask.normals[chosen, 1].mean()

        assert lean(pleated) > lean(smooth) + 0.1  # a fold's upper side faces up


def test_colour_pattern_and_texture_are_painted_where_they_belong():
    blue = made("cloth_pattern", color="blue", pattern="plain")
    dots = made("cloth_pattern", color="blue", pattern="dots")
    at = np.random.default_rng(1).uniform([-60, -90], [60, 0], (3000, 2)).astype(np.float32)
    part = np.zeros(len(at), np.uint8)
    one, two = blue.paint(part, at), dots.paint(part, at)
    changed = (np.abs(one - two) > 0.02).any(axis=1).mean()
    assert 0.1 < changed < 0.5
    # A texture: its upper left quarter red and opaque, the rest clear.
    texture = np.zeros((40, 60, 4), np.uint8)
    texture[:20, :30] = (255, 0, 0, 255)
    painted = made("cloth_pattern", color="blue", pattern="plain", texture=texture).paint(part, at)
    inside = (at[:, 0] < -4) & (at[:, 1] > -35)
    outside = (at[:, 0] > 4) | (at[:, 1] < -45)
    assert (painted[inside, 0] > 0.6).all()
    assert (painted[inside, 1:] < 0.01).all()
    np.testing.assert_array_equal(painted[outside], one[outside])


def test_straps_run_to_both_ears_or_one():
    both, one = made(), made(worn="one_ear", side=-1)
    for mask, sides in ((both, {-1, 1}), (one, {-1})):
        straps = mask.vertices[np.unique(mask.triangles[mask.part == 1])]
        assert set(np.sign(straps[np.abs(straps[:, 0]) > 60, 0]).astype(int)) == sides
        ab, r = unroll(straps)
        np.testing.assert_allclose(r - sample_map(mean_skin().guard, ab), 1.6, atol=0.05)


def test_the_same_draw_gives_the_same_bytes():
    for a, b in zip(vars(made()).values(), vars(made()).values(), strict=False):
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)


def test_draws_keep_to_their_ranges_and_choices():
    rng = np.random.default_rng(3)
    for _ in range(200):
        draw = draw_mask(
            STYLES, {"surgical": 1, "cloth_pattern": 3}, {"proper": 1, "below_nose": 1}, rng,
            ranges=MaskRanges((1, 3), (-4, 2), (0.9, 1.0)), colors=["blue", "pink"], patterns=["dots"],
        )  # fmt: skip
        assert draw.style in ("surgical", "cloth_pattern")
        assert draw.worn in ("proper", "below_nose")
        assert draw.color in {"surgical": ("blue", "pink"), "cloth_pattern": ("blue",)}[draw.style]
        assert draw.pattern == ("dots" if draw.style == "cloth_pattern" else "plain")
        assert 1 <= draw.standoff_mm <= 3
        assert -4 <= draw.tilt_deg <= 2
        assert 0.9 <= draw.size <= 1
        assert draw.side in (-1, 1)
    assert set(draw.tags()) == {
        "mask", "mask_worn", "mask_color", "mask_pattern", "mask_standoff_mm", "mask_tilt_deg", "mask_size",
        "mask_side", "mask_seed",
    }  # fmt: skip


def test_straps_are_thin_and_go_under_hair_that_the_cloth_would_lie_over():
    mask = made("n95")
    rays = np.concatenate([np.broadcast_to(CENTRE, mask.vertices.shape), mask.vertices - CENTRE], axis=1)
    hits = mask.cast(rays.astype(np.float32))
    hits = hits.take(hits.found)
    slack = mask.slack(hits, 6.0)
    part = mask.part[hits.triangle]
    assert set(slack[part == 1]) == {2.0}
    assert set(slack[part == 0]) == {6.0}
    assert (
        build_mask(
            mean_skin(), STYLES["n95"].model_copy(update={"straps": "none"}), MaskDraw("n95", color="white")
        ).thin
        == ()
    )


def test_a_stiff_cup_shows_no_bump_of_the_nose():
    bump = 9.0 * np.exp(-(((grid_ab() - unroll(mean_head().landmarks[2:3])[0][0]) / 4.0) ** 2).sum(-1))
    places = np.stack(np.meshgrid(np.arange(-90, 90, 1.0), np.arange(-60, 100, 1.0)), -1).reshape(-1, 2)
    places = places.astype(np.float32)
    skin = fit_skin(
        roll_up(places, sample_map((mean_head().radius + bump).astype(np.float32), places)), mean_head().landmarks
    )
    ab, r = cloth_of(made("n95", skin=skin))
    line = np.abs(ab[:, 0]) < 0.5
    profile = r[line][np.argsort(ab[line, 1])]
    assert np.abs(np.diff(profile[4:-7], n=2)).max() < 0.8  # mm in 2 mm steps; 2.7 where the bump comes through
