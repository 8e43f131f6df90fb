"""Writer of RealSense recordings in the layouts of Open3D's recorder and of its bag reader, from their description."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scans import FaceScan

from face3d_data.testing.write import write_image

WIDTH, HEIGHT = 160, 120
DEVICE = "Intel RealSense D415"


def realsense_depth(scan: FaceScan, units_per_metre: float = 1000) -> np.ndarray:
    """Return the scan's depth, u2 (120, 160), in units of the recording, as `realsense_camera` sees it."""
    depth = np.zeros((HEIGHT, WIDTH), np.uint16)
    depth[_window(scan)] = np.rint(scan.depth * units_per_metre / 1000)
    return depth


def realsense_camera(scan: FaceScan) -> tuple[float, float, float, float]:
    """Return fx, fy, cx, cy of all scans in such an image."""
    rows, columns = _window(scan)
    fx, fy, cx, cy = (float(value) for value in scan.intrinsics)
    return fx, fy, cx + columns.start, cy + rows.start


def realsense_color(scan: FaceScan) -> np.ndarray:
    """Return the scan's colours, u1 (120, 160, 3), on grey."""
    color = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    color[_window(scan)] = scan.color
    return color


def write_recording(
    folder: Path, scans: list[FaceScan], bag_reader: bool = False, units_per_metre: float = 1000
) -> None:
    """Write a recording with a frame for each scan.

    Args:
        folder: of the recording; `color` and `depth` are made in it.
        scans: the frames.
        bag_reader: five digits and `intrinsic.json` with the depth's unit, as the bag reader writes; else six digits
            and `camera_intrinsic.json` without it, as the recorder writes.
        units_per_metre: of the depth images.
    """
    for role in ("color", "depth"):
        (folder / role).mkdir(parents=True, exist_ok=True)
    digits = 5 if bag_reader else 6
    for number, scan in enumerate(scans):
        write_image(folder / "color" / f"{number:0{digits}d}.jpg", realsense_color(scan))
        write_image(folder / "depth" / f"{number:0{digits}d}.png", realsense_depth(scan, units_per_metre))
    fx, fy, cx, cy = realsense_camera(scans[0])
    camera: dict[str, object] = {"width": WIDTH, "height": HEIGHT}
    camera["intrinsic_matrix"] = [fx, 0.0, 0.0, 0.0, fy, 0.0, cx, cy, 1.0]
    if bag_reader:
        camera |= {"device_name": DEVICE, "serial_number": "012345678901", "fps": 30.0, "depth_scale": units_per_metre}
        camera |= {"color_format": "RGB8", "depth_format": "Z16", "stream_length_usec": 33_333 * len(scans)}
    name = "intrinsic.json" if bag_reader else "camera_intrinsic.json"
    (folder / name).write_text(json.dumps(camera, indent=4))


def _window(scan: FaceScan) -> tuple[slice, slice]:
    """Return the rows and columns of the scan, so that the camera's centre is the image's."""
    top, left = round((HEIGHT - 1) / 2 - scan.intrinsics[3]), round((WIDTH - 1) / 2 - scan.intrinsics[2])
    rows, columns = scan.depth.shape
    return slice(top, top + rows), slice(left, left + columns)
