"""`face3d show`: lineage in words, a picture of each step, a contact sheet, and mistakes in one line."""

import pytest
from click.testing import CliRunner

from face3d_data.cli.main import main
from face3d_data.cli.show import command
from face3d_data.errors import UserError
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.run import run
from face3d_data.sheets.dataset_sheet import _title, one_of_each, write_dataset_sheet
from face3d_data.sheets.sample_trace import show_sample
from face3d_data.store.manifest import Entry
from face3d_data.testing import write_tiny_rgbd


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    base = tmp_path_factory.mktemp("show")
    root = write_tiny_rgbd(base / "captures", people=3, captures=1)
    (root / "person_0002" / "capture_00_depth.png").write_bytes(b"")
    raw = {
        "name": "tiny",
        "sources": {"tiny": {"reader": "rgbd_folder", "root": str(root)}},
        "steps": [
            {"id": "faces", "stage": "detect", "from": "tiny", "with": {"detector": "given"}},
            {"id": "clouds", "stage": "to_cloud", "from": "faces", "with": {"min_points": 10}},
        ],
        "datasets": {"tiny": {"from": "faces", "fields": ["color", "depth"]}},
    }
    run(make_pipeline(raw, base), base / "work", engine="serial")
    return base / "work"


@pytest.mark.slow
def test_lineage_names_every_step_with_what_it_set(workspace, tmp_path):
    lines = list(show_sample(workspace, "tiny/person_0001/capture_00", None, tmp_path))
    text = "\n".join(lines)
    assert lines[0] == "tiny/person_0001/capture_00  (pipeline tiny)"
    assert "file person_0001/capture_00_color.png" in text
    steps = [line.split()[0] for line in lines if "  key " in line]
    assert steps == ["tiny", "faces", "clouds"]
    assert any("sets box 4" in line for line in lines)
    folder = tmp_path / "tiny__person%5F_0001__capture%5F_00"
    pictures = sorted(path.name for path in tmp_path.rglob("*.png"))
    assert pictures == ["0_tiny.png", "1_faces.png", "2_clouds.png"], folder


@pytest.mark.slow
def test_a_name_from_a_csv_is_as_good_as_an_id(workspace, tmp_path):
    lines = list(show_sample(workspace, "tiny__person_0001__capture_00", None, tmp_path))
    assert lines[0].startswith("tiny/person_0001/capture_00 ")


def test_a_rejected_capture_says_why(workspace, tmp_path):
    lines = list(show_sample(workspace, "tiny/person_0002/capture_00", "tiny", tmp_path))
    assert "reject" in lines[-1]


def test_an_unknown_sample_is_answered_with_the_nearest(workspace, tmp_path):
    with pytest.raises(UserError, match=r"'tiny/person_0001/capture_01' \(such as tiny/person_0001/capture_00"):
        list(show_sample(workspace, "tiny/person_0001/capture_01", None, tmp_path))


def test_sheet_of_a_dataset(workspace, tmp_path):
    path = write_dataset_sheet(workspace, "tiny", None, tmp_path, 16)
    assert path == tmp_path / "tiny.png"
    assert path.stat().st_size > 1000
    with pytest.raises(UserError, match=r"has a dataset 'other' \(known: tiny\)"):
        write_dataset_sheet(workspace, "other", None, tmp_path, 16)


def test_titles_are_ids_where_the_font_has_the_letters():
    assert _title("scans/J\u00f6rg M/scan 01") == "scans/J\u00f6rg M/scan 01"
    assert _title("scans/\u674e/a") == "scans__%E6%9D%8E__a"


def test_a_sheet_shows_one_kind_of_sample_of_each_person_and_other_kinds_of_the_next():
    def entry(person, variant, mask):
        identity = f"d/p{person}"
        names = (identity, "d", f"{identity}/c", "src", "", None)
        return Entry(f"{person}{variant}", f"{identity}/c~{variant}", *names, variant, tags={"mask": mask})

    kinds = [("plain", "none"), ("plain", "worn"), ("mask:kn95.0", "kn95"), ("mask:kn95.1", "kn95"), ("aug:3", "none")]
    entries = [entry(person, *kind) for kind in kinds for person in (2, 1, 0, 3)]
    shown = [(one.identity, one.variant, one.tags["mask"]) for one in one_of_each(entries, 3)]
    assert shown == [("d/p0", "plain", "none"), ("d/p1", "plain", "worn"), ("d/p2", "mask:kn95.0", "kn95")]
    assert one_of_each(entries, 9)[3].variant == "aug:3"
    assert [one.variant for one in one_of_each(entries[:4], 9)] == ["plain"] * 4


@pytest.mark.slow
def test_the_command_prints_and_writes_below_the_workspace(workspace):
    shown = CliRunner().invoke(command, ["tiny/person_0000/capture_00", "-w", str(workspace)])
    assert shown.exit_code == 0, shown.output
    assert "2_clouds.png" in shown.output
    sheet = CliRunner().invoke(command, ["--sheet", "tiny", "-w", str(workspace)])
    assert sheet.output.strip() == str(workspace / "show" / "tiny.png")


def test_a_reader_that_has_seen_enough_is_no_mistake_of_the_folder(workspace, monkeypatch, capsys):
    from face3d_data.sheets import sample_trace

    def broken(*arguments):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(sample_trace, "show_sample", broken)
    with pytest.raises(SystemExit) as stopped:
        main(["show", "a", "-w", str(workspace)])
    assert stopped.value.code != 2
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "give either SAMPLE, an id or a name from a CSV, or --sheet DATASET"),
        (["a", "--sheet", "b"], "give either SAMPLE"),
        (["a", "-w", "nowhere"], "nothing has run in workspace nowhere"),
        (["a", "--people", "0"], "--people"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(arguments, line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(["show", *arguments])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
