"""A run's folder, its checkpoints and what they keep of the training data."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import torch
from tiny_sets import points_set

from face3d_data.errors import RunStopped, UserError
from face3d_data.shards.read import Dataset
from face3d_training.checkpoint import load_model, load_weights, read_checkpoint, save_checkpoint
from face3d_training.config import load_config
from face3d_training.leaks import SeenData, compared_by, shared_with_training, training_fingerprint
from face3d_training.run_folder import dataset_digest, describe_run, find_run, remove_run
from face3d_training.torch_file import read_torch_file
from face3d_training.train import train


@pytest.fixture
def dataset(tmp_path):
    return Dataset(points_set(tmp_path / "set"))


def rows(*triples: tuple[str, str, str], root: str = "", content: str = "") -> pd.DataFrame:
    table = pd.DataFrame(triples, columns=["identity", "origin_id", "key"])
    return table.assign(sample_id=table["origin_id"] + "~" + table["key"], root=root, content=content)


def test_people_captures_and_keys_that_were_learnt_from_are_named():
    seen = training_fingerprint(rows(("d/ann", "d/ann/1", "k1"), ("d/bob~mirror", "d/bob/1", "k2")))
    found = shared_with_training(
        rows(
            ("d/ann", "d/ann/2", "k3"), ("d/bob", "d/bob/9", "k4"), ("d/bob", "d/bob/1", "k5"), ("d/eve", "d/x", "k2")
        ),
        seen,
    )
    assert {leak.kind: leak.things for leak in found} == {
        "identity": ("d/ann", "d/bob"),
        "origin": ("d/bob/1",),
        "key": ("d/x~k2",),
    }
    assert shared_with_training(rows(("d/eve", "d/eve/1", "k9")), seen) == []


ANN = ("d/ann", "d/ann/1", "k1")
EVE = ("e/eve", "e/eve/1", "k9")


def test_recordings_and_contents_that_were_learnt_from_are_named_whatever_they_are_called():
    seen = training_fingerprint(rows(ANN, root=f"{1:016x} {2:016x}", content="points:ab depth:cd"))
    assert [leak.kind for leak in shared_with_training(rows(EVE, root=f"{2:016x} {7:016x}"), seen)] == ["root"]
    (leak,) = shared_with_training(rows(EVE, root=f"{7:016x}", content="color:ee points:ab"), seen)
    assert (leak.kind, leak.things) == ("content", ("e/eve/1~k9",))
    assert shared_with_training(rows(EVE, root=f"{7:016x}", content="depth:ab points:cd"), seen) == []


def test_what_cannot_be_compared_is_not_said_to_be():
    full = {"root": f"{1:016x}", "content": "points:ab"}
    seen = training_fingerprint(rows(ANN, **full))
    assert compared_by(rows(EVE, root=f"{7:016x}", content="points:cd"), seen) == ("name", "recording", "content")
    assert compared_by(rows(EVE, root=f"{7:016x}", content="points/f2:cd"), seen) == ("name", "recording")
    assert compared_by(rows(EVE, content="points:cd"), seen) == ("name", "content")
    assert compared_by(rows(EVE, **full), training_fingerprint(rows(ANN))) == ("name",)
    older = {kind: seen[kind] for kind in ("identity", "origin", "key")}
    assert compared_by(rows(EVE, **full), older) == ("name",)


def test_who_goes_by_the_name_of_another_collection_is_known_by_both():
    """Learnt from as `d415/ann`, by a list of one person's names; judged under the name of the own collection."""
    merged = ("d415/ann", "bosphorus/bs003/n0", "k1")
    seen = training_fingerprint(rows(merged))
    for judged in (("bosphorus/bs003", "bosphorus/bs003/n1", "k2"), ("d415/ann", "d415/ann/7", "k3")):
        assert [leak.kind for leak in shared_with_training(rows(judged), seen)] == ["identity"]
    alone = training_fingerprint(rows(("bosphorus/bs003", "bosphorus/bs003/n1", "k2")))
    assert [leak.kind for leak in shared_with_training(rows(merged), alone)] == ["identity"]
    assert shared_with_training(rows(("bosphorus/bs004", "bosphorus/bs004/n0", "k4")), seen) == []


def test_what_the_weights_that_one_begins_with_were_learnt_from_counts_too():
    seen, older = (SeenData(training_fingerprint(rows((f"d/{who}", f"d/{who}/1", who)))) for who in ("ann", "bob"))
    seen.add({"model_state_dict": {}, **older.as_state()})
    assert seen.complete
    found = shared_with_training(rows(("d/bob", "d/bob/1", "bob"), ("d/ann", "d/ann/7", "x")), seen.data)
    assert {leak.kind: leak.things for leak in found} == {
        "identity": ("d/ann", "d/bob"),
        "origin": ("d/bob/1",),
        "key": ("d/bob/1~bob",),
    }
    seen.add({"model_state_dict": {}})
    assert not seen.complete, "of these weights nothing is known"
    assert shared_with_training(rows(("d/bob", "d/bob/2", "k")), seen.data), "and what was known stays"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["best.pt", "best.safetensors"])
def test_a_run_that_begins_with_another_ones_weights_has_seen_what_that_one_saw(tmp_path, dataset, name):
    small = [("model.widths", [8]), ("model.embedding_size", 4), ("batch.identities", 2), ("batch.samples", 2)]
    small += [
        ("loss.triplet.mining", "all"),
        ("loss.triplet.margin", 2),
        ("batch.iterations", 1),
        ("epochs", 1),
        ("threads", 1),
        ("device", "cpu"),
    ]
    one, two = ([*small, ("data.where", f"identity in ['tiny/p0{i}', 'tiny/p0{i + 1}']")] for i in (0, 2))
    quiet = {"say": lambda line: None, "stop_asked": lambda: False}
    first = train(dataset.path, load_config(None, one), tmp_path / "one", **quiet).with_name(name)
    assert load_model(first).info["training_data_complete"]
    assert load_model(first).info["splits"] == {"train": "train", "eval": "eval"}
    best = train(dataset.path, load_config(None, [*two, ("weights", str(first))]), tmp_path / "two", **quiet)
    table = dataset.table("train")
    for path, people in ((first, [0, 1]), (best, [0, 1, 2, 3]), (best.with_suffix(".safetensors"), [0, 1, 2, 3])):
        found = shared_with_training(table, load_model(path).info["training_data"])
        assert found[0].things == tuple(f"tiny/p0{i}" for i in people), path


def test_what_is_kept_of_people_is_hashes_of_64_bits_alone():
    people = [(f"d/p{i % 5}", f"d/p{i % 5}/{i}", f"k{i}") for i in range(20)]
    seen = training_fingerprint(rows(*people, root=f"{1:016x} {2:016x}", content="points:ab depth:cd color:ef"))
    assert {kind: (len(value), value.dtype) for kind, value in seen.items()} == {
        "identity": (5, torch.int64),
        "origin": (20, torch.int64),
        "key": (20, torch.int64),
        "root": (2, torch.int64),
        "content": (3, torch.int64),
        "form": (3, torch.int64),
    }


def test_a_folder_in_use_is_not_written_to(tmp_path, dataset):
    run, config = tmp_path / "run", load_config(None)
    assert find_run(run, config, dataset, resume=False) is None
    assert not run.exists()
    describe_run(run, config, dataset, resume=False)
    with pytest.raises(UserError, match=r"already contains a run: --restart removes it; or use another --out"):
        find_run(run, load_config(None, [("seed", 1)]), dataset, resume=False)
    with pytest.raises(UserError, match=r"has no checkpoints/last.pt to resume: leave out --resume"):
        find_run(run, config, dataset, resume=True)
    about = json.loads((run / "run.json").read_text())
    assert about["seed"] == 0
    assert about["versions"]["torch"].startswith("2.13.0")


def test_a_run_below_a_file_cannot_be(tmp_path, dataset):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"deep/run: cannot be made, as .*/file is not a writable folder: use"):
        find_run(tmp_path / "file" / "deep" / "run", load_config(None), dataset, resume=False)
    with pytest.raises(UserError, match=r"file: is not empty, and is not a run: use another --out"):
        find_run(tmp_path / "file", load_config(None), dataset, resume=False)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("enforce fail\nat inline")])
def test_a_full_disk_stops_with_one_line_and_leaves_the_last_checkpoint(tmp_path, monkeypatch, error):
    save_checkpoint(tmp_path / "last.pt", {"epoch": 1})

    def full(state, path):
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(RunStopped, match=r"last.pt: cannot be written \(.*\): make room; the last one is whole"):
        save_checkpoint(tmp_path / "last.pt", {"epoch": 2})
    assert read_checkpoint(tmp_path / "last.pt") == {"epoch": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


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
    with pytest.raises(UserError, match=r"thesis: is not empty, and is not a run: use another --out"):
        find_run(other, config, dataset, resume=False, restart=True)


def test_a_run_goes_on_with_its_own_config_and_dataset_alone(tmp_path, dataset):
    run, config = tmp_path / "run", load_config(None)
    describe_run(run, config, dataset, resume=False)
    state = {"config": json.dumps(config.model_dump(mode="json")), "dataset": dataset_digest(dataset)}
    save_checkpoint(run / "checkpoints" / "last.pt", state)
    assert find_run(run, load_config(None, [("workers", 2), ("epochs", 90)]), dataset, resume=True) == state
    with pytest.raises(
        UserError,
        match=r"started with another optimizer.learning_rate .0.001 → 1e-05.: .*config.yaml alone.* --out to start",
    ):
        find_run(run, load_config(None, [("optimizer.learning_rate", "1e-5")]), dataset, resume=True)
    other = Dataset(points_set(tmp_path / "other", n_points=32))
    with pytest.raises(UserError, match=r"was started with another dataset than"):
        find_run(run, config, other, resume=True)
    with pytest.raises(UserError, match=r"already contains a run: --resume continues it, --restart removes it; or use"):
        find_run(run, config, dataset, resume=False)


@pytest.mark.slow
def test_keys_that_came_after_a_run_began_have_their_defaults(tmp_path, dataset):
    run, config = tmp_path / "run", load_config(None)
    older = config.model_dump(mode="json")
    del older["data"]["views"]
    state = {"config": json.dumps(older), "dataset": dataset_digest(dataset)}
    save_checkpoint(run / "checkpoints" / "last.pt", state)
    assert find_run(run, config, dataset, resume=True) == state
    with pytest.raises(UserError, match=r"another data.views \(1 → 2\)"):
        find_run(run, load_config(None, [("data.views", 2)]), dataset, resume=True)


def test_a_run_goes_into_a_linked_folder(tmp_path, dataset):
    """As where a disk is mounted: what is in it may be removed, the folder itself cannot be."""
    (tmp_path / "disk" / "old").mkdir(parents=True)
    (tmp_path / "run").symlink_to(tmp_path / "disk")
    describe_run(tmp_path / "run", load_config(None), dataset, resume=False)
    assert sorted(path.name for path in (tmp_path / "disk").iterdir()) == ["config.yaml", "run.json"]
    remove_run(tmp_path / "run")
    assert not list((tmp_path / "disk").iterdir())


@pytest.mark.parametrize("config", ['{"epochs": -1}', "no json", "[]"])
def test_a_config_that_is_not_known_is_told_in_one_line(tmp_path, config):
    torch.save({"config": config, "model_state_dict": {}}, tmp_path / "x.pt")
    with pytest.raises(UserError, match=r"x.pt: this version does not know its config"):
        load_model(tmp_path / "x.pt")


def test_a_config_of_another_program_is_not_taken_for_ours(tmp_path):
    torch.save({"config": {"lr": 0.1}, "model_state_dict": {}}, tmp_path / "x.pt")
    with pytest.raises(UserError, match=r"x.pt: its model_state_dict is not tensors by name"):
        load_model(tmp_path / "x.pt")


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
