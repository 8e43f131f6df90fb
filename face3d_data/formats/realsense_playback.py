"""RealSense playback: frames of a recording (`.bag`) from the vendor's SDK, with depth aligned to colour.

The SDK is an extra: nothing of it is imported before a recording is opened.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.errors import MissingDependency, Unreadable
from face3d_data.extras import extra_line
from face3d_data.formats.distortion import parse_distortion

WAIT_MS = 200
MOST_WAITS = 50
"""Up to ten seconds for a frame from a slow disk; the SDK reports the end of a recording."""


@dataclass(frozen=True)
class PlayedFrame:
    """One frame: colour u1 (H, W, 3), depth u2 (H, W) aligned to it, the colour camera, and the depth's unit in mm.

    `distortion` is as `geometry/lens` takes it, None for a pinhole.
    """

    color: np.ndarray
    depth: np.ndarray
    intrinsics: tuple[float, float, float, float]
    mm_per_unit: float
    distortion: tuple[float, ...] | None = None


def load_sdk() -> Any:
    """Return the module pyrealsense2.

    Raises:
        MissingDependency: it is not installed, or cannot be loaded; with the install line.
    """
    try:
        return importlib.import_module("pyrealsense2")
    except ImportError as error:
        raise MissingDependency(f"reading .bag files needs pyrealsense2 ({error}): {extra_line('realsense')}") from None


class Playback:
    """An open recording; frames are numbered from 0 in the order in which the SDK delivers them, and go forward only.

    A frame counts where it has both colour and depth and neither was in the one before.
    """

    def __init__(self, path: Path) -> None:
        """Open a recording.

        Raises:
            MissingDependency: the SDK is not installed.
            Unreadable: `unreadable`: the SDK cannot play it.
        """
        self._sdk = load_sdk()
        self.path = path
        self.number = -1
        self.last: PlayedFrame | None = None
        self._seen = (-1, -1)
        self._pipeline = self._told(self._open)

    def _open(self) -> Any:
        sdk = self._sdk
        pipeline, config = sdk.pipeline(), sdk.config()
        config.enable_device_from_file(str(self.path), False)
        # Before it starts: in real time the first frames would be lost while the device is being set up.
        config.resolve(sdk.pipeline_wrapper(pipeline)).get_device().as_playback().set_real_time(False)
        profile = pipeline.start(config)
        self._device = profile.get_device()
        self._mm_per_unit = float(self._device.first_depth_sensor().get_depth_scale()) * 1000.0
        self._align = sdk.align(sdk.stream.color)
        return pipeline

    def frame(self, number: int) -> PlayedFrame:
        """Return frame `number`, which must not lie before the last one that was asked for.

        Raises:
            Unreadable: `no_frame`: the recording ends before; `unreadable`; `bad_format`: pixels of another kind.
        """
        while self.number < number or self.last is None:
            pair = self._told(self._next)
            if pair is None:
                raise Unreadable("no_frame", f"{self.path.name}: the SDK delivers {self.number + 1} frames")
            self.number += 1
            self.last = self._told(partial(self._arrays, *pair)) if self.number == number else None
        return self.last

    def close(self) -> None:
        """Stop playing; what the SDK says of it is of no use any more."""
        with contextlib.suppress(Unreadable):
            self._told(self._pipeline.stop)

    def _next(self) -> tuple[Any, Any] | None:
        """Return the next frame set whose colour and depth are both new, with its numbers, or None at the end."""
        status = self._sdk.playback_status
        waits = 0
        while waits < MOST_WAITS:
            came, frames = self._pipeline.try_wait_for_frames(WAIT_MS)
            if not came:
                if self._device.as_playback().current_status() == status.stopped:
                    return None
                waits += 1
                continue
            depth, color = frames.get_depth_frame(), frames.get_color_frame()
            if not depth or not color:
                continue
            numbers = depth.get_frame_number(), color.get_frame_number()
            if numbers[0] != self._seen[0] and numbers[1] != self._seen[1]:
                self._seen = numbers
                return frames, color
        raise RuntimeError("there was no frame for ten seconds")

    def _arrays(self, frames: Any, color: Any) -> PlayedFrame:
        aligned = self._align.process(frames).get_depth_frame()
        depth = np.asanyarray(aligned.get_data())
        pixels = self._rgb(color)
        if depth.dtype != np.uint16 or depth.shape != pixels.shape[:2]:
            raise Unreadable("bad_format", f"{self.path.name}: depth is {depth.dtype} {depth.shape}")
        camera = color.profile.as_video_stream_profile().intrinsics
        intrinsics = (float(camera.fx), float(camera.fy), float(camera.ppx), float(camera.ppy))
        try:
            lens = parse_distortion({"model": str(camera.model), "coeffs": [float(each) for each in camera.coeffs]})
        except ValueError as error:
            raise Unreadable("bad_format", f"{self.path.name}: colour camera: {error}") from None
        # Copies: the SDK uses its buffers again.
        return PlayedFrame(np.array(pixels, np.uint8), np.array(depth), intrinsics, self._mm_per_unit, lens)

    def _rgb(self, color: Any) -> np.ndarray:
        """Return a colour frame's pixels as RGB u1 (H, W, 3)."""
        kind, pixels = color.profile.format(), np.asanyarray(color.get_data())
        formats = self._sdk.format
        if kind in (formats.rgb8, formats.rgba8):
            return pixels[..., :3]
        if kind in (formats.bgr8, formats.bgra8):
            return pixels[..., 2::-1]
        if kind == formats.yuyv:
            import cv2

            packed = pixels.view(np.uint8).reshape(*pixels.shape[:2], 2)
            return cv2.cvtColor(packed, cv2.COLOR_YUV2RGB_YUYV)
        raise Unreadable("bad_format", f"{self.path.name}: colour is {kind}, expected RGB8, BGR8, RGBA8, BGRA8 or YUYV")

    def _told(self, act: Callable[[], Any]) -> Any:
        """Do something with the SDK, whose errors are RuntimeErrors that say what is wrong with the file."""
        try:
            return act()
        except RuntimeError as error:
            raise Unreadable("unreadable", f"{self.path.name}: {error}") from None
