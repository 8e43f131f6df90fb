"""`face3d cleanup`, as typed: lists for table steps, the sheet, copied trees, and one line for each mistake."""

import csv
import json
import shutil
import sys
from pathlib import Path

import cv2
import h5py
import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
sys.path.insert(0, str(Path(__file__).parents[1] / "training" / "cleanup"))
from labeled import along
from tiny_sets import map_set

from face3d_data.cli.main import _answer
from face3d_data.tables.lists import read_list
from face3d_data.tables.same_person import read_same_person
from face3d_training.embed_files import write_embeddings

ROWS = (
    *(("anna", number, 1) for number in (1, 2, 3)),
    *(("bert", number, 2) for number in (1, 2, 3)),
    ("anna", 4, 2),
    *(("anne", number, 1) for number in (1, 2)),
)
"""Person, capture, and the axis of the embedding."""


def embeddings(folder: Path) -> Path:
    """Write an embeddings file as `face3d embed --layout images` does, and its images beside it."""
    names = [f"d__{person}" for person, _, _ in ROWS]
    ids = [f"{name}__{number}" for name, (_, number, _) in zip(names, ROWS, strict=True)]
    files = [f"images/{name}/{one}.png" for name, one in zip(names, ids, strict=True)]
    table = pd.DataFrame({"id": ids, "name": names, "class": 0, "file_path": files})
    vectors = np.array([along(axis, tilt) for tilt, (_, _, axis) in enumerate(ROWS)])
    for number, file in enumerate(files):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / file), np.full((20, 16, 3), 10 * number, np.uint8))
    write_embeddings(folder / "e.h5", table, vectors, "images", {"dataset": "d"})
    return folder / "e.h5"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("here")
    embeddings(folder)
    map_set(folder / "work" / "datasets", cells=64)
    (folder / "broken.h5").write_bytes(b"no HDF5")
    with h5py.File(folder / "gallery.h5", "w") as file:
        file["anna/embedding"] = np.ones(4, np.float32)
    (folder / "mine").mkdir()
    (folder / "mine" / "letter.txt").write_text("mine")
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


def call(capsys, *arguments):
    code = _answer(["cleanup", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_an_embeddings_file_gives_lists_that_table_steps_read(here, tmp_path, capsys):
    out = tmp_path / "out"
    code, said, err = call(capsys, "e.h5", "--out", out)
    assert (code, err) == (0, "")
    lines = said.splitlines()
    assert lines[0] == "9 samples of 3 people"
    assert [line.split()[:2] for line in lines[1:6]] == [
        *(["1", "other_person"], ["0", "unknown_person"], ["0", "outlier"], ["0", "duplicate"], ["1", "same_person"])
    ]
    assert lines[-1] == f"clean-up {out}: cleanup.csv, cleanup.json, cleanup.html, block.csv, same_person.csv"
    assert read_list(out / "block.csv") == ["d/anna/4"]
    assert read_same_person(out / "same_person.csv") == [("d/anne", "d/anna")]
    first, second = rows_of(out / "cleanup.csv")
    assert {name: first[name] for name in ("reason", "id", "person", "like", "blocked", "file_path")} == {
        "reason": "other_person",
        "id": "d/anna/4",
        "person": "d/anna",
        "like": "d/bert",
        "blocked": "yes",
        "file_path": "images/d__anna/d__anna__4.png",
    }
    assert float(first["similarity"]) < 0.2 < 0.9 < float(first["like_similarity"])
    assert (second["reason"], second["person"], second["like"]) == ("same_person", "d/anne", "d/anna")
    record = json.loads((out / "cleanup.json").read_text())
    assert record["settings"] == {
        **{"affinity": "cosine", "linkage": "average", "threshold": 0.45, "person_threshold": 0.125}
    }
    assert record["about"]["dataset"] == "d"


def test_a_clean_up_is_replaced_and_something_else_is_not(here, tmp_path, capsys):
    out = tmp_path / "out"
    assert call(capsys, "e.h5", "--out", out)[0] == 0
    assert call(capsys, "e.h5", "--out", out, "--person-threshold", "0.0001")[0] == 0
    assert not (out / "same_person.csv").exists()  # nobody is left to list
    code, _, err = call(capsys, "e.h5", "--out", "mine")
    assert (code, err) == (
        2,
        "face3d: --out mine: contains something other than a clean-up: use a folder that does not exist yet\n",
    )
    assert [path.name for path in (here / "mine").iterdir()] == ["letter.txt"]


def test_images_are_copied_under_their_names(here, tmp_path, capsys):
    trees = tmp_path / "trees"
    code, said, _ = call(capsys, "e.h5", "--out", tmp_path / "out", "--apply", trees)
    assert code == 0
    assert f"copied 8 clean and 1 dirty images to {trees}" in said
    copied = sorted(path.relative_to(trees).as_posix() for path in trees.rglob("*.png"))
    assert len(copied) == 9
    assert copied[-1] == "dirty/images/d__anna/d__anna__4.png"
    for name in copied:
        assert (trees / name).read_bytes() == (here / name.partition("/")[2]).read_bytes()
    before = sorted(trees.rglob("*"))
    code, _, err = call(capsys, "e.h5", "--out", tmp_path / "out", "--apply", trees)
    assert (code, err) == (
        2,
        f"face3d: --apply {trees}: already exists: use a folder that does not exist yet\n",
    )
    assert sorted(trees.rglob("*")) == before


def test_equal_files_below_the_root_are_duplicates_and_have_pictures(here, tmp_path, capsys):
    shutil.copytree(here / "images", tmp_path / "images")
    shutil.copy(tmp_path / "images/d__bert/d__bert__1.png", tmp_path / "images/d__bert/d__bert__3.png")
    assert call(capsys, "e.h5", "--out", tmp_path / "out", "--root", tmp_path)[0] == 0
    found = [row for row in rows_of(tmp_path / "out" / "cleanup.csv") if row["reason"] == "duplicate"]
    assert [(row["id"], row["like"], row["detail"]) for row in found] == [
        ("d/bert/3", "d/bert/1", "the same content as d/bert/1 of d/bert")
    ]
    sheet = (tmp_path / "out" / "cleanup.html").read_text("utf-8")
    assert sheet.count("data:image/jpeg;base64,") >= 9
    assert "http" not in sheet.replace("http-equiv", "")
    assert "no picture" not in sheet


@pytest.mark.slow
def test_a_dataset_is_embedded_by_the_packaged_network(here, tmp_path, capsys):
    out = tmp_path / "out"
    code, said, err = call(
        capsys,
        "maps",
        "--model",
        "packaged",
        "--device",
        "cpu",
        "--out",
        out,
        "--split",
        "test",
        "--where",
        "mask=='none'",
    )
    assert (code, err) == (0, "")
    assert said.startswith("16 samples of 4 people\n")
    about = json.loads((out / "cleanup.json").read_text())["about"]
    assert (about["dataset"], about["splits"], about["network"]) == ("maps", ["test"], "packaged maps")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.h5"], "nothing.h5: there is no such file: give an embeddings file, or a dataset"),
        (["broken.h5"], "broken.h5: cannot be read as HDF5 "),
        (["gallery.h5"], "gallery.h5: has one embedding of each person (layout gallery), and no images: write it with"),
        (
            ["e.h5", "--model", "packaged"],
            "cleanup: --model is for a dataset, and e.h5 has its embeddings: leave it out",
        ),
        (["e.h5", "--split", "test"], "cleanup: --split is for a dataset, and e.h5 has its embeddings: leave it out"),
        (["e.h5", "--root", "gone"], "--root gone: is not a folder: give the one that file_path is relative to"),
        (
            ["e.h5", "--root", "work", "--apply", "t"],
            "--root work: has no file images/d__anna/d__anna__1.png (d/anna/1)",
        ),
        (["maps"], "cleanup: give one network for a dataset: a CHECKPOINT, or --model packaged"),
        (
            ["maps", "--model", "packaged", "--apply", "t"],
            "cleanup: --apply is for an embeddings file; a dataset's samples",
        ),
        (["nobody", "--model", "packaged"], "no dataset 'nobody' in work/datasets (there: maps)"),
    ],
)
def test_mistakes_are_one_line(here, capsys, arguments, message):
    code, out, err = call(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"face3d: {message}")
    assert err.count("\n") == 1
    assert not (here / "work" / "cleanups").exists()
    assert not (here / "t").exists()


@pytest.mark.parametrize("path", ["../secret.png", "/etc/passwd", ""])
def test_nothing_outside_of_the_root_is_copied(here, tmp_path, capsys, path):
    shutil.copy("e.h5", tmp_path / "e.h5")
    with h5py.File(tmp_path / "e.h5", "r+") as file:
        file["d__bert/d__bert__2.png"].attrs["file_path"] = path
    code, _, err = call(capsys, tmp_path / "e.h5", "--root", ".", "--apply", tmp_path / "t", "--out", tmp_path / "o")
    assert code == 2
    assert f"file_path {path!r} of d/bert/2 is no path below --root" in err
    assert not (tmp_path / "t").exists()
    assert not (tmp_path / "o").exists()


def test_files_of_another_program_keep_their_names(tmp_path, capsys):
    with h5py.File(tmp_path / "s.h5", "w") as file:
        for person, image, axis in (("a", "1.jpg", 1), ("a", "2.jpg", 1), ("a", "3.jpg", 2), ("b", "1.jpg", 2)):
            group = file.create_group(f"{person}/{image}")
            group.attrs["file_path"] = np.bytes_(f"{person}/{image}")
            group["embedding"] = along(axis, int(image[0])) * 7
    assert call(capsys, tmp_path / "s.h5", "--out", tmp_path / "o")[0] == 0
    (row,) = rows_of(tmp_path / "o" / "cleanup.csv")
    assert (row["id"], row["like"], row["file_path"]) == ("a/3.jpg", "b", "a/3.jpg")
