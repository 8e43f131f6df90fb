"""Captures in the files and folders that a command is given: which reader reads them, and their samples."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from face3d_data.component import build
from face3d_data.errors import Unreadable, UserError
from face3d_data.formats.cloud_file import CLOUD_SUFFIXES, TEXT_SUFFIXES
from face3d_data.formats.image import IMAGE_SUFFIXES
from face3d_data.formats.mesh_file import MESH_SUFFIXES
from face3d_data.reader import Reader, Source, captures
from face3d_data.readers.rgbd_folder import RgbdFolder
from face3d_data.readers.shared.folder import FolderReader
from face3d_data.readers.shared.rgbd_camera import camera_in
from face3d_data.readers.shared.strays import is_stray
from face3d_data.readers.shared.walk import walk
from face3d_data.registry import find
from face3d_data.sample import Sample
from face3d_data.shards.schema import DESCRIPTION

DEPTH_SUFFIX, COLOR_SUFFIX = "_depth.png", "_color.png"
RGBD, MESHES, CLOUDS, IMAGES, BAGS = "rgbd_folder", "mesh_folder", "cloud_folder", "image_folder", "realsense_bag"
PLY_HEAD_BYTES = 1 << 12
NO_FACES = re.compile(rb"element face 0\b")
CAMERA_ABOVE = 3
"""How many folders above a capture its camera file is looked for."""
TEXTS = "texts"
"""Files that may hold points as text, or anything else."""
MARK = "#"
"""Stands between a file and the number of a capture in it."""
NO_UNIT = "its depth is not read, as no file gives its unit: --set depth_scale=0.001 where values are mm"
KINDS = {RGBD: "RGB-D captures", MESHES: "scans", CLOUDS: "point clouds", IMAGES: "photographs", BAGS: "recordings"}


@dataclass(frozen=True)
class RawCapture:
    """One capture as a reader found it.

    Attributes:
        path: what messages and results call it: its first file, or its id where it has none; of several captures in
            one file all but the first have a number behind it (`recording.bag#1`).
        person: the folder directly below the one that was given, or the reader's person.
        sample: its arrays, read when asked for; None where it cannot be read.
        problem: (reason, detail) where it cannot be read.
        note: what it lacks and how it can be had, for the message where something needs it.
    """

    path: str
    person: str
    sample: Sample | None
    problem: tuple[str, str] | None = None
    note: str = ""


@dataclass(frozen=True)
class ReaderChoice:
    """The reader that is asked for.

    Attributes:
        name: of a reader; None: chosen by the files.
        options: its options by name.
    """

    name: str | None = None
    options: Mapping[str, Any] | None = None


def captures_in(path: str | Path, choice: ReaderChoice = ReaderChoice()) -> Iterator[RawCapture]:
    """Yield the captures in a folder, or that of a file, in the order of their names.

    Args:
        path: a folder of any depth, or one file of a capture.
        choice: the reader, if it is not to be chosen by the files.

    Raises:
        UserError: there is nothing there, nothing that a reader reads, or files of several kinds.
    """
    path = Path(path)
    name = reader_of(path, choice)
    found = Counter[str]()
    for source, reader in _sources(path, name, dict(choice.options or {})):
        if source.problem is not None and is_stray(source):
            continue
        name_of_it = str(next(iter(source.files.values()), f"{source.person}/{source.capture}"))
        number = found[name_of_it]
        found[name_of_it] += 1
        yield _raw(reader, source, f"{name_of_it}{MARK}{number}" if number else name_of_it)
    if not found:
        raise UserError(f"{path}: reader {name} finds no capture in it: give another --reader, or another folder")


def reader_of(path: str | Path, choice: ReaderChoice = ReaderChoice()) -> str:
    """Return the name of the reader for an input, which is looked at only as far as that needs.

    Raises:
        UserError: there is nothing there, nothing that a reader reads, or files of several kinds.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such file or folder: give a capture, a scan, an image, or a folder of these")
    if (path / DESCRIPTION).is_file():
        raise UserError(
            f"{path}: is a dataset, whose samples are prepared already: give the captures that it is made of"
        )
    if choice.name is not None:
        find("reader", choice.name)
    return choice.name or kind_of(path)


def kind_of(path: str | Path) -> str:
    """Return the name of the reader for a file, or for what a folder contains.

    Raises:
        UserError: nothing that is read, or several kinds.
    """
    path = Path(path)
    if path.is_file():
        return _kind_of_file(path, twin=True)
    files = [folder.path / file for folder in walk(path) for file in folder.files]
    kinds = dict.fromkeys(kind for file in files if (kind := _kind_of_file(file, twin=False, quiet=True)))
    if RGBD in kinds and not any(file.name.lower().endswith(DEPTH_SUFFIX) for file in files):
        kinds = {IMAGES: None, **kinds}  # images that are named as if there were depth beside them
        kinds.pop(RGBD)
    if RGBD in kinds:
        kinds.pop(IMAGES, None)  # colour images of the captures
    for scans in (MESHES, CLOUDS, BAGS):
        if scans in kinds:
            kinds.pop(IMAGES, None)  # photographs and textures beside scans
    if len(kinds) > 1:
        kinds.pop(TEXTS, None)  # lists and notes beside captures
    if TEXTS in kinds:
        kinds = {CLOUDS: None}
    if len(kinds) > 1:
        there = " and ".join(f"{KINDS[kind]} ({kind})" for kind in kinds)
        raise UserError(f"{path}: contains {there}: choose with --reader, or give their folders one by one")
    if not kinds:
        raise UserError(
            f"{path}: contains no capture: expected <name>{COLOR_SUFFIX} with <name>{DEPTH_SUFFIX}, meshes, point "
            "clouds or images (other layouts: --reader)"
        )
    return next(iter(kinds))


def _kind_of_file(path: Path, twin: bool, quiet: bool = False) -> str:
    low = path.name.lower()
    if low.endswith((DEPTH_SUFFIX, COLOR_SUFFIX)) and (not twin or _twin(path).exists()):
        return RGBD
    if low.endswith(".bag"):
        return BAGS
    if low.endswith(MESH_SUFFIXES) and not (low.endswith(".ply") and _has_no_faces(path)):
        return MESHES
    if quiet and low.endswith(TEXT_SUFFIXES):
        return TEXTS
    if low.endswith(CLOUD_SUFFIXES):
        return CLOUDS
    if low.endswith(IMAGE_SUFFIXES):
        return IMAGES
    if quiet:
        return ""
    raise UserError(
        f"{path}: is no capture that is known by its name: give an image, a scan, or --reader with a folder"
    )


def _has_no_faces(path: Path) -> bool:
    """Tell whether a PLY file has points alone, by its header."""
    try:
        with open(path, "rb") as file:
            head = file.read(PLY_HEAD_BYTES).partition(b"end_header")[0]
    except OSError:
        return False
    return b"element vertex" in head and (b"element face" not in head or NO_FACES.search(head) is not None)


def _twin(path: Path) -> Path:
    """Return the depth of a colour image, or the colour of a depth image."""
    for one, other in ((COLOR_SUFFIX, DEPTH_SUFFIX), (DEPTH_SUFFIX, COLOR_SUFFIX)):
        if path.name.lower().endswith(one):
            return path.with_name(path.name[: -len(one)] + other)
    return path


def _sources(path: Path, name: str, options: dict[str, Any]) -> Iterator[tuple[Source, Reader]]:
    cls = find("reader", name)
    root = path if path.is_dir() else path.parent
    if issubclass(cls, RgbdFolder) and "pattern" not in options:
        root = _with_camera(root)
    reader = build(cls, {"root": root, **options}, f"--reader {name}")
    any_names = name in KINDS and "pattern" not in options
    if any_names and isinstance(reader, FolderReader):
        sources = reader.scan_part(path)
    elif path.is_file():
        raise UserError(f"{path}: reader {name} reads folders: give the folder of the collection")
    else:
        sources = captures(reader)
    for source in sources:
        yield source, reader


def _with_camera(folder: Path) -> Path:
    """Return the nearest folder at or above one that has a camera file; without any the folder itself."""
    for candidate in (folder, *folder.absolute().parents[:CAMERA_ABOVE]):
        if camera_in(candidate, need_scale=False) is not None:
            return candidate
    return folder


def _raw(reader: Reader, source: Source, path: str) -> RawCapture:
    """Return a source as a capture, whose arrays are read when they are asked for."""
    try:
        note = NO_UNIT if "depth" in source.files and "depth" not in source.arrays else ""
        return RawCapture(path, source.person, reader.sample(source), note=note)
    except Unreadable as error:
        return RawCapture(path, source.person, None, (error.reason, error.detail))
    except OSError as error:
        return RawCapture(path, source.person, None, ("unreadable", error.strerror or str(error)))
