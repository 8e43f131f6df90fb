"""Two people of KinectFaceDB, with one session and two states each."""

from pathlib import Path

from write_eurecom_kinect import write_eurecom_kinect

from face3d_data.component import build
from face3d_data.readers.eurecom_kinect import EurecomKinect

SHARED: frozenset[str] = frozenset()


def write(root: Path) -> None:
    write_eurecom_kinect(root, people=2, sessions=(1,), rows=36)


def reader(root: Path) -> EurecomKinect:
    return build(EurecomKinect, {"root": root}, "source 'x'")
