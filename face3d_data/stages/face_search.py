"""Search of a face by one detector after another, and at last in the depth alone: the chain of `detector: auto`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from face3d_data.detectors.given import box_around
from face3d_data.detectors.protocol import DetectedFaces
from face3d_data.errors import Reject
from face3d_data.geometry.camera import depth_to_points, project
from face3d_data.geometry.locate import locate_face
from face3d_data.geometry.relief import relief_mm
from face3d_data.sample import ArrayMap

CHAIN = ("facemesh", "mtcnn")
"""Detectors in colour, in their order."""
BY_DEPTH = "depth"
"""What found a face that no detector saw: the mean face, fitted to the depth."""
LEAST_FIT = 0.5
"""Least score of the fit: smooth backs of heads, which nobody says are faces here, reach 0.46; faces 0.44 to 0.8."""
LEAST_POINTS = 300
LEAST_RELIEF_MM = 8.0
"""A face whose depth is flatter is a picture of one: rendered faces have 20 mm and more, with or without masks."""


class FoundBy(NamedTuple):
    """Faces, and what found them."""

    faces: DetectedFaces
    by: str


def search(arrays: ArrayMap, detectors: Mapping[str, Callable[[], DetectedFaces]], min_confidence: float) -> FoundBy:
    """Return the faces of the first detector that finds any, or the one face that the mean face fits in the depth.

    Args:
        arrays: `color`, or `depth` with `intrinsics`, or all.
        detectors: name to a function that looks at the colour image.
        min_confidence: least probability of a face.

    Raises:
        Reject: `no_face`, or `flat` where all that was found is flat in the depth; the detail says what each tried.
    """
    tried, flat = [], False
    depth = _depth_of(arrays)
    for name, detect in detectors.items() if "color" in arrays else ():
        found = detect()
        faces = found.keep(found.scores >= min_confidence)
        live = [i for i in range(len(faces)) if depth is None or not _is_flat(depth, faces.landmarks[i])]
        if live:
            return FoundBy(faces.keep(np.array(live)), name)
        flat |= len(faces) > 0
        tried.append(f"{name}: {_said(found, faces)}")
    fitted, said = _fit(arrays, depth)
    if fitted is not None:
        return FoundBy(fitted, BY_DEPTH)
    tried.append(f"{BY_DEPTH}: {said}")
    raise Reject("flat" if flat else "no_face", "; ".join(tried))


def _said(found: DetectedFaces, faces: DetectedFaces) -> str:
    if len(faces):
        return f"flat, a relief below {LEAST_RELIEF_MM:g} mm"
    return f"best probability {found.scores.max():.3f}" if len(found) else "nothing like a face"


def _depth_of(arrays: ArrayMap) -> np.ndarray | None:
    """Return the depth where it shows what the colour shows."""
    if "depth" not in arrays or ("color" in arrays and arrays["depth"].shape != arrays["color"].shape[:2]):
        return None
    return arrays["depth"]


def _is_flat(depth: np.ndarray, landmarks: np.ndarray) -> bool:
    relief = relief_mm(depth, landmarks)
    return relief is not None and relief < LEAST_RELIEF_MM


def _fit(arrays: ArrayMap, depth: np.ndarray | None) -> tuple[DetectedFaces | None, str]:
    """Return the face that the mean face fits in the depth, or why there is none."""
    if depth is None or "intrinsics" not in arrays:
        return None, "there is none of the colour's size, with intrinsics"
    intrinsics, lens = arrays["intrinsics"], arrays.get("distortion")
    points, _ = depth_to_points(depth, intrinsics, distortion=lens)
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) < LEAST_POINTS:
        return None, f"{len(points)} readings"
    found = locate_face(points)
    if found is None:
        return None, "nothing protrudes like a nose"
    if found.score < LEAST_FIT:
        return None, f"the best fit scores {found.score:.2f} < {LEAST_FIT:g}"
    pixels = project(found.landmarks.astype(np.float64), intrinsics, lens).astype(np.float32)
    try:
        box = box_around(pixels)
    except ValueError as error:
        return None, str(error)
    return DetectedFaces(box[None], np.array([found.score], np.float32), pixels[None]), ""


def names(detector: str) -> Sequence[str]:
    """Return the detectors in colour that a value of `detector` stands for."""
    return CHAIN if detector == "auto" else (detector,)
