"""Cost of the packaged network: an aligned cloud to its map, and the map to its embedding, one face at a time.

    python benchmarks/packaged_cost.py [--people 3] [--points 20000] [--rounds 10] [--json FILE]

The clouds are the skins of synthetic people as a camera sees them (surface_maps.py), the nose tip at the origin; times
are medians of processor time on one thread. The goal: at most 15 ms a face from the cloud to the embedding.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch
from surface_maps import GAP_MM, GRID, Skin

from face3d_data.geometry.surface_map import map_channels, surface_map
from face3d_training.checkpoint import load_model
from face3d_training.map_place import MapPlace
from face3d_training.packaged import PACKAGED, packaged_file

GOAL_MS = 15.0
SIGMA_MM = 1.4


def main() -> None:
    """Measure both parts on every face, and print their medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=3)
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    embed = embedder()
    clouds = [cloud(person, given.points) for person in range(given.people)]
    maps_ms = [milliseconds(to_map, points) for points in clouds for _ in range(given.rounds)]
    images = [to_map(points) for points in clouds]
    embed_ms = [milliseconds(embed, image) for image in images for _ in range(given.rounds)]
    found = {"map_ms": float(np.median(maps_ms)), "embedding_ms": float(np.median(embed_ms))}
    whole = sum(found.values())
    print(f"map {found['map_ms']:.1f} ms, embedding {found['embedding_ms']:.1f} ms, together {whole:.1f} ms")
    figures = {**found, "together_ms": whole, "goal_ms": GOAL_MS, "met": whole <= GOAL_MS}
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


def cloud(person: int, points: int) -> np.ndarray:
    """Return the points f4 (at most `points`, 3), mm, that a camera sees of a person."""
    seen = Skin(person).seen_from(0.0)
    chosen = np.random.default_rng(person).permutation(len(seen))[:points]
    return seen[np.sort(chosen)]


def to_map(points: np.ndarray) -> np.ndarray:
    """Return the map f4 (4, 64, 64) of a cloud, as the stage `maps` makes it."""
    return map_channels(surface_map(points, GRID, SIGMA_MM, GAP_MM), "slopes")


def embedder() -> Callable[[np.ndarray], Any]:
    """Return a function from a map to the packaged network's embedding of it."""
    trained = load_model(packaged_file(PACKAGED))
    assert trained.config is not None
    data, place = trained.config.data, MapPlace(GRID, normals=False)

    @torch.inference_mode()
    def embed(image: np.ndarray) -> Any:
        batch = image[None].copy()
        if data.map_height == "residual":
            place.residual(batch, data.map_clip_mm)
        batch[:, 0] /= data.map_scale_mm
        return trained.net(torch.from_numpy(batch))

    embed(to_map(cloud(0, 1000)))  # makes the mean face's map, and warms up
    return embed


def milliseconds(work: Callable[[np.ndarray], Any], array: np.ndarray) -> float:
    """Return the processor time of a call, ms."""
    started = time.process_time()
    work(array)
    return (time.process_time() - started) * 1000


if __name__ == "__main__":
    main()
