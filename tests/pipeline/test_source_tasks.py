"""Hashing and looking into headers by workers: the rows of the driver, whatever happens to a file or a worker."""

from __future__ import annotations

import pytest
from toys import ToyReader, write_toys

from face3d_data.engine.backends import Engine
from face3d_data.errors import RunStopped, UserError
from face3d_data.pipeline import source_tasks
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.result import RunSettings, Workers
from face3d_data.pipeline.run import run
from face3d_data.pipeline.source_tasks import HashFiles, InspectSources
from face3d_data.reader import captures
from face3d_data.store.files import FileHashes


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(source_tasks, "FEW", 3)
    monkeypatch.setattr(source_tasks, "MOST_FILES", 4)
    monkeypatch.setattr(source_tasks, "CAPTURES", 5)
    return write_toys(tmp_path / "in", 4, 5)


def rows_of(root, work, engine, reader="toy_files"):
    raw = {"name": "toy", "sources": {"src": {"reader": reader, "root": str(root)}}, "steps": []}
    result = run(make_pipeline(raw, root), work, engine=Workers(engine, 2) if engine != "serial" else engine)
    step = result.steps["src"]
    return (
        [(entry.id, entry.key, entry.root, entry.tags) for entry in step.entries],
        [(row.sample_id, row.status, row.reason, row.detail, row.attempt) for row in step.dirty],
    )


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["threading", "loky"])
def test_rows_are_those_of_the_driver(root, tmp_path, engine):
    (root / "p000" / "c9.txt").write_text("no number")
    (root / "p001" / "c9.txt").symlink_to(root / "nowhere")
    expected = rows_of(root, tmp_path / "one", "serial")
    assert len(expected[0]) >= 20
    assert rows_of(root, tmp_path / "two", engine) == expected
    assert rows_of(root, tmp_path / "two", engine) == expected


def test_files_are_hashed_in_batches_and_once(root, tmp_path, monkeypatch):
    batches = []
    monkeypatch.setattr(HashFiles, "run", lambda task, run=HashFiles.run: batches.append(len(task.paths)) or run(task))
    rows_of(root, tmp_path / "work", "threading")
    assert batches == [4] * 5
    read = []
    monkeypatch.setattr(
        "face3d_data.store.files.digest_file", lambda path: read.append(path) or pytest.fail("hashed once more")
    )
    hashes = FileHashes(tmp_path / "work" / "cache" / "files")
    monkeypatch.setattr("face3d_data.store.files.SETTLE_NS", -(10**18))
    assert hashes.unknown(sorted(root.rglob("*.txt"))) == []
    hashes.close()


def test_a_large_file_has_a_task_of_its_own(root, monkeypatch):
    monkeypatch.setattr(source_tasks, "MOST_BYTES", 1)
    paths = sorted(root.rglob("*.txt"))
    assert [task.paths for task in source_tasks._hash_tasks([*paths, root / "gone"])] == [(path,) for path in paths]


def test_few_files_are_done_in_the_driver(root, tmp_path, monkeypatch):
    monkeypatch.setattr(source_tasks, "FEW", 20)
    monkeypatch.setattr(HashFiles, "run", lambda task: pytest.fail("no task"))
    assert len(rows_of(root, tmp_path / "work", "threading")[0]) == 20


@pytest.mark.slow
def test_a_file_that_kills_the_worker_is_one_dirty_row(root, tmp_path, monkeypatch):
    (root / "p002" / "deadly.txt").write_text("1 2 3")
    reader = ToyReader(root=root)
    hashes = FileHashes(tmp_path / "files")
    found = [source.hashed(hashes.state) for source in captures(reader)]
    hashes.close()
    given = [(f"key{i}", source, 1) for i, source in enumerate(found)]
    with Engine("loky", 2) as engine:
        rows = source_tasks.inspect_sources("src", reader, given, RunSettings(engine, show_progress=False))
    assert rows.keys() == {key for key, _, _ in given}
    bad = {key: (row.status, row.reason) for key, row in rows.items() if row.status != "ok"}
    (number,) = [i for i, source in enumerate(found) if source.capture == "deadly"]
    assert bad == {f"key{number}": ("crash", "worker_died")}


@pytest.mark.parametrize(("error", "kind"), [(UserError("no unit"), UserError), (RunStopped("full"), RunStopped)])
def test_what_is_no_capture_s_fault_ends_the_run(root, tmp_path, monkeypatch, error, kind):
    def refuse(self, source):
        raise error

    monkeypatch.setattr(ToyReader, "inspect", refuse)
    with pytest.raises(kind):
        rows_of(root, tmp_path / "work", "threading")


def test_tasks_are_halved_down_to_one():
    assert HashFiles(("a",)).halves() == []
    assert [task.paths for task in HashFiles(tuple("abc")).halves()] == [("a",), ("b", "c")]
    reader = ToyReader.model_construct()
    captures = (("k", None, 1), ("l", None, 2))
    assert [task.captures for task in InspectSources(reader, captures).halves()] == [captures[:1], captures[1:]]
