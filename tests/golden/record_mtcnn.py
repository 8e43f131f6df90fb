"""Record what the `mtcnn` package, run with TensorFlow, finds in a few images: writes `mtcnn.json` beside this file.

TensorFlow is no dependency of this project, so this runs in an environment of its own:

    python -m venv tf && tf/bin/pip install tensorflow-cpu mtcnn==1.0.0 lz4 joblib scikit-image opencv-python-headless
    FACE3D_SHARED=... tf/bin/python tests/golden/record_mtcnn.py

The photograph is scikit-image's `astronaut` (NASA, public domain), shrunk and enlarged by whole factors so that its
pixels are the same everywhere. Of rendered captures only a hash and the numbers found are kept.
"""

from __future__ import annotations

import hashlib
import json
import os
from importlib.metadata import version
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
GOLDEN = HERE / "mtcnn.json"
CAPTURES = ("subject_000/capture_00", "subject_005/capture_05")


def photographs() -> dict[str, np.ndarray]:
    """Return name to uint8 (H, W, 3): the photograph at several sizes, and four times in one image."""
    from skimage.data import astronaut

    photo = astronaut()
    half = photo[::2, ::2]
    return {
        "astronaut": photo,
        "astronaut_half": np.ascontiguousarray(half),
        "astronaut_odd": np.ascontiguousarray(half[3:, :237]),
        "astronaut_double": photo[:240, 100:420].repeat(2, 0).repeat(2, 1),
        "astronaut_four": np.tile(half, (2, 2, 1)),
    }


def shared_root() -> Path:
    """Return the folder of shared test material, which may be absent."""
    return Path(os.environ.get("FACE3D_SHARED", HERE.parents[1].parent / "shared"))


def capture(name: str) -> np.ndarray | None:
    """Return the colour image of a rendered capture, uint8 (H, W, 3), or None where it is absent."""
    import cv2

    path = shared_root() / "data" / "rgbd" / f"{name}_color.png"
    return np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1]) if path.is_file() else None


def pixel_hash(image: np.ndarray) -> str:
    """Return the SHA-256 of an image's shape and pixels."""
    return hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()


def record() -> dict:
    """Run the package on every image and return what it found, boxes as x1, y1, x2, y2."""
    from mtcnn import MTCNN

    detector = MTCNN()
    images = photographs() | {name: capture(name) for name in CAPTURES}
    found = {}
    for name, image in images.items():
        if image is None:
            raise SystemExit(f"{name}: not found; set FACE3D_SHARED")
        rows = np.asarray(detector.detect_faces(image, output_type="numpy", box_format="xyxy"), float)
        faces = [
            {
                "box": row[1:5].round(5).tolist(),
                "score": round(row[5], 7),
                "landmarks": row[6:].reshape(2, 5).T.round(5).tolist(),
            }
            for row in rows
        ]
        found[name] = {"sha256": pixel_hash(image), "faces": faces}
    return {"mtcnn": version("mtcnn"), "tensorflow": version("tensorflow-cpu"), "images": found}


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(record(), indent=1) + "\n")
