"""A small text bundle of made-up people's depth, as Lock3DFace's preprocessing reads it."""

from pathlib import Path

from scans import face_scan
from write_lock3dface import CROP, kinect_camera, write_bundle

from face3d_data.reader import Reader
from face3d_data.readers.lock3dface_bundle import Lock3DFaceBundle

CAMERA = kinect_camera(face_scan(0, 0), CROP, CROP)
SHARED = frozenset({"kinect_all.dat", "kinect_all.name"})


def write(root: Path) -> None:
    videos = {
        "001_Kinect_NU_1": [face_scan(0, 0)],
        "001_Kinect_FE_1": [face_scan(0, 1)],
        "002_Kinect_NU_1": [face_scan(1, 0), face_scan(1, 1)],
    }
    write_bundle(root, "kinect", videos)


def reader(root: Path) -> Reader:
    return Lock3DFaceBundle(root=root, intrinsics=CAMERA)
