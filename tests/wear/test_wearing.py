"""Finding the face that wears something: which camera looks at it, and which samples are refused."""

import numpy as np
import pytest
from face_scans import face_sample, head_pose

from face3d_data.errors import Reject
from face3d_data.geometry.align import transform
from face3d_data.geometry.mean_face import mean_face
from face3d_data.stages.to_cloud import ToCloud
from face3d_data.wear.wearing import find_face


@pytest.fixture(scope="module")
def cloud():
    sample = ToCloud().apply(face_sample(noise_mm=0.5))
    return {name: np.array(sample.arrays[name]) for name in sample.arrays}


def without(arrays, *names):
    return {name: array for name, array in arrays.items() if name not in names}


@pytest.mark.parametrize("names", [(), ("points",), ("points", "depth")], ids=["all", "rgbd", "photo"])
@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_a_camera_that_is_none_is_refused(cloud, names, wrong):
    given = without(cloud, *names) | {"intrinsics": cloud["intrinsics"] * [wrong, 1, 1, 1]}
    with pytest.raises(Reject) as raised:
        find_face(given)
    assert raised.value.reason == "bad_camera"


@pytest.mark.parametrize("pose", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.diag([-1.0, 1, 1, 1])])
def test_a_pose_without_a_way_back_is_refused(cloud, pose):
    with pytest.raises(Reject) as raised:
        find_face(cloud | {"pose": pose})
    assert raised.value.reason == "bad_camera"


def test_points_far_from_the_landmarks_are_no_face(cloud):
    given = without(cloud, "depth", "intrinsics", "color")
    find_face(given)
    with pytest.raises(Reject) as raised:
        find_face(given | {"points": given["points"] + np.float32(500)})
    assert raised.value.reason == "too_few_points"


def test_unknown_landmarks_are_those_of_the_mean_face(cloud):
    landmarks = cloud["landmarks_3d"].copy()
    landmarks[0] = np.nan
    found = find_face(without(cloud, "depth") | {"landmarks_3d": landmarks}).landmarks
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[0], mean_face().landmarks[0])


def test_a_cloud_with_its_surroundings_is_seen_by_the_camera_of_its_photo(cloud):
    wall = np.stack(np.meshgrid(np.linspace(-900, 900, 40), np.linspace(-900, 900, 40), 1800), axis=-1)
    points = np.concatenate([cloud["points"], wall.reshape(-1, 3).astype(np.float32)])
    given = without(cloud, "depth") | {"points": points}
    eye = transform(find_face(given).landmarks, np.linalg.inv(find_face(given).view.to_face))[0]
    np.testing.assert_allclose(eye, transform(mean_face().landmarks, head_pose())[0], atol=4)
