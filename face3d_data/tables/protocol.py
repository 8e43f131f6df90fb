"""Gallery and probe: who is enrolled, and what is to be recognised."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence


def gallery_rows(ids: Sequence[str], identities: Sequence[str], origins: Sequence[str], captures: int = 1) -> list[int]:
    """Return the rows that enrol: of each identity's first captures one sample each, the plain one where it is there.

    Captures are ordered as people count (`2` before `10`). Of several samples of a capture, that with the shortest id
    enrols: variants append to it.

    Args:
        ids: sample ids; the others are as long.
        identities: whom each row shows.
        origins: the capture that each row comes from.
        captures: captures of each identity.
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
