"""Options of the commands that use a camera."""

from __future__ import annotations

from typing import Any

import click

CAMERA_HELP = "N, or realsense (realsense:SERIAL for one of several)"


class CameraName(click.ParamType):
    """A camera: its number, `realsense` or `realsense:SERIAL`; with `files` also a file that stands for one."""

    name = "camera"

    def __init__(self, files: bool = False) -> None:
        self.files = files

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the camera's name, or refuse it."""
        text = str(value)
        kind, colon, serial = text.partition(":")
        if (text.isascii() and text.isdigit()) or (kind == "realsense" and bool(serial) == bool(colon)):
            return text
        if self.files and kind != "realsense" and not text.lstrip("-").isdigit():
            return text
        self.fail(f"{text!r} is no camera: give {CAMERA_HELP}", param, ctx)


class SizePx(click.ParamType):
    """Width and height of an image, `640x480`."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return (width, height), px, or refuse it."""
        width, _, height = str(value).lower().partition("x")
        if all(text.isascii() and text.isdigit() and 0 < int(text) <= 10_000 for text in (width, height)):
            return int(width), int(height)
        self.fail(f"{value!r} is no size: give WIDTHxHEIGHT, as in 1280x720", param, ctx)
