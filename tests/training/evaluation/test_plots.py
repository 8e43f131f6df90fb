"""Plots of an evaluation: what they draw is read back out of the SVG, and nothing to draw is no plot."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from example_result import example_evaluation

from face3d_training.evaluation.metrics.figure import Figure, ScoredPairs
from face3d_training.evaluation.metrics.results import ProbeSubset
from face3d_training.evaluation.report import plots
from face3d_training.evaluation.report.drawing import Style, method_styles
from face3d_training.evaluation.report.embedding_places import choose_faces, place_embeddings
from face3d_training.evaluation.report.part_plots import embedding_map, part_bars

ONE = {"net": Style("net", "#1f5fa8")}
ROWS = np.zeros(0, int)


def scored(same, scores):
    n = np.arange(len(same))
    return ScoredPairs(n, n, np.array(same, bool), np.array(scores, float))


def texts(svg):
    """Texts of a matplotlib SVG stand in comments before their glyphs."""
    return re.findall(r"<!-- (.*?) -->", svg)


def random_pairs(seed=0, genuine=40, impostors=200):
    rng = np.random.default_rng(seed)
    scores = np.concatenate([rng.normal(1, 0.5, genuine), rng.normal(0, 0.5, impostors)])
    return scored([True] * genuine + [False] * impostors, scores)


DRAWN = {
    "roc": lambda: plots.roc({"net": random_pairs()}, ONE),
    "det": lambda: plots.det({"net": random_pairs()}, ONE),
    "scores": lambda: plots.histograms({"net": random_pairs()}),
    "cmc": lambda: plots.cmc({"net": example_evaluation().methods["depth map"].identification["plain_to_plain"]}, ONE),
    "map": lambda: embedding_map(np.eye(3)[:, :2], ["a", "a", "b"], np.array([False, True, False]), "t-SNE"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWN)
def test_a_plot_is_well_formed_and_the_same_each_time(name):
    svg = DRAWN[name]()
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert svg == DRAWN[name]()
    assert "<script" not in svg
    assert not re.findall(r'href="(?!#)', svg)


@pytest.mark.slow
def test_roc_begins_at_the_least_rate_that_impostors_support():
    svg = plots.roc({"net": random_pairs(impostors=200)}, ONE)
    ticks = [text for text in texts(svg) if text.startswith("$")]
    assert not any(f"10^{{-{power}}}" in tick for tick in ticks for power in (3, 4, 5))
    assert any("10^{-2}" in tick for tick in ticks)


@pytest.mark.parametrize("draw", [plots.roc, plots.det])
@pytest.mark.parametrize("same", [[True, True], [False, False], []])
def test_one_kind_of_pairs_has_no_curve(draw, same):
    assert draw({"net": scored(same, np.arange(len(same)))}, ONE) is None


@pytest.mark.slow
@pytest.mark.parametrize("draw", [plots.roc, plots.det])
@pytest.mark.parametrize(
    "pairs",
    [
        scored([True, False], [1, 0]),
        scored([True, False], [0, 1]),
        scored([True, False], [1, 1]),
        scored([True, True, False], [2, 1, 1.5]),
    ],
)
def test_two_pairs_are_enough_to_draw(draw, pairs):
    assert ElementTree.fromstring(draw({"net": pairs}, ONE)) is not None


@pytest.mark.slow
def test_histograms_of_equal_scores_and_of_one_kind():
    assert plots.histograms({"net": scored([True, False], [3, 3])})
    svg = plots.histograms({"net": scored([True, True], [1, 2])})
    assert "genuine (2)" in texts(svg)
    assert not any(text.startswith(("impostor", "equal errors")) for text in texts(svg))
    assert plots.histograms({"net": scored([], [])}) is None


def test_the_threshold_is_where_both_errors_are_equal():
    pairs = scored([True, True, True, False, False, False], [9, 8, 3, 5, 2, 1])
    threshold = plots.equal_error_threshold(pairs)
    accepted = pairs.scores >= threshold
    assert (accepted & ~pairs.same).sum() == (~accepted & pairs.same).sum() == 1
    assert plots.equal_error_threshold(scored([True], [1])) is None


def test_runs_of_one_config_share_a_colour_and_one_place_in_the_legend():
    styles = method_styles(example_evaluation(), ["depth map"])
    assert styles["net seed 0"].color == styles["net seed 1"].color != styles["depth map"].color
    assert [styles[name].label for name in styles] == ["net (2 runs)", "", "depth map"]
    assert styles["depth map"].dashed


def part(value, probes, rank_1):
    return ProbeSubset(value, probes, 5, rank_1, rank_1)


def test_bars_tell_counts_and_what_is_too_little():
    parts = (part("surgical", 30, Figure(0.8, 0.7, 0.9)), part("kn95", 2, Figure(None, why="too few")))
    svg = part_bars({"net": parts}, ONE, "mask")
    assert {"surgical  (n = 30)", "kn95  (n = 2)", "too few", "rank-1 by mask"} <= set(texts(svg))
    assert part_bars({"net": parts[1:]}, ONE, "mask") is None


def test_a_map_needs_faces():
    assert embedding_map(np.zeros((0, 2)), [], np.zeros(0, bool), "t-SNE") is None


def test_faces_on_a_map_are_all_of_few_people_the_same_each_time():
    people = [f"p{i % 40}" for i in range(4000)]
    rows = choose_faces(people, 7)
    assert len({people[row] for row in rows}) == 20
    assert len(rows) == 1000
    assert np.array_equal(rows, choose_faces(people, 7))
    assert np.array_equal(choose_faces(["a", "b", "a"], 0), [0, 1, 2])


@pytest.mark.parametrize("n", [0, 1, 2, 19, 24])
def test_places_are_finite_for_any_number_of_embeddings(n):
    places, way = place_embeddings(np.random.default_rng(0).normal(size=(n, 5)), 3)
    assert places.shape == (n, 2)
    assert np.isfinite(places).all()
    assert way == ("t-SNE" if n >= 20 else "principal components")


def test_collapsed_embeddings_still_have_places():
    places, _ = place_embeddings(np.ones((30, 4)), 0)
    assert np.isfinite(places).all()


def test_near_embeddings_lie_near_on_the_map():
    rng = np.random.default_rng(1)
    vectors = np.repeat(np.eye(4) * 10, 8, axis=0) + rng.normal(0, 0.1, (32, 4))
    places, _ = place_embeddings(vectors, 0)
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    mine = np.repeat(np.arange(4), 8)
    same = mine[:, None] == mine[None]
    np.fill_diagonal(apart, np.inf)
    assert same[np.arange(32), apart.argmin(axis=1)].all()
