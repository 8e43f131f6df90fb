"""Values that JSON, names and NumPy's headers allow: each costs one dirty row, and the run ends well."""

from __future__ import annotations

import csv
import json
import os

import pytest
import toys  # noqa: F401
from click.testing import CliRunner

from face3d_data.cli.main import face3d
from face3d_data.testing import tiny_capture, write_tiny_npy, write_tiny_rgbd
from face3d_data.testing.write import write_rgbd_pair

PIPELINE = """
name: hostile
limits: {max_reject_rate: 0.9}
sources:
  rgbd: {reader: rgbd_folder, root: rgbd}
  npy: {reader: rgbd_npy, root: npy, intrinsics: npy/intrinsics.json, depth_scale: 0.001}
  pics: {reader: image_folder, root: pics, pattern: "{identity}/{n}_{r:float}.png"}
steps:
  - {id: faces, stage: detect, from: rgbd, with: {detector: given}}
  - {id: depths, stage: toy_depth, from: npy}
  - {id: seen, stage: toy_tags, from: pics}
  - {id: people, table: split, from: faces, with: {ratios: {train: 0.5, test: 0.5}}}
datasets:
  hostile: {from: people, fields: [landmarks, box]}
"""
MANY = 10**400
ENTRIES = {
    "yaw_nan": {"yaw_deg": float("nan")},
    "distance_inf": {"distance_mm": float("inf")},
    "half_a_pair": {"expression": "\ud800x"},
    "yaw_400_digits": {"yaw_deg": MANY},
    "list": {"expression": [1]},
    "landmark_400_digits": {"landmarks_px": {"nose": [MANY, 1]}},
    "landmark_1e300": {"landmarks_px": {"nose": [1e300, 1]}},
}
CAMERAS = {"fx": {"fx": MANY}, "width": {"width": MANY}, "inf": {"cx": float("inf")}, "nested": "[" * 100_000}
SHAPES = {"bools": "(True, 2)", "below": "(-1, 2)", "past": "(1099511627776, 1099511627776)"}


def spoil_rgbd(root):
    """Make one person for each bad value, and return person to reason."""
    good = json.loads((root / "person_0000" / "landmarks.json").read_text())["capture_00"]
    camera = json.loads((root / "intrinsics.json").read_text())

    def person(name):
        (root / name).mkdir()
        write_rgbd_pair(root / name, "capture_00", tiny_capture(90, len(os.listdir(root))))
        return root / name

    for name, values in ENTRIES.items():
        marks = good["landmarks_px"] | values.get("landmarks_px", {})
        entry = good | values | {"landmarks_px": marks}
        (person(name) / "landmarks.json").write_text(json.dumps({"capture_00": entry}))
    for name, values in CAMERAS.items():
        text = values if isinstance(values, str) else json.dumps(camera | values)
        (person(name) / "intrinsics.json").write_text(text)
    (person("deep") / "landmarks.json").write_text("[" * 100_000)
    far = {name: [1e7 + i, 2.0 * i] for i, name in enumerate(marks)}
    (person("far") / "landmarks.json").write_text(json.dumps({"capture_00": {"landmarks_px": far}}))
    (person("huge_but_whole") / "landmarks.json").write_text(json.dumps({"capture_00": good | {"yaw_deg": 10**300}}))
    odd = person("odd")
    os.rename(odd, os.fsencode(root) + b"/odd\xff")
    reasons = dict.fromkeys([*ENTRIES, "deep"], "bad_landmarks") | dict.fromkeys(CAMERAS, "bad_intrinsics")
    return reasons | {"far": "no_face", "odd\\xff": "bad_name"}


def spoil_npy(root):
    """Spoil a header of each kind in the first person's files, and return the stems."""
    files = sorted((root / "person_0000").glob("*.npy"))
    data = files[0].read_bytes()
    files[0].write_bytes(data[:10] + data[10:].replace(b"}", b" ", 1))
    for path, shape in zip(files[1:], SHAPES.values(), strict=True):
        data = path.read_bytes()
        at = data.index(b"'shape': ") + 9
        header = data[10:at] + shape.encode() + b", }"
        path.write_bytes(data[:10] + header.ljust(117) + b"\n" + data[128:])
    return {path.stem for path in files}


def rows(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
def test_every_hostile_value_is_a_dirty_row_and_nothing_else_is_lost(tmp_path, monkeypatch):
    reasons = spoil_rgbd(write_tiny_rgbd(tmp_path / "rgbd", people=3, captures=2))
    bad_arrays = spoil_npy(write_tiny_npy(tmp_path / "npy", people=2, captures=4, seed=1))
    (tmp_path / "pics" / "ann").mkdir(parents=True)
    picture = (tmp_path / "rgbd" / "person_0000" / "capture_00_color.png").read_bytes()
    for name in ("0_0.5.png", "0_1e999.png"):
        (tmp_path / "pics" / "ann" / name).write_bytes(picture)
    (tmp_path / "p.yaml").write_text(PIPELINE)
    monkeypatch.chdir(tmp_path)
    ran = CliRunner().invoke(face3d, ["run", "p.yaml", "--engine", "serial"], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output

    runs = tmp_path / "work" / "runs" / "hostile"
    listed = [row for name in ("rgbd", "faces") for row in rows(runs / f"{name}.dirty.csv")]
    assert {row["sample_id"].split("/")[1]: row["reason"] for row in listed} == reasons
    assert {row["status"] for row in listed} == {"reject"}
    arrays = rows(runs / "npy.dirty.csv")
    assert {row["sample_id"] for row in arrays} == {f"npy/person_0000/{stem}" for stem in bad_arrays}
    assert {row["reason"] for row in arrays} == {"unreadable"}
    assert [(row["sample_id"], row["reason"]) for row in rows(runs / "pics.dirty.csv")] == [
        ("pics/ann/0_1e999.png", "name_not_matched")
    ]
    dataset = tmp_path / "work" / "datasets" / "hostile"
    kept = [row for split in ("train", "test") for row in rows(dataset / f"{split}.csv")]
    assert len(kept) == 3 * 2 + 1  # the good ones, and the one with a whole number that a float can hold
