"""Patterns of file names: `{identity}[_{masked:flag}]/{session}_{capture}_depth.png`.

`{name}` takes text without `/`, as little as fits; `{name:int}` and `{name:float}` take numbers and `{masked:flag}`
the word `masked` itself; `[...]` may be absent. `{identity}` is the person; of the other names the capture's id is
made, and each but `{capture}` becomes a tag.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from face3d_data.errors import UserError
from face3d_data.sample import Tag
from face3d_data.table import FIXED_COLUMNS

TYPES: dict[str, tuple[str, Callable[[str], Tag]]] = {
    "str": (r"[^/]+?", str),
    # Not Python's int() and float() alone: they take "12_0" for 120, "nan" and digits of other scripts.
    "int": (r"[+-]?[0-9]+", int),
    "float": (r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", float),
    "flag": ("", bool),
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_RESERVED = frozenset(FIXED_COLUMNS) - {"identity"}


@dataclass(frozen=True)
class Match:
    """What a pattern found in a name: the person, the capture and the tags."""

    person: str
    capture: str
    tags: dict[str, Tag]


@dataclass(frozen=True)
class Field:
    """One `{name:type}` of a pattern, beginning at character `at`."""

    name: str
    type: str
    at: int


class NamePattern:
    """A compiled pattern.

    Args:
        text: the pattern, of a path below the root with `/` between folders. Without `/`, it is the file's name
            inside a person's folder; where it ends with `/`, any file name follows.

    Raises:
        UserError: naming the character at which the pattern is wrong.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        parser = _Parser(text)
        expression = parser.sequence()
        if parser.at < len(text):
            raise parser.error(parser.at, "']' without '['")
        self._expand(expression, parser.fields)
        if "identity" not in {field.name for field in self.fields}:
            raise parser.error(0, "no {identity} in any folder")
        self._flags = [field.name for field in self.fields if field.type == "flag"]
        self._parts = [field for field in self.fields if field.name != "identity"]

    def _expand(self, expression: str, fields: list[Field]) -> None:
        names = {field.name for field in fields}
        self.fields = list(fields)
        if "/" not in self.text and "identity" not in names:
            self.fields.insert(0, Field("identity", "str", 0))
            expression = rf"(?P<identity>{TYPES['str'][0]})/{expression}"
        if self.text.endswith("/"):
            if "capture" in names:
                raise UserError(f"pattern {self.text!r}, character {len(self.text)}: a file name must follow '/'")
            self.fields.append(Field("capture", "str", len(self.text)))
            expression += rf"(?P<capture>{TYPES['str'][0]})"
        self._regex = re.compile(expression, re.DOTALL)

    @property
    def tag_names(self) -> tuple[str, ...]:
        """The tags that a match may carry; `{masked:flag}` gives `mask`."""
        names = [field.name for field in self._parts if field.name != "capture"]
        return tuple("mask" if name == "masked" and name in self._flags else name for name in names)

    def match(self, name: str) -> Match | None:
        """Return what the pattern finds in a path below the root, None where it does not fit."""
        found = self._regex.fullmatch(name)
        if found is None:
            return None
        texts = found.groupdict()
        parts = [texts[field.name] for field in self._parts if texts[field.name] is not None]
        tags: dict[str, Tag] = {}
        for field in self._parts:
            text = texts[field.name]
            if field.type == "flag":
                tags |= _flag_tag(field.name, text is not None)
            elif text is not None and field.name != "capture":
                value = TYPES[field.type][1](text)
                if isinstance(value, float) and not math.isfinite(value):
                    return None  # 1e999
                tags[field.name] = value
        return Match(texts["identity"], "_".join(parts), tags)


def _flag_tag(name: str, is_set: bool) -> dict[str, Tag]:
    if name != "masked":
        return {name: is_set}
    return {"mask": "worn"} if is_set else {}


@functools.lru_cache(maxsize=64)
def compile_pattern(text: str) -> NamePattern:
    """Return the compiled pattern, remembered."""
    return NamePattern(text)


class _Parser:
    """Recursive descent over the pattern's text; `sequence` returns a regular expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.fields: list[Field] = []

    def error(self, at: int, message: str) -> UserError:
        return UserError(f"pattern {self.text!r}, character {at + 1}: {message}")

    def sequence(self) -> str:
        out = []
        previous: Field | None = None
        while self.at < len(self.text) and self.text[self.at] != "]":
            char = self.text[self.at]
            if char == "{":
                field = self.field(previous)
                out.append(f"(?P<{field.name}>{TYPES[field.type][0] or re.escape(field.name)})")
                previous = field if field.type == "str" else None
                continue
            out.append(self.optional() if char == "[" else self.literal())
            previous = None
        return "".join(out)

    def optional(self) -> str:
        start = self.at
        self.at += 1
        inner = self.sequence()
        if self.at >= len(self.text):
            raise self.error(start, "'[' is not closed")
        self.at += 1
        if not inner:
            raise self.error(start, "'[]' is empty")
        return f"(?:{inner})?"

    def literal(self) -> str:
        char = self.text[self.at]
        if char == "}":
            raise self.error(self.at, "'}' without '{'")
        if char == "/" and (self.at == 0 or self.text[self.at - 1] == "/"):
            raise self.error(self.at, "'/' without a folder's name before it")
        self.at += 1
        return re.escape(char)

    def field(self, previous: Field | None) -> Field:
        start = self.at
        end = self.text.find("}", start)
        if end < 0:
            raise self.error(start, "'{' is not closed")
        name, _, kind = self.text[start + 1 : end].partition(":")
        field = Field(name, kind or "str", start)
        self.check(field, previous)
        self.fields.append(field)
        self.at = end + 1
        return field

    def check(self, field: Field, previous: Field | None) -> None:
        if not _NAME.match(field.name):
            raise self.error(field.at, f"{field.name!r} is not a name: use letters, digits and _")
        if field.type not in TYPES:
            raise self.error(field.at, f"there is no type {field.type!r} (known: {', '.join(TYPES)})")
        if field.name in {known.name for known in self.fields}:
            raise self.error(field.at, f"{{{field.name}}} is used twice")
        if field.name in _RESERVED:
            raise self.error(field.at, f"{{{field.name}}} is a reserved column name: choose another")
        if field.name in ("identity", "capture") and field.type == "flag":
            raise self.error(field.at, f"{{{field.name}}} cannot be a flag")
        if previous is not None and field.type != "flag":
            raise self.error(field.at, f"the end of {{{previous.name}}} is ambiguous: put text between the two")
