"""Captures whose skin is known, for judging masks: the plain pipeline's sample of each, and the truth beside it.

Rendered captures of the shared data come with five landmarks but without their surface. Theirs is recovered by fitting
the statistical face they were rendered from (`ict_face_small.npz`, ICT-FaceKit) to the depth and the true landmarks of
all captures of a person: one identity, an expression and a pose each. Synthetic people's surface is the generator's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from statistical_face import StatisticalFace, View, fit_person

from face3d_data.errors import Reject
from face3d_data.formats.landmarks import LANDMARK_NAMES
from face3d_data.geometry.align import fit_rigid, transform
from face3d_data.geometry.camera import project
from face3d_data.registry import find
from face3d_data.sample import Sample
from face3d_data.synthetic import capture as generator

STEPS = ("detect", "to_cloud", "clean", "align_3d")
"""Of pipelines/rgbd.yaml, with its settings: the defaults."""
NOISE_WINDOW_PX = 17
"""Wide enough for noise that is alike in neighbouring pixels, narrow enough for a face to be a quadric in it."""


@dataclass(frozen=True, eq=False)
class Capture:
    """One capture, what the pipeline makes of it, and the truth; all of the truth in the camera frame, mm.

    Attributes:
        name: person/capture.
        sample: after align_3d: color, depth, intrinsics, landmarks, points, landmarks_3d, pose.
        box: f8 (4,), the true face box, px.
        landmarks: f8 (5, 3), the true landmarks.
        chin: f8 (3,), the true pogonion, the foremost point of the chin.
        menton: f8 (3,), the true lowest point of the chin.
        skin: f4 (V, 3) and u4 (T, 3), the true surface.
        noise: the depth's standard deviation is this times z², 1/mm; 0 for a depth without noise.
        misfit_mm: how far the readings lie from `skin`, standard deviation by the median.
    """

    name: str
    sample: Sample
    box: np.ndarray
    landmarks: np.ndarray
    chin: np.ndarray
    menton: np.ndarray
    skin: tuple[np.ndarray, np.ndarray]
    noise: float
    misfit_mm: float = 0.0


def prepare(sample: Sample) -> Sample:
    """Return a source's sample after the pipeline's steps up to align_3d.

    Raises:
        Reject: a step cannot use it.
    """
    for name in STEPS:
        sample = find("stage", name)().apply(sample)
    return sample


def measure_noise(depth: np.ndarray, box: np.ndarray) -> float:
    """Return the noise of a face's readings as the factor of z²: what a quadric leaves in the smoother windows.

    Args:
        depth: f4 (H, W), mm.
        box: (4,), the face, px.
    """
    x0, y0, x1, y1 = np.clip(np.rint(box), 0, None).astype(int)
    n = NOISE_WINDOW_PX
    windows = sliding_window_view(depth[y0:y1, x0:x1], (n, n))[::3, ::3].reshape(-1, n * n).astype(np.float64)
    windows = windows[(windows > 0).all(1) & (np.ptp(windows, axis=1) < 25)]
    if not len(windows):
        return 0.0
    u, v = (axis.ravel() / n for axis in np.mgrid[:n, :n])
    basis, _ = np.linalg.qr(np.stack([np.ones(n * n), u, v, u * u, u * v, v * v], axis=1))
    left = windows - (windows @ basis) @ basis.T
    sigma = np.sqrt((left**2).sum(1) / (n * n - 6))
    return float(np.percentile(sigma / windows.mean(1) ** 2, 25))


def on_readings(place: np.ndarray, skin: np.ndarray, depth: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Return a place (3,) of a fitted skin (V, 3) moved along its ray by what the readings round it say, median.

    The fit is up to 2 mm off in places, the median of some hundred readings a tenth of that.
    """
    near = skin[np.linalg.norm(skin - place, axis=1) < 10]
    pixels = np.rint(project(near, intrinsics)).astype(int)
    height, width = depth.shape
    inside = (pixels >= 0).all(1) & (pixels < [width, height]).all(1)
    u, v = pixels[inside].T
    left = depth[v, u] - near[inside, 2]
    left = left[(depth[v, u] > 0) & (np.abs(left) < 8)]
    return place * (1 + np.median(left) / place[2]) if len(left) > 5 else place


@dataclass(frozen=True, eq=False)
class SharedCaptures:
    """The rendered captures of the shared data, person by person."""

    data: Path

    @cached_property
    def face(self) -> StatisticalFace:
        """The statistical face."""
        return StatisticalFace(self.data / "ict_face_small.npz")

    def people(self) -> list[str]:
        """Return the people's folders."""
        return sorted(path.parent.name for path in (self.data / "rgbd").glob("*/landmarks.json"))

    def of(self, person: str, only: int | None = None) -> Iterator[Capture | tuple[str, str]]:
        """Yield a person's captures (the first `only` ones); in place of one that a step rejects, name and reason."""
        reader = find("reader", "rgbd_folder")(root=self.data / "rgbd")
        entries = json.loads((self.data / "rgbd" / person / "landmarks.json").read_text("utf-8"))
        sources = {source.capture: source for source in reader.scan() if source.person == person}
        names = sorted(sources)
        samples = {name: reader.sample(sources[name]) for name in names}
        views = [self._view(samples[name], entries[name]) for name in names]
        identity, misfit = fit_person(self.face, views)
        for name, view, left in list(zip(names, views, misfit, strict=True))[:only]:
            try:
                # Without the true landmarks that the reader brings.
                sample = prepare(samples[name].without("landmarks"))
            except Reject as reject:
                yield f"{person}/{name}", str(reject)
                continue
            skin = transform(self.face.shape(np.concatenate([identity, view.expression])), view.pose)
            chin = on_readings(skin[self.face.POGONION], skin, view.depth, view.intrinsics)
            box = np.array(entries[name]["face_box_xyxy"])
            yield Capture(
                f"{person}/{name}", sample, box, view.landmarks, chin, skin[self.face.MENTON],
                (skin.astype(np.float32), self.face.triangles), measure_noise(view.depth, box), left,
            )  # fmt: skip

    def _view(self, sample: Sample, entry: dict[str, Any]) -> View:
        landmarks = np.array([entry["landmarks_3d_mm"][name] for name in LANDMARK_NAMES])
        expression = np.zeros(self.face.modes.shape[1] - self.face.n_identity)
        expression[self.face.JAW_OPEN] = 0.5 * (entry["expression"] in ("open", "surprise"))
        pose = fit_rigid(self.face.START, landmarks)
        return View(sample.arrays["depth"], sample.arrays["intrinsics"], landmarks, pose, expression)


def synthetic_capture(
    seed: int, person: int, capture: int, width: int = 640, height: int = 480, *, given: bool = False
) -> Capture:
    """Render a synthetic capture without noise, and take its truth from the generator.

    Args:
        seed: the population.
        person: its number.
        capture: its number.
        width: px.
        height: px.
        given: take the true landmarks instead of detecting the face.

    Raises:
        Reject: a step cannot use it.
    """
    made = generator.render_capture(seed, person, capture, width=width, height=height, noise=False)
    names = ("color", "depth", "intrinsics", "landmarks") if given else ("color", "depth", "intrinsics")
    called = f"synthetic {seed}/{person}/{capture}"
    sample = Sample.of({name: made[name] for name in names}, key=called)  # stages draw by the key
    if given:
        sample = find("stage", "detect")(detector="given").apply(sample)
    for name in STEPS[1:] if given else STEPS:
        sample = find("stage", name)().apply(sample)
    scene = generator.draw_scene(seed, person, capture, generator.capture_rng(seed, person, capture))
    head, _ = generator.person_head(seed, person, 1.0 if width > 400 else 0.6)
    part, levels = head.parts[0], head.skull.levels
    posed = generator.posed(head, part.rest, head.moving[0], scene, generator.camera_for(width, height))
    middle = int(np.argmin(np.abs(part.coords[0, :, 0]) - part.rest[0, :, 2] * 1e-3))
    heights = part.coords[:, middle, 1]
    chin_rows = np.flatnonzero((heights < levels.mentolabial) & (heights > levels.menton))
    chin = chin_rows[np.argmax(part.rest[chin_rows, middle, 2])]
    menton = np.argmin(np.abs(heights - levels.menton))
    vertices = posed.reshape(-1, 3).astype(np.float32)
    triangles = head.triangles[(head.triangles < len(vertices)).all(1)]
    return Capture(
        called, sample, made["box"].astype(np.float64),
        made["landmarks_3d"].astype(np.float64), posed[chin, middle], posed[menton, middle],
        (vertices, triangles), 0.0,
    )  # fmt: skip
