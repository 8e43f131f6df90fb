"""Fit of a template to a scan: pose, linear model, what is worn, non-rigid rest, and how well it fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
from scipy import sparse

from face3d_data.geometry.align import transform
from face3d_data.geometry.normals import mesh_normals
from face3d_data.registration.linear_fit import STAGES, LinearFit, data_weights, fit_linear
from face3d_data.registration.nonrigid import bending, fit_nonrigid, neighbour_mean, steady
from face3d_data.registration.scan import NearScan, Scan, match
from face3d_data.registration.template import REGIONS, Template, own_template
from face3d_data.registration.tint import LEAST_VERTICES, off_skin
from face3d_data.registration.verdict import Verdict, relief_correlation

SEEN_WEIGHT = 0.4
SEEN_SCALE_MM = 2.0
LOW_Y_MM, HIGH_Y_MM = 8.0, 16.0
"""Heights over the nose tip: below the first masks cover, above the second they hardly do."""
WORN_MM, WORN_THOUGH_SKIN_MM = (0.25, 1.35), (0.5, 2.0)
"""The scan lies in front of the model at nose and mouth, median, and far from it, rms: something is worn there. The
second, where nose and cheeks have the colour of the skin above them."""
CLOTH = 3.0
"""So far from the skin's colour is cloth, in spreads of the skin: the median of nose and cheeks, and a point."""
BARE_MM, CHEEK_MM = (14.0, 62.0, 60.0), (-26.0, 6.0, 48.0)
"""Heights from and to, and half the width, of skin that masks leave bare, and of nose and cheeks that they cover."""
FAR_MM = 8.0
UPPER_STAGES = ((5.0, 12, 5), (4.0, 20, 5), (2.5, 100, 6))
GROWN_STAGES = ((2.5, 100, 4),)
GROW_MM = 2.0
MASKED_MM = (42.0, 4.0)
"""Where something is worn on nose and mouth, nothing is seen this near to the midline and below this height."""
FRONT = 0.25
FACE_MIDDLE_MM, FACE_RADIUS_MM = np.array([0.0, 10.0, -20.0]), 118.0
SUBSET = 1400
"""About as many vertices are compared with the scan by the linear fit."""
JUDGED_MM = 70.0
"""What is within this of the nose tip is judged."""
MIDDLE_MM, TALL = 34.0, 1.4
"""Half the width of the face's middle, whose relief is compared, and its height over its width."""
NEAR_MM = 8.0
IN_FRONT_MM = 6.0
"""Points so far in front of the skin are of something that hides it: that part is not judged."""
OPENED = 2.0
BAD_RMS_MM = 0.9
"""A face whose fit is worse is tried with the mouth open and shut, too."""
REOPEN_STAGES = ((6.0, 20, 5), (4.0, 100, 6), (2.5, 100, 8))


@dataclass(frozen=True, eq=False)
class Registered:
    """A template fitted to a scan, in the scan's frame, mm.

    Attributes:
        vertices: f8 (V, 3).
        visible: bool (V,), whether the scan shows the skin there.
        residual: f8 (V,), distance to the scan along its normal; of what is not visible: NaN.
        linear: the linear model's fit before.
        worn: whether something covers nose and mouth that is no skin.
        verdict: how face-like the scan is.
    """

    vertices: np.ndarray
    visible: np.ndarray
    residual: np.ndarray
    linear: LinearFit
    worn: bool
    verdict: Verdict


@dataclass(frozen=True, eq=False)
class Fitter:
    """A template with what fitting it to any scan needs.

    Attributes:
        template: what is fitted.
        nonrigid: moves the linear fit's vertices (V, 3) onto a scan where (V,) they may; None: `fit_nonrigid`.
    """

    template: Template
    nonrigid: Callable[[Template, Scan, np.ndarray, np.ndarray], np.ndarray] | None = None

    @cached_property
    def plate(self) -> tuple[sparse.csc_matrix, np.ndarray]:
        """The thin-plate energy and the vertices' areas."""
        return bending(self.template.vertices, self.template.triangles)

    @cached_property
    def subset(self) -> np.ndarray:
        """The vertices that the linear model is compared with the scan at: some thirteen hundred that look forward."""
        front = np.flatnonzero(self._front)
        return front[:: max(1, round(len(front) / SUBSET))]

    @cached_property
    def _front(self) -> np.ndarray:
        """What looks forward and is near the face: bool (V,)."""
        near = np.linalg.norm(self.template.vertices - FACE_MIDDLE_MM, axis=1) < FACE_RADIUS_MM
        return near & (self.template.normals[:, 2] > FRONT)

    @cached_property
    def low(self) -> np.ndarray:
        """Nose and mouth: bool (V,)."""
        v = self.template.vertices
        return (v[:, 1] < LOW_Y_MM) & (np.hypot(v[:, 0], v[:, 1] + 18.0) < 38.0) & (self.template.normals[:, 2] > FRONT)

    @cached_property
    def under_masks(self) -> np.ndarray:
        """What every mask covers, however close it lies on the skin: nose, mouth and chin, bool (V,)."""
        v = self.template.vertices
        return (v[:, 1] < MASKED_MM[1]) & (np.abs(v[:, 0]) < MASKED_MM[0])

    @cached_property
    def bare(self) -> np.ndarray:
        """Skin that masks leave bare, without eyes and brows: bool (V,)."""
        return self._front & self._between(BARE_MM) & ~self._in("brows", "eyes")

    @cached_property
    def cheeks(self) -> np.ndarray:
        """Nose and cheeks, where masks cover them and neither beard nor lips are: bool (V,)."""
        return self._front & self._between(CHEEK_MM) & ~self._in("mouth")

    def _between(self, box: tuple[float, float, float]) -> np.ndarray:
        v = self.template.vertices
        return (v[:, 1] > box[0]) & (v[:, 1] < box[1]) & (np.abs(v[:, 0]) < box[2])

    def _in(self, *names: str) -> np.ndarray:
        if self.template.regions is None:
            return np.zeros(len(self.template.vertices), bool)
        return np.isin(self.template.regions, [REGIONS.index(name) for name in names])

    def fit(self, scan: Scan, landmarks: np.ndarray) -> Registered:
        """Fit the template.

        Args:
            scan: in the face frame.
            landmarks: (68, 3), weak priors, NaN where there are none.
        """
        template = self.template
        linear = fit_linear(template, scan, landmarks, self.subset, np.eye(4), STAGES)
        cloth = self._cloth(scan, linear.vertices)
        if cloth is not None and cloth.any():
            worn, scan = True, replace(scan, skin=scan.skin & ~cloth)
        else:
            linear = self._reopened(scan, landmarks, linear)
            worn = self._worn(scan, linear.vertices, WORN_MM if cloth is None else WORN_THOUGH_SKIN_MM)
        allowed = np.ones(len(template.vertices), bool)
        if worn:
            linear, allowed = self._beside_what_is_worn(scan, linear)
        if self.nonrigid is None:
            vertices = fit_nonrigid(template, scan, linear.vertices, self.plate, allowed)
        else:
            vertices = self.nonrigid(template, scan, linear.vertices, allowed)
        found = match(scan, vertices, mesh_normals(vertices, template.triangles))
        weight = steady(template, data_weights(found, SEEN_SCALE_MM, scan.spacing_mm) * allowed)
        visible = weight > SEEN_WEIGHT
        residual = np.where(visible, np.abs(found.offset), np.nan)
        return Registered(vertices, visible, residual, linear, worn, self._judge(scan, linear, worn, visible))

    def _match(self, scan: Scan, vertices: np.ndarray) -> NearScan:
        return match(scan, vertices, mesh_normals(vertices, self.template.triangles))

    def _judge(self, scan: Scan, linear: LinearFit, worn: bool, visible: np.ndarray) -> Verdict:
        v = self.template.vertices
        judged = (self.template.normals[:, 2] > FRONT) & (np.hypot(v[:, 0], v[:, 1]) < JUDGED_MM)
        if worn:
            judged &= v[:, 1] > HIGH_Y_MM
        hidden = self._hidden(scan, linear.vertices) & ~visible
        free = judged & ~hidden
        if not free.any():
            return Verdict(FAR_MM, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        rms, covered = self._misses(scan, linear.vertices, free)
        found = self._match(scan, linear.vertices)
        near = free & (found.slide_mm < max(NEAR_MM, 2 * scan.spacing_mm))
        near &= np.hypot(v[:, 0], v[:, 1] / TALL) < MIDDLE_MM
        there = linear.vertices + np.clip(found.offset, -FAR_MM, FAR_MM)[:, None] * found.normals
        relief = relief_correlation(linear.vertices[near], there[near])
        deviations = float(np.sqrt(np.mean(linear.weights**2))) if len(linear.weights) else 0.0
        shown = float(visible[free].mean()), float(free.sum() / judged.sum())
        moved = float(np.sqrt(np.sum((transform(v[judged], linear.pose) - v[judged]) ** 2, axis=1).mean()))
        return Verdict(rms, deviations, relief, moved, covered, *shown, upper=worn)

    def _hidden(self, scan: Scan, vertices: np.ndarray) -> np.ndarray:
        """Return what lies behind something, bool (V,): the points are labelled so, or far in front of the skin."""
        found = self._match(scan, vertices)
        near = found.slide_mm < max(NEAR_MM, 2 * scan.spacing_mm)
        return near & (~found.skin | (found.offset > IN_FRONT_MM))

    def _misses(self, scan: Scan, vertices: np.ndarray, judged: np.ndarray) -> tuple[float, float]:
        """Return the rms of the distances, each cut, where the scan has points, and the share where it has."""
        found = self._match(scan, vertices)
        near = judged & (found.slide_mm < max(NEAR_MM, 2 * scan.spacing_mm))
        cut = np.minimum(np.abs(found.offset[near]), FAR_MM)
        return float(np.sqrt(np.mean(cut**2))) if near.any() else FAR_MM, float(near.sum() / max(judged.sum(), 1))

    def _reopened(self, scan: Scan, landmarks: np.ndarray, linear: LinearFit) -> LinearFit:
        """Return the best of the fit and of fits that begin with another expression, where it is not good."""
        front = self._front
        best, least = linear, self._misses(scan, linear.vertices, front)[0]
        if least < BAD_RMS_MM or not len(self.template.expression):
            return linear
        first = len(self.template.identity)
        for opened in (-OPENED, OPENED):
            weights = linear.weights * (np.arange(len(linear.weights)) < first)
            weights[first] = opened
            tried = fit_linear(self.template, scan, landmarks, self.subset, linear.pose, REOPEN_STAGES, weights)
            miss = self._misses(scan, tried.vertices, front)[0]
            if miss < least:
                best, least = tried, miss
        return best

    def _cloth(self, scan: Scan, vertices: np.ndarray) -> np.ndarray | None:
        """Return which points have another colour than the skin, bool (N,), none unless nose and cheeks have.

        None where there is no colour, or too little to see.
        """
        if scan.tint is None:
            return None
        found = self._match(scan, vertices)
        good = (found.slide_mm < max(NEAR_MM, 2 * scan.spacing_mm)) & found.skin
        bare, cheeks = (found.index[good & part] for part in (self.bare, self.cheeks))
        apart = off_skin(scan.tint, scan.tint[bare])
        if apart is None or len(cheeks) < LEAST_VERTICES:
            return None
        return (apart > CLOTH) & (scan.points[:, 1] < HIGH_Y_MM + NEAR_MM) & (np.median(apart[cheeks]) > CLOTH)

    def _worn(self, scan: Scan, vertices: np.ndarray, least_mm: tuple[float, float]) -> bool:
        """Return whether the scan at nose and mouth is in front of the best face, and not shaped like it."""
        offset = self._match(scan, vertices).offset[self.low]
        rms = np.sqrt(np.mean(np.minimum(np.abs(offset), FAR_MM) ** 2))
        return bool(np.median(offset) > least_mm[0] and rms > least_mm[1])

    def _beside_what_is_worn(self, scan: Scan, linear: LinearFit) -> tuple[LinearFit, np.ndarray]:
        """Fit to the upper face alone, then to what joins it without a step; also return what that is."""
        template = self.template
        none = np.full((68, 3), np.nan)
        upper = template.vertices[:, 1] > HIGH_Y_MM
        front = np.flatnonzero(self._front)
        dense = front[:: max(1, round(len(front) / (1.5 * SUBSET)))]
        linear = fit_linear(template, scan, none, dense[upper[dense]], linear.pose, UPPER_STAGES)
        allowed = upper
        for _ in range(2):
            allowed = self._grown(upper, self._match(scan, linear.vertices), scan.spacing_mm)
            linear = fit_linear(template, scan, none, dense[allowed[dense]], linear.pose, GROWN_STAGES, linear.weights)
        return linear, allowed

    def _grown(self, seed: np.ndarray, found: NearScan, spacing_mm: float) -> np.ndarray:
        """Return what is joined to the seed by vertices near the scan."""
        near = data_weights(found, 6 * GROW_MM, spacing_mm) > 0
        near &= np.abs(found.offset) < GROW_MM
        near &= ~self.under_masks
        near = neighbour_mean(self.template.triangles, near.astype(float), len(near), 2) > 0.75
        grown, n = seed & near, 0
        while n != grown.sum():
            n = int(grown.sum())
            touched = grown[self.template.triangles].any(axis=1)
            reached = np.zeros(len(grown), bool)
            reached[self.template.triangles[touched]] = True
            grown = grown | (reached & near)
        return grown | seed


@cache
def own_fitter() -> Fitter:
    """Return what fits the package's own template, made once per process."""
    return Fitter(own_template())
