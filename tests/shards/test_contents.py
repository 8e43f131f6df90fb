"""Contents: equal for the same face, apart for another, whatever was done to axes and order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from face3d_data.shards import contents
from face3d_data.shards.contents import content_form, content_of, hash_rows


def test_bytes_tell_rows_apart_and_blank_ones_are_nobody():
    array = np.array([[1, 2], [1, 2], [2, 1], [7, 7]], "f4")
    one, two, three, blank = hash_rows(array, "depth")
    assert one == two != three
    assert len(one) == 16
    assert blank == b""


@given(st.integers(0, 2**32 - 1), st.sampled_from(["f4", "f2"]), st.integers(2, 60))
def test_order_and_signs_of_points_do_not_count_and_everything_else_does(seed, dtype, n):
    rng = np.random.default_rng(seed)
    cloud = rng.normal(0, 40, (n, 3)).astype(dtype)
    other = cloud[rng.permutation(n)] * np.array(rng.choice([-1, 1], 3), dtype)
    moved, fewer, doubled, turned = cloud.copy(), cloud[:-1], np.concatenate([cloud, cloud[:1]]), cloud[:, [1, 0, 2]]
    moved[rng.integers(n), rng.integers(3)] += np.asarray(0.5, dtype)
    (want,), (same,) = hash_rows(cloud[None], "points"), hash_rows(other[None], "points")
    assert same == want
    assert len(want) == 16
    for changed in (moved, fewer, doubled, turned):
        assert hash_rows(changed[None], "points") != [want]


@pytest.mark.parametrize("at_once", [1, 40, 10**6])
@pytest.mark.parametrize(
    ("field", "shape"), [("points", (7, 3)), ("depth", (4, 5)), ("points", (0, 3)), ("color", (2, 2, 3))]
)
def test_rows_hashed_together_have_the_hashes_of_each(monkeypatch, at_once, field, shape):
    monkeypatch.setattr(contents, "VALUES_AT_ONCE", at_once)
    array = np.random.default_rng(3).normal(0, 40, (9, *shape)).astype("u1" if field == "color" else "f4")
    array[4] = 0
    together = hash_rows(array, field)
    assert together == [one for row in array for one in hash_rows(row[None], field)]
    assert [len(one) for one in together] == ([0] * 9 if 0 in shape else [16] * 4 + [0] + [16] * 4)
    assert hash_rows(array[:0], field) == []


def test_minus_nothing_is_nothing():
    cloud = np.array([[[0.0, 1.0, 2.0], [3.0, 0.0, 4.0]]], "f4")
    assert hash_rows(cloud, "points") == hash_rows(cloud * np.float32(-1), "points")


def test_a_grid_keeps_its_order():
    grid = np.arange(24, dtype="f4").reshape(1, 2, 4, 3)
    assert hash_rows(grid, "grid") != hash_rows(grid[:, ::-1], "grid")


@pytest.mark.parametrize(
    ("field", "dtype", "normalize", "form"),
    [
        ("points", "f4", False, "points"),
        ("points", "f2", False, "points/f2"),
        ("points", "f4", True, "points/f4/unit"),
        ("color", "u1", True, "color"),
        ("depth", "f2", False, "depth/f2"),
    ],
)
def test_only_one_form_of_storage_is_compared(field, dtype, normalize, form):
    assert content_form(field, dtype, normalize) == form


def test_a_content_names_the_forms_in_order_and_leaves_out_what_shows_nothing():
    assert content_of({"points": b"\x01\x02", "color": b"", "depth": b"\xff"}) == "depth:ff points:0102"
