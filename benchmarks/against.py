"""Compare the speed of this checkout with another one's, an older commit's, as ratios.

    git worktree add --detach ../older COMMIT
    python benchmarks/against.py ../older [--rounds 5] [--only frame locate ...] [--json FILE]

A process for each checkout, on one inner thread; they take turns, case by case, so that another program on the machine
slows both. Processor time, medians of the rounds. Cases: an RGB-D frame from its arrays to 2,048 points with normals
(detect, to_cloud, clean, align_3d, subsample, normals) and each of its stages; the search for a face in clouds of heads
with shoulders, and of heads turned by 45 degrees; the pipeline `scans` as a whole, from OBJ files of heads to
2,048 points with normals, and each of its stages; the stage `locate_3d`, which searches nine times where a
fit is poor; `mask` on clouds of 20,000 points, alone and eight variants of one, and on photographs of 1,024 px. Inputs
are synthetic people, made once by this checkout.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("detect", "to_cloud", "clean", "align_3d", "subsample", "normals")
SCAN_STAGES = ("locate_3d", *STAGES[1:])
"""Of `pipelines/scans.yaml`, with what it sets."""
HEAD_MM = 160.0
SCAN_OPTIONS = {"to_cloud": {"crop_radius_mm": 90}}
PEOPLE = 4
SHARING = 8
PHOTO_PX = 1024


def make_inputs() -> dict[str, list[dict[str, np.ndarray]]]:
    """Return arrays by case."""
    import cv2
    import mask_cost
    from scipy.spatial.transform import Rotation

    from face3d_data.geometry.camera import depth_to_points
    from face3d_data.synthetic.capture import render_capture

    made = [render_capture(11, person, 0) for person in range(PEOPLE)]
    found: dict[str, list[dict[str, np.ndarray]]] = {
        "frame": [{name: one[name] for name in ("color", "depth", "intrinsics")} for one in made],
        "depth": [{name: one[name] for name in ("depth", "intrinsics", "landmarks_3d")} for one in made],
        "scan": [{"points": depth_to_points(one["depth"], one["intrinsics"])[0]} for one in made],
        "cloud": [dict(sample.arrays) for sample in mask_cost.cloud_samples(PEOPLE)],
        "turned": [],
        "photo": [],
    }
    turn = Rotation.from_euler("yx", [45, 15], degrees=True).as_matrix()
    for one, scan in zip(made, found["scan"], strict=True):
        points, nose = scan["points"], one["landmarks_3d"][2]
        near = points[np.linalg.norm(points - nose, axis=1) < 130]
        found["turned"].append({"points": ((near - nose) @ turn.T + nose).astype(np.float32)})
        scale = PHOTO_PX / (5.2 * float(np.linalg.norm(one["landmarks"][1] - one["landmarks"][0])))
        shift = [PHOTO_PX / 2, 0.53 * PHOTO_PX] - scale * one["landmarks"].mean(axis=0)
        to_photo = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        photo = cv2.warpAffine(one["color"], to_photo, (PHOTO_PX, PHOTO_PX), flags=cv2.INTER_CUBIC)
        found["photo"].append({"color": photo, "landmarks": (scale * one["landmarks"] + shift).astype(np.float32)})
    return found


def write_scans(folder: Path, depths: list[dict[str, np.ndarray]]) -> None:
    """Write the surfaces of depth images as `<person>/a.obj`, y up and towards the viewer."""
    from face3d_data.geometry.camera import depth_to_points

    for number, one in enumerate(depths):
        points, _ = depth_to_points(one["depth"], one["intrinsics"])
        places = np.full(one["depth"].shape, -1)
        places[one["depth"] > 0] = np.arange(len(points))
        places[places >= 0] = np.where(
            np.linalg.norm(points - one["landmarks_3d"][2], axis=1) < HEAD_MM, places[places >= 0], -1
        )
        a, b, c, d = places[:-1, :-1], places[:-1, 1:], places[1:, :-1], places[1:, 1:]
        triangles = np.concatenate([np.stack(x, -1).reshape(-1, 3) for x in ((a, c, b), (b, c, d))])
        triangles = triangles[(triangles >= 0).all(axis=1)]
        triangles = triangles[np.ptp(points[triangles][:, :, 2], axis=1) < 12]
        used, triangles = np.unique(triangles, return_inverse=True)
        triangles = triangles.reshape(-1, 3)
        lines = [f"v {x:.3f} {-y:.3f} {-z:.3f}" for x, y, z in points[used]]
        (folder / f"p{number}").mkdir()
        text = "\n".join([*lines, *(f"f {i} {j} {k}" for i, j, k in triangles + 1), ""])
        (folder / f"p{number}" / "a.obj").write_text(text)


def scan_cases(root: Path) -> dict[str, Callable[[], int]]:
    """Return the pipeline `scans` from files to points, its reader, and each of its stages."""
    from face3d_data.registry import find

    reader = find("reader", "mesh_folder")(root=root)
    sources = list(reader.scan())
    stages = [find("stage", name)(**SCAN_OPTIONS.get(name, {})) for name in SCAN_STAGES]

    def read() -> list[Any]:
        samples = [reader.sample(source) for source in sources]
        for sample in samples:
            for name in sample.arrays:
                sample.arrays[name]
        return samples

    def whole() -> int:
        for sample in read():
            for stage in stages:
                sample = stage.apply_all(sample, 1)[0]
        return len(sources)

    traces = [read()]
    for stage in stages:
        traces.append([stage.apply_all(sample, 1)[0] for sample in traces[-1]])
    found: dict[str, Callable[[], int]] = {"scans": whole, "scans: read": lambda: len(read())}
    for stage, samples in zip(stages, traces, strict=False):
        found[f"scans: {stage.name}"] = lambda s=stage, x=samples: len([s.apply_all(sample, 1) for sample in x])
    return found


def cases(inputs: dict[str, list[dict[str, np.ndarray]]], scans: Path) -> dict[str, Callable[[], int]]:
    """Return calls by name; each returns how many it did."""
    from face3d_data.geometry.locate import locate_face
    from face3d_data.registry import find
    from face3d_data.sample import Sample
    from face3d_data.wear.mask_style import mask_styles

    def of(kind: str) -> list[Any]:
        return [Sample.of(arrays) for arrays in inputs[kind]]

    def every(stages: list[Any], kind: str, n: int = 1) -> Callable[[], int]:
        samples = of(kind)
        pairs = [(stage, samples[i % len(samples)]) for i, stage in enumerate(stages)]
        return lambda: n * len([stage.apply_all(sample, 1) for stage, sample in pairs])

    # The same detector in both, whatever their defaults are.
    options = {"detect": {"detector": "mtcnn"}}
    stages = [find("stage", name)(**options.get(name, {})) for name in STAGES]
    traces: list[list[Any]] = [of("frame")]
    for stage in stages:
        traces.append([stage.apply(sample) for sample in traces[-1]])

    def frame() -> int:
        for sample in traces[0]:
            for stage in stages:
                sample = stage.apply(sample)
        return len(traces[0])

    found: dict[str, Callable[[], int]] = {"frame": frame}
    for stage, samples in zip(stages, traces, strict=False):
        found[f"frame: {stage.name}"] = lambda s=stage, x=samples: len([s.apply(sample) for sample in x])
    mask, each = find("stage", "mask"), list(mask_styles())
    return (
        found
        | scan_cases(scans)
        | {
            "locate_face": lambda: len([locate_face(one["points"]) for one in inputs["scan"]]),
            "locate_face, turned": lambda: len([locate_face(one["points"]) for one in inputs["turned"]]),
            "locate_3d": every([find("stage", "locate_3d")()] * PEOPLE, "scan"),
            "mask on a cloud": every([mask(styles=[style]) for style in each], "cloud"),
            "mask on a cloud, of eight": every(
                [mask(styles=[one], per_sample=SHARING) for one in each[:3]], "cloud", SHARING
            ),
            "mask on a photograph": every([mask(styles=[style]) for style in each], "photo"),
        }
    )


def serve(path: Path) -> None:
    """Do what is asked by lines of standard input, and say how many ms each took."""
    from face3d_data.engine.threads import limit_threads

    limit_threads()
    calls = cases(pickle.loads(path.read_bytes()), path.parent / "scans")
    print(json.dumps(list(calls)), flush=True)
    for line in sys.stdin:
        start = time.process_time()
        count = calls[json.loads(line)]()
        print(1000 * (time.process_time() - start) / count, flush=True)


def start(tree: Path, inputs: Path) -> subprocess.Popen[str]:
    """Start the process of a checkout."""
    command = [sys.executable, str(Path(__file__).resolve()), str(tree), "--serve", str(inputs)]
    paths = os.pathsep.join([str(tree), str(tree / "training")])
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tree, env=environment
    )


def ask(process: subprocess.Popen[str], name: str) -> float:
    """Return how many ms one of a case took."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(name) + "\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def measure(other: Path, rounds: int, only: list[str]) -> dict[str, dict[str, float]]:
    """Return ms of each case in both checkouts, and how many times as fast this one is."""
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder) / "inputs.pickle"
        made = make_inputs()
        inputs.write_bytes(pickle.dumps(made))
        (Path(folder) / "scans").mkdir()
        write_scans(Path(folder) / "scans", made["depth"])
        both = [start(tree, inputs) for tree in (other, ROOT)]
        names = [json.loads(process.stdout.readline()) for process in both if process.stdout][-1]
        found = {}
        for name in names:
            if only and not any(name.startswith(one) for one in only):
                continue
            taken = [[ask(process, name) for process in both] for _ in range(rounds + 1)][1:]
            before, after = (statistics.median(column) for column in zip(*taken, strict=True))
            ratio = statistics.median(one / two for one, two in taken)
            found[name] = {"before_ms": round(before, 2), "after_ms": round(after, 2), "ratio": round(ratio, 2)}
        for process in both:
            process.terminate()
        return found


def main() -> int:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="root of the other checkout")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=[], metavar="CASE", help="cases whose names begin so")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return 0
    found = measure(options.other.resolve(), options.rounds, options.only)
    print(f"{'':28} {'other ms':>9} {'this ms':>9} {'times as fast':>14}")
    for name, figures in found.items():
        print(f"{name:28} {figures['before_ms']:9.2f} {figures['after_ms']:9.2f} {figures['ratio']:14.2f}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
