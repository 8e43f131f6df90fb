import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_matcher import ScoreMatcher, people_table, random_scores
from sklearn.metrics import average_precision_score

from face3d_data.tables.protocol import Protocol, protocols
from face3d_training.evaluation.metrics import matcher
from face3d_training.evaluation.metrics.identification import identify
from face3d_training.evaluation.metrics.lists import EvaluationSettings

FEW = EvaluationSettings(resamples=50)


def protocol_of(gallery, probe):
    gallery, probe = np.array(gallery, np.int64), np.array(probe, np.int64)
    return Protocol("toy", "toy", gallery, probe, probe, gallery)


def naive(table, scores, gallery, probe):
    """Return the rank of each probe, row by row; ties count against it."""
    ranks = []
    for row in probe:
        best = {}
        for enrolled in gallery:
            name = table["identity"][enrolled]
            best[name] = max(best.get(name, -np.inf), scores[row, enrolled])
        own = table["identity"][row]
        ranks.append(1 + sum(score >= best[own] for name, score in best.items() if name != own))
    return ranks


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.integers(2, 6), st.integers(1, 3), st.integers(0, 99), st.sampled_from([None, 1]))
def test_outcomes_are_those_of_a_plain_loop(people, enrolled, seed, ties):
    table = people_table(people, 4).sample(frac=1, random_state=seed).reset_index(drop=True)
    scores = random_scores(table, np.random.default_rng(seed), ties=ties)
    capture = table["origin_id"].str[-1].astype(int)
    gallery, probe = np.flatnonzero(capture < enrolled), np.flatnonzero(capture >= enrolled)
    found = identify(ScoreMatcher(table, scores), protocol_of(gallery, probe), FEW)
    ranks = naive(table, scores, gallery, probe)
    out = found.outcomes
    assert out.rank.tolist() == ranks
    assert (found.people, found.gallery, found.probes) == (people, people * enrolled, people * (4 - enrolled))
    assert found.rank["1"].value == pytest.approx(np.mean(np.array(ranks) == 1))
    assert list(found.cmc) == pytest.approx([np.mean(np.array(ranks) <= k) for k in range(1, people + 1)])
    identity = table["identity"].to_numpy()
    for i, row in enumerate(probe):
        mine = [g for g in gallery if identity[g] == identity[row]]
        others = [g for g in gallery if identity[g] != identity[row]]
        assert (out.own[i] in mine, out.rival[i] in others) == (True, True)
        assert out.own_score[i] == scores[row, out.own[i]] == max(scores[row, mine])
        assert out.rival_score[i] == scores[row, out.rival[i]] == max(scores[row, others])
    precision = [average_precision_score(identity[gallery] == identity[row], scores[row, gallery]) for row in probe]
    assert out.precision == pytest.approx(precision, abs=1e-9)
    assert found.mean_average_precision.value == pytest.approx(np.mean(precision), abs=1e-9)


def test_each_probe_ranks_the_samples_of_a_gallery_of_several_shots():
    table = people_table(2, 3)  # of each person two samples enrol, and one asks
    gallery, probe = [0, 1, 3, 4], [2, 5]
    scores = np.zeros((6, 6))
    scores[2, gallery] = [0.9, 0.3, 0.5, 0.1]  # own ones are first and third of four
    scores[5, gallery] = [0.8, 0.7, 0.7, 0.2]  # a tie with another's counts against it: third, and last
    found = identify(ScoreMatcher(table, scores), protocol_of(gallery, probe), FEW)
    assert found.outcomes.precision.tolist() == pytest.approx([(1 + 2 / 3) / 2, (1 / 3 + 2 / 4) / 2])
    assert found.mean_average_precision.value == pytest.approx(0.625)
    assert found.outcomes.rank.tolist() == [1, 2]


def test_with_one_sample_of_each_person_it_is_the_mean_of_one_by_rank():
    table = people_table(6, 3)
    scores = random_scores(table, np.random.default_rng(3))
    found = identify(ScoreMatcher(table, scores), protocols(table)[0]["plain_to_plain"], FEW)
    assert found.mean_average_precision.value == pytest.approx(np.mean(1 / found.outcomes.rank))


def test_small_blocks_change_nothing(monkeypatch):
    table = people_table(7, 5)
    scores = random_scores(table, np.random.default_rng(0))
    protocol = protocols(table)[0]["plain_to_plain"]
    whole = identify(ScoreMatcher(table, scores), protocol, FEW)
    monkeypatch.setattr(matcher.similarity_blocks, "__defaults__", (9,))
    parts = identify(ScoreMatcher(table, scores), protocol, FEW)
    assert np.array_equal(whole.outcomes.rank, parts.outcomes.rank)
    assert np.array_equal(whole.outcomes.rival, parts.outcomes.rival)
    assert whole.mean_average_precision.value == parts.mean_average_precision.value


def test_all_alike_is_all_wrong():
    table = people_table(5, 3)
    found = identify(ScoreMatcher(table, np.zeros((15, 15))), protocols(table)[0]["plain_to_plain"], FEW)
    assert found.outcomes.rank.tolist() == [5] * 10
    assert found.rank["1"].value == 0.0
    assert found.mean_average_precision.value == pytest.approx(0.2)


def test_ranks_that_everybody_reaches_are_no_figure():
    table = people_table(5, 2)
    found = identify(
        ScoreMatcher(table, random_scores(table, np.random.default_rng(0))), protocols(table)[0]["plain_to_plain"], FEW
    )
    assert found.rank["1"].value is not None
    assert found.rank["5"].value is None
    assert found.rank["10"].why == "not measurable with 5 people enrolled"


def test_one_person_or_no_probe_gives_no_figure():
    alone = people_table(1, 3)
    found = identify(ScoreMatcher(alone, np.zeros((3, 3))), protocols(alone)[0]["plain_to_plain"], FEW)
    assert found.rank["1"].value is None
    assert found.mean_average_precision.why == "not measurable with 1 person enrolled"
    assert found.outcomes.rival.tolist() == [-1, -1]
    single = people_table(4, 1)
    found = identify(ScoreMatcher(single, np.zeros((4, 4))), protocols(single)[0]["plain_to_plain"], FEW)
    assert (found.probes, found.cmc) == (0, ())
    assert found.rank["1"].why == found.mean_average_precision.why == "not measurable with no probes"


def test_the_interval_is_over_people_not_over_probes():
    table = people_table(10, 31)
    good = np.where(table["identity"].to_numpy() < "d/p05", 1.0, -1.0)
    identity = table["identity"].to_numpy()
    scores = np.where(identity[:, None] == identity, good[:, None], 0.0)
    found = identify(
        ScoreMatcher(table, scores), protocols(table)[0]["plain_to_plain"], EvaluationSettings(resamples=2000)
    )
    assert found.rank["1"].value == 0.5
    assert found.rank["1"].low == pytest.approx(0.2, abs=0.05)
    assert found.rank["1"].high == pytest.approx(0.8, abs=0.05)
