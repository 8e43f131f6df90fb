"""Pages of the catalogue: components as lines of text, wrapped to the width of a terminal."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

MAX_WIDTH = 140
WITH_ARRAYS = ("stage", "reader", "table")
"""Kinds whose arrays an overview names."""


def terminal_width() -> int:
    """Return the width that pages are wrapped to: the terminal's, or 100 where there is none."""
    return min(shutil.get_terminal_size((100, 24)).columns, MAX_WIDTH)


def kinds_overview(counts: Sequence[dict[str, Any]], width: int) -> list[str]:
    """Return a line for each kind: how many there are, what it is called and what it is for."""
    rows = [(item["kind"], f"{item['components']:>3}  {item['title']}: {item['does']}") for item in counts]
    return row_lines(rows, width)


def overview(entries: Sequence[dict[str, Any]], width: int) -> list[str]:
    """Return each entry's name, its kind where there are several, first line and arrays, wrapped to `width`."""
    columns = [[entry["name"] for entry in entries]]
    if len({entry["kind"] for entry in entries}) > 1:
        columns.append([entry["title"] for entry in entries])
    widths = [max(map(len, column), default=0) + 2 for column in columns]
    indent = sum(widths)
    lines = []
    for entry, cells in zip(entries, zip(*columns, strict=True), strict=True):
        head = "".join(cell.ljust(size) for cell, size in zip(cells, widths, strict=True))
        lines += _wrap(f"{head}{entry['does']}{_size(entry)}{_whence(entry)}", width, indent)
        if flow(entry) and entry["kind"] in WITH_ARRAYS:
            lines += _wrap(" " * indent + flow(entry), width, indent)
    return lines


def page(entry: dict[str, Any], width: int) -> list[str]:
    """Return everything about one component, wrapped to `width`."""
    title = entry["title"] if entry["kind"] not in ("stage", "reader") else ""
    known = [part for part in (title, f"version {entry['version']}" if "version" in entry else "") if part]
    head = f"{entry['name']} ({', '.join(known)}): {entry['does']}{_size(entry)}"
    facts = [
        ("package", entry["package"]),
        ("arrays", flow(entry)),
        ("uses if there", ", ".join(entry.get("optional", ()))),
        ("tags", ", ".join(entry.get("tags", ()))),
        ("points", f"in the {entry['frame']} frame" if entry.get("frame") else ""),
        ("draws", "" if entry.get("draws", False) is False else f"{entry['draws']}".lower()),
    ]
    lines = page_of(head, entry["more"], facts, entry["parameters"], width, _options_title(entry))
    if entry.get("values"):
        lines += ["", "drawn values:", *row_lines([(v["name"], v["description"]) for v in entry["values"]], width, 2)]
    if entry.get("reasons"):
        title = "reasons for leaving a row out:" if entry["kind"] == "table" else "reasons for a reject:"
        lines += ["", title, *row_lines(entry["reasons"].items(), width, 2)]
    return lines


def _size(entry: dict[str, Any]) -> str:
    weights = f", {entry['weights'] / 1e6:.2f} M weights" if "weights" in entry else ""
    return f" ({entry['takes']}{weights})" if "takes" in entry else ""


def _whence(entry: dict[str, Any]) -> str:
    return f" [{entry['package']}]" if entry["package"] else ""


def _options_title(entry: dict[str, Any]) -> str:
    flags = {"model": "--model.OPTION", "loss": f"--loss.{entry['name']}.OPTION", "augmentation": "--augment.OPTION"}
    return f"options, as {flags[entry['kind']]}:" if entry["kind"] in flags else "parameters:"


def flow(entry: dict[str, Any]) -> str:
    """Return `inputs -> outputs`; alternative groups of inputs are joined by `or`."""
    inputs = " or ".join(" + ".join(group) for group in entry.get("inputs", ()))
    outputs = ", ".join(entry.get("outputs", ()))
    return f"{inputs} -> {outputs}" if inputs else outputs


def page_of(
    head: str,
    more: str,
    facts: Iterable[tuple[str, str]],
    parameters: Sequence[dict[str, Any]],
    width: int,
    title: str = "parameters:",
) -> list[str]:
    """Return a page: one line, paragraphs, facts that are not empty, and parameters; all wrapped to `width`."""
    lines = [*_wrap(head, width, 2)]
    for paragraph in filter(None, more.split("\n\n")):
        lines += ["", *_wrap(" ".join(paragraph.split()), width, 0)]
    told = [(name, text) for name, text in facts if text]
    if told:
        lines += ["", *row_lines(told, width)]
    if parameters:
        lines += ["", title, *row_lines([_parameter_row(item) for item in parameters], width, 2)]
    return lines


def _parameter_row(item: dict[str, Any]) -> tuple[str, str]:
    default = "required" if item["required"] else f"default {_value(item['default'])}"
    place = "" if item["in_fingerprint"] else "; not in the fingerprint"
    return item["name"], f"{item['description']} ({item['type']}; {default}{place})"


def _value(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def row_lines(rows: Iterable[tuple[str, str]], width: int, margin: int = 0) -> list[str]:
    """Return names in one column and texts in the other, wrapped to `width`."""
    rows = list(rows)
    indent = margin + max((len(name) for name, _ in rows), default=0) + 2
    lines = []
    for name, text in rows:
        lines += _wrap((" " * margin + name).ljust(indent) + text, width, indent)
    return lines


def _wrap(text: str, width: int, indent: int) -> list[str]:
    return textwrap.wrap(
        text,
        max(width, indent + 20),
        subsequent_indent=" " * indent,
        break_on_hyphens=False,  # a pattern longer than a line is broken where it must
    )
