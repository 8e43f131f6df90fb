"""Report of a verification: lines for people, and JSON values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from face3d_data.plurals import counted

if TYPE_CHECKING:
    from face3d_data.shards.audit.near_duplicates import Search
    from face3d_data.shards.audit.verify import Verification


SHOWN = 20
"""Suspected pairs that are printed; `--json` gives all."""


def is_open(verdict: Verification) -> bool:
    """Return whether something is suspected, or was not looked for."""
    from face3d_data.shards.audit.near_duplicates import NOT_ASKED

    search = verdict.search
    return search is None or bool(search.suspects) or any(note != NOT_ASKED for note in search.notes)


def verification_record(verdict: Verification) -> dict[str, Any]:
    """Return a verdict as JSON values."""
    problems = [{"check": p.check, "where": p.where, "detail": p.detail} for p in verdict.problems]
    record = {"dataset": verdict.name, "ok": verdict.ok, "splits": dict(verdict.splits), "allow_leaks": verdict.allowed}
    leaks = [
        {"kind": leak.kind, "what": one.thing, "samples": {split: list(ids) for split, ids in one.samples.items()}}
        for leak in verdict.leaks
        for one in leak.shared
    ]
    return {
        **record,
        "shared": dict(verdict.shared),
        "leaks": leaks,
        "suspected": [] if verdict.search is None else _suspected(verdict.search),
        "near_duplicates": None if verdict.search is None else _searched(verdict.search),
        "problems": problems,
        "notes": list(verdict.notes),
    }


def _suspected(search: Search) -> list[dict[str, Any]]:
    names = ("kind", "samples", "splits", "people", "how")
    return [{name: getattr(suspect, name) for name in names} for suspect in search.suspects]


def _searched(search: Search) -> dict[str, Any]:
    return {
        "looked_at": list(search.looked),
        "notes": list(search.notes),
        "remarks": list(search.remarks),
        "compared": search.compared,
        "seconds": round(search.seconds, 1),
    }


def verification_lines(verdict: Verification) -> list[str]:
    """Return a verdict as lines for people."""
    shown = [
        f"{verdict.name}: {split}: {counted(counts['samples'], 'sample')}, {counted(counts['people'], 'person')}"
        for split, counts in verdict.splits.items()
    ]
    words = {
        "identity": "people",
        "origin": "captures",
        "root": "recordings",
        "key": "keys",
        "content": "equal contents",
    }
    if verdict.shared:
        audit = (f"{words[kind]} {'by design' if count is None else count}" for kind, count in verdict.shared.items())
        shown.append(f"{verdict.name}: shared between splits: {', '.join(audit)}")
    if verdict.search is not None:
        shown += [f"{verdict.name}: {line}" for line in _search_lines(verdict.search)]
    shown += [f"{verdict.name}: {note}" for note in verdict.notes]
    if verdict.allowed:
        shown.append(f"{verdict.name}: published with --allow-leaks")
    shown += [f"{verdict.name}: {problem}" for problem in verdict.problems]
    n = len(verdict.problems)
    return [*shown, f"{verdict.name}: ok" if not n else f"{verdict.name}: {n} problem{'s' * (n > 1)}"]


def _search_lines(search: Search) -> Iterator[str]:
    near = sum(suspect.kind == "near_duplicate" for suspect in search.suspects)
    if search.looked:
        yield f"near-duplicates between splits: {near} suspected ({', '.join(search.looked)})"
    how = "only partly looked for" if search.looked else "not looked for"
    yield from (f"near-duplicates were {how}: {note}" for note in search.notes)
    yield from (f"near-duplicates: {remark}" for remark in search.remarks)
    for kind, what in (("two_people", "under two names"), ("two_captures", "in two captures of a person")):
        count = sum(suspect.kind == kind for suspect in search.suspects)
        if count:
            yield f"equal bytes {what} within a split: {count} suspected"
    yield from (f"suspected: {suspect}" for suspect in search.suspects[:SHOWN])
    if len(search.suspects) > SHOWN:
        yield f"suspected: {counted(len(search.suspects) - SHOWN, 'more pair')}, which --json gives"
