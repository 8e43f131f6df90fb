"""What `pipelines/rgbd.yaml` finds on captures whose truth is known, the truth being read here only.

    python benchmarks/truth.py [--captures RGBD_FOLDER] [--json FILE]

The captures (by default `data/rgbd` of the folder that FACE3D_SHARED names, or of `../shared`) are copied without
their `landmarks.json`, run through the pipeline with its detector, and the dataset is verified. Then each
`landmarks.json` of the original is compared. Bars: 95 of 96 detected with an overlap (IoU) above 0.3 with the true
box; median landmark error at most 6 % of the eye distance; median error of the nose in space at most 5 mm; median rmse
to the mean face after align_3d at most 3 mm; dataset verified. Exit code 1 where one is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from face3d_data.pipeline.result import Workers

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from face3d_data.formats.landmarks import LANDMARK_NAMES
from face3d_data.pipeline.build import load_pipeline
from face3d_data.pipeline.result import RunResult
from face3d_data.pipeline.run import run
from face3d_data.shards.audit.verify import verify_dataset

PIPELINE = Path(__file__).resolve().parents[1] / "pipelines" / "rgbd.yaml"
LEAST_IOU = 0.3
LEAST_SHARE = 95 / 96
MOST = {"landmark_error_percent": 6.0, "nose_error_mm": 5.0, "rmse_mm": 3.0}


def default_captures() -> Path:
    """Return where the captures with known truth are kept, beside the repository."""
    return Path(os.environ.get("FACE3D_SHARED", PIPELINE.parents[2] / "shared")) / "data" / "rgbd"


def read_truth(captures: Path) -> dict[str, dict[str, Any]]:
    """Return person/capture to its entry of `landmarks.json`."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(captures.glob("*/landmarks.json")):
        entries = json.loads(path.read_text("utf-8"))
        found.update({f"{path.parent.name}/{capture}": entry for capture, entry in entries.items()})
    return found


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Return the intersection over union of two boxes (4,), px."""
    shared = np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0))
    return float(shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared))


def in_order(points: dict[str, list[float]]) -> np.ndarray:
    """Return named points as rows in the package's order."""
    return np.array([points[name] for name in LANDMARK_NAMES])


def compare(result: RunResult, step: str, truth: dict[str, dict[str, Any]]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield each row of a step with the truth of its capture."""
    for entry in result.entries(step):
        yield entry, truth[entry.origin_id.partition("/")[2]]


def measure(captures: Path, folder: Path, jobs: int | None) -> dict[str, Any]:
    """Run the pipeline on the copy and return what it found against the truth."""
    root = folder / "captures"
    shutil.copytree(captures, root, ignore=shutil.ignore_patterns("landmarks.json"))
    pipeline = load_pipeline(PIPELINE, environment={"RGBD_ROOT": str(root)})
    result = run(pipeline, folder / "work", engine=Workers(jobs=jobs), say=print)
    verdict = verify_dataset(result.datasets["rgbd"])
    truth = read_truth(captures)
    overlaps, errors, noses = [], [], []
    for entry, true in compare(result, "faces", truth):
        overlaps.append(overlap(entry.place.read("box"), np.array(true["face_box_xyxy"])))
        marks = in_order(true["landmarks_px"])
        error = np.linalg.norm(entry.place.read("landmarks") - marks, axis=1).mean()
        errors.append(100 * error / np.linalg.norm(marks[0] - marks[1]))
    nose = LANDMARK_NAMES.index("nose")
    for entry, true in compare(result, "clouds", truth):
        found = entry.place.read("landmarks_3d")[nose]
        noses.append(np.linalg.norm(found - in_order(true["landmarks_3d_mm"])[nose]))
    rmse = [float(entry.tags["rmse_mm"]) for entry in result.entries("posed")]
    return {
        "captures": len(truth),
        "detected": sum(value > LEAST_IOU for value in overlaps),
        "share_detected": sum(value > LEAST_IOU for value in overlaps) / len(truth),
        "median_overlap": float(np.median(overlaps)),
        "landmark_error_percent": float(np.median(errors)),
        "nose_error_mm": float(np.median(noses)),
        "rmse_mm": float(np.median(rmse)),
        "rows": {name: len(step.entries) for name, step in result.steps.items()},
        "dirty": {name: dict(step.reasons) for name, step in result.steps.items() if step.reasons},
        "problems": [str(problem) for problem in verdict.problems],
        "verified": verdict.ok,
    }


def judge(found: dict[str, Any]) -> dict[str, bool]:
    """Return bar to whether it is met."""
    share, asked = found["share_detected"], f"{LEAST_SHARE:.1%}"
    bars = {f"detected {found['detected']} of {found['captures']} (at least {asked})": share >= LEAST_SHARE}
    for name, most in MOST.items():
        bars[f"median {name} {found[name]:.2f} (at most {most:g})"] = found[name] <= most
    bars[f"dataset verified: {len(found['problems'])} problems"] = found["verified"]
    return bars


def main() -> int:
    """Run, compare, print, and write JSON if asked; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captures", type=Path, default=default_captures(), help="rgbd_folder with landmarks.json")
    parser.add_argument("--jobs", type=int, help="workers; all cores if not given")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    if not any(options.captures.glob("*/landmarks.json")):
        print(f"skipped: no captures with landmarks.json in {options.captures} (give --captures or set FACE3D_SHARED)")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        found = measure(options.captures, Path(folder), options.jobs)
    bars = judge(found)
    for name, met in bars.items():
        print(f"{'pass' if met else 'FAIL'}  {name}")
    print(f"rows: {found['rows']}, dirty: {found['dirty']}")
    if options.json:
        options.json.write_text(json.dumps({**found, "bars": bars, "met": all(bars.values())}, indent=1) + "\n")
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
