"""Loader of batches in worker processes: the same bits for any number of them, and readable errors."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader

from face3d_data.errors import UserError
from face3d_training.data import Draw, FaceRows
from face3d_training.prefetch import prefetch


def make_loader(
    rows: FaceRows, batch_sampler: Iterable[list[Draw]], workers: int = 0, pin_memory: bool = False
) -> DataLoader[Any]:
    """Return a loader of batches, dicts of tensors as `FaceRows.__getitems__` describes them.

    The sampler runs in this process, so that its `set_epoch` counts for workers too, which live as long as the loader.
    No draw is made from torch's global generator. OpenCV is kept to one thread in this process too: a worker that is
    forked from a process whose OpenCV has a pool of threads waits for them for ever.

    Args:
        rows: the samples.
        batch_sampler: gives one list of draws for each batch, each time that it is iterated over.
        workers: processes that load; 0: this one does.
        pin_memory: copy batches to page-locked memory, from where a GPU takes them faster.
    """
    _keep_opencv_to_one_thread()
    return _Loader(
        _Telling(rows),  # type: ignore[arg-type]  # a map-style data set by its methods
        batch_sampler=batch_sampler,
        collate_fn=_collate,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=pin_memory,
        worker_init_fn=_start_worker,
        generator=torch.Generator(),
    )


def batches_for(device: torch.device, loader: DataLoader[Any]) -> Iterable[Any]:
    """Return the batches of an epoch as a device takes them best.

    A GPU leaves the processor idle: without worker processes a thread loads the next batches meanwhile. A CPU has
    nothing to spare for a thread.
    """
    return prefetch(loader) if device.type != "cpu" and loader.num_workers == 0 else loader


class _Telling:
    """Rows that give a user's error back as a value: raised in a worker it would arrive as a traceback in a text."""

    def __init__(self, rows: FaceRows) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, draws: Sequence[Draw]) -> Any:
        try:
            return self.rows.__getitems__(draws)
        except UserError as error:
            return error


class _Loader(DataLoader[Any]):
    """A loader that raises the errors that it is handed."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        for batch in super().__iter__():
            if isinstance(batch, UserError):
                try:
                    raise batch
                finally:
                    # This frame and the error would hold each other, and the workers with them, which then die slowly.
                    del batch
            yield batch


def _collate(batch: Any) -> Any:
    return batch if isinstance(batch, UserError) else FaceRows.collate(batch)


def _start_worker(_worker: int) -> None:
    """Keep a worker to one thread, and let the run's own process alone decide what Ctrl-C means."""
    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(1)
    _keep_opencv_to_one_thread()


def _keep_opencv_to_one_thread() -> None:
    import cv2

    if cv2.getNumThreads() != 1:
        cv2.setNumThreads(1)
