"""Walk of a folder tree: the folders that readers enter, with their files, in a fixed order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from face3d_data.errors import UserError
from face3d_data.readers.shared.strays import LEFTOVER_FILES, LEFTOVERS, Folder


def walk(root: Path) -> Iterator[Folder]:
    """Yield the folders below `root`, itself first, each before those inside it, all sorted by name.

    Folders whose names begin with a dot are named but not entered, `LEFTOVERS` of archives and disks are left out;
    links are followed, except those to folders that are read by another name: they are `linked`. A folder that cannot
    be read has a `fault`.

    Raises:
        UserError: the root itself cannot be read.
    """
    top = os.path.realpath(root)
    pending: list[tuple[str, str, tuple[str, ...]]] = [(str(root), "", (top,))]
    outside: set[str] = set()
    while pending:
        path, name, inside = pending.pop()
        folder, children = _listed(path, name)
        if folder.fault and not name:
            raise UserError(f"{path}: {folder.fault}, or set root to another folder")
        entered: list[tuple[str, str, tuple[str, ...]]] = []
        linked = []
        for child, is_link in children:
            full = os.path.join(path, child)
            real = os.path.realpath(full) if is_link else os.path.join(inside[-1], child)
            if real in inside or (is_link and (real in outside or _is_entered(real, top))):
                linked.append((child, real))
                continue
            if is_link:
                outside.add(real)
            entered.append((full, f"{name}/{child}" if name else child, (*inside, real)))
        yield replace(folder, linked=tuple(linked))
        pending.extend(reversed(entered))


def _is_entered(real: str, top: str) -> bool:
    """Return whether the walk below `top` enters a folder by its own name: those in hidden folders it does not."""
    if not Path(real).is_relative_to(top):
        return False
    return not any(part.startswith(".") or part in LEFTOVERS for part in Path(real).relative_to(top).parts)


def _listed(path: str, name: str) -> tuple[Folder, list[tuple[str, bool]]]:
    """Return a folder, and (name, whether it is a link) of the folders in it that are entered."""
    found: dict[str, list[str]] = {"files": [], "odd": [], "hidden": [], "dotted": []}
    folders: list[tuple[str, bool]] = []
    fault = ""
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                hidden = entry.name.startswith(".")
                if entry.is_dir():
                    if hidden:
                        found["hidden"].append(entry.name)
                    elif entry.name not in LEFTOVERS:
                        folders.append((entry.name, entry.is_symlink()))
                elif not (entry.name.startswith("._") or entry.name.lower() in LEFTOVER_FILES):
                    kind = "dotted" if hidden else "files" if entry.is_file() else "odd"
                    found[kind].append(entry.name)
    except OSError as error:
        fault = f"cannot be read ({error.strerror}): allow it"
    listed = {kind: tuple(sorted(names)) for kind, names in found.items()}
    return Folder(Path(path), name, **listed, fault=fault, linked=()), sorted(folders)
