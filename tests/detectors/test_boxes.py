import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.detectors.boxes import clip, overlap, refine_boxes, suppress, to_square


def random_boxes(n, seed):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 60, (n, 2))
    return np.hstack([corner, corner + rng.uniform(5, 40, (n, 2))])


def naive_overlap(a, b, smaller):
    common = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    area_a, area_b = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    return common / (min(area_a, area_b) if smaller else area_a + area_b - common)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 40), st.integers(0, 2**32 - 1), st.floats(0.1, 0.9), st.booleans())
def test_suppress_equals_two_plain_loops(n, seed, threshold, smaller):
    boxes = random_boxes(n, seed)
    want = [all(naive_overlap(boxes[j], boxes[i], smaller) <= threshold for j in range(i)) for i in range(n)]
    assert suppress(boxes, threshold, smaller).tolist() == want


def test_suppress_is_the_same_in_blocks(monkeypatch):
    boxes = random_boxes(300, 5)
    whole = suppress(boxes, 0.4)
    monkeypatch.setattr("face3d_data.detectors.boxes._BLOCK", 7)
    np.testing.assert_array_equal(suppress(boxes, 0.4), whole)
    assert 1 < whole.sum() < 300


def test_a_box_is_dropped_by_a_better_one_that_is_itself_dropped():
    boxes = np.array([[0, 0, 10, 10], [3, 0, 13, 10], [6, 0, 16, 10]], float)
    assert suppress(boxes, 0.5).tolist() == [True, False, False]


def test_overlap_of_halves():
    whole, half = np.array([[0, 0, 10, 10.0]]), np.array([[0, 0, 5, 10.0]])
    assert overlap(whole, half)[0, 0] == pytest.approx(0.5)
    assert overlap(whole, half, smaller=True)[0, 0] == pytest.approx(1.0)


def test_to_square_keeps_the_centre():
    assert to_square(np.array([[0, 10, 20, 50.0]])).tolist() == [[-10, 10, 30, 50]]


def test_refine_counts_both_edge_pixels():
    assert refine_boxes(np.array([[0, 0, 9, 19.0]]), np.array([[0.1, 0.1, -0.1, -0.1]])).tolist() == [[1, 2, 8, 17]]


def test_clip_keeps_to_the_pixels():
    assert clip(np.array([[-3, 5, 700, 481.0]]), 480, 640).tolist() == [[0, 5, 639, 479]]
