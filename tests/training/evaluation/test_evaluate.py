import json

import numpy as np
import pytest
from score_matcher import ScoreMatcher, people_table, random_scores

from face3d_data.errors import UserError
from face3d_training.evaluation.metrics.evaluate import combine_seeds, compare, evaluate, figures_of
from face3d_training.evaluation.metrics.figure import as_json
from face3d_training.evaluation.metrics.lists import EvaluationSettings, lists_from, lists_of
from face3d_training.evaluation.metrics.matcher import EmbeddingMatcher

SETTINGS = EvaluationSettings(folds=4, per_fold=20, resamples=200)


@pytest.fixture(scope="module")
def table():
    return people_table(12, 4, ("none", "kn95"))


def net(table, name, noise, seed=0):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(12, 16))
    person = table["identity"].str[-2:].astype(int).to_numpy()
    return EmbeddingMatcher(name, table, centres[person] + noise * rng.normal(size=(len(table), 16)))


@pytest.fixture(scope="module")
def lists(table):
    return lists_of(table, SETTINGS)


@pytest.fixture(scope="module")
def good(table, lists):
    return evaluate(net(table, "good", 0.8), lists, SETTINGS)


@pytest.fixture(scope="module")
def bad(table, lists):
    return evaluate(net(table, "bad", 2.0, 1), lists, SETTINGS)


def test_all_protocols_both_ways(good):
    names = ["plain_to_plain", "masked_to_plain", "plain_to_masked", "masked_to_masked"]
    assert list(good.verification) == list(good.identification) == list(good.breakdown) == names
    one, other = (good.verification[name] for name in ("masked_to_plain", "plain_to_masked"))
    assert one.auc.value == other.auc.value
    assert np.array_equal(one.pairs.first, other.pairs.first)
    assert (one.title, other.title) == ("masked → plain", "plain → masked")
    assert one.genuine == 12 * 4 * 3
    assert one.folds is not None
    assert len(one.folds.folds) == 4
    assert (
        good.identification["masked_to_plain"].rank["1"].value != good.identification["plain_to_masked"].rank["1"].value
    )


def test_one_protocol_by_name_and_no_other(table):
    assert list(lists_of(table, SETTINGS, "plain_to_masked").pairs) == ["plain_to_masked"]
    with pytest.raises(
        UserError, match=r"there is no protocol 'maskd_to_plain' here \(known: plain_to_plain.*masked_to_plain"
    ):
        lists_of(table, SETTINGS, "maskd_to_plain")
    with pytest.raises(UserError, match="the split has no rows"):
        lists_of(table.iloc[:0], SETTINGS)


def test_without_masks_the_reader_is_told(table):
    plain = table[table["mask"] == "none"].reset_index(drop=True)
    lists = lists_of(plain, SETTINGS)
    assert list(lists.protocols) == ["plain_to_plain"]
    found = evaluate(net(plain, "net", 1.0), lists, SETTINGS)
    assert found.notices == ("no row is masked: the protocols with masked faces are left out",)


def test_the_result_is_json_without_raw_arrays(good):
    text = json.dumps(as_json(good), allow_nan=False)
    assert '"pairs"' not in text
    assert '"samples"' not in text
    assert '"outcomes"' not in text
    assert (
        json.loads(text)["verification"]["plain_to_plain"]["auc"]["value"]
        == good.verification["plain_to_plain"].auc.value
    )


def test_a_difference_is_paired_over_people(good, bad):
    found = compare(good, bad)
    assert (found.better, found.other) == ("good", "bad")
    one, two = figures_of(good), figures_of(bad)
    for name in one:
        for key in ("auc", "rank 1", "accuracy", "mAP"):
            figure = found.figures[name][key]
            assert figure.value == pytest.approx(one[name][key].value - two[name][key].value)
            assert np.allclose(figure.samples, one[name][key].samples - two[name][key].samples, equal_nan=True)
            assert figure.low < figure.value < figure.high
    assert found.figures["plain_to_plain"]["tar 1e-5"].value is None


@pytest.mark.slow
def test_pairing_makes_intervals_of_like_methods_narrow(table, lists):
    base = net(table, "a", 1.6)
    nudged = EmbeddingMatcher(
        "b", table, base.vectors + 0.05 * np.random.default_rng(5).normal(size=base.vectors.shape)
    )
    one, two = (evaluate(each, lists, SETTINGS) for each in (base, nudged))
    auc, difference = one.verification["plain_to_plain"].auc, compare(one, two).figures["plain_to_plain"]["auc"]
    assert difference.high - difference.low < 0.3 * (auc.high - auc.low)


@pytest.mark.slow
def test_what_was_not_evaluated_alike_is_not_compared(table, lists, good):
    others = [
        evaluate(net(table, "pairs", 1.0), lists_of(table, EvaluationSettings(most_pairs=200)), SETTINGS),
        evaluate(net(table, "few", 1.0), lists, EvaluationSettings(folds=4, per_fold=20, resamples=20)),
        evaluate(net(table, "one", 1.0), lists_of(table, SETTINGS, "plain_to_plain"), SETTINGS),
    ]
    for other in others:
        with pytest.raises(
            UserError, match=f"{other.name} and good were evaluated on different lists|good and {other.name}"
        ):
            compare(good, other)


@pytest.mark.slow
def test_seeds_give_mean_and_std_and_the_means_interval(table, lists):
    runs = [evaluate(net(table, f"seed {seed}", 1.5, seed), lists, SETTINGS) for seed in range(3)]
    found = combine_seeds("net", runs)
    values = [run.verification["masked_to_plain"].auc.value for run in runs]
    spread, figure = found.spread["masked_to_plain"]["auc"], found.figures["masked_to_plain"]["auc"]
    assert (spread.mean, spread.std, spread.n) == pytest.approx((np.mean(values), np.std(values, ddof=1), 3))
    assert figure.value == pytest.approx(np.mean(values))
    samples = [run.verification["masked_to_plain"].auc.samples for run in runs]
    assert figure.samples == pytest.approx(np.mean(samples, axis=0), nan_ok=True)
    assert found.methods == ("seed 0", "seed 1", "seed 2")
    assert found.spread["plain_to_plain"]["tar 1e-5"].n == 0
    with pytest.raises(UserError, match="no runs to combine"):
        combine_seeds("net", [])


@pytest.mark.slow
def test_the_mean_of_seeds_is_compared_like_a_run(table, lists, good):
    runs = [evaluate(net(table, f"seed {seed}", 1.5, seed), lists, SETTINGS) for seed in range(2)]
    found = compare(combine_seeds("net", runs), good)
    mean = np.mean([run.identification["plain_to_plain"].rank["1"].value for run in runs])
    wanted = mean - good.identification["plain_to_plain"].rank["1"].value
    assert found.figures["plain_to_plain"]["rank 1"].value == pytest.approx(wanted)


def test_a_file_of_pairs_is_the_only_list(table, tmp_path):
    named = table.assign(name=table["identity"], id=table["sample_id"])
    path = tmp_path / "my pairs.txt"
    path.write_text("d/p00\tc0\tc1\nd/p01\tc0\tc1\nd/p00\tc0\td/p01\tc0\nd/p02\tc0\td/p01\tc0\n")
    lists = lists_from(path, named)
    found = evaluate(ScoreMatcher(named, random_scores(named, np.random.default_rng(0), own=99.0)), lists, SETTINGS)
    assert list(found.verification) == ["my pairs"]
    assert found.identification == {}
    result = found.verification["my pairs"]
    assert (result.auc.value, result.genuine, result.impostors, result.complete) == (1.0, 2, 2, False)
    assert result.folds.accuracy.value is None
    assert result.notices == ("pairs: my pairs.txt has no folds",)


def test_a_list_without_folds_is_cut_where_that_is_asked_for(table, tmp_path):
    named = table.assign(name=table["identity"], id=table["sample_id"])
    people = sorted(set(table["identity"]))
    lines = [
        f"{name}\tc0\tc1\n{name}\tc0\t{other}\tc1\n"
        for name, other in zip(people, people[1:] + people[:1], strict=True)
    ]
    path = tmp_path / "mine.txt"
    path.write_text("".join(lines))
    pairs = lists_from(path, named, 3).pairs["mine"].folds
    parts = np.array_split(np.arange(len(pairs.first)), 3)
    assert [np.flatnonzero(pairs.fold == fold).tolist() for fold in range(3)] == [part.tolist() for part in parts]
    assert pairs.notes == ("pairs: mine.txt is cut into 3 folds, pair after pair: they may share people",)
    with pytest.raises(UserError, match=r"--folds 99: .*mine\.txt has .* pairs alone: ask for fewer"):
        lists_from(path, named, 99)
    path.write_text(f"2\t1\n{lines[0]}{lines[1]}")
    with pytest.raises(UserError, match=r"--folds 3: .*mine\.txt has folds of its own: leave the option out"):
        lists_from(path, named, 3)


def test_progress_is_told_each_list(table, lists):
    told = []
    evaluate(net(table, "net", 1.0), lists, EvaluationSettings(resamples=2), progress=told.append)
    assert told == [*lists.pairs, *lists.protocols]
