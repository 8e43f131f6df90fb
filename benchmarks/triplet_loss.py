"""Triplet losses by matrices against pytorch-metric-learning's lists of triplets: speed as ratios, memory, agreement.

    python benchmarks/triplet_loss.py [--batches 128 512 1024] [--rounds 5] [--json FILE]

On one CPU thread, in processor time: the loss and its gradient for 128 numbers a sample, four samples a person, in each
mining. Each figure is a median over rounds in which both take turns. Memory is what a process grew by at its peak, with
each side in a process of its own. How far value and gradient differ is printed beside.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner, TripletMarginMiner

from face3d_training.losses.triplet import Triplet

MININGS = ("all", "hard", "semihard", "batch_hard")
MARGIN, SAMPLES, SIZE = 0.2, 4, 128
Step = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def matrices(mining: str) -> Step:
    """Return this package's loss as a function of embeddings and labels."""
    module = Triplet(mining=mining).build(1, SIZE)

    def step(embedding: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        value = module({"embedding": embedding}, {"label": label}).read()
        return embedding.sum() * 0 if value.loss is None else value.loss

    return step


def lists(mining: str) -> Step:
    """Return the library's loss, with its miner."""
    distance = LpDistance()
    hard = mining == "batch_hard"
    miner = BatchHardMiner(distance=distance) if hard else TripletMarginMiner(MARGIN, mining, distance=distance)
    loss = TripletMarginLoss(margin=MARGIN, distance=distance)
    return lambda embedding, label: loss(embedding, label, miner(embedding, label))


def batch_of(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return embeddings f4 (B, E), unit length, of people who are partly mixed up, and their labels."""
    generator = torch.Generator().manual_seed(size)
    label = torch.arange(size) // SAMPLES
    centres = torch.randn(len(label.unique()), SIZE, generator=generator)
    free = centres[label] + 1.3 * torch.randn(size, SIZE, generator=generator)
    return torch.nn.functional.normalize(free), label


def once(step: Step, size: int) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Return a loss, its gradient, and the processor seconds it took."""
    embedding, label = batch_of(size)
    embedding.requires_grad_()
    start = time.process_time()
    loss = step(embedding, label)
    loss.backward()
    seconds = time.process_time() - start
    assert embedding.grad is not None
    return loss.detach(), embedding.grad, seconds


def grown_mb(side: str, mining: str, size: int) -> float:
    """Return the MB that a process grows by at most in which one side is computed once."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", side, mining, str(size)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def child(side: str, mining: str, size: int) -> None:
    """Compute one side once, and print how many MB more than before were held at the peak."""

    def held(what: str) -> float:
        return int(re.search(rf"{what}:\s*([0-9]+)", Path("/proc/self/status").read_text())[1]) / 1024  # type: ignore[index]

    step = {"matrices": matrices, "lists": lists}[side](mining)
    once(step, 32)
    Path("/proc/self/clear_refs").write_text("5")
    before = held("VmRSS")
    once(step, size)
    print(held("VmHWM") - before)


def compare(mining: str, size: int, rounds: int) -> dict[str, Any]:
    """Return the figures of a mining at a batch size."""
    ours, theirs = matrices(mining), lists(mining)
    (loss, gradient, _), (expected, expected_gradient, _) = once(ours, size), once(theirs, size)
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(rounds):
        seconds["theirs"].append(once(theirs, size)[2])
        seconds["ours"].append(once(ours, size)[2])
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "mining": mining,
        "batch": size,
        "faster": medians["theirs"] / medians["ours"],
        "ms": 1000 * medians["ours"],
        "mb": grown_mb("matrices", mining, size),
        "mb_lists": grown_mb("lists", mining, size),
        "loss_differs": abs(float(loss - expected)),
        "gradient_differs": float((gradient - expected_gradient).abs().max()),
    }


def main() -> None:
    """Print a row for each mining and batch size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[128, 512, 1024])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.child:
        side, mining, size = options.child
        child(side, mining, int(size))
        return
    rows = []
    for mining in MININGS:
        for size in options.batches:
            row = compare(mining, size, options.rounds)
            print("  ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()), flush=True)
            rows.append(row)
    if options.json:
        mined = [row for row in rows if row["mining"] == "semihard"]
        figures = {f"faster_{row['batch']}": row["faster"] for row in mined}
        options.json.write_text(json.dumps({"rows": rows, **figures, "mb": max(row["mb"] for row in mined)}))


if __name__ == "__main__":
    main()
