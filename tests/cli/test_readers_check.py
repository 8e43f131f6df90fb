"""`face3d readers --check`: what a folder holds against what is expected, in one screen."""

import json
import os

import pytest
import yaml
from names_only import bosphorus_names, write_bosphorus_names
from scans import face_scan
from write_realsense import write_recording

from face3d_data.cli.main import main
from face3d_data.databases import description as database
from face3d_data.resources import package_folder
from face3d_data.testing import write_tiny_rgbd

PEOPLE = 4
BOSPHORUS = {
    "name": "Bosphorus, four people of it",
    "reader": "bosphorus",
    "what": "Scans by structured light.",
    "modalities": ["range", "colour", "landmarks"],
    "people": PEOPLE,
    "captures": sum(int(who[2:]) < PEOPLE for who, _ in bosphorus_names()),
    "counts": {"N": 12, "YR": 28, "CAU": 4},
    "ask": "The university that made it.",
    "citation": "Savran et al., 2008",
    "protocol": None,
    "notes": "Every number but this one is a tenth of the real one.",
    "expect": {"files": {"bs???/bs*.bnt": 0, "bs???/bs*.lm3": 0}},
}
FRGC = {
    **{**BOSPHORUS, "name": "Face Recognition Grand Challenge 2", "reader": "frgc", "people": 466, "captures": 4007},
    **{"counts": {}, "expect": {"files": {"*range/*d*.abs*": 4007}}},
}


@pytest.fixture(autouse=True)
def descriptions(tmp_path_factory, monkeypatch):
    """Two descriptions in place of those that come with the package."""
    folder = tmp_path_factory.mktemp("datasets")
    record = json.loads(json.dumps(BOSPHORUS))
    record["expect"]["files"] = dict.fromkeys(record["expect"]["files"], record["captures"])
    (folder / "bosphorus.yaml").write_text(yaml.safe_dump(record, sort_keys=False))
    (folder / "frgc.yaml").write_text(yaml.safe_dump(FRGC))
    monkeypatch.setattr(database, "descriptions_folder", lambda: folder)
    database.databases.cache_clear()
    yield
    database.databases.cache_clear()


@pytest.fixture(scope="module")
def all_names(tmp_path_factory):
    folder = tmp_path_factory.mktemp("names") / "Bosphorus"
    write_bosphorus_names(folder, people=PEOPLE)
    return folder


@pytest.fixture
def root(all_names, tmp_path):
    """A copy of the four people that a test may change: its files are links."""
    copy = tmp_path / "collection"
    for path in sorted(all_names.rglob("*")):
        if path.is_file():
            target = copy / path.relative_to(all_names)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)
    return copy


def check(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["readers", "--check", *map(str, arguments)])
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert len(lines) <= 24
    assert all(len(line) <= 100 or line.startswith("face3d ") for line in lines), "only a command is never cut"
    assert "Traceback" not in said.err
    return stopped.value.code, said.out, said.err


def test_a_whole_copy_is_said_to_be_whole(capsys, root):
    code, out, _ = check(capsys, "bosphorus", root)
    assert code == 0
    assert out.splitlines()[-1] == "whole: nothing is missing"
    assert "category: N 12, YR 28, CAU 4, CR 8, E 20, LFAU 60, O 16, PR 16, UFAU 16" in out


def test_an_option_that_a_reader_needs_is_asked_for_as_it_is_given(capsys, tmp_path):
    code, _, err = check(capsys, "csv", tmp_path)
    assert code == 2
    assert err == "face3d: readers --check: reader 'csv' needs --set file=…: see face3d readers csv\n"
    (tmp_path / "list.csv").write_text("identity,color\nanna,a.png\n")
    code, out, _ = check(capsys, "csv", tmp_path, "--set", "file=list.csv")
    assert "left out, missing_file: 1" in out, "a file below ROOT may be named so"


def test_an_empty_root(capsys, tmp_path):
    code, out, _ = check(capsys, "bosphorus", tmp_path)
    assert code == 1
    assert "the folder is empty" in out
    assert out.splitlines()[-1].startswith("missing: 4 people, ")


def test_a_root_of_another_database_names_it_and_its_reader(capsys, tmp_path):
    folder = tmp_path / "nd1" / "Fall2003range"
    folder.mkdir(parents=True)
    (folder / "04200d020.abs.gz").touch()
    code, out, _ = check(capsys, "bosphorus", tmp_path / "nd1")
    assert code == 1
    assert "these look like files of Face Recognition Grand Challenge 2 (1 of 1 file):" in out
    assert f"face3d readers --check frgc {tmp_path / 'nd1'}" in out.splitlines()


def test_a_root_of_nothing_known(capsys, tmp_path):
    (tmp_path / "notes.txt").touch()
    code, out, _ = check(capsys, "bosphorus", tmp_path)
    assert code == 1
    assert "no file is named as in a database that is known here" in out
    assert "wanted are files named bs???/bs*.bnt" in out


def test_half_copied_people_scans_and_twins_are_counted_and_named(capsys, root):
    for path in (root / "bs002").iterdir():
        path.unlink()
    (root / "bs001" / "bs001_YR_R10_0.bnt").unlink()
    for path in (root / "bs000").glob("*.lm3"):
        path.unlink()
    (root / "bs003" / "read me.png").touch()
    code, out, _ = check(capsys, "bosphorus", root)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 1
    assert "people 3 4 1" in lines
    assert "absent people: bs002" in lines
    assert any(line.startswith("category: N 9 of 12, YR 20 of 28, CAU 3 of 4") for line in lines)
    assert any(line.startswith("left out, no_range: 1, first bs001/bs001_YR_R10_0: ") for line in lines)
    assert any(line.startswith("left out, name_not_matched: 1, first bs003/read m") for line in lines)
    assert any(line.startswith("without landmarks_3d: ") and "bs000/bs000_CAU" in line for line in lines)
    assert "copy the rest of the database into the folder, or go on with what is there" in lines
    assert lines[-1] == "missing: 1 person, 46 captures, 90 bs*.lm3, parts of 1 capture"


def test_the_folder_of_one_person_points_to_its_parent(capsys, root):
    code, out, _ = check(capsys, "bosphorus", root / "bs001")
    assert code == 1
    assert "the database begins in a folder above this one:" in out


def test_a_folder_above_as_archives_make_them_is_as_good(capsys, root):
    code, out, _ = check(capsys, "bosphorus", root.parent)
    assert code == 0
    assert out.splitlines()[-1] == "whole: nothing is missing"


def test_a_relative_root_is_as_good(capsys, root, monkeypatch):
    monkeypatch.chdir(root)
    assert check(capsys, "bosphorus", ".")[0] == 0


def test_what_an_option_leaves_out_is_not_missing(capsys, root):
    code, out, _ = check(capsys, "bosphorus", root, "--set", "subset=frontal_neutral")
    assert code == 0
    assert "category: N 12" in out


def test_a_generic_reader_reports_without_expectations(capsys, tmp_path):
    write_tiny_rgbd(tmp_path / "tiny", people=2, captures=2)
    code, out, _ = check(capsys, "rgbd_folder", tmp_path / "tiny")
    assert code == 0
    assert [line.split() for line in out.splitlines()[2:5]] == [["found"], ["people", "2"], ["captures", "4"]]
    assert out.splitlines()[-1] == "nothing is missing that this reader knows of"
    next((tmp_path / "tiny").rglob("*_depth.png")).unlink()
    code, out, _ = check(capsys, "rgbd_folder", tmp_path / "tiny")
    assert code == 1
    assert out.splitlines()[-1] == "missing: parts of 1 capture"


def test_a_camera_of_another_size_and_an_untold_unit_are_said_before_anything_runs(capsys, tmp_path):
    write_recording(tmp_path / "ann", [face_scan(0, 0), face_scan(0, 1)])
    code, out, _ = check(capsys, "realsense", tmp_path)
    assert code == 0
    assert "no unit of depth is given for 2 captures, mm are taken: set depth_scale if they are not" in out
    assert "distortion" not in out, "a pinhole lacks nothing"
    code, out, _ = check(capsys, "realsense", tmp_path, "--set", "depth_scale=0.001")
    assert code == 0
    assert "unit of depth" not in out
    path = tmp_path / "ann" / "camera_intrinsic.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"width": 320}))
    code, out, _ = check(capsys, "realsense", tmp_path)
    assert code == 1
    said = " ".join(out.split())
    assert "does not fit: ann/000000: size_mismatch: colour 160x120, depth 160x120, the camera file 320x120" in said
    assert out.splitlines()[-1] == "missing: files that fit each other"


def test_people_who_follow_each_other_are_told_as_one(capsys, root):
    for who in ("bs001", "bs002"):
        for path in (root / who).iterdir():
            path.unlink()
    assert "absent people: bs001-bs002" in check(capsys, "bosphorus", root)[1].splitlines()


def test_json_says_the_same(capsys, root):
    for path in (root / "bs003").iterdir():
        path.unlink()
    with pytest.raises(SystemExit) as stopped:
        main(["readers", "--check", "bosphorus", str(root), "--json"])
    record = json.loads(capsys.readouterr().out)
    assert stopped.value.code == 1
    assert record["people"] == {"found": 3, "expected": 4, "missing": 1}
    assert record["absent"] == ["bs003"]
    assert record["whole"] is False
    assert record["looks_like"]["name"] == "bosphorus"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--check", "bosporus", "{root}"], "did you mean 'bosphorus'"),
        (["--check", "bosphorus", "{root}/nowhere"], "is not a folder: give the collection's"),
        (["--check", "bosphorus"], "give a reader and a folder"),
        (["--check", "bosphorus", "{root}", "--set", "subset"], "write KEY=VALUE"),
        (
            ["--check", "bosphorus", "{root}", "--set", "subset=all: [x"],
            "): a text in quotes is: --set 's",
        ),
        (["--check", "bosphorus", "{root}", "--set", "subsets=all"], "unknown option 'subsets'"),
        (["--check", "synthetic", "{root}"], "reads no folder"),
        (["bosphorus", "{root}"], "belong to --check"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(capsys, tmp_path, arguments, said):
    with pytest.raises(SystemExit) as stopped:
        main(["readers", *(text.format(root=tmp_path) for text in arguments)])
    err = capsys.readouterr().err
    assert stopped.value.code == 2
    assert len(err.splitlines()) == 1
    assert said in err


@pytest.mark.slow
def test_the_screen_holds_whatever_is_wrong(capsys, tmp_path):
    folder = tmp_path / ("x" * 120) / ("y" * 120)
    for person in range(3):
        (folder / f"bs{person:03d}").mkdir(parents=True)
        for number in range(400):
            (folder / f"bs{person:03d}" / f"bs{person:03d}_LFAU_{number}{'z' * 80}_0.bnt").touch()
            (folder / f"bs{person:03d}" / f"odd {'n' * 150}{number}.bnt").touch()
    check(capsys, "bosphorus", folder)
    check(capsys, "bosphorus", folder.parent)
    check(capsys, "image_folder", folder)


def test_a_reader_shows_the_databases_that_it_reads(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit):
        main(["readers", "bosphorus"])
    out = capsys.readouterr().out
    assert "database: Bosphorus, four people of it" in out
    assert "  counts   N 12, YR 28, CAU 4" in out
    assert "protocol" not in out.partition("database:")[2]
    assert max(map(len, out.splitlines())) <= 100
    with pytest.raises(SystemExit):
        main(["readers", "bosphorus", "--json"])
    record = json.loads(capsys.readouterr().out)
    assert record["databases"]["bosphorus"]["citation"] == "Savran et al., 2008"
    assert record["name"] == "bosphorus"


def test_another_layout_of_a_reader_is_named_with_its_option(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "descriptions_folder", lambda: package_folder() / "manifests" / "datasets")
    folder = tmp_path / "cfp" / "Data" / "Images" / "001" / "frontal"
    folder.mkdir(parents=True)
    (folder / "01.jpg").touch()
    code, out, _ = check(capsys, "verification_sets", tmp_path / "cfp")
    assert code == 1
    assert "these look like files of Celebrities in Frontal-Profile in the Wild" in out
    assert out.splitlines()[-2].endswith(" --set layout=cfp")
    code, out, _ = check(capsys, "verification_sets", tmp_path / "cfp", "--set", "layout=cfp")
    assert code == 1
    assert out.startswith("verification_sets: Celebrities in Frontal-Profile")
    assert out.splitlines()[-1] == "missing: 499 people, 6,999 captures, 4,999 frontal/*.jpg, 2,000 profile/*.jpg"
    assert "pose: frontal 1 of 5,000, profile 0 of 2,000" in out


def test_names_that_do_not_fit_are_shown_whole_with_the_pattern_to_set(capsys, tmp_path):
    for person in ("anna", "tom"):
        (tmp_path / "artec" / person).mkdir(parents=True)
        (tmp_path / "artec" / person / "scan 01.obj").write_text("v 0 0 0\n")
    code, out, _ = check(capsys, "mesh_folder", tmp_path)
    assert code == 1
    assert "artec/anna/scan 01.obj: scan 01.obj: does not fit {identity}/{capture}" in " ".join(out.split())
    assert "--set 'pattern=\"{folder}/{identity}/{capture}\"'" in out
    code, out, _ = check(capsys, "mesh_folder", tmp_path, "--set", 'pattern="{folder}/{identity}/{capture}"')
    assert code == 0
    assert "people            2" in out
