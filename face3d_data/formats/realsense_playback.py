"""RealSense playback: frames of a recording (`.bag`) from the vendor's SDK, with depth aligned to colour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from face3d_data.errors import Unreadable
from face3d_data.formats.realsense_stream import PlayedFrame, RealSenseStream, load_sdk


class Playback(RealSenseStream):
    """An open recording; frames are numbered from 0 in the order in which the SDK delivers them, and go forward only.

    A frame counts where it has both colour and depth and neither was in the one before.
    """

    def __init__(self, path: Path) -> None:
        """Open a recording.

        Raises:
            MissingDependency: the SDK is not installed.
            Unreadable: `unreadable`: the SDK cannot play it.
        """
        self.path = path
        self.number = -1
        self.last: PlayedFrame | None = None
        super().__init__(load_sdk("reading .bag files"), path.name)

    def _started(self, pipeline: Any, config: Any) -> Any:
        config.enable_device_from_file(str(self.path), False)
        # Before it starts: in real time the first frames would be lost while the device is being set up.
        config.resolve(self.sdk.pipeline_wrapper(pipeline)).get_device().as_playback().set_real_time(False)
        return pipeline.start(config)

    def has_ended(self) -> bool:
        """Tell whether the recording is at its end."""
        return bool(self.device.as_playback().current_status() == self.sdk.playback_status.stopped)

    def frame(self, number: int) -> PlayedFrame:
        """Return frame `number`, which must not lie before the last one that was asked for.

        Raises:
            Unreadable: `no_frame`: the recording ends before; `unreadable`; `bad_format`: pixels of another kind.
        """
        while self.number < number or self.last is None:
            pair = self.next_set()
            if pair is None:
                raise Unreadable("no_frame", f"{self.path.name}: the SDK delivers {self.number + 1} frames")
            self.number += 1
            self.last = self.arrays(*pair) if self.number == number else None
        return self.last
