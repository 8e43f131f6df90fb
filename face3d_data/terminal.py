"""Terminal text: names from files and folders cannot move the cursor, colour a screen or break a line."""

from __future__ import annotations

import re
import sys

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters of ASCII and Latin-1, separators of lines and paragraphs, marks of direction, lone surrogates."""

_quiet = False


def escaped(text: str, keep: str = "") -> str:
    r"""Return the text with every control character as Python writes it in a literal: `\n`, `\x1b`, `\u202e`.

    Args:
        text: what is to be shown.
        keep: control characters that stay, such as the line breaks of a page.
    """
    return _CONTROL.sub(lambda found: found[0] if found[0] in keep else _name(found[0]), text)


def set_quiet(quiet: bool) -> None:
    """Hide progress bars and lines of this process, or show them again."""
    global _quiet
    _quiet = quiet


def is_quiet() -> bool:
    """Return whether progress is hidden."""
    return _quiet


def shows_bars() -> bool:
    """Return whether progress is drawn as a bar: on a terminal, unless it is hidden."""
    return sys.stderr.isatty() and not _quiet


def _name(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
