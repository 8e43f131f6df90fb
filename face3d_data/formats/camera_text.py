"""Camera file syntax, from text to a mapping: JSON, YAML (ROS, OpenCV, ORB-SLAM), XML (OpenCV)."""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from face3d_data.errors import Unreadable
from face3d_data.formats.json_file import read_json
from face3d_data.formats.text_bytes import read_text
from face3d_data.yaml_file import parse_yaml

MOST_BYTES = 1 << 20
"""Longer files are no cameras, and what is parsed may cost many times its length."""


def read_camera_text(path: str | Path) -> Mapping[str, Any]:
    """Return what a camera file says, matrices as OpenCV writes them among it: `{"rows", "cols", "data"}`.

    Args:
        path: a file whose ending is .json, .yaml, .yml or .xml; JSON is taken for any other.

    Raises:
        ValueError: naming the file and why it cannot be used.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error})") from None
    if size > MOST_BYTES:
        raise ValueError(f"{path}: {size} bytes are too large for a camera file (at most {MOST_BYTES})")
    ending = path.suffix.lower()
    if ending not in (".yaml", ".yml", ".xml"):
        values = read_json(path)
    else:
        values = _parse(path, _parse_xml if ending == ".xml" else _parse_yaml)
    if not isinstance(values, Mapping):
        raise ValueError(f"{path}: expected an object with fx, fy, cx, cy, width, height, depth_scale")
    return {str(key): value for key, value in values.items()}


def _parse(path: Path, parse: Any) -> Any:
    try:
        return parse(read_text(path))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ElementTree.ParseError as error:
        raise ValueError(f"{path}: {error}") from None
    except Unreadable as error:
        raise ValueError(f"{path.parent / error.detail}") from None
    except RecursionError:
        raise ValueError(f"{path}: brackets nested too deep") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


_NUMBER = re.compile(r"[+-]?(?:[0-9]+[eE][+-]?[0-9]+|(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\Z")


def _parse_yaml(text: str) -> Any:
    """Return the first document; OpenCV's `%YAML:1.0` is no directive of YAML, and ROS ends a message with `---`."""
    lines = ["" if line.startswith("%YAML") else line for line in text.splitlines()]
    marks = [i for i, line in enumerate(lines) if line.strip() == "---"]
    end = next((i for i in marks if "".join(lines[:i]).strip(" -")), len(lines))
    return _with_numbers(parse_yaml("\n".join(lines[:end]), matrices=True))


def _with_numbers(value: Any) -> Any:
    """Return the value with `1e-05`, `1.5e3` and `-.2`, texts in YAML 1.1 and numbers to ROS, as numbers."""
    if isinstance(value, dict):
        return {key: _with_numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_numbers(each) for each in value]
    return float(value) if isinstance(value, str) and _NUMBER.match(value) else value


def _parse_xml(text: str) -> Any:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("an XML camera file must not declare entities")
    root = ElementTree.fromstring(text)
    if root.tag != "opencv_storage":
        raise ValueError(f"XML of {root.tag[:40]!r}: expected OpenCV's opencv_storage")
    return {child.tag: _xml_value(child) for child in root}


def _xml_value(element: ElementTree.Element) -> Any:
    if len(element):
        return {child.tag: _xml_value(child) for child in element}
    values = [_number(word) for word in (element.text or "").split()]
    return values[0] if len(values) == 1 and element.tag != "data" else values


def _number(word: str) -> Any:
    try:
        value = float(word)
    except ValueError:
        return word
    return int(value) if math.isfinite(value) and value == int(value) else value


def numbers(value: Any, key: str) -> list[float]:
    """Return the numbers of a list, a list of lists, or an OpenCV or ROS matrix, row by row.

    Raises:
        ValueError: it holds something else; the key is named.
    """
    data: Any = value.get("data") if isinstance(value, Mapping) else value
    rows: Any = data if isinstance(data, list | tuple) else [data]
    flat = [each for row in rows for each in (row if isinstance(row, list | tuple) else [row])]
    if not all(type(each) in (int, float) and abs(each) < 1e30 for each in flat):
        raise ValueError(f"{key} = {reprlib.repr(value)} must be finite numbers")
    return [float(each) for each in flat]
