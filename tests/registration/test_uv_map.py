"""UV maps hold what they are drawn of."""

from dataclasses import replace

import numpy as np
import pytest

from face3d_data.registration.template import own_template
from face3d_data.registration.uv_map import _pixels, uv_normals, uv_positions

SIZE = 64


def test_positions_are_read_back_on_the_surface():
    template = own_template()
    image = uv_positions(template, template.vertices, SIZE)
    on = image.any(axis=2)
    assert 0.4 < on.mean() < 0.95
    points = (image[on].astype(np.float64) - 32768) / 128
    for point in points[::97]:
        assert np.linalg.norm(template.vertices - point, axis=1).min() < 4
    rows, columns = np.nonzero(on)
    place = np.argmin(np.abs(points[:, 1] - 60) + np.abs(points[:, 0]))
    assert rows[place] < SIZE / 2  # the forehead is up
    assert points[columns > SIZE * 0.8, 0].min() > 0


def test_normals_are_unit_and_look_forward():
    template = own_template()
    image = uv_normals(template, template.vertices, SIZE)
    normals = (image[image.any(axis=2)].astype(np.float64) - 32768) / 32767
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)  # between vertices, too
    assert (normals[:, 2] > 0).mean() > 0.95


def pixels_one_by_one(uv, triangles, size):
    """The slow way: every pixel in the box of every triangle; the last triangle has what several share."""
    flat = np.column_stack([uv[:, 0] * size - 0.5, (1 - uv[:, 1]) * size - 0.5])
    found = {}
    for corners in triangles:
        a, b, c = flat[corners]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        low, high = np.ceil(np.min([a, b, c], axis=0)), np.floor(np.max([a, b, c], axis=0))
        for row in range(max(0, int(low[1])), min(size - 1, int(high[1])) + 1):
            for column in range(max(0, int(low[0])), min(size - 1, int(high[0])) + 1):
                u = ((column - a[0]) * (c[1] - a[1]) - (row - a[1]) * (c[0] - a[0])) / area
                v = ((b[0] - a[0]) * (row - a[1]) - (b[1] - a[1]) * (column - a[0])) / area
                if u >= -1e-9 and v >= -1e-9 and u + v <= 1 + 1e-9:
                    found[row * size + column] = corners, (1 - u - v, u, v)
    places = sorted(found)
    return np.array(places), *(np.array([found[place][k] for place in places]) for k in (0, 1))


@pytest.mark.parametrize("size", [1, 7, 96])
def test_pixels_are_those_of_the_slow_way(size):
    template = own_template()
    for fast, slow in zip(
        _pixels(template, size), pixels_one_by_one(template.uv, template.triangles, size), strict=True
    ):
        assert np.array_equal(fast, slow)


def test_a_template_without_uv_says_so():
    template = replace(own_template(), uv=None)
    with pytest.raises(ValueError, match="has no UV coordinates"):
        uv_positions(template, template.vertices, SIZE)
