"""RealSense camera: colour frames as it takes them, with depth aligned to colour, from the vendor's SDK."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from face3d_data.errors import Unreadable, UserError
from face3d_data.formats.realsense_stream import PlayedFrame, RealSenseStream, load_sdk

DEPTH_SIZE_PX = (640, 480)
"""Width and height of the depth stream: one that all models have."""
COLOR_SIZE_PX = (640, 480)
FRAMES_PER_SECOND = 30
SETTLING_FRAMES = 30
"""Frames that are left out first: exposure and white balance settle."""


class LiveCamera(RealSenseStream):
    """The first RealSense camera that is connected, or one by its serial number.

    Args:
        serial: of the camera; empty: the first.
        color_size_px: width and height of the colour stream, to which depth is aligned.

    Attributes:
        model: what the camera calls itself.
        serial: its serial number.

    Raises:
        MissingDependency: the SDK is not installed.
        UserError: there is no such camera, it is in use, or it has no stream of that size.
    """

    def __init__(self, serial: str = "", color_size_px: tuple[int, int] = COLOR_SIZE_PX) -> None:
        self._asked_serial, self._color_size_px = serial, color_size_px
        name = "camera realsense" + (f":{serial}" if serial else "")
        try:
            super().__init__(load_sdk(name), name)
        except Unreadable as error:
            size = "x".join(map(str, color_size_px))
            remedy = f"connect it, end what else uses it, or give another size than {size} px"
            raise UserError(f"{error.detail}: {remedy}") from None
        info = self.sdk.camera_info
        self.model = str(self.device.get_info(info.name))
        self.serial = str(self.device.get_info(info.serial_number))

    def _started(self, pipeline: Any, config: Any) -> Any:
        stream, pixels = self.sdk.stream, self.sdk.format
        if self._asked_serial:
            config.enable_device(self._asked_serial)
        config.enable_stream(stream.depth, *DEPTH_SIZE_PX, pixels.z16, FRAMES_PER_SECOND)
        config.enable_stream(stream.color, *self._color_size_px, pixels.rgb8, FRAMES_PER_SECOND)
        # Says at once what is wrong; `start` would wait 15 s for a camera to be connected.
        config.resolve(self.sdk.pipeline_wrapper(pipeline))
        return pipeline.start(config)

    def frames(self) -> Iterator[PlayedFrame]:
        """Yield frames as they come, from when the exposure has settled; those that come meanwhile are lost.

        Raises:
            UserError: the camera gives nothing any more, or pixels of an unknown kind.
        """
        try:
            for _ in range(SETTLING_FRAMES):
                self.next_set()
            while (pair := self.next_set()) is not None:
                yield self.arrays(*pair)
        except Unreadable as error:
            raise UserError(f"{error.detail}: connect it again") from None
