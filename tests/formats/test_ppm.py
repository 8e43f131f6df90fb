"""`.ppm`: a picture typed by hand, and every place at which one can be cut or wrong."""

import numpy as np
import pytest
from write_frgc import write_ppm

from face3d_data.errors import Unreadable
from face3d_data.formats.ppm import read_ppm, read_ppm_size

BY_HAND = b"P6 2\n1\n255\n" + bytes([1, 2, 3, 253, 254, 255])  # magic, width, height, largest value, then R G B R G B


def refused(path, read=read_ppm):
    with pytest.raises(Unreadable) as caught:
        read(path)
    assert caught.value.reason == "unreadable"
    assert path.name in caught.value.detail
    return caught.value.detail


@pytest.mark.parametrize("header", [b"P6 2\n1\n255\n", b"P6\n# made by hand\n2 1\n#\n255\n", b"P6\r\n2\t1\r\n255 "])
def test_pictures_typed_by_hand(tmp_path, header):
    path = tmp_path / "a.ppm"
    path.write_bytes(header + BY_HAND[-6:])
    assert read_ppm(path).tolist() == [[[1, 2, 3], [253, 254, 255]]]
    assert read_ppm_size(path) == (2, 1)


def test_a_picture_cut_anywhere_is_refused(tmp_path):
    path = tmp_path / "a.ppm"
    for at in range(len(BY_HAND)):
        path.write_bytes(BY_HAND[:at])
        for read in (read_ppm, read_ppm_size):
            refused(path, read)
    assert "byte 16: the picture is truncated before byte 17" in refused(path)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"P3 2 1 255\n", "expected a binary colour picture"),
        (b"P5 2 1 255\n", "expected a binary colour picture"),
        (b"P6 0 1 255\n", "not a PPM picture"),
        (b"P6 2 1 65535\n", "with values up to 255"),
        (b"P6 2 1 0\n", "maxval must be greater than 0"),
        (b"P6 999999 999999 255\n", "the picture is truncated before byte 2999994000024"),
        (b"P6 -2 1 255\n", "not a PPM picture"),
        (b"GIF89a", "not a PPM picture"),
    ],
)
def test_absurd_headers_are_refused(tmp_path, header, said):
    path = tmp_path / "a.ppm"
    path.write_bytes(header + BY_HAND[-6:])
    assert said in refused(path)


def test_what_is_written_is_read(tmp_path):
    color = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    write_ppm(tmp_path / "a.ppm", color)
    assert np.array_equal(read_ppm(tmp_path / "a.ppm"), color)
