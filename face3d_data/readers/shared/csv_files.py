"""Files of one line of a CSV: their headers against each other and against the line's camera."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from face3d_data.errors import Unreadable
from face3d_data.formats.image_header import check_same_size, read_image_header
from face3d_data.formats.npy import inspect_depth_npy
from face3d_data.formats.npy_grid import inspect_grid_npy
from face3d_data.readers.shared.csv_points import check_point_file
from face3d_data.readers.shared.rgbd_camera import check_sizes


def check_files(files: Mapping[str, Path], camera: Any) -> None:
    """Compare the headers of a line's files, by role, with each other and with the camera of its depth.

    Raises:
        Unreadable: sizes differ, or a file is not what its role wants.
    """
    color = None
    if "color" in files:
        header = read_image_header(files["color"])
        color = (header.width, header.height)
    if "depth" in files:
        check_sizes(color, depth_size(files["depth"]), camera)
    if "grid" in files:
        height, width = inspect_grid_npy(files["grid"])
        grid_sizes = {"grid": (width, height)}
        if "grid_color" in files:
            header = read_image_header(files["grid_color"])
            grid_sizes["its colour"] = (header.width, header.height)
        check_same_size(grid_sizes)
    if "points" in files:
        check_point_file(files["points"])


def depth_size(path: Path) -> tuple[int, int]:
    """Return (width, height) of a depth file from its header."""
    if path.suffix.lower() == ".npy":
        height, width = inspect_depth_npy(path)
        return width, height
    header = read_image_header(path)
    if header.bits < 16:
        raise Unreadable("depth_8bit", f"{path.name} has {header.bits} bits, expected 16")
    if header.channels != 1:
        raise Unreadable("unreadable", f"{path.name} has {header.channels} channels, expected 1")
    return header.width, header.height
