"""Writer of the layout of the IIIT-D Kinect RGB-D database: JPEG pictures that several folds repeat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scans import face_scan

from face3d_data.testing.write import write_image

NEAR_MM, FAR_MM = 400.0, 1200.0


def write_iiitd_kinect(root: Path, people: int = 2, captures: int = 3, folds: int = 2, rows: int = 48) -> Path:
    """Write every picture into every fold; picture `n` (from 1) is in training where n + fold is even.

    Depth becomes 8 bits: 1 to 255 from `NEAR_MM` to `FAR_MM`, 0 = nothing.

    Returns:
        The root.
    """
    for person in range(people):
        for capture in range(captures):
            scan = face_scan(person, capture, rows)
            grey = np.rint((scan.depth - NEAR_MM) / (FAR_MM - NEAR_MM) * 255).clip(1, 255)
            grey[scan.depth <= 0] = 0
            for fold in range(1, folds + 1):
                part = "training" if (capture + 1 + fold) % 2 == 0 else "testing"
                home = root / f"fold{fold}" / part / str(person + 1)
                for kind, pixels in (("RGB", scan.color), ("Depth", grey.astype(np.uint8))):
                    (home / kind).mkdir(parents=True, exist_ok=True)
                    write_image(home / kind / f"{capture + 1}.jpg", pixels)
    return root
