"""Stage `register`: a template of one topology fitted to a face, so that every scan has the same vertices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from face3d_data.errors import Reject, UserError
from face3d_data.registration.fit import Fitter, Registered, own_fitter
from face3d_data.registration.foreign import read_foreign
from face3d_data.registration.meshmonk_fit import fit_meshmonk, meshmonk_version
from face3d_data.registration.scan import prepare_scan
from face3d_data.registration.template import N_LANDMARKS, TEMPLATE_ASSET
from face3d_data.registry import register
from face3d_data.resources import Asset
from face3d_data.sample import Sample
from face3d_data.stage import Frame, Inputs, Names, Stage

LEAST_FREE = 0.35
"""Least share of the face's front that nothing hides."""
IN_68 = {2: 30, 3: 48, 4: 54}
"""Places among the five landmarks of those that are among the 68, too: nose and mouth corners."""


@register
class Register(Stage):
    """Fit a face template to the points: the same vertices, triangles and 68 landmarks for every scan.

    Pose, then a linear model of faces and expressions, then a smooth rest. Masks, hands and hair are outliers: what
    they cover is filled by the model and marked as not visible.
    """

    name: ClassVar[str] = "register"
    version: ClassVar[int] = 4
    inputs: ClassVar[Inputs] = ("points",)
    optional: ClassVar[Names] = ("landmarks_3d", "landmarks_68_3d", "occlusion", "point_colors")
    outputs: ClassVar[Names] = ("vertices", "vertex_visible", "vertex_residual", "landmarks_68_3d")
    frame: ClassVar[Frame] = "face"
    tag_names: ClassVar[Names] = ("registered_rmse_mm", "registered_visible", "registered_misfit", "registered_worn")
    assets: ClassVar[tuple[Asset, ...]] = (TEMPLATE_ASSET,)
    reasons: ClassVar[dict[str, str]] = {
        "non_finite_points": "a point is not finite: put clean or subsample before this step",
        "too_few_points": "too few different points near the face",
        "not_a_face": "no face that the model knows fits the points",
        "too_little_seen": "too small a part of the face is visible",
    }

    template: Path | None = Field(
        None,
        description="your own template: a mesh (OBJ, PLY, …) or a linear face model (.npz, FLAME .npz or .pkl, Basel "
        ".h5, GNM's .npz, ICT-FaceKit's folder), neutral, y up, z to the viewer [the package's]",
    )
    template_landmarks: Path | None = Field(
        None,
        description="file of its 68 landmarks (.npy, .json, text): vertex numbers, or places [found by fitting]",
    )
    engine: Literal["own", "meshmonk"] = Field(
        "own",
        description="what moves the linear model's face onto the scan; meshmonk: that library, to compare with works "
        "that use it: about four times slower and no nearer (extra meshmonk)",
    )
    max_misfit: float = Field(
        0.62,
        gt=0,
        description="reject if the fit is worse: faces like those the model knows have 0.2 to 0.4, other things 0.7 "
        "and more",
    )
    min_visible: float = Field(
        0.4,
        ge=0,
        le=1,
        description="reject if a smaller share of the face's front, apart from what is behind something, is visible",
    )

    @model_validator(mode="after")
    def _can_be_fitted(self) -> Register:
        if self.template is None and self.template_landmarks is not None:
            raise ValueError("template_landmarks are of a template: give template too")
        if self.engine == "meshmonk":
            meshmonk_version()
        try:
            self._fitter()
        except UserError as error:
            raise ValueError(str(error)) from None
        return self

    def parameters(self) -> dict[str, Any]:
        """Return the parameters, with the version of the other engine."""
        versions = {"version of meshmonk": meshmonk_version()} if self.engine == "meshmonk" else {}
        return super().parameters() | versions

    def _fitter(self) -> Fitter:
        if self.template is None:
            fitter = own_fitter()
        else:
            states = map(_state, (self.template, self.template_landmarks))
            fitter = _foreign_fitter(self.template, self.template_landmarks, *states)
        return fitter if self.engine == "own" else _by_meshmonk(fitter)

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the sample with the fitted template and its landmarks."""
        points = sample.arrays["points"]
        if not np.isfinite(points).all():
            raise Reject("non_finite_points", f"{int((~np.isfinite(points)).any(1).sum())} of {len(points)}")
        scan = prepare_scan(points, sample.arrays.get("occlusion"), sample.arrays.get("point_colors"))
        if scan is None:
            raise Reject("too_few_points", f"{len(points)} points, too few of them near the nose tip")
        fitter = self._fitter()
        fitted = fitter.fit(scan, _priors(sample))
        self._check(fitted)
        residual = fitted.residual[fitted.visible]
        yield sample.with_arrays(
            vertices=fitted.vertices.astype(np.float32),
            vertex_visible=fitted.visible.astype(np.uint8),
            vertex_residual=fitted.residual.astype(np.float32),
            landmarks_68_3d=fitter.template.landmarks(fitted.vertices).astype(np.float32),
        ).with_tags(
            registered_rmse_mm=round(float(np.sqrt(np.mean(residual**2))), 4),
            registered_visible=round(fitted.verdict.visible, 4),
            registered_misfit=round(fitted.verdict.misfit, 4),
            registered_worn=fitted.worn,
        )

    def output_bytes(self) -> int:
        """Return about how many bytes one output stores."""
        return 17 * len(self._fitter().template.vertices) + 1000

    def _check(self, fitted: Registered) -> None:
        verdict = fitted.verdict
        if not verdict.misfit <= self.max_misfit:
            why = f"rms {verdict.rms_mm:.2f} mm to the nearest face, which is {verdict.deviations:.2f} deviations off; "
            why += f"correlation of the relief {verdict.relief:.2f}, moved {verdict.moved_mm:.0f} mm"
            raise Reject("not_a_face", f"misfit {verdict.misfit:.3f} > max_misfit {self.max_misfit:g} ({why})")
        if verdict.visible < self.min_visible or verdict.free < LEAST_FREE:
            said = f"{verdict.visible:.0%} of what nothing hides, which is {verdict.free:.0%} of the face's front"
            raise Reject("too_little_seen", f"{said}, rms {verdict.rms_mm:.2f} mm")


@lru_cache(maxsize=2)
def _by_meshmonk(fitter: Fitter) -> Fitter:
    return replace(fitter, nonrigid=fit_meshmonk)


@lru_cache(maxsize=2)
def _foreign_fitter(template: Path, landmarks: Path | None, *states: tuple[tuple[int, int], ...]) -> Fitter:
    """Return what fits a file's template, made once per process while the files stay as they are."""
    return Fitter(read_foreign(template, landmarks))


def _state(path: Path | None) -> tuple[tuple[int, int], ...]:
    """Return when a file, or each file of a folder, was changed, and its size."""
    try:
        files = () if path is None else sorted(path.iterdir()) if path.is_dir() else (path,)
        return tuple(((stat := file.stat()).st_mtime_ns, stat.st_size) for file in files)
    except OSError:
        return ()


def _priors(sample: Sample) -> np.ndarray:
    """Return what is known of the 68 landmarks (68, 3), NaN where nothing is."""
    if "landmarks_68_3d" in sample.arrays:
        return sample.arrays["landmarks_68_3d"].astype(np.float64)
    known = np.full((N_LANDMARKS, 3), np.nan)
    if "landmarks_3d" in sample.arrays:
        for five, place in IN_68.items():
            known[place] = sample.arrays["landmarks_3d"][five]
    return known
