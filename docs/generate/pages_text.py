"""Text as Markdown, for pages that are made from the program."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable


def prose(text: str) -> str:
    """Return a docstring's paragraphs as Markdown: angle brackets and underscores outside code are kept as they are."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if i % 2 else _escaped(part) for i, part in enumerate(parts))


def _escaped(text: str) -> str:
    """Return text outside of code with markup escaped; two remarks in brackets are not a link."""
    for plain, markup in (("<", "&lt;"), ("*", r"\*"), ("] [", r"] \[")):
        text = text.replace(plain, markup)
    return text


def cell(text: str) -> str:
    """Return text that may stand in a cell of a table."""
    return prose(" ".join(text.split())).replace("|", "\\|")


def code(text: str) -> str:
    """Return text as code that may stand in a cell of a table, where Markdown's own code can hold no `|`."""
    return f"<code>{html.escape(text, quote=False).replace('|', '&#124;')}</code>"


def names(values: Iterable[str]) -> str:
    """Return names as code, separated by commas."""
    return ", ".join(f"`{name}`" for name in values)
