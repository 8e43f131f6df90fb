"""`.bnd`, the landmarks of BU-3DFE: one line per landmark, `vertexIndex x y z`."""

from __future__ import annotations

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.number_text import split_lines
from face3d_data.formats.text_bytes import plain_text

LANDMARKS = 83


def parse_bnd(data: bytes, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the landmarks of a `.bnd` file.

    Args:
        data: the file: 83 lines, blanks or tabs between the numbers.
        name: its name, for errors.

    Returns:
        i8 (83,), indices of vertices from 0, and f8 (83, 3), their places.

    Raises:
        Unreadable: `bad_landmarks`, with the line.
    """
    try:
        lines = split_lines(plain_text(data, name))
        odd = np.flatnonzero(lines.counts != 4)
        if len(odd):
            said = f"{lines.counts[odd[0]]} numbers, expected vertexIndex x y z"
            raise Unreadable("unreadable", f"{name}: line {lines.numbers[odd[0]]}: {said}")
        if len(lines.starts) != LANDMARKS:
            said = f"{len(lines.starts)} landmarks, expected {LANDMARKS}"
            raise Unreadable("unreadable", f"{name}: line {len(lines.starts)}: {said}")
        values = lines.parse(slice(None), name).reshape(-1, 4)
    except Unreadable as error:
        raise Unreadable("bad_landmarks", error.detail) from None
    wrong = np.flatnonzero(
        ~((values[:, 0] >= 0) & (values[:, 0] < 2**31) & (values[:, 0] == np.floor(values[:, 0])))
        | ~(np.abs(values[:, 1:]) < 1e6).all(axis=1)
    )
    if len(wrong):
        raise Unreadable("bad_landmarks", f"{name}: line {lines.numbers[wrong[0]]}: not a vertex index and a position")
    return values[:, 0].astype(np.int64), values[:, 1:]
