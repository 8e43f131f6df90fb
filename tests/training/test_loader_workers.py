"""Loader processes: the same bits for none, one or two of them, forked or spawned, and errors that can be read."""

import os
import signal
import time

import numpy as np
import pytest
import torch
from tiny_sets import image_set, point_rows, points_set, publish

from face3d_data.errors import UserError
from face3d_training.config import TrainConfig
from face3d_training.data import FaceRows
from face3d_training.loader import make_loader
from face3d_training.variation import Variation


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("sets")
    points_set(made, n_points=256)
    image_set(made, depth=True)
    return made


class Batches:
    """Batches of some rows in an epoch."""

    def __init__(self, n=24, size=5):
        self.n, self.size, self.epoch = n, size, 0

    def __len__(self):
        return -(-self.n // self.size)

    def __iter__(self):
        for start in range(0, self.n, self.size):
            yield [(row, self.epoch, 0) for row in range(start, min(start + self.size, self.n))]


def rows_of(path, inputs, **options):
    config = TrainConfig(**options)
    return FaceRows(path, "train", config.data, inputs, None, Variation.of(config), config.seed)


CASES = {
    "plain": ("points", "points", {}),
    "clouds": (
        "points",
        "points",
        {
            "data": {"n_points": 128, "choose_points": "random", "fields": ["points", "normals"]},
            "augment": {"yaw_deg": 9, "jitter_mm": 1, "dropout": 0.6},
            "masks": {"share": 0.3},
        },
    ),
    "images": (
        "rgbd",
        "image",
        {
            "data": {"fields": ["color", "depth"], "image_size_px": 24},
            "augment": {"brightness": 0.3, "blur_px": 1, "erase_p": 0.5, "sensors": ["kinect_v1"]},
            "masks": {"share": 0.2},
        },
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_any_number_of_workers_gives_the_same_bits(folder, case):
    name, inputs, options = CASES[case]
    rows = rows_of(folder / name, inputs, **options)
    alone, two = (list(make_loader(rows, Batches(), workers)) for workers in (0, 2))
    assert [len(batch["label"]) for batch in alone] == [5, 5, 5, 5, 4]
    for first, second in zip(alone, two, strict=True):
        assert first.keys() == second.keys()
        for key in first:
            np.testing.assert_array_equal(first[key].numpy(), second[key].numpy(), err_msg=key)
    if case == "clouds":
        assert any((batch["masked"].numpy() & ~rows.masked[batch["index"].numpy()]).any() for batch in alone)


@pytest.mark.slow
def test_spawned_workers_load_the_same(folder):
    name, inputs, options = CASES["clouds"]
    rows = rows_of(folder / name, inputs, **options)
    alone = list(make_loader(rows, Batches(10), 0))
    loader = make_loader(rows, Batches(10), 1)
    loader.multiprocessing_context = "spawn"
    for first, second in zip(alone, loader, strict=True):
        for key in first:
            np.testing.assert_array_equal(first[key].numpy(), second[key].numpy(), err_msg=key)


@pytest.mark.slow
def test_workers_that_live_on_see_the_next_epoch(folder):
    rows = rows_of(folder / "points", "points", augment={"yaw_deg": 9})
    batches = Batches(10)
    loader = make_loader(rows, batches, 1)
    first = [batch["inputs"] for batch in loader]
    batches.epoch = 1
    second = [batch["inputs"] for batch in loader]
    batches.epoch = 0
    third = [batch["inputs"] for batch in loader]
    assert all(torch.equal(a, b) for a, b in zip(first, third, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_loading_leaves_the_global_generators_alone(folder, workers):
    rows = rows_of(folder / "points", "points", augment={"jitter_mm": 1})
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    list(make_loader(rows, Batches(), workers))
    assert torch.equal(torch.get_rng_state(), states[0])
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_a_users_error_is_one_line_from_any_process(tmp_path, workers):
    made = point_rows(16, masked=False)
    for row in made:
        row[3]["points"][0, 0] = np.inf
    rows = FaceRows(publish(tmp_path, "torn", made), "train", TrainConfig().data, "points")
    with pytest.raises(UserError, match=r"^dataset torn: points of tiny/p\d\d/c\d are not finite [^\n]*$"):
        list(make_loader(rows, Batches(), workers))


@pytest.mark.slow
def test_ctrl_c_does_not_kill_the_workers(folder):
    loader = make_loader(rows_of(folder / "points", "points"), Batches(40, 2), 1)
    batches = iter(loader)
    next(batches)
    (worker,) = torch.multiprocessing.active_children()
    os.kill(worker.pid, signal.SIGINT)
    time.sleep(0.1)
    assert len(list(batches)) == 19
    assert worker.is_alive()
