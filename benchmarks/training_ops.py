"""Training steps of networks of points with this package's operations against the usual torch loops, as ratios.

    python benchmarks/training_ops.py [--batch 16] [--points 1024] [--rounds 5] [--json FILE]

On one CPU thread, in processor time, each figure a median over rounds in which all cases take turns:

- a whole training step (forward, backward, Adam) of PointNet++ and of PointMLP, both in their elite size, with the
  operations of `face3d_training.ops` and with the loops that networks of points are usually written with: farthest
  point sampling by a masked loop, ball query by a matrix product and a sort, nearest points by a matrix product and
  topk, gathering by advanced indexing (goal: 1.15 times the speed). Only the operations differ;
- the same against those loops with the first layer of each group where it is usually written, after gathering;
- each operation's share of such a step: its calls, recorded in one step, are repeated alone, gathering with its
  gradient. What is left are the layers;
- farthest point sampling alone, 32 clouds of 2,048 points to 512.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from face3d_training.allocator import keep_freed_memory
from face3d_training.models.pointmlp_net import LocalGrouper
from face3d_training.models.pointnet2_net import BallNet
from face3d_training.ops import KERNELS, ball_query, farthest_points, find_kernel, gather_points, nearest_points
from face3d_training.registry import make_spec

NETS = ("pointnet2_ssg_elite", "pointmlp_elite")
OPERATIONS = ("farthest_points", "ball_query", "nearest_points", "gather_points")
GOAL = 1.15
Calls = list[tuple[Any, ...]]
Kernels = dict[tuple[str, str], Callable[..., Any]]


def usual_farthest(points: torch.Tensor, n_points: int, start: torch.Tensor | None) -> torch.Tensor:
    """Farthest point sampling as torch ports of PointNet++ have it, from index 0."""
    batch, size, _ = points.shape
    chosen = torch.zeros(batch, n_points, dtype=torch.long)
    distance = torch.ones(batch, size) * 1e10
    farthest = torch.zeros(batch, dtype=torch.long) if start is None else start
    rows = torch.arange(batch)
    for i in range(n_points):
        chosen[:, i] = farthest
        squared = torch.sum((points - points[rows, farthest, :].view(batch, 1, 3)) ** 2, -1)
        mask = squared < distance
        distance[mask] = squared[mask]
        farthest = torch.max(distance, -1)[1]
    return chosen


def usual_distances(centers: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Squared distances by a matrix product, f4 (B, S, N)."""
    squared = -2 * torch.matmul(centers, points.permute(0, 2, 1))
    squared += torch.sum(centers**2, -1)[:, :, None]
    squared += torch.sum(points**2, -1)[:, None, :]
    return squared


def usual_ball(points: torch.Tensor, centers: torch.Tensor, radius: float, k: int) -> torch.Tensor:
    """Ball query by sorting the indices of all points."""
    (batch, size, _), n_centers = points.shape, centers.shape[1]
    index = torch.arange(size).view(1, 1, size).repeat([batch, n_centers, 1])
    index[usual_distances(centers, points) > radius**2] = size
    index = index.sort(dim=-1)[0][:, :, :k]
    first = index[:, :, 0].view(batch, n_centers, 1).repeat([1, 1, k])
    mask = index == size
    index[mask] = first[mask]
    return index


def usual_nearest(points: torch.Tensor, centers: torch.Tensor, k: int) -> torch.Tensor:
    """Nearest points by topk, in no order."""
    return torch.topk(usual_distances(centers, points), k, dim=-1, largest=False, sorted=False)[1]


def usual_gather(features: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Gathering by advanced indexing."""
    rows = torch.arange(len(index)).view(-1, *[1] * (index.ndim - 1)).repeat(1, *index.shape[1:])
    return features[rows, index, :]


def usual_ball_net(net: BallNet, xyz: torch.Tensor, features: torch.Tensor, centers: torch.Tensor) -> torch.Tensor:
    """PointNet++'s first layer on the points of each ball."""
    index = ball_query(xyz, centers, net.radius, net.neighbors)
    relative = gather_points(xyz, index) - centers[:, :, None]
    values = torch.cat([relative, gather_points(features, index)], dim=3) if features.shape[2] else relative
    return net.rest(torch.relu(net.norm(net.first(values))))


def usual_grouper(net: LocalGrouper, xyz: torch.Tensor, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """PointMLP's geometric affine module and first layer on the points of each group."""
    chosen = farthest_points(xyz, xyz.shape[1] // net.reducer)
    centers, anchors = gather_points(xyz, chosen), gather_points(features, chosen)[:, :, None]
    groups = gather_points(features, nearest_points(xyz, centers, net.neighbors))
    scaled = net.alpha * (groups - anchors) / (torch.std(groups - anchors) + 1e-5) + net.beta
    return centers, net.linear(torch.cat([scaled, anchors.expand_as(groups)], dim=3))


OURS: Kernels = {(name, "exact"): find_kernel(name, "exact") for name in OPERATIONS}
LOOPS = (usual_farthest, usual_ball, usual_nearest, usual_gather)
USUAL: Kernels = {(name, "exact"): loop for name, loop in zip(OPERATIONS, LOOPS, strict=True)}


def clouds(batch: int, points: int) -> torch.Tensor:
    """Return points of the unit sphere, f4 (B, N, 3)."""
    drawn = torch.randn(batch, points, 3, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.normalize(drawn, dim=2)


def training_step(name: str, inputs: torch.Tensor) -> Callable[[], None]:
    """Return what makes one training step of a network."""
    torch.manual_seed(0)
    net = make_spec("model", name, {}).build().train()
    optimizer = torch.optim.Adam(net.parameters())

    def step() -> None:
        optimizer.zero_grad()
        embeddings = net(inputs)
        (embeddings[1:] - embeddings[:-1]).square().sum().backward()
        optimizer.step()

    return step


def seconds(call: Callable[[], object]) -> float:
    """Return the processor time of a call: on one thread that is the clock's, less what other programs take."""
    start = time.process_time()
    call()
    return time.process_time() - start


def rounds_of(cases: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Run all cases in turn, once to warm up and then in each round; return each one's seconds."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, call in cases.items():
            elapsed = seconds(call)
            if number:
                times[name].append(elapsed)
    return times


def ratio(times: dict[str, list[float]], above: str, below: str) -> float:
    """Return the median over the rounds of one case's time divided by another's."""
    return round(statistics.median(a / b for a, b in zip(times[above], times[below], strict=True)), 3)


def recorded(step: Callable[[], None], kernels: Kernels) -> dict[str, Calls]:
    """Return the arguments that each operation was called with in one step."""
    calls: dict[str, Calls] = {name: [] for name in OPERATIONS}

    def listening(name: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            calls[name].append(tuple(a.detach() if isinstance(a, torch.Tensor) else a for a in arguments))
            return kernel(*arguments)

        return call

    with mock.patch.dict(KERNELS, {key: listening(key[0], kernel) for key, kernel in kernels.items()}):
        step()
    return calls


def repeated(name: str, calls: Calls, kernel: Callable[..., Any]) -> Callable[[], None]:
    """Return what makes the calls of an operation again, gathering with its gradient where it carries features."""

    def again() -> None:
        for arguments in calls:
            if name == "gather_points" and arguments[0].shape[2] > 3:
                features = arguments[0].requires_grad_()
                found = kernel(features, arguments[1])
                torch.autograd.grad(found, features, found.detach())
            else:
                kernel(*arguments)

    return again


def with_kernels(kernels: Kernels, step: Callable[[], None]) -> None:
    """Make a step with other implementations of the operations."""
    with mock.patch.dict(KERNELS, kernels):
        step()


def with_usual_layers(step: Callable[[], None]) -> None:
    """Make a step with the usual loops and with first layers after gathering."""
    with (
        mock.patch.dict(KERNELS, USUAL),
        mock.patch.object(BallNet, "forward", usual_ball_net),
        mock.patch.object(LocalGrouper, "forward", usual_grouper),
    ):
        step()


def measure_net(name: str, inputs: torch.Tensor, rounds: int) -> dict[str, Any]:
    """Return a network's step times, their ratio and the shares of its parts."""
    cases: dict[str, Callable[[], object]] = {}
    parts: dict[tuple[str, str], Callable[[], object]] = {}
    for variant, kernels in (("ours", OURS), ("usual", USUAL)):
        step = training_step(name, inputs)
        cases[variant] = functools.partial(with_kernels, kernels, step)
        for operation, calls in recorded(step, kernels).items():
            if calls:
                parts[variant, operation] = repeated(operation, calls, kernels[operation, "exact"])
    cases["usual, layers too"] = functools.partial(with_usual_layers, training_step(name, inputs))
    times = rounds_of({**cases, **{"/".join(key): call for key, call in parts.items()}}, rounds)
    shares: dict[str, dict[str, float]] = {variant: {} for variant, _ in parts}
    for variant, operation in parts:
        shares[variant][operation] = ratio(times, f"{variant}/{operation}", variant)
    for found in shares.values():
        found["layers"] = round(1 - sum(found.values()), 3)
    ms = {variant: round(1000 * statistics.median(times[variant]), 1) for variant in cases}
    ratios = {"ratio": ratio(times, "usual", "ours"), "ratio_layers_too": ratio(times, "usual, layers too", "ours")}
    return {"step_ms": ms, **ratios, "shares": shares}


def measure_sampling(batch: int, points: int, keep: int, rounds: int) -> dict[str, Any]:
    """Return the times of farthest point sampling, and how much faster than the usual loop it is."""
    inputs, start = clouds(batch, points), torch.zeros(batch, dtype=torch.long)
    if not torch.equal(farthest_points(inputs, keep, start=start), usual_farthest(inputs, keep, start)):
        raise SystemExit("the two ways of farthest point sampling choose different points")
    cases: dict[str, Callable[[], object]] = {
        "usual": lambda: usual_farthest(inputs, keep, None),
        "exact": lambda: farthest_points(inputs, keep),
        "fast": lambda: farthest_points(inputs, keep, "fast"),
    }
    times = rounds_of(cases, rounds)
    ms = {name: round(1000 * statistics.median(values), 1) for name, values in times.items()}
    return {"ms": ms, "ratio": {name: ratio(times, "usual", name) for name in ("exact", "fast")}}


def main() -> int:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16, help="clouds of a training step")
    parser.add_argument("--points", type=int, default=1024, help="points of a cloud")
    parser.add_argument("--sampling", type=int, nargs=3, default=[32, 2048, 512], metavar=("B", "N", "KEEP"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    inputs = clouds(options.batch, options.points)
    nets = {name: measure_net(name, inputs, options.rounds) for name in NETS}
    result: dict[str, Any] = {"batch": options.batch, "points": options.points, "goal": GOAL, "nets": nets}
    result["sampling"] = measure_sampling(*options.sampling, options.rounds)
    for name, found in nets.items():
        ms = found["step_ms"]
        print(f"{name}: {found['ratio']:.2f} times as fast (goal {GOAL}): {ms['usual']} → {ms['ours']} ms a step")
        print(f"  {found['ratio_layers_too']:.2f} times, with first layers where they are usually written")
        for variant, shares in found["shares"].items():
            print(f"  {variant:6}", "  ".join(f"{part} {100 * share:.1f} %" for part, share in shares.items()))
    for name, times_as_fast in result["sampling"]["ratio"].items():
        print(f"farthest points, {name}: {times_as_fast:.1f} times as fast as the usual loop")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
