"""Indexes of recordings, and a stand-in for the SDK that plays made-up people whatever the file holds."""

import importlib.util
import sys
from pathlib import Path

import standin_realsense as standin
from scans import face_scan
from write_realsense import realsense_depth

from face3d_data.reader import Reader
from face3d_data.readers.realsense_bag import RealSenseBag

SHARED = frozenset({"ann/a.bag", "bob/a.bag"})


def write(root: Path) -> None:
    for person in ("ann", "bob"):
        standin.write_bag(root / person / "a.bag", 2, 2)


def reader(root: Path) -> Reader:
    if "pyrealsense2" not in sys.modules and importlib.util.find_spec("pyrealsense2") is None:
        depths = [realsense_depth(face_scan(0, capture)) for capture in (0, 1)]
        standin.install(standin.sdk(standin.frame_sets(depths)))
    return RealSenseBag(root=root)
