"""`face3d dirty --export`: the files of bad captures by reason, with a table and a page."""

from __future__ import annotations

import csv
import json
import re
import shutil

import pytest
import yaml

from face3d_data.cli.main import _answer
from face3d_data.testing import write_tiny_rgbd

PIPELINE = {
    "name": "bad",
    "seed": 1,
    "sources": {"tiny": {"reader": "rgbd_folder", "root": "captures"}},
    "steps": [
        {"id": "faces", "stage": "detect", "from": "tiny", "with": {"detector": "given"}},
        {"id": "clouds", "stage": "to_cloud", "from": "faces", "with": {"min_points": 100}},
    ],
    "limits": {"max_reject_rate": 1.0, "max_error_rate": 1.0},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of five captures: a cut image, a file without its twin, no landmarks, and two good ones."""
    folder = tmp_path_factory.mktemp("bad")
    captures = folder / "captures"
    write_tiny_rgbd(captures, people=1, captures=5)
    person = next(path for path in sorted(captures.iterdir()) if path.is_dir())
    colors = sorted(person.glob("*color*"))
    colors[0].write_bytes(colors[0].read_bytes()[:200])
    next(person.glob(colors[1].name.replace("color", "depth").split(".")[0] + ".*")).unlink()
    landmarks = json.loads((person / "landmarks.json").read_text())
    landmarks.pop(next(name for name in landmarks if colors[2].name.startswith(name)), None)
    (person / "landmarks.json").write_text(json.dumps(landmarks))
    (person / "what <b> is this.png").write_bytes(b"no image")
    (folder / "bad.yaml").write_text(yaml.safe_dump(PIPELINE))
    assert _answer(["run", str(folder / "bad.yaml"), "-w", str(folder / "work"), "--engine", "serial"]) == 0
    return folder


def export(made, out, *more):
    return _answer(["dirty", "-w", str(made / "work"), "--export", str(out), *more])


def table(out):
    with open(out / "dirty.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_dirty_row_is_there_with_the_files_of_its_capture(made, tmp_path, capsys):
    assert export(made, tmp_path / "out") == 0
    said = capsys.readouterr().out.splitlines()
    rows = table(tmp_path / "out")
    assert said[-1] == f"{len(rows)} dirty rows: {tmp_path / 'out' / 'index.html'}"
    assert len(rows) == 4
    for row in rows:
        files = row["files"].split(";")
        assert files[0].startswith(f"{row['reason']}/tiny/")
        assert row["state"] == "copied"
        for name in files:
            source = made / "captures" / name.split("/", 2)[2]
            assert (tmp_path / "out" / name).read_bytes() == source.read_bytes()
    both = [row for row in rows if len(row["files"].split(";")) > 1]
    assert both, "colour and depth of one capture go together"
    there = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert there == {"dirty.csv", "index.html"} | {name for row in rows for name in row["files"].split(";")}


def test_the_page_counts_shows_and_escapes(made, tmp_path, capsys):
    export(made, tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert "<h1>4 dirty rows</h1>" in page
    for row in table(tmp_path / "out"):
        assert f">{row['reason']}</a></td>" in page
    assert "<b> is" not in page
    assert "what &lt;b&gt; is this.png" in page
    assert "data:image/jpeg;base64," in page
    links = re.findall(r'href="([^"#]+)"', page)
    assert links
    assert all(not link.startswith(("http", "/")) for link in links)


def test_nothing_is_overwritten(made, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert export(made, tmp_path / "mine") == 2
    assert "is not empty: choose a new or empty folder" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    assert export(made, tmp_path / "mine" / "notes.txt") == 2
    (tmp_path / "empty").mkdir()
    assert export(made, tmp_path / "empty") == 0


def test_only_one_reason_and_json(made, tmp_path, capsys):
    reason = json_rows(made, tmp_path / "all", capsys)[0]["reason"]
    rows = json_rows(made, tmp_path / "one", capsys, "--reason", reason)
    assert {row["reason"] for row in rows} == {reason}
    assert {path.name for path in (tmp_path / "one").iterdir() if path.is_dir()} == {reason}


def json_rows(made, out, capsys, *more):
    assert export(made, out, "--json", *more) == 0
    return json.loads(capsys.readouterr().out)


def test_files_that_are_gone_are_listed(made, tmp_path, capsys):
    moved = tmp_path / "moved"
    shutil.copytree(made, moved, symlinks=True)
    file = moved / "work" / "runs" / "bad" / "pipeline.yaml"
    file.write_text(file.read_text().replace(str(made), str(moved)))
    person = next(path for path in sorted((moved / "captures").iterdir()) if path.is_dir())
    (person / "what <b> is this.png").unlink()
    rows = json_rows(moved, tmp_path / "some", capsys)
    gone = [row for row in rows if row["state"] == "gone"]
    assert [row["gone"] for row in gone] == [[str(person / "what <b> is this.png")]]
    shutil.rmtree(moved / "captures")
    assert {row["state"] for row in json_rows(moved, tmp_path / "all", capsys)} == {"gone"}
    assert export(moved, tmp_path / "again") == 0
    assert f"gone: {person / 'what <b> is this.png'}" in capsys.readouterr().out.splitlines()
    assert "gone: " in (tmp_path / "again" / "index.html").read_text()


def test_a_path_that_leads_out_of_the_root_is_not_copied(made, tmp_path, capsys):
    moved = tmp_path / "moved"
    shutil.copytree(made, moved, symlinks=True)
    (moved / "outside.png").write_bytes(b"x")
    run = moved / "work" / "runs" / "bad"
    (run / "pipeline.yaml").write_text((run / "pipeline.yaml").read_text().replace(str(made), str(moved)))
    header = (run / "faces.dirty.csv").read_text().splitlines()[0].split(",")
    row = {"sample_id": "tiny/a/b", "source": "tiny", "step": "faces", "status": "reject", "reason": "no_face"}
    row |= {"path": "../outside.png"}
    with open(run / "faces.dirty.csv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, header, restval="")
        writer.writeheader()
        writer.writerow(row)
    rows = json_rows(moved, tmp_path / "out", capsys, "--reason", "no_face")
    assert (rows[0]["files"], rows[0]["state"]) == ([], "outside")
    assert not list((tmp_path / "out").rglob("*.png"))
    assert export(moved, tmp_path / "again", "--reason", "no_face") == 0
    assert "not copied, as it is outside of the source's folder: " in capsys.readouterr().out


def test_export_and_retry_exclude_each_other(made, tmp_path, capsys):
    assert export(made, tmp_path / "out", "--retry") == 2
    assert "--export and --retry exclude each other" in capsys.readouterr().err
