"""Roots: rows that come from the same bytes know it of each other, whoever read them and whatever was made of them."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from face3d_data import Dataset
from face3d_data.errors import RunStopped
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.run import run
from face3d_data.reader import Source
from face3d_data.roots import (
    SHOWS_A_FACE_BYTES,
    HashedCapture,
    carried_root,
    exported_roots,
    join_roots,
    ply_comment,
    source_roots,
    split_root,
)
from face3d_data.shards.audit.verify import verify_dataset
from face3d_data.shards.export.dataset import export_dataset
from face3d_data.testing import write_tiny_rgbd
from face3d_data.unchanged import FileState


def state(content, size=10 * SHOWS_A_FACE_BYTES):
    return FileState(size, 0, 0, 0, content * 64, True)


def source(index=0, root="", record=None, **files):
    """Return a hashed source: role to (path, content letter, size)."""
    paths = {role: Path(path) for role, (path, _, _) in files.items()}
    states = {role: state(content, size) for role, (_, content, size) in files.items()}
    return Source("p", "c", paths, record, index, root=root, states=states)


BIG, SMALL = 10 * SHOWS_A_FACE_BYTES, 10


def roots(*sources, fingerprint="f"):
    return [set(split_root(root)) for root in source_roots(fingerprint, list(map(HashedCapture.of, sources)))]


def test_each_file_that_shows_a_face_is_a_token():
    one = source(color=("a.png", "a", BIG), depth=("b.png", "b", BIG), landmarks=("c.txt", "c", SMALL))
    (found,) = roots(one)
    assert len(found) == 2
    other = source(points=("elsewhere/x.png", "b", BIG))
    assert len(found & roots(other)[0]) == 1, "whoever read the depth image as something else read the same recording"


def test_neither_reader_nor_role_nor_name_is_in_it():
    one, other = source(color=("a.png", "a", BIG)), source(scan=("b.ply", "a", BIG))
    assert roots(one) == roots(other, fingerprint="another reader")


def test_captures_of_one_file_are_apart_by_their_place_in_it():
    (first,), (second,) = (roots(source(index=i, h5=("a.h5", "a", BIG))) for i in (0, 1))
    assert first.isdisjoint(second)
    (first,), (second,) = (roots(source(index=i, h5=("a.h5", "a", SMALL))) for i in (0, 1))
    assert first.isdisjoint(second)


def test_a_file_that_several_captures_have_is_no_recording():
    texture = ("texture.png", "t", BIG)
    one, other = source(scan=("a.obj", "a", BIG), texture=texture), source(scan=("b.obj", "b", BIG), texture=texture)
    first, second = roots(one, other)
    assert len(first) == len(second) == 1
    assert first.isdisjoint(second)


def test_a_picture_that_stayed_black_is_no_recording():
    """Its bytes are those of other people's black pictures, in files of their own."""
    black = [source(depth=(f"{name}.png", name, BIG), color=(f"{name}_color.png", "0", BIG)) for name in "ab"]
    first, second = roots(*black)
    assert len(first) == len(second) == 1
    assert first.isdisjoint(second)


def test_captures_with_all_files_in_common_are_one_recording():
    """A list that names one scan under two people."""
    first, second = roots(source(scan=("a.obj", "a", BIG)), source(scan=("a.obj", "a", BIG)))
    assert first == second


def test_small_files_count_only_together():
    lists = [source(scan=("a.xyz", "a", SMALL), landmarks=("l.txt", "l", SMALL))]
    lists += [source(scan=("b.xyz", "b", SMALL), landmarks=("m.txt", "l", SMALL))]
    first, second = (roots(one)[0] for one in lists)
    assert first.isdisjoint(second)


def test_without_files_reader_and_record_say_what_it_is():
    made = [source(record={"person": i}) for i in (1, 1, 2)]
    same, again, other = roots(*made)
    assert same == again
    assert same.isdisjoint(other)
    assert roots(made[0], fingerprint="other seed")[0].isdisjoint(same)


def test_what_a_file_says_of_its_own_origin_is_added():
    carried = "0123456789abcdef"
    (found,) = roots(source(h5=("a.h5", "a", BIG), root=carried))
    assert carried in found
    assert len(found) == 2
    assert roots(source(h5=("a.h5", "a", BIG), root="; DROP TABLE")) == roots(source(h5=("a.h5", "a", BIG)))
    assert join_roots(["b" * 16, "a" * 16, "b" * 16]) == f"{'a' * 16} {'b' * 16}"


def test_only_csvs_of_exports_and_comments_of_ours_are_believed(tmp_path):
    root = "0123456789abcdef fedcba9876543210"
    (tmp_path / "train.csv").write_text(f"id,name,class,root\nc1,anna,0,{root}\n")
    (tmp_path / "other.csv").write_text(f"name,id,root\nanna,c2,{root}\n")
    (tmp_path / "broken.csv").write_bytes(b"id,name,class,root\n\xff\xfe")
    assert exported_roots(tmp_path) == {"anna/c1": root}
    assert exported_roots(tmp_path / "absent") == {}
    head = b"ply\nformat ascii 1.0\n%s\nelement vertex 0\nend_header\n"
    for name, comment, want in (
        ("a.ply", f"comment {ply_comment(root)}", root),
        ("b.ply", "comment face3d root ; rm -rf", ""),
        ("c.txt", f"comment {ply_comment(root)}", ""),
    ):
        (tmp_path / name).write_bytes(head % comment.encode())
        assert carried_root(tmp_path / name) == want
    assert ply_comment("no root") == ply_comment("") == ""


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    return write_tiny_rgbd(tmp_path_factory.mktemp("tiny") / "captures", people=6, captures=2)


def two_ways(captures, **archive):
    steps = [
        {"id": "faces", "stage": "detect", "from": ["lab", "archive"], "with": {"detector": "given"}},
        {"id": "clouds", "stage": "to_cloud", "from": "faces", "with": {"min_points": 100}},
        {"id": "one", "stage": "subsample", "from": "clouds", "where": {"source": "lab"}, "with": {"n_points": 64}},
        {"id": "two", "stage": "subsample", "from": "clouds", "where": {"source": "archive"},
         "with": {"n_points": 64, "method": "random"}},
        {"id": "both", "table": "combine", "from": ["one", "two"]},
        {"id": "people", "table": "split", "from": "both", "with": {"ratios": {"train": 0.5, "test": 0.5}}},
    ]  # fmt: skip
    lab = {"reader": "rgbd_folder", "root": str(captures)}
    raw = {"name": "two_ways", "seed": 3, "sources": {"lab": lab, "archive": {**lab, **archive}}, "steps": steps}
    return make_pipeline({**raw, "datasets": {"two_ways": {"from": "people", "fields": ["points"]}}}, captures.parent)


@pytest.mark.slow
def test_the_same_files_in_two_sources_are_refused_however_they_were_worked_on(captures, tmp_path):
    pipeline = two_ways(captures, dataset="archive")
    with pytest.raises(RunStopped) as stop:
        run(pipeline, tmp_path / "work", engine="serial")
    assert "samples of the same files in more than one split" in str(stop.value)
    assert "give sources that read the same files one 'dataset', or leave one of them out" in str(stop.value)

    result = run(pipeline, tmp_path / "work", engine="serial", allow_leaks=True)
    verdict = verify_dataset(result.datasets["two_ways"])
    assert verdict.shared["root"] > 0
    assert verdict.shared["key"] == verdict.shared["content"] == verdict.shared["origin"] == 0, "nothing else shows it"
    assert any(problem.check == "leaks" and "the same files" in problem.detail for problem in verdict.problems)


def test_of_a_recording_that_a_person_has_twice_one_is_kept(captures, tmp_path):
    """Two ways of working on it would make pairs of a recording with itself."""
    pipeline = two_ways(captures, dataset="lab", capture_prefix="again-")
    result = run(pipeline, tmp_path / "work", engine="serial")
    dataset = Dataset(result.datasets["two_ways"])
    kept = [sample for split in dataset.splits for sample in dataset.table(split)["sample_id"]]
    assert len(kept) == 12
    dirty = dataset.dirty
    assert dirty["reason"].tolist() == ["same_content"] * 12
    assert {split_id.rpartition("/")[2].removeprefix("again-") for split_id in dirty["sample_id"]} == {
        split_id.rpartition("/")[2].removeprefix("again-") for split_id in kept
    }


def made_dataset(captures, work):
    steps = [
        {"id": "faces", "stage": "detect", "from": "lab", "with": {"detector": "given"}},
        {"id": "clouds", "stage": "to_cloud", "from": "faces", "with": {"min_points": 100}},
        {"id": "few", "stage": "subsample", "from": "clouds", "with": {"n_points": 64}},
        {"id": "people", "table": "split", "from": "few", "with": {"ratios": {"train": 0.5, "test": 0.5}}},
    ]
    raw = {"name": "faces", "sources": {"lab": {"reader": "rgbd_folder", "root": str(captures)}}, "steps": steps}
    pipeline = make_pipeline({**raw, "datasets": {"faces": {"from": "people", "fields": ["points"]}}}, captures.parent)
    return run(pipeline, work, engine="serial").datasets["faces"]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["shards", "modelnet", "face-h5"])
def test_what_is_read_back_of_hdf5_is_known_to_be_of_the_same_recordings(captures, tmp_path, form):
    made = made_dataset(captures, tmp_path / "work")
    folder = made / "shards"
    if form != "shards":
        export_dataset(made, tmp_path / "out", [form])
        folder = tmp_path / "out"
    steps = [{"id": "fewer", "stage": "subsample", "from": "back", "with": {"n_points": 32, "method": "random"}}]
    back = {"reader": "hdf5", "root": str(folder)}
    raw = {"name": "back", "sources": {"back": back}, "steps": steps}
    pipeline = make_pipeline({**raw, "datasets": {"back": {"from": "fewer", "fields": ["points"]}}}, tmp_path)
    again = Dataset(run(pipeline, tmp_path / "work", engine="serial").datasets["back"])
    want = {root for split in Dataset(made).splits for root in Dataset(made).table(split)["root"]}
    found = again.table("all")["root"].tolist()
    assert len(found) == len(want) == 12
    assert all(any(set(split_root(one)) <= set(split_root(root)) for one in want) for root in found)


def test_roots_are_in_the_shards_and_the_csvs(captures, tmp_path):
    made = made_dataset(captures, tmp_path / "work")
    table = Dataset(made).table("train")
    assert all(split_root(root) for root in table["root"])
    with h5py.File(made / "shards/train-00000.h5") as file:
        assert [text.decode() for text in file["root"][:]] == table["root"].tolist()
    assert all(content.startswith("points:") for content in table["content"])
    assert len(np.unique(table["content"])) == len(table)
