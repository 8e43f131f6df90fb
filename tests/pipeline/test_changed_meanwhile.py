"""Files that change while a run reads them: nothing is kept under the digest of what was not read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydantic import Field
from toys import write_toys

from face3d_data.component import build
from face3d_data.errors import UserError
from face3d_data.pipeline import recall, report_step
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.collect import collect
from face3d_data.pipeline.look import explain
from face3d_data.pipeline.run import run
from face3d_data.registry import register
from face3d_data.stage import Stage
from face3d_data.store import files
from face3d_data.store.manifest_files import manifest_csv, manifest_path


@register
class ToyAdd(Stage):
    """Add the number that is in a file."""

    name = "toy_add"
    version = 1
    inputs = ("points",)
    outputs = ("points",)
    number: Path = Field(description="file")

    def run(self, sample, rng):
        yield sample.with_arrays(points=sample.arrays["points"] + np.float32(self.number.read_text()))


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    monkeypatch.setattr(files, "SETTLE_NS", 0)


@pytest.fixture
def root(tmp_path):
    write_toys(tmp_path / "in")
    (tmp_path / "tags.csv").write_text("identity,hand\nsrc/p000,left\nsrc/p001,right\n")
    (tmp_path / "number.txt").write_text("1000")
    return tmp_path


def pipeline_of(root):
    return make_pipeline(
        {
            "name": "toy",
            "sources": {"src": {"reader": "toy_files", "root": "in"}},
            "steps": [
                {"id": "scaled", "stage": "toy_scale", "from": "src", "keep": True},
                {"id": "tagged", "table": "label", "from": "scaled", "with": {"file": "tags.csv", "tags": ["hand"]}},
                {"id": "more", "stage": "toy_add", "from": "tagged", "with": {"number": "number.txt"}},
            ],
            "datasets": {"toy": {"from": "more", "fields": ["points"], "tags": ["hand"]}},
        },
        root,
    )


def known(root, work):
    """The rows of each step as they are written, and the dataset's files."""
    folder = work / "datasets" / "toy"
    rows = {
        name: "".join(manifest_csv(manifest_path(work / "runs" / "toy", name)))
        for name in ("src", "scaled", "tagged", "more")
    }
    return rows, {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def fresh(root):
    shutil.rmtree(root / "fresh", ignore_errors=True)
    run(pipeline_of(root), root / "fresh", engine="serial")
    return known(root, root / "fresh")


@pytest.mark.parametrize("engine", ["serial", "loky"])
def test_an_option_file_edited_before_its_step_works_stops_the_run_and_poisons_nothing(root, engine):
    built = pipeline_of(root)  # what it reads of the file is 1000
    (root / "number.txt").write_text("2000")
    with pytest.raises(UserError, match=r"number\.txt was changed after it was read: run again"):
        run(built, root / "work", engine=engine)
    (root / "number.txt").write_text("1000")
    run(pipeline_of(root), root / "work", engine="serial")
    assert known(root, root / "work") == fresh(root)


def test_an_option_file_edited_while_its_step_works(root, monkeypatch):
    add = ToyAdd.run

    def editing(self, sample, rng):
        (root / "number.txt").write_text("2000")
        return add(self, sample, rng)

    with monkeypatch.context() as patch:
        patch.setattr(ToyAdd, "run", editing)
        with pytest.raises(UserError, match=r"number\.txt was changed"):
            run(pipeline_of(root), root / "work", engine="serial")
    assert list((root / "work" / "cache").glob("toy_add-*/parts/*")) == []
    for number in ("2000", "1000"):
        (root / "number.txt").write_text(number)
        run(pipeline_of(root), root / "work", engine="serial")
        assert known(root, root / "work") == fresh(root)


def test_a_file_that_comes_into_an_option_s_folder_changes_it(root):
    folder = root / "numbers"
    folder.mkdir()
    (folder / "a.txt").write_text("1")
    stage = build(ToyAdd, {"number": folder}, "step")
    stage.check_files()
    (folder / "b.txt").write_text("2")
    with pytest.raises(UserError, match=r"numbers/b\.txt was changed after it was read"):
        stage.fingerprint()
    assert build(ToyAdd, {"number": folder}, "step").fingerprint()


@pytest.mark.parametrize("when", ["before its rows are written", "before they are recorded"])
def test_a_list_edited_while_its_step_is_written(root, monkeypatch, when):
    module, name = (report_step, "write_manifest") if when.endswith("written") else (recall, "remember")
    real = getattr(module, name)

    def editing(*args):
        if Path(str(args[0])).stem == "tagged" or getattr(args[3] if len(args) > 3 else None, "id", "") == "tagged":
            (root / "tags.csv").write_text("identity,hand\nsrc/p000,both\nsrc/p001,none\n")
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, editing)
        with pytest.raises(UserError, match=r"tags\.csv was changed after it was read"):
            run(pipeline_of(root), root / "work", engine="serial")
    run(pipeline_of(root), root / "work", engine="serial")
    assert known(root, root / "work") == fresh(root)


class Stopped(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("step", ["src", "scaled", "tagged", "more"])
def test_a_run_that_dies_after_it_wrote_rows_leaves_no_record_of_others(root, monkeypatch, step):
    run(pipeline_of(root), root / "work", engine="serial")
    tags, capture = (root / "tags.csv").read_text(), root / "in" / "p000" / "c0.txt"
    numbers = capture.read_text()
    (root / "tags.csv").write_text(tags.replace("left", "both"))
    capture.write_text(f"7{numbers}")
    real = report_step.write_dirty

    def dying(path, rows):
        if path.name == f"{step}.dirty.csv":
            raise Stopped
        return real(path, rows)

    with monkeypatch.context() as patch:
        patch.setattr(report_step, "write_dirty", dying)
        with pytest.raises(Stopped):
            run(pipeline_of(root), root / "work", engine="serial")
    (root / "tags.csv").write_text(tags)
    capture.write_text(numbers)
    run(pipeline_of(root), root / "work", engine="serial")
    assert known(root, root / "work") == fresh(root)


@pytest.mark.parametrize("damage", ["torn", "flipped", "empty", "older"])
@pytest.mark.parametrize(
    "name", ["src.parquet", "tagged.parquet", "more.parquet", "toy.dataset.dirty.csv", "tagged.dirty.csv"]
)
def test_rows_that_are_not_as_they_were_written_are_written_again(root, name, damage):
    (root / "in" / "p002" / "c3.txt").write_text("13")
    run(pipeline_of(root), root / "work", engine="serial")
    path = root / "work" / "runs" / "toy" / name
    older = path.read_bytes()
    if damage == "older":
        (root / "in" / "p001" / "c1.txt").write_text("13 1")
        run(pipeline_of(root), root / "work", engine="serial")
    whole, stat = path.read_bytes(), path.stat()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    path.write_bytes({"torn": whole[:middle], "empty": b"", "older": older, "flipped": flipped}[damage])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    run(pipeline_of(root), root / "work", engine="serial")
    assert path.read_bytes() == whole


def test_a_lock_that_is_torn_anywhere_is_one_line(root):
    run(pipeline_of(root), root / "work", engine="serial")
    path = root / "work" / "runs" / "toy" / "lock.yaml"
    whole = path.read_bytes()
    for size in range(0, len(whole), 29):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match=r"lock\.yaml"):
            explain(pipeline_of(root), root / "work")
        with pytest.raises(UserError, match=r"lock\.yaml"):
            list(collect(root / "work", apply_it=False, compact_it=False))
    run(pipeline_of(root), root / "work", engine="serial")
    assert path.read_bytes() == whole
