"""Registered faces of another topology with as many vertices as the package's are refused."""

import numpy as np
import pytest
from made import build, manifest, spec_of

from face3d_data.errors import UserError
from face3d_data.registration.template import own_template
from face3d_data.shards.export.dataset import export_dataset
from face3d_data.shards.population import build_model

PEOPLE = 3


def people():
    template, rng = own_template(), np.random.default_rng(5)
    return [template.shape(rng.standard_normal(len(template.modes))) for _ in range(PEOPLE)]


def shuffled(vertices, places):
    other = vertices.copy()
    other[places] = vertices[np.roll(places, len(places) // 2)]
    return other


ORDERS = {
    "any": lambda v: v[np.random.default_rng(1).permutation(len(v))],
    "from the end": lambda v: v[::-1],
    "one on": lambda v: np.roll(v, 1, axis=0),
    "by height": lambda v: v[np.argsort(v[:, 1])],
    "mirrored": lambda v: v[own_template().mirror],
    "five": lambda v: shuffled(v, np.arange(200, 5000, 960)),
    "a hundred that are near": lambda v: shuffled(v, np.argsort(np.linalg.norm(v - v[2000], axis=1))[:100]),
    "a part": lambda v: np.concatenate([v[:500][np.random.default_rng(1).permutation(500)], v[500:]]),
}


@pytest.mark.parametrize("order", ORDERS)
def test_another_order_is_another_topology(order):
    assert not any(own_template().has_topology_of(ORDERS[order](face)) for face in people())


def test_a_face_in_any_pose_and_size_is_of_the_topology():
    turn = np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]])
    for face in (own_template().vertices, *people()):
        assert own_template().has_topology_of((face @ turn.T + 300) * 0.01)


def dataset_of(folder, faces):
    frame = manifest(n_people=len(faces), n_captures=1, splits=("all",))
    for place, face in zip(frame["place"], faces, strict=True):
        place.arrays["vertices"] = np.ascontiguousarray(face, "f4")
    return build(folder, frame, spec_of(fields=["points", "vertices"]))


@pytest.mark.parametrize("form", ["obj", "uv", "ply"])
def test_meshes_and_maps_are_refused(form, tmp_path):
    first, *rest = people()
    path = dataset_of(tmp_path / "datasets", [first, *(face[::-1] for face in rest)])
    with pytest.raises(UserError, match=r"another order .* npy holds the vertices") as caught:
        export_dataset(path, tmp_path / "out", [form])
    assert "\n" not in str(caught.value)


def test_a_model_is_refused(tmp_path):
    first, *rest = people()
    path = dataset_of(tmp_path / "datasets", [first, *(face[::-1] for face in rest)])
    with pytest.raises(UserError, match=r"another order .* register with it"):
        build_model(path, tmp_path / "model.npz", 5, 5)
    assert not (tmp_path / "model.npz").exists()
    whole = dataset_of(tmp_path / "whole", people())
    assert build_model(whole, tmp_path / "model.npz", 5, 5)["people"] == PEOPLE
