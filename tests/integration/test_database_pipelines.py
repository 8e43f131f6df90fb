"""The pipelines that come for databases, over small trees in their layouts: a dataset that verifies, lists as asked."""

import csv

import pytest
from scans import face_scan
from write_bosphorus import write_bosphorus
from write_frgc import write_frgc
from write_lock3dface import kinect_camera, write_video
from write_meshes import write_meshes

from face3d_data import Dataset
from face3d_data.errors import UserError
from face3d_data.pipeline.build import load_pipeline
from face3d_data.pipeline.run import run
from face3d_data.shards.audit.verify import verify_dataset

pytestmark = pytest.mark.slow

SMALL = ("sampled.n_points=256",)


def published(pipeline, root, tmp_path, *overrides):
    built = load_pipeline(pipeline, (*SMALL, *overrides), {f"{pipeline.upper()}_ROOT": str(root)})
    result = run(built, tmp_path / "work", engine="serial")
    folder = result.datasets[pipeline]
    verdict = verify_dataset(folder)
    assert verdict.ok, verdict.problems
    return Dataset(folder), result


def lines(dataset, name):
    with open(dataset.path / "protocols" / f"{name}.csv", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_bosphorus_with_its_protocol(tmp_path):
    root = write_bosphorus(tmp_path / "b", 3, ("N_N_0", "N_N_1", "E_HAPPY_0", "O_EYE_0"), rows=60)
    # A scan without landmarks, as those from the side are.
    (root / "bs001" / "bs001_E_HAPPY_0.lm3").unlink()
    dataset, result = published("bosphorus", root, tmp_path)
    table = dataset.table("test")
    assert len(table) == 12
    assert sum(entry.tags["located"] for entry in result.entries("located")) == 1
    assert set(table["category"]) == {"N", "E", "O"}
    roles = [(row["role"], row["category"]) for row in lines(dataset, "bosphorus")]
    assert sorted(roles) == sorted([("gallery", ""), ("probe", "N"), ("probe", "E"), ("probe", "O/EYE")] * 3)


def test_frgc_finds_faces_in_the_texture(tmp_path):
    root = write_frgc(tmp_path / "f", rows=110)
    dataset, result = published("frgc", root, tmp_path, "found.min_confidence=0.5")
    assert len(dataset.table("test")) >= 0.75 * len(result.entries("frgc"))
    assert {row["role"] for row in lines(dataset, "frgc")} == {"gallery", "probe"}


def test_lock3dface_by_the_landmarks_it_brings(tmp_path):
    root = tmp_path / "l"
    for person in range(2):
        for code, capture in (("NU_1", 0), ("FE_1", 1)):
            write_video(root, f"{person + 1:03d}_Kinect_{code}", [face_scan(person, capture, rows=90)])
    camera = ",".join(map(str, kinect_camera(face_scan(0, 0, rows=90))))
    dataset, _ = published(
        "lock3dface", root, tmp_path, f"lock3dface.intrinsics=[{camera}]", "found.detector=given",
    )  # fmt: skip
    assert sorted(row["role"] for row in lines(dataset, "lock3dface")) == ["gallery", "gallery", "probe", "probe"]


@pytest.mark.parametrize("units", ["mm", "m"])
def test_scans_without_landmarks_are_found_by_the_mean_face(tmp_path, units):
    root = write_meshes(tmp_path / "s", people=3, captures=2, rows=48, landmarks=False)
    if units == "m":
        with pytest.raises(UserError, match=r"source 'scans': mesh_folder: .* millimetres: set units: mm \(it is m\)"):
            published("scans", root, tmp_path, "scans.units=m")
        return
    dataset, result = published("scans", root, tmp_path)
    assert sum(len(dataset.table(split)) for split in dataset.splits) == 6
    assert all(entry.tags["located"] for entry in result.entries("located"))
