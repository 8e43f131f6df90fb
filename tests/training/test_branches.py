"""Parts of an embedding that answer alone: in files of embeddings and in evaluations."""

import h5py
import numpy as np
import pytest
import torch
from made_checkpoint import make_run
from tiny_sets import image_set, points_set

from face3d_data.errors import UserError
from face3d_training.checkpoint import load_model
from face3d_training.evaluation.metrics.lists import EvaluationSettings
from face3d_training.evaluation.metrics.results import ModelFacts
from face3d_training.evaluation.run import Request, run_evaluation
from face3d_training.trained_rows import EmbeddingFile, RowChoice, choose_branch, embed_dataset

pytestmark = pytest.mark.slow
LPD = {"model": "lpd", "model.embedding_size": 16, "data.fields": ["color"], "data.image_size_px": 32, "loss": "lpd"}


@pytest.fixture(autouse=True)
def untimed(monkeypatch):
    """Networks are not timed."""
    monkeypatch.setattr("face3d_training.evaluation.run.network_cost", lambda network: ModelFacts())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("branches")
    dataset = image_set(folder)
    return dataset, make_run(folder / "lpd", dataset, keys=LPD)


def embedded(dataset, run, out, branch):
    embed_dataset(RowChoice(dataset), run, EmbeddingFile(out, "images", branch=branch), "cpu")
    with h5py.File(out) as file:
        vectors = {image: group["embedding"][:] for person in file.values() for image, group in person.items()}
        return vectors, file.attrs["branch"]


def test_embeddings_are_those_of_the_part(made, tmp_path):
    dataset, run = made
    both, said = embedded(dataset, run, tmp_path / "both.h5", None)
    assert said == "both"
    for start, name in ((0, "global"), (8, "part")):
        part, said = embedded(dataset, run, tmp_path / f"{name}.h5", name)
        assert said == name
        for image, vector in part.items():
            cut = both[image][start : start + 8]
            np.testing.assert_allclose(vector, cut / np.linalg.norm(cut), atol=1e-5)


def test_an_evaluation_says_which_part_answers(made, tmp_path):
    dataset, run = made
    settings = EvaluationSettings(resamples=2)
    request = {"baselines": False, "settings": settings, "device": "cpu", "protocol": "plain_to_plain"}
    auc = {}
    for branch in (None, "part"):
        evaluation, about = run_evaluation(Request(dataset, tmp_path / str(branch), (run,), branch=branch, **request))
        (method,) = evaluation.methods.values()
        (pairs,) = method.verification.values()
        auc[branch] = pairs.auc.value
        said = [line for line in about.notices if "alone" in line]
        assert said == ([] if branch is None else [f"lpd: an embedding is its part {branch!r} alone"])
        assert about.checkpoints[0].embedding_size == (16 if branch is None else 8)
    assert len(set(auc.values())) > 1


def test_networks_without_parts_refuse_one(tmp_path):
    dataset = points_set(tmp_path)
    run = make_run(tmp_path / "points", dataset)
    with pytest.raises(UserError, match="--branch part: no embedding here has parts that stand alone"):
        choose_branch([load_model(run)], "part")
    choose_branch([load_model(run, torch.device("cpu"))], None)
