"""A tiny collection for the fuzz test."""

from pathlib import Path

from face3d_data.readers.rgbd_folder import RgbdFolder
from face3d_data.testing import write_tiny_rgbd

SHARED = frozenset({"intrinsics.json"})


def write(root: Path) -> None:
    write_tiny_rgbd(root, people=2, captures=2)


def reader(root: Path) -> RgbdFolder:
    return RgbdFolder(root=root)
