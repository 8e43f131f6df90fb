import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from made import MemoryPlace, build, manifest, plan_of, read, spec_of

from face3d_data import Dataset
from face3d_data.digest import digest, digest_file
from face3d_data.errors import RunStopped, UserError
from face3d_data.shards.finish import finish_dataset
from face3d_data.shards.write import WRITTEN, to_unit_sphere, write_shard

EVERYTHING = {
    "fields": ["points", "normals", "depth", "color", "landmarks"],
    "shard_size": 4,
    "pairs": {"per_fold": 3},
    "gallery": True,
}


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_shards_hold_the_rows_in_the_order_of_the_digest(tmp_path):
    frame = manifest()
    link = build(tmp_path, frame, spec_of(**EVERYTHING))
    by_id = dict(zip(frame["id"], frame["place"], strict=True))
    ids = sorted(frame["id"][frame["split"] == "train"], key=lambda i: digest(5, i))
    for number, name in enumerate(["train-00000.h5", "train-80000.h5"]):
        with h5py.File(link / "shards" / name) as file:
            mine = [raw.decode() for raw in file["sample_id"][:]]
            assert mine == ids[4 * number : 4 * number + 4]
            for i, sample_id in enumerate(mine):
                arrays = by_id[sample_id].arrays
                for field, stored in (
                    ("points", "data"),
                    ("normals", "normal"),
                    ("depth", "depth"),
                    ("color", "color"),
                ):
                    assert np.array_equal(file[stored][i], arrays[field])
                assert file["identity"][i].decode() == sample_id.rpartition("/")[0]
                assert file["variant"][i] == b"plain"


def test_schema_of_a_shard(tmp_path):
    link = build(tmp_path, spec=spec_of(**EVERYTHING), pipeline_digest="abc")
    with h5py.File(link / "shards/test-00000.h5") as file:
        assert file["data"].shape[0] == 3
        forms = {
            name: (dataset.dtype.str, dataset.shape) for name, dataset in file.items() if dataset.dtype.kind != "S"
        }
        assert forms == {
            "data": ("<f4", (3, 16, 3)),
            "normal": ("<f4", (3, 16, 3)),
            "depth": ("<f4", (3, 4, 5)),
            "color": ("|u1", (3, 4, 5, 3)),
            "landmarks": ("<f4", (3, 5, 2)),
        }
        for dataset in file.values():
            assert dataset.chunks is None
            assert dataset.compression is None
            assert dataset.id.get_offset() is not None
        assert dict(file.attrs) == {
            "schema_version": 3,
            "split": "test",
            "made_of": json.loads((link / "dataset.json").read_text())["shards"]["shards/test-00000.h5"]["made_of"],
        }
        assert file["data"].attrs["unit"] == "mm"
        assert "unit" not in file["color"].attrs


def test_no_points_no_data(tmp_path):
    frame = manifest()
    frame.loc[frame["identity"] != "d/p2", "n_points"] = None
    link = build(tmp_path, frame, spec_of(fields=["color", "depth"], gallery=True))
    with h5py.File(link / "shards/test-00000.h5") as file:
        assert set(file) == {"color", "depth", "sample_id", "identity", "variant", "root", "content"}
    table = Dataset(link).table("test")
    assert table["n_points"].isna().tolist() == (table["identity"] != "d/p2").tolist()
    assert {line.split(",")[-4] for line in (link / "test.csv").read_text().splitlines()[1:]} == {"16", ""}
    assert (link / "train.csv").read_text().splitlines()[1].split(",")[-4] == ""


@pytest.mark.slow
def test_rebuilt_bytes_are_the_same_in_any_order_of_rows_and_tasks(tmp_path):
    frame, spec = manifest(), spec_of(**EVERYTHING)
    first = build(tmp_path / "a", frame, spec)
    plan = plan_of(frame.iloc[::-1].reset_index(drop=True), spec)
    infos = [write_shard(task, read) for task in reversed(plan.shard_tasks(tmp_path / "b"))]
    second = finish_dataset(plan, tmp_path / "b", infos)
    assert contents(first) == contents(second)
    assert os.readlink(first) == os.readlink(second)


def test_dataset_json_lists_every_file_and_no_path_or_host(tmp_path):
    link = build(tmp_path, spec=spec_of(**EVERYTHING))
    info = json.loads((link / "dataset.json").read_text())
    names = {name for name in contents(link) if name != "dataset.json"}
    assert info["files"] == {name: digest_file(link / name) for name in names}
    assert info["bytes"] == {name: (link / name).stat().st_size for name in names}
    for data in contents(link).values():
        assert str(tmp_path).encode() not in data
    assert os.readlink(link) == f"faces-{info['digest'][:16]}"
    assert info["splits"]["train"] == {"samples": 6, "people": 2, "shards": 2}
    assert info["classes"] == 6


def test_dataset_json_is_written_for_people_and_diffs(tmp_path):
    frame = manifest()
    frame.loc[0, "origin_id"] = frame.loc[3, "origin_id"] = "d/zoë/c0"
    text = (build(tmp_path, frame, allow_leaks=True) / "dataset.json").read_text("utf-8")
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    assert '"d/zoë/c0"' in text


def test_a_published_dataset_is_not_written_again(tmp_path):
    frame = manifest()
    link = build(tmp_path, frame)
    before = {p: p.stat().st_mtime_ns for p in link.resolve().rglob("*")}
    plan = plan_of(frame)
    assert plan.shard_tasks(tmp_path) == []
    assert finish_dataset(plan, tmp_path, []) == link
    assert {p: p.stat().st_mtime_ns for p in link.resolve().rglob("*")} == before


def test_the_link_moves_to_the_newest_and_back(tmp_path):
    frame = manifest()
    link = build(tmp_path, frame)
    old = os.readlink(link)
    build(tmp_path, manifest(n_people=7))
    assert os.readlink(link) != old
    build(tmp_path, frame)
    assert os.readlink(link) == old
    assert not list(tmp_path.glob("*.partial"))
    assert not list(tmp_path.glob(".*"))


def test_a_folder_in_the_place_of_the_link_is_left_alone(tmp_path):
    (tmp_path / "faces").mkdir(parents=True)
    with pytest.raises(UserError, match="is not a link to a dataset: move it away"):
        build(tmp_path)


def _lose(link):
    (link / "shards/eval-00000.h5").unlink()


def _cut(link):
    os.truncate(link / "shards/eval-00000.h5", 100)


def _flip(link):
    path = link / "shards/eval-00000.h5"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _edit(link):
    path = link / "test.csv"
    path.write_text(path.read_text().replace("d/p", "d/q"))


def _spoil_description(link):
    (link / "dataset.json").write_text("{")


def _lose_description(link):
    (link / "dataset.json").unlink()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_lose, "shards/eval-00000.h5 is missing"),
        (_cut, "shards/eval-00000.h5 has 100 bytes where dataset.json says"),
        (_flip, "shards/eval-00000.h5 has another sha256 than dataset.json says"),
        (_edit, "test.csv has another sha256 than dataset.json says"),
        (_spoil_description, "dataset.json cannot be read"),
        (_lose_description, "dataset.json is missing"),
    ],
)
def test_a_damaged_dataset_is_written_again_with_a_note(tmp_path, damage, said):
    link = build(tmp_path)
    before = contents(link)
    damage(link)
    plan = plan_of(manifest()).looked_at(tmp_path, digest_file)
    finish_dataset(plan, tmp_path, [write_shard(task, read) for task in plan.shard_tasks(tmp_path)])
    assert contents(link) == before
    (note,) = plan.notes
    assert said in note
    assert note.startswith("dataset 'faces' was damaged or changed (")
    assert note.endswith(": written again")


def test_a_whole_dataset_is_left_as_it_is(tmp_path):
    link = build(tmp_path)
    before = {path: path.stat().st_ino for path in link.rglob("*")}
    plan = plan_of(manifest()).looked_at(tmp_path, digest_file)
    assert plan.shard_tasks(tmp_path) == []
    assert plan.notes == []
    build(tmp_path)
    assert {path: path.stat().st_ino for path in link.rglob("*")} == before


@pytest.mark.slow
@pytest.mark.parametrize("damage", [_lose, _cut, _flip, _edit, _spoil_description])
def test_a_forced_rebuild_replaces_what_is_damaged(tmp_path, damage):
    """The description that is written is the one that is there already: only the files tell."""
    link = build(tmp_path)
    before = contents(link)
    damage(link)
    plan = replace(plan_of(manifest()), rebuild=True)
    finish_dataset(plan, tmp_path, [write_shard(task, read) for task in plan.shard_tasks(tmp_path)])
    assert contents(link) == before


@pytest.mark.parametrize("damage", ["flip", "no record", "other record"])
def test_a_shard_left_in_an_unfinished_dataset_is_kept_only_if_it_is_what_was_written(tmp_path, damage):
    plan = plan_of(manifest())
    tasks = plan.shard_tasks(tmp_path)
    first = [write_shard(task, read) for task in tasks]
    path = tasks[0].path
    record = tasks[0].folder / WRITTEN / f"{path.name}.sha256"
    whole = path.read_bytes()
    if damage == "flip":
        data = bytearray(whole)
        data[-1] ^= 1
        path.write_bytes(data)
    elif damage == "no record":
        record.unlink()
    else:
        record.write_text("0" * 64)
    again = [write_shard(task, read) for task in tasks]
    assert [info.reused for info in again] == [False, *(True for _ in tasks[1:])]
    assert [info.sha256 for info in again] == [info.sha256 for info in first]
    assert path.read_bytes() == whole
    link = finish_dataset(plan, tmp_path, again)
    assert not (link / WRITTEN).exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"seed": 6},
        {"pipeline": "q"},
        {"pipeline_digest": "x"},
        {"name": "other"},
        {"by": "capture"},
        {"spec": spec_of(shard_size=5)},
        {"spec": spec_of(dtype="float16")},
    ],
)
def test_whatever_decides_the_bytes_is_in_the_digest(change):
    frame = manifest()
    assert plan_of(frame, **change).digest != plan_of(frame).digest


@pytest.mark.parametrize("column", ["id", "identity", "split", "key", "variant", "origin_id", "dataset"])
def test_every_column_of_a_row_is_in_the_digest(column):
    frame = manifest()
    other = frame.copy()
    other.loc[0, column] = "train" if column == "split" else "d/new"
    if column == "identity":
        other.loc[frame["identity"] == "d/p0", column] = "d/new"
    if column == "split":
        frame.loc[frame["identity"] == "d/p0", "split"] = "test"
        other.loc[other["identity"] == "d/p0", "split"] = "train"
    assert plan_of(other, by="capture").digest != plan_of(frame, by="capture").digest


def test_the_step_s_name_is_not_in_the_digest():
    assert plan_of(manifest(), spec_of(**{"from": "a"})).digest == plan_of(manifest(), spec_of(**{"from": "b"})).digest


@pytest.mark.slow
def test_shards_of_a_stopped_run_are_kept_and_torn_ones_made_again(tmp_path):
    frame, spec = manifest(), spec_of(**EVERYTHING)
    whole = build(tmp_path / "whole", frame, spec)
    plan = plan_of(frame, spec)
    tasks = plan.shard_tasks(tmp_path)
    for task in tasks[:3]:
        write_shard(task, read)
    torn = tasks[1].path
    torn.write_bytes(torn.read_bytes()[:-100])
    shutil.copy(tasks[0].path, tasks[2].path)
    (torn.parent / ".train-00000.h5.abcd.tmp~").write_bytes(b"half")
    tasks = plan_of(frame, spec).shard_tasks(tmp_path)
    infos = [write_shard(task, read) for task in tasks]
    assert [info.reused for info in infos] == [True, False, False, False, False, False]
    assert contents(finish_dataset(plan, tmp_path, infos)) == contents(whole)


KILLED = """
import os, signal, sys
from pathlib import Path
from made import manifest, plan_of, read, spec_of
from face3d_data.shards.write import write_shard
count = 0
def dying_read(place, name):
    global count
    count += 1
    if count == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return read(place, name)
for task in plan_of(manifest(), spec_of(shard_size=4)).shard_tasks(Path(sys.argv[1])):
    write_shard(task, dying_read)
"""


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 6])
def test_kill_during_a_shard_leaves_nothing_half_written(tmp_path, after):
    here = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    env = {**os.environ, "PYTHONPATH": here}
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(after)], env=env)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.rglob("*.h5"))) == after // 4
    link = build(tmp_path, spec=spec_of(shard_size=4))
    assert contents(link) == contents(build(tmp_path / "undisturbed", spec=spec_of(shard_size=4)))


def test_a_failing_row_leaves_no_file(tmp_path):
    task = plan_of(manifest()).shard_tasks(tmp_path)[0]

    def failing(place, name):
        raise OSError("disk on fire")

    with pytest.raises(OSError, match="on fire"):
        write_shard(task, failing)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_another_shape_than_planned_names_the_sample(tmp_path):
    task = plan_of(manifest()).shard_tasks(tmp_path)[0]
    with pytest.raises(UserError, match=r"d/p\d/c\d has shape \(3, 3\) where others have \(16, 3\)"):
        write_shard(task, lambda place, name: np.zeros((3, 3), "f4"))


def test_rows_are_read_in_the_order_of_the_store(tmp_path):
    seen = []

    def noting(place, name):
        seen.append(place.order)
        return place.arrays[name]

    for task in plan_of(manifest()).shard_tasks(tmp_path):
        seen.clear()
        write_shard(task, noting)
        assert seen == sorted(seen)


def test_normalized_points_come_back(tmp_path):
    frame = manifest()
    link = build(tmp_path, frame, spec_of(normalize=True))
    by_id = dict(zip(frame["id"], frame["place"], strict=True))
    with h5py.File(link / "shards/train-00000.h5") as file:
        data, centroid, scale = file["data"][:], file["centroid"][:], file["scale"][:]
        assert np.linalg.norm(data, axis=2).max(axis=1) == pytest.approx(1, abs=1e-6)
        assert file["data"].attrs["unit"].startswith("unit sphere")
        assert centroid.dtype == scale.dtype == np.float32
        for i, raw in enumerate(file["sample_id"][:]):
            points = by_id[raw.decode()].arrays["points"]
            assert np.allclose(data[i] * scale[i] + centroid[i], points, atol=1e-3)
            assert np.allclose(centroid[i], points.mean(axis=0), atol=1e-4)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(hnp.arrays("f4", st.tuples(st.integers(1, 20), st.just(3)), elements=st.floats(-500, 500, width=32)))
def test_unit_sphere_keeps_shape(points):
    moved, centroid, scale = to_unit_sphere(points)
    assert scale > 0
    assert np.isfinite(moved).all()
    assert np.linalg.norm(moved, axis=1).max() <= 1 + 1e-5
    assert np.allclose(moved * scale + centroid, points, atol=1e-2)


def test_float16_halves_floats_only_and_refuses_overflow(tmp_path):
    spec = spec_of(fields=["points", "color"], dtype="float16")
    frame = manifest()
    with h5py.File(build(tmp_path, frame, spec) / "shards/train-00000.h5") as file:
        assert file["data"].dtype == np.float16
        assert file["color"].dtype == np.uint8
    for place in frame["place"]:
        place.arrays["points"] = place.arrays["points"] * np.float32(1e6)
    with pytest.raises(UserError, match="does not fit into float16: use dtype: float32"):
        build(tmp_path, frame, spec, seed=9)


def test_equal_bytes_in_two_splits_are_refused_before_publishing(tmp_path):
    frame = manifest()
    twin = frame["place"][frame["split"] == "test"].iloc[0]
    victim = frame.index[frame["split"] == "train"][0]
    frame.at[victim, "place"] = MemoryPlace(dict(twin.arrays), ("part", 99))
    with pytest.raises(RunStopped, match=r"2 samples with equal content in more than one split: d/p0/c0, d/p2/c0"):
        build(tmp_path, frame)
    assert not (tmp_path / "faces").exists()
    link = build(tmp_path, frame, allow_leaks=True)
    assert json.loads((link / "dataset.json").read_text())["leaks"] == {"content": ["d/p0/c0", "d/p2/c0"]}
