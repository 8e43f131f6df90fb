"""Stage `register`: a known face is found again, what is covered is marked, other things are refused."""

from functools import cache

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from face3d_data.errors import Reject
from face3d_data.geometry.normals import mesh_normals
from face3d_data.geometry.surface import sample_surface
from face3d_data.registration.template import own_template
from face3d_data.sample import Sample
from face3d_data.stages.register import Register
from face3d_data.testing.contract import check_stage


def drawn_weights(seed: int, strength: float = 0.7) -> np.ndarray:
    return strength * np.random.default_rng(seed).standard_normal(len(own_template().modes))


@cache
def shape(seed: int) -> np.ndarray:
    return own_template().shape(drawn_weights(seed))


def front_points(vertices: np.ndarray, n: int = 12_000, least_z: float = 0.2) -> np.ndarray:
    made = sample_surface(vertices, own_template().triangles, n)
    return made.points[made.normals[:, 2] > least_z].astype(np.float32)


@cache
def scan(seed: int = 0, noise_mm: float = 0.3, n: int = 12_000) -> Sample:
    points = front_points(shape(seed), n)
    points = points + np.random.default_rng(seed).normal(0, noise_mm, points.shape).astype(np.float32)
    marks = own_template().landmarks(shape(seed))[[36, 45, 30, 48, 54]].astype(np.float32)
    return Sample.of({"points": points, "landmarks_3d": marks, "pose": np.eye(4)})


def seen_errors(out: Sample, truth: np.ndarray) -> np.ndarray:
    seen = out.arrays["vertex_visible"] > 0
    normals = mesh_normals(truth, own_template().triangles)
    return np.abs(np.einsum("ij,ij->i", out.arrays["vertices"] - truth, normals))[seen]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_known_face_is_found_again(seed):
    out = Register().apply(scan(seed))
    assert np.median(seen_errors(out, shape(seed))) < 0.25
    marks = np.linalg.norm(out.arrays["landmarks_68_3d"] - own_template().landmarks(shape(seed)), axis=1)
    assert np.median(marks) < 1.5
    assert out.tags["registered_worn"] is False
    assert out.tags["registered_misfit"] < 0.6


@pytest.mark.slow
def test_a_rigid_motion_of_some_millimetres_and_degrees_is_followed():
    turn = Rotation.from_euler("xyz", [4, -5, 3], degrees=True).as_matrix().astype(np.float32)
    shift = np.float32([3, -4, 2])
    moved = Sample.of({"points": scan(4).arrays["points"] @ turn.T + shift})
    out = Register().apply(moved)
    truth = shape(4) @ turn.T.astype(np.float64) + shift
    assert np.median(seen_errors(out, truth)) < 0.25


@pytest.mark.slow
@pytest.mark.parametrize("n", [2048, 30_000])
def test_sparse_and_dense_clouds_work(n):
    points = front_points(shape(5), 40_000)
    out = Register().apply(Sample.of({"points": points[np.linspace(0, len(points) - 1, n).astype(int)]}))
    assert np.median(seen_errors(out, shape(5))) < 0.35


@pytest.mark.slow
def test_what_is_labelled_as_worn_is_filled_by_the_model_and_marked():
    points = scan(6).arrays["points"].copy()
    below = (points[:, 1] < 0) & (np.abs(points[:, 0]) < 45)
    points[below, 2] += 9
    out = Register().apply(Sample.of({"points": points, "occlusion": below.astype(np.uint8)}))
    covered = (shape(6)[:, 1] < -6) & (np.abs(shape(6)[:, 0]) < 38) & (shape(6)[:, 2] > -45)
    assert out.arrays["vertex_visible"][covered].mean() < 0.03
    assert np.isnan(out.arrays["vertex_residual"][out.arrays["vertex_visible"] == 0]).all()
    assert np.median(seen_errors(out, shape(6))) < 0.3
    off = np.linalg.norm(out.arrays["vertices"][covered] - shape(6)[covered], axis=1)
    assert np.median(off) < 5


@pytest.mark.slow
def test_a_mask_without_labels_is_noticed():
    points = scan(7).arrays["points"].copy()
    height = 14 * np.exp(-((points[:, 0] / 38) ** 4) - ((points[:, 1] + 32) / 32) ** 4)
    points[:, 2] = np.where(
        height > 1, np.maximum(points[:, 2], -12 - 0.006 * points[:, 0] ** 2) + height, points[:, 2]
    )
    out = Register().apply(Sample.of({"points": points}))
    assert out.tags["registered_worn"] is True
    upper = shape(7)[:, 1] > 25
    seen = upper & (out.arrays["vertex_visible"] > 0)
    normals = mesh_normals(shape(7), own_template().triangles)
    assert np.median(np.abs(np.einsum("ij,ij->i", out.arrays["vertices"] - shape(7), normals))[seen]) < 0.4
    mouth = (
        np.linalg.norm(shape(7) - shape(7)[np.argmin(np.linalg.norm(shape(7) - [0, -32, -10], axis=1))], axis=1) < 12
    )
    assert out.arrays["vertex_visible"][mouth].mean() < 0.1


def ball(radius: float) -> np.ndarray:
    points = np.random.default_rng(0).standard_normal((20_000, 3))
    points *= radius / np.linalg.norm(points, axis=1, keepdims=True)
    return (points[points[:, 2] > 0] - [0, 0, radius]).astype(np.float32)


def plane() -> np.ndarray:
    xy = np.random.default_rng(0).uniform(-100, 100, (8000, 2))
    return np.column_stack([xy, 0 * xy[:, 0]]).astype(np.float32)


OTHER = {
    "a ball": lambda: ball(90.0),
    "a plane": plane,
    "noise": lambda: np.random.default_rng(0).uniform(-90, 90, (9000, 3)).astype(np.float32),
    "a face upside down": lambda: scan(1).arrays["points"] * np.float32([-1, -1, 1]),
    "a face from behind": lambda: scan(1).arrays["points"] * np.float32([-1, 1, -1]) - np.float32([0, 0, 60]),
    "a tenth of the size": lambda: scan(1).arrays["points"] / 10,
    "twice the size": lambda: scan(1).arrays["points"] * 2,
    "half the size": lambda: scan(1).arrays["points"] / 2,
    "a chin alone": lambda: scan(1).arrays["points"][scan(1).arrays["points"][:, 1] < -45],
}


@pytest.mark.slow
@pytest.mark.parametrize("what", OTHER)
def test_what_is_no_face_is_refused(what):
    with pytest.raises(Reject) as caught:
        Register().apply(Sample.of({"points": OTHER[what]()}))
    assert caught.value.reason in Register.reasons


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (np.zeros((0, 3), np.float32), "too_few_points"),
        (np.zeros((10, 3), np.float32), "too_few_points"),
        (np.full((500, 3), 7, np.float32), "too_few_points"),
        (np.full((500, 3), np.nan, np.float32), "non_finite_points"),
        (np.full((500, 3), 3e38, np.float32), "too_few_points"),
    ],
)
def test_points_that_are_no_cloud_are_refused(points, reason):
    with pytest.raises(Reject, match=reason):
        Register().apply(Sample.of({"points": points}))


@pytest.mark.slow
def test_half_a_face_is_taken_and_the_other_half_is_not_seen():
    points = scan(8).arrays["points"]
    out = Register(min_visible=0.3).apply(Sample.of({"points": points[points[:, 0] > -4]}))
    hidden = shape(8)[:, 0] < -12
    assert not out.arrays["vertex_visible"][hidden].any()
    assert np.median(seen_errors(out, shape(8))) < 0.3


@pytest.mark.slow
def test_of_two_faces_the_one_at_the_origin_is_taken():
    points = np.vstack([scan(9).arrays["points"], scan(10).arrays["points"] + np.float32([190, 10, -20])])
    out = Register().apply(Sample.of({"points": points}))
    assert np.median(seen_errors(out, shape(9))) < 0.25


@pytest.mark.slow
def test_it_keeps_the_contract():
    check_stage(Register(), scan(11))
