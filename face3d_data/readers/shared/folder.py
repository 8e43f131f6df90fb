"""Base of readers of folders: the walk, the grouping of files into captures by name, and bad names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from face3d_data.errors import ContractError, UserError
from face3d_data.formats.packed import inner_name
from face3d_data.names import check_id_part
from face3d_data.reader import Reader, Source
from face3d_data.readers.shared.pattern import Match, NamePattern, compile_pattern
from face3d_data.readers.shared.strays import (
    STRAY_REASONS,
    Folder,
    beside,
    is_stray,
    printable,
    strays,
    unmatched,
)
from face3d_data.readers.shared.walk import walk

DATA_SUFFIXES: tuple[str, ...] = (".png", ".jpg", ".jpeg", ".bmp", ".npy")
"""Files that hold captures: one that fits no name is listed alone; `strays` lists the rest."""
UNNAMED = "unnamed"
"""Person of a capture that lies in the root itself, where names are not looked at."""
NAME_REASONS: dict[str, str] = {
    "name_not_matched": "the file's name does not fit the pattern",
    "bad_name": "a person's or capture's name cannot be part of an id",
    "same_name": "another file has the same person and capture",
    "unreadable": "a file is missing, empty, truncated, or not what its name says",
    **STRAY_REASONS,
}


@dataclass(frozen=True)
class CaptureFiles:
    """The files of one capture, before a reader looks at them: role to path, and what the pattern found."""

    folder: Folder
    stem: str
    files: Mapping[str, Path]
    match: Match


class FolderReader(Reader):
    """Base of the readers of folders of files: `<root>/<person>/<capture><suffix>`, or as `pattern` says."""

    reasons: ClassVar[dict[str, str]] = NAME_REASONS
    in_any_folder: ClassVar[bool] = False
    """Whether the reader's own pattern holds below any folders too: a database's names are known wherever they lie."""
    companions: ClassVar[tuple[str, ...]] = ()
    """Endings, in small letters, of files that belong to the collection and are not read: they are no row."""
    last_suffixes: ClassVar[tuple[str, ...]] = ()
    """Endings of files that give way to another of the same capture and role; they are listed."""

    root: Path = Field(exclude=True, description="folder of the collection")
    pattern: str | None = Field(
        None,
        exclude=True,
        description="how paths below root are named, if not {identity}/{capture}: "
        "{identity}[_{masked:flag}]/{session:int}_{capture}; types str int float flag, [...] may be absent",
    )

    def suffixes(self) -> Mapping[str, tuple[str, ...]]:
        """Return role to the endings of its files; the text before the ending is what the pattern is of."""
        raise ContractError(f"reader {self.name!r} defines no suffixes")

    def source(self, found: CaptureFiles) -> Source:
        """Return the source made of one capture's files; only names and small shared files may be read."""
        raise ContractError(f"reader {self.name!r} defines no source")

    def begin(self) -> None:
        """Read what all captures share, before the first is listed; nothing by default."""

    def declared_tags(self) -> tuple[str, ...]:
        """Return the reader's own tags and those of the pattern."""
        return tuple(dict.fromkeys((*self.tag_names, *self._compiled.tag_names)))

    @cached_property
    def _endings(self) -> list[tuple[str, str]]:
        """(ending, role), longest first; where the pattern names one of a role's endings, only that one."""
        text = (self.pattern or "").lower()
        pairs = [(end.lower(), role) for role, ends in self.suffixes().items() for end in ends]
        pairs.sort(key=lambda pair: (-len(pair[0]), pair))
        named = next(((end, role) for end, role in pairs if text.endswith(end)), None)
        return [pair for pair in pairs if named is None or pair[1] != named[1] or pair == named]

    @cached_property
    def _usual_endings(self) -> list[str]:
        """The endings for messages, the usual ones first, as `suffixes` has them; each is read packed too, or not."""
        known = {end for end, _ in self._endings}
        ends = dict.fromkeys(end.lower() for ends in self.suffixes().values() for end in ends)
        usual = [end for end in ends if end in known]
        return [end for end in usual if inner_name(end) == end or inner_name(end) not in usual]

    @cached_property
    def _compiled(self) -> NamePattern:
        text = self.pattern
        if text is None:
            return compile_pattern("{identity}/{capture}")
        ending = next((end for end, _ in self._endings if text.lower().endswith(end)), "")
        if not ending and not text.endswith(("/", "}", "]")):
            compile_pattern(text)  # what is wrong earlier is said first
            wanted = " or ".join(self._usual_endings)
            raise UserError(f"pattern {text!r}, character {len(text)}: it must end with {wanted}")
        return compile_pattern(text[: len(text) - len(ending)])

    def scan(self) -> Iterator[Source]:
        """Yield every capture below the root, sorted by folder and name, and every data file that fits no name."""
        self._compiled  # noqa: B018  a wrong pattern is said before the disk is touched
        if not self.root.is_dir():
            raise UserError(f"{self.name}: root {self.root} is not a folder: set root to the collection's folder")
        self.begin()
        seen: set[tuple[str, str]] = set()
        others: list[Source] | None = []
        for folder in walk(self.root):
            for source in self._sources(folder, seen):
                if not is_stray(source):
                    others = None
                elif others is not None:
                    others.append(source)
                yield source
        if others is not None:
            wanted = self.pattern or f"<person>/<capture>{next(iter(self.suffixes().values()))[0]}"
            raise UserError(f"{self.name}: no capture in {self.root}: expected files named {wanted}{beside(others)}")

    def scan_part(self, part: Path) -> Iterator[Source]:
        """Yield the captures in one folder or of one file below the root, whatever the pattern.

        A capture's person is the folder directly below that one that it lies in; captures are numbered.

        Args:
            part: a folder, which is walked, or a file of one capture.

        Raises:
            UserError: the folder cannot be read.
        """
        self.begin()
        seen: set[tuple[str, str]] = set()

        def named(name: str) -> Match:
            person, below, _ = name.partition("/")
            return Match(person if below else UNNAMED, str(len(seen)), {})

        for folder in walk(part if part.is_dir() else part.parent):
            for source in self._sources(folder, seen, named):
                if part.is_dir() or part in source.files.values():
                    yield source
            if not part.is_dir():
                return

    def _sources(
        self, folder: Folder, seen: set[tuple[str, str]], named: Callable[[str], Match | None] | None = None
    ) -> Iterator[Source]:
        groups, others = self._group(folder)
        for stem in sorted(groups):
            found = self._capture(folder, stem, groups[stem], seen, named or self._match)
            if isinstance(found, Source):
                yield found
                continue
            for name in sorted(groups[stem].values()):
                yield unmatched(folder, name, *found)
        for name, problem in others:
            yield unmatched(folder, name, *problem)
        taken = len(others) + sum(map(len, groups.values()))
        yield from self._strays(folder if taken < len(folder.files) else replace(folder, files=()))

    def _strays(self, folder: Folder) -> Iterator[Source]:
        """Yield a row for whatever in a folder is neither a capture's nor a companion of captures."""
        known = (*(end for end, _ in self._endings), *DATA_SUFFIXES)
        for name in folder.odd:
            if name.lower().endswith(known):
                yield unmatched(folder, name, "unreadable", "a broken link, or no plain file")
        foreign = [name for name in (*folder.files, *folder.odd) if not name.lower().endswith(known)]
        yield from strays(folder, foreign, self.companions, " ".join(self._usual_endings[:8]))

    def _group(self, folder: Folder) -> tuple[dict[str, dict[str, str]], list[tuple[str, tuple[str, str]]]]:
        """Return stem to role to file name, and the data files that are left with what is wrong with them."""
        groups: dict[str, dict[str, str]] = {}
        others = []
        last = self.last_suffixes
        for name in sorted(folder.files, key=lambda name: name.lower().endswith(last)) if last else folder.files:
            low = name.lower()
            ending, role = next((pair for pair in self._endings if low.endswith(pair[0])), ("", ""))
            if not ending:
                if low.endswith(DATA_SUFFIXES):
                    wanted = " or ".join(self._usual_endings)
                    others.append((name, ("name_not_matched", f"does not end with {wanted}")))
                continue
            roles = groups.setdefault(name[: -len(ending)], {})
            if role in roles and ending in self.last_suffixes and not roles[role].lower().endswith(self.last_suffixes):
                others.append((name, ("other_format", f"gives way to {roles[role]}, which makes the same capture")))
                continue
            if role in roles:
                others.append((name, ("same_name", f"{roles[role]} makes the same capture: rename one")))
            else:
                roles[role] = name
        return groups, others

    @property
    def _is_changed(self) -> bool:
        return self.pattern != type(self).model_fields["pattern"].default

    def _match(self, name: str) -> Match | None:
        """Return what the pattern finds in a path below the root, or in its end where that is enough."""
        match = self._compiled.match(name)
        while match is None and "/" in name and self.in_any_folder and not self._is_changed:
            name = name.partition("/")[2]
            match = self._compiled.match(name)
        return match

    def name_of(self, path: str) -> str | None:
        """Return what the pattern is of in a file's path below the root, None where the file ends like no capture."""
        ending = next((end for end, _ in self._endings if path.lower().endswith(end)), None)
        return None if ending is None else path[: -len(ending)]

    def fits(self, name: str) -> bool:
        """Return whether a name fits the pattern and makes a person and a capture."""
        match = self._match(name) if name else None
        return match is not None and not (bad_name(match.person, "") or bad_name(match.capture or "-", ""))

    def _capture(
        self,
        folder: Folder,
        stem: str,
        names: Mapping[str, str],
        seen: set[tuple[str, str]],
        named: Callable[[str], Match | None],
    ) -> Source | tuple[str, str]:
        """Return the source of one capture's files, or (reason, detail) where their name makes none."""
        match = named(f"{folder.name}/{stem}" if folder.name else stem)
        if match is None:
            remedy = "" if self._is_changed else ": set another root, or pattern"
            return "name_not_matched", f"does not fit {self._compiled.text}{remedy}"
        wrong = bad_name(match.person, "person") or bad_name(match.capture, "capture")
        if wrong:
            return "bad_name", wrong
        who = (match.person, match.capture)
        if who in seen:
            return "same_name", f"another file makes {match.person}/{match.capture}: rename one"
        source = self.source(
            CaptureFiles(folder, stem, {role: folder.path / name for role, name in names.items()}, match)
        )
        if source.problem is None or not self.in_any_folder:
            # Files that lie apart (landmarks in a folder of their own) must not keep the capture itself out.
            seen.add(who)
        return source


def bad_name(text: str, what: str) -> str | None:
    """Return what is wrong with a person's or capture's name, or None."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"{what} {printable(text)!r} is no UTF-8"
    return check_id_part(text, what)
