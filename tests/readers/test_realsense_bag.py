"""Reader `realsense_bag`: with a stand-in for the SDK, and with the SDK itself where it is installed."""

import gzip
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import standin_realsense as standin

from face3d_data.errors import MissingDependency, Unreadable
from face3d_data.readers import realsense_bag
from face3d_data.readers.realsense_bag import RealSenseBag
from face3d_data.testing.contract import check_reader

RECORDED = Path(__file__).with_name("recorded_realsense.bag.gz")
"""Four frames of a software device, recorded by librealsense 2.55.1: depth 48x36 px in 0.25 mm, 500 mm (and a unit
more each frame) in the left half, 700 in the right, nothing in the top four rows; colour 64x48 px, 30 mm to its left.
Both cameras have 40 px of focal length and their centre in the middle; frames are numbered from 7."""
DEPTHS = [np.full((48, 64), 600 + i, np.uint16) for i in range(3)]
true_sdk = pytest.mark.skipif(importlib.util.find_spec("pyrealsense2") is None, reason="needs pyrealsense2")


@pytest.fixture(autouse=True)
def nothing_open(monkeypatch):
    monkeypatch.setattr(realsense_bag, "_open", [])


@pytest.fixture
def play(monkeypatch):
    def put(sets, **options):
        module = standin.sdk(sets, **options)
        monkeypatch.setitem(sys.modules, "pyrealsense2", module)
        return module

    return put


@pytest.fixture
def root(tmp_path):
    standin.write_bag(tmp_path / "ann" / "first.bag")
    standin.write_bag(tmp_path / "bob" / "first.bag", depth=4, color=2)
    return tmp_path


def found(root, **options):
    return {f"{s.person}/{s.capture}": s for s in RealSenseBag(root=root, **options).scan()}


def test_frames_are_counted_without_the_sdk(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyrealsense2", None)
    frames = [*(f"ann/first_00000{i}" for i in range(3)), *(f"bob/first_00000{i}" for i in range(2))]
    assert list(found(root)) == frames
    assert list(found(root, first=1, every=2)) == ["ann/first_000001", "bob/first_000001"]
    assert found(root)["ann/first_000002"].tags == {"frame": 2}
    with pytest.raises(MissingDependency, match=r"pip install .*\[realsense\]"):
        RealSenseBag(root=root).load(found(root)["ann/first_000000"], "depth")


def test_arrays_are_what_the_sdk_plays(root, play):
    play(standin.frame_sets(DEPTHS), metres_per_unit=0.00025)
    sample = RealSenseBag(root=root).sample(found(root)["ann/first_000002"])
    assert np.array_equal(sample.arrays["depth"], DEPTHS[2] * np.float32(0.25))
    assert sample.arrays["color"][0, 0].tolist() == [200, 2, 2]
    assert sample.arrays["intrinsics"].tolist() == [40, 41, 31.5, 23.5]


def test_the_lens_of_the_colour_camera_comes_along(root, play):
    source = found(root)["ann/first_000000"]
    play(standin.frame_sets(DEPTHS))
    assert RealSenseBag(root=root).load(source, "distortion").tolist() == [0.0] * 13
    for model, last in (("distortion.inverse_brown_conrady", 1.0), ("distortion.brown_conrady", 0.0)):
        (root / "ann" / "first.bag").touch()  # or the recording that is open is gone on with
        play(standin.frame_sets(DEPTHS, model=model, coeffs=(0.1, -0.2, 0.001, 0.002, 0.03)))
        lens = RealSenseBag(root=root).load(source, "distortion").tolist()
        assert lens == [0.1, -0.2, 0.001, 0.002, 0.03, *[0.0] * 7, last]
    (root / "ann" / "first.bag").touch()
    play(standin.frame_sets(DEPTHS, model="distortion.kannala_brandt4"))
    with pytest.raises(Unreadable, match=r"bad_format: first\.bag: colour camera: .* is a fisheye lens"):
        RealSenseBag(root=root).load(source, "distortion")


@pytest.mark.parametrize("kind", ["rgb8", "bgr8", "rgba8", "bgra8"])
def test_colours_come_as_rgb(root, play, kind):
    play(standin.frame_sets(DEPTHS, kind))
    color = RealSenseBag(root=root).load(found(root)["ann/first_000001"], "color")
    assert color.shape == (48, 64, 3)
    assert color[0, 0].tolist() == ([200, 1, 1] if kind.startswith("rgb") else [1, 1, 200])


def test_other_pixels_are_refused(root, play):
    play(standin.frame_sets(DEPTHS, "y8"))
    with pytest.raises(Unreadable, match=r"bad_format: first\.bag: colour is y8"):
        RealSenseBag(root=root).load(found(root)["ann/first_000000"], "color")
    play(standin.frame_sets([depth.astype(np.float32) for depth in DEPTHS]))
    with pytest.raises(Unreadable, match="bad_format"):
        RealSenseBag(root=root).load(found(root)["ann/first_000000"], "depth")


def test_a_recording_is_read_once_in_order_and_again_to_go_back(root, play):
    module = play(standin.frame_sets(DEPTHS))
    reader, sources = RealSenseBag(root=root), found(root)
    for i in (0, 1, 2):
        for name in ("color", "depth", "intrinsics"):
            reader.load(sources[f"ann/first_00000{i}"], name)
    assert (module.opened, module.played) == (1, 3)
    assert reader.load(sources["ann/first_000000"], "depth")[0, 0] == 600
    assert module.opened == 2
    reader.load(sources["bob/first_000000"], "depth")
    assert module.opened == 3


def test_sets_without_one_of_both_or_with_an_old_one_do_not_count(root, play):
    sets = standin.frame_sets(DEPTHS)
    sets.insert(1, standin.FrameSet(sets[1].depth, sets[0].color))
    sets.insert(0, standin.FrameSet(standin.Frame(1), sets[0].color))
    play(sets)
    reader = RealSenseBag(root=root)
    assert [reader.load(found(root)[f"ann/first_00000{i}"], "depth")[0, 0] for i in range(3)] == [600, 601, 602]


def test_frames_that_do_not_come_are_said(root, play):
    play(standin.frame_sets(DEPTHS[:1]))
    with pytest.raises(Unreadable, match=r"no_frame: first\.bag: the SDK delivers 1 frames"):
        RealSenseBag(root=root).load(found(root)["ann/first_000002"], "depth")
    play([], refuse="Failed to resolve request")
    with pytest.raises(Unreadable, match=r"unreadable: first\.bag: Failed to resolve request"):
        RealSenseBag(root=root).load(found(root)["ann/first_000000"], "depth")


def test_what_is_wrong_is_listed(root):
    standin.write_bag(root / "bob" / "none.bag", 1, 1)
    (root / "bob" / "none.bag").write_bytes((root / "bob" / "none.bag").read_bytes().replace(b"Color_0", b"Other_0"))
    (root / "bob" / "cut.bag").write_bytes((root / "ann" / "first.bag").read_bytes()[:-5])
    (root / "bob" / "new.db3").write_bytes(b"SQLite format 3\0")
    problems = {name: source.problem[0] for name, source in found(root).items() if source.problem}
    assert problems == {"bob/cut": "unreadable", "bob/new": "rosbag2", "bob/none": "no_frames"}


def test_it_keeps_the_contract(root, play):
    play(standin.frame_sets(DEPTHS))
    check_reader(RealSenseBag(root=root))


@pytest.fixture
def recorded(tmp_path):
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "first.bag").write_bytes(gzip.decompress(RECORDED.read_bytes()))
    return tmp_path


def test_frames_of_a_true_recording_are_counted(recorded):
    assert list(found(recorded)) == [f"ann/first_00000{i}" for i in range(4)]


@true_sdk
def test_a_true_recording_is_played(recorded):
    reader, sources = RealSenseBag(root=recorded), list(found(recorded).values())
    frames = [reader.sample(source).arrays for source in sources[:3]]
    first = int(frames[0]["color"][0, 0, 1]) - 10  # releases of the SDK differ in the first frame they deliver
    assert first in (0, 1)
    for i, arrays in enumerate(frames):
        assert arrays["color"][5, 6].tolist() == [200, 10 + first + i, 0]
        assert arrays["intrinsics"].tolist() == [40, 40, 31.5, 23.5]
        depth = arrays["depth"]
        assert depth.shape == (48, 64)
        near, far = 500 + first + i, 700 + first + i
        assert set(np.unique(depth)) <= {0, near, far}
        # The point at the right of the near half, x = 0 mm, lies 30 mm to the right of the colour camera.
        edge = 31.5 + 40 * 30 / near
        assert depth[24, int(edge) - 3] == near
        assert depth[24, 50] == far
        assert (depth[:6] == 0).all()  # nothing in the top: 4 rows, and 6 more that depth's image is less high


@true_sdk
def test_a_true_recording_keeps_the_contract(recorded):
    check_reader(RealSenseBag(root=recorded))


@true_sdk
def test_a_damaged_recording_has_a_reason(recorded):
    path = recorded / "ann" / "first.bag"
    source = next(iter(found(recorded).values()))
    path.write_bytes(path.read_bytes()[:5000] + bytes(3000) + path.read_bytes()[8000:])
    with pytest.raises(Unreadable) as caught:
        RealSenseBag(root=recorded).load(source, "depth")
    assert caught.value.reason in RealSenseBag.reasons
