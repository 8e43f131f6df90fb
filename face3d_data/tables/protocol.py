"""Gallery and probe lists: who is enrolled, and what is to be recognised; plain and masked, both ways."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d_data.plurals import counted

if TYPE_CHECKING:
    import pandas as pd

BARE = ("none", "")
"""Values of the tag `mask` that mean no mask."""
STATES = ("plain", "masked")
DIRECTIONS = (("plain", "plain"), ("masked", "plain"), ("plain", "masked"), ("masked", "masked"))
"""State of the probe, state of the gallery."""


@dataclass(frozen=True, eq=False)
class Protocol:
    """Gallery and probes as rows of a table.

    Attributes:
        name: `masked_to_plain`: probes in masks, gallery without.
        title: the same in words.
        gallery: i64, rows that enrol: the first captures of each person in the gallery's state.
        probe: i64, rows to be recognised: those in the probe's state, of people who are enrolled, in other captures.
        probe_side: i64, all rows in the probe's state: what pairs for verification take first.
        gallery_side: i64, all rows in the gallery's state: what they take second.
        notes: lines for the person who reads the figures.
        part_of: name of the protocol whose probes these are some of; empty where they are all.
    """

    name: str
    title: str
    gallery: np.ndarray
    probe: np.ndarray
    probe_side: np.ndarray
    gallery_side: np.ndarray
    notes: tuple[str, ...] = ()
    part_of: str = ""


def protocols(table: pd.DataFrame, captures: int = 1) -> tuple[dict[str, Protocol], tuple[str, ...]]:
    """Return the protocols that a table admits, by name, and what has to be said about those that it does not.

    Args:
        table: rows of one split, columns as in its CSV; without the tag `mask` all of them are plain.
        captures: first captures of each person that are enrolled.
    """
    masked = wears_mask(table)
    rows = {"plain": np.flatnonzero(~masked), "masked": np.flatnonzero(masked)}
    notes = tuple(
        f"no row is {state}: the protocols with {state} faces are left out" for state in STATES if not len(rows[state])
    )
    made = [
        _protocol(table, (probe, gallery), rows[probe], rows[gallery], captures)
        for probe, gallery in DIRECTIONS
        if len(rows[probe]) and len(rows[gallery])
    ]
    return {protocol.name: protocol for protocol in made}, notes


def wears_mask(table: pd.DataFrame) -> np.ndarray:
    """Return for each row, bool (n,), whether its tag `mask` says that it wears one."""
    if "mask" not in table:
        return np.zeros(len(table), bool)
    return np.fromiter(map(is_mask, table["mask"].tolist()), bool, len(table))


def is_mask(value: Any) -> bool:
    """Return whether a value of the tag `mask` says that one is worn; None and NaN do not."""
    import pandas as pd

    return not pd.isna(value) and value not in BARE


def _protocol(
    table: pd.DataFrame, states: tuple[str, str], asking: np.ndarray, enrolling: np.ndarray, captures: int
) -> Protocol:
    ids, identities, origins = (table[name].to_numpy(object) for name in ("sample_id", "identity", "origin_id"))
    gallery = enrolling[gallery_rows(ids[enrolling], identities[enrolling], origins[enrolling], captures)]
    others = asking[probe_rows(ids[asking], origins[asking], origins[gallery])]
    probe, notes = enrolled_probes(identities, gallery, others)
    return Protocol("_to_".join(states), " → ".join(states), gallery, probe, asking, enrolling, notes)


def enrolled_probes(
    identities: np.ndarray, gallery: np.ndarray, probe: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the probes of people who are enrolled, and a line on those that are not, if there are any.

    Args:
        identities: object (n,), the person of each row.
        gallery: i64, rows that enrol.
        probe: i64, rows to be recognised.
    """
    known = np.isin(identities[probe], identities[gallery])
    strangers = len(set(identities[probe[~known]]))
    note = (
        f"{counted(int((~known).sum()), 'probe')} of {counted(strangers, 'person')} are left out: nobody of "
        "their name is enrolled"
    )
    return probe[known], (note,) if strangers else ()


def gallery_rows(ids: Sequence[str], identities: Sequence[str], origins: Sequence[str], captures: int = 1) -> list[int]:
    """Return the rows of the gallery: one sample of each identity's first captures, the plain one if there is one.

    Captures are in natural order (`2` before `10`). Of several samples of a capture, the one with the shortest id is
    enrolled: variants append to it.

    Args:
        ids: sample ids; the other arrays have the same length.
        identities: the person of each row.
        origins: the capture that each row comes from.
        captures: number of captures to enrol per identity.
    """
    of_capture: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, (identity, origin) in enumerate(zip(identities, origins, strict=True)):
        of_capture[identity][origin].append(i)
    chosen = [
        min(rows[origin], key=lambda i: (len(ids[i]), ids[i]))
        for rows in of_capture.values()
        for origin in sorted(rows, key=natural)[:captures]
    ]
    return sorted(chosen, key=lambda i: natural(ids[i]))


def probe_rows(ids: Sequence[str], origins: Sequence[str], enrolled: Sequence[str]) -> list[int]:
    """Return the rows, in the order of their ids, whose capture is not among those enrolled."""
    taken = set(enrolled)
    return sorted((i for i, origin in enumerate(origins) if origin not in taken), key=lambda i: natural(ids[i]))


def natural(text: str) -> list[tuple[int, int, str]]:
    """Return a sort key in which numbers inside a text count as numbers; equal keys only for equal texts."""
    parts = re.split(r"([0-9]+)", text)
    return [(0, int(part), part) if part.isdigit() and part.isascii() else (1, 0, part) for part in parts]
