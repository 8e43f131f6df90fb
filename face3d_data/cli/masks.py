"""`face3d masks`: a sheet of every style of mask on one face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from face3d_data.cli.options import check_writable
from face3d_data.cli.output import echo
from face3d_data.component import build
from face3d_data.errors import Reject, Unreadable, UserError

if TYPE_CHECKING:
    import numpy as np

    from face3d_data.pictures.mask_sheet import SheetView
    from face3d_data.readers.shared.strays import Folder
    from face3d_data.sample import Sample
    from face3d_data.stage import Stage

COLOR_ENDING, DEPTH_ENDING = "_color.png", "_depth.png"
LARGEST_PHOTO_PX = 1280
"""Larger photos are shrunk: a panel shows a few hundred pixels of them."""


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The picture to write, a .png file.")
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
    if out.suffix.lower() != ".png" or out.is_dir():
        raise UserError(f"--out {out}: give the name of a .png file")
    check_writable(out, "--out")
    stages = [*mask_stages(styles, worn, style_file), *(occlude_stages() if occluders else ())]
    subject = photographed(photo) if photo else captured(capture) if capture else rendered(person)
    echo(write_sheet(out, subject, stages, seed, size, echo))


def mask_stages(styles: str | None, worn: str, style_files: Sequence[Path]) -> list[tuple[str, Stage]]:
    """Return a stage for each style and way of wearing, with its title.

    Args:
        styles: names with commas between; None: those of the package, then those of the files.
        worn: ways of wearing, with commas between.
        style_files: the user's own styles.

    Raises:
        UserError: an unknown name, or a file that is no style.
    """
    from face3d_data.stages.mask import Mask
    from face3d_data.wear.mask_style import mask_styles

    files = tuple(path.absolute() for path in style_files)
    every = [*mask_styles(), *(path.stem for path in files)]
    asked = every if styles is None else [name.strip() for name in styles.split(",")]
    whole = build(Mask, {"styles": asked, "worn": worn, "style_files": files}, "masks")
    pairs = ((style, way) for style in asked for way in whole.worn)
    return [
        (
            style if way == "proper" else f"{style}, {way}",
            whole.model_copy(update={"styles": {style: 1.0}, "worn": {way: 1.0}}),
        )
        for style, way in pairs
    ]


def occlude_stages() -> list[tuple[str, Stage]]:
    """Return a stage for each kind of occluder that is no mask, with its title."""
    from face3d_data.stages.occlude import NAMES, Occlude

    return [(name, Occlude(kinds={name: 1.0})) for name in NAMES]


@dataclass(frozen=True)
class Subject:
    """Who wears the masks.

    Attributes:
        sample: colour, depth and points of a face, with landmarks and normals.
        photo: the photo alone, where the depth of `sample` is not its own.
        name: how messages call it.
    """

    sample: Sample
    photo: Sample | None
    name: str


def rendered(person: int) -> Subject:
    """Return a synthetic person, of the population that the reader `synthetic` gives by default."""
    from face3d_data.readers.synthetic import Synthetic

    reader = Synthetic(people=1, captures=1, first_person=person)
    return _subject(reader.sample(next(reader.scan())), f"synthetic person {person}")


def captured(path: Path) -> Subject:
    """Return an RGB-D capture, given its colour file or a folder that it lies in or under.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    from face3d_data.readers.rgbd_folder import RgbdFolder
    from face3d_data.readers.shared.folder import CaptureFiles
    from face3d_data.readers.shared.pattern import Match
    from face3d_data.readers.shared.rgbd_camera import CAMERA_FILES
    from face3d_data.stages.undistort import Undistort

    where = f"--capture {path}"
    folder, stem = _find_capture(path.absolute(), where)
    above = (path for path in folder.path.parents if any((path / name).exists() for name in CAMERA_FILES))
    root = next(above, folder.path.parent)
    names = {"color": f"{stem}{COLOR_ENDING}", "depth": f"{stem}{DEPTH_ENDING}"}
    files = {role: folder.path / name for role, name in names.items() if name in folder.files}
    inside = replace(folder, name=folder.path.relative_to(root).as_posix())
    reader = RgbdFolder(root=root)
    try:
        sample = reader.sample(reader.source(CaptureFiles(inside, stem, files, Match(inside.name, stem, {}))))
        return _subject(Undistort().apply(sample), where)
    except Reject as error:
        raise UserError(f"{where}: {error}") from None


def _find_capture(path: Path, where: str) -> tuple[Folder, str]:
    """Return the folder that lists a capture's files, and the capture's name: that of a file, or a folder's first."""
    from face3d_data.readers.shared.folder import walk

    if path.is_dir():
        for folder in walk(path):
            for name in folder.files:
                if name.endswith(COLOR_ENDING):
                    return folder, name.removesuffix(COLOR_ENDING)
    elif path.is_file() and path.name.endswith(COLOR_ENDING):
        return next(walk(path.parent)), path.name.removesuffix(COLOR_ENDING)
    raise UserError(f"{where}: no capture: give a file that ends with {COLOR_ENDING}, or a folder of such files")


def photographed(path: Path) -> Subject:
    """Return a photo, and the same with the depth of the mean face fitted to it.

    Raises:
        UserError: the file is no image, or no face is found in it.
    """
    import cv2

    from face3d_data.digest import digest_file
    from face3d_data.formats.image import read_color
    from face3d_data.pictures.mask_sheet import mean_face_depth
    from face3d_data.sample import Sample
    from face3d_data.stages.detect import Detect
    from face3d_data.wear.wearing import find_face

    where = f"--photo {path}"
    try:
        color = read_color(path, turn_by_exif=True)
    except OSError as error:
        raise UserError(f"{where}: cannot be read ({error.strerror}): give an image file") from None
    except Unreadable as error:
        raise UserError(f"{where}: {error.detail}: give a PNG, JPEG or BMP image") from None
    scale = LARGEST_PHOTO_PX / max(color.shape[:2])
    if scale < 1:
        color = cv2.resize(color, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    try:
        photo = Detect().apply(Sample.of({"color": color}, key=digest_file(path)))
        face = find_face(photo.arrays)
    except Reject as error:
        raise UserError(f"{where}: {error}: give a picture of one face, turned to the camera") from None
    depth, intrinsics = mean_face_depth(face, color.shape[:2])
    lent = photo.with_arrays(depth=depth, intrinsics=intrinsics)
    subject = _subject(lent, where, found=True)
    # Of one key, so that both are drawn the same mask.
    return replace(subject, sample=replace(subject.sample, key=photo.key), photo=photo)


def _subject(sample: Sample, name: str, found: bool = False) -> Subject:
    from face3d_data.stages.clean import Clean
    from face3d_data.stages.detect import Detect
    from face3d_data.stages.normals import Normals
    from face3d_data.stages.to_cloud import ToCloud

    stages: list[Stage] = [ToCloud(), Clean(), Normals()]
    try:
        for stage in stages if found else [Detect(), *stages]:
            sample = stage.apply(sample)
    except Unreadable as error:
        raise UserError(f"{name}: {error}") from None
    except Reject as error:
        kind = "larger picture" if found else "capture"  # a photo whose face was found fails for its few pixels alone
        raise UserError(f"{name}: {error}: give a {kind} of one face, turned to the camera") from None
    return Subject(sample, None, name)


def write_sheet(
    out: Path,
    subject: Subject,
    stages: Sequence[tuple[str, Stage]],
    seed: int,
    size: int,
    tell: Callable[[str], Any],
) -> Path:
    """Write the sheet of what a subject wears, a line for each to `tell`, and return its path.

    Raises:
        UserError: the face can wear none of it, or the file cannot be written.
    """
    from face3d_data.pictures.mask_sheet import look_at, sheet
    from face3d_data.pictures.sample_picture import write_png
    from face3d_data.wear.wearing import find_face

    try:
        look = look_at(find_face(subject.sample.arrays).view.to_face)
    except Reject as error:
        raise UserError(f"{subject.name}: {error}: give a capture of one face, turned to the camera") from None
    bare = ["nothing"] if subject.photo is None else ["nothing", "depth and points:", "the mean face's"]
    rows = [(bare, _row(subject.sample, subject.photo, look, size))]
    for title, stage in stages:
        try:
            worn = stage.apply(subject.sample, seed)
            seen = None if subject.photo is None else stage.apply(subject.photo, seed)
        except Reject as error:
            tell(f"{title}: not drawn: {error}")
            continue
        tags = (worn if seen is None else seen).tags
        tell(f"{title}: visible_ratio {tags['visible_ratio']:.2f}")
        rows.append((_lines(title, tags), _row(worn, seen, look, size)))
    if len(rows) == 1:
        raise UserError(f"{subject.name}: nothing could be drawn: give a face turned to the camera, not cut off")
    try:
        write_png(out, sheet(rows))
    except OSError as error:
        raise UserError(f"--out {out}: cannot be written ({error.strerror}): give another path") from None
    return out


def _row(sample: Sample, seen: Sample | None, look: SheetView, size: int) -> list[np.ndarray]:
    from face3d_data.pictures.mask_sheet import front, panels

    pictures = panels(sample.arrays, look, size)
    if seen is not None:
        pictures[0] = front(seen.arrays["color"], sample.arrays["intrinsics"], look, size)
    return pictures


def _lines(title: str, tags: Any) -> list[str]:
    color = " ".join(str(tags[name]) for name in ("mask_color", "mask_pattern") if tags.get(name, "plain") != "plain")
    return [*title.split(", "), *([color] if color else []), f"visible {tags['visible_ratio']:.2f}"]
