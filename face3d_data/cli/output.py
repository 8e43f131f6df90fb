"""Output of commands: results, progress, JSON and a log file, whatever is in the names of files and people."""

from __future__ import annotations

import json
import logging
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import click

from face3d_data.errors import UserError
from face3d_data.terminal import escaped, set_quiet

_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00 ")
NOTE = " " * 13
"""Begins a note on a run: something that the user should know, not progress."""


@dataclass
class Verbosity:
    """What a command prints beside its results.

    Attributes:
        quiet: no progress, nothing but results, warnings and errors.
        verbose: progress with the time since the start, and what is looked up where.
        log: open log file, which gets every line with its time.
        started: time at which the command started, s.
    """

    quiet: bool = False
    verbose: bool = False
    log: TextIO | None = None
    started: float = field(default_factory=time.monotonic)


_in_force = Verbosity()


def say(line: object) -> None:
    """Print a line of progress, not if the command is quiet; a note of a run, which is indented, is always printed."""
    text = escaped(str(line))
    _record(text)
    if _in_force.quiet and not text.startswith(NOTE):
        return
    click.echo(f"{time.monotonic() - _in_force.started:8.1f} s  {text}" if _in_force.verbose else text)


def echo(line: object, err: bool = False) -> None:
    """Print one line; a line break in it is shown, and breaks nothing."""
    text = escaped(str(line))
    _record(text)
    click.echo(text, err=err)


def echo_page(text: str, err: bool = False) -> None:
    """Print a text of several lines."""
    shown = escaped(text, keep="\n")
    _record(shown)
    click.echo(shown, err=err)


def echo_json(record: Any) -> None:
    """Print JSON; control characters that JSON allows are written as JSON's own escapes."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    shown = "".join(f"\\u{ord(c):04x}" if c != "\n" and escaped(c) != c else c for c in text)
    _record(shown)
    click.echo(shown)


def be(quiet: bool | None = None, verbose: bool | None = None, log: Path | None = None) -> None:
    """Set what is printed from now on; None leaves it as it is.

    Raises:
        UserError: quiet and verbose at once, or a log file that cannot be written.
    """
    _in_force.quiet = _in_force.quiet if quiet is None else quiet
    _in_force.verbose = _in_force.verbose if verbose is None else verbose
    if _in_force.quiet and _in_force.verbose:
        raise UserError("-q and -v exclude each other: leave one of them out")
    set_quiet(_in_force.quiet)
    if log is not None:
        close_log()
        _check_log(log)
        try:
            _in_force.log = open(log, "a", encoding="utf-8")  # noqa: SIM115 - it is open as long as the command runs
        except OSError as error:
            raise UserError(f"--log {log}: cannot be written ({error.strerror}): give another path") from None
    logger = logging.getLogger("face3d_data")
    logger.setLevel(logging.INFO if _in_force.verbose or _in_force.log is not None else logging.NOTSET)


def reset() -> None:
    """Print as by default again, and start the clock: a process may run several commands."""
    close_log()
    _in_force.quiet = _in_force.verbose = False
    _in_force.started = time.monotonic()
    be()


def close_log() -> None:
    """Close the log file, if there is one."""
    log, _in_force.log = _in_force.log, None
    if log is not None:
        try:
            log.close()
        except OSError as error:  # what was not flushed yet has no room left
            click.echo(f"face3d: --log {log.name}: cannot be written ({error.strerror})", err=True)


def _check_log(path: Path) -> None:
    """Check that a file that is there is a log: one line with its time after the other.

    Raises:
        UserError: it is something else, which a log appended to it would damage.
    """
    if not path.is_file():
        return
    with open(path, "rb") as stream:
        start = stream.read(len("2026-12-01T00:00:00+00:00 "))
    if start and not _TIME.fullmatch(start):
        raise UserError(f"--log {path}: is there already and is not a log: give another path")


def _record(text: str) -> None:
    if _in_force.log is None:
        return
    try:
        for line in text.splitlines() or [""]:
            _in_force.log.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {line}\n")
        _in_force.log.flush()
    except OSError as error:
        name, _in_force.log = _in_force.log.name, None
        raise UserError(f"--log {name}: cannot be written ({error.strerror}): give another path") from None


class TerminalHandler(logging.Handler):
    """Prints the records of a logger on stderr, a line each: warnings always, others if the command is verbose."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record, without control characters, and write it to the log file."""
        text = escaped(record.getMessage())
        _record(text)
        if record.levelno >= logging.WARNING or _in_force.verbose:
            click.echo(text, err=True)
