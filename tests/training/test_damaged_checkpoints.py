"""Checkpoints carry a digest of what they hold: a changed number is noticed before the network is used."""

import copy
import json

import pytest
import torch
from made_checkpoint import make_run
from tiny_sets import points_set

from face3d_data.errors import UserError
from face3d_training.checkpoint import (
    BEST_CHECKPOINT,
    CHECKPOINT_FOLDER,
    export_safetensors,
    load_model,
    read_checkpoint,
)
from face3d_training.content_digest import KEY, content_digest
from face3d_training.torch_file import read_torch_file


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return points_set(tmp_path_factory.mktemp("set"))


@pytest.fixture
def checkpoint(dataset, tmp_path):
    return make_run(tmp_path / "run", dataset) / CHECKPOINT_FOLDER / BEST_CHECKPOINT


def weight_bytes(path):
    """Return the bytes of a weight of the network in the file, which are there once."""
    weights = read_torch_file(path)["model_state_dict"]
    return next(value.numpy().tobytes() for value in weights.values() if value.numel() > 8 and value.any())


def flip_a_weight(path):
    data, wanted = bytearray(path.read_bytes()), weight_bytes(path)
    assert data.count(wanted) == 1
    data[data.index(wanted) + 3] ^= 0x01
    path.write_bytes(data)


@pytest.mark.slow
def test_a_whole_checkpoint_is_read(checkpoint):
    state = read_checkpoint(checkpoint)
    assert KEY not in state
    assert read_torch_file(checkpoint)[KEY] == content_digest(state)
    assert load_model(checkpoint).spec.name == "pointnet_basic"


def test_a_flipped_bit_in_a_pt_is_noticed(checkpoint):
    flip_a_weight(checkpoint)
    with pytest.raises(UserError, match=r"best\.pt: (is damaged|cannot be read)"):
        load_model(checkpoint)


def test_another_number_in_a_pt_that_torch_reads_is_noticed(checkpoint):
    state = read_torch_file(checkpoint)
    next(iter(state["model_state_dict"].values())).view(-1)[0] += 1e-3
    torch.save(state, checkpoint)
    with pytest.raises(UserError, match=r"best\.pt: is damaged: its content is not what was written") as caught:
        load_model(checkpoint)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", ["weight", "config", "about"])
def test_a_changed_safetensors_is_noticed(checkpoint, tmp_path, change):
    path = tmp_path / "best.safetensors"
    export_safetensors(path, read_checkpoint(checkpoint))
    assert load_model(path).info["dataset_name"] == load_model(checkpoint).info["dataset_name"]
    if change == "weight":
        flip_a_weight(path)
    else:
        old, new = {"config": (b'"small', b'"smell'), "about": (b"epoch", b"epock")}[change]
        data = path.read_bytes()
        at = data.index(old.replace(b'"', b'\\"')) if old.replace(b'"', b'\\"') in data else data.index(old)
        size = len(old.replace(b'"', b'\\"')) if old.replace(b'"', b'\\"') in data else len(old)
        fresh = new.replace(b'"', b'\\"') if size != len(old) else new
        path.write_bytes(data[:at] + fresh + data[at + size :])
    with pytest.raises(UserError, match=r"best\.safetensors: is damaged"):
        load_model(path)


def test_checkpoints_of_other_programs_have_no_digest_and_are_read(checkpoint):
    state = read_torch_file(checkpoint)
    del state[KEY]
    torch.save(state, checkpoint)
    assert load_model(checkpoint).spec.name == "pointnet_basic"


STATE = {
    "w": torch.arange(6.0).reshape(2, 3),
    "n": {0: [1, 2.5, None, True], "x": ("a", float("nan"))},
    "scalar": torch.tensor(3, dtype=torch.int64),
    "half": torch.ones(3, dtype=torch.bfloat16),
}


def _add(state):
    state["more"] = None


def _drop(state):
    del state["n"]["x"]


def _weight(state):
    state["w"][1, 2] = 7


def _shape(state):
    state["w"] = state["w"].reshape(3, 2)


def _dtype(state):
    state["w"] = state["w"].double()


def _list(state):
    state["n"]["x"] = list(state["n"]["x"])


def _number(state):
    state["n"][0][0] = 1.0


def _half(state):
    state["half"][2] = 2


@pytest.mark.parametrize("change", [_add, _drop, _weight, _shape, _dtype, _list, _number, _half])
def test_whatever_changes_changes_the_digest(change):
    other = copy.deepcopy(STATE)
    assert content_digest(other) == content_digest(STATE)
    change(other)
    assert content_digest(other) != content_digest(STATE)


def test_neither_order_nor_layout_in_memory_changes_the_digest():
    other = dict(reversed(list(STATE.items())))
    other["w"] = STATE["w"].t().contiguous().t()
    assert not other["w"].is_contiguous()
    assert content_digest(other) == content_digest(STATE)
    assert content_digest({**other, KEY: "anything"}) == content_digest(STATE)
    assert json.dumps(content_digest(STATE)).isascii()
