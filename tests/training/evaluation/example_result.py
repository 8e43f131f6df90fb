"""An evaluation with made-up figures, whole in every part, for tests of what is written from one."""

import numpy as np
import pandas as pd

from face3d_training.evaluation.metrics.figure import Figure, Outcomes, ScoredPairs, Spread
from face3d_training.evaluation.metrics.results import (
    DatasetFacts,
    Difference,
    Evaluation,
    Fold,
    FoldsResult,
    IdentificationResult,
    MethodResult,
    ModelFacts,
    ProbeSubset,
    SeedsResult,
    Timing,
    VerificationResult,
)

PEOPLE, CAPTURES = 6, 4
MODEL = ModelFacts(700_000, 150_000_000, (Timing(1, 5.0, 200.0, 9), Timing(64, 3.2, 312.5, 3)), "CPU, 1 thread")


def example_table():
    """Each person's captures, plain, and then each capture again in a mask."""
    rows = []
    for style in ("none", "surgical"):
        for person in range(PEOPLE):
            for capture in range(CAPTURES):
                origin = f"d/p{person}/c{capture}"
                suffix = "" if style == "none" else f"~mask:{style}.0~{len(rows):08x}"
                rows.append(
                    {
                        "id": f"d__p{person}__c{capture}{suffix.replace(':', '%3A').replace('.', '%2E')}",
                        "name": f"d__p{person}",
                        "class": person,
                        "sample_id": origin + suffix,
                        "identity": f"d/p{person}",
                        "dataset": "d",
                        "split": "test",
                        "variant": "plain" if style == "none" else f"mask:{style}.0",
                        "origin_id": origin,
                        "shard": "shards/test-00000.h5",
                        "index": len(rows),
                        "n_points": 64,
                        "key": f"{len(rows):032x}",
                        "mask": style,
                        "mask_worn": "" if style == "none" else "proper",
                        "visible_ratio": np.nan if style == "none" else 0.5,
                        "expression": ("neutral", "smile")[capture % 2],
                        "yaw_deg": 10.0 * capture - 15.0,
                    }
                )
    return pd.DataFrame(rows)


def figure(value, rng):
    return Figure(value, max(0.0, value - 0.05), min(1.0, value + 0.03), None, rng.normal(value, 0.02, 100))


def verification(masked, rng):
    """Pairs of the first half of the table (plain) with its second (masked), or with itself."""
    half = PEOPLE * CAPTURES
    a, b = (x.ravel() for x in np.meshgrid(np.arange(half), np.arange(half), indexing="ij"))
    person, same = np.arange(half) // CAPTURES, None
    keep = a != b if masked else a < b
    first, second = a[keep] + (half if masked else 0), b[keep]
    same = person[a[keep]] == person[b[keep]]
    scores = -np.where(same, rng.uniform(0.2, 0.9, len(same)), rng.uniform(0.6, 1.4, len(same)))
    no_far = Figure(None, why=f"not measurable with {int((~same).sum())} impostor pairs")
    tar = {"1e-1": figure(0.95, rng), "1e-2": figure(0.9, rng), "1e-3": no_far, "1e-4": no_far, "1e-5": no_far}
    few = slice(0, 24)
    folds = tuple(Fold(k, 6, 6, -0.75, 0.9 + 0.05 * k, 0.9, 0.9) for k in range(2))
    spread = {"accuracy": Spread(0.925, 0.035, 2), "precision": Spread(0.9, 0.0, 2)}
    spread |= {"recall": Spread(0.9, 0.0, 2), "threshold": Spread(-0.75, 0.0, 2)}
    in_folds = FoldsResult(
        figure(0.925, rng), spread, folds,
        ScoredPairs(first[few], second[few], same[few], scores[few], np.repeat([0, 1], 12)),
        ("2 folds, 10 wanted: 6 people",),
    )  # fmt: skip
    return VerificationResult(
        "masked → plain" if masked else "plain → plain", PEOPLE, int(same.sum()), int((~same).sum()), True,
        figure(0.97, rng), figure(0.06, rng), tar, ScoredPairs(first, second, same, scores), in_folds,
    )  # fmt: skip


def identification(masked, rng):
    half = PEOPLE * CAPTURES
    gallery = np.arange(0, half, CAPTURES)
    probe = np.array([row for row in range(half) if row % CAPTURES]) + (half if masked else 0)
    person = probe % half // CAPTURES
    rank = rng.choice([1, 1, 1, 2, 4], len(probe))
    own_score = -rng.uniform(0.2, 0.9, len(probe))
    cmc = tuple(float((rank <= k).mean()) for k in range(1, PEOPLE + 1))
    ranks = {"1": figure(cmc[0], rng), "5": figure(cmc[4], rng)}
    ranks["10"] = Figure(None, why=f"not measurable with {PEOPLE} people enrolled")
    outcomes = Outcomes(
        probe, rank, gallery[person], own_score, gallery[(person + 1) % PEOPLE],
        own_score + np.where(rank > 1, 0.1, -0.1), 1 / rank,
    )  # fmt: skip
    title = "masked → plain" if masked else "plain → plain"
    return IdentificationResult(title, PEOPLE, PEOPLE, len(probe), ranks, cmc, figure(0.8, rng), outcomes)


def method(name, rng):
    lists = {"plain_to_plain": False, "masked_to_plain": True}
    too_few = Figure(None, why="too few: 3 probes of 1 person")
    parts = (
        ProbeSubset("neutral", 10, 6, figure(0.9, rng), figure(0.97, rng)),
        ProbeSubset("smile", 3, 1, too_few, too_few),
    )
    return MethodResult(
        name,
        {key: verification(masked, rng) for key, masked in lists.items()},
        {key: identification(masked, rng) for key, masked in lists.items()},
        {key: {"expression": parts} for key in lists},
        ModelFacts() if name == "depth map" else MODEL,
        (),
    )


def example_evaluation(seed=0):
    """Two networks and a baseline on `example_table()`."""
    rng = np.random.default_rng(seed)
    methods = {name: method(name, rng) for name in ("net seed 0", "net seed 1", "depth map")}
    both = {"plain_to_plain": {"auc": figure(0.02, rng), "rank 1": figure(0.05, rng)}}
    spread = {"plain_to_plain": {"auc": Spread(0.97, 0.004, 2), "rank 1": Spread(0.9, 0.02, 2)}}
    return Evaluation(
        DatasetFacts("toy", "0" * 32, "test", 48, PEOPLE, PEOPLE * CAPTURES, 24, "not real scans"),
        methods,
        ("6 people: intervals are wide",),
        (Difference("net seed 0", "depth map", both),),
        (SeedsResult("net", ("net seed 0", "net seed 1"), spread, both),),
    )
