"""A run's folder, its checkpoints and what they keep of the training data."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import torch
from tiny_sets import points_set

from face3d_data.errors import UserError
from face3d_data.shards.read import Dataset
from face3d_training.checkpoint import load_model, load_weights, save_checkpoint
from face3d_training.config import load_config
from face3d_training.leaks import shared_with_training, training_fingerprint
from face3d_training.run_folder import dataset_digest, describe_run, find_run
from face3d_training.torch_file import read_torch_file


@pytest.fixture
def dataset(tmp_path):
    return Dataset(points_set(tmp_path / "set"))


def rows(*triples: tuple[str, str, str]) -> pd.DataFrame:
    table = pd.DataFrame(triples, columns=["identity", "origin_id", "key"])
    return table.assign(sample_id=table["origin_id"] + "~" + table["key"])


def test_people_captures_and_keys_that_were_learnt_from_are_named():
    seen = training_fingerprint(rows(("d/ann", "d/ann/1", "k1"), ("d/bob~mirror", "d/bob/1", "k2")))
    found = shared_with_training(
        rows(
            ("d/ann", "d/ann/2", "k3"), ("d/bob", "d/bob/9", "k4"), ("d/eve", "d/bob/1", "k5"), ("d/eve", "d/x", "k2")
        ),
        seen,
    )
    assert {leak.kind: leak.things for leak in found} == {
        "identity": ("d/ann", "d/bob"),
        "origin": ("d/bob/1",),
        "key": ("d/x~k2",),
    }
    assert shared_with_training(rows(("d/eve", "d/eve/1", "k9")), seen) == []


def test_what_is_kept_of_people_is_hashes_of_64_bits_alone():
    seen = training_fingerprint(rows(*[(f"d/p{i % 5}", f"d/p{i % 5}/{i}", f"k{i}") for i in range(20)]))
    assert {kind: (len(value), value.dtype) for kind, value in seen.items()} == {
        "identity": (5, torch.int64),
        "origin": (20, torch.int64),
        "key": (20, torch.int64),
    }


def test_a_folder_in_use_is_not_written_to(tmp_path, dataset):
    run, config = tmp_path / "run", load_config(None)
    assert find_run(run, config, dataset, resume=False) is None
    assert not run.exists()
    describe_run(run, config, dataset, resume=False)
    with pytest.raises(UserError, match=r"holds a run already: --restart removes it; or give another --out"):
        find_run(run, load_config(None, [("seed", 1)]), dataset, resume=False)
    with pytest.raises(UserError, match=r"holds no checkpoints/last.pt to go on with: leave --resume out"):
        find_run(run, config, dataset, resume=True)
    about = json.loads((run / "run.json").read_text())
    assert about["seed"] == 0
    assert about["versions"]["torch"].startswith("2.13.0")


def test_a_restart_removes_a_run_and_nothing_else(tmp_path, dataset):
    run, config = tmp_path / "run", load_config(None)
    describe_run(run, config, dataset, resume=False)
    (run / "old").touch()
    assert find_run(run, config, dataset, resume=False, restart=True) is None
    assert (run / "old").exists(), "nothing is removed before everything else is known to work"
    describe_run(run, config, dataset, resume=False)
    assert not (run / "old").exists()
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter").touch()
    with pytest.raises(UserError, match=r"thesis: is in use, and holds no run: give another --out"):
        find_run(other, config, dataset, resume=False, restart=True)


def test_a_run_goes_on_with_its_own_config_and_dataset_alone(tmp_path, dataset):
    run, config = tmp_path / "run", load_config(None)
    describe_run(run, config, dataset, resume=False)
    state = {"config": json.dumps(config.model_dump(mode="json")), "dataset": dataset_digest(dataset)}
    save_checkpoint(run / "checkpoints" / "last.pt", state)
    assert find_run(run, load_config(None, [("workers", 2), ("epochs", 90)]), dataset, resume=True) == state
    with pytest.raises(UserError, match=r"was begun with another optimizer .*1e-05.* --out to begin anew"):
        find_run(run, load_config(None, [("optimizer.learning_rate", "1e-5")]), dataset, resume=True)
    other = Dataset(points_set(tmp_path / "other", n_points=32))
    with pytest.raises(UserError, match=r"was begun on another dataset than"):
        find_run(run, config, other, resume=True)
    with pytest.raises(
        UserError, match=r"holds a run already: --resume goes on with it, --restart removes it; or give"
    ):
        find_run(run, config, dataset, resume=False)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as a file of torch"),
        (b"no checkpoint at all", "cannot be read as a file of torch"),
        (b"PK\x03\x04 half a file", "cannot be read as a file of torch"),
    ],
)
def test_what_is_no_checkpoint_is_told_in_one_line(tmp_path, content, message):
    path = tmp_path / "x.pt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


class Planted:
    """What a malicious file would bring."""

    def __reduce__(self):
        return print, ("executed",)


def test_a_checkpoint_is_never_run_as_code(tmp_path, capsys):
    torch.save({"model_state_dict": Planted()}, tmp_path / "bad.pt")
    with pytest.raises(UserError, match=r"needs the class .* of another program, and loading that could run any code"):
        read_torch_file(tmp_path / "bad.pt")
    assert "executed" not in capsys.readouterr().out


def test_weights_of_another_architecture_are_told_by_name_and_shape():
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    weights = {**net.state_dict(), "0.weight": torch.zeros(3, 5), "extra": torch.zeros(1)}
    del weights["1.bias"]
    with pytest.raises(UserError, match="another architecture") as caught:
        load_weights(net, weights, "x.pt")
    for part in ("0.weight is (3, 5) where (3, 2) is needed", "1.bias is missing", "extra is unknown"):
        assert part in str(caught.value)
