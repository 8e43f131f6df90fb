"""From captures to one topology: the same bytes on any number of workers, meshes, a model, people drawn from it."""

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from face3d_data.cli.export import command as export
from face3d_data.cli.model import command as model
from face3d_data.formats.mesh_file import read_mesh
from face3d_data.pipeline.build import load_pipeline
from face3d_data.pipeline.result import Workers
from face3d_data.pipeline.run import run
from face3d_data.readers.synthetic import Synthetic
from face3d_data.registration.template import own_template
from face3d_data.shards.read import Dataset
from face3d_data.testing.contract import check_reader

pytestmark = pytest.mark.slow
PIPELINE = """
name: registered
seed: 1
sources:
  people: {reader: synthetic, people: 3, captures: 2, width: 320, height: 240}
steps:
  - {id: faces, stage: detect, from: people, with: {detector: given}}
  - {id: clouds, stage: to_cloud, from: faces, with: {min_points: 300}}
  - {id: cleaned, stage: clean, from: clouds, with: {min_points: 300}}
  - {id: posed, stage: align_3d, from: cleaned}
  - {id: fitted, stage: register, from: posed}
datasets:
  registered: {from: fitted, fields: [vertices, vertex_visible, landmarks_68_3d], tags: [registered_misfit]}
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("registered")
    (folder / "p.yaml").write_text(PIPELINE)
    for jobs in (1, 2):
        run(load_pipeline(folder / "p.yaml"), folder / f"work{jobs}", engine=Workers(jobs=jobs), say=lambda line: None)
    return folder


def dataset(work, jobs=1):
    return Dataset(work / f"work{jobs}" / "datasets" / "registered")


def call(command, *arguments):
    done = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_one_and_two_workers_give_the_same_bytes(work):
    one, two = (dataset(work, jobs).reader("all") for jobs in (1, 2))
    assert len(one) == len(two) == 6
    for k in range(6):
        assert {n: np.asarray(a).tobytes() for n, a in one[k].items() if isinstance(a, np.ndarray)} == {
            n: np.asarray(a).tobytes() for n, a in two[k].items() if isinstance(a, np.ndarray)
        }


def test_exported_meshes_and_maps_hold_the_vertices(work):
    path = dataset(work).path
    call(export, path, work / "out", "--format", "obj", "--format", "ply", "--format", "uv")
    sample = dataset(work).reader("all")[0]
    stem = next((work / "out").rglob(f"{dataset(work).table('all')['id'][0]}.obj"))
    for mesh in (read_mesh(stem), read_mesh(stem.with_suffix(".mesh.ply"))):
        assert np.allclose(mesh.vertices, sample["vertices"], atol=1e-3)
        assert np.array_equal(mesh.triangles, own_template().triangles)
    image = cv2.imread(str(stem.with_suffix(".position.png")), cv2.IMREAD_UNCHANGED)
    assert image.dtype == np.uint16
    points = (image[..., ::-1][image.any(axis=2)].astype(float) - 32768) / 128
    low, high = sample["vertices"].min(axis=0), sample["vertices"].max(axis=0)
    assert (points >= low - 0.1).all()
    assert (points <= high + 0.1).all()


def test_a_model_is_built_and_people_are_drawn_from_it(work):
    out = work / "population.npz"
    figures = json.loads(call(model, "build", dataset(work).path, "--out", out, "--json"))
    assert figures["people"] == 3
    assert figures["modes"] == 2
    assert figures["expression_modes"] > 0
    with np.load(out) as stored:
        assert stored["identity"].shape == (2, len(own_template().vertices), 3)
        assert abs(float(stored["explained_variance"].sum()) - 1) < 1e-3
    reader = Synthetic(model=out, people=2, captures=2, width=160, height=120)
    check_reader(reader)
    depth = reader.load(next(reader.scan()), "depth")
    assert (depth > 0).mean() > 0.03
    assert reader.fingerprint() != Synthetic(people=2).fingerprint()


def test_a_file_that_is_no_model_is_one_line(work):
    (work / "bad.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"bad\.npz"):
        Synthetic(model=work / "bad.npz")
