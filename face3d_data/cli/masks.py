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
@click.option(
    "--photo", type=click.Path(path_type=Path), help="A photo of a face; its depth is taken from the mean face."
)
@click.option("--person", type=click.IntRange(0), default=0, show_default=True, help="Number of the synthetic person.")
@click.option("--styles", metavar="A,B,…", help="Draw only these styles [all].")
@click.option(
    "--style-file", multiple=True, type=click.Path(path_type=Path), help="A style of your own (YAML file); repeatable."
)
@click.option("--worn", metavar="A,B,…", default="proper", show_default=True, help="Ways of wearing to draw.")
@click.option("--occluders", is_flag=True, help="Also draw the occluders of the stage `occlude`.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of everything random.")
@click.option("--size", type=click.IntRange(48, 1024), default=180, show_default=True, help="Size of each picture, px.")
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
    """Draw every style of mask on one face, from the front and from the side, in colour, depth and points.

    The face is synthetic unless --capture or --photo is given. --capture accepts what the reader `rgbd_folder` reads:
    DIR/PERSON/CAPTURE_color.png with its _depth.png, and intrinsics.json in the same folder or one above it; of a
    folder, the first capture is used. For each style the visible share of the face is printed.
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
