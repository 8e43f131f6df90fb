"""A collection with every kind of bad capture: the run ends well, each has its reason, the good ones are all there."""

from __future__ import annotations

import csv
import shutil

import cv2
import numpy as np
import pytest
import toys  # noqa: F401
from click.testing import CliRunner

from face3d_data.cli.main import face3d
from face3d_data.names import id_of
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.run import run
from face3d_data.shards.read import Dataset
from face3d_data.testing import write_tiny_npy, write_tiny_rgbd


@pytest.fixture(scope="module")
def collections(tmp_path_factory):
    base = tmp_path_factory.mktemp("bad")
    rgbd = write_tiny_rgbd(base / "rgbd", people=16, captures=4, width=96, height=72)
    (rgbd / "person_0000").rename(rgbd / "Zoë de la Croix é")
    spoil(rgbd)
    for folder in (path for path in rgbd.iterdir() if path.is_dir() and path.name != "bad_camera"):
        shutil.copy(rgbd / "intrinsics.json", folder)
    (rgbd / "intrinsics.json").unlink()
    npy = write_tiny_npy(base / "npy", people=2, captures=3, width=96, height=72)
    files = sorted(npy.rglob("*.npy"))
    shape = np.load(files[0]).shape
    np.save(files[0], np.full(shape, np.nan, "f4"))
    np.save(files[1], np.full(shape, np.inf, "f4"))
    files[2].write_bytes(files[2].read_bytes()[:200])
    return rgbd, npy, files[:3]


def spoil(root):
    """Put one capture of each kind of fault into its own person's folder."""
    donor = root / "person_0001"
    good = {role: (donor / f"capture_00_{role}.png").read_bytes() for role in ("color", "depth")}

    def capture(person, color=None, depth=None):
        folder = root / person
        folder.mkdir()
        (folder / "capture_00_color.png").write_bytes(good["color"] if color is None else color)
        (folder / "capture_00_depth.png").write_bytes(good["depth"] if depth is None else depth)
        shutil.copy(donor / "landmarks.json", folder)
        return folder

    def png(array):
        return cv2.imencode(".png", array)[1].tobytes()

    capture("bad_truncated", depth=good["depth"][: len(good["depth"]) // 2])
    capture("bad_8bit", depth=png(np.full((72, 96), 80, "u1")))
    capture("bad_size", depth=png(np.full((36, 48), 600, "u2")))
    capture("bad_empty", depth=b"")
    capture("bad_text", depth=b"this is a text file\n")
    capture("bad_camera")
    (capture("bad_twin") / "capture_00_depth.png").unlink()


WANT = {
    "bad_truncated": "unreadable",
    "bad_8bit": "depth_8bit",
    "bad_size": "size_mismatch",
    "bad_empty": "unreadable",
    "bad_text": "unreadable",
    "bad_twin": "no_depth",
    "bad_camera": "no_intrinsics",
}


@pytest.mark.slow
def test_each_bad_capture_has_its_reason_and_the_good_ones_are_there(collections, tmp_path):
    rgbd, _, _ = collections
    pipeline = make_pipeline(
        {
            "name": "mixed",
            "sources": {"rgbd": {"reader": "rgbd_folder", "root": str(rgbd)}},
            "steps": [
                {"id": "faces", "stage": "detect", "from": "rgbd", "with": {"detector": "given"}},
                {"id": "clouds", "stage": "to_cloud", "from": "faces", "with": {"min_points": 64}},
                {"id": "people", "table": "split", "from": "clouds"},
                {"id": "sampled", "stage": "subsample", "from": "people", "with": {"n_points": 64}},
            ],
            "datasets": {"mixed": {"from": "sampled", "fields": ["points"]}},
        },
        tmp_path,
    )
    result = run(pipeline, tmp_path / "work", engine="serial")
    with open(tmp_path / "work" / "runs" / "mixed" / "rgbd.dirty.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["sample_id"].split("/")[1]: row["reason"] for row in rows} == WANT
    assert {row["step"] for row in rows} == {"rgbd"}
    assert all(row["path"].startswith(row["sample_id"].split("/")[1] + "/") for row in rows)
    ids = {entry.id for entry in result.entries("sampled")}
    assert len(ids) == 64
    assert "rgbd/Zoë de la Croix é/capture_00" in ids
    dataset = Dataset(result.datasets["mixed"])
    names = [name for split in dataset.splits for name in dataset.table(split)["id"]]
    assert {id_of(name) for name in names} == ids
    assert all(name.isascii() and " " not in name for name in names)
    assert len(dataset.dirty) == len(WANT)


def test_depth_arrays_that_cannot_be_used(collections, tmp_path):
    _, npy, bad = collections
    source = {
        "reader": "rgbd_npy",
        "root": str(npy),
        "intrinsics": str(next(npy.parent.rglob("intrinsics.json"))),
        "depth_scale": 0.001,
    }
    pipeline = make_pipeline(
        {
            "name": "npy",
            "sources": {"npy": source},
            "steps": [{"id": "cropped", "stage": "toy_depth", "from": "npy"}],
        },
        tmp_path,
    )
    result = run(pipeline, tmp_path / "work", engine="serial")
    assert {row.path: row.reason for row in result.steps["npy"].dirty} == {
        str(path.relative_to(npy)): "unreadable" for path in bad
    }
    assert len(result.entries("cropped")) == 3


@pytest.mark.slow
def test_the_command_ends_with_zero_and_dirty_lists_them(collections, tmp_path):
    rgbd, _, _ = collections
    pipeline = tmp_path / "p.yaml"
    pipeline.write_text(
        f"name: p\nsources: {{rgbd: {{reader: rgbd_folder, root: '{rgbd}'}}}}\n"
        "steps: [{id: faces, stage: detect, from: rgbd, with: {detector: given}},"
        " {id: clouds, stage: to_cloud, from: faces, with: {min_points: 64}}]\n",
        encoding="utf-8",
    )
    work = str(tmp_path / "work")
    ran = CliRunner().invoke(face3d, ["run", str(pipeline), "-w", work, "--engine", "serial"])
    assert ran.exit_code == 0, ran.output
    listed = CliRunner().invoke(face3d, ["dirty", "-w", work, "--reason", "depth_8bit"])
    assert "bad_8bit/capture_00" in listed.output
    assert "1 dirty rows" in listed.output
