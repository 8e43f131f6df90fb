"""Checkpoints of other programs."""

import collections
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from face3d_data.errors import UserError
from face3d_training.foreign import load_foreign, start_from
from face3d_training.registry import make_spec
from face3d_training.torch_file import read_torch_file

SIZE = 16


class OtherProgram:
    """A class that only another program has."""


def published(architecture="resnet18", prefix="model.", bias=False, channels=3, extra=None):
    """A checkpoint with the keys and names of the published triplet models; made-up weights."""
    torch.manual_seed(5)
    name = {"inceptionresnetv2": "inception_resnet_v2", "mobilenetv2": "mobilenet_v2"}.get(architecture, architecture)
    spec = make_spec("model", name, {"embedding_size": SIZE, "in_channels": channels})
    state = collections.OrderedDict()
    for key, value in spec.build().state_dict().items():
        heads = {"classifier.1": "classifier", "fc": "fc", "last_linear": "last_linear"}
        layer, _, part = key.rpartition(".")
        if layer in heads and part == "bias" and not bias:
            continue
        state[f"{prefix}{heads.get(layer, layer)}.{part}"] = value
    optimizer = torch.optim.Adagrad([nn.Parameter(torch.ones(3))], lr=0.075)
    return {
        "epoch": 88,
        "embedding_dimension": SIZE,
        "batch_size_training": 544,
        "model_state_dict": collections.OrderedDict({**state, **(extra or {})}),
        "model_architecture": architecture,
        "optimizer_model_state_dict": optimizer.state_dict(),
        "best_distance_threshold": np.mean(np.array([0.97, 0.99])),
    }


def saved(tmp_path, content):
    path = tmp_path / "model_triplet.pt"
    torch.save(content, path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "name", "head", "side"),
    [
        ("resnet18", "resnet18", "fc", 48),
        ("resnet50", "resnet50", "fc", 48),
        ("mobilenetv2", "mobilenet_v2", "classifier.1", 48),
        ("inceptionresnetv2", "inception_resnet_v2", "last_linear", 75),
    ],
)
def test_published_models_load_whole(tmp_path, architecture, name, head, side):
    content = published(architecture)
    foreign = load_foreign(saved(tmp_path, content))
    assert (foreign.spec.name, foreign.spec.embedding_size, foreign.unmatched) == (name, SIZE, [])
    own = foreign.net.state_dict()
    assert set(foreign.loaded) == set(own)
    for key, value in content["model_state_dict"].items():
        ours = key.removeprefix("model.").replace("classifier.", "classifier.1.")
        assert torch.equal(own[ours], value)
    # A layer without bias computes what one with a bias of 0 does.
    assert torch.equal(own[f"{head}.bias"], torch.zeros(SIZE))
    images = torch.randn(2, 3, side, side)
    found = foreign.net(images)
    assert not foreign.net.training
    assert found.shape == (2, SIZE)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))


@pytest.mark.slow
def test_the_embedding_is_the_published_one(tmp_path):
    content = published()
    foreign = load_foreign(saved(tmp_path, content))
    torch.manual_seed(5)
    source = make_spec("model", "resnet18", {"embedding_size": SIZE}).build().eval()
    source.fc.bias.data.zero_()
    images = torch.randn(2, 3, 48, 48)
    torch.testing.assert_close(foreign.net(images), source(images))


@pytest.mark.slow
def test_what_it_knows_of_its_training_is_handed_on(tmp_path):
    info = load_foreign(saved(tmp_path, published())).info
    assert info == {
        "epoch": 88,
        "embedding_dimension": SIZE,
        "batch_size_training": 544,
        "model_architecture": "resnet18",
        "best_distance_threshold": pytest.approx(0.98),
        "named_by_option": False,
    }
    assert type(info["best_distance_threshold"]) is float


@pytest.mark.slow
@pytest.mark.parametrize(("prefix", "channels"), [("module.model.", 1), ("module.", 4), ("", 3), ("model.", 4)])
def test_prefixes_and_channels_are_found_out(tmp_path, prefix, channels):
    foreign = load_foreign(saved(tmp_path, published(prefix=prefix, channels=channels, bias=True)))
    assert (foreign.unmatched, foreign.spec.in_channels) == ([], channels)


@pytest.mark.slow
def test_what_fits_nowhere_is_listed_and_the_rest_is_loaded(tmp_path):
    # As an older model of the family has it: a head of four layers, and a classifier of people behind it.
    content = published(extra={"model.classifier.weight": torch.ones(9, SIZE)})
    state = content["model_state_dict"]
    del state["model.fc.weight"]
    state.update({"model.fc.0.weight": torch.ones(512, 512), "model.fc.3.weight": torch.ones(SIZE, 512)})
    state["model.layer1.0.conv1.weight"] = torch.ones(64, 32, 3, 3)
    foreign = load_foreign(saved(tmp_path, content))
    assert foreign.unmatched == [
        "layer1.0.conv1.weight: (64, 32, 3, 3) in the file, (64, 64, 3, 3) in the network",
        "classifier.weight: the network has no weight of that name",
        "fc.0.weight: the network has no weight of that name",
        "fc.3.weight: the network has no weight of that name",
        "fc.weight: not in the file, keeps its initial values",
        "fc.bias: not in the file, keeps its initial values",
    ]
    assert "fc.weight" not in foreign.loaded
    assert "layer4.1.conv2.weight" in foreign.loaded


@pytest.mark.slow
def test_weights_without_a_partner_are_the_same_each_time(tmp_path):
    content = published()
    del content["model_state_dict"]["model.fc.weight"]
    path = saved(tmp_path, content)
    torch.manual_seed(1)
    first, drawn = load_foreign(path).net.fc.weight, torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), drawn)
    assert torch.equal(load_foreign(path).net.fc.weight, first)


@pytest.mark.slow
def test_numbers_of_an_older_numpy_are_read(tmp_path):
    path, old = saved(tmp_path, published()), tmp_path / "old.pt"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(old, "w") as target:
        for entry in source.namelist():
            content = source.read(entry)
            if entry.endswith("data.pkl"):
                assert b"cnumpy._core.multiarray\n" in content
                content = content.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
            target.writestr(entry, content)
    assert load_foreign(old).info["best_distance_threshold"] == pytest.approx(0.98)


@pytest.mark.slow
def test_files_from_before_zip_archives_are_read(tmp_path):
    torch.save(published(), tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    assert load_foreign(tmp_path / "legacy.pt").unmatched == []


@pytest.mark.slow
def test_the_length_of_an_embedding_is_that_of_the_last_layer_where_no_key_says_it(tmp_path):
    content = published()
    del content["embedding_dimension"]
    foreign = load_foreign(saved(tmp_path, content))
    assert (foreign.spec.embedding_size, foreign.unmatched) == (SIZE, [])


@pytest.mark.slow
def test_weights_alone_need_the_name_of_their_network_and_the_line_says_which_fits(tmp_path):
    content = published(bias=True)
    del content["model_architecture"]
    path = saved(tmp_path, content)
    with pytest.raises(UserError, match=r"network is unknown: name it by --architecture resnet18 \(face3d models"):
        load_foreign(path)
    foreign = load_foreign(path, architecture="ResNet_18")
    assert (foreign.spec.name, foreign.unmatched, foreign.info["named_by_option"]) == ("resnet18", [], True)
    with pytest.raises(UserError, match=r"does not have .* weights of resnet34 .*another --architecture – .* resnet18"):
        load_foreign(path, architecture="resnet34")
    with pytest.raises(UserError, match=r"none of its weights fits ir50 .*: they fit resnet18"):
        load_foreign(path, architecture="ir50")
    with pytest.raises(UserError, match="--architecture 'vgg16' is not one of"):
        load_foreign(path, architecture="vgg16")


@pytest.mark.slow
@pytest.mark.parametrize("key", ["state_dict", "net", "model", "generator"])
@pytest.mark.parametrize("prefix", ["module.", "model.", ""])
def test_weights_are_found_under_other_keys_and_prefixes(tmp_path, key, prefix):
    state = published(prefix=prefix, bias=True)["model_state_dict"]
    path = saved(tmp_path, {"epoch": 4, key: state, "best": 0.5})
    assert load_foreign(path, architecture="resnet18").unmatched == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"epoch": 3, "lr": 0.1},
            r"contains no weights \(tensors by name\) \(epoch, lr\): save the network's state dict",
        ),
        ({"g": {"a": torch.ones(2)}, "d": {"a": torch.ones(2)}}, r"contains several kinds of weights \(g, d\)"),
        ({"state_dict": {"a": 3}}, "its state_dict is not tensors by name"),
    ],
)
def test_a_file_without_weights_of_one_network_is_refused(tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        load_foreign(saved(tmp_path, content), architecture="resnet18")


@pytest.mark.slow
def test_a_traced_network_is_refused_with_the_reason(tmp_path):
    torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)).save(str(tmp_path / "traced.pt"))
    with pytest.raises(UserError, match=r"traced or scripted network.*save its state dict"):
        load_foreign(tmp_path / "traced.pt", architecture="resnet18")


@pytest.mark.slow
def test_images_and_channels_of_a_last_layer_over_a_whole_map(tmp_path):
    for name, options in (("ir18", {"image_size_px": 224}), ("ir18", {}), ("ir18", {"in_channels": 1})):
        net = make_spec("model", name, {"embedding_size": SIZE, **options}).build()
        path = saved(tmp_path, {f"module.{key}": value for key, value in net.state_dict().items()})
        spec = load_foreign(path, architecture="IR_18").spec
        expected = {"image_size_px": 112, "in_channels": 3, **options}
        assert {key: getattr(spec, key) for key in expected} == expected


def torchvision_resnet50(channels, classes):
    """torchvision's ResNet-50 by the names and shapes of its weights, all 0, written out by its rule."""

    def norm(name, width):
        parts = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), torch.zeros(width))
        return {f"{name}.{part}": value for part, value in {**parts, "num_batches_tracked": torch.tensor(0)}.items()}

    state, inside = {"conv1.weight": torch.zeros(64, channels, 7, 7), **norm("bn1", 64)}, 64
    for stage, blocks in enumerate((3, 4, 6, 3), 1):
        width = 32 * 2**stage
        for block in range(blocks):
            name, sizes = f"layer{stage}.{block}", ((width, inside, 1), (width, width, 3), (4 * width, width, 1))
            for i, (out, into, side) in enumerate(sizes, 1):
                state |= {f"{name}.conv{i}.weight": torch.zeros(out, into, side, side), **norm(f"{name}.bn{i}", out)}
            if not block:
                state[f"{name}.downsample.0.weight"] = torch.zeros(4 * width, inside, 1, 1)
                state |= norm(f"{name}.downsample.1", 4 * width)
            inside = 4 * width
    return state | {"fc.weight": torch.zeros(classes, inside), "fc.bias": torch.zeros(classes)}


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_recogniser_of_colour_and_depth_is_read_with_its_classes(tmp_path, prefix):
    """gokulsg/Face3D-Pytorch, 636b919: torchvision's ResNet-50, `conv1` of 4 channels, `fc` of as many as classes.

    train_softmax.py saves `model.state_dict()` as .pkl, behind `module.` if there were several GPUs.
    """
    state = torchvision_resnet50(4, 1200)
    path = tmp_path / "resnet50-3d-model.pkl"
    torch.save(collections.OrderedDict({f"{prefix}{name}": value for name, value in state.items()}), path)
    foreign = load_foreign(path, architecture="resnet50")
    assert (foreign.unmatched, foreign.spec.in_channels, foreign.spec.embedding_size) == ([], 4, 1200)
    torch.save(torch.optim.SGD([nn.Parameter(torch.ones(3))], lr=0.001).state_dict(), tmp_path / "optim.pkl")
    with pytest.raises(UserError, match="contains no weights"):
        load_foreign(tmp_path / "optim.pkl", architecture="resnet50")


@pytest.mark.slow
def test_a_loss_in_a_file_of_its_own_is_no_network(tmp_path):
    """egcode/facerec, f2da9ae, helpers.py: save_model writes TYPE_EPOCH.pth of the network and of the loss."""
    net = make_spec("model", "ir18", {"embedding_size": SIZE}).build()
    state = collections.OrderedDict((f"module.{name}", value) for name, value in net.state_dict().items())
    torch.save(state, tmp_path / "IR_18_90.pth")
    assert load_foreign(tmp_path / "IR_18_90.pth", architecture="IR_18").unmatched == []
    torch.save(collections.OrderedDict(weight=torch.zeros(10, 512)), tmp_path / "arcface_90.pth")
    with pytest.raises(UserError, match="none of its weights fits ir18"):
        load_foreign(tmp_path / "arcface_90.pth", architecture="IR_18")


def points_checkpoint(architecture="pointMLPEliteTriplet"):
    """A checkpoint of the triplet trainer of points, by the names and shapes of its weights."""
    recorded = json.loads((Path(__file__).parent / "models" / "published_outputs.json").read_text())
    shapes = next(each["weights"] for each in recorded if each["architecture"] == architecture)
    state = {name: torch.ones(shape) for name, shape in shapes.items()}
    optimizer = torch.optim.Adam([nn.Parameter(torch.ones(3))], lr=0.01)
    return {
        "epoch": 18,
        "embedding_dimension": 512,
        "batch_size_training": 32,
        "model_state_dict": state,
        "model_architecture": architecture,
        "optimizer_model_state_dict": optimizer.state_dict(),
        "best_distance_threshold": np.mean(np.array([0.9, 1.1])),
    }


def test_training_starts_from_a_triplet_trainers_weights_and_says_what_is_left(tmp_path):
    content = points_checkpoint()
    spec = make_spec("model", "pointmlp_elite", {})
    net = spec.build()
    notes = start_from(net, spec, "old.pt", content)
    assert torch.equal(net.stages[0].group.alpha, torch.ones(32))
    assert notes == (
        "weights old.pt: were trained otherwise than this run's network: --model.sigmoid true --model.dropout 0.5 "
        "--model.fps-start 0 is as there",
        "weights old.pt: epoch 18 of its training: this run counts its own epochs from 1; the state of its optimizer "
        "is not taken: the rate and its course are this run's (--continue-training takes both)",
    )
    as_there = make_spec("model", "pointmlp_elite", {"sigmoid": True, "dropout": 0.5, "fps_start": 0})
    assert len(start_from(as_there.build(), as_there, "old.pt", content)) == 1


def test_training_refuses_the_weights_of_another_network(tmp_path):
    content = points_checkpoint()
    spec = make_spec("model", "pointnet_triplet", {})
    with pytest.raises(
        UserError, match=r"weights old\.pt: are of pointMLPEliteTriplet, which is pointmlp_elite here: set"
    ):
        start_from(spec.build(), spec, "old.pt", content)
    small = make_spec("model", "pointmlp_elite", {"embedding_size": 64, "dropout": 0.5})
    with pytest.raises(UserError, match=r"weights old\.pt: 2 weights of it .* no partner \(head\.8\.weight: .512"):
        start_from(small.build(), small, "old.pt", content)
    alone = published()["model_state_dict"]
    del alone["model.fc.weight"]
    half = make_spec("model", "resnet18", {"embedding_size": SIZE})
    with pytest.raises(UserError, match=r"--model\.weights starts from the .* that fit"):
        start_from(half.build(), half, "old.pt", alone)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_architecture": "vgg16"}, r"model_triplet\.pt: model_architecture 'vgg16' is not one of .*resnet34"),
        ({"model_state_dict": {"body.weight": torch.ones(2)}}, "none of its weights fits resnet18"),
        ({"model_state_dict": {"body.weight": 3}}, "its model_state_dict is not tensors by name"),
        ({"model_state_dict": {}}, "its model_state_dict is not tensors by name, or has none"),
        ({"embedding_dimension": 0}, "model_triplet.pt: model resnet18: 'embedding_size' = 0"),
        ({"model_state_dict": {"conv1.weight": torch.ones(64, 17, 7, 7)}}, "'in_channels' = 17"),
    ],
)
def test_what_is_wrong_with_a_checkpoint_is_told(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        load_foreign(saved(tmp_path, {**published(), **change}))


@pytest.mark.slow
def test_classes_of_other_programs_are_not_loaded(tmp_path):
    path = saved(tmp_path, {**published(), "args": OtherProgram()})
    with pytest.raises(
        UserError, match=r"needs the class \S*OtherProgram of another program.*save the state dict alone"
    ):
        load_foreign(path)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 cut off", b"\x80\x02}q\x00."])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_files_that_hold_no_weights_are_told_by_name(tmp_path, content, suffix):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"broken{suffix}: cannot be read as a file of torch or safetensors"):
        read_torch_file(path)


@pytest.mark.slow
def test_a_checkpoint_that_is_cut_off_is_told(tmp_path):
    path = saved(tmp_path, published())
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match="cannot be read"):
        read_torch_file(path)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UserError, match=r"none\.pt: this file does not exist"):
        load_foreign(tmp_path / "none.pt")
