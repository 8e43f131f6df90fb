"""Subjects of a mask sheet: a synthetic person, an RGB-D capture, or a photograph."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from face3d_data.errors import Reject, Unreadable, UserError

if TYPE_CHECKING:
    from face3d_data.readers.shared.strays import Folder
    from face3d_data.sample import Sample
    from face3d_data.stage import Stage


COLOR_ENDING, DEPTH_ENDING = "_color.png", "_depth.png"


LARGEST_PHOTO_PX = 1280
"""Larger photos are shrunk: a panel shows a few hundred pixels of them."""


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


def captured(path: str | Path) -> Subject:
    """Return an RGB-D capture, given its colour file or a folder that it is in or under.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    from face3d_data.readers.rgbd_folder import RgbdFolder
    from face3d_data.readers.shared.folder import CaptureFiles
    from face3d_data.readers.shared.pattern import Match
    from face3d_data.readers.shared.rgbd_camera import CAMERA_FILES
    from face3d_data.stages.undistort import Undistort

    path = Path(path)
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
    from face3d_data.readers.shared.walk import walk

    if path.is_dir():
        for folder in walk(path):
            for name in folder.files:
                if name.endswith(COLOR_ENDING):
                    return folder, name.removesuffix(COLOR_ENDING)
    elif path.is_file() and path.name.endswith(COLOR_ENDING):
        return next(walk(path.parent)), path.name.removesuffix(COLOR_ENDING)
    raise UserError(f"{where}: not a capture: give a file that ends with {COLOR_ENDING}, or a folder of such files")


def photographed(path: str | Path) -> Subject:
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

    path = Path(path)
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
        raise UserError(f"{where}: {error}: use a picture of one face that looks at the camera") from None
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
        raise UserError(f"{name}: {error}: give a {kind} of one face that looks at the camera") from None
    return Subject(sample, None, name)
