"""Recording of captures from a camera, in the layout of the readers `rgbd_folder` and `image_folder`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from face3d_data.atomic import atomic_path, make_folder, write_atomic
from face3d_data.errors import UserError
from face3d_data.formats.intrinsics import Intrinsics
from face3d_data.geometry.depth_fusion import fused_depth
from face3d_data.inputs.cameras import CameraFrame
from face3d_data.names import check_id_part
from face3d_data.plurals import counted
from face3d_data.readers.shared.rgbd_camera import camera_above, camera_in

PREFIX = "capture_"
_NUMBERED = re.compile(rf"{PREFIX}(\d+)(?:_color|_depth|_intrinsics)?\.(?:png|json)")
PNG_FAST = 3
"""Compression that keeps up with a camera."""


@dataclass(frozen=True, eq=False)
class RecordedCapture:
    """One capture that was written.

    Attributes:
        files: the colour image, and the depth image where there is one.
        frames: how many frames it is made of.
        depth_share: share of the pixels with a reading; NaN without depth.
        nearest_mm: 10th percentile of the depth readings, mm; NaN where no pixel has one.
    """

    files: tuple[Path, ...]
    frames: int
    depth_share: float
    nearest_mm: float


class CaptureRecorder:
    """Writes captures of one person, numbered on from those that are there; each is whole or not there.

    Args:
        out: folder of the collection.
        person: name of the person's folder in it.

    Raises:
        UserError: the name cannot be a person's, or `out` is a file.
    """

    def __init__(self, out: str | Path, person: str) -> None:
        self.out, self.folder = Path(out), Path(out) / person
        wrong = check_id_part(person, "the name")
        if wrong or person in (".", "..") or person.startswith("."):
            raise UserError(f"--person {person!r}: {wrong or 'begins with a dot'}: give the name of a folder")
        for path in (self.out, self.folder):
            if path.exists() and not path.is_dir():
                raise UserError(f"{path}: is a file: give another folder")
        there = [path.name for path in self.folder.iterdir()] if self.folder.is_dir() else []
        numbers = [int(match[1]) for name in there if (match := _NUMBERED.fullmatch(name))]
        self._next = max(numbers, default=-1) + 1

    def write(self, frames: Sequence[CameraFrame]) -> RecordedCapture:
        """Write the capture that frames are fused to.

        Raises:
            UserError: the folder has a camera file that cannot be read.
            OSError: the disk is full, or the folder cannot be written.
        """
        frame = fused(frames)
        name = f"{PREFIX}{self._next:03d}"
        make_folder(self.folder)
        if frame.depth is None or frame.camera is None:
            files = {self.folder / f"{name}.png": frame.color[..., ::-1]}
        else:
            self._write_camera(frame.camera, name)
            color, depth = (self.folder / f"{name}_{role}.png" for role in ("color", "depth"))
            files = {color: frame.color[..., ::-1], depth: frame.depth}
        _write_together(files)
        self._next += 1
        return RecordedCapture(tuple(files), len(frames), *_reach(frame))

    def _write_camera(self, camera: Intrinsics, name: str) -> None:
        """Write the camera's file for the collection, or beside the capture where that of the collection is another."""
        camera_in.cache_clear()
        there = camera_above(self.folder, 1, self.out)
        if isinstance(there, str):
            raise UserError(f"{there}: correct it, or record into another folder")
        text = json.dumps(camera_file(camera), indent=1)
        if there is None:
            write_atomic(self.out / "intrinsics.json", text)
        elif there.record != camera.record:
            write_atomic(self.folder / f"{name}_intrinsics.json", text)


def record(
    frames: Iterator[CameraFrame], recorder: CaptureRecorder, captures: int = 1, fuse: int = 1, pause_s: float = 0.0
) -> Iterator[RecordedCapture]:
    """Record captures and yield each when it is written.

    Args:
        frames: of a camera.
        recorder: writes them.
        captures: how many.
        fuse: consecutive frames of which each is made.
        pause_s: least time between the beginnings of two captures; frames that come meanwhile are left out.

    Raises:
        UserError: the camera or its recording ends before.
    """
    for number in range(captures):
        started = monotonic()
        some = list(islice(frames, fuse))
        if len(some) < fuse:
            raise UserError(f"the camera ended after {counted(number, 'capture')} of {captures}: ask for fewer")
        yield recorder.write(some)
        while number + 1 < captures and monotonic() - started < pause_s and next(frames, None) is not None:
            pass


def fused(frames: Sequence[CameraFrame]) -> CameraFrame:
    """Return one frame of several: the median of their depth (`fused_depth`), and the colours of the middle one."""
    middle = frames[len(frames) // 2]
    depths = [frame.depth for frame in frames if frame.depth is not None]
    return middle if middle.depth is None else replace(middle, depth=fused_depth(np.stack(depths)))


def camera_file(camera: Intrinsics) -> dict[str, Any]:
    """Return what `intrinsics.json` holds of a camera, without what is not known."""
    values: dict[str, Any] = {
        key: getattr(camera, key)
        for key in ("fx", "fy", "cx", "cy", "width", "height", "depth_scale", "device", "serial")
    }
    if camera.distortion is not None:
        values["model"] = "inverse_brown_conrady" if camera.distortion[-1] else "brown_conrady"
        values["coeffs"] = list(camera.distortion[: 5 if not any(camera.distortion[5:-1]) else -1])
    return {key: value for key, value in values.items() if value is not None}


def _write_together(files: dict[Path, np.ndarray]) -> None:
    """Write images; where one cannot be written, or Ctrl-C comes between them, none is there."""
    done: list[Path] = []
    try:
        for path, pixels in files.items():
            with atomic_path(path) as temporary:
                temporary.write_bytes(_png(pixels))
                done.append(path)
    except BaseException:
        for path in done:
            path.unlink(missing_ok=True)
        raise


def _png(pixels: np.ndarray) -> bytes:
    import cv2

    _, data = cv2.imencode(".png", np.ascontiguousarray(pixels), [cv2.IMWRITE_PNG_COMPRESSION, PNG_FAST])
    return bytes(data.tobytes())


def _reach(frame: CameraFrame) -> tuple[float, float]:
    """Return the share of pixels with a reading, and the distance in mm that a tenth of them do not exceed."""
    if frame.depth is None:
        return float("nan"), float("nan")
    depth = frame.sample.arrays["depth"]
    seen = depth[depth > 0]
    return len(seen) / depth.size, float(np.percentile(seen, 10)) if len(seen) else float("nan")
