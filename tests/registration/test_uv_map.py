"""UV maps hold what they are drawn of."""

import numpy as np

from face3d_data.registration.template import own_template
from face3d_data.registration.uv_map import uv_normals, uv_positions

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
