"""Embeddings of many faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch

from face3d_training.data import FaceRows
from face3d_training.loader import make_loader
from face3d_training.models.embedding_net import EmbeddingNet


class InOrder:
    """Batches of every row, once a view, in the table's order.

    Args:
        rows: how many rows.
        size: rows of a batch; the last one of a view may be smaller.
        views: how often each row is seen, as copies 0, 1, …: one view of all rows after the other.
        drawn: epoch and first copy, which decide what is drawn of rows with variation.
        first: of the rows; the last one is number `first + rows - 1`.
    """

    def __init__(self, rows: int, size: int, views: int = 1, drawn: tuple[int, int] = (0, 0), first: int = 0) -> None:
        self.rows, self.size, self.views, self.drawn, self.first = rows, size, views, drawn, first

    def __len__(self) -> int:
        return -(-self.rows // self.size) * self.views

    def __iter__(self) -> Iterator[list[tuple[int, int, int]]]:
        epoch, first = self.drawn
        end = self.first + self.rows
        for view in range(first, first + self.views):
            for start in range(self.first, end, self.size):
                yield [(index, epoch, view) for index in range(start, min(start + self.size, end))]


@torch.inference_mode()
def embed_rows(
    net: EmbeddingNet,
    rows: FaceRows,
    device: torch.device | str = "cpu",
    batch_size: int = 128,
    workers: int = 0,
    progress: Callable[[int], None] | None = None,
    drawn: tuple[int, int] = (0, 0),
    only: range | None = None,
) -> np.ndarray:
    """Return the embedding of every row; the network is in evaluation mode meanwhile.

    Args:
        net: the network, on `device`.
        rows: the faces, without variation, or with that of an epoch and copy.
        device: where the network is.
        batch_size: faces computed at once.
        workers: loader processes.
        progress: called with the number of faces done after each batch.
        drawn: these two.
        only: consecutive rows to embed; None: all.

    Returns:
        f4 (n, E), in the table's order, of unit length if the network's are; of several views of a row (test-time
        subsets, or an image and its mirror image) the mean, at that length again.
    """
    only = range(len(rows)) if only is None else only
    out = np.zeros((len(only), net.embedding_size), np.float32)
    training, done = net.training, 0
    net.eval()
    try:
        for batch in make_loader(rows, InOrder(len(only), batch_size, rows.views, drawn, only.start), workers):
            out[batch["index"].numpy() - only.start] += net(batch["inputs"].to(device)).float().cpu().numpy()
            done += len(batch["index"])
            if progress is not None:
                progress(done // rows.views)
    finally:
        net.train(training)
    if rows.views == 1:
        return out
    return out / (np.linalg.norm(out, axis=1, keepdims=True).clip(1e-12) if net.normalized else rows.views)
