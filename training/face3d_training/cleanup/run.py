"""A clean-up from its input to its folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from face3d_data.errors import UserError
from face3d_training.cleanup.clusters import ClusterRule
from face3d_training.cleanup.dataset_faces import DatasetChoice, faces_of_dataset
from face3d_training.cleanup.embedding_file import read_embedding_file
from face3d_training.cleanup.files import check_replaceable, write_cleanup
from face3d_training.cleanup.findings import Cleanup, find
from face3d_training.cleanup.pictures import dataset_pictures, file_pictures
from face3d_training.cleanup.sheet import make_sheet
from face3d_training.cleanup.trees import check_new, copy_trees, planned_copies


@dataclass(frozen=True)
class CleanupRequest:
    """Clean-up that is asked for.

    Attributes:
        source: an embeddings file, or rows of a dataset with the network that embeds them.
        out: folder that is written.
        rule: distances, linkage and thresholds.
        root: folder that an embeddings file's `file_path`s are relative to.
        apply_to: new folder for the trees of clean and dirty images; None: nothing is copied.
    """

    source: Path | DatasetChoice
    out: Path
    rule: ClusterRule
    root: Path | None = None
    apply_to: Path | None = None


@dataclass(frozen=True)
class CleanupResult:
    """What was found and written.

    Attributes:
        cleanup: the findings.
        files: names of the files in the folder.
        copied: numbers of clean and dirty images that were copied; None: none was asked for.
    """

    cleanup: Cleanup
    files: list[str]
    copied: tuple[int, int] | None


def run_cleanup(
    request: CleanupRequest,
    progress: Callable[[str, int, int], None] = lambda part, done, total: None,
    say: Callable[[str], None] = lambda line: None,
) -> CleanupResult:
    """Find what is wrong with labels, write the folder, and copy images where that is asked for.

    Args:
        request: what is asked for.
        progress: called with the part of the work, what is done of it and the total.
        say: called with notes.

    Raises:
        UserError: the input, an option or a folder does not fit.
    """
    check_replaceable(request.out)
    if request.apply_to is not None:
        check_new(request.apply_to)
    if request.root is not None and not request.root.is_dir():
        raise UserError(f"--root {request.root}: is not a folder: give the one that file_path is relative to")
    if isinstance(request.source, DatasetChoice):
        faces = faces_of_dataset(request.source, progress, say)
        picture = dataset_pictures(request.source.dataset, faces.facts["splits"])
    else:
        faces = read_embedding_file(request.source, request.root)
        picture = file_pictures(faces, request.root)
    cleanup = find(faces, request.rule, progress)
    copies = [] if request.apply_to is None else planned_copies(cleanup, request.root or Path())
    files = write_cleanup(request.out, cleanup, make_sheet(cleanup, picture, f"Clean-up of {faces.source}", progress))
    copied = None if request.apply_to is None else copy_trees(request.apply_to, copies, progress)
    return CleanupResult(cleanup, files, copied)
