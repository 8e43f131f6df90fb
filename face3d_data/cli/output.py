"""Output of commands: lines and JSON on the terminal, whatever is in the names of files and people."""

from __future__ import annotations

import json
import logging
from typing import Any

import click

from face3d_data.terminal import escaped


def echo(line: object, err: bool = False) -> None:
    """Print one line; a line break in it is shown, and breaks nothing."""
    click.echo(escaped(str(line)), err=err)


def echo_page(text: str, err: bool = False) -> None:
    """Print a text of several lines."""
    click.echo(escaped(text, keep="\n"), err=err)


def echo_json(record: Any) -> None:
    """Print JSON; control characters that JSON allows are written as JSON's own escapes."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    click.echo("".join(f"\\u{ord(c):04x}" if c != "\n" and escaped(c) != c else c for c in text))


class OneLine(logging.Filter):
    """Makes every record of a logger one line without control characters."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record's message; keep the record."""
        record.msg, record.args = escaped(record.getMessage()), ()
        return True
