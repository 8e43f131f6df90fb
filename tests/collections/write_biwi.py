"""Writer of the Biwi Kinect Head Pose database's layout, from its description: `NN/frame_NNNNN_*` and `.cal` files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scans import FaceScan

from face3d_data.testing.write import write_image

WIDTH, HEIGHT = 640, 480


def biwi_depth(scan: FaceScan) -> np.ndarray:
    """Return the scan's depth in whole mm, i2 (480, 640), as the camera of `biwi_camera` sees it."""
    depth = np.zeros((HEIGHT, WIDTH), np.int16)
    top, left = _corner(scan)
    rows, columns = scan.depth.shape
    depth[top : top + rows, left : left + columns] = np.rint(scan.depth)
    return depth


def biwi_camera(scan: FaceScan) -> tuple[float, float, float, float]:
    """Return fx, fy, cx, cy of `biwi_depth`, as `depth.cal` has them."""
    top, left = _corner(scan)
    fx, fy, cx, cy = (round(float(value), 3) for value in scan.intrinsics)
    return fx, fy, round(cx + left, 3), round(cy + top, 3)


def write_biwi_frame(folder: Path, frame: int, scan: FaceScan, rotation: np.ndarray, centre_mm: np.ndarray) -> None:
    """Write a frame's three files and, where it is missing, the sequence's `depth.cal` and `rgb.cal`."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"frame_{frame:05d}"
    write_runs(Path(f"{stem}_depth.bin"), biwi_depth(scan))
    write_image(Path(f"{stem}_rgb.png"), np.full((HEIGHT, WIDTH, 3), 40 + frame, np.uint8))
    rows = ["".join(f"{value:.6g} " for value in row) for row in rotation]
    place = "".join(f"{value:.6g} " for value in centre_mm)
    Path(f"{stem}_pose.txt").write_text("\n".join([*rows, "", place]) + "\n")
    for name in ("depth.cal", "rgb.cal"):
        if not (folder / name).exists():
            write_cal(folder / name, *biwi_camera(scan))


def write_cal(path: Path, fx: float, fy: float, cx: float, cy: float) -> None:
    """Write a `.cal` file: K, a line of distortion, R, T, each after a blank line."""
    lines = [f"{fx:g} 0 {cx:g} ", f"0 {fy:g} {cy:g} ", "0 0 1 ", "", "0 0 0 0 ", ""]
    lines += ["1 0 0 ", "0 1 0 ", "0 0 1 ", "", "0 0 0 ", "", f"{WIDTH} {HEIGHT}"]
    path.write_text("\n".join(lines) + "\n")


def write_runs(path: Path, depth: np.ndarray) -> None:
    """Write a depth image value by value: int32 width, height, then runs of empty and full pixels."""
    height, width = depth.shape
    values = depth.ravel().tolist()
    data = bytearray(width.to_bytes(4, "little") + height.to_bytes(4, "little"))
    at = 0
    while at < len(values):
        full = at
        while full < len(values) and values[full] == 0:
            full += 1
        end = full
        while end < len(values) and values[end] != 0:
            end += 1
        data += (full - at).to_bytes(4, "little") + (end - full).to_bytes(4, "little")
        for value in values[full:end]:
            data += int(value).to_bytes(2, "little", signed=True)
        at = end
    path.write_bytes(data)


def _corner(scan: FaceScan) -> tuple[int, int]:
    """Return where the scan's top left goes, so that the camera's centre is the image's: one camera for all scans."""
    return round((HEIGHT - 1) / 2 - scan.intrinsics[3]), round((WIDTH - 1) / 2 - scan.intrinsics[2])
