"""A few videos of made-up people in Lock3DFace's folders."""

from pathlib import Path

from scans import face_scan
from write_lock3dface import kinect_camera, write_video

from face3d_data.reader import Reader
from face3d_data.readers.lock3dface import Lock3DFace

CAMERA = kinect_camera(face_scan(0, 0))
VIDEOS = {"001_Kinect_NU_1": (0, 0), "001_Kinect_FE_2": (0, 1), "002_Kinect_NU_1": (1, 0), "002_Kinect_TM_1": (1, 2)}
"""Video to person and first capture drawn."""


def write(root: Path) -> None:
    for video, (person, capture) in VIDEOS.items():
        scans = [face_scan(person, capture)]
        write_video(root, video, [*scans, face_scan(0, 2)] if video == "001_Kinect_NU_1" else scans)


def reader(root: Path) -> Reader:
    return Lock3DFace(root=root, intrinsics=CAMERA)
