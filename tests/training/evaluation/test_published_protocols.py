"""Published protocols of a dataset are judged beside the others: as a whole, and by category."""

import functools
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from score_matcher import ScoreMatcher, people_table, random_scores

sys.path.insert(0, str(Path(__file__).parents[1]))
from made_checkpoint import make_run
from tiny_sets import point_rows, publish

from face3d_data.errors import UserError
from face3d_data.tables.published import make_published
from face3d_training.evaluation.metrics.evaluate import evaluate, figures_of
from face3d_training.evaluation.metrics.lists import EvaluationSettings, lists_of
from face3d_training.evaluation.run import Request, run_evaluation
from face3d_training.speed import measure_cost

CODES = ("N_N", "N_N", "E_HAPPY", "YR_R10")
PARTS = ["bosphorus-N", "bosphorus-E", "bosphorus-YR", "bosphorus-YR-R10"]
FEW = EvaluationSettings(folds=2, per_fold=5, resamples=20)


@pytest.fixture(scope="module")
def table():
    made = people_table(4, len(CODES), variant="plain")
    codes = [CODES[int(origin[-1])] for origin in made["origin_id"]]
    return made.assign(category=[code.partition("_")[0] for code in codes], code=codes)


def test_pairs_are_of_the_whole_and_identification_of_each_category(table):
    published = [make_published(table, table, "bosphorus")]
    lists = lists_of(table, FEW, published=published)
    assert list(lists.protocols) == ["plain_to_plain", "bosphorus", *PARTS]
    assert list(lists.pairs) == ["plain_to_plain", "bosphorus"]
    assert len(lists.pairs["bosphorus"].pairs.same) == 4 * 12
    assert int(lists.pairs["bosphorus"].pairs.same.sum()) == 12
    assert set(lists.pairs["bosphorus"].folds.fold.tolist()) == {0, 1}


def test_one_protocol_brings_its_categories_and_one_category_its_pairs(table):
    published = [make_published(table, table, "bosphorus")]
    assert list(lists_of(table, FEW, "bosphorus", published).protocols) == ["bosphorus", *PARTS]
    only = lists_of(table, FEW, "bosphorus-E", published)
    assert (list(only.protocols), list(only.pairs)) == (["bosphorus-E"], ["bosphorus-E"])
    with pytest.raises(UserError, match=r"no protocol 'bosporus' here .*did you mean 'bosphorus'"):
        lists_of(table, FEW, "bosporus", published)


def test_figures_of_a_category_are_those_of_its_probes_alone(table):
    scores = random_scores(table, np.random.default_rng(3), own=1.5)
    lists = lists_of(table, FEW, "bosphorus", [make_published(table, table, "bosphorus")])
    result = evaluate(ScoreMatcher(table, scores), lists, FEW)
    gallery, person = lists.protocols["bosphorus"].gallery, table["identity"].to_numpy()
    for name in lists.protocols:
        probes = lists.protocols[name].probe
        best = gallery[scores[np.ix_(probes, gallery)].argmax(axis=1)]
        assert result.identification[name].rank["1"].value == np.mean(person[best] == person[probes])
    assert list(result.breakdown) == ["bosphorus"]
    assert "auc" not in figures_of(result)["bosphorus-E"]


@pytest.mark.slow
def test_the_command_judges_them_and_reports_each(tmp_path, monkeypatch):
    monkeypatch.setattr("face3d_training.evaluation.run.measure_cost", functools.partial(measure_cost, seconds=0))
    rows = []
    for person, capture, variant, arrays, tags in point_rows(64, masked=False):
        code = CODES[capture]
        rows.append((person, capture, variant, arrays, {**tags, "category": code.partition("_")[0], "code": code}))
    dataset = publish(tmp_path, "points", rows, protocol="bosphorus")
    make_run(tmp_path / "small-s0", dataset, 0)
    out = tmp_path / "out"
    request = Request(dataset, out, (tmp_path / "small-s0",), baselines=False, settings=FEW, device="cpu")
    evaluation, _ = run_evaluation(request)
    (method,) = evaluation.methods.values()
    assert list(method.identification) == ["listed", "plain_to_plain", "bosphorus", *PARTS]
    assert [method.identification[name].probes for name in ("bosphorus", *PARTS)] == [12, 4, 4, 4, 4]
    report = next(out.glob("*.html")).read_text("utf-8")
    assert "Bosphorus: YR/R10" in report
    assert "figures are not those of papers" in report
    metrics = json.loads((out / "metrics.json").read_text("utf-8"))
    assert "figures are not those of papers" in json.dumps(metrics)
    assert "bosphorus-YR-R10" in json.dumps(metrics)
