"""Base of readers that identify a capture by a file's whole path: its files are in sibling folders, by kind."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from face3d_data.errors import ContractError, UserError
from face3d_data.reader import Reader, Source
from face3d_data.readers.shared.folder import NAME_REASONS
from face3d_data.readers.shared.strays import STRAY_REASONS, Folder, beside, is_stray, strays, unmatched
from face3d_data.readers.shared.walk import walk

Paths = Mapping[str, str]
"""Role to a regular expression of whole paths below the root, with `/` between folders; case does not matter."""


@dataclass
class Gathered:
    """The files of one capture: role to its paths in the order found, each with the groups of its expression."""

    person: str
    capture: str
    files: dict[str, list[tuple[Path, Mapping[str, str]]]] = field(default_factory=dict)

    def first(self, *roles: str) -> dict[str, Path]:
        """Return role to path of the first file of each of these roles that is there."""
        return {role: self.files[role][0][0] for role in roles if role in self.files}

    def groups(self) -> Mapping[str, str]:
        """Return the groups of the first file found."""
        return next(iter(self.files.values()))[0][1]


class NamedTree(Reader):
    """Base of the readers of databases whose paths say everything; a reader says how paths look and what they hold."""

    reasons: ClassVar[dict[str, str]] = {
        **{name: NAME_REASONS[name] for name in ("name_not_matched", "unreadable")},
        **STRAY_REASONS,
    }
    paths: ClassVar[Paths] = {}
    left_alone: ClassVar[str] = r"(?!)"
    """Paths of files that belong to the database and are not read."""
    data_files: ClassVar[str] = r".*\.(?:bmp|jpe?g|png)"
    """Paths of files that hold captures: one that fits nothing is listed alone; `strays` lists the rest."""
    example: ClassVar[str] = ""
    """A path, for the message where there is none."""

    root: Path = Field(exclude=True, description="folder of the database")

    def name_of(self, role: str, groups: Mapping[str, str]) -> tuple[str, str] | str:
        """Return (person, capture) of a path's groups, or what is wrong with them."""
        raise ContractError(f"reader {self.name!r} defines no name_of")

    def is_wanted(self, groups: Mapping[str, str]) -> bool:
        """Return whether the filters take a path; all by default."""
        return True

    def source(self, found: Gathered) -> Source:
        """Return the source of one capture's files; only names and small text files may be read."""
        raise ContractError(f"reader {self.name!r} defines no source")

    def scan(self) -> Iterator[Source]:
        """Yield every capture below the root, sorted by person and capture, then every data file that fits no name."""
        if not self.root.is_dir():
            raise UserError(f"{self.name}: root {self.root} is not a folder: set root to the database's folder")
        gathered: dict[tuple[str, str], Gathered] = {}
        others: list[Source] = []
        seen = False
        for folder in walk(self.root):
            foreign = []
            for name in (*folder.files, *folder.odd):
                path = f"{folder.name}/{name}" if folder.name else name
                stray = self._sort_in(folder, name, path, gathered)
                seen = seen or stray is not False
                if isinstance(stray, Source):
                    others.append(stray)
                elif stray is False:
                    foreign.append(name)
            others.extend(strays(folder, foreign, wanted=f"files as {self.example}"))
        if not seen:
            said = f"expected files as {self.example}{beside(list(filter(is_stray, others)))}"
            raise UserError(f"{self.name}: no capture in {self.root}: {said}")
        for key in sorted(gathered):
            yield self.source(gathered[key])
        yield from others

    def _sort_in(
        self, folder: Folder, name: str, path: str, gathered: dict[tuple[str, str], Gathered]
    ) -> Source | bool:
        """Put a file to its capture; return a source for one that is bad, and whether it is of the database at all."""
        for role, expression in self.paths.items():
            match = re.fullmatch(expression, path, re.IGNORECASE | re.DOTALL)
            if match is None:
                continue
            groups = match.groupdict()
            who = self.name_of(role, groups)
            if isinstance(who, str):
                return unmatched(folder, name, "name_not_matched", who)
            if name in folder.odd:
                return unmatched(folder, name, "unreadable", "a broken link, or no plain file")
            if self.is_wanted(groups):
                found = gathered.setdefault(who, Gathered(*who))
                found.files.setdefault(role, []).append((Path(os.path.join(folder.path, name)), groups))
            return True
        if re.fullmatch(self.left_alone, path, re.IGNORECASE | re.DOTALL):
            return True
        if re.fullmatch(self.data_files, path, re.IGNORECASE | re.DOTALL):
            return unmatched(folder, name, "name_not_matched", f"expected {self.example}")
        return False
