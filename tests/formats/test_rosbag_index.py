"""Counting the messages of a rosbag by its index."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from face3d_data.errors import Unreadable
from face3d_data.formats.rosbag_index import count_messages

RECORDED = Path(__file__).parents[1] / "readers" / "recorded_realsense.bag.gz"
LITERAL = (
    b"#ROSBAG V2.0\n"
    # Bag header: 69 bytes of header in 4 fields, each its length and name=value; no data.
    b"\x45\0\0\0"
    b"\x0f\0\0\0" + b"conn_count=" + b"\x01\0\0\0"
    b"\x10\0\0\0" + b"chunk_count=" + b"\x01\0\0\0"
    b"\x12\0\0\0" + b"index_pos=" + b"\x5a\0\0\0\0\0\0\0"  # the index begins at byte 90
    b"\x04\0\0\0" + b"op=" + b"\x03"
    b"\0\0\0\0"
    # Connection 5 of the topic /d: 33 bytes of header; its data repeats the topic.
    b"\x21\0\0\0"
    b"\x09\0\0\0" + b"conn=" + b"\x05\0\0\0"
    b"\x04\0\0\0" + b"op=" + b"\x07"
    b"\x08\0\0\0" + b"topic=" + b"/d"
    b"\x0c\0\0\0" + b"\x08\0\0\0" + b"topic=" + b"/d"
    # A chunk: 8 bytes of header, then connection 5 has 9 messages in it.
    b"\x08\0\0\0"
    b"\x04\0\0\0" + b"op=" + b"\x06"
    b"\x08\0\0\0" + b"\x05\0\0\0" + b"\x09\0\0\0"
)
"""Typed from wiki.ros.org/Bags/Format/2.0."""


def write(path, data):
    path.write_bytes(data)
    return path


def test_the_literal_is_read(tmp_path):
    assert count_messages(write(tmp_path / "a.bag", LITERAL)) == {"/d": 9}
    two = LITERAL + LITERAL[-24:]
    assert count_messages(write(tmp_path / "b.bag", two)) == {"/d": 18}


def test_a_true_recording_is_counted(tmp_path):
    topics = count_messages(write(tmp_path / "a.bag", gzip.decompress(RECORDED.read_bytes())))
    assert topics["/device_0/sensor_0/Depth_0/image/data"] == 4
    assert topics["/device_0/sensor_1/Color_0/image/data"] == 4


def test_cut_anywhere_it_is_refused_or_whole_records_are_left(tmp_path):
    whole = {}
    for end in range(len(LITERAL)):
        path = write(tmp_path / "a.bag", LITERAL[:end])
        try:
            whole[end] = count_messages(path)
        except Unreadable as error:
            assert error.detail.startswith("a.bag: ")  # noqa: PT017
    assert whole == {90: {}, 143: {"/d": 0}}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"V2.0", b"V1.2", "byte 0: not a rosbag of version 2.0"),
        (b"\x5a\0\0\0\0\0\0\0", bytes(8), "was not closed"),
        (b"\x5a\0\0\0\0\0\0\0", b"\xff" * 8, "byte 13: the index is at byte 18446744073709551615"),
        (b"op=\x03", b"op=\x04", "byte 13: not a bag header"),
        (b"op=\x06", b"op=\x09", "a record of kind 9 in the index"),
        (b"op=\x06", b"ob=\x06", "a record without op"),
        (b"conn=\x05", b"conn:\x05", "byte 90: a header that is truncated"),
        (b"\x45\0\0\0", b"\xff\xff\xff\xff", "byte 13: a record that is truncated"),
        (b"\x08\0\0\0\x05", b"\x07\0\0\0\x05", "7 bytes are not pairs"),
        (b"\x09\0\0\0conn", b"\xff\xff\xff\xffconn", "byte 90: a header that is truncated"),
    ],
)
def test_what_is_damaged_is_said_with_its_byte(tmp_path, old, new, said):
    assert LITERAL.count(old) == 1
    with pytest.raises(Unreadable, match=said):
        count_messages(write(tmp_path / "a.bag", LITERAL.replace(old, new)))


def test_flipped_bytes_give_counts_or_a_reason(tmp_path):
    rng = np.random.default_rng(0)
    for _ in range(150):
        data = bytearray(LITERAL)
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        try:
            topics = count_messages(write(tmp_path / "a.bag", bytes(data)))
        except Unreadable:
            continue
        assert all(count >= 0 for count in topics.values())
