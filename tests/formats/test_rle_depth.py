"""Run-length coded depth images."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from write_biwi import write_runs

from face3d_data.errors import Unreadable
from face3d_data.formats.rle_depth import decode_rle_depth, read_rle_depth, read_rle_size

LITERAL = bytes.fromhex(
    "04000000"  # width 4
    "03000000"  # height 3
    "02000000 03000000"  # 2 empty, 3 full:
    "8403 8503 f401"  # 900, 901, 500 mm
    "05000000 01000000"  # 5 empty, 1 full:
    "ff7f"  # 32767 mm
    "01000000 00000000"  # 1 empty, none full
)
WANTED = [[0, 0, 900, 901], [500, 0, 0, 0], [0, 0, 32767, 0]]


def test_the_literal_is_read():
    depth = decode_rle_depth(LITERAL)
    assert depth.dtype == np.float32
    assert depth.tolist() == WANTED


def test_bytes_after_the_last_pixel_are_left_aside():
    assert decode_rle_depth(LITERAL + b"\x01\x02\x03").tolist() == WANTED


@pytest.mark.slow
@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_what_was_written_comes_back(tmp_path_factory, width, height, data):
    values = data.draw(st.lists(st.sampled_from([0, 0, 1, 700, 32767, -5]), min_size=width * height))
    image = np.array(values[: width * height], np.int16).reshape(height, width)
    path = tmp_path_factory.mktemp("rle") / "a.bin"
    write_runs(path, image)
    assert np.array_equal(read_rle_depth(path), np.maximum(image, 0).astype(np.float32))
    assert read_rle_size(path) == (width, height)


def test_cut_anywhere_it_is_refused_with_the_byte(tmp_path):
    path = tmp_path / "a.bin"
    for end in range(len(LITERAL)):
        path.write_bytes(LITERAL[:end])
        with pytest.raises(Unreadable, match=rf"unreadable: a.bin: byte {end}: .*truncated"):
            read_rle_depth(path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (struct.pack("<ii", 0, 480), "byte 0: the image's size is 0x480"),
        (struct.pack("<ii", -640, -480), "byte 0: the image's size is -640x-480"),
        (struct.pack("<ii", 2**31 - 1, 2**31 - 1), "byte 0: the image's size is 2147483647x2147483647"),
        (struct.pack("<iiii", 2, 2, -1, 5), "byte 8: a run of -1 empty and 5 full"),
        (struct.pack("<iiii", 2, 2, 5, -1), "byte 8: a run of 5 empty and -1 full"),
        (struct.pack("<iiii", 2, 2, 2, 3), "byte 8: a run of 2 empty and 3 full pixels at pixel 0"),
        (struct.pack("<iiii", 2, 2, 2**31 - 1, 2**31 - 1), "byte 8: a run of"),
        (struct.pack("<iiiiii", 2, 2, 3, 0, 0, 9), "byte 16: a run of 0 empty and 9 full pixels at pixel 3"),
        (struct.pack("<ii", 2, 2) + bytes(80), "byte 88: truncated at pixel 0 of 4"),
    ],
)
def test_impossible_sizes_and_runs_are_refused(data, said):
    with pytest.raises(Unreadable, match=said):
        decode_rle_depth(data)


def test_flipped_bytes_give_an_image_or_a_reason():
    rng = np.random.default_rng(0)
    said = []
    for _ in range(300):
        data = bytearray(LITERAL)
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        try:
            depth = decode_rle_depth(bytes(data))
        except Unreadable as error:
            said.append(error.detail)
        else:
            assert (depth >= 0).all()
    assert len(said) > 100
    assert all(detail.startswith("byte ") for detail in said)


def test_a_frame_takes_no_loop_over_its_values(tmp_path):
    image = np.zeros((480, 640), np.int16)
    image[100:400, 150:500] = 900
    image[::7, ::5] = 0
    write_runs(tmp_path / "a.bin", image)
    assert np.array_equal(read_rle_depth(tmp_path / "a.bin"), image)
