"""What a mask costs: variants a second on one core, against one ray-cast of a head, and the memory of a worker.

    python benchmarks/mask_cost.py [--captures 6] [--rows 1000] [--json FILE]

Speed: the stage `mask` in memory, on synthetic captures of 640x480 after align_3d, every style in turn, on one core.
RGB-D: colour, depth and points; alone (one variant of each sample) and eight of one sample, which share its skin and
light. Points only: clouds of 20,000 points without images. The ray-cast: one ray of each of the 640x480 pixels at the
synthetic head's mesh (Open3D, one thread), the scene built before or within. Processor time, medians of 5 rounds in
which all take turns. Goals: 4 RGB-D variants a second, at most 3 times a ray-cast with its scene, 100 clouds a second.

Memory: rows of 640x480 RGB-D, landmarks given, through to_cloud, clean, align_3d and mask in one worker; its peak by
itself, its size by fifths of the time, and whether torch was loaded, from /proc (Linux). Goals: 600 MB, flat, no torch.
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
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import memory
import numpy as np
from mask_truth import synthetic_capture

from face3d_data.engine.threads import limit_threads
from face3d_data.geometry.open3d_lazy import open3d
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.result import Workers
from face3d_data.pipeline.run import run
from face3d_data.pipeline.spec import Pipeline
from face3d_data.registry import find
from face3d_data.sample import Sample
from face3d_data.stages.mask import Mask
from face3d_data.synthetic import capture as generator
from face3d_data.synthetic.write import write_people
from face3d_data.wear.mask_style import mask_styles

ROUNDS = 5
N_POINTS = 20_000
SEED = 9
SHARING = 8
GOALS = {"rgbd_per_s": 4.0, "points_per_s": 100.0}
MOST = {"rgbd_vs_cast_with_scene": 3.0, "peak_mb": 600e6 / 2**20}
STAGES = ("detect", "to_cloud", "clean", "align_3d", "mask")


def rgbd_samples(count: int) -> list[Sample]:
    """Return synthetic captures after align_3d, with a stereo camera's noise."""
    samples = []
    for person in range(count):
        made = generator.render_capture(SEED, person, 1)
        names = ("color", "depth", "intrinsics", "landmarks", "box")
        sample = find("stage", "detect")(detector="given").apply(Sample.of({name: made[name] for name in names}))
        for name in STAGES[1:-1]:
            sample = find("stage", name)().apply(sample)
        samples.append(sample)
    return samples


def cloud_samples(count: int) -> list[Sample]:
    """Return clouds of 20,000 points in the face frame, as a depth camera sees them, with landmarks and pose alone."""
    samples = []
    for person in range(count):
        seen = len(synthetic_capture(SEED, person, 1, given=True).sample.arrays["points"])
        width = round(640 * np.sqrt(1.05 * N_POINTS / seen))
        arrays = synthetic_capture(SEED, person, 1, width, round(0.75 * width), given=True).sample.arrays
        near = np.sort(np.argsort(np.linalg.norm(arrays["points"], axis=1))[:N_POINTS])  # round the nose tip
        chosen = {name: np.array(arrays[name]) for name in ("landmarks_3d", "pose")}
        samples.append(Sample.of({**chosen, "points": arrays["points"][near]}))
    return samples


def ray_cast(with_scene: bool) -> Callable[[], object]:
    """Return a call that casts a ray through every pixel of 640x480 at a synthetic head."""
    scene = generator.draw_scene(SEED, 0, 1, generator.capture_rng(SEED, 0, 1))
    head, _ = generator.person_head(SEED, 0, 1.0)
    camera = generator.camera_for(640, 480)
    grids = [generator.posed(head, p.rest, m, scene, camera) for p, m in zip(head.parts, head.moving, strict=True)]
    vertices = np.concatenate([grid.reshape(-1, 3) for grid in grids]).astype(np.float32)
    v, u = np.mgrid[:480, :640]
    rays = np.zeros((480, 640, 6), np.float32)
    rays[..., 3], rays[..., 4], rays[..., 5] = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, 1

    def build() -> Any:
        built = open3d().t.geometry.RaycastingScene(nthreads=1)
        built.add_triangles(open3d().core.Tensor(vertices), open3d().core.Tensor(head.triangles))
        return built

    ready = build()
    tensor = open3d().core.Tensor(rays)
    ready.cast_rays(tensor, nthreads=1)  # Open3D commits the scene at its first cast
    return lambda: (build() if with_scene else ready).cast_rays(tensor, nthreads=1)


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call keeps this process's one core busy, whatever else the machine does."""
    start = time.process_time()
    call()
    return time.process_time() - start


def measure_speed(count: int, n_rounds: int, styles: list[str]) -> dict[str, Any]:
    """Return milliseconds of each case, and the rates and ratios."""
    alone, some = (
        [Mask(styles=[style], per_sample=n) for style in styles[:most]] for n, most in ((1, None), (SHARING, 2))
    )
    rgbd, clouds = rgbd_samples(count), cloud_samples(count)
    pairs = [(stage, number % count) for number, stage in enumerate(alone)]
    cases: dict[str, tuple[int, Callable[[], object]]] = {
        "rgbd": (len(pairs), lambda: [stage.apply_all(rgbd[i], 1) for stage, i in pairs]),
        "rgbd_shared": (SHARING * len(some), lambda: [stage.apply_all(rgbd[0], 1) for stage in some]),
        "points": (len(pairs), lambda: [stage.apply_all(clouds[i], 1) for stage, i in pairs]),
        "points_shared": (SHARING * len(some), lambda: [stage.apply_all(clouds[0], 1) for stage in some]),
        "cast": (1, ray_cast(with_scene=False)),
        "cast_with_scene": (1, ray_cast(with_scene=True)),
    }
    rounds = [{name: seconds(call) / n for name, (n, call) in cases.items()} for _ in range(n_rounds + 1)][1:]
    ms = {name: round(1000 * statistics.median(one[name] for one in rounds), 2) for name in cases}
    ratio = {
        f"rgbd_vs_{name}": round(statistics.median(one["rgbd"] / one[name] for one in rounds), 2)
        for name in ("cast", "cast_with_scene")
    }
    rates = {f"{name}_per_s": round(1000 / ms[name], 1) for name in ("rgbd", "rgbd_shared", "points", "points_shared")}
    each = {stage.styles.copy().popitem()[0]: round(1000 * seconds(lambda s=stage: s.apply_all(rgbd[0], 1)), 1)
            for stage in alone}  # fmt: skip
    return {"median_ms": ms, **rates, **ratio, "ms_by_style": each}


def pipeline_over(root: Path, copies: int, folder: Path) -> Pipeline:
    """Return the pipeline from captures with landmarks to masks, over so many sources of one collection."""
    sources = memory.sources_over(root, copies, folder)
    steps, before = [], list(sources)
    for stage in STAGES:
        options = {"with": {"detector": "given"}} if stage == "detect" else {}
        steps.append({"id": stage, "stage": stage, "from": before, **options})
        before = [stage]
    limits = {"max_error_rate": 0.0, "max_reject_rate": 0.25}
    return make_pipeline({"name": "mask_cost", "sources": sources, "steps": steps, "limits": limits}, root)


class Loaded(memory.Watch):
    """Also looks whether a child of this process has torch in its memory."""

    torch = False

    def run(self) -> None:
        """Look at sizes, and a few times a second at what is loaded."""
        while not self._stop_now.wait(memory.LOOK_EVERY_S):
            pids = memory.children()
            sizes = [memory.resident_mb(pid) for pid in pids]
            if any(sizes):
                self.seen.append((time.perf_counter(), max(sizes)))
            if len(self.seen) % 10 == 0:
                self.torch |= any("libtorch" in _maps(pid) for pid in pids)


def _maps(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return ""


def measure_memory(rows: int, folder: Path) -> dict[str, Any]:
    """Run rows through the steps in one worker and return its peak, its sizes over `mask`, and whether torch came."""
    root = folder / "captures"
    people = min(memory.PEOPLE, max(1, rows // memory.CAPTURES))
    list(write_people(root, people, memory.CAPTURES, 3, 640, 480, 2))
    pipeline = pipeline_over(root, max(1, round(rows / (people * memory.CAPTURES))), folder)
    ends: dict[str, float] = {}
    watch = Loaded()
    watch.start()
    try:
        result = run(
            pipeline, folder / "work", engine=Workers("loky", 1),
            say=lambda line: ends.setdefault(line.split()[0], time.perf_counter()) and None,
        )  # fmt: skip
    finally:
        watch.stop()
    step = result.steps["mask"]
    fifths = watch.fifths(ends["mask"] - step.seconds, ends["mask"])
    return {
        "rows": step.report.inputs,
        "masked": len(step.entries),
        "seconds": round(step.seconds, 1),
        "peak_mb": round(max(found.report.peak_mb for found in result.steps.values()), 1),
        "mask_peak_mb": round(step.report.peak_mb, 1),
        "resident_mb_by_fifths": fifths,
        "flat": fifths[-1] <= memory.FLAT * max(fifths[:-1]) if fifths else None,
        "torch_loaded": watch.torch if fifths else None,
    }


def judge(found: dict[str, Any]) -> dict[str, bool]:
    """Return goal to whether it is met; what could not be looked at misses none."""
    goals = {f"{name} {found[name]:g} (at least {least:g})": found[name] >= least for name, least in GOALS.items()}
    name, most = "rgbd_vs_cast_with_scene", MOST["rgbd_vs_cast_with_scene"]
    goals[f"{name} {found[name]:g} (at most {most:g})"] = found[name] <= most
    if "memory" in found:
        own = found["memory"]
        goals[f"peak_mb {own['peak_mb']:g} (at most {MOST['peak_mb']:.1f})"] = own["peak_mb"] <= MOST["peak_mb"]
        goals[f"flat {own['flat']}"] = own["flat"] is not False
        goals[f"torch loaded {own['torch_loaded']}"] = not own["torch_loaded"]
    return goals


def main() -> int:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captures", type=int, default=6, help="synthetic captures that the speeds are measured on")
    parser.add_argument("--styles", nargs="+", choices=list(mask_styles()), default=list(mask_styles()), metavar="NAME")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds whose median is taken, after one more")
    parser.add_argument("--rows", type=int, default=1000, help="rows that the memory is measured over; 0: not at all")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    if options.rows:
        with tempfile.TemporaryDirectory() as folder:
            found["memory"] = measure_memory(options.rows, Path(folder))
    limit_threads()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    found = {**measure_speed(options.captures, options.rounds, options.styles), **found}
    for name, value in found.items():
        print(f"{name:24} {value}")
    found["goals"] = judge(found)
    for name, good in found["goals"].items():
        print(f"{'pass' if good else 'FAIL'}  {name}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
