"""Style files of face masks: YAML with the fields of `MaskStyle`, and the PNG texture that it may name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from face3d_data.component import explain_validation
from face3d_data.errors import UserError
from face3d_data.formats.image import find_cut
from face3d_data.wear.mask_style import MaskStyle
from face3d_data.yaml_file import read_yaml

LARGEST_TEXTURE_PX = 4096


@dataclass(frozen=True, eq=False)
class MaskStyleFile:
    """What a style's file holds.

    Attributes:
        style: the style.
        texture_path: its texture's file, or None.
        texture: u1 (H, W, 4) RGBA, or None.
    """

    style: MaskStyle
    texture_path: Path | None
    texture: np.ndarray | None


def read_mask_style(path: str | Path) -> MaskStyleFile:
    """Read a style.

    Args:
        path: the YAML file; a texture is looked for next to it.

    Raises:
        UserError: the file or its texture cannot be read, or a field is wrong; the field is named.
    """
    path = Path(path)
    fields = read_yaml(path, "the fields of a style, such as outline and colors")
    try:
        style = MaskStyle.model_validate(fields)
    except ValidationError as error:
        raise UserError(f"mask style {path}: {explain_validation(error, MaskStyle)}") from None
    texture = path.parent / style.texture if style.texture else None
    return MaskStyleFile(style, texture, None if texture is None else _read_texture(path, texture))


def _read_texture(path: Path, texture: Path) -> np.ndarray:
    import cv2

    try:
        data = texture.read_bytes()
        # Of a file that is cut off OpenCV would give what is left, and warn.
        fault = find_cut(data)
        image = None if fault else cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, ValueError, cv2.error):  # a name may hold what no path can
        image = None
    if image is None or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (3, 4):
        raise UserError(f"mask style {path}: 'texture' = {texture.name!r} is not an 8-bit RGB or RGBA PNG next to it")
    if min(image.shape[:2]) < 2 or max(image.shape[:2]) > LARGEST_TEXTURE_PX:
        raise UserError(f"mask style {path}: 'texture' = {texture.name!r} needs 2 to {LARGEST_TEXTURE_PX} px per side")
    return cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGBA)
