"""How far a scan is from any face that the linear model knows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RMS_MM, DEVIATIONS, UNLIKE, MOVED_MM = 4.0, 2.5, 0.3, 40.0
"""What of each figure a face may have at most, if it has nothing of the others."""
UPPER = 1.5
"""The misfit of an upper half is multiplied by this: it shows less of a face."""
HALF_WIDTH_MM = 35.0
LEAST_VERTICES = 20


@dataclass(frozen=True)
class Verdict:
    """How far a scan is from any face the linear model knows, judged at what looks forward near the nose.

    Attributes:
        rms_mm: of the scan's distances to the linear fit, each cut at 8 mm.
        deviations: root mean square of the model's weights: 1 is usual, a face bent to fit another thing needs more.
        relief: correlation of scan and fit in what rises over a bent plane: nose, eyes, lips, chin. Things without
            them can be near a face, and not like it.
        moved_mm: of the face, from where the scan was aligned to: root mean square.
        covered: share of what is judged that has a point of the scan nearby.
        visible: share of what is judged that the scan shows as skin.
        free: share of the face's front that is judged: not labelled as worn, and not behind something else.
        upper: whether it is judged at the upper half of the face alone, which less is like than the whole.
    """

    rms_mm: float
    deviations: float
    relief: float
    moved_mm: float
    covered: float
    visible: float
    free: float
    upper: bool = False

    @property
    def misfit(self) -> float:
        """The first four figures as one: 1 is the most that a face may have."""
        parts = (
            self.rms_mm / RMS_MM,
            self.deviations / DEVIATIONS,
            (1.0 - self.relief) / UNLIKE,
            self.moved_mm / MOVED_MM,
        )
        return float(np.sqrt(np.sum(np.square(parts)))) * (UPPER if self.upper else 1.0)


def relief_correlation(fit: np.ndarray, scan: np.ndarray) -> float:
    """Return the correlation of two surfaces' heights over their bent planes; 0 where it is unknown.

    Args:
        fit: (N, 3), places of one surface, z towards the viewer.
        scan: (N, 3), the other's places there.
    """
    if len(fit) < LEAST_VERTICES:
        return 0.0
    x, y = (fit[:, :2] / HALF_WIDTH_MM).T
    plane = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    heights = np.stack([fit[:, 2], scan[:, 2]], axis=1)
    heights -= plane @ np.linalg.lstsq(plane, heights, rcond=None)[0]
    size = np.linalg.norm(heights, axis=0)
    return float(heights[:, 0] @ heights[:, 1] / max(size[0] * size[1], 1e-9))
