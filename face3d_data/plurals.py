"""Plurals: a number and its noun, for every message that counts: 1 person, 2 people."""

from __future__ import annotations

_IRREGULAR = {"person": "people"}


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with the words that fit it: `1 row`, `2 rows`, `1,200 rows`, `0 rows`.

    Args:
        number: how many there are.
        one: words for exactly one; a verb may be among them (`person is`).
        many: words for every other number; by default the plural of `one`.
    """
    return f"{number:,} {one if number == 1 else many or plural(one)}"


def plural(word: str) -> str:
    """Return the plural of a noun: stages, losses, identities, people."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("y"):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith("s") else f"{word}s"
