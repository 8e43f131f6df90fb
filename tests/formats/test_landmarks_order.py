"""Which of a pair of landmarks is left in the image."""

import numpy as np
import pytest

from face3d_data.formats.landmarks import left_in_image_first

FACE = np.array([[-30.0, -30], [30, -30], [0, 0], [-20, 30], [20, 30]])
"""Left eye, right eye, nose, mouth corners of an upright face, x to the right, y down."""
SWAPPED = FACE[[1, 0, 2, 4, 3]]


@pytest.mark.parametrize("degrees", [0, 40, 90, 180, 270])
def test_the_persons_left_becomes_the_images_left_however_the_image_is_turned(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[c, -s], [s, c]])
    for points in (FACE, SWAPPED):
        assert np.allclose(left_in_image_first(points @ turn.T), FACE @ turn.T)


def test_what_is_unknown_stays_so():
    for unknown in ([2], [0], [3, 4], [0, 1], [0, 1, 2], [0, 1, 3], [0, 1, 2, 3, 4]):
        face = FACE.copy()
        face[unknown] = np.nan
        known = [i for i in range(5) if i not in unknown]
        assert np.array_equal(left_in_image_first(face), face, equal_nan=True)
        if {0, 1} <= set(known):
            assert np.array_equal(left_in_image_first(face[[1, 0, 2, 3, 4]]), face, equal_nan=True)


def test_the_argument_is_not_changed_and_z_goes_along():
    points = np.column_stack([SWAPPED, [1, 2, 3, 4, 5]]).astype(np.float32)
    before = points.copy()
    assert left_in_image_first(points)[:, 2].tolist() == [2, 1, 3, 5, 4]
    assert np.array_equal(points, before)
