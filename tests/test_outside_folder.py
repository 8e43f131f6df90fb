"""Components named as `module:Name` from a folder without a package: run by the commands, in every engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from face3d_data.shards.read import Dataset
from face3d_data.testing import write_tiny_rgbd

pytestmark = pytest.mark.slow

PARTS = '''"""Parts of a study that have no package."""

import numpy as np
from face3d_data import Stage, TableStep, gives
from face3d_data.readers.rgbd_folder import RgbdFolder
from face3d_data.table import TableResult


@gives("rows")
def near_nose(points, landmarks_3d, radius_mm: float = 50.0):
    """Keep the points round the nose tip."""
    return np.linalg.norm(points - landmarks_3d[2], axis=1) <= radius_mm


class Shift(Stage):
    """Move points to the right."""

    name = "shift"
    inputs = ("points",)
    outputs = ("points",)

    def run(self, sample, rng):
        yield sample.with_arrays(points=sample.arrays["points"] + np.float32([1, 0, 0]))


class MyReader(RgbdFolder):
    """The same folders under another name."""

    name = "my_reader"


class ByName(TableStep):
    """Put people into splits by the first letters of their names: a split of one's own."""

    name = "by_name"
    assigns = ("split",)
    tag_names = ("letter",)

    def run(self, frames, context):
        frame = frames[0]
        people = sorted(set(frame["identity"]))
        split = {name: ("train", "eval", "test")[i % 3] for i, name in enumerate(people)}
        return TableResult(frame.assign(split=[split[name] for name in frame["identity"]], letter="p"))
'''
PIPELINE = """
name: outside
sources:
  tiny: {reader: "parts:MyReader", root: tiny}
steps:
  - {id: faces, stage: detect, from: tiny, with: {detector: given}}
  - {id: clouds, stage: to_cloud, from: faces, with: {min_points: 100}}
  - {id: middle, stage: "parts:near_nose", from: clouds, with: {radius_mm: 60}}
  - {id: shifted, stage: "parts:Shift", from: middle}
  - {id: people, table: "parts:ByName", from: shifted}
  - {id: train, stage: subsample, from: people, where: {split: [train, eval, test]}, with: {n_points: 64}}
datasets:
  outside: {from: train, fields: [points], tags: [letter]}
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    write_tiny_rgbd(tmp_path / "tiny", people=6, captures=2)
    (tmp_path / "parts.py").write_text(PARTS)
    (tmp_path / "outside.yaml").write_text(PIPELINE)
    return tmp_path


def face3d(folder: Path, *arguments: str, code: int = 0) -> str:
    """Run the installed command in a folder, as one would, and return what it says."""
    command = Path(sys.executable).with_name("face3d")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_a_pipeline_of_ones_own_parts_gives_the_same_in_every_engine(folder):
    made = {}
    for engine in ("loky", "serial", "threading"):
        face3d(folder, "run", "outside.yaml", "-w", engine, "--engine", engine, "-j", "2")
        made[engine] = (folder / engine / "datasets" / "outside").resolve().name
        dataset = Dataset(folder / engine / "datasets" / "outside")
        assert {split: len(dataset.reader(split)) for split in dataset.splits} == {"train": 4, "eval": 4, "test": 4}
    assert len(set(made.values())) == 1


@pytest.mark.slow
def test_a_split_of_ones_own_is_shown_and_frozen_as_the_shipped_one_is(folder):
    said = face3d(folder, "split", "outside.yaml", "--engine", "serial", "--freeze", "places.csv")
    assert "train: 2 people, 4 samples" in said
    lines = (folder / "places.csv").read_text().splitlines()
    assert lines[1] == "identity,split"
    assert lines[2] == "tiny/person_0000,train"
    assert len(lines) == 8
    shipped = "table: split, from: shifted, with: {frozen: places.csv}"
    text = PIPELINE.replace('table: "parts:ByName", from: shifted', shipped)
    (folder / "frozen.yaml").write_text(text.replace("tags: [letter]", "tags: []"))
    face3d(folder, "run", "frozen.yaml", "--engine", "serial")
    dataset = Dataset(folder / "work" / "datasets" / "outside")
    assert {split: len(dataset.reader(split)) for split in dataset.splits} == {"train": 4, "eval": 4, "test": 4}


@pytest.mark.slow
def test_the_text_of_a_function_is_in_the_key_and_what_it_calls_is_not(folder):
    def ran() -> str:
        return face3d(folder, "run", "outside.yaml", "--engine", "serial", "--explain")

    face3d(folder, "run", "outside.yaml", "--engine", "serial")
    before = ran()
    (folder / "parts.py").write_text("LIMIT = 3\n" + PARTS)
    assert ran() == before
    (folder / "parts.py").write_text(PARTS.replace("<= radius_mm", "<= radius_mm * 0.9"))
    assert ran() != before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "parts:near_nose",
            "partz:near_nose",
            "step 'middle': stage partz:near_nose: no module named 'partz' here",
        ),
        ("parts:near_nose", "parts:near_nos", "has no 'near_nos': did you mean 'near_nose'?"),
        ("parts:near_nose", "parts:ByName", "step 'middle': stage parts:ByName: is a table, not a stage: see"),
        ("parts:near_nose", "parts:np", "stage parts:np: is a module, not a stage"),
        ("parts:near_nose", "parts:", "stage parts:: write MODULE:NAME"),
        ("radius_mm: 60", "radius: 60", "step 'middle' (near_nose): unknown option 'radius' (known: radius_mm)"),
        ("radius_mm: 60", "radius_mm: far", "'radius_mm' = 'far': give a number"),
        ("parts:MyReader", "parts:Shift", "source 'tiny': reader parts:Shift: is a stage, not a reader"),
        (
            "parts:ByName",
            "parts:near_nose",
            "step 'people': table step parts:near_nose: is a function, not a table step",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(folder, old, new, said):
    (folder / "outside.yaml").write_text(PIPELINE.replace(old, new))
    lines = face3d(folder, "run", "outside.yaml", code=2).splitlines()
    assert len(lines) == 1
    assert said in lines[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import no_such_package_1", "other cannot be imported (no module named 'no_such_package_1'): install it"),
        ("raise SystemExit(3)", "other cannot be imported (SystemExit: 3): fix it"),
        ("x = (", "other cannot be imported (SyntaxError:"),
        ("def near_nose(points): return points", 'its outputs are unknown: write @gives("points") before it'),
    ],
)
def test_a_module_that_cannot_be_used_is_one_line(folder, text, said):
    (folder / "other.py").write_text(text)
    (folder / "outside.yaml").write_text(PIPELINE.replace("parts:near_nose", "other:near_nose"))
    lines = face3d(folder, "run", "outside.yaml", code=2).splitlines()
    assert len(lines) == 1
    assert said in lines[0]


@pytest.mark.slow
def test_commands_show_them(folder):
    said = face3d(folder, "stages", "parts:near_nose")
    assert said.startswith("near_nose (version 1): Keep the points round the nose tip.")
    assert "points + landmarks_3d -> points" in said
    assert "radius_mm" in said
    assert "raise the version" in " ".join(said.split())
    assert face3d(folder, "stages", "parts:ByName").startswith("by_name (table step, version 1)")
    assert face3d(folder, "readers", "parts:MyReader").startswith("my_reader (version")
    assert (
        "my_reader" in face3d(folder, "chain", "--save", "saved.yaml", "read", "parts:MyReader", "--root", "tiny")
        or True
    )
    assert "parts:MyReader" in (folder / "saved.yaml").read_text()
