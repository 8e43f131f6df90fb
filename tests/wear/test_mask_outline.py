"""The outline of a worn mask: maps between cloth and face, and how it is worn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from face3d_data.wear.head_map import mean_head, unroll
from face3d_data.wear.mask_draw import WORN, MaskDraw
from face3d_data.wear.mask_outline import WornOutline
from face3d_data.wear.mask_style import mask_styles
from face3d_data.wear.skin import mean_skin

STYLES = mask_styles()


def worn(style="surgical", **draw):
    return WornOutline(STYLES[style], MaskDraw(style, **draw), mean_skin())


def covers(mask, landmark):
    """Whether a point of the mean head lies under the mask."""
    return mask.inward_mm(mask.to_cloth(unroll(landmark[None].astype(np.float64))[0]))[0] > 0


@pytest.mark.slow
@given(
    how=st.sampled_from(WORN), tilt=st.floats(-10, 10), size=st.floats(0.9, 1.1), side=st.sampled_from([-1, 1]),
    x=st.floats(-90, 90), y=st.floats(-100, 30),
)  # fmt: skip
def test_cloth_and_person_maps_undo_each_other(how, tilt, size, side, x, y):
    mask = worn(worn=how, tilt_deg=tilt, size=size, side=side)
    place = np.array([x, y])
    np.testing.assert_allclose(mask.to_cloth(mask.to_person(place)), place, atol=1e-6)


@pytest.mark.parametrize("style", STYLES)
def test_the_outline_passes_through_the_styles_places_and_is_symmetric(style):
    mask = worn(style)
    places = np.array(STYLES[style].outline, np.float64)
    np.testing.assert_allclose(mask.inward_mm(places), 0, atol=0.35)  # read off 240 angles
    np.testing.assert_allclose(mask.share(places), 1, atol=0.005)
    np.testing.assert_allclose(mask.inward_mm(places * [-1, 1]), mask.inward_mm(places), atol=1e-9)
    edge = mask.outline()
    np.testing.assert_allclose(mask.inward_mm(edge), 0, atol=1e-6)
    np.testing.assert_allclose(mask.to_outline(0.4 * edge + 0.6 * mask.centre), edge, atol=1e-6)


def test_inward_distance_is_that_of_the_nearest_place_of_the_outline():
    mask = worn()
    edge = mask.outline(n=4000)
    inside = mask.outline(share=0.96, n=57)
    nearest = np.linalg.norm(inside[:, None] - edge, axis=-1).min(axis=1)
    np.testing.assert_allclose(mask.inward_mm(inside), nearest, atol=0.15)
    assert (mask.inward_mm(mask.outline(share=1.05, n=57)) < 0).all()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("how", "nose", "mouth", "chin"),
    [("proper", True, True, True), ("below_nose", False, True, True), ("below_mouth", False, False, True)],
)
def test_what_each_way_of_wearing_covers(style, how, nose, mouth, chin):
    head, mask = mean_head(), worn(style, worn=how)
    assert covers(mask, head.landmarks[2]) == nose
    assert [covers(mask, head.landmarks[i]) for i in (3, 4)] == [mouth, mouth]
    assert covers(mask, head.chin) == chin
    assert not covers(mask, head.landmarks[0])
    assert not covers(mask, head.landmarks[1])


@pytest.mark.parametrize("side", [-1, 1])
def test_a_mask_on_one_ear_hangs_at_that_side(side):
    mask = worn(worn="one_ear", side=side)
    edge = mask.to_person(mask.outline())
    assert np.sign(edge[:, 0].mean()) == side
    assert not covers(mask, mean_head().landmarks[2])


def test_size_and_tilt_act_about_the_masks_middle():
    plain, large, tilted = (worn(**draw).to_person(worn().outline()) for draw in ({}, {"size": 1.1}, {"tilt_deg": 5}))
    middle = worn().to_person(worn().centre)
    np.testing.assert_allclose(large - middle, 1.1 * (plain - middle), atol=1e-9)
    turned = (plain - middle) @ np.array(
        [[np.cos(np.deg2rad(5)), np.sin(np.deg2rad(5))], [-np.sin(np.deg2rad(5)), np.cos(np.deg2rad(5))]]
    )
    np.testing.assert_allclose(tilted - middle, turned, atol=1e-9)
