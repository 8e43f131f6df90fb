"""Infrared images as 8-bit grey."""

import numpy as np
import pytest

from face3d_data.errors import Unreadable
from face3d_data.formats.infrared import read_infrared, stretch
from face3d_data.testing.write import write_image


def test_percentiles_become_black_and_white():
    values = np.arange(1, 102, dtype=np.uint16).reshape(1, 101)  # percentiles 1 and 99: 2 and 100
    got = stretch(values)[0]
    assert (got[0], got[1], got[50], got[99], got[100]) == (0, 0, 128, 255, 255)


def test_a_reflex_does_not_darken_the_face():
    values = np.full((50, 50), 1000, np.uint16)
    values[:, :25] = 500
    dark = stretch(values)
    values[0, 0] = 65535
    assert np.array_equal(stretch(values)[1:], dark[1:])


def test_even_and_empty_images_are_no_fault():
    assert stretch(np.zeros((2, 2), np.uint16)).tolist() == [[0, 0], [0, 0]]
    assert stretch(np.array([[0, 7]], np.uint16)).tolist() == [[0, 255]]


def test_eight_bits_are_left_as_they_are(tmp_path):
    image = np.array([[3, 200]], np.uint8)
    write_image(tmp_path / "a.png", image)
    assert np.array_equal(read_infrared(tmp_path / "a.png"), np.repeat(image[..., None], 3, 2))
    write_image(tmp_path / "b.png", image.astype(np.uint16) * 100)
    assert read_infrared(tmp_path / "b.png").tolist() == [[[0, 0, 0], [255, 255, 255]]]
    (tmp_path / "c.png").write_bytes((tmp_path / "b.png").read_bytes()[:-20])
    with pytest.raises(Unreadable, match="unreadable"):
        read_infrared(tmp_path / "c.png")
