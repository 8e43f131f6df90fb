"""Page of `face3d readers --check`: one screen, at most `MAX_LINES` lines of `MAX_WIDTH` columns."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from face3d_data.databases.collection import Collection, Count, Examples, captures_text
from face3d_data.databases.file_patterns import Recognised
from face3d_data.plurals import counted

MAX_LINES = 24
MAX_WIDTH = 100
MOST_ROWS = 4
"""Patterns of files, arrays and reasons that are shown, each."""
TALLY_LINES = 3


def collection_lines(found: Collection) -> list[str]:
    """Return what was found as lines for people, the verdict last."""
    lines = [
        _cut(f"{found.reader}: {found.database or 'a collection'} in {found.root}: {counted(found.n_files, 'file')}")
    ]
    if found.stopped:
        lines += ["", *_wrapped(found.stopped)]
    if found.captures.found or found.left_out:
        numbers = {"people": found.people, "captures": found.captures}
        numbers |= {"recordings": found.recordings} if found.recordings else {}
        lines += ["", *_table({**numbers, **_some(found.files)})]
        for tag, tally in found.tallies.items() if found.captures.found else ():
            lines += _flowed(f"{tag}: ", [_told(value, count) for value, count in tally.items()], TALLY_LINES)
    if found.absent:
        lines += _flowed("absent people: ", list(found.absent), 1)
    for array, seen in _some(found.lacking).items():
        lines.append(_cut(f"without {array}: {captures_text(seen.number)}, {seen.first} first"))
    for reason, seen in _some(found.left_out).items():
        lines += _wrapped(f"left out, {reason}: {seen.number:,}, first {seen.first}")
    lines += _wrapped(f"the first capture does not fit: {found.first_fault}") if found.first_fault else []
    for note in found.notes:
        lines += _wrapped(note)
    lines += ["", *_verdict(found)]
    return lines[: MAX_LINES - 4] + lines[-4:] if len(lines) > MAX_LINES else lines


def _some(of: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first few; those of which something is missing come first."""
    items = sorted(of.items(), key=lambda item: not getattr(item[1], "missing", 0))
    return dict(items[:MOST_ROWS])


def _table(rows: Mapping[str, Count]) -> Iterator[str]:
    known = any(count.expected is not None for count in rows.values())
    name_width = min(40, max(map(len, rows)))
    yield f"{'':{name_width}}  {'found':>9}" + (f"  {'expected':>9}  {'missing':>9}" if known else "")
    for name, count in rows.items():
        line = f"{_cut(name, name_width):{name_width}}  {count.found:>9,}"
        if count.expected is not None:
            line += f"  {count.expected:>9,}  {f'{count.missing:,}' if count.missing else '-':>9}"
        yield line


def _told(value: str, count: Count) -> str:
    expected = "" if count.expected in (None, count.found) else f" of {count.expected:,}"
    return f"{value} {count.found:,}{expected}"


def _flowed(head: str, words: Sequence[str], most: int) -> list[str]:
    """Return words after a head, joined by commas, in at most `most` lines."""
    lines, line = [], head
    for n, word in enumerate(words):
        end = "," if n + 1 < len(words) else ""
        if len(line) + len(word) + len(end) + 2 > MAX_WIDTH and line.strip():
            lines.append(line.rstrip())
            line = " " * len(head)
        if len(lines) == most:
            lines[-1] = f"{lines[-1][: MAX_WIDTH - 2].rstrip(',')} …"
            return lines
        line += f"{_cut(word, MAX_WIDTH - len(head) - 2)}{end} "
    return [*lines, line.rstrip()]


def _verdict(found: Collection) -> list[str]:
    """Return the last lines: what the files look like, what to do, and what is missing."""
    if not found.missing:
        known = found.people.expected or found.captures.expected or found.files
        return ["whole: nothing is missing" if known else "nothing is missing that this reader knows of"]
    lines = [*_look(found), f"missing: {', '.join(found.missing)}"]
    if found.unconfirmed and found.captures.found:
        lines.insert(-1, f"not all that is expected is confirmed: face3d readers {found.reader} tells")
    # A command is pasted: it is never cut.
    return [line if line.startswith("face3d ") else _cut(line) for line in lines]


def _look(found: Collection) -> Iterator[str]:
    """Yield what the names of files look like, with the remedy."""
    seen, root = found.recognised, found.root.absolute()
    if not found.n_files:
        yield f"the folder is empty: copy the collection into it, or give another ROOT to reader {found.reader}"
    elif seen is None:
        if not found.captures.found:
            yield "no file is named as in a database that is known here"
            left_out = found.left_out.get("name_not_matched")
            if left_out is not None and "pattern" in left_out.first:
                yield "folders above the people's go into the pattern, each as a tag:"
                yield "--set 'pattern=\"{folder}/{identity}/{capture}\"'"
                return
            wanted = next(iter(found.files), "")
            yield (
                f"wanted are files named {wanted}: give their ROOT" if wanted else "see face3d readers for all readers"
            )
    elif seen.name != found.name:
        of = f"{seen.files:,} of {counted(found.n_files, 'file')}"
        yield f"these look like files of {seen.title} ({of}):"
        yield _command(seen)
    elif seen.root == root:
        yield "copy the rest of the database into the folder, or go on with what is there"
    else:
        way = "inside" if root in seen.root.parents else "above"
        yield f"the database begins in a folder {way} this one:"
        yield _command(seen)


def _command(seen: Recognised) -> str:
    """Return the command that checks the folder that was recognised; its path as it is, or relative if shorter."""
    settings = "".join(f" --set {name}={value}" for name, value in seen.options.items())
    return f"face3d readers --check {seen.reader} {min(str(seen.root), os.path.relpath(seen.root), key=len)}{settings}"


def _wrapped(text: str) -> list[str]:
    """Return a text as two lines at most, as its end often is the remedy."""
    first, *rest = textwrap.wrap(" ".join(text.split()), MAX_WIDTH, break_on_hyphens=False)
    return [first, *([_cut("  " + " ".join(rest), MAX_WIDTH)] if rest else [])]


def _cut(text: str, width: int = MAX_WIDTH) -> str:
    """Return a text of at most `width` letters, in one line, its middle left out if it is longer."""
    text = " ".join(text.split())
    if len(text) <= width:
        return text
    end = (width - 3) // 2
    return f"{text[: width - 3 - end]} … {text[len(text) - end :]}"


def collection_record(found: Collection) -> dict[str, Any]:
    """Return what was found as JSON values."""

    def count(of: Count) -> dict[str, int | None]:
        return {"found": of.found, "expected": of.expected, "missing": of.missing}

    def examples(of: Mapping[str, Examples]) -> dict[str, Any]:
        return {name: asdict(seen) for name, seen in of.items()}

    seen = found.recognised
    return {
        "reader": found.reader,
        "root": str(found.root),
        "database": found.database,
        "whole": not found.missing,
        "missing": list(found.missing),
        "people": count(found.people),
        "captures": count(found.captures),
        "recordings": count(found.recordings) if found.recordings else None,
        "tallies": {tag: {value: count(n) for value, n in tally.items()} for tag, tally in found.tallies.items()},
        "files": {pattern: count(n) for pattern, n in found.files.items()},
        "lacking": examples(found.lacking),
        "left_out": examples(found.left_out),
        "absent": list(found.absent),
        "n_files": found.n_files,
        "unconfirmed": found.unconfirmed,
        "stopped": found.stopped,
        "first_fault": found.first_fault,
        "notes": list(found.notes),
        "looks_like": None if seen is None else {**asdict(seen), "root": str(seen.root)},
    }
