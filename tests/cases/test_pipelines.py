"""Pipeline files that once ran code, never ended or ended in a traceback."""

import shutil

import pytest

from face3d_data.cli.main import _answer
from face3d_data.testing import write_tiny_rgbd


@pytest.fixture
def run(cases, tmp_path, monkeypatch, capsys):
    """Run a case's pipeline beside captures; return exit code and what was printed."""
    write_tiny_rgbd(tmp_path / "captures", people=3, captures=2)
    monkeypatch.chdir(tmp_path)

    def call(name):
        shutil.copyfile(cases / "pipelines" / name, tmp_path / name)
        capsys.readouterr()
        code = _answer(["run", name])
        return code, capsys.readouterr().err

    return call


def test_a_query_runs_no_code_and_nothing_is_written(run, tmp_path):
    code, said = run("query_exec.yaml")
    assert code == 2
    assert "step 'some' (select): 'query' = " in said
    assert "is no query" in said
    assert said.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["captures", "query_exec.yaml"]
