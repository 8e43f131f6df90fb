"""From rendered captures of a statistical face model to aligned points: landmarks and fit as good as promised."""

import json

import cv2
import numpy as np
import pytest

from face3d_data.sample import Sample
from face3d_data.stages.align_3d import Align3d
from face3d_data.stages.clean import Clean
from face3d_data.stages.to_cloud import ToCloud

NAMES = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


@pytest.fixture(scope="module")
def captures(shared_data):
    root = shared_data / "rgbd"
    given = json.loads((root / "intrinsics.json").read_text())
    intrinsics = np.array([given[name] for name in ("fx", "fy", "cx", "cy")])
    found = []
    for number, person in enumerate(sorted(path for path in root.iterdir() if path.is_dir())):
        capture, truth = sorted(json.loads((person / "landmarks.json").read_text()).items())[number % 6]
        depth = cv2.imread(str(person / f"{capture}_depth.png"), cv2.IMREAD_UNCHANGED).astype(np.float32)
        pixels, places = (
            np.array([truth[key][name] for name in NAMES], np.float32) for key in ("landmarks_px", "landmarks_3d_mm")
        )
        found.append((Sample.of({"depth": depth, "intrinsics": intrinsics, "landmarks": pixels}), places))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("error_of_eye_distance", [0.0, 0.05])
def test_landmarks_and_fit(captures, error_of_eye_distance):
    rng = np.random.default_rng(0)
    nose_errors, rmses = [], []
    for sample, places in captures:
        pixels = sample.arrays["landmarks"]
        spread = error_of_eye_distance * np.linalg.norm(pixels[1] - pixels[0]) / 1.25
        sample = sample.with_arrays(landmarks=(pixels + rng.normal(0, spread, (5, 2))).astype(np.float32))
        cloud = Clean().apply(ToCloud().apply(sample))
        nose_errors.append(np.linalg.norm(cloud.arrays["landmarks_3d"][2] - places[2]))
        rmses.append(Align3d().apply(cloud).tags["rmse_mm"])
    assert np.median(nose_errors) < (1.5 if error_of_eye_distance == 0 else 5.0)
    assert np.median(rmses) < 3.0
