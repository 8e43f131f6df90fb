"""A pipeline of a stranger reads files that it names and writes below the workspace: nothing else."""

from pathlib import Path

import pytest
import yaml

from face3d_data.errors import UserError
from face3d_data.pipeline.build import load_pipeline, make_pipeline
from face3d_data.pipeline.run import run
from face3d_data.testing import write_tiny_rgbd

ELSEWHERE = ("../x", "/tmp/x", "a/b", "..", ".", "", "a\n", "a.b", "~", "a\0b", "é", "a" * 65)


def raw(name="p", source="src", step="faces", dataset="d", **entry):
    return {
        "name": name,
        "sources": {source: {"reader": "rgbd_folder", "root": "captures", **entry}},
        "steps": [{"id": step, "stage": "detect", "from": source, "with": {"detector": "given"}}],
        "datasets": {dataset: {"from": step, "fields": ["landmarks"]}},
    }


@pytest.mark.parametrize("what", ["name", "source", "step", "dataset"])
@pytest.mark.parametrize("name", ELSEWHERE)
def test_no_name_leads_out_of_the_workspace(tmp_path, what, name):
    with pytest.raises(UserError):
        make_pipeline(raw(**{what: name}), tmp_path)


@pytest.mark.parametrize("option", [{"dataset": "../x"}, {"dataset": "a/b"}, {"capture_prefix": "../"}])
def test_no_part_of_an_id_holds_a_separator(tmp_path, option):
    with pytest.raises(UserError, match="holds '/'"):
        make_pipeline({**raw(), "sources": {"src": {"reader": "rgbd_folder", "root": "captures", **option}}}, tmp_path)


def test_a_run_writes_below_its_workspace_alone(tmp_path, monkeypatch):
    write_tiny_rgbd(tmp_path / "captures", people=2, captures=2)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(raw(dataset="d", capture_prefix="..-x")))
    before = set(tmp_path.rglob("*"))
    run(load_pipeline(tmp_path / "p.yaml"), tmp_path / "w", engine="serial")
    made = set(tmp_path.rglob("*")) - before
    assert made
    assert {path.relative_to(tmp_path).parts[0] for path in made} == {"w"}


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system ['touch PWNED']", "!!python/name:os.system", "!x y"])
def test_tags_of_yaml_make_nothing(tmp_path, monkeypatch, tag):
    monkeypatch.chdir(tmp_path)
    Path("p.yaml").write_text(f"name: {tag}\n")
    with pytest.raises(UserError, match=r"p\.yaml, line 1: the tag .* is not taken"):
        load_pipeline("p.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["p.yaml"]


def test_a_component_is_one_that_is_registered(tmp_path):
    for name in ("os", "../stages/detect", "face3d_data.stages.detect", "covering", "__init__", "detect.os"):
        document = raw()
        document["steps"][0]["stage"] = name
        with pytest.raises(UserError, match="there is no stage"):
            make_pipeline(document, tmp_path)


def test_variables_are_filled_in_once_and_are_no_yaml(tmp_path):
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(raw(tags={"room": "${ROOM}"})))
    pipeline = load_pipeline(tmp_path / "p.yaml", (), {"ROOM": "${SECRET}: [1, *a]", "SECRET": "s"})
    assert pipeline.sources[0].tags == {"room": "${SECRET}: [1, *a]"}
