"""A tag that changes at its source: recomputed is what a stage reads, everything else only says it anew."""

from __future__ import annotations

import json

import pytest
from pydantic import Field
from toys import ToyReader, write_toys

from face3d_data.errors import UserError
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.look import look
from face3d_data.pipeline.run import run
from face3d_data.registry import register
from face3d_data.stage import Stage


@register
class TaggedToys(ToyReader):
    """Toy captures whose tags stand in a shared file, capture to tags; it may refuse them all when surveyed."""

    name = "tagged_toys"
    version = 1
    tag_names = ("glasses", "age")
    refuse: bool = Field(False, exclude=True, description="refuse the collection")

    def scan(self):
        tags = json.loads((self.root / "tags.json").read_text())
        for source in super().scan():
            yield type(source)(**{**vars(source), "tags": tags.get(source.capture, {})})

    def survey(self, sources):
        if self.refuse:
            raise UserError(f"looked at {[source.capture for source in sources]}")


@register
class ToyByGlasses(Stage):
    """Shift the points of those who wear glasses."""

    name = "toy_by_glasses"
    version = 1
    inputs = ("points",)
    outputs = ("points",)
    tag_inputs = ("glasses",)
    tag_names = ("seen",)

    def run(self, sample, rng):
        worn = sample.tags.get("glasses", "none")
        points = sample.arrays["points"] + sample.arrays["points"].dtype.type(100 if worn != "none" else 0)
        yield sample.with_arrays(points=points).with_tags(seen=sorted(sample.tags)[0] if sample.tags else "nothing")


STEPS = [
    {"id": "scaled", "stage": "toy_scale", "from": "src"},
    {"id": "noisy", "stage": "toy_jitter", "from": "scaled"},
    {"id": "worn", "stage": "toy_by_glasses", "from": "scaled", "keep": True},
    {"id": "after", "stage": "toy_jitter", "from": "worn"},
]


@pytest.fixture
def root(tmp_path):
    root = write_toys(tmp_path / "in", 1, 3)
    (root / "tags.json").write_text(json.dumps({f"c{i}": {"glasses": "none", "age": 30} for i in range(3)}))
    return root


def pipeline(root, **options):
    source = {"reader": "tagged_toys", "root": str(root), **options}
    return make_pipeline({"name": "toy", "sources": {"src": source}, "steps": STEPS}, root)


def worked(result):
    return {name: step.report.inputs for name, step in result.steps.items() if name != "src"}


def change(root, **tags):
    path = root / "tags.json"
    all_tags = json.loads(path.read_text())
    all_tags["c1"] |= tags
    path.write_text(json.dumps(all_tags))


def test_a_tag_that_no_stage_reads_costs_nothing_and_is_told_everywhere(root, tmp_path):
    work = tmp_path / "work"
    first = run(pipeline(root), work, engine="serial")
    assert worked(first) == {"scaled": 3, "noisy": 3, "worn": 3, "after": 3}
    change(root, age=31)
    again = run(pipeline(root), work, engine="serial")
    assert worked(again) == {"scaled": 0, "noisy": 0, "worn": 0, "after": 0}
    assert [entry.tags["age"] for entry in again.entries("after")] == [30, 31, 30]
    assert [entry.key for entry in again.entries("after")] == [entry.key for entry in first.entries("after")]


def test_a_tag_that_one_stage_reads_costs_its_row_there_and_what_follows(root, tmp_path):
    work = tmp_path / "work"
    run(pipeline(root), work, engine="serial")
    change(root, glasses="sun")
    assert look(pipeline(root), work).todo == {"scaled": 0, "noisy": 0, "worn": 1, "after": 0}
    again = run(pipeline(root), work, engine="serial")
    assert worked(again) == {"scaled": 0, "noisy": 0, "worn": 1, "after": 1}
    shifted = [entry.place.read("points")[0, 0] for entry in again.entries("worn")]
    plain = [entry.place.read("points")[0, 0] for entry in again.entries("scaled")]
    assert [b - a for a, b in zip(plain, shifted, strict=True)] == [0, 100, 0]
    change(root, glasses="none")
    assert worked(run(pipeline(root), work, engine="serial")) == {"scaled": 0, "noisy": 0, "worn": 0, "after": 0}


def test_a_stage_sees_only_the_tags_that_it_reads(root, tmp_path):
    result = run(pipeline(root), tmp_path / "work", engine="serial")
    assert {entry.tags["seen"] for entry in result.entries("worn")} == {"glasses"}
    assert all(entry.tags["age"] == 30 for entry in result.entries("worn"))


def test_a_collection_refused_by_its_reader_stops_before_any_step(root, tmp_path):
    with pytest.raises(UserError, match=r"source 'src': looked at \['c0', 'c1', 'c2'\]"):
        run(pipeline(root, refuse=True), tmp_path / "work", engine="serial")
    assert not list((tmp_path / "work").glob("cache/*/parts/*"))


def test_known_captures_make_up_the_number_where_few_are_new(root, tmp_path):
    run(pipeline(root), tmp_path / "work", engine="serial")
    write_toys(root, 1, 4)
    with pytest.raises(UserError, match=r"looked at \['c3', 'c0', 'c1', 'c2'\]"):
        run(pipeline(root, refuse=True), tmp_path / "work", engine="serial")
    write_toys(root, 1, 12)
    with pytest.raises(UserError, match=r"looked at \['c10', 'c3', 'c5', 'c7', 'c9'\]"):
        run(pipeline(root, refuse=True), tmp_path / "work", engine="serial")


def test_what_was_surveyed_once_is_not_surveyed_again(root, tmp_path):
    run(pipeline(root), tmp_path / "work", engine="serial")
    again = run(pipeline(root, refuse=True), tmp_path / "work", engine="serial")
    assert len(again.entries("after")) == 3
