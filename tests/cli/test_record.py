"""`face3d record`, and `face3d identify --camera realsense`, through a stand-in of the camera's SDK."""

import csv
import json
import sys
from urllib.request import urlopen

import numpy as np
import pytest
import standin_realsense as standin

from face3d_data.cli import identify
from face3d_data.cli.main import _answer
from face3d_data.formats import realsense_live
from face3d_data.readers.rgbd_folder import RgbdFolder
from face3d_data.synthetic.write import write_people


@pytest.fixture(autouse=True)
def nothing_settles(monkeypatch):
    monkeypatch.setattr(realsense_live, "SETTLING_FRAMES", 0)


@pytest.fixture
def plug_in(monkeypatch):
    def plugged(sets, **options):
        monkeypatch.setitem(sys.modules, "pyrealsense2", standin.sdk(sets, **options))

    return plugged


def call(capsys, *arguments):
    capsys.readouterr()
    code = _answer([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def views(root):
    """Return the captures of a folder as a camera's frame sets, in 0.25 mm, and what the folder's reader gives."""
    reader = RgbdFolder(root=root)
    captures = [reader.sample(source).arrays for source in reader.scan()]
    depths = [np.rint(arrays["depth"] * 4).astype(np.uint16) for arrays in captures]
    sets = standin.frame_sets(depths, camera=tuple(captures[0]["intrinsics"].tolist()), model="distortion.none")
    for one, arrays in zip(sets, captures, strict=True):
        one.color.pixels = arrays["color"]
    return sets, captures


def test_captures_are_recorded_with_a_line_each(plug_in, tmp_path, capsys):
    depth = np.full((48, 64), 600, np.uint16)
    depth[:24] = 0
    plug_in(standin.frame_sets([depth] * 5 + [np.zeros_like(depth)] * 2))
    code, out, err = call(capsys, "record", tmp_path, "--person", "ann", "--frames", "2", "--fuse", "2")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "ann/capture_000_color.png: depth in 50% of the pixels, from 600 mm, 2 frames",
        "ann/capture_001_color.png: depth in 50% of the pixels, from 600 mm, 2 frames",
        f"2 captures of ann in {tmp_path}: read them with the reader rgbd_folder, root: {tmp_path}",
    ]
    plug_in(standin.frame_sets([np.zeros_like(depth)]))
    code, out, _ = call(capsys, "record", tmp_path, "--person", "bob")
    assert out.splitlines()[0] == "bob/capture_000_color.png: no depth at all: nothing is within the camera's reach"
    assert call(capsys, "readers", "--check", "rgbd_folder", tmp_path)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "camera realsense: No device connected: connect it"),
        (("--camera", "97"), "camera 97: gives no image"),
        (("--camera", "-1"), "'-1' is no camera: give N, or realsense"),
        (("--camera", "realsense:"), "'realsense:' is no camera"),
        (("--camera", "none.bag"), "camera none.bag: is no camera and no file"),
        (("--camera", __file__), "is neither a recording (.bag) nor a video"),
        (("--camera", "0", "--fuse", "3"), "--fuse 3: fuses depth, which camera 0 does not give"),
        (("--camera", "0", "--size", "640x480"), "--size: sets what a RealSense camera gives"),
        (("--size", "640"), "'640' is no size: give WIDTHxHEIGHT"),
        (("--camera", "a.bag", "--pause", "1"), "--pause: a.bag is a recording"),
        (("--person", "a/b"), "--person 'a/b'"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(plug_in, tmp_path, capsys, arguments, message):
    plug_in([], refuse="No device connected")
    code, out, err = call(capsys, "record", tmp_path / "out", "--person", "ann", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_camera_of_depth_is_recorded_and_people_before_it_are_recognised(plug_in, tmp_path, capsys, monkeypatch):
    names = list(write_people(tmp_path / "people", 2, 2, 77, 320, 240, 1))
    sets, captures = views(tmp_path / "people")
    plug_in(sets, metres_per_unit=0.00025)
    assert call(capsys, "record", tmp_path / "out", "--person", "p", "--frames", "4")[0] == 0
    reader = RgbdFolder(root=tmp_path / "out")
    recorded = [reader.sample(source).arrays for source in reader.scan()]
    for arrays, expected in zip(recorded, captures, strict=True):
        for name in ("color", "depth", "intrinsics"):
            assert np.array_equal(arrays[name], expected[name])
    gallery = tmp_path / "people.h5"
    assert call(capsys, "enroll", tmp_path / "people", "--into", gallery)[0] == 0

    plug_in(sets[:2], metres_per_unit=0.00025)
    shown = []

    def looked_at(seconds):
        address = capsys.readouterr().err.partition("page ")[2].split()[0]
        with urlopen(address + "seen", timeout=10) as answer:
            shown.append(json.load(answer))
        raise KeyboardInterrupt

    monkeypatch.setattr(identify, "sleep", looked_at)
    arguments = ("--gallery", gallery, "--csv", tmp_path / "a.csv", "--json")
    assert call(capsys, "identify", "--camera", "realsense", *arguments)[0] == 0
    assert [one["name"] for one in shown[0]["people"]] == [names[0]]
    assert (shown[0]["frames"], shown[0]["over"]) == (2, True)
    with open(tmp_path / "a.csv", newline="") as file:
        rows = [(row["input"], row["name"]) for row in csv.DictReader(file)]
    assert rows == [(f"camera realsense#{i}", names[0]) for i in range(2)]
