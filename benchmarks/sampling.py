"""Speed of subsampling on one thread, as ratios measured in one run.

    python benchmarks/sampling.py [--points 30000] [--keep 2048] [--json FILE]

Compared on a face's cloud, each a median of 5 rounds in which all cases take turns:

- `fast` against fpsample's bare function with the same tree height and start (goal: at least 90 % of its speed);
- `fast` against Open3D's farthest point sampling (goal: at least 5 times) and against a plain NumPy loop;
- `exact` against that loop, and how much wider than `exact` `fast` leaves the widest hole.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fpsample
import numpy as np
from scipy.spatial import cKDTree

from face3d_data.engine.threads import limit_threads
from face3d_data.geometry.farthest import farthest_from_centroid
from face3d_data.geometry.mean_face import mean_face
from face3d_data.geometry.open3d_lazy import open3d
from face3d_data.geometry.sampling import sample_points

ROUNDS = 5
REPEATS = {"fast": 20, "fpsample": 20}
"""Calls in a round, where one call is too short for a ratio to be told within some percent."""
GOALS = {"fast_vs_fpsample": 0.9, "fast_vs_open3d": 5.0}


def face_cloud(n_points: int) -> np.ndarray:
    """Return a face's points as a camera gives them: the mean face at that density, in raster order."""
    face, rng = mean_face(), np.random.default_rng(0)
    chosen = rng.integers(0, len(face.points), n_points)
    cloud = (face.points[chosen] + rng.normal(0, 1.0, (n_points, 3))).astype(np.float32)
    return np.ascontiguousarray(cloud[np.lexsort((cloud[:, 0], -cloud[:, 1].round()))])


def numpy_loop(points: np.ndarray, n_points: int) -> np.ndarray:
    """Farthest point sampling as it is usually written in NumPy."""
    chosen = np.zeros(n_points, np.intp)
    nearest = np.full(len(points), np.inf, np.float32)
    index = farthest_from_centroid(points)
    for i in range(n_points):
        chosen[i] = index
        offset = points - points[index]
        nearest = np.minimum(nearest, np.einsum("ij,ij->i", offset, offset))
        index = int(nearest.argmax())
    return chosen


def cases(points: np.ndarray, keep: int) -> dict[str, Callable[[], object]]:
    """Return what is timed, by name."""
    o3d = open3d()
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points.astype(np.float64)))
    height, start = 5 if len(points) <= 15_000 else 7, farthest_from_centroid(points)
    return {
        "fast": lambda: sample_points(points, keep, "fast"),
        "fpsample": lambda: fpsample.bucket_fps_kdline_sampling(points, keep, h=height, start_idx=start),
        "open3d": lambda: cloud.farthest_point_down_sample(keep),
        "exact": lambda: sample_points(points, keep, "exact"),
        "numpy_loop": lambda: numpy_loop(points, keep),
    }


def times_ms(timed: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Run all cases in turn, once to warm up and then `ROUNDS` times; return each one's times in ms."""
    times: dict[str, list[float]] = {name: [] for name in timed}
    for round_number in range(ROUNDS + 1):
        for name, call in timed.items():
            repeats = REPEATS.get(name, 1)
            start = time.perf_counter()
            for _ in range(repeats):
                call()
            if round_number:
                times[name].append(1000 * (time.perf_counter() - start) / repeats)
    return times


def ratio(times: dict[str, list[float]], above: str, below: str) -> float:
    """Return the median over the rounds of one case's time divided by another's."""
    return round(statistics.median(a / b for a, b in zip(times[above], times[below], strict=True)), 3)


def covering_radius(points: np.ndarray, chosen: np.ndarray) -> float:
    """Return the distance of the point that is farthest from all chosen ones, mm."""
    return float(cKDTree(points[chosen]).query(points)[0].max())


def measure(n_points: int, keep: int) -> dict[str, object]:
    """Return times, ratios and how well `fast` covers."""
    points = face_cloud(n_points)
    times = times_ms(cases(points, keep))
    ms = {name: round(statistics.median(values), 3) for name, values in times.items()}
    radius = {name: covering_radius(points, sample_points(points, keep, name)) for name in ("fast", "exact")}
    ratios = {f"fast_vs_{other}": ratio(times, other, "fast") for other in ("fpsample", "open3d", "numpy_loop")}
    ratios["exact_vs_numpy_loop"] = ratio(times, "numpy_loop", "exact")
    ratios["fast_covering_radius_vs_exact"] = round(radius["fast"] / radius["exact"], 3)
    return {"points": n_points, "keep": keep, "median_ms": ms, "ratios": ratios, "goals": GOALS}


def main() -> int:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=30_000)
    parser.add_argument("--keep", type=int, default=2048)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    limit_threads()
    result = measure(options.points, options.keep)
    print(f"subsample {options.points} -> {options.keep} points, one thread, medians of {ROUNDS}")
    for name, value in result["median_ms"].items():
        print(f"  {name:12} {value:9.2f} ms")
    for name, value in result["ratios"].items():
        goal = f"  (goal: {GOALS[name]:g})" if name in GOALS else ""
        print(f"  {name:30} {value:7.2f}{goal}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
