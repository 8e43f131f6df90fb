"""Two sources with one of every kind of bad file, run to a dataset: each bad one is listed, each good one is there."""

import csv

import numpy as np
import pytest

from face3d_data.cli.main import main
from face3d_data.names import id_of, name_of
from face3d_data.registry import register
from face3d_data.stage import Stage
from face3d_data.testing import tiny_capture, write_tiny_npy, write_tiny_rgbd
from face3d_data.testing.write import write_image, write_rgbd_pair

PIPELINE = """
name: bad
seed: 1
limits: {max_reject_rate: 0.5}
sources:
  folders: {reader: rgbd_folder, root: folders}
  pairs: {reader: rgbd_npy, root: pairs, intrinsics: pairs/intrinsics.json, depth_scale: 0.001}
steps:
  - {id: seen, stage: look_at_all, from: [folders, pairs]}
  - {id: people, table: split, from: seen, with: {ratios: {train: 0.5, test: 0.5}}}
datasets:
  bad: {from: people, fields: [points]}
"""
SPACED = "Zoë de la Peña é"


@register
class LookAtAll(Stage):
    """Read colour and depth, and give the points of the first row."""

    name = "look_at_all"
    inputs = ("color", "depth")
    outputs = ("points",)

    def run(self, sample, rng):
        color, depth = sample.arrays["color"], sample.arrays["depth"]
        assert depth.shape == color.shape[:2]
        yield sample.with_arrays(points=np.column_stack([color[12, :, :2], depth[12]]).astype(np.float32))


def spoil_folders(root):
    """Make one bad capture of every kind below `root`, and return id to reason."""
    person = root / "person_0000"
    cut, hollow = person / "capture_00_depth.png", person / "capture_01_color.png"
    cut.write_bytes(cut.read_bytes()[:-40])
    data = hollow.read_bytes()
    hollow.write_bytes(data[: len(data) // 2] + data[-12:])
    write_image(person / "capture_02_depth.png", np.full((24, 32), 60, np.uint8))
    write_image(person / "capture_03_depth.png", tiny_capture(0, 3, width=40).depth)
    (person / "capture_04_color.png").write_bytes(b"")
    (person / "capture_05_color.png").write_text("a text that is named like a picture\n")
    (person / "capture_06_color.png").unlink()
    (person / "capture_07_depth.png").unlink()
    (root / SPACED).mkdir()
    write_rgbd_pair(root / SPACED, "très bien 1", tiny_capture(50, 0))
    reasons = ["unreadable", "unreadable", "depth_8bit", "size_mismatch", "unreadable", "unreadable"]
    reasons += ["no_color", "no_depth"]
    return {f"folders/person_0000/capture_{i:02d}": reason for i, reason in enumerate(reasons)}


def spoil_pairs(root):
    """Make bad depth files, and return id to reason."""
    folder = root / "person_0000"
    depth = np.load(folder / "0000.npy")
    np.save(folder / "0000.npy", np.full_like(depth, np.nan))
    np.save(folder / "0001.npy", np.full_like(depth, np.inf))
    (folder / "0002.npy").write_bytes((folder / "0002.npy").read_bytes()[:-50])
    return {f"pairs/person_0000/{i:04d}": "unreadable" for i in range(3)}


def rows(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
def test_bad_captures_are_listed_and_good_ones_are_all_there(tmp_path, monkeypatch):
    wanted = spoil_folders(write_tiny_rgbd(tmp_path / "folders", people=3, captures=9))
    wanted |= spoil_pairs(write_tiny_npy(tmp_path / "pairs", people=2, captures=4, seed=1))
    good = {f"folders/person_{p:04d}/capture_{c:02d}" for p in range(3) for c in range(9)}
    good |= {f"pairs/person_{p:04d}/{c:04d}" for p in range(2) for c in range(4)}
    good = (good | {f"folders/{SPACED}/très bien 1"}) - wanted.keys()
    (tmp_path / "bad.yaml").write_text(PIPELINE)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(["run", "bad.yaml", "--engine", "serial"])
    assert stopped.value.code in (0, None)

    listed = {}
    for source in ("folders", "pairs"):
        listed |= {row["sample_id"]: row for row in rows(tmp_path / "work" / "runs" / "bad" / f"{source}.dirty.csv")}
    assert {name: row["reason"] for name, row in listed.items()} == wanted
    assert {row["status"] for row in listed.values()} == {"reject"}
    assert listed["folders/person_0000/capture_02"]["path"].startswith("person_0000/capture_02_")
    assert str(tmp_path) not in "".join(row["detail"] for row in listed.values())

    dataset = tmp_path / "work" / "datasets" / "bad"
    kept = [row for split in ("train", "test") for row in rows(dataset / f"{split}.csv")]
    assert {row["sample_id"] for row in kept} == good
    assert {row["sample_id"] for row in rows(dataset / "dirty.csv")} == wanted.keys()
    spaced = next(row for row in kept if SPACED in row["sample_id"])
    assert id_of(spaced["id"]) == spaced["sample_id"] == f"folders/{SPACED}/très bien 1"
    assert spaced["name"] == name_of(f"folders/{SPACED}")
