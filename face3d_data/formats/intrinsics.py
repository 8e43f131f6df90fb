"""`intrinsics.json`: the pinhole camera of a depth image and the unit of its values."""

from __future__ import annotations

import functools
import reprlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from face3d_data.formats.json_file import finite, read_json

MAX_DEPTH_SCALE = 0.1
UNITS_PER_METRE_FROM = 10


@dataclass(frozen=True)
class Intrinsics:
    """Pinhole camera: focal lengths and centre in px for an image of `width` x `height` px.

    `depth_scale` is in metres per unit of the depth file (0.001: millimetres), None where the file does not say.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int | None = None
    height: int | None = None
    depth_scale: float | None = None

    @functools.cached_property
    def record(self) -> dict[str, float | int | None]:
        """The values as JSON; one mapping that all captures of this camera share."""
        return asdict(self)


def read_intrinsics(path: Path, need_scale: bool = True) -> Intrinsics:
    """Return the camera in an `intrinsics.json`.

    Args:
        path: a JSON file with fx, fy, cx, cy, width, height and depth_scale.
        need_scale: False: width, height and depth_scale may be missing.

    Raises:
        ValueError: naming the file, the key and the remedy.
    """
    values = read_json(path)
    if not isinstance(values, Mapping):
        raise ValueError(f"{path}: wanted an object with fx, fy, cx, cy, width, height, depth_scale")
    try:
        return parse_intrinsics(values, need_scale)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def parse_intrinsics(values: Mapping[str, Any], need_scale: bool = True) -> Intrinsics:
    """Return the camera in a mapping; keys that are not known are left aside.

    Raises:
        ValueError: naming the key and the remedy.
    """
    needed = ["fx", "fy", "cx", "cy", *(("width", "height", "depth_scale") if need_scale else ())]
    missing = [key for key in needed if key not in values]
    if missing:
        raise ValueError(f"key {missing[0]!r} is missing (needed: {', '.join(needed)})")
    names = Intrinsics.__dataclass_fields__
    known = {key: values[key] for key in names if key in needed or values.get(key) is not None}
    for key, value in known.items():
        if not finite(value):
            raise ValueError(f"{key} = {reprlib.repr(value)} is no finite number")
    for key in ("fx", "fy", "width", "height"):
        if key in known and known[key] <= 0:
            raise ValueError(f"{key} = {known[key]!r} must be above 0")
    for key in ("width", "height"):
        if key in known and known[key] != int(known[key]):
            raise ValueError(f"{key} = {known[key]!r} must be a whole number of pixels")
    if "depth_scale" in known:
        check_depth_scale(known["depth_scale"])
    whole = {key: int(known[key]) for key in ("width", "height") if key in known}
    return Intrinsics(**{key: float(value) for key, value in known.items()} | whole)  # type: ignore[arg-type]


def check_depth_scale(scale: float) -> None:
    """Check a depth scale in metres per unit.

    Raises:
        ValueError: it is not in (0, 0.1].
    """
    if 0 < scale <= MAX_DEPTH_SCALE:
        return
    hint = "; this looks like units per metre: write 1/x" if scale >= UNITS_PER_METRE_FROM else ""
    raise ValueError(
        f"depth_scale = {scale!r} must be metres per unit, above 0 and at most {MAX_DEPTH_SCALE} (0.001 = mm){hint}"
    )
