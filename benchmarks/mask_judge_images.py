"""Judge what a worn mask did to depth, colour and points, byte by byte and against ray casts of its mesh."""

from __future__ import annotations

from typing import Any

import numpy as np
from mask_judge import NEAR_MM, SAME_MM, SIGMAS_BEFORE, Mesh, Worn, in_camera
from scipy.ndimage import binary_dilation
from scipy.spatial import cKDTree

from face3d_data.errors import Reject
from face3d_data.geometry.align import transform
from face3d_data.geometry.camera import project, unproject
from face3d_data.sample import Sample
from face3d_data.stages.detect import Detect

EDGE_PX = (0.0, -0.02, 0.02)
"""Rays that graze the border fall on either side of it, by rounding: the depth may change in the pixels of both."""
SUBPIXELS = (0.0, -0.45, 0.45)
CROP_MM = 85.0
"""Points are judged within this distance of the nose: the pipeline cuts clouds at 90 mm."""
LEAST_IOU = 0.3
FACE_MM = 60.0


def disc(radius: float) -> np.ndarray:
    """Return the pixels (K, K) within a radius of the middle one."""
    reach = int(np.ceil(radius))
    v, u = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.hypot(u, v) <= radius + 1e-9


def outside(worn: Worn) -> dict[str, int]:
    """Count the pixels of depth and colour that changed where they must not: outside mask and straps."""
    before, after = worn.capture.sample.arrays, worn.sample.arrays
    edge, _ = worn.silhouette(worn.whole, EDGE_PX)
    touched, _ = worn.silhouette(worn.whole, SUBPIXELS)
    soft = binary_dilation(touched, disc(worn.softening_px))
    depth = before["depth"].view(np.uint32) != after["depth"].view(np.uint32)
    color = (before["color"] != after["color"]).any(axis=-1)
    return {
        "silhouette_px": int(edge.sum()),
        "depth_changed_outside_px": int((depth & ~edge).sum()),
        "color_changed_outside_px": int((color & ~soft).sum()),
        "color_changed_px": int(color.sum()),
    }


def readings(worn: Worn) -> dict[str, float]:
    """Return how the new depth lies to the mask's mesh, where the mask is what is seen.

    Its error's median and robust deviation in units of the sensor's, the share of readings off by more than 1 mm and
    5 deviations (on the main part, a pixel away from its border), and the share without a reading.
    """
    met, at = worn.silhouette(worn.main)
    _, first = worn.silhouette(worn.whole)
    plain, depth = (s.arrays["depth"].astype(np.float64) for s in (worn.capture.sample, worn.sample))
    at = np.where(met, at, 0.0)
    sigma = worn.sigma(at)
    hidden = (plain > 0) & (plain < at - np.maximum(NEAR_MM, SIGMAS_BEFORE * sigma) - 1)
    inner = ~binary_dilation(~met, np.ones((3, 3), bool)) & ~hidden & (first >= at - 1e-3)
    read = inner & (depth > 0)
    error = (depth - at)[read]
    if not len(error):
        return {"depth_bias_mm": np.nan, "depth_spread_mm": np.nan, "depth_off": 1.0, "depth_holes": 1.0}
    off = np.abs(error) > 1 + 5 * sigma[read]
    return {
        "depth_bias_mm": float(np.median(error)),
        "depth_spread_mm": 1.4826 * float(np.median(np.abs(error - np.median(error)))),
        "depth_sigma_mm": float(np.median(sigma[read])),
        "depth_off": float(off.mean()),
        "depth_holes": float(1 - read.sum() / inner.sum()),
    }


def agreement(worn: Worn) -> dict[str, int]:
    """Count mask pixels, those into which a mask point falls, and those where it agrees with the depth to 2 mm.

    A mask pixel: its centre sees the mask (main part), its new depth is a reading of it, and it lies within the reach
    of the cloud. The farthest-off point of a pixel counts.
    """
    arrays = worn.sample.arrays
    depth, intrinsics = arrays["depth"].astype(np.float64), arrays["intrinsics"]
    met, at = worn.silhouette(worn.main)
    changed = worn.capture.sample.arrays["depth"] != arrays["depth"]
    pixel = met & changed & (depth > 0)
    v, u = np.nonzero(pixel)
    places = unproject(np.stack([u, v], axis=1), at[v, u], intrinsics)
    nose = transform(worn.capture.sample.arrays["landmarks_3d"][2:3].astype(np.float64), np.linalg.inv(pose(worn)))
    near = np.linalg.norm(places - nose, axis=1) < CROP_MM
    points = in_camera(worn.sample)[arrays["occlusion"] == 1]
    where = np.rint(project(points, intrinsics)).astype(int)
    height, width = depth.shape
    inside = (where >= 0).all(1) & (where < [width, height]).all(1)
    worst = np.full(depth.shape, -1.0)
    x, y = where[inside].T
    np.maximum.at(worst, (y, x), np.abs(points[inside, 2] - depth[y, x]))
    here = worst[v[near], u[near]]
    return {
        "mask_px": int(near.sum()),
        "with_point_px": int((here >= 0).sum()),
        "agreeing_px": int(((here >= 0) & (here <= SAME_MM)).sum()),
        "points_on_mask": len(points),
        "points_agreeing": int((np.abs(points[inside, 2] - depth[y, x]) <= SAME_MM).sum()),
    }


def pose(worn: Worn) -> np.ndarray:
    """Return the plain sample's pose (4, 4), camera frame to the frame of its points."""
    return worn.capture.sample.arrays["pose"]


def labels(worn: Worn) -> dict[str, Any]:
    """Compare which points were kept, hidden and put with what ray casting says.

    A plain point is hidden where its ray meets mask or strap and it does not lie nearer by more than 6 mm and four
    deviations; within a millimetre of that limit either is right. Kept points come first, in order, bit-identical.
    """
    before, after = worn.capture.sample.arrays["points"], worn.sample.arrays["points"]
    occlusion = worn.sample.arrays["occlusion"]
    n_kept = int((occlusion == 0).sum())
    points = worn.plain_points
    met = worn.whole.cast_at(points)
    nearer = met - points[:, 2] - np.maximum(NEAR_MM, SIGMAS_BEFORE * worn.sigma(points[:, 2]))
    hidden = np.isfinite(met) & (nearer <= 0)
    either = np.isfinite(met) & (np.abs(nearer) <= 1)
    row = {bytes(p): i for i, p in enumerate(before)}
    found = np.array([row.get(bytes(p), -1) for p in after[:n_kept]], int)
    kept = np.zeros(len(before), bool)
    kept[found[found >= 0]] = True
    new = in_camera(worn.sample)[n_kept:]
    on_mask = np.isfinite(worn.whole.cast_at(new)) if len(new) else np.zeros(0, bool)
    right = ((kept != hidden) | either).sum() + on_mask.sum()
    return {
        "kept_in_order": bool((found >= 0).all() and (np.diff(found) > 0).all() and (occlusion[n_kept:] == 1).all()),
        "labels_right": float(right / (len(before) + len(new))),
        "visible_points": n_kept / len(before),
    }


def spacing(worn: Worn) -> dict[str, float]:
    """Return the median distance to the nearest neighbour on the mask, on the bare face, and where the mask now is.

    The bare face: uncovered points of the mask's variant above the nose tip, within 60 mm of the nose and turned to
    the front, forehead and cheeks (z above -35 mm in the mask's face frame).
    """
    points, occlusion = in_camera(worn.sample), worn.sample.arrays["occlusion"]
    near, _ = cKDTree(points).query(points, k=2)
    at = transform(points, worn.to_face)
    bare = (occlusion == 0) & (at[:, 1] > 0) & (np.abs(at[:, 0]) < FACE_MM) & (at[:, 2] > -35)
    plain = worn.plain_points
    covered = np.isfinite(worn.main.cast_at(plain))
    before, _ = cKDTree(plain).query(plain, k=2)
    mask = near[occlusion == 1, 1]
    return {
        "mask_spacing_mm": float(np.median(mask)) if len(mask) else np.nan,
        "face_spacing_mm": float(np.median(near[bare, 1])) if bare.any() else np.nan,
        "covered_spacing_mm": float(np.median(before[covered, 1])) if covered.any() else np.nan,
    }


def found(sample: Sample, box: np.ndarray) -> bool:
    """Return whether MTCNN with the stage's other defaults finds the face at its true box (4,), IoU above 0.3."""
    bare = Sample.of({name: sample.arrays[name] for name in ("color", "depth", "intrinsics")})
    try:
        seen = Detect(detector="mtcnn").apply(bare).arrays["box"].astype(np.float64)
    except Reject:
        return False
    shared = np.prod(np.maximum(np.minimum(seen[2:], box[2:]) - np.maximum(seen[:2], box[:2]), 0))
    return bool(shared / (np.prod(seen[2:] - seen[:2]) + np.prod(box[2:] - box[:2]) - shared) > LEAST_IOU)


def skin_visible(worn: Worn) -> float:
    """Return the share of the true face still seen: skin vertices that the camera saw, and the mask does not hide.

    The face: the true skin from the brows' height up to as far above the eyes as the nose tip is below them, down to
    the chin, within 80 mm of the middle; seen: turned to the camera and not behind another part of the skin.
    """
    vertices, triangles = worn.capture.skin
    skin = Mesh(vertices, triangles)
    corners = skin.vertices[skin.triangles.astype(np.int64)]
    middle = corners.mean(axis=1).astype(np.float64)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).astype(np.float64)
    area = np.linalg.norm(normal, axis=1)
    toward = -np.einsum("ni,ni->n", normal, middle) / np.maximum(area * np.linalg.norm(middle, axis=1), 1e-9)
    at = transform(middle, worn.to_face)
    marks = transform(np.vstack([worn.capture.landmarks, worn.capture.menton]), worn.to_face)
    eyes = marks[:2, 1].mean()
    top = eyes + 1.3 * (eyes - marks[2, 1])
    face = (at[:, 1] < top) & (at[:, 1] > marks[5, 1]) & (np.abs(at[:, 0]) < 80) & (at[:, 2] > -90) & (toward > 0)
    seen = face.copy()
    seen[face] = skin.cast_at(middle[face]) > middle[face, 2] - 1.5
    open_to_view = ~np.isfinite(worn.main.cast_at(middle[seen]))
    weight = (area * toward)[seen]
    return float((weight * open_to_view).sum() / weight.sum())
