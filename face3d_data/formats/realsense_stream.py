"""RealSense frames from the vendor's SDK: colour, with depth aligned to it, of a recording or of a camera.

The SDK (pyrealsense2) is an extra: nothing of it is imported before a recording or a camera is opened.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from face3d_data.errors import MissingDependency, Unreadable
from face3d_data.extras import extra_line
from face3d_data.formats.distortion import parse_distortion

WAIT_MS = 200
"""A wait for one frame; short, so that Ctrl-C is answered."""
MOST_WAITS = 50
"""Up to ten seconds for a frame from a slow disk or a camera that starts."""
T = TypeVar("T")


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


def load_sdk(reading: str) -> Any:
    """Return the module pyrealsense2.

    Args:
        reading: what it is needed for, for the message.

    Raises:
        MissingDependency: it is not installed, or cannot be loaded; with the install line.
    """
    try:
        return importlib.import_module("pyrealsense2")
    except ImportError as error:
        raise MissingDependency(f"{reading} needs pyrealsense2 ({error}): {extra_line('realsense')}") from None


class RealSenseStream:
    """Frame sets of one pipeline of the SDK; a set counts where its colour and depth are both there and both new.

    Args:
        sdk: the module.
        name: of the recording or camera, said first in messages.
    """

    def __init__(self, sdk: Any, name: str) -> None:
        self.sdk, self.name = sdk, name
        self._seen = (-1, -1)
        self._pipeline = self.asked(self._open)

    def _open(self) -> Any:
        """Return the pipeline, started by `_started`."""
        pipeline, config = self.sdk.pipeline(), self.sdk.config()
        self.device = self._started(pipeline, config).get_device()
        self.metres_per_unit = float(self.device.first_depth_sensor().get_depth_scale())
        self._align = self.sdk.align(self.sdk.stream.color)
        return pipeline

    def _started(self, pipeline: Any, config: Any) -> Any:
        """Configure and start the pipeline; return its profile."""
        raise NotImplementedError

    def has_ended(self) -> bool:
        """Tell, where no frame came, whether none will come any more."""
        return False

    def next_set(self) -> tuple[Any, Any] | None:
        """Return the next frame set that counts and its colour frame, or None at the end.

        Raises:
            Unreadable: `unreadable`: nothing came for ten seconds, or the SDK says what is wrong.
        """
        return self.asked(self._next)

    def _next(self) -> tuple[Any, Any] | None:
        waits = 0
        while waits < MOST_WAITS:
            came, frames = self._pipeline.try_wait_for_frames(WAIT_MS)
            if not came:
                if self.has_ended():
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

    def arrays(self, frames: Any, color: Any) -> PlayedFrame:
        """Return a frame set's pixels, depth aligned to colour.

        Raises:
            Unreadable: `bad_format`: pixels or a lens of another kind; `unreadable`.
        """
        return self.asked(lambda: self._arrays(frames, color))

    def _arrays(self, frames: Any, color: Any) -> PlayedFrame:
        aligned = self._align.process(frames).get_depth_frame()
        depth = np.asanyarray(aligned.get_data())
        pixels = self._rgb(color)
        if depth.dtype != np.uint16 or depth.shape != pixels.shape[:2]:
            raise Unreadable("bad_format", f"{self.name}: depth is {depth.dtype} {depth.shape}")
        camera = color.profile.as_video_stream_profile().intrinsics
        intrinsics = (float(camera.fx), float(camera.fy), float(camera.ppx), float(camera.ppy))
        try:
            lens = parse_distortion({"model": str(camera.model), "coeffs": [float(each) for each in camera.coeffs]})
        except ValueError as error:
            raise Unreadable("bad_format", f"{self.name}: colour camera: {error}") from None
        # Copies: the SDK uses its buffers again.
        return PlayedFrame(np.array(pixels, np.uint8), np.array(depth), intrinsics, self.metres_per_unit * 1000.0, lens)

    def _rgb(self, color: Any) -> np.ndarray:
        """Return a colour frame's pixels as RGB u1 (H, W, 3)."""
        kind, pixels = color.profile.format(), np.asanyarray(color.get_data())
        formats = self.sdk.format
        if kind in (formats.rgb8, formats.rgba8):
            return pixels[..., :3]
        if kind in (formats.bgr8, formats.bgra8):
            return pixels[..., 2::-1]
        if kind == formats.yuyv:
            import cv2

            packed = pixels.view(np.uint8).reshape(*pixels.shape[:2], 2)
            return cv2.cvtColor(packed, cv2.COLOR_YUV2RGB_YUYV)
        raise Unreadable("bad_format", f"{self.name}: colour is {kind}, expected RGB8, BGR8, RGBA8, BGRA8 or YUYV")

    def asked(self, act: Callable[[], T]) -> T:
        """Do something with the SDK, whose errors are RuntimeErrors that say what is wrong.

        Raises:
            Unreadable: `unreadable`, with what the SDK says.
        """
        try:
            return act()
        except RuntimeError as error:
            raise Unreadable("unreadable", f"{self.name}: {error}") from None

    def close(self) -> None:
        """Stop; what the SDK says of it is of no use any more."""
        with contextlib.suppress(Unreadable):
            self.asked(self._pipeline.stop)
