"""A list of captures as a source: tags that change, people who come and go; who moves, and what is computed again."""

from __future__ import annotations

import csv

import pytest

from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.run import run
from face3d_data.testing import write_tiny_rgbd
from face3d_data.testing.tiny import tiny_capture, tiny_intrinsics

pytestmark = pytest.mark.slow

PEOPLE, CAPTURES = 7, 2
SIZE = (96, 72)
COLUMNS = ("identity", "capture", "color", "depth", "intrinsics", "expression", "mask", *(
    f"{name}_{axis}" for name in ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right") for axis in "xy"
))  # fmt: skip


@pytest.fixture
def collection(tmp_path):
    root = write_tiny_rgbd(tmp_path / "tiny", PEOPLE, CAPTURES, *SIZE, landmarks=False)
    return List(root)


class List:
    """The CSV of a tiny collection."""

    def __init__(self, root):
        self.root = root
        self.lines = {(p, c): self.line(p, c) for p in range(PEOPLE) for c in range(CAPTURES)}
        self.write()

    def line(self, person, capture):
        made = tiny_capture(person, capture, *SIZE)
        stem = f"person_{person:04d}/capture_{capture:02d}"
        marks = [f"{value:.2f}" for value in made.landmarks.ravel()]
        return [
            f"p{person}",
            f"c{capture}",
            f"{stem}_color.png",
            f"{stem}_depth.png",
            "intrinsics.json",
            "neutral",
            "none",
            *marks,
        ]

    def set(self, person, capture, **cells):
        for name, value in cells.items():
            self.lines[person, capture][COLUMNS.index(name)] = value
        self.write()

    def write(self, left_out=()):
        with open(self.root / "list.csv", "w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            writer.writerows(line for (person, _), line in self.lines.items() if person not in left_out)

    def run(self, work, seed=5):
        steps = [
            {"id": "faces", "stage": "detect", "from": "listed", "with": {"detector": "given"}},
            {"id": "clouds", "stage": "to_cloud", "from": "faces", "with": {"min_points": 64}},
            {"id": "people", "table": "split", "from": "clouds", "with": {"ratios": {"train": 0.5, "test": 0.5}}},
            {"id": "even", "stage": "subsample", "from": "people", "with": {"n_points": 64}},
            {"id": "worn", "stage": "occlude", "from": "people",
             "with": {"kinds": ["sunglasses"], "keep_images": False, "min_points": 64}},
        ]  # fmt: skip
        source = {"reader": "csv", "file": str(self.root / "list.csv")}
        raw = {"name": "listed", "seed": seed, "sources": {"listed": source}, "steps": steps}
        datasets = {"listed": {"from": "even", "fields": ["points"], "tags": ["expression"]}}
        return run(make_pipeline({**raw, "datasets": datasets}, self.root), work, engine="serial")


def worked(result):
    return {name: step.report.inputs for name, step in result.steps.items() if step.report.inputs}


def places(result):
    return {entry.identity: entry.split for entry in result.entries("people")}


def test_a_corrected_tag_is_told_and_nothing_is_computed(collection, tmp_path):
    first = collection.run(tmp_path / "work")
    assert worked(first) == dict.fromkeys(("faces", "clouds", "even", "worn"), PEOPLE * CAPTURES)
    folder = first.datasets["listed"].resolve()
    collection.set(2, 1, expression="smile")
    again = collection.run(tmp_path / "work")
    assert worked(again) == {}
    tables = [(again.datasets["listed"] / f"{split}.csv").read_text() for split in ("train", "test")]
    assert sum(text.count(",smile") for text in tables) == 1
    assert again.datasets["listed"].resolve() != folder, "another table is another dataset"


def test_a_tag_that_a_stage_reads_is_computed_there_alone(collection, tmp_path):
    collection.run(tmp_path / "work")
    collection.set(2, 1, mask="worn")
    assert worked(collection.run(tmp_path / "work")) == {"worn": 1}


def test_a_cell_of_the_camera_is_computed_for_that_capture(collection, tmp_path):
    collection.run(tmp_path / "work")
    fx = tiny_intrinsics(*SIZE)[0]
    text = (collection.root / "intrinsics.json").read_text().replace(str(fx), str(fx * 1.01), 1)
    (collection.root / "other.json").write_text(text)
    collection.set(2, 1, intrinsics="other.json")
    assert worked(collection.run(tmp_path / "work")) == dict.fromkeys(("faces", "clouds", "even", "worn"), 1)


@pytest.mark.parametrize("gone", range(PEOPLE))
def test_a_person_who_leaves_takes_only_what_is_theirs_and_a_new_one_moves_nobody(collection, tmp_path, gone):
    collection.write(left_out=(gone,))
    before = collection.run(tmp_path / "work")
    assert len(places(before)) == PEOPLE - 1
    collection.write()
    joined = collection.run(tmp_path / "work")
    assert worked(joined) == dict.fromkeys(("faces", "clouds", "even", "worn"), CAPTURES)
    assert {who: place for who, place in places(joined).items() if who != f"listed/p{gone}"} == places(before)
    collection.write(left_out=((gone + 1) % PEOPLE,))
    left = collection.run(tmp_path / "work")
    assert worked(left) == {}
    assert places(left).items() <= places(joined).items()
    assert len(places(left)) == PEOPLE - 1
