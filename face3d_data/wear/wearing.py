"""Wearing: the face in a sample's arrays, and the arrays after something was put on it.

Plain arrays in and out, by the names of `sample.ARRAYS`, so that stages and a training loader use the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from face3d_data.errors import Reject
from face3d_data.geometry.align import every_nth, spread, transform
from face3d_data.geometry.camera import depth_to_points, project, sphere_region
from face3d_data.geometry.landmarks import NOSE, lift_landmarks
from face3d_data.geometry.mean_face import mean_face
from face3d_data.sample import ArrayMap
from face3d_data.wear.cover import View, cover
from face3d_data.wear.cover_spacing import finite
from face3d_data.wear.face_pose import guess_intrinsics, head_motion, landmarks_at_pixels, motion_from_pixels, turn_deg
from face3d_data.wear.head_map import map_mesh
from face3d_data.wear.occluder import Occluder
from face3d_data.wear.skin import Skin, face_oval, fit_skin, mean_skin
from face3d_data.wear.visibility import hidden_by_points, visible_ratio

REASONS = {
    "no_landmarks": "fewer than three landmarks are known, or one is outside the image or has no depth",
    "profile": "the face is rotated too far for its landmarks to be reliable",
    "too_few_points": "there are fewer points, or depth readings around the nose, than min_points",
    "bad_camera": "intrinsics or pose are invalid: not finite, a focal length that is not positive, or a pose "
    "without inverse",
    "out_of_frame": "less than 60 % of what is worn would be inside the image",
    "not_face_sized": "the landmarks are too far apart or too close for a face: a wrong unit, or wrong intrinsics",
    "color_not_aligned": "colour and depth differ in size: align colour to depth when recording",
}
"""Why a face cannot wear anything."""
COVERED = ("color", "depth", "points", "normals", "point_colors", "occlusion")
"""Arrays that change."""
REACH_MM = 130.0
"""Readings within this distance of the nose tip define the skin."""
SKIN_POINTS = 40_000
FACE_SIZES = (0.6, 1.6)
"""Accepted range of the landmarks' rms distance, relative to the mean face."""
BEFORE_SCAN_MM, BEFORE_FACE_MM = 5000.0, 600.0
"""Viewpoint of a scan without a camera of its own: far along z, or in front of the face."""
MIN_POSE_DET = 1e-9
SKIN_MESH_EVERY, CLOUD_SKIN_MESH_EVERY = 2, 4
"""The skin is seen in images; in clouds it but hides, within some mm, what goes around the head."""
CHIN_MARGIN_MM = 5.0
"""Five pixels do not tell where the chin is: what ends on the throat looks worn, what bares the chin does not."""
LEAST_IN_FRAME = 0.6


@dataclass(frozen=True, eq=False)
class Face:
    """A sample's face, ready to wear something.

    Attributes:
        view: its arrays, and the rigid transform from the camera to the face frame.
        skin: the person's skin.
        landmarks: f4 (5, 3), face frame, mm; the mean face's if unknown.
    """

    view: View
    skin: Skin
    landmarks: np.ndarray

    @cached_property
    def oval(self) -> tuple[np.ndarray, np.ndarray]:
        """Points f4 (M, 3) spread over the face, face frame, and their unit normals."""
        return face_oval(self.skin)


def wear(
    face: Face, occluder: Occluder, rng: np.random.Generator, softening_px: float = 1.5
) -> tuple[dict[str, np.ndarray], float]:
    """Put an occluder on a face.

    Args:
        face: whose.
        occluder: what; face frame.
        rng: draws the readings' noise.
        softening_px: width of the colour blend outside the outline, px.

    Returns:
        The changed arrays, of `COVERED`, and the share of the face that is still visible.

    Raises:
        Reject: too little of the face is inside the image.
    """
    share = _share_in_frame(face.view, occluder)
    if share < LEAST_IN_FRAME:
        raise Reject("out_of_frame", f"{share:.0%} of what is worn is inside the image")
    covered = cover(face.view, occluder, rng, softening_px=softening_px)
    made = {name: getattr(covered, name) for name in COVERED}
    arrays = {name: array for name, array in made.items() if array is not None}
    return arrays, visible_share(face, occluder)


def visible_share(face: Face, occluder: Occluder) -> float:
    """Return the share of a face that an occluder, and what its points are labelled to wear before, leave visible."""
    points, normals = face.oval
    view, before = face.view, None
    if view.points is not None and view.occlusion is not None:
        cloud = transform(view.camera_points, view.to_face)
        before = hidden_by_points(cloud, view.occlusion > 0, points, view.to_face)
    return visible_ratio(occluder, points, normals, view.to_face, before)


def find_face(arrays: ArrayMap, max_yaw_deg: float = 55.0, min_points: int = 200) -> Face:
    """Find the face in a sample's arrays: where it is, and its skin.

    Args:
        arrays: `points` and `landmarks_3d`, or `depth`, `intrinsics` and `landmarks`, or `color` and `landmarks`; what
            else is there (`pose`, `intrinsics`, per-point arrays) is used.
        max_yaw_deg: faces turned farther are refused.
        min_points: faces of fewer points are refused.

    Raises:
        Reject: it cannot wear anything, for one of `REASONS`.
    """
    _check_camera(arrays)
    has_depth = "depth" in arrays and "intrinsics" in arrays
    if has_depth and "color" in arrays and arrays["color"].shape[:2] != arrays["depth"].shape:
        raise Reject("color_not_aligned", f"{arrays['color'].shape[:2]} and {arrays['depth'].shape}")
    if "points" in arrays and "landmarks_3d" in arrays:
        landmarks, pose, seen = _of_points(arrays, min_points)
        middle = np.nanmedian(landmarks, axis=0)
        scan = _readings(arrays, middle) if has_depth else _within_reach(seen, middle)
    elif has_depth:
        landmarks, pose = _of_depth(arrays), np.eye(4)
        scan = _readings(arrays, landmarks[NOSE])
    else:
        return _of_color(arrays, max_yaw_deg)
    if len(scan) < min_points:
        raise Reject("too_few_points", f"{len(scan)} < {min_points}")
    to_face = head_motion(landmarks, scan)
    _check_turn(to_face, max_yaw_deg)
    in_face = transform(landmarks.astype(np.float32), to_face)
    in_face = np.where(np.isfinite(in_face).all(axis=1)[:, None], in_face, mean_face().landmarks)
    skin = fit_skin(transform(every_nth(scan, SKIN_POINTS), to_face), in_face)
    return Face(_view(arrays, to_face, pose, skin), skin, in_face)


def _of_points(arrays: ArrayMap, min_points: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return landmarks, pose and points of a cloud, in the frame of the camera that looks at it."""
    points, landmarks = arrays["points"], arrays["landmarks_3d"]
    points = points[finite(points)]
    if len(points) < min_points:
        raise Reject("too_few_points", f"{len(points)} < {min_points}")
    _check_landmarks(landmarks)
    pose = np.asarray(arrays["pose"]) if "pose" in arrays else _camera_before(points, landmarks)
    seen = transform(points, np.linalg.inv(pose))
    if "intrinsics" not in arrays and seen[:, 2].min() <= max(np.ptp(column) for column in seen.T) / 2:
        away = np.eye(4)
        away[2, 3] = -BEFORE_SCAN_MM
        pose = pose @ away
        seen = transform(points, np.linalg.inv(pose))
    return transform(landmarks, np.linalg.inv(pose)), pose, seen


def _camera_before(points: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Return the pose of points that bring none: a camera's frame where the face looks along -z, else before it."""
    motion = head_motion(landmarks, points)
    if motion[2, 2] < -0.3:
        return np.eye(4)
    before = np.diag([1.0, -1.0, -1.0, 1.0])
    before[2, 3] = BEFORE_FACE_MM
    return np.linalg.inv(motion) @ before


def _of_depth(arrays: ArrayMap) -> np.ndarray:
    depth = arrays["depth"]
    pixels = _landmark_pixels(arrays, depth.shape)
    landmarks = lift_landmarks(depth, arrays["intrinsics"], pixels)
    if landmarks is None:
        raise Reject("no_landmarks", "no reading of the face's depth within reach of a landmark")
    _check_landmarks(landmarks)
    return landmarks


def _of_color(arrays: ArrayMap, max_yaw_deg: float) -> Face:
    """Return the mean face as the five pixels show it."""
    shape = arrays["color"].shape[:2]
    pixels = _landmark_pixels(arrays, shape)
    known = "intrinsics" in arrays
    intrinsics = arrays["intrinsics"] if known else guess_intrinsics(pixels, shape)
    to_face = motion_from_pixels(pixels, intrinsics)
    _check_turn(to_face, max_yaw_deg)
    landmarks = landmarks_at_pixels(pixels, intrinsics, to_face)
    skin = mean_skin(landmarks).with_lower_chin(CHIN_MARGIN_MM)
    view = View(
        to_face, color=arrays["color"], intrinsics=intrinsics, skin=map_mesh(skin.radius, every=SKIN_MESH_EVERY)
    )
    return Face(view, skin, landmarks)


def _view(arrays: ArrayMap, to_face: np.ndarray, pose: np.ndarray, skin: Skin) -> View:
    seen = ("depth", "color", "intrinsics") if "intrinsics" in arrays else ()
    names = (*seen, "points", "normals", "point_colors", "occlusion")
    found = {name: arrays[name] for name in names if name in arrays}
    every = SKIN_MESH_EVERY if "color" in found else CLOUD_SKIN_MESH_EVERY
    return View(to_face, pose=pose, skin=None if "depth" in found else map_mesh(skin.radius, every=every), **found)


def _readings(arrays: ArrayMap, middle: np.ndarray) -> np.ndarray:
    """Return the points of the depth within reach of the face, camera frame."""
    depth, intrinsics = arrays["depth"], arrays["intrinsics"]
    points, _ = depth_to_points(depth, intrinsics, sphere_region(middle, REACH_MM, intrinsics, depth.shape))
    return _within_reach(points, middle)


def _within_reach(points: np.ndarray, middle: np.ndarray) -> np.ndarray:
    offset = points - middle.astype(np.float32)
    return points[np.einsum("ij,ij->i", offset, offset) <= REACH_MM**2]


def _landmark_pixels(arrays: ArrayMap, shape: tuple[int, int]) -> np.ndarray:
    pixels = arrays["landmarks"]
    limit = np.array([shape[1], shape[0]]) - 0.5
    inside = np.isfinite(pixels).all(axis=1) & (pixels >= -0.5).all(axis=1) & (pixels <= limit).all(axis=1)
    if not inside.all():
        raise Reject("no_landmarks", f"{int((~inside).sum())} of 5 are outside the image or unknown")
    if np.ptp(pixels, axis=0).max() < 4:
        raise Reject("no_landmarks", "the five are within 4 px of each other")
    return pixels


def _check_camera(arrays: ArrayMap) -> None:
    intrinsics, pose = arrays.get("intrinsics"), arrays.get("pose")
    if intrinsics is not None and not (np.isfinite(intrinsics).all() and (intrinsics[:2] > 0).all()):
        raise Reject("bad_camera", f"intrinsics {intrinsics.tolist()}")
    if pose is not None and not (np.isfinite(pose).all() and np.linalg.det(pose[:3, :3]) > MIN_POSE_DET):
        raise Reject("bad_camera", "the pose has no inverse, or mirrors")


def _check_landmarks(landmarks: np.ndarray) -> None:
    known = np.isfinite(landmarks).all(axis=1)
    if known.sum() < 3:
        raise Reject("no_landmarks", f"{int(known.sum())} of 5 are known")
    size = spread(landmarks[known]) / spread(mean_face().landmarks[known])
    if not FACE_SIZES[0] <= size <= FACE_SIZES[1]:
        raise Reject("not_face_sized", f"{size:.2g} times the mean face: check units and intrinsics")


def _check_turn(to_face: np.ndarray, max_yaw_deg: float) -> None:
    yaw, pitch = turn_deg(to_face)
    if abs(yaw) > max_yaw_deg or abs(pitch) > 80:
        raise Reject("profile", f"yaw {yaw:.0f}, pitch {pitch:.0f} degrees; at most {max_yaw_deg:g} and 80")


def _share_in_frame(view: View, occluder: Occluder) -> float:
    """Return the share of the main part's vertices that are in the image; 1 where there is none."""
    image = view.depth if view.depth is not None else view.color
    if image is None or view.intrinsics is None:
        return 1.0
    main = np.zeros(len(occluder.vertices), bool)
    main[occluder.triangles[occluder.part == 0]] = True
    seen = transform(occluder.vertices[main], np.linalg.inv(view.to_face))
    pixels = project(seen[seen[:, 2] > 1], view.intrinsics)
    inside = (pixels >= -0.5).all(axis=1) & (pixels <= [image.shape[1] - 0.5, image.shape[0] - 0.5]).all(axis=1)
    return float(inside.sum() / len(seen))
