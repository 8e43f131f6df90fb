"""Parts of a face on a map."""

import numpy as np
import pytest

from face3d_data.geometry.face_parts import PARTS, part_cells, visible_shares
from face3d_data.geometry.surface_map import MapGrid

GRID = MapGrid(2.0, 64, 64, -64.0, 66.0)


def test_upper_and_lower_make_the_whole_and_the_nose_reaches_into_both():
    upper, nose, lower, whole = part_cells(GRID)
    assert np.array_equal(upper | lower, whole)
    assert not (upper & lower).any()
    assert (nose & upper).any()
    assert (nose & lower).any()
    assert not (nose & ~whole).any()
    assert np.array_equal(whole, whole[:, ::-1]), "the mirrored face has the same parts"
    x, y = np.meshgrid(GRID.x_mm(), GRID.y_mm())
    assert nose[(np.abs(x) < 3) & (np.abs(y) < 3)].all()
    assert np.pi * 58 * 65 / 4 == pytest.approx(whole.sum(), rel=0.02)


def test_shares_are_means_over_the_cells_of_a_part():
    cells = part_cells(GRID)
    seen = np.random.default_rng(0).random((64, 64)) < 0.7
    occluded = np.random.default_rng(1).random((64, 64)).astype(np.float32)
    found = visible_shares(cells, seen, occluded)
    assert found.dtype == np.float32
    for share, part in zip(found, cells, strict=True):
        assert share == pytest.approx(np.mean([s * (1 - o) for s, o in zip(seen[part], occluded[part], strict=True)]))
    assert visible_shares(cells, seen) == pytest.approx([seen[part].mean() for part in cells])
    away = part_cells(MapGrid(2.0, 8, 8, 200.0, 66.0))
    assert visible_shares(away, np.ones((8, 8), bool)).tolist() == [0] * len(PARTS)
