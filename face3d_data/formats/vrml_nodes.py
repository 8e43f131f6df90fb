"""VRML 2 nodes: found by their words and brackets; arrays of numbers are skipped at once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.decimal_comma import is_decimal_list
from face3d_data.formats.number_text import blank_spans, line_at, parse_numbers

# A string that is not closed goes to the end of the file: so nothing is looked through twice.
_STRING = rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)'
_TOKEN = re.compile(_STRING + rb"|[{}\[]|(?<![^\s,{}\[\]])[A-Za-z_][^\s,{}\[\]\"]*", re.DOTALL)
_COMMENT = re.compile(_STRING + rb"|#[^\r\n]*", re.DOTALL)
_AFTER = re.compile(rb"[\s,]*")
_COMMAS = bytes.maketrans(b",", b" ")
_NO_VALUES = ("TRUE", "FALSE", "NULL")
_ARRAYS = frozenset({"point", "coordIndex"})
_SCALARS = frozenset({"translation", "rotation", "scale", "center", "scaleOrientation"})
_WORDS = frozenset({"ccw"})
MOST_NODES = 20_000
"""Nodes and uses of nodes that a scene may have; a scan has a dozen."""


@dataclass(slots=True)
class Node:
    """One node: its type, where it begins, and what its fields hold.

    Attributes:
        kind: its type, as `Transform`.
        at: byte of its type.
        parent_field: the field of the node around it that it stands in.
        children: the nodes in its fields, in order.
        uses: (field, name) of nodes given elsewhere that it takes by `USE`.
        arrays: field, point or coordIndex, to (begin, end) of the numbers between its brackets.
        scalars: field of a Transform to (begin, end) of what follows its name up to the next word or bracket.
        words: field, ccw, to the word that follows it.
    """

    kind: str
    at: int
    parent_field: str = ""
    children: list[Node] = field(default_factory=list)
    uses: list[tuple[str, str]] = field(default_factory=list)
    arrays: dict[str, tuple[int, int]] = field(default_factory=dict)
    scalars: dict[str, tuple[int, int]] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)


@dataclass
class VrmlScene:
    """A file's nodes: those at the top, and those that have a name."""

    data: bytes
    name: str
    roots: list[Node]
    named: dict[str, Node]

    def where(self, at: int) -> str:
        """Return the file's name and the line of a byte, as errors say them."""
        return f"{self.name}: line {line_at(self.data, at)}"

    def numbers(self, span: tuple[int, int], whole: bool = False) -> np.ndarray:
        """Return the numbers in a part of the file, separated by blanks and commas; f8, or i8 where whole.

        Raises:
            Unreadable: `unreadable`, with the line.
        """
        text = self.data[span[0] : span[1]]
        if b"," in text:
            if is_decimal_list(text, of_points=not whole):
                raise Unreadable("unreadable", f"{self.where(span[0])}: are these decimal commas? write decimal points")
            text = text.translate(_COMMAS)
        try:
            return parse_numbers(text, self.name, whole=whole)
        except Unreadable:
            # Counting lines takes longer than parsing: only where something is wrong.
            return parse_numbers(text, self.name, line_at(self.data, span[0]), whole)


def parse_nodes(data: bytes, name: str) -> VrmlScene:
    """Return the nodes of a VRML 2 file (ISO/IEC 14772-1:1997, 4.1 and annex A).

    Args:
        data: the file, not compressed.
        name: its name, for errors.

    Raises:
        Unreadable: `unreadable`, with the line: a bracket is not closed, or the file defines nodes of its own.
    """
    if b"#" in data:
        data = _without_comments(data)
    top = Node("", 0)
    walk = _Walk(VrmlScene(data, name, top.children, {}), [top])
    walk.run()
    return walk.scene


def _without_comments(data: bytes) -> bytes:
    """Return the file with its comments replaced by blanks; a `#` in a string does not start a comment."""
    spans = (found.span() for found in _COMMENT.finditer(data) if found.group()[:1] == b"#")
    places = np.fromiter((place for span in spans for place in span), np.int64).reshape(-1, 2)
    return blank_spans(data, places[:, 0], places[:, 1])


class _Walk:
    """Goes from word to word and keeps the nodes that are open."""

    def __init__(self, scene: VrmlScene, open_nodes: list[Node]) -> None:
        self.scene = scene
        self.open = open_nodes
        self.fields = [""]
        self.define: str | None = None
        self.at = 0
        self.count = 0

    def next(self) -> re.Match[bytes] | None:
        found = _TOKEN.search(self.scene.data, self.at)
        self.at = found.end() if found else len(self.scene.data)
        return found

    def run(self) -> None:
        while (found := self.next()) is not None:
            token = found.group()
            if token == b"{":
                self.fail(found.start(), "'{' without a node's type")
            elif token == b"}":
                self.close(found.start())
            elif token == b"[":
                self.bracket(found.start())
            elif token[:1] != b'"':
                self.word(token.decode("latin-1"), found.start())
        if len(self.open) > 1:
            self.fail(len(self.scene.data), f"{self.open[-1].kind} is not closed: truncated?")

    def fail(self, at: int, what: str) -> None:
        raise Unreadable("unreadable", f"{self.scene.where(at)}: {what[:80]}")

    def word(self, word: str, at: int) -> None:
        if word in ("DEF", "USE"):
            named = self.next()
            text = named.group().decode("latin-1") if named else ""
            if word == "DEF":
                self.define = text
            else:
                self.counted(at)
                self.open[-1].uses.append((self.fields[-1], text))
        elif word in ("PROTO", "EXTERNPROTO"):
            self.fail(at, f"{word}: nodes that a file defines itself are not supported")
        elif word in _NO_VALUES:
            if self.fields[-1] in _WORDS:
                self.open[-1].words[self.fields[-1]] = word
        elif self.follows(b"{"):
            self.open_node(word, at)
        else:
            self.fields[-1] = word
            if word in _SCALARS:
                found = _TOKEN.search(self.scene.data, self.at)
                self.open[-1].scalars[word] = (self.at, found.start() if found else len(self.scene.data))

    def counted(self, at: int) -> None:
        """Count one more node, or use of one; what they take in memory is bounded by it."""
        self.count += 1
        if self.count > MOST_NODES:
            self.fail(at, f"more than {MOST_NODES} nodes: not a scan")

    def follows(self, char: bytes) -> bool:
        after = _AFTER.match(self.scene.data, self.at)
        begin = after.end() if after else self.at
        if self.scene.data[begin : begin + 1] != char:
            return False
        self.at = begin + 1
        return True

    def open_node(self, kind: str, at: int) -> None:
        self.counted(at)
        node = Node(kind, at, self.fields[-1])
        self.open[-1].children.append(node)
        if self.define is not None:
            self.scene.named[self.define] = node
            self.define = None
        self.open.append(node)
        self.fields.append("")

    def close(self, at: int) -> None:
        if len(self.open) == 1:
            self.fail(at, "'}' without '{'")
        self.open.pop()
        self.fields.pop()

    def bracket(self, at: int) -> None:
        """Skip an array of numbers; nodes and strings in brackets are met as the next words."""
        after = _AFTER.match(self.scene.data, self.at)
        begin = after.end() if after else self.at
        char = self.scene.data[begin : begin + 1]
        if char.isalpha() or char in (b'"', b"_"):
            return
        end = self.scene.data.find(b"]", begin)
        if end < 0:
            self.fail(at, f"{self.fields[-1]} [ is not closed: truncated?")
        if self.fields[-1] in _ARRAYS:
            self.open[-1].arrays[self.fields[-1]] = (self.at, end)
        self.at = end + 1
