"""Camera files: one record of a camera's intrinsics, read from all known spellings.

Ours (`fx fy cx cy width height depth_scale model coeffs`), RealSense's (`ppx ppy`), Open3D's (`intrinsic_matrix`), ROS'
`camera_info`, OpenCV's FileStorage, ORB-SLAM's and MATLAB's. A file of two cameras (`color`, `depth`) says by
`depth_to_color` how the depth's lies to the colour's.
"""

from __future__ import annotations

import functools
import reprlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from face3d_data.formats.camera_dropped import MOTION_KEY, refuse_dropped, refuse_misspelt_motion
from face3d_data.formats.camera_pair import Motion, parse_motion
from face3d_data.formats.camera_spellings import in_our_words
from face3d_data.formats.camera_text import read_camera_text
from face3d_data.formats.distortion import parse_distortion
from face3d_data.formats.json_file import finite_number
from face3d_data.formats.lens_model import refuse_fisheye

METRES_PER_UNIT = (1e-6, 0.1)
"""16 bits in units finer than 1 µm or coarser than 10 cm reach no face."""
UNITS_PER_METRE = (10.0, 1e6)
METRES = 1.0
"""The scale of depth in metres, which only fractions can hold."""
MOST_PX = 100_000
STEEPEST = 1.75
"""Tangent of 60 degrees from the axis: no depth camera's pinhole image reaches farther."""
NOT_ALIGNED = "depth is not aligned to colour: give depth_to_color, or record aligned frames"


class NoDepthUnitError(ValueError):
    """A camera file is right, and the unit of depth, which it needs, is missing in it."""


@dataclass(frozen=True)
class Intrinsics:
    """A camera: focal lengths and centre in px for an image of `width` x `height` px, and its lens.

    `depth_scale` is in metres per unit of the depth file (0.001: millimetres). `distortion` is as `geometry/lens` takes
    it. `depth_camera` is there where depth is another camera's, and `motion` leads from that one's frame to this one's.
    What a file does not say is None.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int | None = None
    height: int | None = None
    depth_scale: float | None = None
    distortion: tuple[float, ...] | None = None
    device: str | None = None
    serial: str | None = None
    depth_camera: Intrinsics | None = None
    motion: Motion | None = None

    @functools.cached_property
    def record(self) -> dict[str, Any]:
        """What decides pixels and points, as JSON, without what is None; all captures of this camera share it."""
        return _without_none({key: value for key, value in asdict(self).items() if key not in ("device", "serial")})


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_none(value) if isinstance(value, Mapping) else list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
        if value is not None
    }


def read_intrinsics(path: str | Path, need_scale: bool = True) -> Intrinsics:
    """Return the camera in a file.

    Args:
        path: a JSON, YAML or XML file.
        need_scale: False: width, height and depth_scale may be missing.

    Raises:
        ValueError: naming the file, the key and the remedy; `NoDepthUnitError` where only depth_scale is missing.
    """
    path = Path(path)
    values = read_camera_text(path)
    try:
        return parse_intrinsics(values, need_scale)
    except ValueError as error:
        raise type(error)(f"{path}: {error}") from None


def parse_intrinsics(values: Mapping[str, Any], need_scale: bool = True) -> Intrinsics:
    """Return the camera in a mapping, whatever spelling it has; keys that say nothing of a camera are ignored.

    Raises:
        ValueError: naming the key and the remedy.
    """
    refuse_misspelt_motion(values)
    if isinstance(values.get("color"), Mapping) and isinstance(values.get("depth"), Mapping):
        return _pair(values, need_scale)
    found, values = values, in_our_words(values)
    needed = ["fx", "fy", "cx", "cy", *(("width", "height", "depth_scale") if need_scale else ())]
    missing = [key for key in needed if key not in values]
    if missing:
        said = f"key {missing[0]!r} is missing (needed: {', '.join(needed)}; found: {_listed(found)})"
        if missing[0] == "depth_scale":
            raise NoDepthUnitError(f"{said}: add it, 0.001 where values are mm")
        raise ValueError(said)
    numeric = ("fx", "fy", "cx", "cy", "width", "height", "depth_scale")
    known = {key: values[key] for key in numeric if key in needed or values.get(key) is not None}
    for key, value in known.items():
        if not finite_number(value):
            raise ValueError(f"{key} = {reprlib.repr(value)} is not a finite number")
    for key in ("fx", "fy", "width", "height"):
        if key in known and not 0 < known[key] <= MOST_PX:
            raise ValueError(f"{key} = {known[key]!r} must be above 0 and at most {MOST_PX} px")
    for key in ("width", "height"):
        if key in known and known[key] != int(known[key]):
            raise ValueError(f"{key} = {known[key]!r} must be a whole number of pixels")
    _check_centre(known)
    if "depth_scale" in known:
        known["depth_scale"] = metres_per_unit(known["depth_scale"])
    whole = {key: int(known[key]) for key in ("width", "height") if key in known}
    numbers = {key: float(value) for key, value in known.items()} | whole
    texts = {name: text for name in ("device", "serial") if (text := _text(values.get(name))) is not None}
    return Intrinsics(**numbers, **texts, distortion=parse_distortion(values))  # type: ignore[arg-type]


def _check_centre(known: Mapping[str, Any]) -> None:
    """Refuse a centre so far from the image that no pinhole sees it; that of a cut image may be outside."""
    for name, side, focal in (("cx", "width", "fx"), ("cy", "height", "fy")):
        if side in known and abs(known[name] - known[side] / 2) > STEEPEST * known[focal] + known[side]:
            raise ValueError(f"{name} = {known[name]!r} is far outside the image ({side} {known[side]}): correct it")


def _listed(values: Mapping[str, Any]) -> str:
    """Return the first keys of a mapping for a message."""
    keys = ", ".join(str(key)[:40] for key in list(values)[:8])
    return f"{keys}, ..." if len(values) > 8 else keys or "nothing"


def _pair(values: Mapping[str, Any], need_scale: bool) -> Intrinsics:
    """Return the colour camera of a file that describes both, with the depth's where it is another."""
    refuse_fisheye({key: value for key, value in values.items() if key not in ("color", "depth")})
    refuse_dropped({key: value for key, value in values.items() if key != MOTION_KEY})
    scale = {key: values[key] for key in ("depth_scale",) if key in values}
    cameras = {}
    for name, more, need in (("color", {}, False), ("depth", scale, need_scale)):
        try:
            cameras[name] = parse_intrinsics({**values[name], **more}, need)
        except ValueError as error:
            raise type(error)(f"{name}: {error}") from None
    color, depth = cameras["color"], cameras["depth"]
    own = {**asdict(color), "depth_scale": depth.depth_scale}
    if values.get(MOTION_KEY) is None:
        if {**asdict(depth), "device": color.device, "serial": color.serial} != own:
            raise ValueError(NOT_ALIGNED)
        return Intrinsics(**own)
    if None in (color.width, color.height, depth.width, depth.height):
        raise ValueError("color and depth need width and height")
    return Intrinsics(**own | {"depth_camera": depth, "motion": parse_motion(values[MOTION_KEY])})


def metres_per_unit(scale: Any) -> float:
    """Return a depth scale in metres per unit, of either spelling: metres per unit, or units per metre.

    Which it is, is plain: 0.000001 to 0.1 and 1 (metres) are metres per unit, 10 to 1,000,000 units per metre (Open3D,
    TUM): no depth camera has units between.

    Raises:
        ValueError: it is neither.
    """
    if not finite_number(scale):
        raise ValueError(f"depth_scale = {reprlib.repr(scale)} is not a finite number")
    if METRES_PER_UNIT[0] <= scale <= METRES_PER_UNIT[1] or scale == METRES:
        return float(scale)
    if UNITS_PER_METRE[0] <= scale <= UNITS_PER_METRE[1]:
        return 1.0 / float(scale)
    raise ValueError(
        f"depth_scale = {scale!r} must be metres per unit, above 0 and at most {METRES_PER_UNIT[1]} (0.001 = mm), or 1 "
        f"for metres; or units per metre, {UNITS_PER_METRE[0]:g} to {UNITS_PER_METRE[1]:g} (1000 = mm)"
    )


def _text(value: Any) -> str | None:
    """Return a text of the file, None where it has none or what it has cannot be printed."""
    return value[:200] if isinstance(value, str) and value and value.isprintable() else None
