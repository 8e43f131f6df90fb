"""Export of dirty captures: their files in folders by reason, with a page that shows them."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath

from face3d_data.atomic import make_folder, write_atomic
from face3d_data.csv_cells import guarded
from face3d_data.errors import RunStopped, UserError
from face3d_data.pipeline.build import load_pipeline
from face3d_data.pipeline.dirty_page import Bad, page
from face3d_data.pipeline.run import PIPELINE
from face3d_data.pipeline.spec import SourceStep
from face3d_data.plurals import counted
from face3d_data.store.workspace import Workspace

TABLE, PAGE = "dirty.csv", "index.html"
COLUMNS = ("reason", "sample_id", "source", "step", "status", "detail", "path", "state", "files")
STATES = {
    "copied": "all files of the capture are here",
    "some_gone": "some files of the capture are gone, or are outside of the source's folder",
    "gone": "the capture's files are gone",
    "no_file": "the capture has no file of its own",
    "outside": "the capture's files are outside of the source's folder, and are not copied",
}


def export_dirty(root: str | Path, runs: Mapping[str, Sequence[Mapping[str, str]]], folder: str | Path) -> list[Bad]:
    """Copy the files of dirty rows into `folder/<reason>/<source>/…`, with a table of the rows and a page.

    Args:
        root: the workspace.
        runs: name of a pipeline that ran to its dirty rows.
        folder: new or empty; nothing is overwritten.

    Returns:
        The rows in their order.

    Raises:
        UserError: the folder holds something, or cannot be made.
        RunStopped: the disk is full, or a file cannot be copied.
    """
    root = Path(root)
    folder = Path(folder)
    _check_empty(folder)
    found: list[Bad] = []
    taken: dict[str, Path] = {}
    for name, rows in runs.items():
        captures = _Captures(root, name, {(row["source"], row["path"]) for row in rows if row["path"]})
        for row in rows:
            bad = Bad(row)
            files = captures.files(row)
            bad.outside = [str(path) for _, path in files if not captures.holds(row["source"], path)]
            files = [file for file in files if str(file[1]) not in bad.outside]
            present = [file for file in files if file[1].is_file()]
            bad.gone = [str(path) for _, path in files if not path.is_file()]
            bad.state = _state(bool(present), bool(bad.gone), bool(bad.outside))
            for relative, path in present:
                bad.files.append(_copy(path, folder, (row["reason"], row["source"], *relative), taken))
            found.append(bad)
    write_atomic(folder / TABLE, _table(found))
    write_atomic(folder / PAGE, page(found, folder, STATES))
    return found


def _state(present: bool, gone: bool, outside: bool) -> str:
    """Return which of `STATES` a row is in, by what there is of its files."""
    if not present:
        return "outside" if outside else "gone" if gone else "no_file"
    return "some_gone" if gone or outside else "copied"


def _check_empty(folder: Path) -> None:
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f"--export {folder}: is not empty: choose a new or empty folder")
        make_folder(folder)
    except OSError as error:
        raise UserError(f"--export {folder}: cannot be created ({error.strerror}): choose another folder") from None


class _Captures:
    """The files of a run's captures, as its readers find them now.

    Args:
        root: the workspace.
        pipeline: name of the run.
        wanted: source and path of the captures that are asked about.
    """

    def __init__(self, root: Path, pipeline: str, wanted: Collection[tuple[str, str]]) -> None:
        built = load_pipeline(Workspace(root).run_dir(pipeline) / PIPELINE)
        sources = {source for source, _ in wanted}
        self._steps = {step.id: step for step in built.sources if step.id in sources}
        self._wanted = wanted
        self._files: dict[tuple[str, str], dict[str, Path]] = {}
        for step in self._steps.values():
            self._scan(step)

    def holds(self, source: str, path: Path) -> bool:
        """Return whether a file lies below the source's root, wherever links lead: no list reaches other files."""
        step = self._steps.get(source)
        root = getattr(step.reader, "root", None) if step is not None else None
        return root is not None and path.resolve().is_relative_to(Path(root).resolve())

    def _scan(self, step: SourceStep) -> None:
        root = getattr(step.reader, "root", None)
        try:
            for source in step.reader.scan():
                paths = list(source.files.values())
                key = (step.id, _relative(paths[0], root)) if paths else ("", "")
                if key in self._wanted:
                    # Captures that share their first file, many in one HDF5, share what is copied.
                    self._files.setdefault(key, {}).update((_relative(path, root), path) for path in paths)
        except UserError:
            return  # the root is gone, or empty: rows name their files all the same

    def files(self, row: Mapping[str, str]) -> list[tuple[tuple[str, ...], Path]]:
        """Return the files of a row's capture: parts of each one's name below the source's root, and where it is."""
        if not row["path"]:
            return []
        known = self._files.get((row["source"], row["path"]))
        if known is None:
            step = self._steps.get(row["source"])
            root = getattr(step.reader, "root", None) if step is not None else None
            known = {row["path"]: Path(root) / row["path"]} if root is not None else {}
        return [(_parts(relative), path) for relative, path in known.items()]


def _relative(path: Path, root: Path | None) -> str:
    """Return a file's path as rows tell it: from the source's root, with `/`, bytes that are not UTF-8 as `\\x..`."""
    text = os.path.relpath(path, root).replace(os.sep, "/") if root is not None else path.name
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def _parts(relative: str) -> tuple[str, ...]:
    """Return the parts of a path that lead nowhere but down: `..` and roots become names."""
    names = {"..": "up", "/": "root", ".": "here"}
    return tuple(names.get(part, part) for part in PurePosixPath(relative).parts)


def _copy(path: Path, folder: Path, parts: Sequence[str], taken: dict[str, Path]) -> str:
    """Copy a file into the folder, once, and return its name there."""
    *folders, name = parts
    for number in range(1, len(taken) + 2):
        numbered = name if number == 1 else f"{number}-{name}"
        target = "/".join((*folders, numbered))
        if taken.setdefault(target, path) == path:
            break
    place = folder / target
    if not place.exists():
        try:
            make_folder(place.parent)
            shutil.copy2(path, place)
        except OSError as error:
            raise RunStopped(f"{path}: cannot be copied to {place} ({error.strerror or error})") from None
    return target


def _table(found: Sequence[Bad]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for bad in found:
        row = bad.row
        names = ("reason", "sample_id", "source", "step", "status", "detail", "path")
        writer.writerow(map(guarded, [*(row[name] for name in names), bad.state, ";".join(bad.files)]))
    return out.getvalue()


def summary(found: Sequence[Bad]) -> list[str]:
    """Return lines on what was copied, one per reason, and one for files that no longer exist."""
    reasons = Counter(bad.row["reason"] for bad in found)
    lines = []
    for reason, count in reasons.most_common():
        files = {name for bad in found if bad.row["reason"] == reason for name in bad.files}
        lines.append(f"{reason}: {counted(count, 'row')}, {counted(len(files), 'file')}")
    gone = sorted({path for bad in found for path in bad.gone})
    lines += [f"gone: {path}" for path in gone]
    outside = sorted({path for bad in found for path in bad.outside})
    lines += [f"not copied, as it is outside of the source's folder: {path}" for path in outside]
    return lines
