"""Leaks: what two splits of a dataset must not share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 3


@dataclass(frozen=True)
class Leak:
    """Things that are in two splits or more.

    Attributes:
        kind: identity (a person), origin (a capture), key or content (equal bytes).
        things: what is shared, sorted: identities, captures, or sample ids of equal bytes.
    """

    kind: str
    things: tuple[str, ...]

    def __str__(self) -> str:
        shown = ", ".join(self.things[:SHOWN]) + (" …" if len(self.things) > SHOWN else "")
        noun = {"identity": "people", "origin": "captures"}.get(self.kind, f"samples with equal {self.kind}")
        return f"{len(self.things)} {noun} in more than one split: {shown}"


def shared(values: Sequence[str | bytes], splits: Sequence[str], labels: Sequence[str]) -> tuple[str, ...]:
    """Return the labels, sorted, of the values that occur in more than one split; empty values do not count."""
    first: dict[str | bytes, str] = {}
    several = {
        value for value, split in zip(values, splits, strict=True) if value and first.setdefault(value, split) != split
    }
    return tuple(sorted({label for value, label in zip(values, labels, strict=True) if value in several}))


def find_leaks(table: pd.DataFrame, closed_set: bool) -> list[Leak]:
    """Return what the splits share, judged by the rows alone.

    Args:
        table: columns `sample_id`, `split`, `identity`, `origin_id`, `key`; `d/anna~mirror` counts as `d/anna`.
        closed_set: the split is by capture, so that people are in every split on purpose.
    """
    names = ("sample_id", "split", "identity", "origin_id", "key")
    ids, splits, identities, origins, keys = (table[name].tolist() for name in names)
    people = [identity.partition("~")[0] for identity in identities]
    found = [
        Leak("identity", () if closed_set else shared(people, splits, people)),
        Leak("origin", shared(origins, splits, origins)),
        Leak("key", shared(keys, splits, ids)),
    ]
    return [leak for leak in found if leak.things]
