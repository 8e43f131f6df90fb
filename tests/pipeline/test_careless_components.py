"""Careless components: what a plugin's code does wrong is one line or an error row, and never ends a run in silence."""

import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from toys import write_toys

from face3d_data.cli.main import main

CODE = """
import sys
import numpy as np
import pandas as pd
from face3d_data import TableStep
from face3d_data.function_stage import gives
from face3d_data.table import TableResult

@gives("rows")
def leaves(points):
    sys.exit(0)

@gives("rows")
def negative(points):
    return np.array([-1, 0])

@gives("rows")
def short(points):
    return np.ones(len(points) - 1, bool)

@gives("rows")
def twice(points):
    return np.array([0, 0])

class Step(TableStep):
    name = "careless"
    version = 1

class Leaves(Step):
    def run(self, frames, context):
        sys.exit(0)

class Frame(Step):
    def run(self, frames, context):
        return frames[0]

class Raises(Step):
    def run(self, frames, context):
        return TableResult(frames[0]["nothing of the kind"])

class Undeclared(Step):
    def run(self, frames, context):
        frame = frames[0]
        gone = pd.DataFrame({"id": frame["id"][:1], "reason": ["foo"], "detail": [""]})
        return TableResult(frame[1:], gone)

class Doubles(Step):
    def run(self, frames, context):
        frame = frames[0]
        return TableResult(pd.concat([frame, frame]))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "careless_code", raising=False)  # an earlier test's, whose folder is gone
    write_toys(tmp_path / "in", 2, 2)
    (tmp_path / "careless_code.py").write_text(CODE)
    return tmp_path


def run(folder, capsys, kind: str, name: str) -> tuple[int, str, str]:
    raw = {
        "name": "careless",
        "sources": {"src": {"reader": "toy_files", "root": "in"}},
        "steps": [{"id": "mine", kind: f"careless_code:{name}", "from": "src"}],
        "datasets": {"out": {"from": "mine", "fields": ["points"]}},
    }
    (folder / "p.yaml").write_text(yaml.safe_dump(raw))
    with pytest.raises(SystemExit) as stopped:
        main(["run", "p.yaml", "--engine", "serial"])
    out, err = capsys.readouterr()
    return stopped.value.code, out, err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("leaves", "called sys.exit(0): raise Reject instead"),
        ("negative", "return a mask of 12, or numbers of points from 0, each once"),
        ("short", "returned bool of shape (11,): return a mask of 12"),
        ("twice", "numbers of points from 0, each once"),
    ],
)
def test_a_stage_that_fails_is_said_with_its_error(folder, capsys, name, said):
    code, out, err = run(folder, capsys, "stage", name)
    assert code == 2, "nothing is left to write"
    assert "4 of 4 failed (ContractError 4), first: " in out
    assert said in out
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Leaves", "called sys.exit(0): raise UserError instead"),
        ("Frame", "returned DataFrame: return a TableResult"),
        ("Raises", "KeyError: 'nothing of the kind'"),
        ("Undeclared", "left rows out with the reason 'foo': declare it in 'reasons'"),
        ("Doubles", "4 rows in, 8 out, 0 left out: table step 'careless' added rows"),
    ],
)
def test_a_table_step_that_fails_is_one_line_that_names_it(folder, capsys, name, said):
    code, _, err = run(folder, capsys, "table", name)
    assert (code, err.count("\n")) == (1, 1)
    assert "step 'mine'" in err
    assert said in err


def test_augmentations_cannot_write_into_their_input():
    from face3d_data.augment.augmentation import _view

    points = np.zeros((4, 3), np.float32)
    with pytest.raises(ValueError, match="read-only"):
        _view({"points": points}, "points")[0] = 1
    assert not points.any()
    assert points.flags.writeable
    assert isinstance(pd.DataFrame(points), pd.DataFrame)
