"""RealSense recordings as the cameras' own software writes them: `.bag` files, played by the vendor's SDK."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.realsense_playback import Playback
from face3d_data.formats.realsense_stream import PlayedFrame
from face3d_data.formats.rosbag_index import count_messages
from face3d_data.geometry.lens import LENGTH
from face3d_data.reader import Source
from face3d_data.readers.shared.folder import NAME_REASONS, CaptureFiles, FolderReader
from face3d_data.readers.shared.frames import FrameSelection
from face3d_data.readers.shared.rgbd_camera import CAMERA_ARRAYS
from face3d_data.registry import register

KINDS = ("Depth", "Color")


@register
class RealSenseBag(FrameSelection, FolderReader):
    """Read RealSense recordings through the SDK: `<person>/<recording>.bag`; needs the extra `realsense`.

    The SDK aligns depth to colour, with the intrinsics of the colour camera and the device's own depth unit;
    `distortion` is the colour lens, all zeros for most cameras. Frames are counted in the file's index without the SDK,
    and numbered from 0 in the order in which the SDK delivers those with both images. SDK releases differ by a frame at
    the start (2.59 leaves out the first), so use one release per dataset. A frame that is counted but not delivered is
    listed as `no_frame`. Frames are played forward: selecting a few of a long recording reads it up to the last
    selected one. `.db3` files (SDK 2.57 and later) are listed, not read.
    """

    name = "realsense_bag"
    version = 2
    outputs = ("color", "depth", *CAMERA_ARRAYS)
    tag_names = ("frame",)
    reasons: ClassVar[dict[str, str]] = {
        **NAME_REASONS,
        "no_frames": "the recording contains no depth or no colour images",
        "no_frame": "the recording has fewer frames with both colour and depth than requested",
        "bad_format": "the pixel format of depth or colour is not supported",
        "rosbag2": ".db3 recordings of newer SDKs are not supported: record or convert to .bag",
    }

    def suffixes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the endings of recordings."""
        return {"bag": (".bag",), "db3": (".db3",)}

    def source(self, found: CaptureFiles) -> Source:
        """Return the source of a whole recording, of which `scan` makes one for each frame."""
        match = found.match
        problem = None if "bag" in found.files else ("rosbag2", f"{found.stem}.db3")
        files = {"bag": found.files["bag"]} if problem is None else found.files
        return Source(match.person, match.capture, files, tags=match.tags, problem=problem)

    def scan(self) -> Iterator[Source]:
        """Yield the chosen frames of every recording, sorted by folder and name."""
        for source in super().scan():
            if source.problem:
                yield source
            else:
                yield from self._frames(source)

    def _frames(self, recording: Source) -> Iterator[Source]:
        path = recording.files["bag"]
        try:
            topics = count_messages(path)
        except Unreadable as error:
            yield replace(recording, problem=(error.reason, error.detail))
            return
        images = {kind: [n for topic, n in topics.items() if topic.endswith(f"/{kind}_0/image/data")] for kind in KINDS}
        count = min(max(numbers, default=0) for numbers in images.values())
        if not count:
            detail = f"{path.name}: {', '.join(f'{sum(n)} {kind}' for kind, n in images.items())} images"
            yield replace(recording, problem=("no_frames", detail))
            return
        for frame in self.chosen(range(count)):
            name, tags = f"{recording.capture}_{frame:06d}", {**recording.tags, "frame": frame}
            yield Source(recording.person, name, recording.files, None, frame, tags, self.outputs)

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array; depth in mm."""
        frame = _played(source.files["bag"], source.index)
        if name == "color":
            return frame.color.copy()
        if name == "intrinsics":
            return np.array(frame.intrinsics, np.float64)
        if name == "distortion":
            return np.array(frame.distortion or np.zeros(LENGTH), np.float64)
        return frame.depth * np.float32(frame.mm_per_unit)


@dataclass(frozen=True)
class _Open:
    pid: int
    path: Path
    state: tuple[int, int]
    """Size and time of change: another file may have come to the same place."""
    playback: Playback


_open: list[_Open] = []
"""The recording that this process plays, so that frames asked for in order are read once."""
_of_parent: list[_Open] = []
"""What a forked process found open: it must neither play it nor take it apart, for the SDK's threads stay behind."""


def _played(path: Path, number: int) -> PlayedFrame:
    """Return a frame, going on from the last one where that is possible."""
    stat = path.stat()
    state = (stat.st_size, stat.st_mtime_ns)
    if _open and _open[0].pid != os.getpid():
        _of_parent.append(_open.pop())
    if _open and ((_open[0].path, _open[0].state) != (path, state) or _open[0].playback.number > number):
        _open.pop().playback.close()
    if not _open:
        _open.append(_Open(os.getpid(), path, state, Playback(path)))
    try:
        return _open[0].playback.frame(number)
    except Unreadable:
        _open.pop().playback.close()
        raise
