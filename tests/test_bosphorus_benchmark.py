"""The benchmark of Bosphorus scans at its smallest size, and that its reader of single values is told a difference."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from write_bosphorus import write_bosphorus

from face3d_data.readers.bosphorus import Bosphorus

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "bosphorus.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("benchmarks_bosphorus", SCRIPT)
    loaded = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_every_figure_is_measured(tmp_path):
    json_file = tmp_path / "figures.json"
    command = [sys.executable, str(SCRIPT), "--scans", "8", "--points", "900", "--json", str(json_file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(json_file.read_text())
    assert found["scans"] == 8
    assert set(found["goals"]) <= found.keys()
    assert min(found[name] for name in ("scans_per_s", "listing_ms", "reader_ms", "color_ms", "grid_color_ms")) > 0
    assert found["vs_value_by_value"] > 1
    assert list(found["peak_mb"]) == ["2", "8"]
    assert found["peak_grows_by"] < 1.2
    assert "(goal: at least 100)" in done.stdout


def test_readers_that_disagree_are_no_comparison(script, tmp_path, monkeypatch):
    write_bosphorus(tmp_path, 1, rows=28)
    reader = Bosphorus(root=tmp_path)
    sources = list(reader.scan())
    grid, landmarks = script.value_by_value(sources[0])
    assert np.array_equal(grid, reader.load(sources[0], "grid"), equal_nan=True)
    np.testing.assert_allclose(landmarks, reader.load(sources[0], "landmarks_3d"), atol=1e-5)
    monkeypatch.setattr(script, "value_by_value", lambda source, planes=5: (grid[::-1], landmarks))
    with pytest.raises(SystemExit, match="other grids"):
        script.compare(reader, sources)
