"""Pictures of README and the gallery, made by the program itself, of people that do not exist: make images.

Everything is drawn from the seeds below, so the same versions make the same pictures.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from face3d_data import Sample
from face3d_data.geometry.align import transform
from face3d_data.pictures.sample_picture import LABEL_RGB, draw_points, panels
from face3d_data.readers.synthetic import Synthetic
from face3d_data.stages.align_3d import Align3d
from face3d_data.stages.clean import Clean
from face3d_data.stages.detect import Detect
from face3d_data.stages.maps import Maps
from face3d_data.stages.mask import Mask
from face3d_data.stages.to_cloud import ToCloud

IMAGES = Path(__file__).resolve().parents[1] / "images"
PERSON = 3
QUALITY = 82
CLOUD_PX, GAP_PX = 300, 6
MAP_PX = 200
YAWS_DEG = (-55.0, 0.0, 55.0)
SHOWN_MM = np.array([[-90.0, -88.0], [90.0, 92.0]])
"""What a picture of a cloud spans in the face frame, right and up."""
AXIS_MM = np.array([0.0, 0.0, -35.0])
"""A cloud is rotated about a vertical axis through this point of the face frame."""
WHITE, DOT_PX = 255, 7
SHEETS = {
    "masks": ["--styles", "surgical,kn95,respirator", "--size", "150"],
    "styles": ["--size", "120"],
    "worn": ["--styles", "surgical", "--worn", "proper,below_nose,below_mouth,one_ear", "--size", "120"],
    "occluders": ["--styles", "ffp2_valve", "--occluders", "--size", "120"],
}
"""Pictures that `face3d masks` draws, and its options."""


def main() -> None:
    """Draw every picture into docs/images/."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, arguments in SHEETS.items():
            face3d(folder, "masks", "--person", str(PERSON), "--out", f"{name}.png", *arguments)
            keep(cv2.imread(f"{folder}/{name}.png"), name)
        face3d(folder, "run", "quickstart", "--set", "synthetic.people=6", "--set", "synthetic.captures=1")
        face3d(folder, "show", "--sheet", "quickstart")
        keep(cv2.imread(f"{folder}/work/show/quickstart.png"), "contact_sheet")
    keep(clouds()[..., ::-1], "clouds")
    keep(maps()[..., ::-1], "maps")


def face3d(folder: str, *arguments: str) -> None:
    """Run a command in a folder."""
    environment = {**os.environ, "COLUMNS": "120"}
    subprocess.run([sys.executable, "-m", "face3d_data", *arguments], cwd=folder, env=environment, check=True)


def keep(image: np.ndarray, name: str) -> None:
    """Write a picture of blue, green and red as JPEG."""
    cv2.imwrite(str(IMAGES / f"{name}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def clouds() -> np.ndarray:
    """Return one person's cloud, plain above and masked below, from three sides and by its labels, RGB."""
    reader = Synthetic(people=1, captures=1, first_person=PERSON)
    plain = Clean().apply(ToCloud(keep_colors=True).apply(Detect().apply(reader.sample(next(reader.scan())))))
    masked = Mask(styles=["kn95"]).apply(plain, seed=1)
    rows = [row(Align3d().apply(sample)) for sample in (plain, masked)]
    gap = np.full((GAP_PX, rows[0].shape[1], 3), WHITE, np.uint8)
    return np.concatenate([rows[0], gap, rows[1]])


def maps() -> np.ndarray:
    """Return captures of two people side by side: colour, and maps of height and normals, RGB."""
    rows = []
    for person in (PERSON, PERSON + 1):
        reader = Synthetic(people=1, captures=2, first_person=person)
        pictures = []
        for source in reader.scan():
            cloud = Clean().apply(ToCloud().apply(Detect().apply(reader.sample(source))))
            arrays = Maps().apply(Align3d().apply(cloud)).arrays
            shown = dict(panels(arrays, MAP_PX, close_up=True))
            pictures += [shown[name] for name in ("color", "map, height", "map, normals")]
        rows.append(np.concatenate(pictures, axis=1))
    return np.concatenate(rows)


def row(sample: Sample) -> np.ndarray:
    """Return a cloud in its colours from three sides, and by its labels from the last of them."""
    labels = sample.arrays["occlusion"] if "occlusion" in sample.arrays else np.zeros(len(sample.arrays["points"]), int)
    shades = LABEL_RGB[labels].astype(np.uint8)
    pictures = [view(sample, yaw, sample.arrays["point_colors"]) for yaw in YAWS_DEG]
    pictures.append(view(sample, YAWS_DEG[-1], shades, shaded=True))
    gap = np.full((CLOUD_PX, GAP_PX, 3), WHITE, np.uint8)
    parts = [part for picture in pictures for part in (picture, gap)]
    return np.concatenate(parts[:-1], axis=1)


def view(sample: Sample, yaw_deg: float, rgb: np.ndarray, shaded: bool = False) -> np.ndarray:
    """Return a picture of a cloud in the face frame, seen after a rotation by `yaw_deg` about a vertical axis."""
    cos, sin = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
    rotation = np.eye(4)
    rotation[:3, :3] = [[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]
    points = transform(np.asarray(sample.arrays["points"], np.float64) - AXIS_MM, rotation)
    if shaded:
        near = (points[:, 2:] - points[:, 2].min()) / np.ptp(points[:, 2])
        rgb = (rgb * (0.3 + 0.7 * near)).astype(np.uint8)
    picture = draw_points(points[:, :2], points[:, 2], rgb, 2 * CLOUD_PX, SHOWN_MM, DOT_PX)
    return cv2.resize(picture, (CLOUD_PX, CLOUD_PX), interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    main()
