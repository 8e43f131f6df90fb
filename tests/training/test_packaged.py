"""The network that comes with the package: its file, its card, and how it is made of a checkpoint."""

import json
import re

import numpy as np
import pytest
import torch
from made_checkpoint import make_run
from tiny_sets import map_set, points_set

from face3d_data.digest import digest_file
from face3d_data.errors import UserError
from face3d_data.shards.read import Dataset
from face3d_training.checkpoint import export_safetensors, find_checkpoint, load_model, read_checkpoint
from face3d_training.embedding import embed_rows
from face3d_training.evaluation.networks.load import check_leaks, load_networks, method_names
from face3d_training.leaks import compared_by, shared_with_training, training_fingerprint
from face3d_training.packaged import (
    BACK_END,
    CALIBRATION,
    MODEL_CARD,
    PACKAGED,
    PRETRAINED,
    WEIGHTS,
    packaged_file,
    packaged_names,
    packaged_networks,
)
from face3d_training.trained_rows import rows_for

LARGEST_BYTES = 4_000_000
SMALL_MAPS = {
    "model": "map_resnet",
    "model.image_size_px": 32,
    "model.widths": [8, 8, 16, 16],
    "model.embedding_size": 8,
    "data.fields": ["map"],
    "data.map_height": "residual",
}
FILES = sorted(path for ending in (WEIGHTS, CALIBRATION) for path in PRETRAINED.glob(f"*{ending}"))


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    return map_set(tmp_path_factory.mktemp("maps"))


@pytest.fixture(scope="module")
def run(maps, tmp_path_factory):
    said = json.dumps(Dataset(maps).info["array_attributes"]["map"])
    return make_run(tmp_path_factory.mktemp("runs") / "run", maps, keys=SMALL_MAPS, maps=said)


@pytest.fixture(scope="module")
def small(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "maps.safetensors"
    export_safetensors(path, read_checkpoint(find_checkpoint(run)), small=True)
    return path


def test_one_network_comes_with_the_package_and_fits_into_the_wheel():
    assert packaged_names()
    for file in FILES:
        assert file.stat().st_size <= LARGEST_BYTES, file.name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_card_has_the_digest_of_every_file(file):
    rows = re.findall(r"^\| `(.+)` \| ([\d,]+) \| `([0-9a-f]{64})` \|$", (PRETRAINED / MODEL_CARD).read_text(), re.M)
    assert (file.name, f"{file.stat().st_size:,}", digest_file(file)) in rows
    assert len(rows) == len(FILES), "no file is named that is not there"


def test_packaged_networks_load_and_say_what_they_take():
    for network in packaged_networks():
        trained = load_model(network.path)
        assert (trained.spec.name, trained.config.data.fields) == (network.model, network.fields)
        assert trained.info["dataset_name"] == network.trained_on
        assert set(trained.info["training_data"]) == {"identity"}
        assert len(trained.info["training_data"]["identity"]) > 0
        assert {value.dtype for value in trained.net.state_dict().values()} == {torch.float32, torch.int64}


@pytest.mark.slow
def test_embeddings_of_packaged_networks_are_of_unit_length_and_differ(tmp_path):
    dataset = map_set(tmp_path, cells=64)
    for network in packaged_networks():
        trained = load_model(network.path)
        vectors = embed_rows(trained.net, rows_for(trained, dataset, "test")[0])
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
        assert len(np.unique(vectors.round(4), axis=0)) == len(vectors)


def test_halved_weights_give_nearly_the_same_embeddings(run, small, maps):
    found = []
    for path in (run, small):
        trained = load_model(path)
        found.append(embed_rows(trained.net, rows_for(trained, maps, "test")[0]))
    assert not np.array_equal(*found)
    assert np.abs(found[0] - found[1]).max() < 5e-3
    assert (found[0] * found[1]).sum(axis=1).min() > 0.9999


def test_only_weights_of_layers_are_halved(run, small):
    whole, half = (read_checkpoint(find_checkpoint(path))["model_state_dict"] for path in (run, small))
    for name, value in half.items():
        assert value.dtype == (torch.float16 if value.ndim > 1 else whole[name].dtype), name
        assert torch.allclose(value.float(), whole[name].float(), rtol=1e-3, atol=1e-7), name


def test_a_weight_that_f2_cannot_hold_is_refused(run, tmp_path):
    state = read_checkpoint(find_checkpoint(run))
    name = next(name for name, value in state["model_state_dict"].items() if value.ndim > 1)
    state["model_state_dict"][name].view(-1)[0] = 1e6
    with pytest.raises(UserError, match=rf"weights {re.escape(name)}: up to 1e\+06, which f2 cannot hold"):
        export_safetensors(tmp_path / "no.safetensors", state, small=True)
    assert not (tmp_path / "no.safetensors").exists()


def test_people_alone_are_kept_and_find_their_captures(small, maps):
    seen = read_checkpoint(small)["training_data"]
    assert list(seen) == ["identity"]
    learnt, others = (Dataset(maps).table(split) for split in ("train", "test"))
    assert torch.equal(seen["identity"], training_fingerprint(learnt)["identity"])
    assert shared_with_training(others, seen) == []
    (leak,) = shared_with_training(learnt.assign(identity="other/" + learnt["identity"]), seen)
    assert (leak.kind, len(leak.things)) == ("identity", 8)
    assert compared_by(others, seen) == ("name",)


def test_a_leak_that_only_names_show_says_so(small, maps):
    seen = read_checkpoint(small)["training_data"]
    [line] = check_leaks("net", Dataset(maps).table("train"), seen).lines
    assert line.startswith("8 people of the split were in the training data: tiny/p00, ")
    assert line.endswith("(compared by names alone: other people of these names need another source name)")


def test_people_of_the_epoch_s_choice_are_kept_too(run, tmp_path, maps):
    chosen = training_fingerprint(Dataset(maps).table("eval"))
    state = {**read_checkpoint(find_checkpoint(run)), "selection_data": chosen}
    for small in (False, True):
        export_safetensors(tmp_path / "two.safetensors", state, small=small)
        (network,) = load_networks([tmp_path / "two.safetensors"], Dataset(maps), "eval", (), torch.device("cpu"))
        assert any("its epoch was chosen on 4 people of the split" in line for line in network.notices) is small or (
            any("its epoch was chosen on split 'eval'" in line for line in network.notices)
        )


def test_a_dataset_without_maps_is_one_line_with_the_step(run, tmp_path):
    step = r"\{stage: maps, with: \{cell_mm: 4, size: 32, above_mm: 66, channels: slopes, fill: none\}\}"
    with pytest.raises(
        UserError, match=rf"dataset points: has no field map, which .*best\.pt takes: put the step {step}"
    ):
        rows_for(load_model(run), points_set(tmp_path), "test")


def test_maps_of_another_kind_are_refused_with_the_step(run, tmp_path):
    with pytest.raises(
        UserError, match=r"cell_mm is 2\.0 and was 4\.0\): make them by stage: maps, with: .*cell_mm: 4,"
    ):
        rows_for(load_model(run), map_set(tmp_path, cells=64), "test")


def test_names_come_from_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("face3d_training.packaged.PRETRAINED", tmp_path)
    with pytest.raises(UserError, match=r"--model packaged: no network of that name comes .*\(none at all\)"):
        packaged_file(PACKAGED)
    (tmp_path / f"one{WEIGHTS}").touch()
    (tmp_path / f"one{BACK_END}").touch()
    assert packaged_names() == ["one"]
    assert packaged_file("one") == packaged_file(PACKAGED) == tmp_path / f"one{WEIGHTS}"
    with pytest.raises(UserError, match=r"\(packaged, one\): give the path .*: did you mean 'one'\?"):
        packaged_file("oone")
    (tmp_path / f"two{WEIGHTS}").touch()
    with pytest.raises(UserError, match="several networks come with this installation: choose one or two"):
        packaged_file(PACKAGED)


def test_reports_call_it_packaged(tmp_path):
    name = packaged_names()[0]
    assert method_names([packaged_file(name), tmp_path / f"{name}{WEIGHTS}"]) == [f"packaged {name}", name]
