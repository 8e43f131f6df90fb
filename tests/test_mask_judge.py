"""The judge of masks passes a mask made from the true skin by hand, and each fault fails the check that is about it."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, gaussian_filter, grey_dilation

from face3d_data.geometry.align import fit_rigid, transform
from face3d_data.geometry.camera import unproject
from face3d_data.wear.head_map import CENTRE, directions, unroll
from face3d_data.wear.occluder import Occluder

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
MODULES = ("mask_truth", "statistical_face", "mask_judge", "mask_judge_images")
SIZE = (320, 240)
STEP_MM = 1.5
GREY = (150, 150, 150)


@pytest.fixture(scope="module")
def judge():
    sys.path.insert(0, str(FOLDER))
    try:
        yield {name: importlib.import_module(name) for name in MODULES}
    finally:
        sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def capture(judge):
    return judge["mask_truth"].synthetic_capture(3, 2, 0, *SIZE, given=True)


def dome(judge, capture, *, floating_mm=0.0, sunk_mm=0.0, bottom_mm=22.0):
    """Return an occluder over the true skin, its outline an oval from the nose bridge to under the chin."""
    to_face = capture.sample.arrays["pose"]
    skin = judge["mask_judge"].Mesh(transform(capture.skin[0], to_face), capture.skin[1])
    marks, _ = unroll(transform(np.vstack([capture.landmarks, capture.chin]), to_face))
    top, bottom = marks[2, 1] + 20, marks[5, 1] - bottom_mm
    a, b = np.meshgrid(np.arange(-75, 75, STEP_MM) + marks[2, 0], np.arange(bottom - 8, top + 8, STEP_MM))
    share = ((a - marks[2, 0]) / 62) ** 2 + ((b - (top + bottom) / 2) / ((top - bottom) / 2)) ** 2
    inside = share <= 1
    ray = directions(np.stack([a, b], axis=-1)).reshape(-1, 3)
    met = skin.cast(CENTRE, ray).reshape(a.shape)
    floor = np.where(np.isfinite(met), met, np.median(met))
    taut = np.maximum(gaussian_filter(grey_dilation(floor, (9, 9)), 4), floor) + 1
    inward = np.clip(distance_transform_edt(inside) * STEP_MM / 10, 0, 1)
    radius = floor + 1 + inward * (taut - floor) + floating_mm - sunk_mm * np.hypot(a, b - marks[2, 1]).__lt__(14)
    index = np.arange(a.size).reshape(a.shape)
    corners = (index[:-1, :-1], index[:-1, 1:], index[1:, 1:]), (index[:-1, :-1], index[1:, 1:], index[1:, :-1])
    triangles = np.concatenate([np.stack(three, axis=-1).reshape(-1, 3) for three in corners])
    triangles = triangles[inside.ravel()[triangles].all(axis=1)].astype(np.uint32)
    vertices = (CENTRE + ray * radius.reshape(-1, 1)).astype(np.float32)
    return Occluder(
        vertices, ray.astype(np.float32), triangles, np.zeros((len(ray), 2), np.float32),
        np.zeros(len(triangles), np.uint8), lambda part, coords: np.full((len(part), 3), 0.4, np.float32), 1,
    )  # fmt: skip


def put_on(judge, capture, occluder):
    """Cover depth, colour and points in the plainest way: what a pixel's ray meets, it shows."""
    before = capture.sample.arrays
    worn = judge["mask_judge"].Worn(capture, capture.sample, occluder, before["pose"])
    met, at = worn.silhouette(worn.whole)
    depth = np.where(met, at, before["depth"]).astype(np.float32)
    color = before["color"].copy()
    color[met] = GREY
    v, u = np.nonzero(met)
    new = unproject(np.stack([u, v], axis=1), depth[v, u], before["intrinsics"])
    kept = ~np.isfinite(worn.whole.cast_at(worn.plain_points))
    points = np.concatenate([before["points"][kept], transform(new, before["pose"]).astype(np.float32)])
    label = np.concatenate([np.zeros(kept.sum(), np.uint8), np.ones(len(new), np.uint8)])
    sample = capture.sample.with_arrays(depth=depth, color=color, points=points, occlusion=label)
    return replace(worn, sample=sample)


@pytest.fixture(scope="module")
def good(judge, capture):
    return put_on(judge, capture, dome(judge, capture))


def medians(judge, worn, kind):
    """Return zone to the median distance of the outline from the skin; the camera sees none under the chin."""
    fit = judge["mask_judge"].fit_of_outline(worn)
    zones = {zone: fit[f"{zone}_{kind}_mm"] for zone in judge["mask_judge"].ZONES}
    assert [zone for zone, found in zones.items() if not found] == (["chin"] if kind == "cloud" else [])
    return {zone: float(np.median(np.abs(found))) for zone, found in zones.items() if found}


def changed(worn, **arrays):
    return replace(worn, sample=worn.sample.with_arrays(**arrays))


def test_the_chin_of_a_synthetic_person_is_the_foremost_below_the_mouth(capture):
    at = transform(np.vstack([capture.landmarks, capture.chin, capture.menton]), capture.sample.arrays["pose"])
    assert at[6, 1] < at[5, 1] < at[3:5, 1].min()
    assert at[6, 2] < at[5, 2]


def test_a_good_mask_passes(judge, good):
    geometry, images = judge["mask_judge"], judge["mask_judge_images"]
    front = geometry.in_front(good)
    assert front["front_radial"] == front["front_camera"] == 0
    assert min(front["inside_radial"], front["inside_camera"]) > 1000
    assert all(geometry.coverage(good).values())
    assert max(medians(judge, good, "true").values()) <= 1.5
    assert max(medians(judge, good, "cloud").values()) <= 2
    bytes_ = images.outside(good)
    assert bytes_["depth_changed_outside_px"] == bytes_["color_changed_outside_px"] == 0
    agreed = images.agreement(good)
    assert agreed["agreeing_px"] == agreed["with_point_px"] == agreed["mask_px"] > 1000
    assert images.readings(good)["depth_off"] == 0
    told = images.labels(good)
    assert told["kept_in_order"]
    assert told["labels_right"] == 1
    spacing = images.spacing(good)
    assert 0.85 <= spacing["mask_spacing_mm"] / spacing["face_spacing_mm"] <= 1.15
    assert 0.5 <= images.skin_visible(good) <= 0.75


def test_a_mask_cutting_through_the_nose_lies_behind_points(judge, capture):
    front = judge["mask_judge"].in_front(put_on(judge, capture, dome(judge, capture, sunk_mm=12)))
    assert front["front_radial"] > 0.001 * front["inside_radial"]
    assert front["front_camera"] > 0.001 * front["inside_camera"]
    assert not judge["mask_judge"].coverage(put_on(judge, capture, dome(judge, capture, sunk_mm=12)))["nose"]


def test_a_short_mask_does_not_cover_the_chin(judge, capture):
    covered = judge["mask_judge"].coverage(put_on(judge, capture, dome(judge, capture, bottom_mm=-8)))
    assert covered == {"nose": True, "mouth_left": True, "mouth_right": True, "chin": False, "menton": False}


def test_a_hole_is_told(judge, capture):
    occluder = dome(judge, capture)
    middle = occluder.vertices[occluder.triangles].mean(axis=1)
    torn = occluder.triangles[np.linalg.norm(middle - [0, -35, 0], axis=1) > 12]
    sheets = [occluder, replace(occluder, triangles=torn, part=np.zeros(len(torn), np.uint8))]
    assert [judge["mask_judge"].outline(one.vertices, one.triangles)[1] for one in sheets] == [1, 2]


def test_a_floating_mask_leaves_the_skin_in_every_zone(judge, capture):
    floating = put_on(judge, capture, dome(judge, capture, floating_mm=10))
    for kind in ("cloud", "true"):
        assert min(medians(judge, floating, kind).values()) > 5, kind


def test_depth_or_colour_beyond_the_silhouette_is_counted(judge, good):
    images = judge["mask_judge_images"]
    depth, color = good.sample.arrays["depth"].copy(), good.sample.arrays["color"].copy()
    v, u = np.argwhere(good.silhouette(good.whole)[0])[0]
    depth[v - 2, u] += 1
    color[v - 2, u] ^= 1  # within the softening
    color[v - 4, u] ^= 1
    color[0, 0] ^= 1
    found = images.outside(changed(good, depth=depth, color=color))
    assert found["depth_changed_outside_px"] == 1
    assert found["color_changed_outside_px"] == 2


def test_points_off_the_depth_are_counted(judge, good):
    images, arrays = judge["mask_judge_images"], good.sample.arrays
    points = arrays["points"].copy()
    points[arrays["occlusion"] == 1] += 3 * arrays["pose"][:3, 2].astype(np.float32)
    found = images.agreement(changed(good, points=points))
    assert found["agreeing_px"] < 0.5 * found["mask_px"]
    assert images.readings(changed(good, depth=arrays["depth"] + np.float32(4)))["depth_off"] > 0.99


def test_lost_and_coarse_points_are_counted(judge, good):
    images, arrays = judge["mask_judge_images"], good.sample.arrays
    chosen = np.ones(len(arrays["points"]), bool)
    chosen[arrays["occlusion"] == 1] = np.arange((arrays["occlusion"] == 1).sum()) % 4 == 0
    thin = replace(good, sample=good.sample.take(chosen))
    found = images.agreement(thin)
    assert found["agreeing_px"] < 0.3 * found["mask_px"]
    spacing = images.spacing(thin)
    assert spacing["mask_spacing_mm"] > 1.15 * spacing["face_spacing_mm"]


def test_hidden_points_that_stay_and_shuffled_ones_are_told(judge, good):
    images, plain = judge["mask_judge_images"], good.capture.sample.arrays["points"]
    both = np.concatenate([plain, good.sample.arrays["points"][good.sample.arrays["occlusion"] == 1]])
    label = np.concatenate([np.zeros(len(plain), np.uint8), np.ones(len(both) - len(plain), np.uint8)])
    assert images.labels(changed(good, points=both, occlusion=label))["labels_right"] < 0.9
    order = np.argsort(good.sample.arrays["occlusion"], kind="stable")
    order[[0, 1]] = order[[1, 0]]
    assert not images.labels(replace(good, sample=good.sample.take(order)))["kept_in_order"]


@pytest.mark.slow
def test_the_statistical_face_is_recovered_from_its_own_depth(judge, shared_data):
    fitting = judge["statistical_face"]
    if not (shared_data / "ict_face_small.npz").exists():
        pytest.skip(f"no statistical face in {shared_data}: set FACE3D_SHARED")
    face = fitting.StatisticalFace(shared_data / "ict_face_small.npz")
    weights = np.zeros(35)
    weights[[0, 3, 25]] = 1.5, -1.0, 0.3
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    pose[:3, 3] = 5.0, 10.0, 750.0
    vertices = transform(face.shape(weights), pose)
    camera = np.array([615.0, 615.0, 319.5, 239.5])
    v, u = np.mgrid[:480, :640]
    rays = np.stack([(u - camera[2]) / camera[0], (v - camera[3]) / camera[1], np.ones(u.shape)], axis=-1)
    met = judge["mask_judge"].Mesh(vertices, face.triangles).cast(np.zeros(3), rays.reshape(-1, 3)).reshape(u.shape)
    marks = np.vstack([transform(face.START[:2], pose), vertices[list(face.MIDDLE.values())]])
    depth = np.where(np.isfinite(met), met, 0)
    view = fitting.View(depth, camera, marks, fit_rigid(face.START, marks), np.zeros(10))
    identity, misfit = fitting.fit_person(face, [view])
    assert misfit[0] < 0.4
    found = transform(face.shape(np.concatenate([identity, view.expression])), view.pose)
    chin = judge["mask_truth"].on_readings(found[face.POGONION], found, depth, camera)
    assert np.linalg.norm(chin - vertices[face.POGONION]) < 1.5
    assert np.linalg.norm(found - vertices, axis=1)[face.rows].mean() < 1.5
