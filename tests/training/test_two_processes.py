"""Two processes learn what one does, from the same batches."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from lightning_fabric import Fabric
from one_of_several import CASES, STEPS, learn

SCRIPT = Path(__file__).with_name("one_of_several.py")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What each of two processes found."""
    out = tmp_path_factory.mktemp("two") / "found.json"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            [sys.executable, SCRIPT, out],
            env={**os.environ, **place, "LOCAL_RANK": str(rank), "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        for process in running:
            text, _ = process.communicate(timeout=120)
            assert process.returncode == 0, text[-3000:]
    finally:
        for process in running:
            process.kill()
    return [json.loads(Path(f"{out}.{rank}").read_text()) for rank in range(2)]


@pytest.fixture(scope="module")
def alone():
    return Fabric(accelerator="cpu", devices=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.get("norm") != "batch"])
def test_losses_are_those_of_one_process(both, alone, name):
    expected = learn(alone, **CASES[name])["losses"]
    assert expected[-1] != pytest.approx(expected[0], abs=0.05), "nothing was learnt"
    for found in both:
        assert len(found[name]["losses"]) == STEPS
        assert found[name]["losses"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_all_processes_have_the_same_weights(both, name):
    assert both[0][name] == both[1][name]


@pytest.mark.slow
def test_no_valid_triplet_is_none_in_all_processes(both):
    assert both[0]["one person"]["losses"] == both[1]["one person"]["losses"] == [None] * STEPS


@pytest.mark.slow
def test_gathered_rows_stand_by_rank_and_have_the_gradient_that_averaging_needs(both):
    rows = [[0, 0], [1, -1], [10, -10], [11, -11], [12, -12]]
    for rank, mine in enumerate((rows[:2], rows[2:])):
        found = both[rank]["gathered"]
        assert found["rows"] == rows
        assert found["flag"] == [False, True, True, True, True]
        assert found["gradient"] == [[2 * value for value in row] for row in mine]


@pytest.mark.slow
def test_more_processes_than_a_batch_feeds_are_refused(both):
    assert "each of 50 processes needs 2 samples" in both[0]["too many"]
