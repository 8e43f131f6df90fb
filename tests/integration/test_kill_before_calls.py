"""Killed before any call that changes the file system, a run that is finished afterwards gives the same bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from soak import tries
from toys import write_toys

SCRIPT = Path(__file__).with_name("kill_before_calls.py")


@pytest.mark.slow
@pytest.mark.parametrize("half", [0, 1])
def test_nothing_is_lost_before_whichever_call_a_run_is_killed(tmp_path, half):
    root = write_toys(tmp_path / "in", 3, 3)
    every = tries(50, 2)
    command = [sys.executable, str(SCRIPT), str(root), str(tmp_path / "out"), str(every), str(half * every // 2)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) >= 10
    assert [line for line in told if line["killed"] != 9 or line["finished"] != 0] == []
    assert [line for line in told if not (line["whole"] and line["same"])] == []
