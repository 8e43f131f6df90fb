"""JSON files from other programs: every fault becomes one error, and numbers can be checked before use."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from face3d_data.errors import Unreadable
from face3d_data.formats.text_bytes import read_plain
from face3d_data.json_text import parse_json


def read_json(path: str | Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        ValueError: naming the file and why it cannot be read; a key that is written twice is a reason.
    """
    path = Path(path)
    try:
        return parse_json(read_plain(path), unique_keys=True)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error})") from None
    except Unreadable as error:
        raise ValueError(f"{path.parent / error.detail}") from None
    except ValueError as error:
        raise ValueError(f"{path}: not valid JSON ({error})") from None


def finite_number(value: Any) -> bool:
    """Return whether a JSON value is a number that a float can hold; true, false, NaN and 10**400 are not."""
    # `type() in`, not isinstance: true and false are no numbers, and this runs ten times a capture.
    if type(value) not in (float, int):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
