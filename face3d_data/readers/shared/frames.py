"""Base of readers of recordings: selection of frames, and frames in sibling folders."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, TypeVar

from pydantic import Field

from face3d_data.errors import ContractError, UserError
from face3d_data.reader import Reader, Source
from face3d_data.readers.shared.folder import DATA_SUFFIXES, NAME_REASONS, FolderReader, bad_name
from face3d_data.readers.shared.pattern import Match, NamePattern, compile_pattern
from face3d_data.readers.shared.strays import Folder, beside, is_stray, printable, unmatched
from face3d_data.readers.shared.walk import walk

T = TypeVar("T")


class FrameSelection(Reader):
    """Options that select frames of a recording; the others are left out, and are not dirty."""

    first: int = Field(0, ge=0, exclude=True, description="index of the first frame to use in each recording, from 0")
    every: int = Field(1, ge=1, exclude=True, description="use every n-th frame from the first one on")
    max_frames: int | None = Field(None, ge=1, exclude=True, description="maximum number of frames per recording")

    def chosen(self, frames: Sequence[T]) -> Sequence[T]:
        """Return the frames that are taken of one recording, whose frames are in order."""
        return frames[self.first :: self.every][: self.max_frames]


@dataclass
class Recording:
    """One recording as the walk found it: for each role the folder of its frames, and frame number to file name."""

    name: str
    folders: dict[str, Folder] = field(default_factory=dict)
    frames: dict[int, dict[str, str]] = field(default_factory=dict)

    def files(self, frame: int) -> dict[str, Path]:
        """Return role to path of one frame's files."""
        return {role: self.folders[role].path / name for role, name in self.frames[frame].items()}


class FrameFolders(FrameSelection, FolderReader):
    """Base of the readers of recordings whose frames are numbered files in one folder for each role (colour, depth)."""

    reasons: ClassVar[dict[str, str]] = NAME_REASONS
    default_pattern: ClassVar[str] = "{identity}[/{recording}]"
    frames_in: ClassVar[str] = ""
    """How folders of frames are called, for the message on files that lie elsewhere."""

    pattern: str | None = Field(
        None,
        exclude=True,
        description="how recordings are named, if not as this reader's first lines say: "
        "{identity}_{session:int}/{recording}; types str int float flag, [...] may be absent",
    )

    def recording_of(self, folder: str) -> tuple[str, str] | None:
        """Return (recording's name, role) of a folder by its path below the root, None where it contains no frames."""
        raise ContractError(f"reader {self.name!r} defines no recording_of")

    def frame_source(self, recording: Recording, match: Match, frame: int) -> Source:
        """Return the source of one frame; only names and small shared files may be read."""
        raise ContractError(f"reader {self.name!r} defines no frame_source")

    def other_folder(self, folder: Folder) -> None:
        """Look at a folder that contains no frames (it may hold shared files); nothing by default."""

    @cached_property
    def _compiled(self) -> NamePattern:
        return compile_pattern(self.pattern or self.default_pattern)

    def name_of(self, path: str) -> str | None:
        """Return the name of the recording that a file or a folder of frames belongs to, None where it is of none."""
        found = self.recording_of(path) or self.recording_of(path.rpartition("/")[0])
        return None if found is None else found[0]

    def scan(self) -> Iterator[Source]:
        """Yield the chosen frames of every recording, sorted by the recording's name, then what fits no name."""
        self._compiled  # noqa: B018  a wrong pattern is said before the disk is touched
        if not self.root.is_dir():
            raise UserError(f"{self.name}: root {self.root} is not a folder: set root to the collection's folder")
        self.begin()
        recordings: dict[str, Recording] = {}
        others: list[Source] = []
        for folder in walk(self.root):
            others.extend(self._sort_in(folder, recordings))
            others.extend(self._strays(folder))
        if not recordings and all(map(is_stray, others)):
            wanted = f"wanted {self.default_pattern} below it{beside(others)}"
            raise UserError(f"{self.name}: no recording in {self.root}: {wanted}")
        seen: dict[tuple[str, str], str] = {}
        for name in sorted(recordings):
            yield from self._sources_of(recordings[name], seen)
        yield from others

    def _sort_in(self, folder: Folder, recordings: dict[str, Recording]) -> Iterator[Source]:
        """Add a folder's frames to its recording; yield the files that are not frames."""
        found = self.recording_of(folder.name)
        if found is None:
            self.other_folder(folder)
            for name in folder.files:
                if name.lower().endswith(DATA_SUFFIXES):
                    yield unmatched(folder, name, "name_not_matched", f"is not in a folder of frames: {self.frames_in}")
            return
        if not folder.files and not folder.odd:
            return  # an empty folder must not keep the full one of its name out
        name, role = found
        recording = recordings.setdefault(name, Recording(name))
        if role in recording.folders:
            there = recording.folders[role].name
            yield _whole_folder(folder, "same_name", f"{there} holds the same frames: take one away")
            return
        recording.folders[role] = Folder(folder.path, folder.name, (), ())
        yield from self._number(folder, role, recording)

    def _number(self, folder: Folder, role: str, recording: Recording) -> Iterator[Source]:
        endings = self.suffixes()[role]
        for name in folder.files:
            ending = next((end for end in endings if name.lower().endswith(end)), None)
            stem = name[: -len(ending)] if ending else ""
            if not ending or not (stem.isascii() and stem.isdigit()) or len(stem) > 12:
                if name.lower().endswith(DATA_SUFFIXES):
                    wanted = " or ".join(endings)
                    yield unmatched(folder, name, "name_not_matched", f"frames are named <number>{wanted}")
                continue
            roles = recording.frames.setdefault(int(stem), {})
            if role in roles:
                yield unmatched(folder, name, "same_name", f"{roles[role]} is the same frame: take one away")
            else:
                roles[role] = sys.intern(name)  # a million frames share some hundred names

    def _sources_of(self, recording: Recording, seen: dict[tuple[str, str], str]) -> Iterator[Source]:
        folder = next(iter(recording.folders.values()))
        match = self._compiled.match(recording.name)
        if match is None:
            remedy = "" if self._is_changed else ": set another root, or pattern"
            yield _whole_folder(folder, "name_not_matched", f"its recording does not fit {self._compiled.text}{remedy}")
            return
        wrong = bad_name(match.person, "person") or (bad_name(match.capture, "recording") if match.capture else None)
        if wrong:
            yield _whole_folder(folder, "bad_name", wrong)
            return
        other = seen.setdefault((match.person, match.capture), recording.name)
        if other != recording.name:
            yield _whole_folder(folder, "same_name", f"{other} makes {match.person}/{match.capture} too: rename one")
            return
        for frame in self.chosen(sorted(recording.frames)):
            yield self.frame_source(recording, match, frame)


def frame_name(recording: Recording, match: Match, frame: int) -> str:
    """Return the capture's name of a frame: the recording's and the frame's number as its file has it."""
    stem = next(iter(recording.frames[frame].values())).rpartition(".")[0]
    return f"{match.capture}_{stem}" if match.capture else stem


def missing_twin(files: Mapping[str, Path], wanted: Sequence[str]) -> tuple[str, str] | None:
    """Return the problem (reason, detail) of a frame that lacks a file of a role, None where it has all."""
    for role in wanted:
        if role not in files:
            there = next(iter(files.values()))
            return f"no_{role}", f"{there.parent.name}/{there.name} has no {role} twin"
    return None


def _whole_folder(folder: Folder, reason: str, detail: str) -> Source:
    """Return one source that stands for a folder none of whose frames can be taken."""
    parent, _, name = printable(folder.name).rpartition("/")
    return Source(parent or ".", name or ".", {}, problem=(reason, f"{printable(folder.name)}: {detail}"))
