"""`torchrun -m face3d_data train`: two processes compute what one does, and write one run."""

import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
import torch
from tiny_sets import points_set

from face3d_training.checkpoint import CHECKPOINT_FOLDER, LAST_CHECKPOINT
from face3d_training.torch_file import read_torch_file

pytestmark = pytest.mark.slow

OPTIONS = (
    *("--model.widths", "8,16", "--model.embedding-size", "8", "--model.norm", "group", "--loss.triplet.mining", "all"),
    *("--batch.identities", "4", "--batch.samples", "4", "--batch.accumulate", "2", "--epochs", "3"),
    *("--augment.yaw-deg", "5", "--device", "cpu", "--threads", "1", "--optimizer.name", "sgd"),
    *("--stop.collapse-spread", "0"),
)


def train(launcher, dataset, out, *more):
    given = [*OPTIONS, *more, "--out", str(out)]
    command = [sys.executable, "-m", *launcher, "face3d_data", "train", str(dataset), *given]
    done = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=200, check=False
    )
    return done


TWO = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")


def test_what_the_first_of_two_processes_finds_ends_both(tmp_path):
    dataset = points_set(tmp_path).resolve()
    with h5py.File(dataset / "shards" / "eval-00000.h5", "r+") as file:
        file["data"][5, 3] = np.nan
    done = train(TWO, dataset, tmp_path / "run", "--no-check")
    assert done.returncode == 1
    assert done.stderr.count("are not finite (1 of 32 samples of the batch)") == 2, "each says so, and none waits"
    assert "onnection" not in done.stderr
    assert "RuntimeError" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_two_processes_train_what_one_does(tmp_path):
    dataset = points_set(tmp_path)
    alone, both = train((), dataset, tmp_path / "one"), train(TWO, dataset, tmp_path / "two")
    assert (alone.returncode, both.returncode) == (0, 0), both.stderr[-3000:]
    said = both.stdout
    assert said.count("epoch 3/3") == 1
    assert said.count(f"run {tmp_path / 'two'}") == 1
    assert "16 samples an epoch; on cpu × 2" in said
    one, two = (read_torch_file(tmp_path / name / CHECKPOINT_FOLDER / LAST_CHECKPOINT) for name in ("one", "two"))
    losses = [[row["loss"] for row in state["progress"]["history"]] for state in (one, two)]
    assert max(abs(a - b) for a, b in zip(*losses, strict=True)) <= 1e-4
    for name, weights in one["model_state_dict"].items():
        assert torch.allclose(weights, two["model_state_dict"][name], atol=1e-4), name
    fields = ("identity", "origin", "key")
    assert all(torch.equal(one["training_data"][kind], two["training_data"][kind]) for kind in fields)
