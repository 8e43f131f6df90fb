"""Pipeline files that once ran code, never ended or ended in a traceback."""

import shutil

import pytest
from hang_guard import ends_soon

from face3d_data.cli.main import _answer
from face3d_data.pipeline.build import load_pipeline
from face3d_data.pipeline.run import run as run_pipeline
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
    assert "is not a query" in said
    assert said.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["captures", "query_exec.yaml"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("yaml_bomb.yaml", "yaml_bomb.yaml, line 10: holds more than 10,000 values"),
        ("yaml_cycle.yaml", "yaml_cycle.yaml, line 3: the alias *a stands inside of what it repeats"),
        ("yaml_merge.yaml", "yaml_merge.yaml, line 3: expected a mapping or list of mappings for merging"),
        ("yaml_date.yaml", "yaml_date.yaml, line 3: '2026-02-30' is not a valid date"),
        ("yaml_int.yaml", "yaml_int.yaml, line 2: '9999"),
        ("yaml_b60.yaml", "yaml_b60.yaml, line 4: the tag 'tag:yaml.org,2002:binary' is not taken"),
        (
            "styles_nested_1.yaml",
            "'styles' = [['surgical'], 'kn95', 'cloth']: ['surgical'] is not a name",
        ),
        ("styles_nested_2.yaml", "step 'worn' (mask): 'styles' = [{'id': 'cleaned'"),
        ("protocol_names.yaml", "'protocol.names' = [[]]: [] is not a name: use a list of names"),
    ],
)
def test_what_no_pipeline_can_hold_is_one_line_at_once(run, monkeypatch, name, said):
    monkeypatch.setenv("D415_ROOT", "captures")
    monkeypatch.setenv("D415_MASKED_ROOT", "captures")
    with ends_soon():
        code, err = run(name)
    assert code == 2
    assert said in err
    assert err.count("\n") == 1


def test_one_person_in_two_normal_forms_is_in_one_split(cases, tmp_path):
    shutil.copytree(cases / "person_nfc_nfd", tmp_path / "case")
    result = run_pipeline(load_pipeline(tmp_path / "case" / "n.yaml"), tmp_path / "w", engine="serial")
    entries = result.entries("people")
    mine = [entry for entry in entries if entry.identity == "lab/Zo\u00e9 \u00c5ngstr\u00f6m"]
    assert len(mine) == 4
    assert len({entry.split for entry in mine}) == 1
    assert {entry.identity for entry in entries} == {mine[0].identity, "lab/p1", "lab/p2", "lab/p3"}
