"""Video as captures: the frames of a file, or of a camera, one after the other, in colour."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from face3d_data.errors import UserError
from face3d_data.inputs.captures import MARK, RawCapture
from face3d_data.sample import Sample

VIDEO_SUFFIXES: tuple[str, ...] = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")


def is_video(path: str | Path) -> bool:
    """Tell whether a file is a video, by its name."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def video_frames(path: str | Path) -> Iterator[RawCapture]:
    """Yield the frames of a video file, in colour.

    Raises:
        UserError: there is no such file, or not one frame of it can be decoded.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such video")
    yield from _frames(str(path), f"{path}", "is damaged, or of a format that OpenCV does not decode: convert it")


def camera_frames(number: int) -> Iterator[RawCapture]:
    """Yield what a camera sees, in colour, until it is unplugged.

    Raises:
        UserError: there is no such camera.
    """
    yield from _frames(number, f"camera {number}", "gives no image: connect it, or give another --camera")


def _frames(source: str | int, name: str, why: str) -> Iterator[RawCapture]:
    import cv2

    # What OpenCV and FFmpeg would print of a damaged file is said in one line.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    before = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        stream = cv2.VideoCapture(source)
        count = 0
        try:
            while True:
                there, image = stream.read()
                if not there or image is None:
                    break
                color = np.ascontiguousarray(image[:, :, ::-1])
                yield RawCapture(f"{name}{MARK}{count}", "", Sample.of({"color": color}))
                count += 1
        finally:
            stream.release()
    finally:
        cv2.utils.logging.setLogLevel(before)
    if not count:
        raise UserError(f"{name}: {why}")
