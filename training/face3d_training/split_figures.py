"""Figures of a split after an epoch: verification over all pairs of captures, and rank-1."""

from __future__ import annotations

import numpy as np

from face3d_data.tables.protocol import gallery_rows, probe_rows
from face3d_training.data import FaceRows

MOST_ROWS = 4000
"""Rows of a split that are compared, the first ones, whose order is drawn: 8 million pairs."""
PAIRS_AT_ONCE = 4096


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


def is_measurable(rows: FaceRows) -> bool:
    """Return whether a split has people to tell apart, and one with two captures."""
    return len(rows.identities) > 1 and bool(_pairs(rows)[2].any())


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
