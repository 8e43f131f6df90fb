"""Stray files below a root that are not captures: known companions are skipped, all others become a row with a reason.

The one place that says which files may be next to captures. Others are listed, those of one ending in one folder by one
row that says how many they are, so that no file vanishes and an archive's hundred parts are no hundred rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from face3d_data.reader import Source

LEFTOVERS = frozenset({"__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"})
"""Folders that archives, network drives and disks leave: they repeat names or hold what was deleted, never captures."""
LEFTOVER_FILES = frozenset(
    {".ds_store", "thumbs.db", "desktop.ini", ".directory", ".localized", ".gitignore", ".gitkeep", ".gitattributes"}
)
"""Files of desktops and of git, in small letters; so are those whose names begin with `._`."""
PICTURES: tuple[str, ...] = (
    *(".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif", ".ppm"),
    *(".tga", ".dds", ".exr", ".hdr"),
)
"""Textures and photographs that are next to scans."""
COMPANIONS: tuple[str, ...] = (
    *(".txt", ".md", ".rst", ".rtf", ".pdf", ".doc", ".docx", ".odt", ".htm", ".html", ".log"),
    *(".json", ".yaml", ".yml", ".toml", ".ini", ".xml", ".csv", ".tsv", ".xls", ".xlsx", ".ods"),
    *(".md5", ".sha1", ".sha256", ".sfv", ".py", ".m", ".sh", ".bat", ".ipynb"),
)
"""Notes, tables, camera and landmark files, checksums, scripts: they may be next to captures and are no row."""
COMPANION_NAMES: tuple[str, ...] = ("readme", "license", "licence", "copying", "notice", "md5sums", "sha256sums")
"""Beginnings of names without an ending, in small letters, that are companions too."""
ARCHIVES: tuple[str, ...] = (".zip", ".tar", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".gz", ".zst")
STRAY_REASONS: dict[str, str] = {
    "other_format": "files of a type that this reader does not support; one row per ending and folder",
    "hidden_folder": "a folder whose name starts with a dot: it is skipped",
    "unreadable_folder": "a folder that cannot be read",
    "linked_folder": "a link to a folder that is read under another name: its captures are read once",
}
LISTED_ONLY = ("other_format", "hidden_folder", "linked_folder")
"""Reasons that say of no capture that it is bad: they count to no limit."""
MOST_COUNTED = 10_000
"""Files that are counted in a hidden folder."""


@dataclass(frozen=True)
class Folder:
    """One folder below the root: its path there (`""` for the root itself) and its plain files, sorted.

    Attributes:
        path: where it is.
        name: its path below the root.
        files: names of its plain files, leftovers of desktops left out.
        odd: names of what is neither a file nor a folder (broken links, devices).
        hidden: names of folders in it that are not entered, as they begin with a dot.
        dotted: names of files that begin with a dot, leftovers left out.
        fault: why it cannot be read; empty: it can.
        linked: (name, where it leads) of folders in it that are read by another name; they are not entered.
    """

    path: Path
    name: str
    files: tuple[str, ...]
    odd: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    dotted: tuple[str, ...] = ()
    fault: str = ""
    linked: tuple[tuple[str, str], ...] = ()


def printable(text: str) -> str:
    """Return `text` with bytes that are not UTF-8 written as `\\x..`."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def unmatched(folder: Folder, name: str, reason: str, detail: str) -> Source:
    """Return the source of a file that is no capture, so that it is listed: the person is its folder's path."""
    text = printable(name)
    files = {"file": folder.path / name} if text == name and name not in folder.odd else {}
    return Source(printable(folder.name) or ".", text, files, problem=(reason, f"{text}: {detail}"))


def is_stray(source: Source) -> bool:
    """Return whether a source is a row of `strays`: that there is one makes no collection."""
    return source.problem is not None and source.problem[0] in STRAY_REASONS


def beside(rows: Sequence[Source]) -> str:
    """Return how many other files a folder holds and which, for the message that there is no capture."""
    if not rows or rows[0].problem is None:
        return ""
    return f"; there are {sum(row.stands_for for row in rows)} others: {rows[0].problem[1][:160]}"


def strays(
    folder: Folder, names: Iterable[str], companions: tuple[str, ...] = (), wanted: str = ""
) -> Iterator[Source]:
    """Yield a row for everything in a folder that is not read: other files, hidden folders, the folder itself.

    Args:
        folder: as the walk gives it.
        names: files in it, and odd things, that are no capture and have no row yet.
        companions: endings, in small letters, that may be next to this reader's captures, beside `COMPANIONS`.
        wanted: what the reader reads, for the row.
    """
    if folder.fault:
        where = printable(folder.name)
        parent, _, last = where.rpartition("/")
        yield Source(parent or ".", last or ".", {}, problem=("unreadable_folder", f"{where}: {folder.fault}"))
    groups: dict[str, list[str]] = {}
    for name in names:
        low = name.lower()
        if low.endswith((*COMPANIONS, *companions)) or ("." not in low and low.startswith(COMPANION_NAMES)):
            continue
        if name in folder.odd:
            yield unmatched(folder, name, "unreadable", "a broken link, or no plain file")
        else:
            groups.setdefault(ending_of(low), []).append(name)
    for ending, found in sorted(groups.items()):
        archive = ending.endswith(ARCHIVES)
        remedy = "unpack it" if archive else f"is not read (wanted {wanted})" if wanted else "is not read"
        yield _group(folder, f"*{ending}", found, remedy)
    if folder.dotted:
        yield _group(folder, ".*", folder.dotted, "its name starts with a dot: rename it if it is a capture")
    for name in folder.hidden:
        yield _hidden(folder, name)
    for name, target in folder.linked:
        yield _linked(folder, name, target)


def ending_of(name: str) -> str:
    """Return how a name in small letters ends: `.zip`, `.obj.gz`, or nothing."""
    stem, dot, last = name.rpartition(".")
    if not dot or not stem:
        return ""
    inner = stem.rpartition(".")[2]
    return f".{inner}.{last}" if f".{last}" in ARCHIVES and "." in stem and len(inner) <= 4 else f".{last}"


def _group(folder: Folder, pattern: str, names: Sequence[str], remedy: str) -> Source:
    """Return one row for files of one kind in a folder; of a single file it has the name."""
    if len(names) == 1:
        return unmatched(folder, names[0], "other_format", remedy)
    detail = f"{len(names)} files {printable(pattern)}, first {printable(names[0])}: {remedy}"
    person = printable(folder.name) or "."
    return Source(person, printable(pattern), problem=("other_format", detail), stands_for=len(names))


def _hidden(folder: Folder, name: str) -> Source:
    count = 0
    for _, _, files in os.walk(folder.path / name):
        count += len(files)
        if count > MOST_COUNTED:
            break
    number = f"more than {MOST_COUNTED}" if count > MOST_COUNTED else str(count)
    detail = (
        f"{printable(name)}: {number} files in a folder whose name starts with a dot: rename it if they are captures"
    )
    person = printable(folder.name) or "."
    return Source(person, printable(name), problem=("hidden_folder", detail), stands_for=max(1, count))


def _linked(folder: Folder, name: str, target: str) -> Source:
    said = f"{printable(name)} leads to {printable(target)}, which is read by another name: remove the link"
    return Source(printable(folder.name) or ".", printable(name), problem=("linked_folder", said))
