"""A run that was stopped and resumed computes the same bits as one that was not, and a killed one loses one epoch."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_sets import points_set

from face3d_data.errors import UserError
from face3d_training.checkpoint import CHECKPOINT_FOLDER, LAST_CHECKPOINT, load_model
from face3d_training.config import load_config
from face3d_training.torch_file import read_torch_file
from face3d_training.train import train

KEYS = [
    ("model.widths", [8, 16]),
    ("model.dropout", 0.3),
    ("model.embedding_size", 8),
    ("data.n_points", 32),
    ("data.choose_points", "random"),
    ("batch.identities", 4),
    ("batch.samples", 4),
    ("batch.accumulate", 2),
    ("augment.yaw_deg", 10),
    ("augment.jitter_mm", 0.5),
    ("loss.triplet.mining", "all"),
    ("schedule.warmup_epochs", 1),
    ("threads", 1),
    ("epochs", 6),
]
OFFLINE = [("triplets.offline", True), ("triplets.per_epoch", 60)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return points_set(tmp_path_factory.mktemp("set"))


class StopAfter:
    """Asks to stop after so many steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self) -> bool:
        self.left -= 1
        return self.left == 0


def never() -> bool:
    return False


def quiet(line: str) -> None:
    pass


def trained(run: Path) -> dict:
    return read_torch_file(run / CHECKPOINT_FOLDER / LAST_CHECKPOINT)


@pytest.mark.slow
@pytest.mark.parametrize("triplets", [[], OFFLINE], ids=["online", "offline"])
@pytest.mark.parametrize("workers", [0, 2])
def test_stopped_in_the_middle_of_the_fourth_epoch_and_resumed_is_the_same_to_the_bit(
    dataset, tmp_path, workers, triplets
):
    config = load_config(None, [*KEYS, *triplets])
    train(dataset, config, tmp_path / "straight", say=quiet, stop_asked=never)
    straight = trained(tmp_path / "straight")
    steps = straight["progress"]["step"] // 6
    assert steps >= 2

    config = load_config(None, [*KEYS, *triplets, ("workers", workers)])
    with pytest.raises(KeyboardInterrupt):
        train(dataset, config, tmp_path / "stopped", say=quiet, stop_asked=StopAfter(3 * steps + steps // 2))
    stopped = trained(tmp_path / "stopped")
    assert (stopped["epoch"], stopped["sampler"]["batch"]) == (3, steps // 2)
    train(dataset, config, tmp_path / "stopped", resume=True, say=quiet, stop_asked=never)
    resumed = trained(tmp_path / "stopped")

    for name in ("model_state_dict", "loss_state_dict"):
        assert straight[name].keys() == resumed[name].keys()
        assert all(torch.equal(value, resumed[name][key]) for key, value in straight[name].items()), name
    assert without_speed(straight["progress"]["history"]) == without_speed(resumed["progress"]["history"])
    moments = [state["optimizer_model_state_dict"]["state"] for state in (straight, resumed)]
    for parameter, state in moments[0].items():
        assert all(torch.equal(value, moments[1][parameter][key]) for key, value in state.items())


@pytest.mark.slow
def test_stopped_after_the_last_step_of_an_epoch_and_resumed_is_the_same_too(dataset, tmp_path):
    config = load_config(None, [*KEYS, ("epochs", 2)])
    train(dataset, config, tmp_path / "straight", say=quiet, stop_asked=never)
    straight = trained(tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        train(dataset, config, tmp_path / "stopped", say=quiet, stop_asked=StopAfter(straight["progress"]["step"] // 2))
    assert trained(tmp_path / "stopped")["epoch"] == 0, "its figures are still to be made"
    train(dataset, config, tmp_path / "stopped", resume=True, say=quiet, stop_asked=never)
    resumed = trained(tmp_path / "stopped")
    assert without_speed(straight["progress"]["history"]) == without_speed(resumed["progress"]["history"])
    weights = [state["model_state_dict"] for state in (straight, resumed)]
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())


@pytest.mark.slow
def test_a_run_that_stopped_early_is_done(dataset, tmp_path):
    still = [("optimizer.learning_rate", 1e-12), ("model.norm", "group"), ("stop.patience", 2), ("epochs", 9)]
    config = load_config(None, [*KEYS, *still, ("stop.collapse_spread", 0)])
    said: list[str] = []
    train(dataset, config, tmp_path / "run", say=said.append, stop_asked=never)
    assert said[-1] == "no gain in auc for 2 evaluations: stopping early"
    before = (tmp_path / "run" / CHECKPOINT_FOLDER / LAST_CHECKPOINT).read_bytes()
    best = train(dataset, config, tmp_path / "run", resume=True, say=said.append, stop_asked=never)
    assert said[-1] == f"{tmp_path / 'run'}: no gain in auc for 2 evaluations: nothing is left to do"
    assert best.is_file()
    assert (tmp_path / "run" / CHECKPOINT_FOLDER / LAST_CHECKPOINT).read_bytes() == before


@pytest.mark.slow
def test_a_long_epoch_tells_how_far_it_is(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("face3d_training.train.PROGRESS_EVERY_S", -1.0)
    said: list[str] = []
    config = load_config(None, [*KEYS, ("epochs", 1), ("batch.iterations", 3)])
    train(dataset, config, tmp_path / "run", say=said.append, stop_asked=never)
    lines = [re.fullmatch(r"epoch 1: step (\d)/3, \d+ samples/s, (\d+\.\d) min left", line) for line in said]
    steps = [line for line in lines if line]
    assert [line[1] for line in steps] == ["1", "2", "3"]
    assert float(steps[-1][2]) == 0


def test_a_mistake_that_the_first_step_finds_leaves_no_run(dataset, tmp_path):
    config = load_config(None, [*KEYS, *OFFLINE, ("loss.triplet.mining", "batch_hard")])
    with pytest.raises(UserError, match="batch_hard chooses among all samples"):
        train(dataset, config, tmp_path / "run", say=quiet, stop_asked=never)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_given_triplets_are_what_is_learnt_from(dataset, tmp_path):
    """One triplet, again and again: a loss over all pairs of the batch would be another number."""
    import numpy as np

    from face3d_data.shards.read import Dataset

    table = Dataset(dataset).table("train")
    a, b, c = (table[table["identity"] == f"tiny/p{who:02d}"].iloc[i] for who, i in ((0, 0), (0, 5), (1, 0)))
    row = [a["id"], b["id"], c["id"], str(a["class"]), str(c["class"]), a["name"], c["name"]]
    np.save(tmp_path / "mine.npy", np.array([row] * 320))
    losing = [("triplets.file", str(tmp_path / "mine.npy")), ("loss.triplet.mining", "all"), ("epochs", 3)]
    plain = [("model.dropout", 0), ("augment", {}), ("optimizer.learning_rate", 0.01), ("stop.collapse_spread", 0)]
    config = load_config(None, [*KEYS, *losing, *plain, ("batch.accumulate", 1), ("model.norm", "group")])
    train(dataset, config, tmp_path / "run", say=quiet, stop_asked=never)
    history = trained(tmp_path / "run")["progress"]["history"]
    assert history[0]["triplet.valid_triplets"] == 16, "each step has the 16 copies of the one triplet, and no other"
    assert history[-1]["loss"] < history[0]["loss"]


def without_speed(history: list[dict]) -> list[dict]:
    return [{name: value for name, value in row.items() if name != "samples_per_s"} for row in history]


@pytest.mark.slow
def test_a_training_learns_and_leaves_everything_behind(dataset, tmp_path):
    learning = [("batch.iterations", 20), ("optimizer.learning_rate", 0.02), ("model.dropout", 0)]
    config = load_config(None, [*KEYS, *learning, ("checkpoint_every", 2)])
    best = train(dataset, config, tmp_path / "run", say=quiet, stop_asked=never)
    run = tmp_path / "run"
    there = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert {"config.yaml", "run.json", "metrics.csv", "curves.png"} <= there
    made = {
        f"{CHECKPOINT_FOLDER}/{name}"
        for name in ("last.pt", "best.pt", "best.safetensors", "epoch_0002.pt", "epoch_0006.pt")
    }
    assert made <= there
    assert any(name.startswith("tensorboard/events") for name in there)
    assert load_config(run / "config.yaml") == config
    rows = list(csv.DictReader((run / "metrics.csv").open()))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert max(float(row["auc"]) for row in rows) > 0.8
    assert float(rows[-1]["loss"]) > 0
    assert float(rows[-1]["impostor"]) > float(rows[-1]["genuine"])

    inputs = torch.rand(2, 32, 3)
    one, other = load_model(best), load_model(run / CHECKPOINT_FOLDER / "best.safetensors")
    assert torch.equal(one.net(inputs), other.net(inputs))
    assert torch.allclose(one.net(inputs).norm(dim=1), torch.ones(2))
    assert one.config == other.config == config
    for key in ("epoch", "embedding_dimension", "batch_size_training", "model_architecture", "best_distance_threshold"):
        assert key in one.info
    assert one.info["best_distance_threshold"] > 0


VICTIM = """
import io, os, signal, sys
from pathlib import Path
import torch
from face3d_training import checkpoint
from face3d_training.config import load_config
from face3d_training.torch_file import read_torch_file
from face3d_training.train import train

whole, writes = torch.save, []

def save(state, path):
    writes.append(path)
    if str(path).find("last.pt") >= 0 and state["epoch"] == 2:
        memory = io.BytesIO()
        whole(state, memory)
        data = memory.getvalue()
        with open(path, "wb") as stream:
            stream.write(data[: len(data) // 2])
            stream.flush()
            os.fsync(stream.fileno())
            os.kill(os.getpid(), signal.SIGKILL)
    whole(state, path)

torch.save = save
train(Path(sys.argv[1]), load_config(sys.argv[2]), Path(sys.argv[3]))
"""


@pytest.mark.slow
def test_a_kill_in_the_middle_of_writing_leaves_the_previous_checkpoint_whole(dataset, tmp_path):
    config = load_config(None, KEYS)
    first = tmp_path / "straight"
    train(dataset, config, first, say=quiet, stop_asked=never)
    run = tmp_path / "killed"
    done = subprocess.run(
        [sys.executable, "-c", VICTIM, str(dataset), str(first / "config.yaml"), str(run)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    assert any(".tmp~" in path.name for path in (run / CHECKPOINT_FOLDER).iterdir()), (
        "the half is there, under another name"
    )
    assert trained(run)["epoch"] == 1
    train(dataset, config, run, resume=True, say=quiet, stop_asked=never)
    ends = [trained(folder)["model_state_dict"] for folder in (first, run)]
    assert all(torch.equal(value, ends[1][key]) for key, value in ends[0].items())
