"""The figures that the best epoch is chosen by, against plain loops and scikit-learn."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from tiny_sets import point_rows, publish

from face3d_data.shards.read import Dataset
from face3d_training.config import load_config
from face3d_training.registry import make_spec
from face3d_training.split_figures import recognition_figures
from face3d_training.validation import Validation


class Rows(SimpleNamespace):
    """Faces of which only the table is there."""

    def __len__(self):
        return len(self.labels)


def made(people, captures, size, seed=0):
    """Return plain and masked rows of each capture, and embeddings of them."""
    rng = np.random.default_rng(seed)
    rows = [(p, c, masked) for p in range(people) for c in range(captures) for masked in (False, True)]
    labels = np.array([p for p, _, _ in rows])
    origins = [f"p{p}/{c}" for p, c, _ in rows]
    ids = [f"p{p}/{c}" + "~m" * masked for p, c, masked in rows]
    table = pd.DataFrame({"sample_id": ids, "origin_id": origins, "identity": [f"p{p}" for p in labels]})
    vectors = (rng.normal(size=(people, size))[labels] + 2 * rng.normal(size=(len(rows), size))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Rows(table=table, labels=labels, masked=np.array([m for _, _, m in rows])), vectors


def test_figures_are_those_of_plain_loops():
    rows, vectors = made(6, 3, 8)
    origin, ids = rows.table["origin_id"], rows.table["sample_id"]
    pairs = [(i, j) for i in range(len(rows)) for j in range(i) if origin[i] != origin[j]]
    same = [rows.labels[i] == rows.labels[j] for i, j in pairs]
    distance = [np.linalg.norm(vectors[i] - vectors[j]) for i, j in pairs]
    crossed = [k for k, (i, j) in enumerate(pairs) if rows.masked[i] != rows.masked[j]]
    found = recognition_figures(rows, vectors)
    assert found["auc"] == pytest.approx(roc_auc_score(same, -np.array(distance)), abs=1e-9)
    masked_auc = roc_auc_score(np.array(same)[crossed], -np.array(distance)[crossed])
    assert found["masked_auc"] == pytest.approx(masked_auc, abs=1e-9)
    gallery = [i for i in range(len(rows)) if origin[i].endswith("/0") and not rows.masked[i]]
    probes = [i for i in range(len(rows)) if not origin[i].endswith("/0")]
    right = {i: rows.labels[max(gallery, key=lambda g, i=i: vectors[g] @ vectors[i])] == rows.labels[i] for i in probes}
    assert found["rank1"] == pytest.approx(np.mean(list(right.values())))
    assert found["masked_rank1"] == pytest.approx(np.mean([right[i] for i in probes if ids[i].endswith("~m")]))
    assert 0.5 < found["auc"] < 1
    assert found["rank1"] < 1
    best = max(distance, key=lambda limit: np.mean((np.array(distance) <= limit) == same))
    assert np.mean((np.array(distance) <= found["threshold"]) == same) == np.mean((np.array(distance) <= best) == same)


def test_long_embeddings_of_many_pairs_take_little_memory():
    rows, vectors = made(30, 10, 512)
    tracemalloc.start()
    recognition_figures(rows, vectors)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    pairs = len(rows) * (len(rows) - 1) // 2
    assert peak < pairs * 512 * 4 / 2, "less than half of the embeddings of all pairs"


@pytest.mark.parametrize(
    ("splits", "reason"),
    [
        (("train",) * 16, "is none of train"),
        (("train",) * 15 + ("eval",), "has no genuine and impostor pairs"),
    ],
)
def test_a_split_that_allows_no_figures_is_told(tmp_path, splits, reason):
    dataset, said = Dataset(publish(tmp_path, "few", point_rows(64, False), splits)), []
    validation = Validation(dataset, load_config(None), make_spec("model", "pointnet_basic", {}), said.append)
    assert validation.metric == "loss"
    assert said == [f"split 'eval' {reason}: the training loss chooses the best epoch"]
