"""A tiny collection for the fuzz test."""

from pathlib import Path

from face3d_data.readers.rgbd_npy import RgbdNpy
from face3d_data.testing import write_tiny_npy

SHARED = frozenset({"intrinsics.json"})


def write(root: Path) -> None:
    write_tiny_npy(root, people=2, captures=2)


def reader(root: Path) -> RgbdNpy:
    return RgbdNpy(root=root, intrinsics=root / "intrinsics.json", depth_scale=0.001)
