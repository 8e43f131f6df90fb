"""Two people of the IIIT-D Kinect database, with three pictures each in two folds, read as colour and depth."""

from pathlib import Path

from write_iiitd_kinect import FAR_MM, NEAR_MM, write_iiitd_kinect

from face3d_data.component import build
from face3d_data.readers.iiitd_kinect import IiitdKinect

SHARED: frozenset[str] = frozenset()


def write(root: Path) -> None:
    write_iiitd_kinect(root, people=2, captures=3, folds=2)


def reader(root: Path) -> IiitdKinect:
    return build(IiitdKinect, {"root": root, "use": "both", "depth_range_mm": [NEAR_MM, FAR_MM]}, "source 'x'")
