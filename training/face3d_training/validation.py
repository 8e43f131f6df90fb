"""Validation: verification figures on the evaluation split, by which the best epoch is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from face3d_data.shards.read import Dataset
from face3d_data.tables.protocol import gallery_rows, probe_rows
from face3d_training.config import TrainConfig
from face3d_training.data import FaceRows
from face3d_training.embedding import embed_rows
from face3d_training.fold_splits import run_splits
from face3d_training.leaks import training_fingerprint
from face3d_training.models.base import ModelSpec
from face3d_training.models.embedding_net import EmbeddingNet

MOST_ROWS = 4000
"""Rows of the evaluation split that are compared, the first ones, whose order is drawn: 8 million pairs."""

PAIRS_AT_ONCE = 4096


class Validation:
    """Figures on the evaluation split after each epoch.

    Args:
        dataset: where the split is.
        config: names it, and the figure that counts.
        spec: the network's options.
        say: called with a line if the split allows no figures, so that the training loss chooses the best epoch.
    """

    def __init__(self, dataset: Dataset, config: TrainConfig, spec: ModelSpec, say: Callable[[str], None]) -> None:
        self.metric, self.workers = config.stop.metric, config.workers
        split = run_splits(config.data, dataset).evaluation
        sizes = dataset.info.get("splits", {})
        self.rows: FaceRows | None = None
        if sizes.get(split):
            rows = FaceRows(dataset.path, split, config.data, spec.inputs)
            if len(rows.identities) > 1 and _genuine(rows).any():
                self.rows = rows
        if self.rows is None and self.metric != "loss":
            lacks = "has no genuine and impostor pairs" if split in sizes else f"is none of {', '.join(sizes)}"
            say(f"split {split!r} {lacks}: the training loss chooses the best epoch")
            self.metric = "loss"
        self.seen = {} if self.rows is None else training_fingerprint(self.rows.table)
        """Fingerprint of the faces that the best epoch is chosen on."""

    def figures(self, net: EmbeddingNet, device: torch.device) -> dict[str, float]:
        """Return AUC, EER, rank-1 and the distance that parts best, of all faces and of masked against plain ones."""
        if self.rows is None:
            return {}
        return recognition_figures(self.rows, embed_rows(net, self.rows, device, workers=self.workers))

    def judge(self, figures: Mapping[str, float]) -> float | None:
        """Return the figure that the best epoch is chosen by, the larger the better; None where there is none yet."""
        if self.metric not in figures:
            return None
        return -figures[self.metric] if self.metric in ("loss", "eer") else figures[self.metric]


def recognition_figures(rows: FaceRows, vectors: np.ndarray) -> dict[str, float]:
    """Return how well embeddings tell people apart.

    Pairs are all those of two captures. Rank-1: enrolled is each person's first capture, plain where there is one;
    probes are all other captures. `masked_…` compares masked faces with plain ones alone.

    Args:
        rows: the faces.
        vectors: f4 (n, E).
    """
    first, second, same = _pairs(rows)
    distance = _distances(vectors, first, second)
    figures = _pair_figures(distance, same)
    crossed = rows.masked[first] != rows.masked[second]
    if same[crossed].any() and not same[crossed].all():
        figures["masked_auc"] = _pair_figures(distance[crossed], same[crossed])["auc"]
    return figures | _rank1(rows, vectors)


def _pairs(rows: FaceRows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = min(len(rows), MOST_ROWS)
    first, second = np.triu_indices(n, 1)
    origins = np.unique(rows.table["origin_id"].to_numpy(str), return_inverse=True)[1]
    across = origins[first] != origins[second]
    first, second = first[across], second[across]
    return first, second, rows.labels[first] == rows.labels[second]


def _distances(vectors: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the distance of each pair, f4; of all at once the embeddings of 8 million pairs would take 50 GB."""
    distance = np.empty(len(first), vectors.dtype)
    for start in range(0, len(first), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        distance[part] = np.linalg.norm(vectors[first[part]] - vectors[second[part]], axis=1)
    return distance


def _genuine(rows: FaceRows) -> np.ndarray:
    return _pairs(rows)[2]


def _pair_figures(distance: np.ndarray, same: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import auc, roc_curve  # half a second that a run's start does not need

    false_accepts, true_accepts, thresholds = roc_curve(same, -distance, drop_intermediate=False)
    crossing = int(np.argmin(np.abs(false_accepts - (1 - true_accepts))))
    eer = float(false_accepts[crossing] + 1 - true_accepts[crossing]) / 2
    accuracy = true_accepts * same.mean() + (1 - false_accepts) * (1 - same.mean())
    return {
        "auc": float(auc(false_accepts, true_accepts)),
        "eer": eer,
        "threshold": float(-thresholds[1:][np.argmax(accuracy[1:])]),
    }


def _rank1(rows: FaceRows, vectors: np.ndarray) -> dict[str, float]:
    ids, origins = rows.table["sample_id"].tolist(), rows.table["origin_id"].tolist()
    enrolled = np.array(gallery_rows(ids, rows.table["identity"].tolist(), origins))
    probes = np.array(probe_rows(ids, origins, [origins[i] for i in enrolled]), dtype=np.int64)
    if not len(probes):
        return {}
    places = vectors[enrolled]
    # The nearest one by Euclidean distance, which of unit vectors is the one of the largest cosine.
    nearest = enrolled[np.argmax(vectors[probes] @ places.T - np.einsum("ne,ne->n", places, places) / 2, axis=1)]
    right = rows.labels[probes] == rows.labels[nearest]
    figures = {"rank1": float(right.mean())}
    masked = rows.masked[probes]
    if masked.any():
        figures["masked_rank1"] = float(right[masked].mean())
    return figures
