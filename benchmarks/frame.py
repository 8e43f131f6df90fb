"""Speed of one RGB-D frame from its files to a dataset's points, on one core, against its unavoidable parts.

    python benchmarks/frame.py [--captures RGBD_FOLDER] [--images 8] [--json FILE]

End to end: decode, detect, to_cloud, clean, align_3d, subsample, normals, each as its stage does it, checks included.
The parts, each done by a bare library call on what the stages hand it: decoding (OpenCV), detection (the detector
without its stage), the nearest neighbours that find outliers (small_gicp), farthest points (fpsample), normals
and point-to-plane ICP of 2,048 points (Open3D). Medians of 5 rounds in which all cases take turns; goal: at most 1.3
times.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import fpsample
import numpy as np
import small_gicp

from face3d_data.detectors.depth_bound import possible_face_px
from face3d_data.detectors.facemesh import Facemesh
from face3d_data.engine.threads import limit_threads
from face3d_data.formats.image import read_color, read_depth_png
from face3d_data.geometry.align import fit_rigid
from face3d_data.geometry.mean_face import mean_face
from face3d_data.geometry.open3d_lazy import open3d
from face3d_data.registry import find
from face3d_data.sample import Sample

ROUNDS = 5
GOAL = 1.3
STAGES = ("detect", "to_cloud", "clean", "align_3d", "subsample", "normals")
N_POINTS = 2048

Frame = tuple[Path, Path, np.ndarray]


def write_frames(folder: Path, captures: Path | None, count: int) -> list[Frame]:
    """Write some captures as PNG files, depth in mm; return their paths and intrinsics."""
    reader = (
        find("reader", "rgbd_folder")(root=captures)
        if captures
        else find("reader", "synthetic")(people=count, captures=1)
    )
    sources = [source for source in reader.scan() if not source.problem]
    frames = []
    for number, source in enumerate(islice(sources, 0, None, max(1, len(sources) // count))):
        color, depth, intrinsics = (reader.load(source, name) for name in ("color", "depth", "intrinsics"))
        paths = folder / f"{number}_color.png", folder / f"{number}_depth.png"
        cv2.imwrite(str(paths[0]), color[..., ::-1])
        cv2.imwrite(str(paths[1]), np.rint(depth).astype(np.uint16))
        frames.append((*paths, intrinsics))
    return frames[:count]


def decode(frame: Frame) -> Sample:
    """Read one frame as a source's sample."""
    color, depth = read_color(frame[0]), read_depth_png(frame[1]).astype(np.float32)
    return Sample.of({"color": color, "depth": depth, "intrinsics": frame[2]})


def trace(frame: Frame, stages: list) -> list[Sample]:
    """Return the sample before the first stage and after each."""
    samples = [decode(frame)]
    for stage in stages:
        samples.append(stage.apply(samples[-1]))
    return samples


def parts(frame: Frame, samples: list[Sample]) -> dict[str, Callable[[], object]]:
    """Return the bare calls that one frame cannot do without."""
    o3d = open3d()
    raw, _, cloud, cleaned, aligned, sampled, _ = samples
    color, depth, intrinsics = (raw.arrays[name] for name in ("color", "depth", "intrinsics"))
    face, points = mean_face(), aligned.arrays["points"]
    cloudy = cloud.arrays["points"].astype(np.float64)
    start = fit_rigid(cleaned.arrays["landmarks_3d"], face.landmarks)

    def as_cloud(array: np.ndarray) -> object:
        return o3d.geometry.PointCloud(o3d.utility.Vector3dVector(array.astype(np.float64)))

    goal, some = as_cloud(face.points), as_cloud(sampled.arrays["points"])
    goal.normals = o3d.utility.Vector3dVector(face.normals.astype(np.float64))
    camera_points = cleaned.arrays["points"]
    scan = as_cloud(camera_points[np.linspace(0, len(camera_points) - 1, N_POINTS).astype(int)])
    registration = o3d.pipelines.registration
    plane = registration.TransformationEstimationPointToPlane()
    return {
        "decode": lambda: decode(frame),
        "detection": lambda: Facemesh().detect(color, 20.0, possible_face_px(depth, float(intrinsics[0]))),
        "outliers": lambda: small_gicp.KdTree(cloudy).batch_knn_search(cloudy, 9),
        "icp": lambda: registration.registration_icp(scan, goal, 20.0, start, plane),
        "sampling": lambda: fpsample.bucket_fps_kdline_sampling(points, N_POINTS, h=5, start_idx=0),
        "normals": lambda: some.estimate_normals(o3d.geometry.KDTreeSearchParamKNN(16)),
    }


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure(frames: list[Frame]) -> dict[str, object]:
    """Return the milliseconds a frame takes, whole, by stage and by part, and the ratio of whole to parts."""
    stages = [find("stage", name)() for name in STAGES]
    bare = [parts(frame, trace(frame, stages)) for frame in frames]
    rounds: list[dict[str, float]] = []
    for _ in range(ROUNDS + 1):
        taken = {"end to end": sum(seconds(lambda f=frame: trace(f, stages)) for frame in frames)}
        for name in bare[0]:
            taken[f"part {name}"] = sum(seconds(calls[name]) for calls in bare)
        for frame in frames:
            sample = decode(frame)
            for stage in stages:
                start = time.perf_counter()
                sample = stage.apply(sample)
                key = f"stage {stage.name}"
                taken[key] = taken.get(key, 0.0) + time.perf_counter() - start
        taken["sum of parts"] = sum(value for name, value in taken.items() if name.startswith("part "))
        rounds.append(taken)
    kept = rounds[1:]
    ms = {name: round(1000 * statistics.median(r[name] for r in kept) / len(frames), 3) for name in kept[0]}
    ratio = statistics.median(r["end to end"] / r["sum of parts"] for r in kept)
    return {"frames": len(frames), "median_ms": ms, "end_to_end_vs_parts": round(ratio, 3), "goal": GOAL}


def main() -> int:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captures", type=Path, help="rgbd_folder of captures; without it synthetic people are used")
    parser.add_argument("--images", type=int, default=8, help="captures used")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    limit_threads()
    cv2.setNumThreads(1)
    if hasattr(os, "sched_setaffinity"):
        # Open3D keeps threads of its own: one core for all is the only fair way.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        result = measure(write_frames(Path(folder), options.captures, options.images))
    print(f"one RGB-D frame, one core, {result['frames']} captures, medians of {ROUNDS}")
    for name, value in result["median_ms"].items():
        print(f"  {name:18} {value:8.2f} ms")
    print(f"  end to end / sum of parts {result['end_to_end_vs_parts']:6.2f}  (goal: at most {GOAL})")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
