"""Contact sheet: one picture of many samples, each with its title.

Plain arrays in, an RGB image out, as in `face3d_data.pictures.sample_picture`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np

from face3d_data.pictures.sample_picture import ArrayMap, panels

LINE_PX, LETTER_PX = 18, 7.0
"""Height of a title's line and width of a letter."""
SHEET_PX = 1320


def contact_sheet(samples: Sequence[tuple[str, ArrayMap]], columns: int | None = None, size: int = 160) -> np.ndarray:
    """Return one picture of many samples: a row of panels for each, with its title above.

    Args:
        samples: (title, arrays) of each; titles in Latin letters. One with nothing to show is left out.
        columns: samples side by side; as many as fit by default, at least two.
        size: width and height of a panel, px.

    Returns:
        u1 (H, W, 3) RGB.

    Raises:
        ValueError: no sample, or none with anything to show.
    """
    strips = [(title, panels(arrays, size, close_up=True)) for title, arrays in samples]
    named = [(title, np.concatenate([image for _, image in strip], 1)) for title, strip in strips if strip]
    if not named:
        raise ValueError("nothing to show: no sample has an image, depth or points")
    gap, width = 8, max(strip.shape[1] for _, strip in named)
    titles = [textwrap.wrap(title, int(width / LETTER_PX), break_on_hyphens=False) for title, _ in named]
    n_lines = max(map(len, titles))
    columns = columns or max(2, SHEET_PX // (width + gap))
    tiles = [_tile(lines, n_lines, strip, width) for lines, (_, strip) in zip(titles, named, strict=True)]
    height, rows = tiles[0].shape[0], -(-len(tiles) // columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for index, tile in enumerate(tiles):
        top, left = gap + index // columns * (height + gap), gap + index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = tile
    return sheet


def _tile(lines: Sequence[str], n_lines: int, strip: np.ndarray, width: int) -> np.ndarray:
    import cv2

    head = n_lines * LINE_PX
    tile = np.full((head + len(strip), width, 3), 255, np.uint8)
    for number, line in enumerate(lines):
        baseline = number * LINE_PX + 13
        cv2.putText(tile, line, (2, baseline), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    tile[head:, : strip.shape[1]] = strip
    return tile
