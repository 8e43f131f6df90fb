"""Population of a dataset: a linear model of its registered faces, as a file that the reader `synthetic` draws from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.atomic import atomic_path
from face3d_data.errors import UserError
from face3d_data.registration.population import Population, build_population
from face3d_data.registration.template import own_template
from face3d_data.shards.check import checked_dataset

VARIANCES = (0.9, 0.95, 0.99)
NEEDED = "vertices"


def build_model(
    path: str | Path, out: str | Path, modes: int, within: int, splits: tuple[str, ...] = (), check: bool = True
) -> dict[str, Any]:
    """Write the linear model of a dataset's registered faces; one mean a person.

    Args:
        path: the dataset's folder.
        out: an `.npz` file: mean, triangles, identity, expression, landmarks_68, explained_variance and more.
        modes: most modes of people.
        within: most modes of captures about their person.
        splits: splits to take, all by default.
        check: compare the dataset's files with their hashes first.

    Returns:
        Figures of the model: people, captures, modes, and how many explain which share.

    Raises:
        UserError: the dataset has no vertices, of another topology, of fewer than two people, or `out` is no .npz.
    """
    path = Path(path)
    out = Path(out)
    if out.suffix != ".npz":
        raise UserError(f"{out}: the model is written as .npz: name it so")
    dataset = checked_dataset(path, check)
    if NEEDED not in dataset.info["spec"]["fields"]:
        there = ", ".join(dataset.info["spec"]["fields"])
        raise UserError(f"{path}: has no vertices (its arrays: {there}): register the scans, and publish vertices")
    faces, visible, people = [], [], []
    for split in splits or tuple(dataset.splits):
        reader, table = dataset.reader(split), dataset.table(split)
        ids = table["id"].tolist()
        for place, name in enumerate(table["name"].tolist()):
            sample = reader[place]
            faces.append(np.asarray(sample["vertices"]))
            _check_topology(f"{path}: {ids[place]}", faces[-1])
            visible.append(np.asarray(sample.get("vertex_visible", np.ones(len(faces[-1]), np.uint8))))
            people.append(name)
    try:
        population = build_population(faces, visible, people, modes, within)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    _write(out, population)
    return summary(population)


def _check_topology(where: str, vertices: np.ndarray) -> None:
    template = own_template()
    only = "a model is built of the package's template only: register with it"
    if len(vertices) != len(template.vertices):
        raise UserError(f"{where}: has {len(vertices)} vertices a face: {only}")
    if not template.has_topology_of(vertices):
        raise UserError(f"{where}: has vertices in another order than the package's template: {only}")


def summary(population: Population) -> dict[str, Any]:
    """Return the figures of a population."""
    shares = np.cumsum(population.explained)
    needed = {f"{share:.0%}": int(np.searchsorted(shares, share - 1e-9)) + 1 for share in VARIANCES}
    total = float(np.sqrt((population.identity**2).sum(axis=(0, 2)).mean()))
    return {
        "people": population.people,
        "captures": population.captures,
        "modes": len(population.identity),
        "expression_modes": len(population.expression),
        "modes_for": {share: count for share, count in needed.items() if count <= len(shares)},
        "explained_variance": [round(float(value), 5) for value in population.explained],
        "rms_mm": round(total, 3),
    }


def _write(out: Path, population: Population) -> None:
    template = own_template()
    nearest = template.landmark_corners[np.arange(68), template.landmark_weights.argmax(axis=1)]
    try:
        with atomic_path(out) as partial, open(partial, "wb") as file:
            np.savez_compressed(
                file,
                mean=population.mean.astype(np.float32),
                triangles=template.triangles.astype(np.uint16),
                identity=population.identity.astype(np.float16),
                expression=population.expression.astype(np.float16),
                explained_variance=population.explained.astype(np.float32),
                explained_variance_within=population.explained_within.astype(np.float32),
                landmarks_68=nearest.astype(np.uint16),
                people=np.int64(population.people),
                captures=np.int64(population.captures),
            )
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror or error}): give another file") from None
