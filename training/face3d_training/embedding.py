"""Embeddings of many faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch

from face3d_training.data import FaceRows
from face3d_training.loader import make_loader
from face3d_training.models.base import EmbeddingNet


class InOrder:
    """Batches of every row, once, in the table's order.

    Args:
        rows: how many rows.
        size: rows of a batch; the last one may be smaller.
    """

    def __init__(self, rows: int, size: int) -> None:
        self.rows, self.size = rows, size

    def __len__(self) -> int:
        return -(-self.rows // self.size)

    def __iter__(self) -> Iterator[list[tuple[int, int, int]]]:
        for start in range(0, self.rows, self.size):
            yield [(index, 0, 0) for index in range(start, min(start + self.size, self.rows))]


@torch.inference_mode()
def embed_rows(
    net: EmbeddingNet,
    rows: FaceRows,
    device: torch.device | str = "cpu",
    batch_size: int = 128,
    workers: int = 0,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Return the embedding of every row; the network is put into evaluation for it, and back.

    Args:
        net: the network, on `device`.
        rows: the faces, without variation.
        device: where the network is.
        batch_size: faces computed at once.
        workers: loader processes.
        progress: told the number of faces done after each batch.

    Returns:
        f4 (n, E), unit length, in the table's order.
    """
    out = np.empty((len(rows), net.embedding_size), np.float32)
    training, done = net.training, 0
    net.eval()
    try:
        for batch in make_loader(rows, InOrder(len(rows), batch_size), workers):
            made = net(batch["inputs"].to(device)).float().cpu().numpy()
            out[done : done + len(made)] = made
            done += len(made)
            if progress is not None:
                progress(done)
    finally:
        net.train(training)
    return out
