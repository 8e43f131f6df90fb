"""`face3d record`."""

from __future__ import annotations

import math
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from face3d_data.cli.camera_options import CAMERA_HELP, CameraName, SizePx
from face3d_data.cli.output import echo, say
from face3d_data.errors import UserError
from face3d_data.plurals import counted

if TYPE_CHECKING:
    from face3d_data.inputs.recording import RecordedCapture


@click.command(short_help="Record captures of a person with a camera.")
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--camera",
    type=CameraName(files=True),
    default="realsense",
    show_default=True,
    metavar="CAMERA",
    help=f"{CAMERA_HELP}; or a recording that stands for one: a .bag file or a video.",
)
@click.option("--person", required=True, metavar="NAME", help="Name of the person's folder in OUT.")
@click.option("--frames", type=click.IntRange(1), default=1, show_default=True, help="Number of captures.")
@click.option(
    "--fuse",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    metavar="N",
    help="Make each capture of N consecutive frames: the median of their depth.",
)
@click.option(
    "--pause",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="Least time between the beginnings of two captures.",
)
@click.option("--size", type=SizePx(), metavar="WxH", help="Size of a RealSense camera's colour images [640x480].")
def command(
    out: Path, camera: str, person: str, frames: int, fuse: int, pause: float, size: tuple[int, int] | None
) -> None:
    """Record captures of one person into the folder OUT, without a display.

    A RealSense camera gives OUT/PERSON/capture_000_color.png and _depth.png (16 bits, aligned to colour), and
    OUT/intrinsics.json with the camera and the depth's unit, as the reader rgbd_folder reads them; a camera of colour
    alone gives OUT/PERSON/capture_000.png, for image_folder. Captures are numbered on from those that are there. Ctrl-C
    leaves whole captures.

    With --fuse, a pixel's depth is the median of its readings; where fewer than half of the frames have one, it is a
    hole. Colours are the middle frame's. The head must be still meanwhile: 5 frames take a sixth of a second.
    """
    from face3d_data.formats.realsense_live import COLOR_SIZE_PX
    from face3d_data.inputs.cameras import has_depth, open_camera
    from face3d_data.inputs.recording import CaptureRecorder, record

    deep = has_depth(camera)
    if fuse > 1 and not deep:
        raise UserError(f"--fuse {fuse}: fuses depth, which camera {camera} does not give: leave it out")
    if size is not None and not camera.startswith("realsense"):
        raise UserError(f"--size: sets what a RealSense camera gives, which {camera} is not: leave it out")
    if pause and not (camera.isdigit() or camera.startswith("realsense")):
        raise UserError(f"--pause: {camera} is a recording, which is read as fast as it can be: leave it out")
    recorder = CaptureRecorder(out, person)
    with closing(open_camera(camera, size or COLOR_SIZE_PX)) as stream:
        for done in record(stream, recorder, frames, fuse, pause):
            say(_line(done))
    reader = "rgbd_folder" if deep else "image_folder"
    echo(f"{counted(frames, 'capture')} of {person} in {out}: read them with the reader {reader}, root: {out}")


def _line(done: RecordedCapture) -> str:
    name = f"{done.files[0].parent.name}/{done.files[0].name}"
    if math.isnan(done.depth_share):
        return name
    if not done.depth_share:
        return f"{name}: no depth at all: nothing is within the camera's reach"
    made = f", {counted(done.frames, 'frame')}" if done.frames > 1 else ""
    return f"{name}: depth in {done.depth_share:.0%} of the pixels, from {done.nearest_mm:.0f} mm{made}"
