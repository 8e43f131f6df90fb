import numpy as np
import pandas as pd
import pytest
from score_matcher import ScoreMatcher, people_table, random_scores
from sklearn.metrics import roc_auc_score

from face3d_data.tables.protocol import protocols
from face3d_training.evaluation.metrics.breakdown import NOT_GIVEN, binned, break_down
from face3d_training.evaluation.metrics.identification import identify
from face3d_training.evaluation.metrics.lists import EvaluationSettings

FEW = EvaluationSettings(resamples=50)


def broken(table, scores, name):
    matcher, protocol = ScoreMatcher(table, scores), protocols(table)[0][name]
    outcomes = identify(matcher, protocol, FEW).outcomes
    return break_down(matcher, protocol, outcomes, FEW), protocol, outcomes


def test_parts_are_the_figures_of_their_probes_alone():
    table = people_table(12, 4)
    table["expression"] = ["neutral", "neutral", "smile", "surprise"] * 12
    table.loc[table["identity"] > "d/p05", "expression"] = "neutral"
    scores = random_scores(table, np.random.default_rng(0), own=2.0)
    found, protocol, outcomes = broken(table, scores, "plain_to_plain")
    assert list(found) == ["expression"]
    assert [(p.value, p.probes, p.people) for p in found["expression"]] == [
        ("neutral", 24, 12),
        ("smile", 6, 6),
        ("surprise", 6, 6),
    ]
    neutral = found["expression"][0]
    mine = (table["expression"][outcomes.probe] == "neutral").to_numpy()
    assert neutral.rank_1.value == pytest.approx((outcomes.rank[mine] == 1).mean())
    rows = outcomes.probe[mine]
    same = table["identity"].to_numpy()[rows][:, None] == table["identity"].to_numpy()[protocol.gallery]
    against = scores[np.ix_(rows, protocol.gallery)]
    assert neutral.auc.value == pytest.approx(roc_auc_score(same.ravel(), against.ravel()), abs=1e-9)
    assert neutral.auc.low < neutral.auc.value < neutral.auc.high
    for few in found["expression"][1:]:
        assert few.rank_1.value is few.auc.value is None
        assert few.rank_1.why == "too few: 6 probes of 6 people"


def test_many_probes_of_two_people_are_counted_but_not_judged():
    table = people_table(4, 12)
    table["sensor"] = np.where(table["identity"] < "d/p02", "a", "b")
    found, _, _ = broken(table, random_scores(table, np.random.default_rng(0)), "plain_to_plain")
    assert [(p.value, p.rank_1.why) for p in found["sensor"]] == [
        ("a", "too few: 22 probes of 2 people"),
        ("b", "too few: 22 probes of 2 people"),
    ]


def test_bins_of_angles_and_ratios():
    numbers = pd.Series([0.0, -9.99, 10.0, -44.9, 45, 180, None, 250], dtype="float64")
    table = pd.DataFrame({"yaw_deg": numbers, "visible_ratio": [0.0, 0.29, 0.3, 0.99, 1.0, 0.9, None, 0.5]})
    rows = np.arange(8)
    assert binned(table, "yaw_deg", rows) == [
        "0 to 10", "0 to 10", "10 to 20", "30 to 45", "45 to 60", "90 to 180", NOT_GIVEN, "90 to 180",
    ]  # fmt: skip
    assert binned(table, "visible_ratio", rows[::-1])[::-1] == [
        "0 to 0.3", "0 to 0.3", "0.3 to 0.4", "0.9 to 1", "0.9 to 1", "0.9 to 1", NOT_GIVEN, "0.5 to 0.6",
    ]  # fmt: skip


def test_bins_are_in_order_and_what_is_not_given_comes_last():
    table = people_table(6, 8)
    table["yaw_deg"] = np.tile([0.0, 100.0, 25.0, -5.0, np.nan, 12.0, 65.0, 61.0], 6)
    found, _, _ = broken(table, random_scores(table, np.random.default_rng(0)), "plain_to_plain")
    assert [part.value for part in found["yaw_deg"]] == [
        "0 to 10", "10 to 20", "20 to 30", "60 to 90", "90 to 180", NOT_GIVEN,
    ]  # fmt: skip


def test_the_masks_of_the_gallery_count_where_only_it_wears_them():
    table = people_table(6, 3, ("none", "x"))
    worn = table["mask"] == "x"
    table["mask"] = np.where(worn, np.where(table["identity"] < "d/p03", "kn95", "surgical"), "none")
    table["mask_worn"] = np.where(worn, "proper", "")
    scores = random_scores(table, np.random.default_rng(0))
    found, _, _ = broken(table, scores, "plain_to_masked")
    assert [(part.value, part.probes, part.people) for part in found["mask"]] == [("kn95", 6, 3), ("surgical", 6, 3)]
    assert "mask_worn" not in found
    found, _, _ = broken(table, scores, "plain_to_plain")
    assert "mask" not in found
