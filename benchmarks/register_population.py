"""From scans to a population and back: people registered, a model built of them, new people drawn from it.

    python benchmarks/register_population.py [--people 200] [--jobs 2] [--json FILE]

Runs a pipeline over noisy captures of synthetic people, `face3d model build`, and a pipeline whose reader `synthetic`
draws new people from that model; then compares the people's true surfaces, their registered ones and the drawn ones as
aligned depth maps: rms to the mean, pairwise, to the nearest, and modes for 90, 95 and 99 % of the variance.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import face_maps
import numpy as np
from population import mean_landmarks, surface_map

from face3d_data.formats.face_model import read_face_model
from face3d_data.pipeline.build import load_pipeline
from face3d_data.pipeline.result import Workers
from face3d_data.pipeline.run import run
from face3d_data.registration.template import own_template
from face3d_data.shards.population import build_model
from face3d_data.shards.read import Dataset
from face3d_data.synthetic.appearance import draw_appearance
from face3d_data.synthetic.head import build_head
from face3d_data.synthetic.identity import draw_identity
from face3d_data.synthetic.statistical import five_of, identity_weights

SEED = 31
STEPS = """
steps:
  - {id: faces, stage: detect, from: people, with: {detector: given}}
  - {id: clouds, stage: to_cloud, from: faces, with: {crop_radius_mm: 110}}
  - {id: cleaned, stage: clean, from: clouds}
  - {id: posed, stage: align_3d, from: cleaned}
  - {id: registered, stage: register, from: posed}
datasets:
  registered: {from: registered, fields: [vertices, vertex_visible, landmarks_68_3d], tags: [registered_misfit]}
"""


def registered(folder: Path, name: str, options: dict[str, Any], jobs: int) -> tuple[Path, np.ndarray]:
    """Run a pipeline over synthetic people, and return its dataset and the vertices (N, V, 3)."""
    source = json.dumps({"reader": "synthetic", "captures": 1, "seed": SEED, **options})
    path = folder / f"{name}.yaml"
    path.write_text(f"name: {name}\nseed: 1\nsources:\n  people: {source}\n{STEPS}")
    result = run(load_pipeline(path), folder / name, engine=Workers(jobs=jobs), say=print)
    dataset = Dataset(result.datasets["registered"])
    reader = dataset.reader(dataset.splits[0])
    return dataset.path, np.stack([reader[k]["vertices"] for k in range(len(reader))]).astype(np.float64)


def vertex_maps(shapes: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return the aligned depth maps (N, G) of shapes (N, V, 3) in the template's topology."""
    template = own_template()
    maps = []
    for shape in shapes:
        marks = template.landmarks(shape)
        five = np.stack([marks[36:42].mean(0), marks[42:48].mean(0), marks[30], marks[48], marks[54]])
        maps.append(face_maps.mesh_map(shape, template.triangles, five, mean))
    return np.array(maps)


def main() -> None:
    """Run, compare, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    heads = []
    for person in range(options.people):
        identity = draw_identity(SEED, person)
        heads.append(build_head(identity, draw_appearance(identity), 0.8))
    mean = mean_landmarks(heads)
    true = face_maps.population(np.array([surface_map(head, mean) for head in heads]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset, vertices = registered(folder, "scans", {"people": options.people}, options.jobs)
        built = build_model(dataset, folder / "population.npz", 60, 10)
        model = read_face_model(folder / "population.npz")
        again = {"people": 12, "model": str(folder / "population.npz")}
        _, redrawn = registered(folder, "drawn", again, options.jobs)
    marks = model.landmarks
    assert marks is not None  # build_model names them
    weights = [identity_weights(model, SEED, person) for person in range(options.people)]
    drawn = [model.mean + np.tensordot(w, model.identity, 1) for w in weights]
    maps = [face_maps.mesh_map(shape, model.triangles, five_of(shape, marks), mean) for shape in drawn]
    table = {
        "true surfaces": true,
        "registered scans": face_maps.population(vertex_maps(vertices, mean)),
        "drawn from the model": face_maps.population(np.array(maps)),
    }
    keys = list(true)
    print(f"{'':24s}" + "".join(f"{key:>14s}" for key in keys))
    for name, figures in table.items():
        print(f"{name:24s}" + "".join(f"{figures[key]:14.3g}" for key in keys))
    print(f"model: {built['modes']} modes of {built['people']} people, {built['modes_for']}")
    print(f"{len(redrawn)} of 12 people drawn by the reader synthetic and registered again")
    if options.json:
        options.json.write_text(json.dumps({"populations": table, "model": built, "redrawn": len(redrawn)}, indent=1))


if __name__ == "__main__":
    main()
