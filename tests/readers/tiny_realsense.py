"""A few recordings of made-up people as Open3D's RealSense tools write them."""

from pathlib import Path

from scans import face_scan
from write_realsense import write_recording

from face3d_data.reader import Reader
from face3d_data.readers.realsense import RealSense

SHARED = frozenset({"ann/camera_intrinsic.json", "bob/first/intrinsic.json", "bob/second/intrinsic.json"})


def write(root: Path) -> None:
    write_recording(root / "ann", [face_scan(0, 0), face_scan(0, 1)])
    write_recording(root / "bob" / "first", [face_scan(1, 0), face_scan(1, 1)], bag_reader=True)
    write_recording(root / "bob" / "second", [face_scan(1, 2)], bag_reader=True, units_per_metre=4000)


def reader(root: Path) -> Reader:
    return RealSense(root=root)
