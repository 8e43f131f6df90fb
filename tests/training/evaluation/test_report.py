"""The report, the lines and the files of an evaluation, on made-up figures."""

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from example_result import example_evaluation, example_table, figure

from face3d_data.errors import UserError
from face3d_training.evaluation.metrics.figure import Figure
from face3d_training.evaluation.metrics.results import DatasetFacts, Difference, Evaluation
from face3d_training.evaluation.networks.about import About, CheckpointFacts, LeakCheck
from face3d_training.evaluation.report import files
from face3d_training.evaluation.report.drawn import Drawn, draw
from face3d_training.evaluation.report.page import make_report
from face3d_training.evaluation.report.printed import printed
from face3d_training.evaluation.report.score_tables import score_tables
from face3d_training.evaluation.report.verdict import verdicts

TABLE = example_table()
LEAK = LeakCheck("net seed 0", "found", ("2 people of the split were in the training data: d/p0, d/p1",))
ABOUT = About(
    (LeakCheck("net seed 0", "none", compared=("name", "recording")), LeakCheck("net seed 1", "unknown")),
    (CheckpointFacts("net seed 0", "runs/x/best.pt", "ab" * 32, "pointnet_basic", 512, 30, 4, "people", "cd" * 16),),
    ("depth map",),
    {"torch": "2.13"},
    ("rendered faces <not> scans",),
)


class Page(HTMLParser):
    """What a page holds: tags with their attributes, and its text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self._open = [], "", []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def drawn():
    vectors = {"net seed 0": np.random.default_rng(0).normal(size=(len(TABLE), 8))}
    return draw(example_evaluation(), ABOUT, TABLE, vectors, None)


@pytest.fixture(scope="module")
def whole(drawn):
    return Page(make_report(example_evaluation(), ABOUT, TABLE, drawn))


@pytest.mark.slow
def test_the_report_needs_nothing_from_outside(whole):
    assert whole.of("script") == whole.of("link") == whole.of("iframe") == []
    sources = [image["src"] for image in whole.of("img")]
    assert len(sources) > 10
    for source in sources:
        kind, _, content = source.partition(";base64,")
        assert kind in ("data:image/svg+xml", "data:image/jpeg")
        assert base64.b64decode(content, validate=True)
    assert all(link["href"].startswith("#") for link in whole.of("a"))
    anchors = {attributes["id"] for _, attributes in whole.tags if "id" in attributes}
    assert {link["href"][1:] for link in whole.of("a")} <= anchors


@pytest.mark.slow
def test_every_figure_of_the_evaluation_stands_in_it_with_its_interval(whole):
    for method in example_evaluation().methods.values():
        for key in method.verification:
            shown = (method.verification[key].auc, method.verification[key].eer, method.identification[key].rank["1"])
            for one in shown:
                assert f"{one.value:.3f}" in whole.text
                assert f"{one.low:.3f} – {one.high:.3f}" in whole.text


@pytest.mark.slow
def test_what_cannot_be_measured_says_why(whole):
    assert "rank-10: not measurable with 6 people enrolled" in whole.text
    assert "TAR at FAR 1e-3, 1e-4, 1e-5: not measurable with 240 impostor pairs" in whole.text


@pytest.mark.slow
def test_notices_are_text_and_no_markup(whole):
    assert "rendered faces <not> scans" in whole.text
    assert "not real scans" in whole.text
    assert "what is judged was compared with what net seed 0 learnt from: people and captures" in whole.text
    assert "Nothing in common was found." in whole.text
    assert "changed since, are found by none of these." in whole.text
    assert "by their names (by name) and captures by the bytes of their files (by recording)." in whole.text
    assert "Unknown for net seed 0: by content;" in whole.text


@pytest.mark.slow
def test_what_stands_behind_is_told(whole):
    for text in ("ab" * 32, "0" * 32, "people (" + "cd" * 16, "torch 2.13", "700,000", "150 M", "ms a face, batch 64"):
        assert text in whole.text


@pytest.mark.slow
def test_leaks_that_were_allowed_stand_at_the_top(drawn):
    about = replace(ABOUT, leaks=(LEAK,))
    text = "LEAK, allowed by --allow-leaks: net seed 0: 2 people of the split were in the training data: d/p0, d/p1"
    assert text in Page(make_report(example_evaluation(), about, TABLE, drawn)).text
    assert "LEAK: net seed 0: 2 people of the split were in the training data: d/p0, d/p1" in printed(
        example_evaluation(), about
    )
    assert files.metrics_of(example_evaluation(), about)["about"]["leaks"][0]["state"] == "found"


@pytest.mark.slow
def test_what_has_to_be_said_beside_every_figure_is(whole):
    beside = [line for line in printed(example_evaluation(), ABOUT) if line.startswith(("plain →", "masked →"))]
    assert len(beside) == 2
    assert all("not real scans" in line for line in beside)
    assert whole.text.count("not real scans") >= 3


def test_lines_hold_the_figures_of_each_method():
    evaluation = example_evaluation()
    lines = list(printed(evaluation, ABOUT))
    for name, method in evaluation.methods.items():
        rows = [line.split() for line in lines if re.match(rf" +{name} +\d", line)]
        assert len(rows) == 2
        for row, key in zip(rows, method.verification, strict=True):
            values = [f"{method.identification[key].rank['1'].value:.3f}", f"{method.verification[key].auc.value:.3f}"]
            assert [word for word in row if re.fullmatch(r"\d\.\d{3}", word)][:2] == values
    assert max(len(line) for line in lines if line.startswith("  ")) < 120


def test_a_dataset_s_own_queries_are_printed_with_map_and_further_ranks():
    evaluation = example_evaluation()
    assert not any("mAP" in line for line in printed(evaluation, ABOUT))

    def renamed(found):
        return {"listed" if key == "masked_to_plain" else key: value for key, value in found.items()}

    methods = {name: replace(method, identification=renamed(method.identification),
                             verification=renamed(method.verification))
               for name, method in evaluation.methods.items()}  # fmt: skip
    lines = list(printed(replace(evaluation, methods=methods), ABOUT))
    for name, method in methods.items():
        found = method.identification["listed"]
        (line,) = (line.strip() for line in lines if line.strip().startswith(f"{name}: mAP "))
        assert line.startswith(f"{name}: mAP {found.mean_average_precision.value:.3f}, rank-5 ")


def difference(value, low, high, name="rank 1", other="depth map"):
    return Difference("net", other, {"masked_to_plain": {name: Figure(value, low, high)}})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("differences", "state", "text"),
    [
        ((difference(0.05, 0.01, 0.1),), "better", "(+5.0 points [+1.0, +10.0] of rank-1 against depth map)"),
        ((difference(0.05, -0.01, 0.1),), "unclear", "(+5.0 points [-1.0, +10.0] of rank-1 against depth map)"),
        ((difference(0.05, None, None),), "unclear", "(+5.0 points of rank-1 against depth map)"),
        ((difference(-0.02, -0.1, 0.1),), "unclear", "(-2.0 points [-10.0, +10.0] of rank-1 against depth map)"),
        ((difference(0, 0, 0),), "unclear", "(+0.0 points [+0.0, +0.0] of rank-1 against depth map)"),
        ((difference(-0.05, -0.1, -0.01),), "worse", "(-5.0 points [-10.0, -1.0] of rank-1 against depth map)"),
        (
            (difference(0.05, 0.01, 0.1), difference(-0.02, -0.1, -0.01, other="lda")),
            "worse",
            "against depth map; -2.0 points [-10.0, -1.0] of rank-1 against lda)",
        ),
        (
            (difference(0.05, 0.01, 0.1), difference(0.01, -0.01, 0.1, other="lda")),
            "unclear",
            "against depth map; +1.0 points [-1.0, +10.0] of rank-1 against lda)",
        ),
    ],
)
def test_a_network_is_held_against_the_baselines(drawn, differences, state, text):
    evaluation = replace(example_evaluation(), differences=differences)
    [verdict] = verdicts(evaluation, ["depth map", "lda"])
    assert verdict.state == state
    assert text in verdict.text
    about = replace(ABOUT, baselines=("depth map", "lda"))
    assert verdict.text in Page(make_report(evaluation, about, TABLE, drawn)).text
    said = {
        "better": "net beats the baselines on masked → plain",
        "unclear": "net neither beats every baseline beyond chance nor loses to one on masked → plain: judge on more "
        "people",
        "worse": "net loses to a baseline on masked → plain: there it is not worth its parameters",
    }[state]
    assert said in list(printed(evaluation, about))
    assert f"{said}." in Page(make_report(evaluation, about, TABLE, drawn)).text


def test_where_rank_1_is_equal_the_area_decides():
    both = {"masked_to_plain": {"rank 1": Figure(0.0, 0.0, 0.0), "auc": Figure(0.01, 0.005, 0.02)}}
    evaluation = replace(example_evaluation(), differences=(Difference("net", "depth map", both),))
    [verdict] = verdicts(evaluation, ["depth map"])
    assert (verdict.state, "+1.0 points [+0.5, +2.0] of AUC" in verdict.text) == ("better", True)


def test_networks_are_not_held_against_each_other_as_baselines():
    assert verdicts(example_evaluation(), []) == []


def without_figures():
    """Return an evaluation of one person, in which nothing could be measured."""
    whole = example_evaluation()
    none = Figure(None, why="not measurable: no impostor pairs")
    method = whole.methods["net seed 0"]
    empty = np.zeros(0, int)
    pairs = replace(
        method.verification["plain_to_plain"].pairs,
        first=empty,
        second=empty,
        same=empty.astype(bool),
        scores=empty * 1.0,
    )
    verification = replace(
        method.verification["plain_to_plain"],
        **{"people": 1, "genuine": 0, "impostors": 0, "auc": none, "eer": none, "pairs": pairs, "folds": None},
        tar={"1e-1": none},
    )
    outcomes = method.identification["plain_to_plain"].outcomes
    nobody = replace(outcomes, **{name: getattr(outcomes, name)[:0] for name in vars(outcomes)})
    identification = replace(
        method.identification["plain_to_plain"],
        **{"people": 1, "gallery": 1, "probes": 0, "rank": {"1": none}, "cmc": (), "mean_average_precision": none},
        outcomes=nobody,
    )
    method = replace(
        method,
        verification={"plain_to_plain": verification},
        identification={"plain_to_plain": identification},
        breakdown={"plain_to_plain": {}},
    )
    return Evaluation(DatasetFacts("toy", "0" * 32, "test", 1, 1, 1, 0), {"net seed 0": method})


def test_one_person_and_no_pairs_make_a_report_that_says_so(tmp_path):
    evaluation = without_figures()
    vectors = {"net seed 0": np.ones((1, 4))}
    shown = Page(make_report(evaluation, About(), TABLE[:1], draw(evaluation, About(), TABLE[:1], vectors, None)))
    assert "rank-1, mAP, AUC, EER, TAR at FAR 1e-1: not measurable: no impostor pairs" in shown.text
    assert "not measurable" in "\n".join(printed(evaluation, About()))
    files.write_evaluation(tmp_path / "out", evaluation, About(), TABLE[:1], "report", {})
    assert (tmp_path / "out" / files.SCORES).read_text() == "list,fold,id1,name1,id2,name2,same,net seed 0\n"


@pytest.fixture
def written(tmp_path):
    files.write_evaluation(tmp_path / "out", example_evaluation(), ABOUT, TABLE, "<p>report</p>", {"a-roc": "<svg/>"})
    return tmp_path / "out"


def test_scores_are_those_of_the_pairs_exactly(written):
    evaluation = example_evaluation()
    scores = pd.read_csv(written / files.SCORES, keep_default_na=False, float_precision="round_trip")
    for key in ("plain_to_plain", "masked_to_plain"):
        for method in evaluation.methods.values():
            result = method.verification[key]
            for pairs, fold in ((result.pairs, False), (result.folds.pairs, True)):
                rows = scores[(scores["list"] == key) & ((scores["fold"] != "") == fold)]
                assert np.array_equal(rows[method.name].to_numpy(float), pairs.scores)
                assert rows["id1"].tolist() == TABLE["id"].iloc[pairs.first].tolist()
                assert rows["id2"].tolist() == TABLE["id"].iloc[pairs.second].tolist()
                assert np.array_equal(rows["same"].to_numpy() == 1, pairs.same)
                assert ((rows["name1"] == rows["name2"]) == (rows["same"] == 1)).all()


def test_probes_are_told_with_their_rank_and_rival(written):
    probes = pd.read_csv(written / files.PROBES, keep_default_na=False, float_precision="round_trip")
    for method in example_evaluation().methods.values():
        for key, result in method.identification.items():
            rows = probes[(probes["protocol"] == key) & (probes["method"] == method.name)]
            assert rows["rank"].tolist() == result.outcomes.rank.tolist()
            assert rows["rival"].tolist() == TABLE["id"].iloc[result.outcomes.rival].tolist()


def test_metrics_are_plain_json_with_what_stands_behind(written):
    metrics = json.loads((written / files.METRICS).read_text())
    auc = example_evaluation().methods["depth map"].verification["plain_to_plain"].auc
    told = metrics["methods"]["depth map"]["verification"]["plain_to_plain"]["auc"]
    assert told == {"value": auc.value, "low": auc.low, "high": auc.high, "why": None}
    assert metrics["about"]["checkpoints"][0]["seed"] == 4
    assert metrics["dataset"]["note"] == "not real scans"


def test_the_folder_is_whole(written):
    assert sorted(path.name for path in written.iterdir()) == [
        *("metrics.json", "plots", "probes.csv", "report.html", "scores.csv")
    ]
    assert (written / "plots" / "a-roc.svg").read_text() == "<svg/>"


def test_an_evaluation_is_replaced_and_anything_else_is_not(written, tmp_path):
    files.write_evaluation(written, example_evaluation(1), ABOUT, TABLE, "again", {})
    assert (written / "report.html").read_text() == "again"
    assert list((written / "plots").iterdir()) == []
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(UserError, match="mine: contains something other than an evaluation"):
        files.write_evaluation(tmp_path / "mine", example_evaluation(), ABOUT, TABLE, "", {})
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"


def test_a_write_that_fails_leaves_what_was_there(written, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "probes_table", lambda *arguments: pd.DataFrame({"a": [1]}).missing)
    with pytest.raises(AttributeError):
        files.write_evaluation(written, example_evaluation(1), ABOUT, TABLE, "again", {})
    assert (written / "report.html").read_text() == "<p>report</p>"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"--out .*: cannot be written"):
        files.write_evaluation(tmp_path / "file" / "out", example_evaluation(), ABOUT, TABLE, "", {})


@pytest.mark.slow
def test_several_runs_stand_as_mean_and_spread_before_each_run(whole):
    evaluation = example_evaluation()
    lines = list(printed(evaluation, ABOUT))
    [mean] = [line for line in lines if line.startswith("  net, mean of 2 runs") and "±" in line]
    group = evaluation.seeds[0]
    assert f"{group.figures['plain_to_plain']['auc'].value:.3f} ±0.004" in mean
    assert "net, mean of 2 runs" in whole.text


def test_runs_follow_their_mean_in_whatever_order_they_were_given():
    evaluation = example_evaluation()
    methods = {name: evaluation.methods[name] for name in ("net seed 0", "depth map", "net seed 1")}
    table = score_tables(replace(evaluation, methods=methods), ["depth map"])[0]
    rows = [("net, mean of 2 runs", "runs"), ("net seed 0", "run"), ("net seed 1", "run"), ("depth map", "baseline")]
    assert [(row.name, row.kind) for row in table.rows] == rows


def test_a_figure_s_best_is_bold_the_lowest_error_too():
    rng = np.random.default_rng(0)
    evaluation = example_evaluation()
    methods = {}
    for name, auc, eer in (("a", 0.9, 0.2), ("b", 0.8, 0.1)):
        method = evaluation.methods["depth map"]
        result = replace(method.verification["plain_to_plain"], auc=figure(auc, rng), eer=figure(eer, rng))
        verification = {"plain_to_plain": result}
        methods[name] = replace(method, name=name, verification=verification, identification={}, breakdown={})
    evaluation = replace(evaluation, methods=methods, seeds=(), differences=())
    html = make_report(evaluation, About(), TABLE, Drawn({}, {}))
    best = re.findall(r'class="best">([\d.]+)<', html)
    assert "0.900" in best
    assert "0.100" in best
    assert "0.800" not in best
    assert "0.200" not in best
