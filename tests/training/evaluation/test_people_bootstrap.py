import numpy as np
import pytest
from score_matcher import people_table

from face3d_training.evaluation.metrics.bootstrap import FEWEST_PEOPLE, PairPeople, figure_of, people_weights


def test_every_resample_draws_as_many_people_as_there_are():
    weights = people_weights([f"p{i}" for i in range(12)], 4000, 0)
    assert weights.shape == (4000, 12)
    assert (weights.sum(axis=1) == 12).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(12), abs=0.06)
    assert weights.var(axis=0) == pytest.approx(np.full(12, 11 / 12), abs=0.1)
    cross = np.cov(weights.T.astype(float))[~np.eye(12, dtype=bool)]
    assert cross.mean() == pytest.approx(-1 / 12, abs=0.02)


def test_weights_belong_to_people_whatever_their_order_and_to_the_seed():
    names = ["c", "a", "b", "d"]
    one, sorted_one = people_weights(names, 9, 1), people_weights(sorted(names), 9, 1)
    assert np.array_equal(one[:, [1, 2, 0, 3]], sorted_one)
    assert not np.array_equal(sorted_one, people_weights(sorted(names), 9, 2))
    assert not np.array_equal(sorted_one, people_weights(["a", "b", "c", "e"], 9, 1))


def test_intervals_are_percentiles_of_what_was_measured():
    samples = np.append(np.linspace(0, 1, 101), np.nan)
    figure = figure_of(0.5, samples, 10, 0.9)
    assert (figure.low, figure.high) == pytest.approx((0.05, 0.95))
    assert figure.why is None
    assert figure.samples is samples


@pytest.mark.parametrize(
    ("samples", "people", "why"),
    [
        ([0.1, 0.2, 0.3], FEWEST_PEOPLE - 1, "no interval with 2 people"),
        ([0.1, np.nan, np.nan], 9, "no interval: 1 of 3 resamples give a figure"),
        ([1.0, 1.0, np.nan], 9, "no interval: every resample of 9 people gives the same"),
    ],
)
def test_where_there_is_no_interval_it_is_said(samples, people, why):
    figure = figure_of(1.0, np.array(samples), people, 0.95)
    assert (figure.value, figure.low, figure.high, figure.why) == (1.0, None, None, why)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    weights = people_weights([f"{i:02d}" for i in range(40)], 400, 0).astype(float)
    for _ in range(200):
        person = rng.normal(size=40)
        values = person[:, None] + rng.normal(size=(40, 6))
        samples = (weights @ values.sum(axis=1)) / (6 * weights.sum(axis=1))
        figure = figure_of(float(values.mean()), samples, 40, 0.9)
        covered += figure.low <= 0 <= figure.high
    assert 0.82 <= covered / 200 <= 0.96


def test_people_of_pairs_count_a_mirrored_face_as_its_person():
    table = people_table(3, 1).assign(identity=["d/b", "d/a", "d/b~mirror"])
    people = PairPeople(table, np.array([0, 1]), np.array([1, 2]))
    assert people.names == ["d/a", "d/b"]
    assert people.first.tolist() == [1, 0]
    assert people.second.tolist() == [0, 1]
    assert PairPeople(table, np.array([1]), np.array([1])).names == ["d/a"]
