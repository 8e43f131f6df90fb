"""Killed at any time, in the driver or in a worker, a run that is finished afterwards gives the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from soak import SOAK, tries
from toys import write_toys

VICTIM = Path(__file__).with_name("victim.py")


def start(root, work, engine="serial", where="part", count=0):
    environment = {**os.environ, "PYTHONPATH": str(VICTIM.parents[1])}
    if count:
        environment["TOYS_TRAP"] = f"{where}:{count}:{work}/counter"
    command = [sys.executable, str(VICTIM), str(root), str(work), engine]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def finish(root, work):
    process = start(root, work)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors


def dataset(work):
    folder = work / "datasets" / "victim"
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    base = tmp_path_factory.mktemp("undisturbed")
    root = write_toys(base / "in", 10, 4)
    finish(root, base / "work")
    return root, dataset(base / "work")


IN_A_SOAK = pytest.mark.skipif(not SOAK, reason="only in make soak")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "count"),
    [
        *(("part", 1), ("part", 11), ("shard", 1)),
        *(pytest.param(*more, marks=IN_A_SOAK) for more in (("part", 3), ("shard", 2))),
    ],
)
def test_driver_killed_in_the_middle_of_a_write(tmp_path, undisturbed, where, count):
    root, want = undisturbed
    process = start(root, tmp_path / "work", "serial", where, count)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "work" / "datasets" / "victim").exists()
    finish(root, tmp_path / "work")
    assert dataset(tmp_path / "work") == want


@pytest.mark.slow
@pytest.mark.parametrize(("where", "count"), [("part", 13), ("shard", 1), pytest.param("part", 2, marks=IN_A_SOAK)])
def test_worker_killed_in_the_middle_of_a_write(tmp_path, undisturbed, where, count):
    root, want = undisturbed
    process = start(root, tmp_path / "work", "loky", where, count)
    _, errors = process.communicate(timeout=180)
    assert len(list((tmp_path / "work" / "counter").iterdir())) >= count
    assert process.returncode == 0, errors
    assert dataset(tmp_path / "work") == want


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(tries(2, 4)))
def test_killed_at_seeded_random_times(tmp_path, undisturbed, seed):
    root, want = undisturbed
    rng = random.Random(seed)
    engine = ("serial", "loky")[seed % 2]
    for _ in range(2):
        process = start(root, tmp_path / "work", engine)
        time.sleep(rng.uniform(0.3, 2.5))
        process.kill()
        process.communicate(timeout=120)
    finish(root, tmp_path / "work")
    assert dataset(tmp_path / "work") == want
