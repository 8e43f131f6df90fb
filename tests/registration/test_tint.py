"""Colour of skin and cloth: shading is no difference, another hue is; what is worn tightly is noticed by it."""

import numpy as np
import pytest

from face3d_data.geometry.surface import sample_surface
from face3d_data.registration.template import REGIONS, own_template
from face3d_data.registration.tint import off_skin, tints
from face3d_data.sample import Sample
from face3d_data.stages.register import Register

SKIN, CLOTH = np.array([0.55, 0.33, 0.25]), np.array([0.30, 0.45, 0.62])


def seen(albedo, light):
    """Return sRGB u1 (N, 3) of an albedo under light (N,)."""
    return np.rint(255 * np.clip(np.asarray(light)[:, None] * albedo, 0, 1) ** (1 / 2.2)).astype(np.uint8)


def test_shade_is_no_other_skin_and_cloth_is():
    light = np.linspace(0.4, 1.4, 200)
    skin = tints(seen(SKIN, light))
    assert off_skin(tints(seen(SKIN, light * 0.8)), skin).max() < 1.5
    assert off_skin(tints(seen(CLOTH, light)), skin).min() > 4
    assert off_skin(tints(seen(np.full(3, 0.02), light)), skin).min() > 3
    assert off_skin(skin, skin[:10]) is None


def test_skin_that_a_cap_shades_does_not_make_a_mask_of_the_rest():
    light = np.linspace(0.4, 1.0, 200)
    shaded = tints(seen(SKIN, light * 0.2))
    assert off_skin(tints(seen(SKIN, light)), shaded).max() < 3
    assert off_skin(tints(seen(CLOTH, light)), shaded).min() > 3


def points_of(worn: str) -> Sample:
    template = own_template()
    made = sample_surface(template.vertices, template.triangles, 14_000)
    keep = made.normals[:, 2] > 0.2
    points, normals = made.points[keep].astype(np.float32), made.normals[keep]
    light = 0.5 + 0.6 * np.clip(normals @ [0.3, 0.5, 0.8], 0, 1)
    colors = seen(SKIN, light)
    if worn == "mask":
        below = points[:, 1] < 10
        colors[below] = seen(CLOTH, light)[below]
        points[below, 2] += 0.8
    if worn == "beard":
        apart = np.linalg.norm(points[:, None] - template.vertices[None, ::4], axis=2).argmin(axis=1)
        names = [REGIONS.index(name) for name in ("mouth", "chin", "jaw", "under_chin")]
        hairy = np.isin(template.regions[::4][apart], names)
        colors[hairy] = seen(np.array([0.05, 0.04, 0.03]), light)[hairy]
    return Sample.of({"points": points, "point_colors": colors})


@pytest.mark.slow
@pytest.mark.parametrize(("worn", "noticed"), [("mask", True), ("beard", False), ("", False)])
def test_a_tight_mask_is_noticed_by_its_colour_and_a_beard_is_none(worn, noticed):
    sample = points_of(worn)
    out = Register().apply(sample)
    assert out.tags["registered_worn"] is noticed
    low = (own_template().vertices[:, 1] < -10) & (np.abs(own_template().vertices[:, 0]) < 30)
    assert bool(out.arrays["vertex_visible"][low].mean() < 0.05) is noticed
    if worn == "mask":
        assert Register().apply(sample.without("point_colors")).tags["registered_worn"] is False
