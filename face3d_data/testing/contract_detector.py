"""Contract check of detectors: faces of declared forms, best first, the same when run twice."""

from __future__ import annotations

import numpy as np

from face3d_data.detectors.protocol import DetectedFaces, Detector
from face3d_data.testing.contract_base import check_texts, need, pickled, same_bytes

HOSTILE = {
    "a black image": np.zeros((48, 64, 3), np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8),
    "an image of 1 px": np.zeros((1, 1, 3), np.uint8),
    "a narrow image": np.zeros((200, 5, 3), np.uint8),
}


def check_detector(detector: Detector, color: np.ndarray) -> DetectedFaces:
    """Check a detector on an image in which it finds a face, and return what it finds.

    Checked are its texts, that every option has a default, forms and order of what it finds, the same bytes twice and
    after pickling, that it writes into no image, that bounds on the size only leave faces out, and that images without
    a face, of 1 px and very narrow ones give faces that hold, or none.

    Args:
        detector: it.
        color: u1 (H, W, 3), RGB.

    Raises:
        ContractError: naming the detector and what it breaks.
    """
    check_texts(detector)
    for name, info in type(detector).model_fields.items():
        need(not info.is_required(), detector, f"option {name!r} has no default")
    image = np.array(color)
    image.flags.writeable = False
    try:
        found = detector.detect(image)
    except ValueError as error:
        need("read-only" not in str(error), detector, "it writes into the image: copy it first")
        raise
    need(isinstance(found, DetectedFaces) and len(found) > 0, detector, "it finds no face in an image that shows one")
    _check_faces(detector, found)
    for what, again in (("a second look", detector.detect(image)), ("a pickled copy", pickled(detector).detect(image))):
        need(_equal(found, again), detector, f"{what} finds other faces")
    side = float(max(found.boxes[0][2] - found.boxes[0][0], found.boxes[0][3] - found.boxes[0][1]))
    none = detector.detect(image, possible_px=(side * 8, side * 9))
    _check_faces(detector, none)
    bounded = detector.detect(image, possible_px=(side / 2, side * 2))
    nearest = np.abs(bounded.boxes - found.boxes[0]).max(axis=1).min() if len(bounded) else np.inf
    need(nearest <= side / 10, detector, "possible_px leaves out a face of a possible size")
    _check_hostile(detector)
    return found


def _check_hostile(detector: Detector) -> None:
    for what, hostile in HOSTILE.items():
        try:
            _check_faces(detector, detector.detect(hostile))
        except Exception as error:
            need(False, detector, f"{what}: {type(error).__name__}: {error}")
            raise


def _check_faces(detector: Detector, found: DetectedFaces) -> None:
    n = len(found)
    for name, shape in (("boxes", (n, 4)), ("scores", (n,)), ("landmarks", (n, 5, 2))):
        array = getattr(found, name)
        need(array.shape == shape, detector, f"{name} have the shape {array.shape}, not {shape}")
        need(array.dtype == np.float32, detector, f"{name} are {array.dtype}, not float32")
        need(bool(np.isfinite(array).all()), detector, f"{name} are not finite")
    for name, size in (("landmarks_68", 68), ("landmarks_dense", 478)):
        many = getattr(found, name)
        fits = many is None or (many.shape == (n, size, 2) and many.dtype == np.float32)
        need(fits, detector, f"{name} are not float32 (n, {size}, 2)")
    need(bool(((found.scores >= 0) & (found.scores <= 1)).all()), detector, "scores are not within 0 and 1")
    need(bool((np.diff(found.scores) <= 0).all()), detector, "faces are not ordered best first")
    need(bool((found.boxes[:, 2:] > found.boxes[:, :2]).all()), detector, "boxes are not x1, y1, x2, y2")


def _equal(one: DetectedFaces, two: DetectedFaces) -> bool:
    named = [(getattr(one, name), getattr(two, name)) for name in ("boxes", "scores", "landmarks")]
    more = [(getattr(one, name), getattr(two, name)) for name in ("landmarks_68", "landmarks_dense")]
    if any((a is None) != (b is None) for a, b in more):
        return False
    return all(same_bytes(a, b) for a, b in named + [pair for pair in more if pair[0] is not None])
