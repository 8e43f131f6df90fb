"""Damage in the cache: found before anything is made of it, named whole, and mended by the advice that is given."""

from pathlib import Path

import numpy as np
import pytest
from toys import write_toys

from face3d_data.errors import DamagedCache
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.result import Workers
from face3d_data.pipeline.run import run
from face3d_data.store.part_arrays import forget_open_parts

STEPS = [
    {"id": "scaled", "stage": "toy_scale", "from": "src", "keep": True},
    {"id": "noisy", "stage": "toy_jitter", "from": "scaled", "keep": True},
    {"id": "again", "stage": "toy_scale", "from": "noisy", "with": {"factor": 3.0}},
]


def make(root, n_steps):
    raw = {"name": "toy", "sources": {"src": {"reader": "toy_files", "root": str(root)}}, "steps": STEPS[:n_steps]}
    return make_pipeline(raw, Path(root))


def run_anew(root, work, n_steps):
    forget_open_parts()
    return run(make(root, n_steps), work, engine=Workers("serial", chunk=1))


def points_of(result, step):
    return [entry.place.read("points") for entry in result.entries(step)]


@pytest.fixture
def made(tmp_path):
    """Return root, workspace and the arrays of `noisy`, whose parts hold one row each."""
    root, work = write_toys(tmp_path / "in", 1, 4), tmp_path / "work"
    return root, work, points_of(run_anew(root, work, 2), "noisy")


def parts(work, name):
    return sorted((work / "cache").glob(f"{name}-*/parts/*.h5"))


def flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 0x40
    path.write_bytes(data)


def exchange(one, two):
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


@pytest.mark.slow
def test_all_damaged_parts_are_named_by_one_run_and_made_again_by_the_next(made):
    root, work, before = made
    flip(parts(work, "toy_jitter")[0])
    exchange(*parts(work, "toy_jitter")[1:3])
    flip(parts(work, "toy_scale")[3])
    damaged = [*parts(work, "toy_jitter")[:3], parts(work, "toy_scale")[3]]
    with pytest.raises(DamagedCache) as caught:
        run_anew(root, work, 3)
    assert "4 parts of the cache were damaged and removed" in str(caught.value)
    assert "run again, and what was in them is made again" in str(caught.value)
    assert all(str(path) in str(caught.value) for path in damaged)
    assert "\n" not in str(caught.value)
    after = run_anew(root, work, 3)
    assert [after.steps[name].report.inputs for name in ("scaled", "noisy", "again")] == [1, 3, 4]
    assert all(map(np.array_equal, points_of(after, "noisy"), before))


def test_nothing_is_made_of_exchanged_parts(made):
    """Two people's faces of equal size would change places without a word."""
    root, work, before = made
    exchange(*parts(work, "toy_jitter")[:2])
    with pytest.raises(DamagedCache, match="2 parts of the cache were damaged and removed"):
        run_anew(root, work, 3)
    after = run_anew(root, work, 3)
    want = [points * np.float32(3) for points in before]
    assert all(map(np.array_equal, points_of(after, "again"), want))


@pytest.mark.slow
def test_a_damaged_part_in_a_worker_process_is_told_in_the_same_words(made):
    root, work, _ = made
    part = parts(work, "toy_jitter")[2]
    flip(part)
    with pytest.raises(DamagedCache, match="1 part of the cache was damaged and removed") as caught:
        run(make(root, 3), work, engine=Workers("loky", 1))
    assert str(part) in str(caught.value)
    assert run_anew(root, work, 3).steps["noisy"].report.inputs == 1
