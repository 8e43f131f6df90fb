"""The benchmark of operations on points runs at its smallest size; how fast they are, is never judged here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "training_ops.py"


@pytest.mark.slow
def test_steps_and_sampling_are_compared(tmp_path):
    out = tmp_path / "figures.json"
    command = [sys.executable, SCRIPT, "--batch", "2", "--points", "512", "--rounds", "1", "--json", out]
    done = subprocess.run(
        [*map(str, command), "--sampling", "2", "128", "16"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert set(found["nets"]) == {"pointnet2_ssg_elite", "pointmlp_elite"}
    for name, neighbors in (("pointnet2_ssg_elite", "ball_query"), ("pointmlp_elite", "nearest_points")):
        net = found["nets"][name]
        assert set(net["step_ms"]) == {"ours", "usual", "usual, layers too"}
        assert min(net["ratio"], net["ratio_layers_too"]) > 0
        for shares in net["shares"].values():
            assert set(shares) == {"farthest_points", neighbors, "gather_points", "layers"}
            assert abs(sum(shares.values()) - 1) < 1e-6
    assert set(found["sampling"]["ratio"]) == {"exact", "fast"}
    assert "farthest points, exact" in done.stdout
