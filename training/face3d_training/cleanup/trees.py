"""Trees of clean and of dirty images: copies of the files that an embeddings file names, under their names."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from face3d_data.atomic import atomic_folder, make_folder
from face3d_data.errors import UserError
from face3d_training.cleanup.findings import Cleanup

CLEAN, DIRTY = "clean", "dirty"


@dataclass(frozen=True)
class ImageCopy:
    """An image that is copied.

    Attributes:
        file: the image.
        into: where its copy goes, below the folder of both trees.
    """

    file: Path
    into: PurePosixPath


def planned_copies(cleanup: Cleanup, root: str | Path) -> list[ImageCopy]:
    """Return what is copied, having checked that every file is there: blocked images to `dirty`, others to `clean`.

    Args:
        cleanup: of an embeddings file.
        root: folder that its `file_path`s are relative to.

    Raises:
        UserError: an image names no file, that of another image, one outside of `root`, or one that does not exist.
    """
    blocked = set(cleanup.blocked)
    faces, root = cleanup.faces, Path(root)
    found: dict[PurePosixPath, ImageCopy] = {}
    for face_id, name in zip(faces.ids, faces.files, strict=True):
        path = PurePosixPath(name)
        if not name or path.is_absolute() or ".." in path.parts:
            raise UserError(
                f"{faces.source}: file_path {name!r} of {face_id} is no path below --root: embed the images again with "
                "paths that are relative to one folder"
            )
        if not (root / path).is_file():
            raise UserError(
                f"--root {root}: has no file {name} ({face_id}): give the folder that file_path is relative to"
            )
        if path in found:
            raise UserError(f"{faces.source}: two images have the file_path {name!r}: give each image its own file")
        found[path] = ImageCopy(root / path, PurePosixPath(DIRTY if face_id in blocked else CLEAN) / path)
    return list(found.values())


def check_new(folder: str | Path) -> None:
    """Check that a folder for both trees is new, so that nothing in it is written over.

    Raises:
        UserError: it exists and is not empty.
    """
    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(f"--apply {folder}: already exists: use a folder that does not exist yet")


def copy_trees(
    folder: str | Path, copies: list[ImageCopy], progress: Callable[[str, int, int], None] = lambda p, d, t: None
) -> tuple[int, int]:
    """Copy images into `folder/clean` and `folder/dirty`, all of them or none.

    Args:
        folder: a new folder.
        copies: what is copied.
        progress: called with the part of the work, what is done of it and the total.

    Returns:
        Numbers of clean and of dirty images.

    Raises:
        UserError: the folder is not new, or cannot be written.
    """
    check_new(folder)
    try:
        with atomic_folder(Path(folder).absolute(), sync_files=False) as partial:
            for name in (CLEAN, DIRTY):
                make_folder(partial / name)
            for done, one in enumerate(copies):
                make_folder((partial / one.into).parent)
                shutil.copyfile(one.file, partial / one.into)
                progress("copy", done + 1, len(copies))
    except OSError as error:
        raise UserError(
            f"--apply {folder}: cannot be written ({error.strerror or error}): use another folder"
        ) from None
    dirty = sum(one.into.parts[0] == DIRTY for one in copies)
    return len(copies) - dirty, dirty
