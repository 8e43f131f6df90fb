"""Cameras of RGB-D captures: camera files, their arrays, depth in mm, and a depth camera next to a colour camera."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator

from face3d_data.errors import Unreadable
from face3d_data.formats.image_header import check_same_size
from face3d_data.formats.intrinsics import (
    METRES,
    NOT_ALIGNED,
    Intrinsics,
    NoDepthUnitError,
    metres_per_unit,
    read_intrinsics,
)

CAMERA_FILES: tuple[str, ...] = (
    "intrinsics.json", "intrinsic.json", "camera_intrinsic.json", "camera_info.json", "camera_info.yaml",
    "camera_info.yml", "camera.json", "camera.yaml", "camera.yml", "camera.xml", "calibration.yaml", "calibration.yml",
    "calibration.xml",
)  # fmt: skip
"""Names of camera files beside captures, and in the folders above: ours, Open3D's, ROS', OpenCV's."""
CAMERA_TEXT = (
    "Camera files can be ours (fx fy cx cy width height depth_scale model coeffs), RealSense's (ppx ppy), Open3D's "
    "(intrinsic_matrix), ROS' camera_info or OpenCV's FileStorage, in JSON, YAML or XML."
)
CAMERA_REASONS: dict[str, str] = {
    "size_mismatch": "colour, depth and the camera file differ in width or height; or depth is not aligned to colour",
    "wrong_units": "depth is beyond the range of any camera: set depth_scale",
}
CAMERA_ARRAYS: tuple[str, ...] = ("intrinsics", "distortion")
DEPTH_SCALE_TEXT = "metres per unit of depth (0.001: mm, 1: metres), or units per metre from 10 on (1000: mm)"
DepthScale = Annotated[float, AfterValidator(metres_per_unit)]
"""Type of a reader's option `depth_scale`, whichever way it is written."""
PLAUSIBLE_MM = (20.0, 50_000.0)
"""The median of a depth image's readings is between: nothing is nearer to a lens, nor measured farther off."""
OFF_CENTRE = 0.2
"""How far from the middle the centre may lie, in sides of the image; lenses are centred within a few hundredths."""
SAME_TIMES = 1.15
"""Centres at the same multiple of both middles, as far as lenses are centred, are of another resolution."""
_UNITS = (("micrometres", 1e-6), ("tenths of a millimetre", 1e-4), ("millimetres", 1e-3), ("metres", 1.0))


def camera_names(camera: Intrinsics | None) -> tuple[str, ...]:
    """Return the arrays that a camera gives."""
    if camera is None:
        return ()
    return CAMERA_ARRAYS if camera.distortion else ("intrinsics",)


def camera_array(record: Mapping[str, Any], name: str) -> np.ndarray:
    """Return `intrinsics` or `distortion` of a camera's record (`Intrinsics.record`)."""
    if name == "distortion":
        return np.array(record["distortion"], np.float64)
    return np.array([record[key] for key in ("fx", "fy", "cx", "cy")], np.float64)


def depth_mm(values: np.ndarray, record: Mapping[str, Any], where: str) -> np.ndarray:
    """Return depth in mm as the colour camera sees it.

    Args:
        values: (H, W), as the file has them, 0 = no reading.
        record: the camera's (`Intrinsics.record`), with `depth_scale`.
        where: the file's name, said first.

    Raises:
        Unreadable: `wrong_units`: half of the readings are nearer or farther than any camera measures.
    """
    scale = record["depth_scale"]
    depth = values * np.float32(scale * 1000)
    _check_plausible(values, depth, scale, where)
    if "depth_camera" not in record:
        return depth
    # Recordings of two cameras alone need it.
    from face3d_data.geometry.register_depth import register_depth

    motion = record["motion"]
    rotation, shift = np.array(motion["rotation"]).reshape(3, 3), np.array(motion["translation_mm"])
    return register_depth(depth, _camera(record["depth_camera"]), _camera(record), rotation, shift)


def _camera(record: Mapping[str, Any]) -> Any:
    from face3d_data.geometry.register_depth import CalibratedCamera

    lens = camera_array(record, "distortion") if "distortion" in record else None
    return CalibratedCamera(camera_array(record, "intrinsics"), lens, (record["height"], record["width"]))


def _check_plausible(values: np.ndarray, depth: np.ndarray, scale: float, where: str) -> None:
    readings = depth[::4, ::4]
    readings = readings[np.isfinite(readings) & (readings > 0)]
    if not len(readings):
        return
    middle_mm = float(np.median(readings))
    if PLAUSIBLE_MM[0] <= middle_mm <= PLAUSIBLE_MM[1]:
        return
    raw = middle_mm / (scale * 1000)
    fitting = [(word, unit) for word, unit in _UNITS if 200 <= raw * unit * 1000 <= 5000]
    fitting = [(word, unit) for word, unit in fitting if unit != METRES or values.dtype.kind == "f"]
    remedy = f"these look like {fitting[0][0]}: set depth_scale to {fitting[0][1]:g}" if fitting else "set depth_scale"
    raise Unreadable("wrong_units", f"{where}: depth is {middle_mm:.3g} mm with depth_scale {scale:g}: {remedy}")


def check_sizes(color: tuple[int, int] | None, depth: tuple[int, int], record: Mapping[str, Any] | None) -> None:
    """Check that colour, depth and their camera are of one size, or that it is said how two cameras lie.

    Args:
        color: (width, height) px of the colour image, None without one.
        depth: of the depth image.
        record: the camera's (`Intrinsics.record`), None where none is known.

    Raises:
        Unreadable: `size_mismatch`, naming every size; or the centre of a camera without a size is far from the middle.
    """
    record = record or {}
    size = (record["width"], record["height"]) if "width" in record and "height" in record else None
    if "depth_camera" in record:
        other = record["depth_camera"]
        check_same_size({"depth": depth, "its camera": (other["width"], other["height"])})
        check_same_size({"colour": color or size, "its camera": size})  # type: ignore[dict-item]
        return
    if size is None and "cx" in record:
        _check_centre(color or depth, record)
    sizes = ({"colour": color} if color else {}) | {"depth": depth} | ({"the camera file": size} if size else {})
    try:
        check_same_size(sizes)
    except Unreadable as error:
        apart = color is not None and color != depth
        raise Unreadable(error.reason, f"{error.detail}: {NOT_ALIGNED}" if apart else error.detail) from None


def _check_centre(size: tuple[int, int], record: Mapping[str, Any]) -> None:
    """Check a camera that says no size by its centre, which is near the middle of an image that is not cut."""
    centre = (record["cx"], record["cy"])
    if all(abs(at - (px - 1) / 2) <= OFF_CENTRE * px for at, px in zip(centre, size, strict=True)):
        return
    times = [(2 * at + 1) / px for at, px in zip(centre, size, strict=True)]
    scaled = min(times) > 0 and max(times) / min(times) < SAME_TIMES
    likely = (
        f": it looks like the camera of images of another resolution, {sum(times) / 2:.2g} times as large"
        if scaled
        else ""
    )
    raise Unreadable(
        "size_mismatch",
        f"the camera's centre {centre[0]:g}, {centre[1]:g} is far from the middle of {size[0]}x{size[1]} px{likely}: "
        "give the camera of these images, with width and height",
    )


@lru_cache(maxsize=1024)
def camera_in(folder: Path, need_scale: bool = True) -> Intrinsics | str | None:
    """Return the camera whose file is in a folder, or what is wrong with it; None if there is no such file.

    If several files describe the camera, the first of `CAMERA_FILES` is used; they must not contradict each other.
    `camera_in.cache_clear` drops what the last scan read.
    """
    names = [name for name in CAMERA_FILES if (folder / name).exists()]
    found = [camera_at(folder / name, need_scale) for name in names]
    wrong = next((one for one in found if isinstance(one, str)), None)
    if wrong is not None:
        return wrong
    cameras = [one for one in found if isinstance(one, Intrinsics)]
    if len({(one.fx, one.fy, one.cx, one.cy, one.width, one.height, one.distortion) for one in cameras}) > 1:
        return f"{folder / names[0]}: differs from {names[1]} next to it: remove one"
    told = [one for one in cameras if one.depth_scale is not None]
    return next(iter(told or cameras), None)


@lru_cache(maxsize=1024)
def with_scale(camera: Intrinsics, depth_scale: float) -> Intrinsics:
    """Return a camera whose depth has this unit, metres per unit, whatever its file says; captures share it."""
    return replace(camera, depth_scale=depth_scale)


def camera_at(path: Path, need_scale: bool = True) -> Intrinsics | str:
    """Return the camera in a file, or the message of what is wrong with it."""
    try:
        return read_intrinsics(path, need_scale)
    except NoDepthUnitError as error:
        return f"{error}, or set the reader's depth_scale (--set depth_scale=0.001)"
    except ValueError as error:
        return str(error)


def camera_above(folder: Path, depth: int, root: Path, need_scale: bool = True) -> Intrinsics | str | None:
    """Return the camera nearest to a folder, there or above it up to the root.

    Args:
        folder: where the capture lies.
        depth: how many folders it is below the root.
        root: the collection's folder, looked at last.
        need_scale: width, height and depth_scale must be there.
    """
    for _ in range(depth):
        camera = camera_in(folder, need_scale)
        if camera is not None:
            return camera
        folder = folder.parent
    return camera_in(root, need_scale)
