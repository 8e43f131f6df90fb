"""Image folders."""

import struct

import cv2
import numpy as np
import pytest

from face3d_data.errors import Unreadable, UserError
from face3d_data.readers.image_folder import ImageFolder
from face3d_data.testing import tiny_capture, write_tiny_images
from face3d_data.testing.write import write_image


def scan(root, **options):
    return {f"{s.person}/{s.capture}": s for s in ImageFolder(root=root, **options).scan()}


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".jpg", ".jpeg", ".PNG", ".JPG"])
def test_every_format_is_read_as_rgb(tmp_path, suffix):
    write_tiny_images(tmp_path, 1, 1, suffix=suffix)
    reader = ImageFolder(root=tmp_path)
    color = reader.sample(next(reader.scan())).arrays["color"]
    assert (color.dtype, color.shape) == (np.uint8, (24, 32, 3))
    assert np.abs(color.astype(int) - tiny_capture(0, 0).color).mean() < (
        12 if suffix.lower().startswith(".j") else 1e-9
    )


def test_exif_orientation_is_honoured(tmp_path):
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :8] = 255
    jpeg = cv2.imencode(".jpg", pixels)[1].tobytes()
    exif = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01" + struct.pack(">HHIHH", 0x112, 3, 1, 6, 0) + b"\x00" * 4
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "a.jpg").write_bytes(
        jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]
    )
    reader = ImageFolder(root=tmp_path)
    shown = reader.load(next(reader.scan()), "color")
    assert shown.shape == (32, 16, 3)  # 6: turned by 90° to the right, so the left edge is on top
    assert shown[:7].min() > 200
    assert shown[9:].max() < 50


def test_two_files_of_one_name_are_both_seen(tmp_path):
    (tmp_path / "ann").mkdir()
    for name in ("a.jpg", "a.png"):
        write_image(tmp_path / "ann" / name, np.zeros((2, 2, 3), np.uint8))
    found = scan(tmp_path)
    assert list(found) == ["ann/a", "ann/a.png"]
    assert found["ann/a"].problem is None
    assert found["ann/a.png"].problem == ("same_name", "a.png: a.jpg makes the same capture: rename one")


def test_a_pattern_gives_tags_and_lists_what_it_does_not_fit(tmp_path):
    (tmp_path / "bob").mkdir()
    for name in ("3_0.85.jpg", "4_12_0.jpg", "x.jpg", "5_0.5.png"):
        write_image(tmp_path / "bob" / name, np.zeros((2, 2, 3), np.uint8))
    found = scan(tmp_path, pattern="{index:int}_{visible_ratio:float}.jpg")
    assert found["bob/3_0.85"].tags == {"index": 3, "visible_ratio": 0.85}
    assert {name: s.problem[0] for name, s in found.items() if s.problem} == dict.fromkeys(
        ["bob/4_12_0.jpg", "bob/x.jpg", "bob/5_0.5.png"], "name_not_matched"
    )
    assert ImageFolder(root=tmp_path, pattern="{index}_{visible_ratio:float}.jpg").declared_tags() == (
        "index",
        "visible_ratio",
    )


@pytest.mark.parametrize("content", [b"", b"text", b"\xff\xd8\xff\xe0"])
def test_a_broken_image_is_unreadable_by_its_header(tmp_path, content):
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "a.jpg").write_bytes(content)
    reader = ImageFolder(root=tmp_path)
    with pytest.raises(Unreadable, match=r"unreadable: a\.jpg: "):
        reader.inspect(next(reader.scan()))


def test_images_beside_the_folders_are_listed(tmp_path):
    write_tiny_images(tmp_path, 1, 1)
    write_image(tmp_path / "group.png", np.zeros((2, 2), np.uint8))
    assert scan(tmp_path)["./group.png"].problem[0] == "name_not_matched"


def test_an_empty_root_is_said(tmp_path):
    with pytest.raises(UserError, match="image_folder: no capture in"):
        scan(tmp_path)
