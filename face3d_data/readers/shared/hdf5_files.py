"""HDF5 files of a folder, found by ending or by the lists that name them, and the names of their labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from face3d_data.errors import Unreadable, UserError
from face3d_data.formats.text_bytes import read_text
from face3d_data.names import encode_part
from face3d_data.reader import Source
from face3d_data.readers.shared.strays import Folder, printable, strays
from face3d_data.readers.shared.walk import walk

ENDINGS = (".h5", ".hdf5")
LIST_ENDING = "_files.txt"
LABELS_ENDING = "_labels.npy"
"""Of the labels beside our shards, which contain identities themselves."""
NAMES_FILE = "shape_names.txt"
LONGEST_LIST = 10_000_000
"""Bytes of a list of files or names."""


@dataclass(frozen=True)
class H5File:
    """One file.

    Attributes:
        path: where it is.
        name: its path below the root, with `/`.
        list_name: of the list that names it (`train` of `train_files.txt`), or empty.
        names: names of its labels, label to name; None where nothing names them.
        problem: set where it cannot be read by its name: (reason, detail).
    """

    path: Path
    name: str
    list_name: str = ""
    names: tuple[str, ...] | None = None
    problem: tuple[str, str] | None = None

    @property
    def label(self) -> str:
        """Its name, as messages may hold it."""
        return printable(self.name)


def find_files(root: Path, wanted_list: str | None, reader: str) -> list[H5File]:
    """Return the HDF5 files at or below a root, sorted by folder and name, then those that lists name in vain.

    A line of a list names a file by its path below the list's folder or the root, or by its last part alone, since
    lists come with the folders of the program that wrote them.

    Args:
        root: a folder, or one file.
        wanted_list: only the files that this list names.
        reader: what messages name first.

    Raises:
        UserError: nothing is there, or a list does not exist or is not text.
    """
    if root.is_file():
        return [H5File(root, root.name, "", _names(root.parent / NAMES_FILE, reader))]
    if not root.is_dir():
        raise UserError(f"{reader}: root {root} is neither a folder nor a file: set root to the .h5 files")
    folders = list(walk(root))
    files = {name: path for folder in folders for name, path in _h5_in(folder)}
    lists = {name: path for folder in folders for name, path in _lists_in(folder)}
    if wanted_list is not None:
        lists = {name: path for name, path in lists.items() if wanted_list in (name, PurePosixPath(name).name)}
        if not lists:
            raise UserError(f"{reader}: files: no {wanted_list!r} in {root}: name an existing list, or leave it out")
    listed, missing = _listed(root, lists, files, reader)
    chosen = [name for name in files if wanted_list is None or name in listed]
    if not chosen and not missing:
        raise UserError(f"{reader}: no file in {root}: expected files that end with {' or '.join(ENDINGS)}")
    names = {folder.name: _names(folder.path / NAMES_FILE, reader) for folder in folders if NAMES_FILE in folder.files}
    return [H5File(files[name], name, listed.get(name, ""), _nearest(name, names)) for name in chosen] + missing


def strays_of(root: Path) -> Iterator[Source]:
    """Yield a row for what is below a root and is neither an HDF5 file nor a companion."""
    for folder in walk(root) if root.is_dir() else ():
        foreign = [name for name in (*folder.files, *folder.odd) if not name.lower().endswith(ENDINGS)]
        yield from strays(folder, foreign, (LABELS_ENDING,), wanted=" or ".join(ENDINGS))


def _listed(
    root: Path, lists: dict[str, Path], files: dict[str, Path], reader: str
) -> tuple[dict[str, str], list[H5File]]:
    """Return each listed file with the first list that names it, and what lists name in vain."""
    listed: dict[str, str] = {}
    missing: list[H5File] = []
    for name, path in lists.items():
        for number, line in _lines(path, reader):
            found = _find(line, name, files)
            if found is None:
                detail = f"{name}, line {number}: {line[:200]} is not a file below the root"
                missing.append(H5File(path, f"{name} line {number}", problem=("missing_file", detail)))
            else:
                listed.setdefault(found, PurePosixPath(name).name.removesuffix(LIST_ENDING))
    return listed, missing


def _h5_in(folder: Folder) -> Iterator[tuple[str, Path]]:
    for name in folder.files:
        if name.lower().endswith(ENDINGS):
            yield _below(folder, name), folder.path / name


def _lists_in(folder: Folder) -> Iterator[tuple[str, Path]]:
    for name in folder.files:
        if name.endswith(LIST_ENDING):
            yield _below(folder, name), folder.path / name


def _below(folder: Folder, name: str) -> str:
    return f"{folder.name}/{name}" if folder.name else name


def _find(line: str, list_name: str, files: dict[str, Path]) -> str | None:
    folder = list_name.rpartition("/")[0]
    for name in (f"{folder}/{line}" if folder else line, line):
        if name in files:
            return name
    last = line.replace("\\", "/").rpartition("/")[2]
    same = [name for name in files if name.rpartition("/")[2] == last]
    return same[0] if len(same) == 1 else None


def _nearest(name: str, names: dict[str, tuple[str, ...] | None]) -> tuple[str, ...] | None:
    folder = name.rpartition("/")[0]
    while folder and folder not in names:
        folder = folder.rpartition("/")[0]
    return names.get(folder)


def _names(path: Path, reader: str) -> tuple[str, ...] | None:
    if not path.is_file():
        return None
    lines = dict(_lines(path, reader))
    # The names of labels 0, 1, ...: a line without one is that of a label that has none.
    names = (lines.get(number, "") for number in range(1, max(lines, default=0) + 1))
    return tuple(encode_part(name) if set(name) & set("/~\0") else name for name in names)


def _lines(path: Path, reader: str) -> list[tuple[int, str]]:
    """Return (number, text) of the lines that are not empty.

    Raises:
        UserError: the file is not UTF-8 text, or too long for a list.
    """
    try:
        text = read_text(path, LONGEST_LIST, wanted="for a list")
    except Unreadable as error:
        raise UserError(f"{reader}: {error.detail}: correct it, or remove it") from None
    except OSError as error:
        raise UserError(f"{reader}: {path.name}: cannot be read ({error.strerror})") from None
    return [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
