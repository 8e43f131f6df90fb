"""Image files: headers from their bytes, and every way in which one can be cut off or damaged."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from face3d_data.errors import Unreadable
from face3d_data.formats.image import find_cut, read_color, read_depth_png
from face3d_data.formats.image_header import ImageHeader, parse_bmp, parse_png, read_image_header
from face3d_data.testing.write import write_image


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, bits: int, colour_type: int, rows: bytes, *extra: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0))
    return b"".join([b"\x89PNG\r\n\x1a\n", header, *extra, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")])


def reason(call, *args) -> str:
    with pytest.raises(Unreadable) as caught:
        call(*args)
    return caught.value.reason


def test_a_png_header_is_read_from_its_bytes():
    data = bytes.fromhex("89504e470d0a1a0a0000000d494844520000028000000 1e0 10 00 00 00 00".replace(" ", ""))
    data += struct.pack(">I", zlib.crc32(data[12:29]))
    assert parse_png(data) == ImageHeader("png", 640, 480, 16, 1)


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3), (3, 3), (4, 2), (6, 4)])
def test_the_colour_type_gives_the_channels(colour_type, channels):
    assert parse_png(png(5, 4, 8, colour_type, b"")[:33]) == ImageHeader("png", 5, 4, 8, channels)


def test_a_bmp_header_is_read_from_its_bytes():
    data = bytes.fromhex("424d0000000000000000360000002800000003000000feffffff01001800")
    assert parse_bmp(data) == ImageHeader("bmp", 3, 2, 8, 3)  # height -2: rows from the top


def test_a_jpeg_header_is_found_behind_other_segments(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(bytes.fromhex("ffd8ffe00004abcdfffffe0003aaffc2000b0801e00280030000"))
    assert read_image_header(path) == ImageHeader("jpeg", 640, 480, 8, 3)


def test_sixteen_bits_survive(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(2, 1, 16, 0, b"\x00\x00\x01\xff\xff"))
    assert read_depth_png(path).tolist() == [[1, 65535]]


def test_color_is_rgb_in_rgb_order(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(2, 1, 8, 2, bytes([0, 255, 0, 0, 1, 2, 3])))
    assert read_color(path).tolist() == [[[255, 0, 0], [1, 2, 3]]]


def test_grey_sixteen_bits_alpha_and_palettes_become_rgb(tmp_path):
    path = tmp_path / "a.png"
    palette = chunk(b"PLTE", bytes([9, 8, 7, 50, 60, 70]))
    for data, wanted in [
        (png(1, 1, 8, 0, bytes([0, 77])), [77, 77, 77]),
        (png(1, 1, 16, 0, bytes([0, 0x80, 0x12])), [0x80] * 3),
        (png(1, 1, 8, 6, bytes([0, 10, 20, 30, 0])), [10, 20, 30]),
        (png(1, 1, 8, 4, bytes([0, 33, 128])), [33, 33, 33]),
        (png(1, 1, 8, 3, bytes([0, 1]), palette), [50, 60, 70]),
    ]:
        path.write_bytes(data)
        pixels = read_color(path)
        assert (pixels.dtype, pixels.tolist()) == (np.uint8, [[wanted]])


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_a_file_cut_off_anywhere_is_unreadable(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_image(path, np.random.default_rng(1).integers(0, 255, (20, 30, 3), np.uint8))
    whole = path.read_bytes()
    assert find_cut(whole) is None
    cuts = {1, 2, 8, 20, 33, 40, 54, 60, len(whole) // 2, len(whole) - 13, len(whole) - 2, len(whole) - 1}
    for cut in cuts:
        path.write_bytes(whole[:cut])
        assert reason(read_color, path) == "unreadable", cut


def test_a_cut_png_shows_in_the_header_check_already(tmp_path):
    path = tmp_path / "a.png"
    write_image(path, np.arange(600, dtype=np.uint16).reshape(20, 30))
    assert read_image_header(path) == ImageHeader("png", 30, 20, 16, 1)
    path.write_bytes(path.read_bytes()[:-6])
    assert reason(read_image_header, path) == "unreadable"


def test_a_flipped_bit_in_a_png_is_found(tmp_path):
    path = tmp_path / "a.png"
    write_image(path, np.random.default_rng(2).integers(0, 9000, (20, 30), np.uint16))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    assert reason(read_depth_png, path) == "unreadable"


def test_what_is_no_image_is_unreadable(tmp_path):
    path = tmp_path / "a.png"
    for content in (b"", b"no picture at all, though it is long enough to be one\n", b"\x89PNG\r\n\x1a\n"):
        path.write_bytes(content)
        assert reason(read_color, path) == reason(read_image_header, path) == "unreadable"


def test_a_file_that_cannot_be_opened_now_is_no_bad_image(tmp_path):
    """Its content is not known: an error is tried again, a reject would not be."""
    for read in (read_color, read_image_header):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "gone.png")
        with pytest.raises(IsADirectoryError):
            read(tmp_path)


def test_depth_of_eight_bits_or_in_colour_is_refused(tmp_path):
    path = tmp_path / "a.png"
    write_image(path, np.zeros((4, 5), np.uint8))
    assert reason(read_depth_png, path) == "depth_8bit"
    write_image(path, np.zeros((4, 5, 3), np.uint8))
    assert reason(read_depth_png, path) == "unreadable"


def test_unusual_names_are_read(tmp_path):
    path = tmp_path / "Zoë and é" / "a b.png"
    path.parent.mkdir()
    write_image(path, np.full((2, 2, 3), 7, np.uint8))
    assert read_color(path).tolist() == np.full((2, 2, 3), 7).tolist()


def with_exif(jpeg: bytes, orientation: int) -> bytes:
    tiff = b"II*\x00\x08\x00\x00\x00\x01\x00" + struct.pack("<HHIHH", 0x112, 3, 1, orientation, 0) + b"\x00" * 4
    body = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


# EXIF 2.32, tag 0x0112: where the stored row 0 and column 0 are to be shown.
TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", sorted(TURNS))
def test_exif_orientation_is_honoured_where_asked(tmp_path, orientation):
    stored = np.zeros((16, 32, 3), np.uint8)
    stored[:8, :8] = 255
    stored[8:, 24:] = 90
    path = tmp_path / "a.jpg"
    path.write_bytes(with_exif(cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes(), orientation))
    shown = TURNS[orientation](stored).astype(int)
    got = read_color(path, turn_by_exif=True)
    assert got.shape == shown.shape
    assert np.abs(got - shown).max() < 6
    assert np.abs(read_color(path) - stored.astype(int)).max() < 6


def test_pixels_that_do_not_decode_are_unreadable(tmp_path):
    path = tmp_path / "a.png"
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 9, 16, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"no zlib stream") + chunk(b"IEND", b""))
    assert find_cut(path.read_bytes()) is None
    assert reason(read_depth_png, path) == "unreadable"


def test_a_header_that_promises_too_much_is_too_large(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(2**31 - 1, 2**31 - 1, 8, 2, b""))
    assert reason(read_color, path) == "too_large"


@pytest.mark.parametrize(
    "content",
    [
        png(5, 4, 7, 0, b""),  # no such bit depth
        png(5, 4, 8, 1, b""),  # no such colour type
        png(0, 4, 8, 0, b""),  # no width
        png(5, 4, 8, 0, b"")[:20] + b"\x09" + png(5, 4, 8, 0, b"")[21:],  # checksum of the header
        bytes.fromhex("424d0000000000000000360000000c0000000300020001001800") + bytes(40),  # OS/2
        bytes.fromhex("424d00000000000000003600000028000000000000000200000001001800") + bytes(40),
        bytes.fromhex("ffd8ffd0ff01ffe00001"),  # a segment shorter than its own length
        bytes.fromhex("ffd8ffc00011080000001003") + bytes(20),  # no height
        bytes.fromhex("ffd8ffc0001108"),
        bytes.fromhex("ffd8ffda0004"),
    ],
)
def test_headers_that_make_no_sense_are_unreadable(tmp_path, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    assert reason(read_image_header, path) == reason(read_color, path) == "unreadable"


def bmp(pixels: bytes, masks=(), size=40, bits=32) -> bytes:
    """Return a BMP of 2 x 1 pixels, with masks where there are any; a header of 40 bytes has them behind it."""
    held = b"".join(struct.pack("<I", mask) for mask in masks)
    head = struct.pack("<IiiHHIIiiII", size, 2, 1, 1, bits, 3 if masks else 0, 8, 0, 0, 0, 0)
    body = head + (held if size == 40 else held.ljust(size - 40, b"\0"))
    return b"BM" + struct.pack("<IHHI", 14 + len(body) + len(pixels), 0, 0, 14 + len(body)) + body + pixels


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (bmp(bytes.fromhex("03020100 06050400")), [[1, 2, 3], [4, 5, 6]]),
        (bmp(bytes.fromhex("03020100 06050400"), (0xFF0000, 0xFF00, 0xFF)), [[1, 2, 3], [4, 5, 6]]),
        (bmp(bytes.fromhex("00030201 00060504"), (0xFF000000, 0xFF0000, 0xFF00)), [[1, 2, 3], [4, 5, 6]]),
        (bmp(bytes.fromhex("010203ff 040506ff"), (0xFF, 0xFF00, 0xFF0000, 0xFF000000), 108), [[1, 2, 3], [4, 5, 6]]),
        (bmp(bytes.fromhex("00f8 1f00"), (0xF800, 0x7E0, 0x1F), bits=16), [[248, 0, 0], [0, 0, 248]]),
        (bmp(bytes.fromhex("007c 1f00"), (0x7C00, 0x3E0, 0x1F), bits=16), [[248, 0, 0], [0, 0, 248]]),
    ],
)
def test_colours_of_a_bmp_lie_where_its_masks_say(tmp_path, data, want):
    (tmp_path / "a.bmp").write_bytes(data)
    np.testing.assert_allclose(read_color(tmp_path / "a.bmp"), [want], atol=7 if data[28] == 16 else 0)
    assert read_image_header(tmp_path / "a.bmp").width == 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (bmp(bytes(8), (0x3FF00000, 0xFFC00, 0x3FF)), "bitfields"),
        (bmp(bytes(4), (0xF00, 0xF0, 0xF), bits=16), "bitfields"),
        (bmp(bytes(8), (0xFF0000, 0xFF00, 0xFF), bits=24), "masks of colours with 24 bits"),
        (bmp(bytes(8), (), 66), "a header of 66 bytes"),
        (bmp(bytes.fromhex("00030201"), (0xFF000000, 0xFF0000, 0xFF00)), "truncated"),
    ],
)
def test_a_bmp_whose_colours_cannot_be_known_is_refused(tmp_path, data, said):
    (tmp_path / "a.bmp").write_bytes(data)
    with pytest.raises(Unreadable, match=rf"unreadable: a\.bmp: .*{said}"):
        read_color(tmp_path / "a.bmp")


@pytest.mark.parametrize("before", [b"", b"tEXt"])
@pytest.mark.parametrize("frames", [1, 3])
def test_a_png_of_several_frames_is_no_capture(tmp_path, before, frames):
    extra = [chunk(before, b"a\0b")] * bool(before)
    rows = bytes.fromhex("00 09 08 07")
    (tmp_path / "a.png").write_bytes(png(1, 1, 8, 2, rows, *extra, chunk(b"acTL", struct.pack(">II", frames, 0))))
    if frames == 1:
        assert read_color(tmp_path / "a.png").tolist() == [[[9, 8, 7]]]
        return
    for read in (read_color, read_image_header):
        with pytest.raises(Unreadable, match=r"a\.png: has 3 frames: an animation is not a capture"):
            read(tmp_path / "a.png")
