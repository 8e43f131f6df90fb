"""Speed of face detection on one thread, as ratios measured in one run.

    python benchmarks/detection.py [--captures RGBD_FOLDER] [--tf-python PATH/TO/python] [--json FILE]

Compared, each a median of 5 rounds in which all cases take turns:

- detection with every size from 20 px, against the sum of the forward passes of its three networks alone, and
  against these with the scalings of the image pyramid, which are as unavoidable;
- detection bounded by the depths seen, against the same;
- the `mtcnn` package at equal settings, where an interpreter is named that has it and TensorFlow installed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import torch

from face3d_data.detectors import cascade
from face3d_data.detectors.depth_bound import possible_face_px
from face3d_data.registry import find

ROUNDS = 5
TENSORFLOW = """
import os, sys, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np, tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
from mtcnn import MTCNN
detector, images = MTCNN(), list(np.load(sys.argv[1]).values())
detector.detect_faces(images[0])
for _ in sys.stdin:
    start = time.perf_counter()
    for image in images:
        detector.detect_faces(image)
    print(time.perf_counter() - start, flush=True)
"""

Capture = tuple[np.ndarray, np.ndarray, np.ndarray]


def load_captures(folder: Path | None, count: int) -> list[Capture]:
    """Return colour, depth and intrinsics of some captures, spread over the collection."""
    reader = (
        find("reader", "rgbd_folder")(root=folder) if folder else find("reader", "synthetic")(people=count, captures=1)
    )
    sources = [source for source in reader.scan() if not source.problem]
    chosen = islice(sources, 0, None, max(1, len(sources) // count))
    names = ("color", "depth", "intrinsics")
    return [tuple(reader.load(source, name) for name in names) for source in islice(chosen, count)]


def detect_all(captures: list[Capture], bounded: bool) -> None:
    """Run the detector over every capture, with or without the depth bound."""
    detector = cascade.Cascade()
    for color, depth, intrinsics in captures:
        detector.detect(color, 20.0, possible_face_px(depth, float(intrinsics[0])) if bounded else None)


Call = tuple[Callable, tuple, dict]


def record(captures: list[Capture], bounded: bool) -> tuple[list[Call], list[Call]]:
    """Return the forward passes that `detect_all` makes, and the image scalings."""
    passes: list[Call] = []
    scalings: list[Call] = []

    def recording(function: Callable, calls: list[Call]) -> Callable:
        def call(*args: object, **options: object) -> object:
            calls.append((function, args, options))
            return function(*args, **options)

        return call

    nets = tuple(recording(net, passes) for net in cascade.load_nets("cpu"))
    shrink = recording(cascade.shrink, scalings)
    with mock.patch.object(cascade, "load_nets", return_value=nets), mock.patch.object(cascade, "shrink", shrink):
        detect_all(captures, bounded)
    return passes, scalings


def replay(*recorded: list[Call]) -> Callable[[], None]:
    """Return a function that makes the recorded calls again."""

    def work() -> None:
        with torch.inference_mode():
            for function, args, options in chain(*recorded):
                function(*args, **options)

    return work


def timed(work: Callable[[], None]) -> Callable[[], float]:
    """Return a function that gives the seconds that `work` takes."""

    def measure() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return measure


@contextmanager
def tensorflow_package(python: str, images: list[np.ndarray]) -> Iterator[Callable[[], float]]:
    """Start the `mtcnn` package in another interpreter; yield a function that gives its seconds for one round."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npz"
        np.savez(path, *images)
        command = [python, "-c", TENSORFLOW, str(path)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, **pipes) as process:

            def measure() -> float:
                print(file=process.stdin, flush=True)
                answer = process.stdout.readline()
                if not answer:
                    raise SystemExit(f"{python}: mtcnn with TensorFlow does not run there")
                return float(answer)

            yield measure
            process.stdin.close()


def run_rounds(cases: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Return the seconds of every case in every round, after one round to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(ROUNDS + 1):
        for name, measure in cases.items():
            taken = measure()
            if number:
                seconds[name].append(taken)
    return seconds


def ratio(seconds: dict[str, list[float]], above: str, below: str) -> float:
    """Return the median over the rounds of one case's time divided by another's."""
    return statistics.median(a / b for a, b in zip(seconds[above], seconds[below], strict=True))


def measure(captures: list[Capture], tf_python: str | None) -> dict:
    """Run all cases and return images a second and ratios."""
    free_passes, free_scalings = record(captures, bounded=False)
    bounded_passes, bounded_scalings = record(captures, bounded=True)
    cases = {
        "all sizes from 20 px": timed(lambda: detect_all(captures, bounded=False)),
        "  its networks alone": timed(replay(free_passes)),
        "  its networks and image scalings": timed(replay(free_passes, free_scalings)),
        "bounded by depth": timed(lambda: detect_all(captures, bounded=True)),
        "  its networks alone (bounded)": timed(replay(bounded_passes)),
        "  its networks and image scalings (bounded)": timed(replay(bounded_passes, bounded_scalings)),
    }
    if tf_python:
        with tensorflow_package(tf_python, [color for color, _, _ in captures]) as package:
            seconds = run_rounds(cases | {"mtcnn package (TensorFlow)": package})
    else:
        seconds = run_rounds(cases)
    free, free_nets, free_least, bounded, bounded_nets, bounded_least, *package_name = seconds
    ratios = {
        "detection / its networks": ratio(seconds, free, free_nets),
        "detection / its networks and image scalings": ratio(seconds, free, free_least),
        "bounded detection / its networks": ratio(seconds, bounded, bounded_nets),
        "bounded detection / its networks and image scalings": ratio(seconds, bounded, bounded_least),
        "speed gained by the depth bound": ratio(seconds, free, bounded),
    }
    for name in package_name:
        ratios["mtcnn package / detection at equal settings (goal >= 2)"] = ratio(seconds, name, free)
        ratios["mtcnn package / detection bounded by depth (goal >= 8)"] = ratio(seconds, name, bounded)
    rates = {name: len(captures) / statistics.median(values) for name, values in seconds.items()}
    return {"images": len(captures), "images_per_second": rates, "ratios": ratios}


def main() -> None:
    """Parse options, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--captures", type=Path, help="rgbd_folder of captures; without it synthetic people are rendered"
    )
    parser.add_argument("--images", type=int, default=8, help="captures used")
    parser.add_argument("--tf-python", help="an interpreter with mtcnn 1.0.0 and TensorFlow")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    result = measure(load_captures(options.captures, options.images), options.tf_python)
    print(f"detection, one thread, {result['images']} captures, medians of {ROUNDS}")
    for name, rate in result["images_per_second"].items():
        print(f"  {name:<58}{rate:8.1f} images/s")
    for name, value in result["ratios"].items():
        print(f"  {name:<58}{value:8.2f} x")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
