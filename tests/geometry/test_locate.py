"""The search for a face, against the exhaustive one; what may be a nose tip, against its definition."""

import numpy as np
import pytest
from scans import face_scan
from scipy.spatial.transform import Rotation

from face3d_data.geometry import nose_tips as tips
from face3d_data.geometry.align import refine
from face3d_data.geometry.locate import UPRIGHT, _measured, _turns, locate_face
from face3d_data.geometry.mean_face import mean_face
from face3d_data.synthetic.capture import render_capture


def exhaustive(points):
    """Return the best score of fits of all points from every place that may be a nose tip, from every direction."""
    face, best = mean_face(), 0.0
    for turn in _turns():
        rotation = turn @ UPRIGHT
        for tip in tips.nose_tips(points.astype(np.float64) @ rotation.T):
            motion = np.eye(4)
            motion[:3, :3], motion[:3, 3] = rotation, face.landmarks[2] - tip
            best = max(best, _measured(points, refine(points, face, motion), face).score)
    return best


def turned(points, *angles_deg):
    middle = points.mean(axis=0)
    rotation = Rotation.from_euler("yxz", angles_deg, degrees=True).as_matrix()
    return ((points - middle) @ rotation.T + middle).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("angles_deg", [(0, 0, 0), (55, 0, 0), (-40, 20, 15), (0, -30, -20)])
@pytest.mark.parametrize("person", range(2))
def test_the_search_finds_what_the_exhaustive_one_finds(person, angles_deg):
    noise = np.random.default_rng(person).normal(0, 1.0, face_scan(person, 0).points.shape)
    points = turned((face_scan(person, 0).points + noise)[::2], *angles_deg)
    assert locate_face(points).score > exhaustive(points) - 0.05


@pytest.mark.slow
def test_a_noisy_wall_behind_does_not_hide_the_face():
    made = render_capture(5, 1, 0, width=160, height=120)
    rng, fx = np.random.default_rng(0), made["intrinsics"][0]
    v, u = np.mgrid[:240, :320]
    depth = np.where(rng.random(v.shape) < 0.5, 1700.0, 1600.0)
    wall = np.stack([(u - 159.5) / fx * depth, (v - 119.5) / fx * depth, depth], axis=-1).reshape(-1, 3)
    (row, column), (_, fy, cx, cy) = np.nonzero(made["depth"]), made["intrinsics"]
    z = made["depth"][row, column]
    head = np.stack([(column - cx) / fx * z, (row - cy) / fy * z, z], axis=-1)
    found = locate_face(np.concatenate([wall, head]).astype(np.float32))
    assert np.linalg.norm(found.landmarks - made["landmarks_3d"], axis=1).max() < 15


def naive_tips(points):
    """Return what may be nose tips by comparing each cell with every other, those that stand out most first."""
    cells = {}
    low = points[:, :2].min(axis=0)
    for point in points:
        cell = tuple(((point[:2] - low) // tips.CELL_MM).astype(int).tolist())
        if cell not in cells or point[2] >= cells[cell][2]:
            cells[cell] = point
    found = []
    for (x, y), point in cells.items():
        around = [other[2] for (a, b), other in cells.items() if max(abs(a - x), abs(b - y)) <= tips.PEAK_CELLS]
        apart = [(np.hypot(a - x, b - y) * tips.CELL_MM, other[2]) for (a, b), other in cells.items()]
        ring = [z for mm, z in apart if tips.RING_MM[0] <= mm <= tips.RING_MM[1]]
        out = point[2] - np.median(ring) if len(ring) >= tips.FEWEST_ROUND else 0.0
        if point[2] >= max(around) and tips.STANDS_OUT_MM[0] <= out <= tips.STANDS_OUT_MM[1]:
            found.append((out, point))
    by_out = sorted(found, key=lambda one: (-one[0], -one[1][2]))[: tips.PEAKS]
    foremost = sorted(found, key=lambda one: (-one[1][2], -one[0]))[: tips.FOREMOST]
    return np.array(list(dict.fromkeys(tuple(point.tolist()) for _, point in by_out + foremost))).reshape(-1, 3)


@pytest.mark.parametrize("seed", range(4))
def test_nose_tips_are_the_foremost_that_stand_out(seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 260, (1500, 3)) * np.array([1, 1, 0.02])
    for middle in rng.uniform(0, 260, (25, 2)):
        points[:, 2] += rng.uniform(-20, 60) * np.exp(-((points[:, :2] - middle) ** 2).sum(1) / 300)
    expected = naive_tips(points)
    assert len(expected) >= 3
    np.testing.assert_array_equal(tips.nose_tips(points), expected)


def test_a_plane_has_no_nose_and_a_reading_far_aside_needs_no_memory():
    x, y = np.meshgrid(np.arange(0.0, 300, 5), np.arange(0.0, 300, 5))
    plane = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    assert len(tips.nose_tips(plane)) == 0
    plane[1830, 2] = 20.0
    far = np.concatenate([plane, [[1e9, -1e9, 0.0]]])
    np.testing.assert_array_equal(tips.nose_tips(far), plane[[1830]])
