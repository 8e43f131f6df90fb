"""Export of a dataset in the formats of other programs: complete or not at all, block by block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from face3d_data.atomic import atomic_folder
from face3d_data.errors import UserError
from face3d_data.shards.check import checked_dataset
from face3d_data.shards.export.form import ExportRows, Form
from face3d_data.shards.export.h5 import FaceFiles, ModelNetFiles
from face3d_data.shards.export.lfw import LfwFolders
from face3d_data.shards.export.masked_webface import MaskedWebFace
from face3d_data.shards.export.parquet_files import HuggingFaceFiles, ParquetFiles
from face3d_data.shards.export.rgbd import RgbdFiles
from face3d_data.shards.export.rgbd_three_columns import ThreeColumnFiles
from face3d_data.shards.export.samples import SampleFiles
from face3d_data.shards.export.sharing import check_may_share
from face3d_data.shards.export.triplets import TripletFiles, TripletPlan
from face3d_data.shards.export.webdataset_files import WebDatasetFiles

FORMATS = {
    "ply": "points, with normals and colours where the dataset has them, as <name>/<id>.ply; vertices as <id>.mesh.ply",
    "csv+ply": "the same: CSVs that begin with id,name,class, and clouds",
    "npy": "every array as it is stored: points (or depth, or the first) as <name>/<id>.npy, others <id>.<array>.npy",
    "png": "colour as <name>/<id>.png, depth as <name>/<id>.depth.png (16 bits, whole mm)",
    "obj": "registered faces (vertices) as meshes with UV coordinates, <name>/<id>.obj",
    "uv": "registered faces as UV maps of 16 bits, <name>/<id>.position.png and <id>.normal.png",
    "map": "maps as <name>/<id>.height.png (16 bits, 0.01 mm about 32768) and <id>.normals.png; scale in maps.json",
    "triplets": "epoch_0_training_triplets_….npy of the split train, beside its CSV",
    "rgbd": "<name>/<id>.png and <id>.npy (depth, mm), with train.csv, eval.csv, test.csv and dirty.csv",
    "face3d-pytorch": "the same images, with CSVs of rgb_image_path, dep_image_path and cls_name alone",
    "lfw": "<name>/<name>_0001.png, with pairs.txt by image numbers, in ten folds",
    "masked-webface": "plain and masked images as LPD's authors have them: <number>_<scale>.png, <style>/, test/query",
    "modelnet": "HDF5 files of data, label and normal, with train_files.txt, test_files.txt and shape_names.txt",
    "face-h5": "<split>.h5 of data, pid and class",
    "webdataset": "<split>-000000.tar of <id>.json, <id>.cls, <id>.png (colour) and <id>.<array>.npy",
    "parquet": "<split>-00000-of-00001.parquet: a row a sample, colour as PNG, other arrays as lists",
    "huggingface": "the same in data/, with a dataset card and Croissant metadata: load_dataset opens the folder",
}
TOGETHER = ("ply", "npy", "png", "obj", "uv", "map", "triplets")
"""Formats that may share a folder: they use the same names for samples."""
ALONE: dict[str, type[Form]] = {
    "rgbd": RgbdFiles,
    "face3d-pytorch": ThreeColumnFiles,
    "lfw": LfwFolders,
    "masked-webface": MaskedWebFace,
    "modelnet": ModelNetFiles,
    "face-h5": FaceFiles,
    "webdataset": WebDatasetFiles,
    "parquet": ParquetFiles,
    "huggingface": HuggingFaceFiles,
}
FOR_PASSING_ON = ("webdataset", "parquet", "huggingface")
"""Formats in which datasets are published: a source whose terms forbid that is refused, unless the user may."""
BLOCK = 64


def export_dataset(  # noqa: PLR0913 - a parameter for each option of the command
    path: str | Path,
    out: str | Path,
    formats: Sequence[str] = ("ply",),
    splits: Sequence[str] | None = None,
    tell: Callable[[int], None] = lambda n: None,
    say: Callable[[str], None] = lambda line: None,
    triplets: TripletPlan | None = None,
    check: bool = True,
    may_share: bool = False,
) -> int:
    """Write a dataset in formats that other programs read.

    Everything is written to a folder next to `out` first: `out` is complete or does not exist.

    Args:
        path: the dataset's folder.
        out: a folder that is empty or does not exist yet.
        formats: any of `FORMATS`; those of `ALONE` only by themselves.
        splits: splits to write, all by default.
        tell: called with the number of samples just written.
        say: called with a line for each part of the dataset that the formats cannot hold.
        triplets: how triplets are drawn.
        check: compare the dataset's files with their hashes first.
        may_share: formats of `FOR_PASSING_ON` also write sources whose terms do not let copies be passed on.

    Returns:
        The number of samples written.

    Raises:
        UserError: `out` is not empty, a format does not fit the dataset's arrays or another format, there is no such
            split, the dataset is damaged, or its sources' terms do not allow what a format is for.
        MissingDependency: a format needs an extra that is not installed.
    """
    path = Path(path)
    out = Path(out)
    dataset = checked_dataset(path, check)
    rows = ExportRows(dataset, tuple(dict.fromkeys(splits or dataset.splits)), out.absolute())
    total = sum(len(dataset.reader(split)) for split in rows.splits)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: is not empty: choose a folder that does not exist yet")
    chosen = _chosen(formats)
    if chosen[0] in FOR_PASSING_ON:
        check_may_share(dataset, chosen, may_share)
    out = out.absolute()
    if out.resolve().is_relative_to(path.resolve()):
        raise UserError(f"{out}: is inside the dataset {path}: choose a folder outside")
    try:
        with atomic_folder(out, sync_files=False) as partial:
            forms = _forms(rows, partial, chosen, triplets or TripletPlan())
            _write(rows, forms, tell)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror or error}): give another folder") from None
    for line in (line for form in forms for line in form.losses()):
        say(line)
    return total


def _chosen(formats: Sequence[str]) -> list[str]:
    """Return the formats asked for, each once.

    Raises:
        UserError: there is no such format, or two that cannot share a folder.
    """
    for name in formats:
        if name not in FORMATS:
            raise UserError(f"unknown format {name!r}: choose {', '.join(FORMATS)}")
    chosen = list(dict.fromkeys("ply" if name == "csv+ply" else name for name in formats))
    alone = [name for name in chosen if name in ALONE]
    if alone and len(chosen) > 1:
        raise UserError(f"format {alone[0]!r} needs its own folder: export it separately")
    return chosen


def _forms(rows: ExportRows, out: Path, chosen: Sequence[str], triplets: TripletPlan) -> list[Form]:
    """Return what writes the formats.

    Raises:
        UserError: one does not fit the dataset.
    """
    if chosen[0] in ALONE:
        form = ALONE[chosen[0]]
        lacking = [name for name in form.needs if name not in rows.fields]
        if lacking:
            there = ", ".join(rows.fields)
            raise UserError(f"{rows.dataset.path}: has no {lacking[0]} to write as {chosen[0]} (its arrays: {there})")
        return [form(rows, out)]
    samples = SampleFiles(rows, out, [name for name in chosen if name != "triplets"])
    return [samples, *([TripletFiles(rows, out, triplets)] if "triplets" in chosen else [])]


def _write(rows: ExportRows, forms: Sequence[Form], tell: Callable[[int], None]) -> None:
    for split in rows.splits:
        reader, table = rows.dataset.reader(split), rows.table(split)
        for form in forms:
            form.begin(split, table)
        for start in range(0, len(reader), BLOCK):
            stop = min(start + BLOCK, len(reader))
            batch = reader.__getitems__(range(start, stop))
            for form in forms:
                form.write(table.iloc[start:stop], batch)
            tell(stop - start)
    for form in forms:
        form.finish()
