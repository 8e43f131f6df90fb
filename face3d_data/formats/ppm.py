"""PPM (`.ppm`): colour pictures without compression (Netpbm's binary PPM, `P6`), read by Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.cost import check_pixels

if TYPE_CHECKING:
    from PIL.PpmImagePlugin import PpmImageFile


def read_ppm_size(path: str | Path) -> tuple[int, int]:
    """Return (width, height) from the header, having checked that the file is as long as it says.

    Raises:
        Unreadable: `unreadable`: no colour picture, values above 255, or cut off.
    """
    path = Path(path)
    with _opened(path) as image:
        return image.size


def read_ppm(path: str | Path) -> np.ndarray:
    """Return the pixels, RGB u1 (H, W, 3).

    Raises:
        Unreadable: as `read_ppm_size`.
    """
    path = Path(path)
    with _opened(path) as image:
        return np.array(image)


@contextmanager
def _opened(path: Path) -> Iterator[PpmImageFile]:
    from PIL import PpmImagePlugin, UnidentifiedImageError

    with open(path, "rb") as stream:  # OSError: it is gone, which says nothing of its content
        size = stream.seek(0, 2)
        stream.seek(0)
        try:
            image = PpmImagePlugin.PpmImageFile(stream)
        except (OSError, ValueError, SyntaxError, UnidentifiedImageError) as error:
            what = "the file is empty" if not size else f"not a PPM picture ({error})"
            raise Unreadable("unreadable", f"{path.name}: {what}") from None
        kind, (width, height), begin = image.tile[0][0], image.size, image.tile[0][2]
        if image.mode != "RGB" or kind != "raw":
            raise Unreadable("unreadable", f"{path.name}: expected a binary colour picture (P6) with values up to 255")
        end = int(begin) + 3 * width * height
        if size < end:
            raise Unreadable("unreadable", f"{path.name}: byte {size}: the picture is truncated before byte {end}")
        check_pixels(width, height, path.name)
        yield image
