"""JSON text from other programs: a value, or one kind of error, however deep its brackets are nested."""

from __future__ import annotations

import json
from typing import Any


def parse_json(text: str | bytes, unique_keys: bool = False) -> Any:
    """Return the value of a JSON text.

    Args:
        text: the text.
        unique_keys: refuse an object that has a key twice, of which the last would count.

    Raises:
        ValueError: it is no JSON, no UTF-8, or nested deeper than Python follows.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique) if unique_keys else json.loads(text)
    except RecursionError:
        raise ValueError("brackets nested too deep") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice[:40]!r} is written twice")
    return values
