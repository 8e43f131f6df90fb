"""What is no capture is listed and counted, but trips no limit; what lacks a library is tried again."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from face3d_data.cli.main import _answer
from face3d_data.errors import NeedsLibrary
from face3d_data.readers.image_folder import ImageFolder

PIPELINE = """
name: photos
seed: 1
sources:
  photos: {reader: image_folder, root: photos}
steps:
  - {id: people, table: split, from: photos, with: {ratios: {train: 0.5, test: 0.5}}}
limits: {max_reject_rate: 0.1, max_error_rate: 0.9}
"""


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for person in range(30):
        folder = tmp_path / "photos" / f"p{person}"
        folder.mkdir(parents=True)
        for number in range(2):
            pixels = np.full((4, 4, 3), 3 * person + number, np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
        (folder / "raw.cr2").write_bytes(b"x")
        (folder / "a.zip").write_bytes(b"x")
        (folder / "b.zip").write_bytes(b"x")
    (tmp_path / "p.yaml").write_text(PIPELINE)
    return tmp_path / "photos"


def dirty():
    with open("work/runs/photos/photos.dirty.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def test_files_of_other_kinds_are_listed_and_stop_no_run(photos, capsys):
    assert _answer(["run", "p.yaml"]) == 0
    assert "other_format 60" in "".join(capsys.readouterr())
    rows = dirty()
    assert {row["status"] for row in rows} == {"dropped"}
    assert sorted(row["sample_id"] for row in rows)[:2] == ["photos/p0/*.zip", "photos/p0/raw.cr2"]


def test_check_counts_every_file(photos, capsys):
    (photos / "p0" / ".old").mkdir()
    (photos / "p0" / ".old" / "a.png").write_bytes(b"x")
    _answer(["readers", "--check", "image_folder", str(photos)])
    said = "".join(capsys.readouterr())
    assert "left out, other_format: 90" in said
    assert "left out, hidden_folder: 1" in said


def test_what_lacks_a_library_is_tried_again_and_then_read(photos, monkeypatch):
    inspect = ImageFolder.inspect

    def lacking(reader, source):
        if source.capture == "1":
            raise NeedsLibrary("unreadable", "1.png: HEIC images need pillow-heif")
        inspect(reader, source)

    monkeypatch.setattr(ImageFolder, "inspect", lacking)
    assert _answer(["run", "p.yaml"]) == 0
    lost = [row for row in dirty() if row["reason"] == "unreadable"]
    assert len(lost) == 30
    assert json.loads((photos.parent / "work/runs/photos/stats.json").read_text())["steps"]["photos"]["outputs"] == 30
    monkeypatch.setattr(ImageFolder, "inspect", inspect)
    assert _answer(["run", "p.yaml"]) == 0
    assert not [row for row in dirty() if row["reason"] == "unreadable"]
