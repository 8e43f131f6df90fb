"""Reuse of shards: a version of a dataset has the shards of another one wherever rows agree, and the same bytes."""

from __future__ import annotations

import errno
import json
import os

import h5py
import pytest
from made import manifest, plan_of, read, spec_of

import face3d_data.shards.reuse as module
from face3d_data.digest import digest_file
from face3d_data.errors import UserError
from face3d_data.shards.audit.verify import verify_dataset
from face3d_data.shards.finish import finish_dataset
from face3d_data.shards.reuse import reuse_shards, versions_of
from face3d_data.shards.write import write_shard
from face3d_data.unchanged import read_state

SPEC = spec_of(fields=["points", "color"], shard_size=4, pairs=True, gallery=True)
CHANGED_ALWAYS = {"dataset.json", "train.csv", "train_labels.npy", "sources.csv"}


def publish(folder, frame, spec=SPEC, state_of=read_state, **options):
    """Publish as a run does; returns the link and the names of the shards that were taken over."""
    plan = plan_of(frame, spec, **options).looked_at(folder, digest_file)
    tasks = plan.shard_tasks(folder)
    reused = list(reuse_shards(tasks, versions_of(folder, plan.name), state_of))
    infos = {shard.info.name: shard.info for shard in reused}
    rest = [write_shard(task, read) for task in tasks if task.name not in infos]
    return finish_dataset(plan, folder, [*infos.values(), *rest]), set(infos)


def bytes_of(link):
    return {p.relative_to(link.resolve()).as_posix(): p.read_bytes() for p in link.resolve().rglob("*") if p.is_file()}


def inodes(link):
    return {path.name: path.stat().st_ino for path in (link / "shards").iterdir()}


@pytest.fixture
def frames():
    """A manifest of twelve people and the same without its last capture, which is of `train`."""
    whole = manifest(n_people=12)
    last = whole.index[whole["split"] == "train"][-1]
    return whole.drop(last).reset_index(drop=True), whole


@pytest.mark.slow
def test_one_more_capture_writes_one_shard_and_gives_the_bytes_of_a_whole_build(tmp_path, frames):
    fewer, whole = frames
    first, _ = publish(tmp_path / "grown", fewer)
    old = first.resolve()
    before, kept = bytes_of(first), inodes(first)
    grown, taken = publish(tmp_path / "grown", whole)
    assert bytes_of(grown) == bytes_of(publish(tmp_path / "at once", whole)[0])
    assert bytes_of(old) == before, "the older version is as it was"
    changed = {name for name, data in bytes_of(grown).items() if before.get(name) != data}
    assert len([name for name in changed if name.startswith("shards/")]) in (1, 2)
    assert {name for name in changed if not name.startswith("shards/")} <= CHANGED_ALWAYS | {"train_files.txt"}
    assert all(kept[name.partition("/")[2]] == inodes(grown)[name.partition("/")[2]] for name in taken), "links"
    assert verify_dataset(grown).problems == ()


@pytest.mark.slow
def test_a_new_person_moves_labels_and_leaves_shards(tmp_path):
    whole = manifest(n_people=13)
    whole["identity"] = whole["identity"].str.replace("p12", "a_first_of_all", regex=False)
    for column in ("id", "origin_id"):
        whole[column] = whole[column].str.replace("p12", "a_first_of_all", regex=False)
    fewer = whole[whole["identity"] != "d/a_first_of_all"].reset_index(drop=True)
    first, _ = publish(tmp_path, fewer)
    n_shards = len(inodes(first))
    grown, taken = publish(tmp_path, whole)
    assert len(taken) >= n_shards - 3, "one for each of its three captures"
    assert json.loads((grown / "dataset.json").read_text())["classes"] == 13
    assert verify_dataset(grown).problems == ()


def test_other_forms_of_the_same_rows_are_other_shards(tmp_path, frames):
    fewer, _ = frames
    publish(tmp_path, fewer)
    for spec in (SPEC.model_copy(update={"dtype": "float16"}), SPEC.model_copy(update={"normalize": True})):
        assert publish(tmp_path, fewer, spec)[1] == set()
    fewer.loc[0, "key"] = "f" * 32
    _, taken = publish(tmp_path, fewer)
    assert len(taken) == len(inodes(tmp_path / "faces")) - 1


def test_what_is_said_of_the_pipeline_changes_no_shard(tmp_path, frames):
    first, _ = publish(tmp_path, frames[0])
    names = set(inodes(first))
    second, taken = publish(tmp_path, frames[0], pipeline_digest="another", by="capture")
    assert {name.partition("/")[2] for name in taken} == names
    assert second.resolve() != first


def test_a_damaged_shard_is_left_where_it_is_and_made_again(tmp_path, frames):
    fewer, whole = frames
    first, _ = publish(tmp_path, fewer)
    for shard in (first / "shards").iterdir():
        with h5py.File(shard, "r+") as file:
            file["data"][0] = 0
    grown, taken = publish(tmp_path, whole)
    assert taken == set()
    assert verify_dataset(grown).problems == ()


def test_versions_that_cannot_be_read_give_nothing(tmp_path, frames):
    fewer, whole = frames
    first, _ = publish(tmp_path, fewer)
    text = (first / "dataset.json").read_text()
    for other in ("{", "[]", text.replace('"schema_version": 3', '"schema_version": 2'), '{"schema_version": 3}'):
        (first / "dataset.json").write_text(other)
        tasks = plan_of(whole, SPEC).shard_tasks(tmp_path)
        assert list(reuse_shards(tasks, versions_of(tmp_path, "faces"), read_state)) == []


@pytest.mark.parametrize("code", module.NO_LINKS)
def test_where_files_cannot_be_linked_they_are_copied(tmp_path, frames, monkeypatch, code):
    fewer, whole = frames
    publish(tmp_path, fewer)

    def refuse(*arguments):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    grown, taken = publish(tmp_path, whole)
    assert taken
    assert all((grown / name).stat().st_nlink == 1 for name in taken)
    assert verify_dataset(grown).problems == ()


def test_a_full_disk_is_no_reason_to_copy(tmp_path, frames, monkeypatch):
    fewer, whole = frames
    publish(tmp_path, fewer)

    def refuse(*arguments):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OSError, match="full"):
        publish(tmp_path, whole)


def test_other_rights_are_not_carried_over(tmp_path, frames, monkeypatch):
    fewer, whole = frames
    monkeypatch.setenv("FACE3D_SHARE", "private")
    publish(tmp_path, fewer)
    monkeypatch.setenv("FACE3D_SHARE", "all")
    grown, taken = publish(tmp_path, whole)
    assert taken
    assert {path.stat().st_mode & 0o777 for path in (grown / "shards").iterdir()} == {0o644}


def test_a_shard_that_changes_while_it_is_copied_is_refused(tmp_path, frames, monkeypatch):
    fewer, whole = frames
    publish(tmp_path, fewer)
    monkeypatch.setattr(module, "_link", lambda *paths: False)
    monkeypatch.setattr(module, "_clone", lambda source, target: target.write_bytes(b"other") > 0)
    with pytest.raises(UserError, match="changed while it was copied: run again"):
        publish(tmp_path, whole)


def test_a_link_that_a_killed_run_left_is_taken_by_the_next(tmp_path, frames):
    fewer, whole = frames
    publish(tmp_path, fewer)
    plan = plan_of(whole, SPEC)
    tasks = plan.shard_tasks(tmp_path)
    list(reuse_shards(tasks, versions_of(tmp_path, "faces"), read_state))
    grown, taken = publish(tmp_path, whole)
    assert taken == set(), "they are there already"
    assert verify_dataset(grown).problems == ()
    assert not list(grown.resolve().rglob("*tmp~"))


def test_the_linked_version_is_asked_first(tmp_path, frames):
    fewer, whole = frames
    first = publish(tmp_path, fewer)[0].resolve()
    second = publish(tmp_path, whole)[0].resolve()
    assert versions_of(tmp_path, "faces") == [second, first]
    publish(tmp_path, fewer)
    assert versions_of(tmp_path, "faces") == [first, second]
    (tmp_path / "faces-of-others").mkdir()
    (tmp_path / f"{first.name}.partial").mkdir()
    assert versions_of(tmp_path, "faces") == [first, second]


def test_one_recording_under_two_names_is_noted_when_it_is_published(tmp_path):
    frame = manifest()
    first, other = frame.index[frame["identity"].isin(["d/p0", "d/p3"]) & frame["id"].str.endswith("c0")]
    frame.at[other, "place"] = frame.at[first, "place"]
    plan = plan_of(frame, SPEC)
    finish_dataset(plan, tmp_path, [write_shard(task, read) for task in plan.shard_tasks(tmp_path)])
    (note,) = [note for note in plan.notes if "one recording" in note]
    assert note.startswith("1 pair of samples has one recording under two names, first train d/p")
    assert "equal bytes under two names" in note
    assert note.endswith("`face3d verify faces` lists them")
    whole = plan_of(manifest(), SPEC)
    finish_dataset(whole, tmp_path, [write_shard(task, read) for task in whole.shard_tasks(tmp_path)])
    assert not any("one recording" in note for note in whole.notes)
