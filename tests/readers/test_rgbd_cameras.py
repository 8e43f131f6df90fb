"""Cameras of RGB-D captures: every spelling by every reader, units asked once, two cameras registered."""

import csv
import json

import numpy as np
import pytest
from write_cameras import CAMERA, COEFFS, SPELLINGS, write_camera

from face3d_data.component import build
from face3d_data.errors import Unreadable
from face3d_data.formats.intrinsics import NOT_ALIGNED
from face3d_data.readers.csv import CsvReader
from face3d_data.readers.realsense import RealSense
from face3d_data.readers.rgbd_folder import RgbdFolder
from face3d_data.readers.rgbd_npy import RgbdNpy
from face3d_data.testing.write import write_image

SIZE = (48, 64)
READERS = ("rgbd_folder", "rgbd_npy", "csv", "realsense")
MM = np.where(np.arange(48 * 64).reshape(SIZE) % 7, 650, 0).astype(np.uint16)


def capture(root, name, camera, depth=MM, color=SIZE, **options):
    """Write one capture as a reader wants it, and return the reader; `camera` writes its file into a folder."""
    folder = root / "p"
    pixels = np.full((*color, 3), 90, np.uint8)
    for each in (folder / "color", folder / "depth"):
        each.mkdir(parents=True)
    if name == "rgbd_folder":
        write_image(folder / "a_color.png", pixels)
        write_image(folder / "a_depth.png", depth)
        camera(folder)
        return build(RgbdFolder, {"root": root, **options}, "x")
    if name == "realsense":
        write_image(folder / "color" / "000000.png", pixels)
        write_image(folder / "depth" / "000000.png", depth)
        camera(folder)
        return build(RealSense, {"root": root, **options}, "x")
    write_image(folder / "a.png", pixels)
    np.save(folder / "a.npy", depth)
    if name == "rgbd_npy":
        return build(RgbdNpy, {"root": root, "intrinsics": camera(root), **options}, "x")
    row = {"identity": "p", "color": "p/a.png", "depth": "p/a.npy", "intrinsics": camera(root).name}
    row |= {"depth_scale": str(options.get("depth_scale", ""))}
    with open(root / "list.csv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, row)
        writer.writeheader()
        writer.writerow(row)
    return build(CsvReader, {"file": root / "list.csv"}, "x")


def arrays(reader):
    (source,) = reader.scan()
    assert source.problem is None, source.problem
    return reader.sample(source).arrays


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", READERS)
def test_every_reader_reads_every_spelling(tmp_path, name, spelling):
    found = arrays(capture(tmp_path, name, lambda folder: write_camera(folder, spelling), depth_scale=0.001))
    assert found["intrinsics"].tolist() == list(CAMERA[:4])
    assert np.array_equal(found["depth"], MM.astype(np.float32))
    if spelling == "open3d":
        assert "distortion" not in found
    else:
        assert found["distortion"].tolist() == [*COEFFS, *[0.0] * 8]


def in_our_file(**changes):
    def write(folder):
        values = dict(zip(("fx", "fy", "cx", "cy", "width", "height"), CAMERA, strict=True)) | changes
        path = folder / "intrinsics.json"
        path.write_text(json.dumps(values))
        return path

    return write


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("scale", [0.00025, 4000])
def test_depth_scale_means_one_thing(tmp_path, name, scale):
    written = arrays(capture(tmp_path / "file", name, in_our_file(depth_scale=scale), depth=MM * 4))
    option = arrays(capture(tmp_path / "option", name, in_our_file(), depth=MM * 4, depth_scale=scale))
    for found in (written, option):
        assert np.array_equal(found["depth"], MM.astype(np.float32))


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("depth", "scale", "said"),
    [
        (MM, 1, "depth is 6.5e\\+05 mm with depth_scale 1: these look like millimetres: set depth_scale to 0.001"),
        (MM * 10, 0.01, "these look like tenths of a millimetre: set depth_scale to 0.0001"),
    ],
)
def test_a_unit_that_cannot_be_is_named(tmp_path, name, depth, scale, said):
    with pytest.raises(Unreadable, match=f"wrong_units: .*{said}"):
        arrays(capture(tmp_path, name, in_our_file(depth_scale=scale), depth=depth))["depth"]


@pytest.mark.parametrize("name", ["rgbd_npy", "csv"])
def test_fractions_in_metres_and_millimetres(tmp_path, name):
    metres = MM.astype(np.float32) / 1000
    found = arrays(capture(tmp_path / "m", name, in_our_file(depth_scale=1), depth=metres))
    np.testing.assert_allclose(found["depth"], MM, rtol=1e-6)
    found = arrays(capture(tmp_path / "mm", name, in_our_file(depth_scale=0.001), depth=metres * 1000))
    np.testing.assert_allclose(found["depth"], MM, rtol=1e-6)
    with pytest.raises(Unreadable, match=r"depth is 0\.65 mm .*: these look like metres: set depth_scale to 1"):
        arrays(capture(tmp_path / "wrong", name, in_our_file(depth_scale=0.001), depth=metres))["depth"]


@pytest.mark.parametrize("name", READERS)
def test_depth_of_another_size_is_refused_with_the_remedy(tmp_path, name):
    reader = capture(tmp_path, name, in_our_file(depth_scale=0.001), color=(96, 128))
    (source,) = reader.scan()
    with pytest.raises(Unreadable, match=f"size_mismatch: colour 128x96, depth 64x48.*{NOT_ALIGNED}"):
        reader.inspect(source)


def two_cameras(folder):
    depth = dict(zip(("fx", "fy", "cx", "cy", "width", "height"), CAMERA, strict=True))
    color = {"fx": 1200.0, "fy": 1220.0, "cx": 63.5, "cy": 47.5, "width": 128, "height": 96}
    motion = {"R": np.eye(3).tolist(), "t": [6.5, 0, 0], "unit": "mm"}
    path = folder / "intrinsics.json"
    path.write_text(json.dumps({"color": color, "depth": {**depth, "depth_scale": 0.001}, "depth_to_color": motion}))
    return path


@pytest.mark.parametrize("name", READERS)
def test_depth_of_a_camera_beside_is_brought_to_colour(tmp_path, name):
    found = arrays(capture(tmp_path, name, two_cameras, depth=np.full(SIZE, 650, np.uint16), color=(96, 128)))
    assert found["intrinsics"].tolist() == [1200, 1220, 63.5, 47.5]
    depth = found["depth"]
    assert depth.shape == (96, 128)
    # 6.5 mm at 650 mm are 12 px: the wall begins there, and has no holes.
    assert (depth[2:94, 14:126] == 650).all()
    assert not depth[:, :11].any()


def test_the_records_of_captures_of_one_camera_are_one(tmp_path):
    reader = capture(tmp_path, "rgbd_folder", lambda folder: write_camera(folder, "ros"), depth_scale=0.001)
    for twin in ("color", "depth"):
        (tmp_path / "p" / f"b_{twin}.png").write_bytes((tmp_path / "p" / f"a_{twin}.png").read_bytes())
    first, second = reader.scan()
    assert first.record["intrinsics"] is second.record["intrinsics"]


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("times", "said"),
    [(1.5, "another resolution, 1.5 times as large"), (2.0, "2 times as large"), (0.5, "0.5 times as large")],
)
def test_a_camera_of_another_resolution_is_refused_by_its_centre(tmp_path, name, times, said):
    changes = {"fx": 600 * times, "fy": 610 * times, "cx": 32 * times - 0.5, "cy": 24 * times - 0.5}
    camera = in_our_file(width=None, height=None, **changes)
    reader = capture(tmp_path, name, camera, depth_scale=0.001)
    (source,) = reader.scan()
    with pytest.raises(Unreadable, match=f"size_mismatch: the camera's centre .*{said}"):
        reader.inspect(source)


def test_a_centre_far_outside_is_refused_and_one_near_the_middle_is_taken(tmp_path):
    (tmp_path / "far").mkdir()
    far = capture(tmp_path / "far", "csv", in_our_file(depth_scale=0.001, width=None, height=None, cx=5000))
    with pytest.raises(Unreadable, match=r"size_mismatch: the camera's centre 5000, 23\.5 is far .* 64x48 px: give"):
        far.inspect(*far.scan())
    near = capture(tmp_path / "near", "csv", in_our_file(depth_scale=0.001, width=None, height=None, cx=40))
    near.inspect(*near.scan())
