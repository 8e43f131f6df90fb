"""Set-ups that leak, and degenerate captures that refused a whole run, as they were met."""

import json
import shutil

import numpy as np
import pytest
import yaml

from face3d_data.cli.main import _answer
from face3d_data.testing import write_tiny_rgbd

pytestmark = pytest.mark.slow


def answer(capsys, *arguments):
    capsys.readouterr()
    code = _answer([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return code, said.out + said.err


SMALL = {"n_points": 64}


@pytest.fixture
def two_ways(cases, tmp_path, monkeypatch):
    """Write the case's pipeline beside tiny captures, of which 1,024 points would be too many."""
    monkeypatch.chdir(tmp_path)
    write_tiny_rgbd(tmp_path / "captures", people=10, captures=3)
    raw = yaml.safe_load((cases / "pipelines" / "two_ways.yaml").read_text())
    for step in raw["steps"]:
        if step["id"] in ("well_spread", "drawn"):
            step["with"].update(SMALL)
        if step["id"] == "clouds":
            step["with"] = {"min_points": 100}
    (tmp_path / "two_ways.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    return tmp_path


def test_the_same_files_worked_on_in_two_ways_are_refused_by_every_command(two_ways, capsys):
    options = ("--engine", "serial")
    code, said = answer(capsys, "run", "two_ways.yaml", *options)
    assert code == 1
    assert "samples of the same files in more than one split" in said
    assert not (two_ways / "work" / "datasets" / "two_ways").exists()

    assert answer(capsys, "run", "two_ways.yaml", *options, "--allow-leaks")[0] == 0
    code, said = answer(capsys, "verify", "two_ways", "--json")
    record = json.loads(said)
    assert code == 1
    assert record["shared"]["root"] > 0
    assert {leak["kind"] for leak in record["leaks"]} == {"root"}

    small = ("--batch.identities", "4", "--model.widths", "8,16", "--model.embedding-size", "8", "--device", "cpu")
    train = ("train", "two_ways", "--config", "points_small", *small, "--data.n-points", "32", "--epochs", "1")
    code, said = answer(capsys, *train)
    assert code == 1
    assert "samples of the same files in more than one split" in said
    assert answer(capsys, *train, "--allow-leaks", "--stop.collapse-spread", "0")[0] == 0
    run = two_ways / "work" / "training" / "points_small-s0"
    code, said = answer(capsys, "evaluate", "two_ways", run, "--no-baseline", "--device", "cpu")
    assert code == 1
    assert "of the same files of the split were in the training data" in said


def test_degenerate_captures_where_the_survey_looks_refuse_no_run(cases, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy(cases / "pipelines" / "survey.yaml", tmp_path)
    rng, good = np.random.default_rng(0), [[0, 0, 0], [60, 80, 40]]
    for number in range(41):
        folder = tmp_path / "clouds" / f"p{number:02d}"
        folder.mkdir(parents=True)
        cloud = rng.normal(0, 40, (400, 3))
        if number in (0, 10, 20):
            cloud = np.array(good[:1] * 400, float)
        np.savetxt(folder / "a.xyz", cloud, fmt="%.3f")
    code, said = answer(capsys, "run", "survey.yaml", "--engine", "serial")
    assert code == 0, said
    assert "38 samples" in said
