"""Fit of a template to a scan: pose, linear model, what is worn, non-rigid rest, and how well it fits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from face3d_data.geometry.normals import mesh_normals
from face3d_data.registration.linear_fit import STAGES, LinearFit, data_weights, fit_linear
from face3d_data.registration.nonrigid import bending, fit_nonrigid, neighbour_mean, steady
from face3d_data.registration.scan import Match, Scan, match
from face3d_data.registration.template import Template

SEEN_WEIGHT = 0.4
SEEN_SCALE_MM = 2.0
LOW_Y_MM, HIGH_Y_MM = 8.0, 16.0
"""Heights over the nose tip: below the first masks cover, above the second they hardly do."""
WORN_OFFSET_MM, WORN_RMS_MM = 0.4, 1.5
"""The scan lies before the model at nose and mouth, median, and far from it, rms: something is worn there."""
FAR_MM = 8.0
UPPER_STAGES = ((5.0, 12, 5), (4.0, 20, 5), (2.5, 100, 6))
GROWN_STAGES = ((2.5, 100, 4),)
GROW_MM = 2.0
FRONT = 0.25


@dataclass(frozen=True, eq=False)
class Registered:
    """A template fitted to a scan, in the scan's frame, mm.

    Attributes:
        vertices: f8 (V, 3).
        visible: bool (V,), whether the scan shows the skin there.
        residual: f8 (V,), distance to the scan along its normal; of what is not visible: NaN.
        linear: the linear model's fit before.
        worn: whether something covers nose and mouth that is no skin.
    """

    vertices: np.ndarray
    visible: np.ndarray
    residual: np.ndarray
    linear: LinearFit
    worn: bool


@dataclass(frozen=True, eq=False)
class Fitter:
    """A template with what fitting it to any scan needs."""

    template: Template

    @cached_property
    def plate(self):  # noqa: ANN201
        """The thin-plate energy and the vertices' areas."""
        return bending(self.template.vertices, self.template.triangles)

    @cached_property
    def subset(self) -> np.ndarray:
        """The vertices that the linear model is compared with the scan at: some thirteen hundred that look forward."""
        return np.flatnonzero(self.template.normals[:, 2] > FRONT)[::3]

    @cached_property
    def low(self) -> np.ndarray:
        """Nose and mouth: bool (V,)."""
        v = self.template.vertices
        return (v[:, 1] < LOW_Y_MM) & (np.hypot(v[:, 0], v[:, 1] + 18.0) < 38.0) & (self.template.normals[:, 2] > FRONT)

    def fit(self, scan: Scan, landmarks: np.ndarray) -> Registered:
        """Fit the template.

        Args:
            scan: in the face frame.
            landmarks: (68, 3), weak priors, NaN where there are none.
        """
        template = self.template
        linear = fit_linear(template, scan, landmarks, self.subset, np.eye(4), STAGES)
        worn = self._worn(scan, linear.vertices)
        allowed = np.ones(len(template.vertices), bool)
        if worn:
            linear, allowed = self._beside_what_is_worn(scan, linear)
        vertices = fit_nonrigid(template, scan, linear.vertices, self.plate, allowed)
        found = match(scan, vertices, mesh_normals(vertices, template.triangles))
        weight = steady(template, data_weights(found, SEEN_SCALE_MM, scan.spacing_mm) * allowed)
        visible = weight > SEEN_WEIGHT
        residual = np.where(visible, np.abs(found.offset), np.nan)
        return Registered(vertices, visible, residual, linear, worn)

    def _match(self, scan: Scan, vertices: np.ndarray) -> Match:
        return match(scan, vertices, mesh_normals(vertices, self.template.triangles))

    def _worn(self, scan: Scan, vertices: np.ndarray) -> bool:
        """Return whether the scan at nose and mouth lies before the best face there is, and is not shaped like it."""
        offset = self._match(scan, vertices).offset[self.low]
        rms = np.sqrt(np.mean(np.minimum(np.abs(offset), FAR_MM) ** 2))
        return bool(np.median(offset) > WORN_OFFSET_MM and rms > WORN_RMS_MM)

    def _beside_what_is_worn(self, scan: Scan, linear: LinearFit) -> tuple[LinearFit, np.ndarray]:
        """Fit to the upper face alone, then to what joins it without a step; also return what that is."""
        template = self.template
        none = np.full((68, 3), np.nan)
        upper = template.vertices[:, 1] > HIGH_Y_MM
        dense = np.flatnonzero(template.normals[:, 2] > FRONT)[::2]
        linear = fit_linear(template, scan, none, dense[upper[dense]], linear.pose, UPPER_STAGES)
        allowed = upper
        for _ in range(2):
            allowed = self._grown(upper, self._match(scan, linear.vertices), scan.spacing_mm)
            linear = fit_linear(template, scan, none, dense[allowed[dense]], linear.pose, GROWN_STAGES, linear.weights)
        return linear, allowed

    def _grown(self, seed: np.ndarray, found: Match, spacing_mm: float) -> np.ndarray:
        """Return what is joined to the seed by vertices near the scan."""
        near = data_weights(found, 6 * GROW_MM, spacing_mm) > 0
        near &= np.abs(found.offset) < GROW_MM
        near = neighbour_mean(self.template.triangles, near.astype(float), len(near), 2) > 0.75
        grown, n = seed & near, 0
        while n != grown.sum():
            n = int(grown.sum())
            touched = grown[self.template.triangles].any(axis=1)
            reached = np.zeros(len(grown), bool)
            reached[self.template.triangles[touched]] = True
            grown = grown | (reached & near)
        return grown | seed
