"""`face3d stages` and `face3d readers`: what the registry knows, as a table and as JSON."""

import json

import pytest

from face3d_data.catalogue import Catalogue, describe
from face3d_data.catalogue_page import overview, page
from face3d_data.cli.main import main
from face3d_data.registry import COMPONENTS, components


def face3d(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    said = capsys.readouterr()
    return stopped.value.code, said.out, said.err


@pytest.mark.parametrize(("command", "kinds"), [("stages", ("stage", "table")), ("readers", ("reader",))])
def test_every_component_is_listed_with_what_it_does(capsys, command, kinds):
    code, out, _ = face3d(capsys, command, "--json")
    listed = {entry["name"]: entry for entry in json.loads(out)}
    known = {name: cls for kind in kinds for name, cls in components(kind).items()}
    assert code == 0
    assert listed.keys() == known.keys()
    for name, cls in known.items():
        assert listed[name]["kind"] == cls.kind
        assert listed[name]["does"] in cls.__doc__
        assert {p["name"] for p in listed[name]["parameters"]} == set(cls.model_fields)
        assert listed[name]["reasons"] == dict(cls.reasons)


def test_alternative_inputs_are_told_from_joint_ones():
    stages = components("stage")
    assert describe(stages["detect"])["inputs"] == [["color"], ["landmarks"]]
    assert describe(stages["align_3d"])["inputs"] == [["points", "landmarks_3d"]]
    assert describe(stages["to_cloud"])["inputs"] == [
        ["depth", "intrinsics", "landmarks"],
        ["grid", "landmarks_3d"],
        ["grid", "landmarks", "color"],
        ["points", "landmarks_3d"],
    ]


def test_one_reader_is_shown_with_its_parameters_and_reasons(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    code, out, _ = face3d(capsys, "readers", "rgbd_npy")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0
    assert lines[0].startswith("rgbd_npy (version 3): Read colour PNG + depth NPY pairs")
    assert "root folder of the collection (path; required; not in the fingerprint)" in lines
    assert "depth_8bit the depth file has 8 bits per value, which is not enough for depth" in lines
    assert "(float or null; default null)" in " ".join(lines)
    limits = "(max_megapixels: float, max_points: int; default {max_megapixels: 64, max_points: 4000000};"
    assert limits in " ".join(lines)


@pytest.mark.parametrize("width", [72, 100, 140])
def test_no_line_is_wider_than_the_terminal(width):
    for kinds in (("stage", "table"), ("reader",)):
        entries = Catalogue([COMPONENTS]).entries(kinds)
        lines = overview(entries, width) + [line for entry in entries for line in page(entry, width)]
        assert max(len(line) for line in lines) <= width
        assert max(len(line) for line in overview(entries, width)) > width - 30


def test_an_unknown_name_is_one_line_and_exit_2(capsys):
    code, out, err = face3d(capsys, "stages", "sub_sample")
    assert (code, out) == (2, "")
    assert err == "face3d: no stage or table step is named 'sub_sample' (did you mean 'subsample'?)\n"
    assert face3d(capsys, "stages", "slect")[2].endswith("(did you mean 'select'?)\n")
    unlike = face3d(capsys, "stages", "zzz")[2]
    assert all(name in unlike for name in ("detect", "split"))


def test_a_name_that_a_broken_plugin_may_bear_is_answered_with_the_plugin(capsys, monkeypatch):
    monkeypatch.setattr(COMPONENTS, "broken_plugins", lambda: ["plugin shop cannot be loaded: mend it"])
    assert face3d(capsys, "stages", "shop")[2].endswith("; plugin shop cannot be loaded: mend it\n")


def test_stages_and_table_steps_are_separated(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    heads = {line.split("  ")[0]: line.split("  ", 1)[1].strip() for line in face3d(capsys, "stages")[1].splitlines()}
    for kind, word in (("stage", "stage"), ("table", "table step")):
        for name in components(kind):
            assert heads[name].startswith(f"{word}  ")
    assert "table step" not in face3d(capsys, "readers")[1]


def test_one_table_step_is_shown_with_its_options(capsys):
    code, out, _ = face3d(capsys, "stages", "split")
    assert code == 0
    assert out.startswith("split (table step, version 4): Assign whole people")
    for name, info in components("table")["split"].model_fields.items():
        assert f"\n  {name} " in out
        assert info.description.split()[0] in out
    assert "reasons for leaving a row out" in face3d(capsys, "stages", "select")[1]
    assert json.loads(face3d(capsys, "stages", "select", "--json")[1])["kind"] == "table"


KINDS = ("reader", "stage", "table", "augmentation", "occluder", "detector", "model", "loss")


def test_every_kind_is_listed_with_its_number(capsys):
    code, out, _ = face3d(capsys, "components", "--json")
    assert code == 0
    counts = {entry["kind"]: entry["components"] for entry in json.loads(out)}
    assert tuple(counts) == KINDS
    assert counts["stage"] == len(components("stage"))
    lines = face3d(capsys, "components")[1].splitlines()
    assert [line.split()[:2] for line in lines[: len(KINDS)]] == [[kind, str(counts[kind])] for kind in KINDS]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_one_kind_and_one_component_of_every_kind_are_shown(capsys, kind):
    listed = json.loads(face3d(capsys, "components", kind, "--json")[1])
    assert {entry["kind"] for entry in listed} == {kind}
    shown = face3d(capsys, "components", kind)[1]
    assert all(entry["name"] in shown for entry in listed)
    first = listed[0]
    assert json.loads(face3d(capsys, "components", kind, first["name"], "--json")[1]) == first
    page_of_first = face3d(capsys, "components", kind, first["name"])[1]
    assert page_of_first.startswith(f"{first['name']} (")
    assert all(f"\n  {parameter['name']} " in page_of_first for parameter in first["parameters"])


@pytest.mark.parametrize("word", ["stage", "stages", "Stages"])
def test_a_kind_has_plurals_and_old_commands_are_short_forms(capsys, word):
    assert face3d(capsys, "components", word, "clean")[1] == face3d(capsys, "stages", "clean")[1]


@pytest.mark.slow
def test_titles_of_kinds_are_known(capsys):
    assert face3d(capsys, "components", "table-steps")[1] == face3d(capsys, "components", "table")[1]
    assert face3d(capsys, "components", "networks")[1] == face3d(capsys, "components", "model")[1]
    assert face3d(capsys, "components", "stagge")[2].endswith("(did you mean 'stage'?)\n")
    assert face3d(capsys, "components", "occluder", "sunglases")[2].endswith("(did you mean 'sunglasses'?)\n")
