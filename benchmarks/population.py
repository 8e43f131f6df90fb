"""Whether the synthetic people are a population like real ones: found, sized, varied and hard enough.

    python benchmarks/population.py [--people 200] [--captures 4] [--ict FILE] [--jobs 2] [--json FILE]

Prints each figure with its bounds, exit code 1 if one is missed:

- the share of people x captures in which MTCNN finds the face (IoU with the true box > 0.3), and its landmark error;
- eye distance, nose protrusion, face width and face height, measured on the meshes, against published adult ranges;
- how the neutral surface varies (components for 95 % of the variance, rms to the mean), beside a real statistical face
  model where `--ict` names it;
- how captures of one person vary, and rank-1 of the untrained clipped depth map over 32 people of 8 captures.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import face_maps
import numpy as np
from joblib import Parallel, delayed

from face3d_data.synthetic.appearance import draw_appearance
from face3d_data.synthetic.capture import render_capture
from face3d_data.synthetic.head import Head, build_head
from face3d_data.synthetic.identity import draw_identity
from face3d_data.synthetic.skull import NASION_Y

SEED = 2026
RECOGNITION_PEOPLE, RECOGNITION_CAPTURES = 32, 8
STATISTICAL_RMS_MM = 2.66
"""Rms to the mean of the statistical model's aligned depth maps, taken where --ict is not given."""

# Mean and standard deviation of women and men: Zhuang and Bradtmiller, Head-and-face anthropometric survey of U.S.
# respirator users, J. Occup. Environ. Hyg. 2 (2005) 567-576 (3,997 adults); for the eyes' distance Dodgson, Variation
# and extrema of human interpupillary distance, SPIE 5291 (2004). A range is three deviations below the women's mean
# to three above the men's. Nose protrusion is the straight distance from pronasale to subnasale.
PUBLISHED = {
    "eye distance": ((61.7, 3.6), (64.0, 3.4)),
    "nose protrusion": ((19.8, 2.7), (21.1, 2.7)),
    "face width": ((135.1, 6.5), (143.5, 6.9)),
    "face height": ((113.4, 6.1), (122.7, 7.0)),
}

Figure = tuple[str, float, float, float]  # name, value, lowest and highest that is allowed


def measure(head: Head) -> dict[str, float]:
    """Return a neutral head's measures in mm, taken from its mesh and not from its parameters."""
    skin, at = head.parts[0], head.skull.levels
    middle = int(np.argmin(np.abs(skin.coords[10, :, 0]) + 1e3 * (skin.front[10] < 0.5)))
    profile = skin.rest[:, middle]
    face = profile[:, 1] > at.menton - 40
    subnasale = np.array([np.interp(-at.subnasale, -profile[face, 1], profile[face, axis]) for axis in range(3)])
    chin = profile[face & (profile[:, 2] > 70)]
    sides = skin.rest[(skin.rest[..., 1] < 5) & (skin.rest[..., 1] > -40) & (skin.rest[..., 2] > 0)]
    return {
        "eye distance": float(np.linalg.norm(head.landmarks[0] - head.landmarks[1])),
        "nose protrusion": float(np.linalg.norm(head.landmarks[2] - subnasale)),
        "face width": float(np.ptp(sides[:, 0])),
        "face height": float(NASION_Y - chin[:, 1].min()),
    }


def look_for_face(person: int, captures: int) -> list[tuple[bool, float]]:
    """Return, for each capture of a person, whether MTCNN finds the face, and its landmarks' error / eye distance."""
    from face3d_data.detectors.mtcnn import Mtcnn

    found = []
    for capture in range(captures):
        made = render_capture(SEED, person, capture)
        faces = Mtcnn().detect(made["color"], min_face_px=40)
        overlaps = [overlap(box, made["box"]) for box in faces.boxes]
        best = int(np.argmax(overlaps)) if overlaps else -1
        if best < 0 or overlaps[best] <= 0.3:
            found.append((False, np.nan))
            continue
        error = np.linalg.norm(faces.landmarks[best] - made["landmarks"], axis=1).mean()
        found.append((True, float(error / np.linalg.norm(made["landmarks"][0] - made["landmarks"][1]))))
    return found


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Return the intersection over union of two boxes (4,)."""
    shared = np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0))
    return float(shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared))


def neutral(person: int) -> Head:
    """Return a person's neutral head."""
    identity = draw_identity(SEED, person)
    return build_head(identity, draw_appearance(identity), 0.8)


def mean_landmarks(heads: list[Head]) -> np.ndarray:
    """Return the mean landmarks (5, 3), face frame, made symmetric."""
    mean = np.mean([head.landmarks - head.landmarks[2] for head in heads], axis=0)
    mirrored = mean[[1, 0, 2, 4, 3]] * np.array([-1.0, 1.0, 1.0])
    return (mean + mirrored) / 2


def surface_map(head: Head, mean: np.ndarray) -> np.ndarray:
    """Return the aligned depth map of a neutral head's skin."""
    skin = head.parts[0].rest.reshape(-1, 3)
    triangles = head.triangles[(head.triangles < len(skin)).all(axis=1)]
    return face_maps.mesh_map(skin, triangles, head.landmarks, mean)


def statistical_maps(path: Path, count: int) -> np.ndarray:
    """Return aligned depth maps of `count` faces of the statistical model, its modes drawn with unit deviation."""
    model = np.load(path)
    face, modes = model["mean"].astype(np.float64) * 10, model["identity"].astype(np.float64) * 10
    middle = np.abs(face[:, 0]) < 5
    nose = int(np.argmax(np.where(middle, face[:, 2], -np.inf)))
    wanted = np.array(
        [[-32.3, 33.1, -34.4], [32.3, 33.1, -34.4], [0, 0, 0], [-25.5, -39.9, -31.1], [25.5, -39.9, -31.1]]
    )
    index = [int(np.argmin(((face - face[nose] - point) ** 2).sum(axis=1))) for point in wanted]
    mean = face[index] - face[nose]
    rng = np.random.default_rng(SEED)
    drawn = [face + np.tensordot(rng.standard_normal(len(modes)), modes, 1) for _ in range(count)]
    return np.array([face_maps.mesh_map(shape, model["triangles"], shape[index], mean) for shape in drawn])


def recognition_maps(person: int, mean: np.ndarray) -> np.ndarray:
    """Return the depth maps (C, G) of a person's captures, aligned by true landmarks."""
    made = [render_capture(SEED, person, capture) for capture in range(RECOGNITION_CAPTURES)]
    return np.array([face_maps.capture_map(m["depth"], m["intrinsics"], m["landmarks_3d"], mean) for m in made])


def each(jobs: int, work: Callable[..., Any], people: int, *more: Any) -> list[Any]:
    """Return the work on each person, in order."""
    return Parallel(n_jobs=jobs)(delayed(work)(person, *more) for person in range(people))


def figures(people: int, captures: int, ict: Path | None, jobs: int) -> list[Figure]:
    """Measure everything; see the module's text."""
    heads = each(jobs, neutral, people)
    mean = mean_landmarks(heads)
    found: list[Figure] = []
    measures = [measure(head) for head in heads]
    for name, ((low_mean, low_sd), (high_mean, high_sd)) in PUBLISHED.items():
        values = [m[name] for m in measures]
        low, high = low_mean - 3 * low_sd, high_mean + 3 * high_sd
        found += [(f"{name}, least, mm", min(values), low, high), (f"{name}, most, mm", max(values), low, high)]
        found.append((f"{name}, mean, mm", float(np.mean(values)), low_mean - low_sd, high_mean + high_sd))
    surface = face_maps.population(np.array([surface_map(head, mean) for head in heads]))
    real = face_maps.population(statistical_maps(ict, people)) if ict else {"rms_mm": STATISTICAL_RMS_MM}
    found.append(("components for 95 % of the variance", surface["modes_95"], 12, 30))
    found.append(("between people, rms, mm", surface["rms_mm"], real["rms_mm"] / 1.3, real["rms_mm"] * 1.3))
    for name in ("pairwise_mm", "nearest_mm", "modes_90", "modes_99"):
        found.append((f"{name} (statistical model {real.get(name, np.nan):.4g})", surface[name], -np.inf, np.inf))
    maps = np.array(each(jobs, recognition_maps, RECOGNITION_PEOPLE, mean))
    found.append(("within a person, rms, mm", face_maps.within_rms(maps), 1.4, 2.0))
    found.append(("rank-1 of the untrained clipped depth map", face_maps.rank_1(maps), 0.80, 0.96))
    seen = [one for person in each(jobs, look_for_face, people, captures) for one in person]
    found.append((f"share found by MTCNN of {len(seen)}", float(np.mean([hit for hit, _ in seen])), 0.95, 1.0))
    error = float(np.nanmedian([error for _, error in seen]))
    found.append(("median landmark error / eye distance", error, 0.0, 0.06))
    return found


def main() -> None:
    """Parse, measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--captures", type=int, default=4)
    parser.add_argument("--ict", type=Path, help="ict_face_small.npz, a statistical face model to compare with")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    found = figures(options.people, options.captures, options.ict, options.jobs)
    missed = 0
    for name, value, low, high in found:
        good = low <= value <= high
        missed += not good
        bounds = "" if np.isinf(low) else f"  [{low:.4g}, {high:.4g}] {'ok' if good else 'MISSED'}"
        print(f"{name:55s} {value:8.4g}{bounds}")
    if options.json:
        options.json.write_text(json.dumps({name: value for name, value, _, _ in found}, indent=1))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
