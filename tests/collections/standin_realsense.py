"""A stand-in for pyrealsense2: as much of its playback and of a camera as is used, over frames that a test makes.

`tests/readers/test_realsense_bag.py` plays a recording of the true SDK as well, where that is installed.
"""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np


class Frame:
    """A depth or colour frame; none is false, as the SDK's are."""

    def __init__(self, number, pixels=None, kind="z16", camera=None):
        self.number, self.pixels, self.kind, self.camera = number, pixels, kind, camera

    def __bool__(self):
        return self.pixels is not None

    def get_frame_number(self):
        return self.number

    def get_data(self):
        return self.pixels

    @property
    def profile(self):
        video = SimpleNamespace(intrinsics=self.camera)
        return SimpleNamespace(format=lambda: self.kind, as_video_stream_profile=lambda: video)


class FrameSet:
    def __init__(self, depth, color):
        self.depth, self.color = depth, color

    def get_depth_frame(self):
        return self.depth

    def get_color_frame(self):
        return self.color


def frame_sets(
    depths,
    color_kind="rgb8",
    camera=(40.0, 41.0, 31.5, 23.5),
    model="distortion.inverse_brown_conrady",
    coeffs=(0,) * 5,
):
    """Return a set for each depth image, its colour all of the set's number."""
    intrinsics = SimpleNamespace(fx=camera[0], fy=camera[1], ppx=camera[2], ppy=camera[3], model=model, coeffs=coeffs)
    channels = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "y8": 1}[color_kind]
    sets = []
    for i, depth in enumerate(depths):
        color = np.full((*depth.shape, channels), i, np.uint8)
        color[..., 0] = 200
        sets.append(FrameSet(Frame(i + 7, depth), Frame(i + 7, color, color_kind, intrinsics)))
    return sets


def sdk(sets, metres_per_unit=0.001, refuse=None):
    """Return a module that plays these frame sets of any file, or as its camera.

    `refuse` is what it says when a file is opened, or a camera looked for; `asked` is what was asked of the camera.
    """
    module = ModuleType("pyrealsense2")
    module.played, module.opened, module.stopped, module.asked = 0, 0, 0, []
    playback = SimpleNamespace(set_real_time=lambda on: None, current_status=lambda: "stopped")
    sensor = SimpleNamespace(get_depth_scale=lambda: metres_per_unit)
    device = SimpleNamespace(
        as_playback=lambda: playback,
        first_depth_sensor=lambda: sensor,
        get_info=lambda what: {"name": "Stand-in D400", "serial_number": "0042"}[what],
    )
    profile = SimpleNamespace(get_device=lambda: device)

    class Pipeline:
        def start(self, config):
            module.opened += 1
            self.left = list(sets)
            return profile

        def try_wait_for_frames(self, wait_ms):
            if not self.left:
                return False, None
            module.played += 1
            return True, self.left.pop(0)

        def stop(self):
            module.stopped += 1
            self.left = []

    class Config:
        def enable_device_from_file(self, path, repeat):
            if refuse:
                raise RuntimeError(refuse)

        def resolve(self, pipeline):
            if refuse:
                raise RuntimeError(refuse)
            return profile

        def enable_device(self, serial):
            module.asked.append(serial)

        def enable_stream(self, stream, width, height, kind, frames_per_second):
            module.asked.append((stream, width, height, kind, frames_per_second))

    module.pipeline, module.config, module.pipeline_wrapper = Pipeline, Config, lambda pipeline: pipeline
    module.align = lambda stream: SimpleNamespace(process=lambda frames: frames)
    module.stream = SimpleNamespace(color="color", depth="depth")
    module.camera_info = SimpleNamespace(name="name", serial_number="serial_number")
    module.playback_status = SimpleNamespace(stopped="stopped")
    module.format = SimpleNamespace(z16="z16", rgb8="rgb8", bgr8="bgr8", rgba8="rgba8", bgra8="bgra8", yuyv="yuyv")
    return module


def install(module):
    """Put the stand-in where `import pyrealsense2` finds it."""
    sys.modules["pyrealsense2"] = module


def field(name, value):
    """Return a field of a rosbag's header."""
    text = name + b"=" + value
    return len(text).to_bytes(4, "little") + text


def record(fields, data=b""):
    """Return a record of a rosbag."""
    header = b"".join(field(name, value) for name, value in fields.items())
    return len(header).to_bytes(4, "little") + header + len(data).to_bytes(4, "little") + data


def write_bag(path, depth=3, color=3):
    """Write a rosbag that has nothing but an index: so many depth and colour images in two chunks."""
    topics = [b"/device_0/sensor_0/Depth_0/image/data", b"/device_0/sensor_1/Color_0/image/data"]
    index = b"".join(
        record({b"op": b"\x07", b"conn": i.to_bytes(4, "little"), b"topic": topic}, field(b"topic", topic))
        for i, topic in enumerate(topics)
    )
    for counts in ((1, 1), (depth - 1, color - 1)):
        pairs = b"".join(i.to_bytes(4, "little") + n.to_bytes(4, "little") for i, n in enumerate(counts))
        index += record({b"op": b"\x06", b"ver": b"\1\0\0\0", b"count": b"\2\0\0\0"}, pairs)
    head = {b"op": b"\x03", b"chunk_count": b"\2\0\0\0", b"conn_count": b"\2\0\0\0"}
    start = b"#ROSBAG V2.0\n"
    size = len(start) + len(record(head | {b"index_pos": bytes(8)}))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(start + record(head | {b"index_pos": size.to_bytes(8, "little")}) + index)
