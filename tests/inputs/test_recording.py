"""Recording: what a camera gave is what reader `rgbd_folder` reads, whole or not at all."""

import gzip
import importlib.util
import json
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import standin_realsense as standin

from face3d_data.atomic import TEMPORARY_SUFFIX
from face3d_data.errors import MissingDependency, UserError
from face3d_data.formats import realsense_live
from face3d_data.formats.realsense_live import SETTLING_FRAMES, LiveCamera
from face3d_data.geometry.depth_fusion import fused_depth
from face3d_data.inputs import recording
from face3d_data.inputs.cameras import CameraFrame, camera_captures, open_camera
from face3d_data.inputs.recording import CaptureRecorder, record
from face3d_data.readers.image_folder import ImageFolder
from face3d_data.readers.realsense_bag import RealSenseBag
from face3d_data.readers.rgbd_folder import RgbdFolder

SIZE = (48, 64)
RECORDED = Path(__file__).parents[1] / "readers" / "recorded_realsense.bag.gz"
"""See `tests/readers/test_realsense_bag.py`."""
true_sdk = pytest.mark.skipif(importlib.util.find_spec("pyrealsense2") is None, reason="needs pyrealsense2")


def depths(number, settling=SETTLING_FRAMES):
    """Return depth images; those of the settling camera see nothing."""
    rng = np.random.default_rng(3)
    some = rng.integers(2000, 2400, (number, *SIZE)).astype(np.uint16)
    some[rng.random(some.shape) < 0.1] = 0
    return [np.zeros(SIZE, np.uint16)] * settling + list(some)


@pytest.fixture
def plug_in(monkeypatch):
    def plugged(sets, **options):
        module = standin.sdk(sets, **options)
        monkeypatch.setitem(sys.modules, "pyrealsense2", module)
        return module

    return plugged


def recorded(out, camera="realsense", person="ann", **options):
    return list(record(open_camera(camera), CaptureRecorder(out, person), **options))


def read(out):
    reader = RgbdFolder(root=out)
    sources = list(reader.scan())
    assert [source.problem for source in sources if source.problem] == []
    return {f"{source.person}/{source.capture}": reader.sample(source).arrays for source in sources}


def files(out):
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


@pytest.mark.parametrize("unit", [0.001, 0.0002500000118743628, 0.00012500000593718141])
def test_the_reader_gives_the_depth_in_mm_that_the_camera_gave(plug_in, tmp_path, unit):
    seen = depths(3)
    coeffs = (0.1, -0.2, 0.001, 0.002, 0.03)
    plug_in(standin.frame_sets(seen, coeffs=coeffs), metres_per_unit=float(np.float32(unit)))
    done = recorded(tmp_path, captures=3)
    arrays = read(tmp_path)
    assert list(arrays) == ["ann/capture_000", "ann/capture_001", "ann/capture_002"]
    plug_in(standin.frame_sets(seen, coeffs=coeffs), metres_per_unit=float(np.float32(unit)))
    for i, (capture, live) in enumerate(zip(arrays.values(), camera_captures("realsense"), strict=False)):
        assert {name: array.tobytes() for name, array in capture.items()} == {
            name: array.tobytes() for name, array in live.sample.arrays.items()
        }
        assert np.array_equal(capture["depth"], seen[SETTLING_FRAMES + i] * np.float32(round(unit, 6) * 1000))
        assert capture["intrinsics"].tolist() == [40, 41, 31.5, 23.5]
        assert capture["distortion"].tolist() == [*coeffs, *[0.0] * 7, 1.0]
        assert capture["color"][5, 5].tolist() == [200, SETTLING_FRAMES + i, SETTLING_FRAMES + i]
        assert live.path == f"camera realsense#{i}"
    camera = json.loads((tmp_path / "intrinsics.json").read_text())
    assert (camera["depth_scale"], camera["device"], camera["serial"]) == (round(unit, 6), "Stand-in D400", "0042")
    assert done[0].depth_share == pytest.approx((seen[SETTLING_FRAMES] > 0).mean())


def test_the_camera_is_asked_for_its_streams_and_stopped(plug_in, tmp_path):
    module = plug_in(standin.frame_sets(depths(2)))
    stream = open_camera("realsense:0042", (1280, 720))
    next(stream)
    assert module.asked == ["0042", ("depth", 640, 480, "z16", 30), ("color", 1280, 720, "rgb8", 30)]
    assert module.stopped == 0
    stream.close()
    assert module.stopped == 1


def test_frames_are_fused(plug_in, tmp_path):
    seen = depths(10)
    plug_in(standin.frame_sets(seen))
    done = recorded(tmp_path, captures=2, fuse=5)
    some = np.stack(seen[SETTLING_FRAMES:])
    first, second = read(tmp_path).values()
    assert np.array_equal(first["depth"], fused_depth(some[:5]).astype(np.float32))
    assert np.array_equal(second["depth"], fused_depth(some[5:]).astype(np.float32))
    assert [first["color"][0, 0, 1], second["color"][0, 0, 1]] == [SETTLING_FRAMES + 2, SETTLING_FRAMES + 7]
    assert [one.frames for one in done] == [5, 5]


def test_captures_are_numbered_on_and_another_camera_has_a_file_of_its_own(plug_in, tmp_path):
    plug_in(standin.frame_sets(depths(1)))
    recorded(tmp_path)
    before = (tmp_path / "ann/capture_000_depth.png").read_bytes()
    plug_in(standin.frame_sets(depths(2), camera=(50.0, 51.0, 31.5, 23.5)))
    recorded(tmp_path, captures=2)
    assert files(tmp_path) == [
        *(f"ann/capture_000_{role}.png" for role in ("color", "depth")),
        *(f"ann/capture_00{i}_{role}" for i in (1, 2) for role in ("color.png", "depth.png", "intrinsics.json")),
        "intrinsics.json",
    ]
    assert (tmp_path / "ann/capture_000_depth.png").read_bytes() == before
    assert [arrays["intrinsics"][0] for arrays in read(tmp_path).values()] == [40, 50, 50]


def test_a_broken_camera_file_stops_before_anything_is_written(plug_in, tmp_path):
    plug_in(standin.frame_sets(depths(1)))
    (tmp_path / "intrinsics.json").write_text("{")
    with pytest.raises(UserError, match=r"intrinsics\.json: .*: correct it, or record into another folder"):
        recorded(tmp_path)
    assert files(tmp_path) == ["intrinsics.json"]


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_ctrl_c_leaves_whole_captures(plug_in, tmp_path, monkeypatch, at):
    """Ctrl-C comes while one of the images of two captures is encoded: before, between or after their files."""
    plug_in(standin.frame_sets(depths(2)))
    encode, count = recording._png, iter(range(10))

    def stopped(pixels):
        if next(count) == at:
            raise KeyboardInterrupt
        return encode(pixels)

    monkeypatch.setattr(recording, "_png", stopped)
    with pytest.raises(KeyboardInterrupt):
        recorded(tmp_path, captures=2)
    assert len([name for name in files(tmp_path) if name.endswith(".png")]) == 2 * (at // 2)
    assert not [name for name in files(tmp_path) if name.endswith(TEMPORARY_SUFFIX)]


def test_ctrl_c_between_the_two_renames_takes_the_first_away(plug_in, tmp_path, monkeypatch):
    plug_in(standin.frame_sets(depths(1)))
    replaced = []

    def replace(old, new):
        if str(new).endswith("_depth.png"):
            raise KeyboardInterrupt
        replaced.append(new)
        rename(old, new)

    rename = recording.atomic_path.__globals__["os"].replace
    monkeypatch.setattr("os.replace", replace)
    with pytest.raises(KeyboardInterrupt):
        recorded(tmp_path)
    assert replaced[-1].name == "capture_000_color.png"
    assert files(tmp_path) == ["intrinsics.json"]


def test_what_is_missing_is_said_in_one_line(plug_in, tmp_path, monkeypatch):
    plug_in([], refuse="No device connected")
    with pytest.raises(UserError, match=r"^camera realsense: No device connected: connect it, end what else uses it"):
        recorded(tmp_path)
    plug_in(standin.frame_sets(depths(2)))
    with pytest.raises(UserError, match=r"^camera realsense: there was no frame for ten seconds: connect it again$"):
        recorded(tmp_path, captures=3)
    assert len(read(tmp_path)) == 2
    monkeypatch.setitem(sys.modules, "pyrealsense2", None)
    with pytest.raises(MissingDependency, match=r"camera realsense needs pyrealsense2 .*\[realsense\]"):
        recorded(tmp_path)
    with pytest.raises(UserError, match=r"is no camera and no file: give realsense, a camera's number, or a record"):
        recorded(tmp_path, "nowhere.bag")
    for person in ("", "a/b", ".."):
        with pytest.raises(UserError, match="--person"):
            CaptureRecorder(tmp_path, person)


def test_a_recording_stands_for_the_camera_and_may_end(plug_in, tmp_path):
    seen = depths(3, settling=0)
    plug_in(standin.frame_sets(seen))
    standin.write_bag(tmp_path / "film.bag")
    with pytest.raises(UserError, match="the camera ended after 1 capture of 2: ask for fewer"):
        recorded(tmp_path / "out", tmp_path / "film.bag", captures=2, fuse=2)
    (capture,) = read(tmp_path / "out").values()
    assert np.array_equal(capture["depth"], fused_depth(np.stack(seen[:2])).astype(np.float32))


def test_colour_alone_is_recorded_for_image_folder(tmp_path):
    frames = [CameraFrame(np.full((8, 6, 3), (i, 9, 200), np.uint8)) for i in range(3)]
    list(record(iter(frames), CaptureRecorder(tmp_path, "ann"), 2))
    list(record(iter(frames[2:]), CaptureRecorder(tmp_path, "ann")))
    reader = ImageFolder(root=tmp_path)
    found = {source.capture: reader.load(source, "color")[0, 0].tolist() for source in reader.scan()}
    assert found == {f"capture_00{i}": [i, 9, 200] for i in range(3)}


def test_captures_begin_a_pause_apart(tmp_path, monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(recording, "monotonic", lambda: next(clock))
    frames = iter([CameraFrame(np.full((8, 6, 3), i, np.uint8)) for i in range(10)])
    list(record(frames, CaptureRecorder(tmp_path, "ann"), 2, pause_s=3))
    reader = ImageFolder(root=tmp_path)
    assert [reader.load(source, "color")[0, 0, 0] for source in reader.scan()] == [0, 3]


@pytest.fixture
def bag(tmp_path):
    path = tmp_path / "in" / "ann" / "film.bag"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.decompress(RECORDED.read_bytes()))
    return path


@true_sdk
def test_the_true_sdk_s_frames_are_recorded_as_its_reader_gives_them(bag, tmp_path):
    recorded(tmp_path / "out", bag, captures=3)
    reader = RealSenseBag(root=tmp_path / "in")
    expected = [reader.sample(source).arrays for source in list(reader.scan())[:3]]
    for capture, other in zip(read(tmp_path / "out").values(), expected, strict=True):
        for name in ("color", "depth", "intrinsics"):
            assert np.array_equal(capture[name], other[name])


@true_sdk
def test_the_true_sdk_starts_the_streams_that_are_asked_for(bag, monkeypatch):
    """Its playback stands for a camera: streams are asked for by size, format and rate as of one."""

    class Played(LiveCamera):
        def _started(self, pipeline, config):
            config.enable_device_from_file(str(bag), False)
            return super()._started(pipeline, config)

    monkeypatch.setattr(realsense_live, "DEPTH_SIZE_PX", (48, 36))
    monkeypatch.setattr(realsense_live, "SETTLING_FRAMES", 0)
    with closing(Played(color_size_px=(64, 48))) as camera:
        frame = next(camera.frames())
        assert (camera.model, camera.serial) == ("Intel RealSense L515", "f0000001")
        assert (frame.color.shape, frame.depth.shape) == ((48, 64, 3), (48, 64))
        assert {float(mm) // 100 for mm in np.unique(frame.depth * frame.mm_per_unit)} == {0, 5, 7}
    with pytest.raises(UserError, match="camera realsense: Couldn't resolve requests: connect it"):
        Played(color_size_px=(640, 480))
    with pytest.raises(UserError, match="camera realsense: No device connected"):
        LiveCamera()
