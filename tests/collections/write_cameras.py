"""Writer of one camera in the spellings of other programs, from their descriptions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

Camera = tuple[float, float, float, float, int, int]
CAMERA: Camera = (600.0, 610.0, 31.5, 23.5, 64, 48)
"""fx, fy, cx, cy, width, height, in px."""
COEFFS: tuple[float, ...] = (0.1, -0.2, 0.001, 0.002, 0.03)
"""k1 k2 p1 p2 k3."""


def _ours(camera: Camera, coeffs: tuple[float, ...]) -> str:
    values = dict(zip(("fx", "fy", "cx", "cy", "width", "height"), camera, strict=True))
    return json.dumps({**values, "model": "brown_conrady", "coeffs": coeffs})


def _realsense(camera: Camera, coeffs: tuple[float, ...]) -> str:
    fx, fy, cx, cy, width, height = camera
    pixels = {"width": width, "height": height, "ppx": cx, "ppy": cy, "fx": fx, "fy": fy}
    return json.dumps({**pixels, "model": "distortion.brown_conrady", "coeffs": coeffs})


def _open3d(camera: Camera, coeffs: tuple[float, ...]) -> str:
    fx, fy, cx, cy, width, height = camera
    return json.dumps({"width": width, "height": height, "intrinsic_matrix": [fx, 0, 0, 0, fy, 0, cx, cy, 1]})


def _ros(camera: Camera, coeffs: tuple[float, ...]) -> str:
    """As `camera_calibration` writes it."""
    fx, fy, cx, cy, width, height = camera
    return f"""image_width: {width}
image_height: {height}
camera_name: head
camera_matrix:
  rows: 3
  cols: 3
  data: [{fx}, 0, {cx}, 0, {fy}, {cy}, 0, 0, 1]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: {list(coeffs)}
rectification_matrix:
  rows: 3
  cols: 3
  data: [1, 0, 0, 0, 1, 0, 0, 0, 1]
"""


def _ros_topic(camera: Camera, coeffs: tuple[float, ...]) -> str:
    """As `rostopic echo` and `ros2 topic echo` show a message."""
    fx, fy, cx, cy, width, height = camera
    return f"""header:
  frame_id: camera_color_optical_frame
height: {height}
width: {width}
distortion_model: plumb_bob
d: {list(coeffs)}
k: [{fx}, 0.0, {cx}, 0.0, {fy}, {cy}, 0.0, 0.0, 1.0]
r: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
p: [{fx}, 0.0, {cx}, 0.0, 0.0, {fy}, {cy}, 0.0, 0.0, 0.0, 1.0, 0.0]
binning_x: 0
binning_y: 0
roi: {{x_offset: 0, y_offset: 0, height: 0, width: 0, do_rectify: false}}
"""


def _opencv(camera: Camera, coeffs: tuple[float, ...]) -> str:
    fx, fy, cx, cy, width, height = camera
    return f"""%YAML:1.0
---
image_width: {width}
image_height: {height}
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ {fx}, 0., {cx}, 0., {fy}, {cy}, 0., 0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 1
   cols: 5
   dt: d
   data: {list(coeffs)}
"""


def _opencv_xml(camera: Camera, coeffs: tuple[float, ...]) -> str:
    fx, fy, cx, cy, width, height = camera
    return f"""<?xml version="1.0"?>
<opencv_storage>
<image_width>{width}</image_width><image_height>{height}</image_height>
<camera_matrix type_id="opencv-matrix"><rows>3</rows><cols>3</cols><dt>d</dt>
  <data>{fx} 0. {cx} 0. {fy} {cy} 0. 0. 1.</data></camera_matrix>
<distortion_coefficients type_id="opencv-matrix"><rows>5</rows><cols>1</cols><dt>d</dt>
  <data>{" ".join(map(str, coeffs))}</data></distortion_coefficients>
</opencv_storage>
"""


def _orb_slam(camera: Camera, coeffs: tuple[float, ...]) -> str:
    fx, fy, cx, cy, width, height = camera
    pixels = f"Camera.fx: {fx}\nCamera.fy: {fy}\nCamera.cx: {cx}\nCamera.cy: {cy}\n"
    lens = "".join(f"Camera.{n}: {v}\n" for n, v in zip(("k1", "k2", "p1", "p2", "k3"), coeffs, strict=True))
    return f"%YAML:1.0\n{pixels}{lens}Camera.width: {width}\nCamera.height: {height}\nCamera.fps: 30.0\n"


def _matlab(camera: Camera, coeffs: tuple[float, ...]) -> str:
    fx, fy, cx, cy, width, height = camera
    pixels = {"FocalLength": [fx, fy], "PrincipalPoint": [cx + 1, cy + 1], "ImageSize": [height, width], "Skew": 0}
    lens = {"RadialDistortion": [coeffs[0], coeffs[1], coeffs[4]], "TangentialDistortion": list(coeffs[2:4])}
    matrix = [[fx, 0, 0], [0, fy, 0], [cx + 1, cy + 1, 1]]
    return json.dumps({**pixels, **lens, "IntrinsicMatrix": matrix})


SPELLINGS: dict[str, tuple[str, Callable[[Camera, tuple[float, ...]], str]]] = {
    "ours": ("intrinsics.json", _ours),
    "realsense": ("camera.json", _realsense),
    "open3d": ("camera_intrinsic.json", _open3d),
    "ros": ("camera_info.yaml", _ros),
    "ros_topic": ("camera_info.yml", _ros_topic),
    "opencv": ("calibration.yml", _opencv),
    "opencv_xml": ("camera.xml", _opencv_xml),
    "orb_slam": ("camera.yaml", _orb_slam),
    "matlab": ("camera.json", _matlab),
}


def write_camera(folder: Path, spelling: str, camera: Camera = CAMERA, coeffs: tuple[float, ...] = COEFFS) -> Path:
    """Write a camera, and return the file.

    Args:
        folder: where it is written, under the name that its program gives it.
        spelling: one of `SPELLINGS`.
        camera: fx, fy, cx, cy, width, height.
        coeffs: k1 k2 p1 p2 k3; Open3D's files have no place for them.
    """
    name, text = SPELLINGS[spelling]
    path = folder / name
    path.write_text(text(camera, coeffs))
    return path
