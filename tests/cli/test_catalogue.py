"""`face3d stages` and `face3d readers`: what the registry knows, as a table and as JSON."""

import json

import pytest

from face3d_data.cli.main import main
from face3d_data.cli.stages import describe, overview, page
from face3d_data.registry import components


def face3d(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    said = capsys.readouterr()
    return stopped.value.code, said.out, said.err


@pytest.mark.parametrize("kind", ["stage", "reader"])
def test_every_component_is_listed_with_what_it_does(capsys, kind):
    code, out, _ = face3d(capsys, f"{kind}s", "--json")
    listed = {entry["name"]: entry for entry in json.loads(out)}
    assert code == 0
    assert listed.keys() == components(kind).keys()
    for name, cls in components(kind).items():
        assert listed[name]["does"] in cls.__doc__
        assert {p["name"] for p in listed[name]["parameters"]} == set(cls.model_fields)
        assert listed[name]["reasons"] == dict(cls.reasons)


def test_alternative_inputs_are_told_from_joint_ones():
    stages = components("stage")
    assert describe(stages["detect"])["inputs"] == [["color"], ["landmarks"]]
    assert describe(stages["align_3d"])["inputs"] == [["points", "landmarks_3d"]]
    assert describe(stages["to_cloud"])["inputs"] == [["depth", "intrinsics", "landmarks"], ["grid", "landmarks_3d"]]


def test_one_reader_is_shown_with_its_parameters_and_reasons(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    code, out, _ = face3d(capsys, "readers", "rgbd_npy")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0
    assert lines[0].startswith("rgbd_npy (version 1): Read colour PNG + depth NPY pairs")
    assert "root folder of the collection (path; required; not in the fingerprint)" in lines
    assert "depth_8bit the depth file has 8 bits a value, which loses the depth" in lines
    assert "(float or null > 0 ≤ 1000; default null)" in " ".join(lines)


@pytest.mark.parametrize("width", [72, 100, 140])
def test_no_line_is_wider_than_the_terminal(width):
    for kind in ("stage", "reader"):
        entries = [describe(cls) for cls in components(kind).values()]
        lines = overview(entries, width) + [line for entry in entries for line in page(entry, width)]
        assert max(len(line) for line in lines) <= width
        assert max(len(line) for line in overview(entries, width)) > width - 30


def test_an_unknown_name_is_one_line_and_exit_2(capsys):
    code, out, err = face3d(capsys, "stages", "sub_sample")
    assert (code, out) == (2, "")
    assert err == "face3d: no stage is named 'sub_sample' (did you mean 'subsample'?)\n"
