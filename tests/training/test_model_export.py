"""Networks in files of other programs: computed by onnxruntime, TorchScript and from safetensors, as by torch."""

import json
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from made_checkpoint import make_run
from tiny_sets import image_set, map_set, points_set

from face3d_data.cli.main import _answer
from face3d_data.errors import MissingDependency, UserError
from face3d_data.shards.read import Dataset
from face3d_training.checkpoint import load_model, read_checkpoint
from face3d_training.embedding import embed_rows
from face3d_training.map_place import said_of_maps
from face3d_training.model_export import export as exporting
from face3d_training.model_export import forms
from face3d_training.model_export.description import steps_to_input
from face3d_training.model_export.export import BATCHES, INPUTS, export_network, form_of
from face3d_training.model_export.traceable import EveryPoint
from face3d_training.models.pooling import MaximumLayer
from face3d_training.network_back_end import network_digest
from face3d_training.recognition.embedder import open_embedder
from face3d_training.registry import make_spec
from face3d_training.trained_rows import rows_for

SMALL = {"model.embedding_size": 8}
MAPS = {
    **{"model": "map_resnet", "model.in_channels": 4, "model.image_size_px": 32, **SMALL},
    **{"data.fields": ["map"], "data.map_height": "residual", "data.map_scale_mm": 5.0},
}
TRANSFORMS = {"model": "pointnet", "model.widths": "8,8,8,16,32", "data.n_points": 32, **SMALL}
IMAGES = {"model": "resnet18", "data.fields": ["color"], "data.image_size_px": 32, **SMALL}
SAMPLING = {"model": "pointnet2_ssg", "model.centers": [16, 8], "data.n_points": 32, **SMALL}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("here")
    maps, points, images = map_set(folder), points_set(folder), image_set(folder)
    make_run(folder / "maps_run", maps, keys=MAPS, maps=json.dumps(said_of_maps(Dataset(maps).info)))
    make_run(folder / "points_run", points, keys=TRANSFORMS)
    make_run(folder / "images_run", images, keys=IMAGES)
    make_run(folder / "sampling_run", points, keys=SAMPLING)
    make_run(folder / "sizeless", images, keys={**IMAGES, "data.image_size_px": None})
    make_run(folder / "countless", points, keys={**TRANSFORMS, "data.n_points": None})
    return folder


def test_there_are_a_hundred_inputs_in_batches_of_several_sizes():
    assert (sum(BATCHES), min(BATCHES)) == (INPUTS, 1)
    assert INPUTS == 100


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_every_point_gives_what_the_fused_maximum_gives(norm):
    torch.manual_seed(0)
    layer = MaximumLayer(4, 32, norm)
    with torch.no_grad():
        layer.norm.norm.weight.normal_()  # a channel with a negative scale takes the minimum
        layer.norm.norm.bias.normal_()
    layer.eval()
    values = torch.randn(3, 2, 9, 4)
    assert torch.allclose(EveryPoint(layer)(values), layer(values), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("run", "name"), [("maps_run", "maps"), ("points_run", "points")])
def test_onnxruntime_gives_torch_s_embeddings_of_a_dataset_in_any_batch(folder, tmp_path, run, name):
    onnxruntime = pytest.importorskip("onnxruntime")
    written = export_network(folder / run, tmp_path / "n.onnx")
    assert written.difference <= 1e-4
    trained = load_model(folder / run)
    rows, _ = rows_for(trained, folder / name, "test")
    session = onnxruntime.InferenceSession(tmp_path / "n.onnx", providers=["CPUExecutionProvider"])
    (put,) = session.get_inputs()
    inputs = rows.__getitems__([(row, 0, 0) for row in range(len(rows))])["inputs"]
    assert put.name == "input"
    assert put.shape[1:] == list(inputs.shape[1:])
    wanted = embed_rows(trained.net, rows)
    for size in (1, 7):
        (found,) = session.run(["embedding"], {"input": inputs[:size]})
        assert np.abs(found - wanted[:size]).max() <= 1e-4
    said = json.loads(session.get_modelmeta().custom_metadata_map["face3d_training"])
    assert said == json.loads(json.dumps(written.description))
    assert said["network_digest"] == network_digest(trained)
    assert said["data"]["fields"] == list(trained.config.data.fields)
    assert said["maps"] == (json.loads(trained.info["maps"]) if name == "maps" else {})


@pytest.mark.slow
@pytest.mark.parametrize("run", ["maps_run", "points_run", "images_run"])
def test_torchscript_gives_torch_s_embeddings_without_this_program(folder, tmp_path, run):
    written = export_network(folder / run, tmp_path / "n.pt")
    said = {"face3d_training": ""}
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        net = torch.jit.load(tmp_path / "n.pt", _extra_files=said)
    assert json.loads(said["face3d_training"]) == json.loads(json.dumps(written.description))
    inputs = torch.rand(3, *written.description["input"]["shape"][1:])
    with torch.inference_mode():
        assert torch.allclose(net(inputs), load_model(folder / run).net(inputs), atol=1e-4)


@pytest.mark.slow
def test_safetensors_are_read_back_with_what_the_network_has_seen(folder, tmp_path):
    written = export_network(folder / "images_run", tmp_path / "n.safetensors", changes=[("data.image_size_px", 40)])
    before, after = load_model(folder / "images_run"), load_model(tmp_path / "n.safetensors")
    assert written.difference == 0
    assert network_digest(before) == network_digest(after)
    assert after.config.data == before.config.data.model_copy(update={"image_size_px": 40})
    seen = before.info["training_data"]
    assert after.info["training_data"].keys() == seen.keys()
    assert all(torch.equal(after.info["training_data"][kind], found) for kind, found in seen.items())
    assert read_checkpoint(tmp_path / "n.safetensors")["description"]["input"]["shape"] == [None, 3, 40, 40]


@pytest.mark.slow
def test_another_program_s_checkpoint_becomes_one_of_ours(tmp_path):
    net = make_spec("model", "resnet18", {"embedding_size": 8}).build()
    weights = {f"model.{name}": value for name, value in net.state_dict().items()}
    torch.save(
        {"model_state_dict": weights, "model_architecture": "resnet18", "embedding_dimension": 8}, tmp_path / "f.pt"
    )
    export_network(tmp_path / "f.pt", tmp_path / "n.safetensors", changes=[("data.image_size_px", 32)])
    read = load_model(tmp_path / "n.safetensors")
    assert read.config.model["name"] == "resnet18"
    assert network_digest(read) == network_digest(load_model(tmp_path / "f.pt"))


@pytest.mark.slow
def test_a_checkpoint_of_weights_alone_is_given_its_network_and_its_preparation(folder, tmp_path):
    net = make_spec("model", "resnet18", {"embedding_size": 8}).build()
    torch.save({f"module.{name}": value for name, value in net.state_dict().items()}, tmp_path / "old.pth")
    like, changes = tmp_path / "like", [("data.image_size_px", 32)]
    shutil.copytree(folder / "rgb", like)
    about = json.loads((like / "dataset.json").read_text())
    way = [{"stage": "crop", "version": 1, "with": {"size_px": 32}}]
    (like / "dataset.json").write_text(json.dumps({**about, "preparation": {"ways": [way], "dtype": "float32"}}))
    export_network(tmp_path / "old.pth", tmp_path / "n.safetensors", None, changes, "ResNet_18", like)
    read = load_model(tmp_path / "n.safetensors")
    assert json.loads(read.info["preparation"])["ways"] == [way]
    assert read.config.data.image_size_px == 32
    with pytest.raises(UserError, match=r"n.safetensors says itself how its samples were prepared: leave it out"):
        export_network(tmp_path / "n.safetensors", tmp_path / "m.safetensors", prepared_as=like)
    with pytest.raises(UserError, match="--architecture resnet18: every network says its own kind"):
        export_network(tmp_path / "n.safetensors", tmp_path / "m.safetensors", architecture="resnet18")
    with pytest.raises(UserError, match="does not say how its samples were made: give a dataset that face3d run"):
        export_network(tmp_path / "old.pth", tmp_path / "m.safetensors", None, changes, "resnet18", folder / "rgb")
    about = json.loads((folder / "points" / "dataset.json").read_text())
    shutil.copytree(folder / "points", tmp_path / "points")
    (tmp_path / "points" / "dataset.json").write_text(json.dumps({**about, "preparation": {"ways": [way]}}))
    with pytest.raises(UserError, match=r"points: has no color, which .*old.pth takes: add it to fields"):
        export_network(tmp_path / "old.pth", tmp_path / "m.safetensors", None, changes, "resnet18", tmp_path / "points")
    assert not (tmp_path / "m.safetensors").exists()
    whole = {"model_state_dict": net.state_dict(), "model_architecture": "resnet18", "embedding_dimension": 8}
    torch.save(whole, tmp_path / "whole.pt")
    with pytest.raises(UserError, match=r"how its faces were prepared: give it that by face3d export-model FILE"):
        open_embedder(tmp_path / "whole.pt")


def test_what_a_pipeline_does_before_is_in_the_description(folder, tmp_path):
    run = make_run(
        tmp_path / "run", folder / "rgb", keys=IMAGES, preparation=json.dumps({"ways": [[{"stage": "detect"}]]})
    )
    written = export_network(run, tmp_path / "n.safetensors")
    assert written.description["preparation"] == {"ways": [[{"stage": "detect"}]]}


def test_steps_to_a_map_are_in_words(folder):
    trained = load_model(folder / "maps_run")
    steps = steps_to_input(trained.config.data, json.loads(trained.info["maps"]))
    assert "minus the mean face's" in steps[1]
    assert steps[2] == "height: divided by 5 mm; the other channels as they are"
    assert steps[3] == "channels in this order: height, slope_x, slope_y, valid"


@pytest.mark.parametrize("ending", [".onnx", ".pt"])
def test_networks_that_sample_points_are_refused_with_the_reason(folder, tmp_path, ending):
    pytest.importorskip("onnxscript" if ending == ".onnx" else "torch")
    with pytest.raises(UserError, match=r"pointnet2_ssg samples points one after another.*give --format safetensors"):
        export_network(folder / "sampling_run", tmp_path / f"n{ending}")
    assert list(tmp_path.iterdir()) == []
    export_network(folder / "sampling_run", tmp_path / "n.safetensors")


def test_a_file_that_gives_other_embeddings_is_never_published(folder, tmp_path, monkeypatch):
    def other(path, trained, description):
        forms.write_torchscript(path, load_model(folder / "points_run"), description)
        with torch.no_grad():
            next(trained.net.parameters()).add_(1)

    monkeypatch.setattr(exporting, "WRITERS", {"torchscript": other})
    with pytest.raises(UserError, match=r"differ from torch's by up to .*nothing was written"):
        export_network(folder / "points_run", tmp_path / "n.pt")
    assert list(tmp_path.iterdir()) == []


def test_what_torch_cannot_trace_is_one_line(folder, tmp_path, monkeypatch):
    def broken(*given, **options):
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(torch.jit, "trace", broken)
    with pytest.raises(UserError, match=r"pointnet cannot be written so \(first line\): give --format safetensors"):
        export_network(folder / "points_run", tmp_path / "n.pt")
    assert list(tmp_path.iterdir()) == []


def test_without_onnx_there_is_the_install_line(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingDependency, match=r"--format onnx needs onnx: pip install .*\[onnx\]"):
        export_network(folder / "points_run", tmp_path / "n.onnx")


def test_the_ending_names_the_form():
    assert [form_of(f"n{end}", None) for end in (".onnx", ".pt", ".torchscript", ".safetensors")] == [
        "onnx", "torchscript", "torchscript", "safetensors",
    ]  # fmt: skip


@pytest.mark.slow
def test_the_command_says_what_it_wrote_and_how_near_it_is(folder, tmp_path, capsys):
    out = tmp_path / "n.pt"
    assert _answer(["export-model", str(folder / "points_run"), "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        f"pointnet as torchscript in {out}",
        "  input batch × 32 × 3 (x, y, z), embeddings of 8",
    ]
    assert lines[2].startswith("  largest difference from torch over 100 inputs: ")
    assert _answer(["export-model", "packaged", "--out", str(tmp_path / "p.safetensors"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["model"], said["difference"], said["input"]["shape"]) == ("map_resnet", 0, [None, 4, 64, 64])


MISTAKES = [
    (("points_run",), "Missing option '--out'"),
    (("--out", "n.pt"), "export-model: give one network: a CHECKPOINT, or --model packaged"),
    (("points_run", "--out", "n.npz"), "--out n.npz: give it the ending .onnx or .pt or .torchscript or .safetensors"),
    (("points_run", "--out", "n.pt", "--format", "onnx"), "--out n.pt: give it the ending .onnx"),
    (("points_run", "--out", "taken.pt"), "taken.pt: already exists"),
    (("gone", "--out", "n.pt"), "gone: no such checkpoint"),
    (("sizeless", "--out", "n.pt"), "its config does not say how large its images are: set --data.image-size"),
    (("countless", "--out", "n.pt"), "its config does not say how many points a cloud has: set --data.n-points"),
    (("images_run", "--out", "n.pt", "--data.fields", "depth"), "takes 3 channels and data.fields (depth) give 1"),
    (("maps_run", "--out", "n.pt", "--data.views", "2"), "data.views: changes nothing for a network that takes map"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(arguments) for arguments, _ in MISTAKES])
def test_a_mistake_is_one_line_and_code_two(folder, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(folder)
    Path("taken.pt").write_text("mine")
    assert _answer(["export-model", *arguments]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert not Path("n.pt").exists()
    assert Path("taken.pt").read_text() == "mine"
