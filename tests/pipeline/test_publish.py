"""Datasets from a run: sizes of source images found once, unreadable ones left out, limits judged."""

from __future__ import annotations

import pytest

from face3d_data.errors import RunStopped
from face3d_data.pipeline.collect import collect
from face3d_data.pipeline.run import run
from face3d_data.pipeline.spec import make_pipeline
from face3d_data.readers.image_folder import ImageFolder
from face3d_data.testing import write_tiny_images


def pipeline_of(root):
    return make_pipeline(
        {
            "name": "images",
            "sources": {"img": {"reader": "image_folder", "root": str(root)}},
            "steps": [{"id": "people", "table": "split", "from": "img"}],
            "datasets": {"images": {"from": "people", "fields": ["color"]}},
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


def test_a_dataset_that_loses_most_rows_is_refused(tmp_path):
    root = tmp_path / "in"
    for i in range(55):
        write_tiny_images(root, people=1, captures=1, width=32 + 2 * (i % 3), height=24)
        (root / "person_0000" / "0000.png").rename(root / "person_0000" / f"x{i}.png")
    with pytest.raises(RunStopped, match=r"dataset 'images': 3\d of 55 inputs ended as rejects \(other_size"):
        run(pipeline_of(root), tmp_path / "work", engine="serial")
    assert not (tmp_path / "work" / "datasets" / "images").exists()
