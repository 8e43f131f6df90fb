"""`face3d stages`."""

from __future__ import annotations

import difflib
import json
import shutil
import textwrap
import types
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

from face3d_data.cli.options import json_option
from face3d_data.cli.output import echo, echo_json
from face3d_data.component import Component
from face3d_data.errors import UserError

KINDS = {"reader": "reader", "stage": "stage", "table": "table step"}
"""What people call each kind of component."""
MAX_WIDTH = 140
_SIGNS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
_NAMES = {int: "int", float: "float", str: "text", bool: "true/false", Path: "path", type(None): "null"}


@click.command()
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the stages (sample to samples) and table steps, or show what NAME takes, gives and rejects."""
    show(("stage", "table"), name, as_json)


def show(kinds: Sequence[str], name: str | None, as_json: bool) -> None:
    """Print the catalogue of some kinds of components, or one entry of it.

    Raises:
        UserError: no component of these kinds has that name.
    """
    from face3d_data.registry import broken_plugins, components

    known = [cls for kind in kinds for cls in components(kind).values()]
    entries = [describe(cls) for cls in known if name is None or cls.name == name][: 1 if name else None]
    if not entries and name:
        names = sorted(cls.name for cls in known)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
        problem = f"no {' or '.join(KINDS[kind] for kind in kinds)} is named {name!r} ({hint})"
        raise UserError("; ".join([problem, *broken_plugins()]))
    if as_json:
        echo_json(entries[0] if name else entries)
        return
    width = min(shutil.get_terminal_size((100, 24)).columns, MAX_WIDTH)
    for line in page(entries[0], width) if name else overview(entries, width):
        echo(line)


def describe(cls: type[Component]) -> dict[str, Any]:
    """Return what the registry knows of a component, as JSON values."""
    first, _, rest = (cls.__doc__ or "").strip().partition("\n")
    entry = {
        "name": cls.name,
        "kind": cls.kind,
        "version": cls.version,
        "does": first.strip(),
        "more": textwrap.dedent(rest).strip(),
        "inputs": _groups(getattr(cls, "inputs", ())),
        "optional": list(getattr(cls, "optional", ())),
        "outputs": list(getattr(cls, "outputs", ())),
        "tags": list(getattr(cls, "tag_names", ())),
        "parameters": [parameter(cls, name) for name in cls.model_fields],
        "reasons": dict(cls.reasons),
    }
    if cls.kind == "stage":
        draws = getattr(cls, "random", False)
        entry["draws"] = draws if isinstance(draws, bool) else "with some parameters"
    return entry


def _groups(inputs: Sequence[str | tuple[str, ...]]) -> list[list[str]]:
    """Return the complete alternative groups of required arrays."""
    plain = [name for name in inputs if isinstance(name, str)]
    return [[*plain, *group] for group in inputs if not isinstance(group, str)] or [plain]


def parameter(cls: type[BaseModel], name: str) -> dict[str, Any]:
    """Return what is known of one field, as JSON values."""
    info = cls.model_fields[name]
    limits = [
        f"{sign} {getattr(item, key):g}" for item in info.metadata for key, sign in _SIGNS.items() if hasattr(item, key)
    ]
    required = info.is_required()
    default = None if required else info.get_default(call_default_factory=True)
    return {
        "name": name,
        "type": " ".join([type_text(info.annotation), *limits]),
        "required": required,
        "default": None if required else json.loads(json.dumps(default, default=str)),
        "in_fingerprint": not info.exclude,
        "description": info.description or "",
    }


def type_text(annotation: Any) -> str:
    """Return a type as a user writes its values: `int`, `box or similarity`, `float, float`."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(str(value) for value in inner)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_text(part) for part in inner)
    if origin is typing.Annotated:
        return type_text(inner[0])
    if origin in (tuple, list, set, frozenset):
        return ", ".join("…" if part is Ellipsis else type_text(part) for part in inner)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return ", ".join(f"{name}: {type_text(info.annotation)}" for name, info in annotation.model_fields.items())
    if origin is dict:
        return f"{type_text(inner[0])}: {type_text(inner[1])}"
    return _NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)))


def flow(entry: dict[str, Any]) -> str:
    """Return `inputs -> outputs`; alternative groups of inputs are joined by `or`."""
    inputs = " or ".join(" + ".join(group) for group in entry["inputs"])
    outputs = ", ".join(entry["outputs"])
    return f"{inputs} -> {outputs}" if inputs else outputs


def overview(entries: Sequence[dict[str, Any]], width: int) -> list[str]:
    """Return each entry's name, its kind where there are several, first line and arrays, wrapped to `width`."""
    columns = [[entry["name"] for entry in entries]]
    if len({entry["kind"] for entry in entries}) > 1:
        columns.append([KINDS[entry["kind"]] for entry in entries])
    widths = [max(map(len, column), default=0) + 2 for column in columns]
    indent = sum(widths)
    lines = []
    for entry, cells in zip(entries, zip(*columns, strict=True), strict=True):
        head = "".join(cell.ljust(size) for cell, size in zip(cells, widths, strict=True))
        lines += _wrap(head + entry["does"], width, indent)
        if flow(entry):
            lines += _wrap(" " * indent + flow(entry), width, indent)
    return lines


def page(entry: dict[str, Any], width: int) -> list[str]:
    """Return everything about one component, wrapped to `width`."""
    what = f"{KINDS['table']}, " if entry["kind"] == "table" else ""
    facts = [
        ("arrays", flow(entry)),
        ("uses if there", ", ".join(entry["optional"])),
        ("tags", ", ".join(entry["tags"])),
        ("draws", "" if entry.get("draws", False) is False else f"{entry['draws']}".lower()),
    ]
    head = f"{entry['name']} ({what}version {entry['version']}): {entry['does']}"
    lines = page_of(head, entry["more"], facts, entry["parameters"], width)
    if entry["reasons"]:
        title = "reasons for leaving a row out:" if entry["kind"] == "table" else "reasons for a reject:"
        lines += ["", title, *row_lines(entry["reasons"].items(), width, 2)]
    return lines


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
