"""YAML files from users: plain values in bounded time and memory, or one error line that names the file and the line.

Every YAML text that the package reads comes through here. Beside what `yaml.SafeLoader` refuses, refused are keys that
are no text or written twice, tags (`!!binary`), aliases that hold themselves or grow without end, deep nesting, dates
that do not exist, and numbers that no float or 64-bit integer holds. Dates, and numbers with colons, stay the text that
was written: YAML 1.1 would make 4,800 of `1:20:00`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml

from face3d_data.errors import UserError

MOST_VALUES = 10_000
"""Values that a file may hold, those that aliases repeat counted each time; a long text counts more."""
BYTES_A_VALUE = 50
"""A file may have as many bytes for each of the values that it may hold."""
MOST_NESTED = 50
TEXT_CHARS = 100
SHOWN_CHARS = 40
PREFIX = "tag:yaml.org,2002:"
PLAIN_TAGS = (None, "!", f"{PREFIX}str")
MERGE = f"{PREFIX}merge"
MATRIX = f"{PREFIX}opencv-matrix"
"""Tag of a mapping in the YAML that OpenCV writes."""
LARGEST_INT = 2**63 - 1


class _Loader(yaml.SafeLoader):
    """A safe loader that judges what a text costs before anything is built of it."""

    def __init__(self, text: str, most_values: int, matrices: bool) -> None:
        super().__init__(text)
        self._most = most_values
        self._tags = (*PLAIN_TAGS, *([MATRIX] if matrices else []))
        self._open = self._made = 0
        self._sizes: dict[yaml.Node, tuple[int, int]] = {}
        """Node to its values, those of its aliases counted, and how deep it is nested; only finished ones."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        mark = event.start_mark
        if getattr(event, "tag", None) not in self._tags:
            _refuse(mark, f"the tag {_shown(event.tag)} is not taken: write the value without it")
        self._made += 1
        self._judge(self._made, self._open, mark)
        self._open += 1
        node = super().compose_node(parent, index)
        self._open -= 1
        if node is None:
            return node
        if isinstance(event, yaml.AliasEvent):
            if node not in self._sizes:
                _refuse(mark, f"the alias *{event.anchor} stands inside of what it repeats")
            return node
        self._weigh(node, mark)
        return node

    def _weigh(self, node: yaml.Node, mark: yaml.Mark) -> None:
        inner = node.value if isinstance(node, yaml.SequenceNode) else []
        if isinstance(node, yaml.MappingNode):
            inner = [part for pair in node.value for part in pair]
        sizes = [self._sizes[part] for part in inner]
        own = 1 + len(node.value) // TEXT_CHARS if isinstance(node, yaml.ScalarNode) else 1
        values, nested = own + sum(size for size, _ in sizes), 1 + max((depth for _, depth in sizes), default=0)
        self._judge(values, nested, mark)
        self._sizes[node] = values, nested

    def _judge(self, values: int, nested: int, mark: yaml.Mark) -> None:
        if values > self._most:
            _refuse(mark, f"holds more than {self._most:,} values, those that aliases repeat counted each time")
        if nested > MOST_NESTED:
            _refuse(mark, f"is nested more than {MOST_NESTED} deep")


def _refuse(mark: yaml.Mark | None, problem: str) -> NoReturn:
    raise yaml.constructor.ConstructorError(None, None, problem, mark)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    seen: set[str] = set()
    for key_node, _ in node.value:
        if key_node.tag == MERGE:
            continue
        key = _key(loader, key_node)
        if key in seen:
            _refuse(key_node.start_mark, f"key {_shown(key)} is written twice")
        seen.add(key)
    loader.flatten_mapping(node)
    return {_key(loader, key): loader.construct_object(value, deep=True) for key, value in node.value}


def _key(loader: _Loader, node: yaml.Node) -> str:
    key = loader.construct_object(node, deep=True)
    if not isinstance(key, str):
        _refuse(node.start_mark, f"key {_shown(key)} is not a text: quote it")
    return key


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int | str:
    if ":" in node.value:
        return node.value
    digits = node.value.lstrip("+-0_")
    number = None if len(digits) > 70 else loader.construct_yaml_int(node)
    if number is None or abs(number) > LARGEST_INT:
        _refuse(node.start_mark, f"{_shown(digits)} is larger than any number here: put it in quotes if it is a text")
    return number


def _float(loader: _Loader, node: yaml.ScalarNode) -> float | str:
    if ":" in node.value:
        return node.value
    number = loader.construct_yaml_float(node)
    if not math.isfinite(number):
        _refuse(node.start_mark, f"{_shown(node.value)} is not finite: give a number, or put it in quotes")
    return number


def _date(loader: _Loader, node: yaml.ScalarNode) -> str:
    try:
        loader.construct_yaml_timestamp(node)
    except (ValueError, OverflowError):
        _refuse(node.start_mark, f"{_shown(node.value)} is not a valid date: quote it if it is a text")
    return node.value


def _text(loader: _Loader, node: yaml.ScalarNode) -> str:
    if not node.value.isascii() and any("\ud800" <= char <= "\udfff" for char in node.value):
        _refuse(node.start_mark, f"{_shown(node.value)} holds half of a character: write the whole")
    if "\0" in node.value:
        _refuse(node.start_mark, f"{_shown(node.value)} holds a zero byte")
    return node.value


_MAKERS: dict[str, Callable[[Any, Any], Any]] = {
    "map": _mapping,
    "opencv-matrix": _mapping,
    "int": _integer,
    "float": _float,
    "timestamp": _date,
    "str": _text,
    "value": _text,
    "merge": _text,
}
for _kind, _made in _MAKERS.items():
    _Loader.add_constructor(PREFIX + _kind, _made)


def parse_yaml(text: str, most_values: int = MOST_VALUES, matrices: bool = False) -> Any:
    """Return the value of a YAML text: mappings with texts as keys, lists, texts, numbers, true, false and None.

    Args:
        text: the text.
        most_values: values that it may hold.
        matrices: take the tag `!!opencv-matrix`, as a mapping.

    Raises:
        ValueError: one line: `line N: what is wrong`.
    """
    most_bytes = most_values * BYTES_A_VALUE
    if len(text) > most_bytes:
        raise ValueError(f"is longer than {most_bytes:,} characters")
    try:
        return _Loader(text, most_values, matrices).get_single_data()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ValueError(f"line {line}: character {error.character:#x} is not allowed in YAML") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        raise ValueError(place + " ".join(str(error.problem or error.context).split())) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())) from None


def read_yaml(path: str | Path, holds: str, most_values: int = MOST_VALUES) -> dict[str, Any]:
    """Return the mapping that a YAML file holds.

    Args:
        path: the file.
        holds: what its keys are, for the message about a file that is no mapping.
        most_values: values that it may hold.

    Raises:
        UserError: it cannot be read, is no YAML, or holds something else; file and line are named.
    """
    path = Path(path)
    try:
        most_bytes = most_values * BYTES_A_VALUE
        if path.is_file() and path.stat().st_size > most_bytes:
            raise UserError(f"{path}: is larger than {most_bytes:,} bytes: it is not {holds}")
        value = parse_yaml(path.read_text("utf-8-sig"), most_values)
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text: save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        place, colon, problem = str(error).partition(": ")
        said = f", {place}: {problem}" if colon and place.startswith("line ") else f": {error}"
        raise UserError(f"{path}{said}") from None
    if not isinstance(value, Mapping):
        raise UserError(f"{path}: is not a mapping with {holds}")
    return dict(value)
