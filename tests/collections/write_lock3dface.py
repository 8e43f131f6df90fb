"""Writers of Lock3DFace's layouts, from their description: folders of frames, and the text bundle of cropped depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scans import FaceScan

from face3d_data.testing.write import write_image

WIDTH, HEIGHT = 512, 424
CROP = 180


def kinect_depth(scan: FaceScan, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Return the scan's depth in mm, u2 (height, width), as `kinect_camera` sees it."""
    depth = np.zeros((height, width), np.uint16)
    depth[_window(scan, width, height)] = np.rint(scan.depth)
    return depth


def kinect_camera(scan: FaceScan, width: int = WIDTH, height: int = HEIGHT) -> tuple[float, float, float, float]:
    """Return fx, fy, cx, cy of all scans in such an image."""
    rows, columns = _window(scan, width, height)
    fx, fy, cx, cy = (float(value) for value in scan.intrinsics)
    return fx, fy, cx + columns.start, cy + rows.start


def kinect_infrared(scan: FaceScan) -> np.ndarray:
    """Return an infrared image, u2 (424, 512), of the scan's brightness."""
    infrared = np.full((HEIGHT, WIDTH), 300, np.uint16)
    infrared[_window(scan, WIDTH, HEIGHT)] = 400 + scan.color.mean(2) * 12
    return infrared


def kinect_landmarks(scan: FaceScan) -> np.ndarray:
    """Return the landmarks in whole px of such an image, i4 (5, 2)."""
    rows, columns = _window(scan, WIDTH, HEIGHT)
    return np.rint(scan.landmarks + np.array([columns.start, rows.start])).astype(np.int32)


def write_video(root: Path, video: str, scans: list[FaceScan], landmarks: bool = True) -> None:
    """Write a video (`001_Kinect_NU_1`) as folders of frames from 01 on, and its landmarks (those of the first)."""
    for number, scan in enumerate(scans, 1):
        images = {
            "COLOR": ("color", ".jpg", np.full((54, 96, 3), 100 + number, np.uint8)),
            "DEPTH": ("depth", ".png", kinect_depth(scan)),
            "INFRARED": ("infrared", ".png", kinect_infrared(scan)),
        }
        for role, (folder, ending, pixels) in images.items():
            place = root / "data" / folder / f"{video}{role}"
            place.mkdir(parents=True, exist_ok=True)
            write_image(place / f"{number:02d}{ending}", pixels)
    if landmarks:
        label = root / "label" / "infrared"
        label.mkdir(parents=True, exist_ok=True)
        lines = [f"x:{x} y:{y}" for x, y in kinect_landmarks(scans[0]).tolist()]
        (label / f"{video}INFRARED.txt").write_text("\n".join(lines) + "\n")


def write_bundle(root: Path, name: str, videos: dict[str, list[FaceScan]]) -> None:
    """Write `<name>_all.dat`, a frame of 180×180 depth values a line, column by column, and `<name>_all.name`."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / f"{name}_all.dat").open("w") as data:
        for scans in videos.values():
            for scan in scans:
                columns = kinect_depth(scan, CROP, CROP).T
                data.write(" ".join(str(value) for value in columns.ravel().tolist()) + "\n")
    lines = [f"{video},{len(scans)}\n" for video, scans in videos.items()]
    (root / f"{name}_all.name").write_text("".join(lines))


def _window(scan: FaceScan, width: int, height: int) -> tuple[slice, slice]:
    """Return the rows and columns of the scan, so that the camera's centre is the image's."""
    top, left = round((height - 1) / 2 - scan.intrinsics[3]), round((width - 1) / 2 - scan.intrinsics[2])
    rows, columns = scan.depth.shape
    return slice(top, top + rows), slice(left, left + columns)
