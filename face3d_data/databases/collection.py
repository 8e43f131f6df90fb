"""Collection check: the content of a folder for a reader, compared with the expected content, before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from face3d_data.databases.description import Database
from face3d_data.databases.file_patterns import Recognised, count_files
from face3d_data.errors import Unreadable, UserError
from face3d_data.plurals import counted
from face3d_data.reader import Reader, Source, captures
from face3d_data.readers.shared.strays import LISTED_ONLY
from face3d_data.tables.spellings import masked_names

TALLIED = ("category", "session")
"""Tags whose values are counted."""
_OF_SOME = ("distortion",)
"""Arrays that captures rightly lack: a pinhole has no distortion."""
HARMLESS = ("name_not_matched", *LISTED_ONLY)
"""Reasons for which a file is left out though nothing is missing: it may be no part of the collection."""


@dataclass(frozen=True)
class Count:
    """How many were found, and how many there have to be; None: not known."""

    found: int
    expected: int | None = None

    @property
    def missing(self) -> int:
        """How many are missing."""
        return max(0, (self.expected or 0) - self.found)


@dataclass(frozen=True)
class Examples:
    """How many captures something is true of, and the first of them."""

    number: int
    first: str


@dataclass(frozen=True)
class Collection:
    """What a folder holds for a reader.

    Attributes:
        reader: the reader's name.
        root: the folder.
        name: name of the description that it is held against; empty: there is none.
        database: full name of that database.
        people: people with a capture that can be read.
        captures: captures that are complete by their names.
        recordings: videos, where captures are their frames; None: they are not.
        tallies: tag (`category`, `session`) to its values' counts.
        files: pattern to the number of files.
        lacking: array that the reader can give to the captures that come without it.
        left_out: reason to the files or captures that are left out for it.
        absent: people whose number is missing in a row of numbered ones; `bs002-bs104` where several follow.
        n_files: all files.
        unconfirmed: some of what is expected is not confirmed, as the description's notes say.
        stopped: why nothing could be listed; empty: it could.
        recognised: the database that the names of files look like; None: of no known one.
        first_fault: what the headers of the first capture's files and its camera file contradict each other in.
        notes: what a reader takes for granted where no file says it.
    """

    reader: str
    root: Path
    name: str
    database: str
    people: Count
    captures: Count
    recordings: Count | None = None
    tallies: Mapping[str, Mapping[str, Count]] = field(default_factory=dict)
    files: Mapping[str, Count] = field(default_factory=dict)
    lacking: Mapping[str, Examples] = field(default_factory=dict)
    left_out: Mapping[str, Examples] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    n_files: int = 0
    unconfirmed: bool = False
    stopped: str = ""
    recognised: Recognised | None = None
    first_fault: str = ""
    notes: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """What is missing, in words; nothing where the collection is whole."""
        parts = [counted(self.people.missing, "person")] if self.people.missing else []
        parts += [counted(self.captures.missing, "capture")] if self.captures.missing else []
        parts += [counted(self.recordings.missing, "recording")] if self.recordings and self.recordings.missing else []
        if not parts:
            values = (pair for tally in self.tallies.values() for pair in tally.items())
            parts += [f"{count.missing:,} of {value}" for value, count in values if count.missing]
        names = {_file_name(pattern): count.missing for pattern, count in self.files.items()}
        parts += [f"{n:,} {name}" for name, n in names.items() if n and n != self.captures.missing]
        broken = sum(seen.number for reason, seen in self.left_out.items() if reason not in HARMLESS)
        parts += [f"parts of {captures_text(broken)}"] if broken else []
        parts += ["files that fit each other"] if self.first_fault else []
        return tuple(parts) or (() if self.captures.found else ("every capture",))


def captures_text(number: int) -> str:
    """Return `1 capture`, `1,200 captures`."""
    return f"{number:,} capture{'' if number == 1 else 's'}"


def _file_name(pattern: str) -> str:
    """Return the end of a pattern that says which files they are: `bs*.lm3`, `profile/*.jpg`."""
    parts = pattern.split("/")
    return "/".join(parts[-2:] if parts[-1].startswith("*.") else parts[-1:])


def check_collection(
    reader: Reader, root: str | Path, known: Mapping[str, Database], given: Iterable[str] = ()
) -> Collection:
    """Return what a folder holds for a reader; no image or scan is decoded.

    Of depth images of no known database the headers of the first capture are held against its camera file.

    Args:
        reader: the reader on that folder.
        root: the folder.
        known: all descriptions by name.
        given: options that were set; with one that selects captures, published numbers do not count.

    Raises:
        UserError: a folder cannot be read.
    """
    root = Path(root)
    mine = [name for name, database in known.items() if database.reader == reader.name]
    fitting, seen = [name for name in mine if known[name].read_as(reader)], count_files(root, known, mine)
    name = max(fitting, key=lambda name: (seen.of_database(name), -fitting.index(name)), default="")
    database, (found, stopped) = known.get(name), _scan(reader)
    good = [source for source in found if source.problem is None]
    compared = None if _selecting(reader, [known[name] for name in mine]) & {*given} else database
    names, files = sorted({source.person for source in good}), database.expect.files if database else {}
    people = Count(len(names), compared.people_expected() if compared else None)
    return Collection(
        reader=reader.name,
        root=root,
        name=name,
        database=database.name if database else "",
        people=people,
        captures=Count(len(good), compared.captures_expected() if compared else None),
        recordings=_recordings(good, compared),
        tallies=_tallies(good, compared.counts if compared else {}),
        files={text: Count(seen.of_pattern(name, text), n) for text, n in files.items()},
        lacking=_lacking(reader.provides(), good),
        left_out=_left_out(source for source in found if source.problem is not None),
        absent=_gaps(names, people.expected or 0),
        n_files=seen.n_files,
        unconfirmed=compared is not None and "[unconfirmed" in compared.notes,
        stopped=stopped,
        recognised=seen.best(),
        first_fault="" if mine else _first_fault(reader, good),
        notes=_notes(reader, good),
    )


def _first_fault(reader: Reader, sources: Sequence[Source]) -> str:
    if not sources or "depth" not in reader.provides():
        return ""
    first = sources[0]
    try:
        reader.inspect(first)
    except (Unreadable, OSError) as error:
        return f"{first.person}/{first.capture}: {error}"
    return ""


def _notes(reader: Reader, sources: Sequence[Source]) -> tuple[str, ...]:
    """Return what the reader takes for granted, or leaves, where no file says it."""
    notes = []
    untold = sum(isinstance(s.record, Mapping) and s.record.get("unit_told") is False for s in sources)
    if untold:
        of = captures_text(untold)
        notes.append(f"no unit of depth is given for {of}, mm are taken: set depth_scale if they are not")
    unread = sum("depth" in source.files for source in sources) if "depth" in reader.outputs else 0
    if unread and "depth" not in reader.provides():
        notes.append(
            f"depth of {captures_text(unread)} is not read, no file gives its unit: --set depth_scale=0.001 if it is "
            "in mm, 1 if in m"
        )
    twins = masked_names({source.person for source in sources}, {})
    if twins and "pattern" in type(reader).model_fields:
        who = f"{twins[0][0]} and {twins[0][1]}"
        notes.append(
            f"suspected to be one person each: {who}{f' and {len(twins) - 1} more' if len(twins) > 1 else ''}: --set "
            "'pattern=\"{identity}[_{masked:flag}]/{capture}\"' reads them as one, with the tag mask"
        )
    return tuple(notes)


def _selecting(reader: Reader, databases: Iterable[Database]) -> set[str]:
    """Return the options that do not change what a capture is, so that they may leave some out.

    Those that one of the reader's databases needs tell which one it is.
    """
    needed = {option for database in databases for option in database.expect.options}
    return {name for name, info in type(reader).model_fields.items() if info.exclude} - {"root", "pattern"} - needed


def _recordings(sources: Iterable[Source], database: Database | None) -> Count | None:
    """Return the videos that captures are frames of, where the database is one of videos."""
    if database is None or database.expect.recordings is None:
        return None
    tags = database.expect.recordings_by
    return Count(len({(source.person, *map(source.tags.get, tags)) for source in sources}), database.expect.recordings)


def _scan(reader: Reader) -> tuple[list[Source], str]:
    found: list[Source] = []
    try:
        found.extend(captures(reader))
    except UserError as error:
        return found, str(error)
    return found, ""


def _tallies(sources: list[Source], counts: Mapping[str, int]) -> dict[str, dict[str, Count]]:
    """Return tag to value to count; `counts` is held against the tag that has most of its values."""
    values = {tag: Counter(str(source.tags[tag]) for source in sources if tag in source.tags) for tag in TALLIED}
    every = {tag: {str(source.tags[tag]) for source in sources if tag in source.tags} for tag in _tags_of(sources)}
    best = max(every, key=lambda tag: (len(every[tag] & counts.keys()), tag == TALLIED[0]), default=TALLIED[0])
    compared = best if every.get(best, set()) & counts.keys() else TALLIED[0]
    if compared not in values:
        values[compared] = Counter(str(source.tags[compared]) for source in sources if compared in source.tags)
    found = {}
    for tag, tally in values.items():
        expected = counts if tag == compared else {}
        names = [*expected, *sorted(tally.keys() - expected.keys())]
        if names:
            found[tag] = {name: Count(tally[name], expected.get(name)) for name in names}
    return found


def _tags_of(sources: Iterable[Source]) -> set[str]:
    return {tag for source in sources for tag in source.tags}


def _lacking(arrays: Iterable[str], sources: list[Source]) -> dict[str, Examples]:
    found = {}
    for array in arrays:
        without = [source for source in sources if array not in source.arrays]
        if without and not (array in _OF_SOME and len(without) == len(sources)):
            found[array] = Examples(len(without), f"{without[0].person}/{without[0].capture}")
    return found


def _left_out(sources: Iterable[Source]) -> dict[str, Examples]:
    number: Counter[str] = Counter()
    first: dict[str, str] = {}
    for source in sources:
        reason, detail = source.problem or ("", "")
        number[reason] += source.stands_for
        first.setdefault(reason, f"{source.person}/{source.capture}: {detail}")
    return {reason: Examples(n, first[reason]) for reason, n in number.most_common()}


def _gaps(names: list[str], expected: int) -> tuple[str, ...]:
    """Return the people missing from a series of names that end in numbers of the same width (`bs000` to `bs104`).

    Where numbers are not consecutive (FRGC's), nothing is reported: then the series is longer than the expected number
    of people. Nor is it where most are missing: there may be another series (Biwi's F01 to F06 and M01 to M14).
    """
    if not expected / 2 <= len(names) < expected:
        return ()
    stems = {name.rstrip("0123456789") for name in names}
    digits = [name[len(name.rstrip("0123456789")) :] for name in names]
    if len(stems) != 1 or len({len(text) for text in digits}) != 1 or not digits[0]:
        return ()
    numbers = {int(text) for text in digits}
    start = 0 if 0 in numbers else 1
    row = range(start, start + expected)
    if not numbers <= set(row):
        return ()
    stem, width = stems.pop(), len(digits[0])
    ends: list[list[int]] = []
    for number in (number for number in row if number not in numbers):
        if ends and ends[-1][1] == number - 1:
            ends[-1][1] = number
        else:
            ends.append([number, number])
    return tuple("-".join(dict.fromkeys(f"{stem}{number:0{width}d}" for number in pair)) for pair in ends)
