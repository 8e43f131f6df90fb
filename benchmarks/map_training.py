"""Training on maps: processor time of drawn masks and variation, and of a step with pairs, a teacher and part networks.

    python benchmarks/map_training.py [--batch 128] [--rounds 5] [--json FILE]

The map is that of the package's mean face, 64 × 64 cells of 2 mm, with a hole; all on one core. A step is forward,
loss and backward of one batch, without loading; the teacher's share of it is that it sees the plain half of the batch.
Rates of loading and learning together are those that `face3d train` prints.

The goal: at most 1 ms for a drawn mask over a map.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np
import torch

from face3d_data.geometry.mean_face import mean_face
from face3d_data.geometry.surface_map import MapGrid, map_channels, surface_map
from face3d_training.config import VaryMapConfig
from face3d_training.gradcache import backward
from face3d_training.losses.weighted import build_losses
from face3d_training.map_place import MapPlace
from face3d_training.map_variation import MapVariation
from face3d_training.registry import make_spec

GRID = MapGrid(2.0, 64, 64, -64.0, 66.0)
VARIED = VaryMapConfig(shift_cells=1, tilt=0.02, noise_mm=1.5, holes=0.3)
PEOPLE, CALLS, GOAL_MS = 1000, 50, 1.0
STEPS = {
    "map_resnet, arcface": ("map_resnet", {"arcface": {}}, False),
    "map_resnet, adaface": ("map_resnet", {"adaface": {}}, False),
    "map_resnet, arcface with 3 sub-centers": ("map_resnet", {"arcface": {"sub_centers": 3}}, False),
    "map_resnet, arcface and consistency": ("map_resnet", {"arcface": {}, "consistency": {}}, False),
    "map_resnet, the same with a teacher": ("map_resnet", {"arcface": {}, "consistency": {"teacher": "x"}}, True),
    "map_part_resnet, arcface and occlusion": ("map_part_resnet", {"arcface": {}, "occlusion": {}}, False),
}


def milliseconds(call: Callable[[int], object], calls: int, rounds: int) -> float:
    """Return the processor time of one call, ms: the median of rounds."""
    found = []
    for _ in range(rounds):
        start = time.process_time()
        for number in range(calls):
            call(number)
        found.append((time.process_time() - start) / calls * 1e3)
    return float(np.median(found))


def drawing(rounds: int) -> dict[str, float]:
    """Return the time of a mask and of a variation of one map, ms."""
    image = map_channels(surface_map(mean_face().points, GRID, 2.5, 8.0), "slopes")
    image[:, 40:44, 30:36] = 0
    variation, free = MapVariation(VARIED, MapPlace(GRID, normals=False)), np.zeros((64, 64), np.float32)
    return {
        "mask_ms": milliseconds(lambda seed: variation.masked(image, np.random.default_rng(seed)), CALLS, rounds),
        "variation_ms": milliseconds(
            lambda seed: variation.varied(image, free, np.random.default_rng(seed)), CALLS, rounds
        ),
    }


def step(name: str, size: int, rounds: int) -> float:
    """Return the time of a training step, ms."""
    model, losses, has_teacher = STEPS[name]
    torch.manual_seed(0)
    net = make_spec("model", model, {}).build().train()
    teacher = make_spec("model", model, {}).build().eval() if has_teacher else None
    loss = build_losses(losses, PEOPLE, 256).train()
    batch = {
        "inputs": torch.randn(size, 4, 64, 64),
        "label": torch.arange(size) // 2 % PEOPLE,
        "pair": torch.arange(size) // 2,
        "masked": torch.arange(size) % 2 == 1,
        "map_occlusion": (torch.rand(size, 64, 64) > 0.5).float(),
    }

    def once(_: int) -> None:
        if teacher is not None:
            batch["teacher_embedding"] = torch.zeros(size, 256)
            with torch.no_grad():
                batch["teacher_embedding"][~batch["masked"]] = teacher(batch["inputs"][~batch["masked"]])
        backward(net, loss, batch, 1)

    once(0)
    return milliseconds(once, 1, rounds)


def main() -> int:
    """Measure, print, and write JSON if asked; 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=128, help="samples of a step")
    parser.add_argument("--rounds", type=int, default=5, help="rounds whose median is taken")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    figures: dict[str, float] = drawing(options.rounds)
    print(f"a drawn mask: {figures['mask_ms']:.2f} ms (goal: at most {GOAL_MS:g})")
    print(f"shift, tilt, noise and holes: {figures['variation_ms']:.2f} ms")
    for name in STEPS:
        figures[name] = step(name, options.batch, options.rounds)
        print(
            f"{name}: {figures[name]:.0f} ms a step of {options.batch}, {options.batch / figures[name] * 1e3:.0f} a s"
        )
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return int(figures["mask_ms"] > GOAL_MS)


if __name__ == "__main__":
    sys.exit(main())
