"""Matchers whose similarities are given, and tables of people for them."""

import numpy as np
import pandas as pd


class ScoreMatcher:
    """Similarities as a matrix (n, n)."""

    def __init__(self, table, scores, name="given"):
        self.table, self.scores, self.name = table, np.asarray(scores, np.float64), name

    def similarity(self, first, second):
        return self.scores[np.ix_(first, second)]

    def pair_similarity(self, first, second):
        return self.scores[first, second]


def people_table(people, captures, masks=("none",), **columns):
    """Rows of `people` persons; each capture once in each state, all plain ones first."""
    rows = [(mask, i, j) for mask in masks for i in range(people) for j in range(captures)]
    origins = [f"d/p{i:02d}/c{j}" for _, i, j in rows]
    ids = [
        origin + ("" if mask == "none" else f"~mask:{mask}.0~0")
        for origin, (mask, _, _) in zip(origins, rows, strict=True)
    ]
    table = pd.DataFrame({"id": ids, "sample_id": ids, "origin_id": origins, "mask": [mask for mask, _, _ in rows]})
    return table.assign(identity=[f"d/p{i:02d}" for _, i, _ in rows], dataset="d", **columns)


def random_scores(table, rng, own=1.0, ties=None):
    """Symmetric similarities, higher by `own` for one person; rounded to 1/ties to make ties."""
    noise = rng.normal(size=(len(table), len(table)))
    identity = table["identity"].to_numpy()
    scores = noise + noise.T + own * (identity[:, None] == identity)
    return scores if ties is None else np.round(scores * ties) / ties
