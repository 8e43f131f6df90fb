"""Cameras: colour and depth of a RealSense camera or a recording of one, colour of others and of videos."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face3d_data.errors import Unreadable, UserError
from face3d_data.formats.intrinsics import Intrinsics
from face3d_data.formats.realsense_live import COLOR_SIZE_PX, LiveCamera
from face3d_data.formats.realsense_playback import Playback
from face3d_data.formats.realsense_stream import PlayedFrame
from face3d_data.inputs.captures import MARK, RawCapture
from face3d_data.inputs.video import camera_frames, is_video, video_frames
from face3d_data.sample import Sample

REALSENSE = "realsense"
BAG_SUFFIX = ".bag"


@dataclass(frozen=True, eq=False)
class CameraFrame:
    """One frame of a camera.

    Attributes:
        color: u1 (H, W, 3), RGB.
        depth: u2 (H, W), aligned to colour, in the camera's own unit; None for a camera of colour alone.
        camera: the colour camera, with the depth's unit; None likewise.
    """

    color: np.ndarray
    depth: np.ndarray | None = None
    camera: Intrinsics | None = None

    @property
    def sample(self) -> Sample:
        """The frame as reader `rgbd_folder` gives it: depth f4 in mm."""
        arrays = {"color": self.color}
        if self.depth is not None and self.camera is not None and self.camera.depth_scale is not None:
            camera = self.camera
            arrays["depth"] = self.depth * np.float32(self.camera.depth_scale * 1000)
            arrays["intrinsics"] = np.array([camera.fx, camera.fy, camera.cx, camera.cy], np.float64)
            if camera.distortion is not None:
                arrays["distortion"] = np.array(camera.distortion, np.float64)
        return Sample.of(arrays)


def has_depth(camera: str | Path) -> bool:
    """Tell whether a camera, as `open_camera` takes it, gives depth."""
    text = str(camera)
    return text.partition(":")[0] == REALSENSE or text.lower().endswith(BAG_SUFFIX)


def open_camera(
    camera: str | Path, color_size_px: tuple[int, int] = COLOR_SIZE_PX
) -> Generator[CameraFrame, None, None]:
    """Yield what a camera sees, until it is unplugged or its recording ends.

    Args:
        camera: `realsense`, `realsense:SERIAL`, the number of a colour camera, or a file that stands for a camera: a
            recording of a RealSense camera (`.bag`) or a video.
        color_size_px: width and height of a RealSense camera's colour stream.

    Raises:
        UserError: there is no such camera or file, or it gives no image.
        MissingDependency: the camera needs the extra `realsense`.
    """
    text, path = str(camera), Path(camera)
    if text.partition(":")[0] == REALSENSE:
        yield from _live(text.partition(":")[2], color_size_px)
    elif text.isascii() and text.isdigit():
        yield from (CameraFrame(frame.sample.arrays["color"]) for frame in camera_frames(int(text)) if frame.sample)
    elif not path.is_file():
        raise UserError(f"camera {text}: is no camera and no file: give {REALSENSE}, a camera's number, or a recording")
    elif text.lower().endswith(BAG_SUFFIX):
        yield from _played(path)
    elif is_video(path):
        yield from (CameraFrame(frame.sample.arrays["color"]) for frame in video_frames(path) if frame.sample)
    else:
        raise UserError(f"camera {text}: is neither a recording ({BAG_SUFFIX}) nor a video")


def camera_captures(camera: str | Path) -> Iterator[RawCapture]:
    """Yield what a camera sees as captures, until it is unplugged.

    Args:
        camera: as `open_camera` takes it.

    Raises:
        UserError: as `open_camera`.
        MissingDependency: likewise.
    """
    number = 0
    try:
        for frame in open_camera(camera):
            yield RawCapture(f"camera {camera}{MARK}{number}", "", frame.sample)
            number += 1
    except UserError as error:
        if not number:
            raise
        logging.getLogger(__name__).warning("%s", error)  # what was seen before counts


def _live(serial: str, color_size_px: tuple[int, int]) -> Iterator[CameraFrame]:
    with closing(LiveCamera(serial, color_size_px)) as live:
        for frame in live.frames():
            yield _with_camera(frame, live.model, live.serial)


def _played(path: Path) -> Iterator[CameraFrame]:
    """Yield the frames of a recording.

    Raises:
        UserError: it cannot be played.
    """
    try:
        with closing(Playback(path)) as played:
            while (pair := played.next_set()) is not None:
                yield _with_camera(played.arrays(*pair), None, None)
    except Unreadable as error:
        raise UserError(f"{path}: {error.detail}") from None


def _with_camera(frame: PlayedFrame, model: str | None, serial: str | None) -> CameraFrame:
    height, width = frame.depth.shape
    # The SDK keeps the unit in 32 bits; their shortest decimal is the unit that is meant (0.001, 0.00025).
    unit = float(str(np.float32(frame.mm_per_unit / 1000)))
    camera = Intrinsics(*frame.intrinsics, width, height, unit, frame.distortion, device=model, serial=serial)
    return CameraFrame(frame.color, frame.depth, camera)
