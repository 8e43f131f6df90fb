"""Prefetching: order, errors, and the end of its thread."""

import threading

import pytest
import torch

from face3d_training.loader import batches_for
from face3d_training.prefetch import prefetch


def running():
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


@pytest.mark.parametrize("ahead", [1, 2, 50])
def test_batches_come_in_their_order_and_the_thread_ends(ahead):
    assert list(prefetch(range(20), ahead)) == list(range(20))
    assert not running()


def test_it_loads_ahead_and_no_further():
    loaded = []
    third = threading.Event()

    def batches():
        for number in range(10):
            loaded.append(number)
            if number == 3:
                third.set()
            yield number

    waiting = prefetch(batches(), 2)
    assert next(waiting) == 0
    assert third.wait(10)  # 0 is taken, 1 and 2 wait, 3 waits for a place
    assert loaded == [0, 1, 2, 3]
    waiting.close()
    assert not running()
    assert loaded == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_an_error_comes_after_the_batches_before_it(kind):
    def batches():
        yield 1
        yield 2
        raise kind("the third")

    seen = []
    with pytest.raises(kind, match="the third"):
        seen.extend(prefetch(batches()))
    waiting = prefetch(batches())
    assert [next(waiting), next(waiting)] == [1, 2]
    with pytest.raises(kind, match="the third"):
        next(waiting)
    assert not running()


def test_leaving_early_ends_the_thread_and_the_iteration_of_the_batches():
    closed = threading.Event()

    def batches():
        try:
            yield from range(1000)
        finally:
            closed.set()

    for batch in prefetch(batches()):
        if batch == 3:
            break
    assert not running()
    assert closed.wait(10)


class Loader:
    def __init__(self, num_workers):
        self.num_workers = num_workers


@pytest.mark.parametrize(
    ("device", "workers", "threaded"),
    [("cpu", 0, False), ("cpu", 2, False), ("cuda", 0, True), ("cuda", 2, False), ("mps", 0, True)],
)
def test_a_thread_loads_for_an_accelerator_without_worker_processes(device, workers, threaded):
    loader = Loader(workers)
    assert (batches_for(torch.device(device), loader) is not loader) is threaded
