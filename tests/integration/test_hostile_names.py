"""Names of people and files that speak to terminals and spreadsheets; and who may read what is written."""

import csv
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from face3d_data import Dataset

NAMES = ("=cmd|' -C calc'!A0", "\x1b[31mred\x1b[0m", "two\nlines", "evil\u202egnp", "-1+1", "plain")


def face3d(folder, *arguments, **environment):
    command = [sys.executable, "-m", "face3d_data", *arguments]
    env = {**os.environ, **environment}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False, env=env)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Run a pipeline over people of such names, each with a good and an empty file; return what was said."""
    folder = tmp_path_factory.mktemp("hostile")
    rng = np.random.default_rng(1)
    for name in NAMES:
        person = folder / "scans" / name
        person.mkdir(parents=True)
        np.save(person / f"{name}.npy", rng.normal(0, 40, (400, 3)).astype("f4"))
        (person / f"{name} empty.npy").touch()
    (folder / "p.yaml").write_text(
        "name: p\nsources:\n  c: {reader: cloud_folder, root: scans, pattern: '{identity}/{capture}.npy'}\n"
        "steps:\n  - {id: few, stage: subsample, from: c, with: {n_points: 64}}\n"
        "datasets:\n  p: {from: few, fields: [points]}\n"
    )
    said = [face3d(folder, *arguments) for arguments in (
        ("run", "p.yaml", "--engine", "serial"), ("dirty",), ("verify", "p"), ("status",), ("dirty", "--json"),
        ("show", f"c/{NAMES[2]}/{NAMES[2]}", "--no-pictures"), ("readers", "--check", "cloud_folder", "scans"),
        ("verify", "\x1b]0;title\x07"),
    )]  # fmt: skip
    return folder, said


@pytest.mark.slow
def test_nothing_that_a_terminal_obeys_is_printed(made):
    for _, out, err in made[1]:
        text = (out + err).replace("\n", "")
        assert not [c for c in text if ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u202e\u2028"], text


@pytest.mark.slow
def test_a_name_breaks_no_line(made):
    code, out, err = made[1][1]
    assert code == 0, err
    assert len([line for line in out.splitlines() if line.startswith("c  reject")]) == len(NAMES)
    assert "two\\nlines" in out
    code, out, err = made[1][-1]
    assert (code, out, len(err.splitlines())) == (2, "", 1)


@pytest.mark.slow
def test_the_data_keeps_the_names(made):
    folder, _ = made
    people = {identity.partition("/")[2] for identity in Dataset(folder / "work/datasets/p").table("all")["identity"]}
    assert people == set(NAMES)


@pytest.mark.slow
def test_no_cell_of_a_csv_is_a_formula_and_paths_are_read_back(made):
    folder, _ = made
    files = [*folder.glob("work/runs/p/*.csv"), *folder.glob("work/datasets/p/*.csv")]
    assert len(files) >= 5
    for file in files:
        with open(file, newline="", encoding="utf-8") as stream:
            for row in csv.reader(stream):
                assert not [cell for cell in row if cell[:1] in ("=", "@", "\t", "\r")], file
                assert not [cell for cell in row if cell[:1] in ("+", "-") and not _is_number(cell)], file
    dirty = Dataset(folder / "work/datasets/p").dirty
    assert {Path(path).parts[0] for path in dirty["path"]} == set(NAMES)


def _is_number(text):
    try:
        return bool(float(text)) or True
    except ValueError:
        return False


def rights(folder):
    return {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}


def folders(folder):
    return {stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*")) if path.is_dir()}


@pytest.mark.slow
def test_faces_are_their_owners_alone(made):
    folder, _ = made
    assert folders(folder / "work") == {0o700}
    assert rights(folder / "work") == {0o600}


@pytest.mark.slow
def test_they_are_shared_where_that_is_asked_for(made, tmp_path):
    folder, _ = made
    for share, file, place in (("group", 0o640, 0o750), ("all", 0o644, 0o755)):
        work = tmp_path / share
        assert face3d(folder, "--share", share, "run", "p.yaml", "--engine", "serial", "-w", str(work))[0] == 0
        assert rights(work / "datasets") == {file}
        assert folders(work) == {place}
        assert face3d(folder, "export", "p", str(work / "out"), "-w", str(work), FACE3D_SHARE=share)[0] == 0
        assert rights(work / "out") == {file}
    code, _, err = face3d(folder, "run", "p.yaml", FACE3D_SHARE="everybody")
    assert (code, len(err.splitlines())) == (2, 1)


@pytest.mark.slow
def test_a_folder_that_is_there_keeps_its_rights(made, tmp_path):
    folder, _ = made
    work = tmp_path / "mine"
    work.mkdir()
    work.chmod(0o755)
    assert face3d(folder, "run", "p.yaml", "--engine", "serial", "-w", str(work))[0] == 0
    assert stat.S_IMODE(work.stat().st_mode) == 0o755
    assert folders(work / "datasets") == {0o700}
