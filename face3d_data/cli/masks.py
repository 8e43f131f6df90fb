"""`face3d masks`: a sheet of every style of mask on one face."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from face3d_data.cli.options import out_option
from face3d_data.cli.output import echo
from face3d_data.errors import UserError

if TYPE_CHECKING:
    pass


@click.command(short_help="Draw every style of mask on one face.")
@out_option("the picture (.png)", required=True)
@click.option("--capture", type=click.Path(path_type=Path), help="An RGB-D capture: its colour file, or its folder.")
@click.option("--photo", type=click.Path(path_type=Path), help="A photo of a face; depth is that of the mean face.")
@click.option("--person", type=click.IntRange(0), default=0, show_default=True, help="Which synthetic person, if none.")
@click.option("--styles", metavar="A,B,…", help="Only these styles; all if not given.")
@click.option("--style-file", multiple=True, type=click.Path(path_type=Path), help="A style of your own, a YAML file.")
@click.option("--worn", metavar="A,B,…", default="proper", show_default=True, help="How they are worn, each drawn.")
@click.option("--occluders", is_flag=True, help="Draw the other occluders of the stage `occlude` too.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another seed, other draws.")
@click.option("--size", type=click.IntRange(48, 1024), default=180, show_default=True, help="Size of a picture, px.")
def command(
    out: Path,
    capture: Path | None,
    photo: Path | None,
    person: int,
    styles: str | None,
    style_file: tuple[Path, ...],
    worn: str,
    occluders: bool,
    seed: int,
    size: int,
) -> None:
    """Draw every style of mask on one face: from the front and from the side, in colour, depth and points.

    The face is a synthetic one, unless --capture or --photo gives another. --capture takes what the reader
    `rgbd_folder` takes: DIR/PERSON/CAPTURE_color.png, its _depth.png beside it, and intrinsics.json there or in a
    folder above; of a folder, the first capture. Each style's line says which share of the face stays visible.
    """
    if capture is not None and photo is not None:
        raise UserError("masks: give --capture or --photo, not both")
    if out.suffix.lower() != ".png":
        raise UserError(f"--out {out}: give the name of a .png file")
    from face3d_data.sheets.mask_styles_sheet import mask_stages, occlude_stages, write_mask_sheet
    from face3d_data.sheets.mask_subjects import captured, photographed, rendered

    stages = [*mask_stages(styles, worn, style_file), *(occlude_stages() if occluders else ())]
    subject = photographed(photo) if photo else captured(capture) if capture else rendered(person)
    echo(write_mask_sheet(out, subject, stages, seed, size, echo))
