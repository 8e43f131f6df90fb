"""Datasets from a run: sizes of source images found once, unreadable ones left out, limits judged."""

from __future__ import annotations

from dataclasses import replace

import pytest
from toys import write_toys

from face3d_data.digest import digest_file
from face3d_data.errors import RunStopped, UserError
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.collect import collect
from face3d_data.pipeline.dirty_rows import read_dirty
from face3d_data.pipeline.run import run
from face3d_data.readers.image_folder import ImageFolder
from face3d_data.shards.audit.verify import verify_dataset
from face3d_data.testing import write_tiny_images


def pipeline_of(root, steps=None, name="images"):
    return make_pipeline(
        {
            "name": "images",
            "sources": {"img": {"reader": "image_folder", "root": str(root)}},
            "steps": steps or [{"id": "people", "table": "split", "from": "img"}],
            "datasets": {name: {"from": "people", "fields": ["color"]}},
        },
        root,
    )


@pytest.fixture
def root(tmp_path):
    root = write_tiny_images(tmp_path / "in", people=4, captures=3)
    write_tiny_images(tmp_path / "other", people=1, captures=1, width=40, height=30)
    (root / "person_0000" / "0100.png").write_bytes((tmp_path / "other" / "person_0000" / "0000.png").read_bytes())
    whole = (root / "person_0001" / "0000.png").read_bytes()
    (root / "person_0001" / "0101.png").write_bytes(whole[: len(whole) * 2 // 3])
    return root


def test_rows_that_cannot_be_read_or_have_another_size_are_left_out(root, tmp_path, monkeypatch):
    monkeypatch.setattr(ImageFolder, "inspect", lambda self, source: None)
    result = run(pipeline_of(root), tmp_path / "work", engine="serial")
    text = (result.datasets["images"] / "dirty.csv").read_text()
    assert [line.split(",")[0:5:4] for line in text.splitlines()[1:]] == [
        ["img/person_0000/0100", "other_size"],
        ["img/person_0001/0101", "unreadable"],
    ]
    assert len(result.entries("people")) == 14


def test_a_rerun_decodes_nothing_even_after_gc(root, tmp_path, monkeypatch):
    first = run(pipeline_of(root), tmp_path / "work", engine="serial")
    list(collect(tmp_path / "work", apply_it=True, compact_it=True))

    def refuse(*args):
        raise AssertionError("an image was decoded")

    monkeypatch.setattr(ImageFolder, "load", refuse)
    again = run(pipeline_of(root), tmp_path / "work", engine="serial")
    assert again.datasets["images"].resolve() == first.datasets["images"].resolve()


def test_rows_of_as_many_sizes_are_refused_at_any_number(tmp_path):
    for i in range(3):
        write_tiny_images(tmp_path / f"{i}", people=1, captures=1, width=32 + 2 * i, height=24)
        (tmp_path / f"{i}" / "person_0000").rename(tmp_path / "0" / f"p{i}")
    with pytest.raises(
        UserError, match=r"3 sizes among 3 rows, and none is that of half of them: .*'crop' would make them equal"
    ):
        run(pipeline_of(tmp_path / "0"), tmp_path / "work", engine="serial")


def test_nothing_to_write_names_the_step_that_left_nothing(tmp_path):
    root = write_tiny_images(tmp_path / "in", people=2, captures=2)
    steps = [
        {"id": "worn", "table": "select", "from": "img", "with": {"query": "mask == 'worn'"}},
        {"id": "people", "table": "split", "from": "worn"},
    ]
    pipeline = pipeline_of(root, steps)
    with pytest.raises(UserError, match=r"nothing to write: 'worn': none of its 4 inputs is left \(query 4\)"):
        run(pipeline, tmp_path / "work", engine="serial")


def test_a_dataset_may_have_its_sources_name(root, tmp_path):
    pipeline = pipeline_of(root, name="img")
    run(pipeline, tmp_path / "work", engine="serial")
    rows = {(row["step"], row["reason"]) for row in read_dirty(tmp_path / "work", "images", None, None)}
    assert rows == {("img", "unreadable"), ("img", "other_size")}
    assert len(read_dirty(tmp_path / "work", "images", None, None)) == 2


def test_another_pipelines_dataset_is_told_when_it_is_replaced(tmp_path):
    root = write_tiny_images(tmp_path / "in", people=4, captures=2)
    run(pipeline_of(root), tmp_path / "work", engine="serial")
    said = []
    run(replace(pipeline_of(root), name="other"), tmp_path / "work", engine="serial", say=said.append)
    assert any("was last written by pipeline 'images': replaced" in line for line in said)


def test_a_dataset_that_loses_most_rows_is_refused(tmp_path):
    root = tmp_path / "in"
    for i in range(55):
        write_tiny_images(root, people=1, captures=1, width=32 + 2 * (i % 3 == 2), height=24, seed=i)
        (root / "person_0000" / "0000.png").rename(root / "person_0000" / f"x{i}.png")
    with pytest.raises(RunStopped, match=r"dataset 'images': 18 of 55 inputs ended as rejects \(other_size"):
        run(pipeline_of(root), tmp_path / "work", engine="serial")
    assert not (tmp_path / "work" / "datasets" / "images").exists()


def grown_by_one(tmp_path, root, pipeline):
    """Run, add one capture of a known person, run again; return both folders and what the second run said."""
    first = run(pipeline, tmp_path / "work", engine="serial").datasets["toy"].resolve()
    (root / "p001" / "one_more.txt").write_text(" ".join(str(900 + i) for i in range(12)))
    said = []
    second = run(pipeline, tmp_path / "work", engine="serial", say=said.append).datasets["toy"].resolve()
    return first, second, said


def toy_pipeline(root):
    raw = {
        "name": "toy",
        "sources": {"src": {"reader": "toy_files", "root": str(root)}},
        "steps": [{"id": "scaled", "stage": "toy_scale", "from": "src"}],
        "datasets": {"toy": {"from": "scaled", "fields": ["points"], "shard_size": 4}},
    }
    return make_pipeline(raw, root)


@pytest.mark.slow
def test_a_run_with_one_more_capture_links_the_other_shards_and_hashes_nothing_twice(tmp_path, monkeypatch):
    root = write_toys(tmp_path / "in", 4, 6)
    monkeypatch.setattr("face3d_data.store.files.SETTLE_NS", -(10**18))  # every file counts as settled
    pipeline = toy_pipeline(root)
    first, second, said = grown_by_one(tmp_path, root, pipeline)
    assert any("1 older version of 'toy' kept: `face3d gc --datasets 1 --apply` removes it" in line for line in said)
    old = {path.stat().st_ino for path in (first / "shards").iterdir()}
    new = [path for path in (second / "shards").iterdir() if path.stat().st_ino not in old]
    assert 1 <= len(new) <= 2 < len(old)
    hashed = []
    monkeypatch.setattr(
        "face3d_data.store.files.digest_file", lambda path: hashed.append(path.name) or digest_file(path)
    )
    run(pipeline, tmp_path / "work", engine="serial")
    assert not {path.name for path in (second / "shards").iterdir() if path not in new}.intersection(hashed)
    hashed.clear()
    said.clear()
    run(pipeline, tmp_path / "work", engine="serial", say=said.append)
    assert hashed == []
    assert not any("older version" in line for line in said), "said when one is added"


@pytest.mark.slow
def test_gc_removes_older_versions_and_frees_what_no_other_has(tmp_path):
    root = write_toys(tmp_path / "in", 4, 6)
    pipeline = toy_pipeline(root)
    first, second, _ = grown_by_one(tmp_path, root, pipeline)
    shared = {path.name for path in (first / "shards").iterdir() if path.stat().st_nlink == 2}
    own = sum(p.stat().st_size for p in first.rglob("*") if p.is_file() and p.stat().st_nlink == 1)
    assert shared
    work = tmp_path / "work"
    assert not any("older version" in line for line in collect(work, apply_it=True, compact_it=False))
    assert not any("older version" in line for line in collect(work, True, False, keep_versions=2))
    lines = list(collect(work, apply_it=True, compact_it=False, keep_versions=1))
    assert lines == [
        f"removed datasets/{first.name}: an older version of dataset 'toy'",
        f"{own / 1e3:.1f} kB freed",
    ]
    assert not first.exists()
    assert sorted(path.name for path in (work / "datasets").iterdir() if not path.name.startswith(".")) == [
        "toy",
        second.name,
    ]
    assert verify_dataset(second).problems == ()
