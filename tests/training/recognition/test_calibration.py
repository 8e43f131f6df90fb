"""Calibration: thresholds for false match rates and probabilities, on the scores of evaluations."""

import json

import numpy as np
import pandas as pd
import pytest

from face3d_data.errors import UserError
from face3d_training.recognition.calibration import (
    calibrate,
    calibrate_on,
    check_calibration_file,
    read_calibration,
    save_calibration,
)


def pairs_of(people, captures, rng, spread=0.1):
    """Return pairs of made-up people with distances that are normal: genuine about .5, impostor about 1."""
    rows = []
    for one in range(people):
        for other in range(people):
            for _ in range(captures):
                distance = rng.normal(0.5 if one == other else 1.0, spread)
                rows.append((f"p{one}", f"p{other}", int(one == other), distance))
    return pd.DataFrame(rows, columns=["name1", "name2", "same", "distance"])


@pytest.fixture(scope="module")
def pairs():
    return pairs_of(40, 4, np.random.default_rng(0))


@pytest.fixture(scope="module")
def found(pairs):
    return calibrate(pairs["distance"].to_numpy(), pairs, "ab" * 32, "made up", "no real faces")


def test_each_threshold_is_the_loosest_that_keeps_its_rate(found, pairs):
    distances, same = pairs["distance"].to_numpy(), pairs["same"].to_numpy(bool)
    strangers = np.sort(distances[~same])
    for point in found.points:
        accepted = int((strangers <= point.distance).sum())
        assert accepted <= point.fmr * len(strangers)
        assert (strangers <= strangers[accepted]).sum() > point.fmr * len(strangers), "one more would be too many"
        assert point.fnmr == pytest.approx((distances[same] > point.distance).mean())
        assert point.fmr_low <= accepted / len(strangers) <= point.fmr_high
        assert point.fnmr_low <= point.fnmr <= point.fnmr_high


def test_equal_distances_are_accepted_or_rejected_together():
    pairs = pairs_of(20, 4, np.random.default_rng(1))
    distances = pairs["distance"].round(1).to_numpy()
    strangers = distances[pairs["same"].to_numpy() == 0]
    for point in calibrate(distances, pairs, "", "", "").points:
        assert (strangers <= point.distance).mean() <= point.fmr


def test_a_rate_of_fewer_than_thirty_false_matches_is_refused(found):
    """6,240 impostor pairs show one in 200, not one in 500."""
    assert found.impostors == 6240
    assert [point.fmr for point in found.points][-1] == 5e-3
    assert found.point(1e-2).fmr == 1e-2
    assert found.point(7e-3).fmr == 5e-3, "the next lower one"
    with pytest.raises(
        UserError, match=r"--fmr 0.001: cannot be shown by 6,240 impostor pairs of 40 people \(the lowest"
    ):
        found.point(1e-3)


def test_so_few_pairs_that_no_rate_can_be_shown():
    pairs = pairs_of(4, 1, np.random.default_rng(2))
    with pytest.raises(UserError, match="12 impostor pairs show no false match rate: at least 60 are needed"):
        calibrate(pairs["distance"].to_numpy(), pairs, "", "", "")


def test_scores_that_say_nothing_are_refused():
    pairs = pairs_of(12, 4, np.random.default_rng(2))
    with pytest.raises(UserError, match="are no nearer than those of two"):
        calibrate(1.5 - pairs["distance"].to_numpy(), pairs, "", "", "")
    for wrong in (np.nan, -0.5, 2.5):
        with pytest.raises(UserError, match="are no distances of embeddings from 0 to 2"):
            calibrate(np.where(np.arange(len(pairs)) == 5, wrong, pairs["distance"]), pairs, "", "", "")


@pytest.mark.parametrize(
    "change",
    [
        {"slope": float("nan")}, {"slope": 3.0}, {"slope": "steep"}, {"people": None}, {"people": 0}, {"notice": 3},
        {"points": "reversed"}, {"points": [{"fmr": 0.1}]}, {"distance": 99.0}, {"distance": float("nan")},
        {"fmr": "0.1"},
    ],
)  # fmt: skip
def test_a_damaged_calibration_is_not_believed(found, tmp_path, change):
    record = json.loads(json.dumps(found.record()))
    for key, value in change.items():
        if value == "reversed":
            record["points"] = record["points"][::-1]
        elif key in ("distance", "fmr"):
            record["points"][2][key] = value
        else:
            record[key] = value
    (tmp_path / "c.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"make it again|is no calibration|cannot be read"):
        read_calibration(tmp_path / "c.json")


def test_a_calibration_replaces_a_calibration_alone(found, tmp_path):
    save_calibration(tmp_path / "c.json", found)
    check_calibration_file(tmp_path / "c.json")
    check_calibration_file(tmp_path / "new.json")
    (tmp_path / "notes.json").write_text("{}")
    for name, message in (("notes.json", "is there already and is no calibration"), ("people.h5", "the ending .json")):
        with pytest.raises(UserError, match=message):
            check_calibration_file(tmp_path / name)


def test_probabilities_are_those_of_other_people_too():
    """Of pairs with a probability of about p, about a share p show one person, where both kinds are as frequent."""
    rng = np.random.default_rng(3)
    pairs = pairs_of(30, 40, rng)
    found = calibrate(pairs["distance"].to_numpy(), pairs, "", "", "")
    same = rng.random(200_000) < 0.5
    distances = rng.normal(np.where(same, 0.5, 1.0), 0.1)
    said = found.probability(distances)
    for low in np.arange(0.1, 0.9, 0.1):
        among = (said >= low) & (said < low + 0.1)
        assert same[among].mean() == pytest.approx(said[among].mean(), abs=0.06)
    assert (np.diff(found.probability(np.linspace(0, 2, 50))) <= 0).all()


def test_intervals_are_over_people_not_pairs():
    """A person who resembles everybody widens the interval; as many pairs of unlike people do not."""
    rng = np.random.default_rng(4)
    pairs = pairs_of(30, 4, rng)
    lookalike = pairs.copy()
    everybody = (lookalike["name1"] == "p0") & (lookalike["same"] == 0)
    lookalike.loc[everybody, "distance"] = rng.normal(0.75, 0.1, everybody.sum())
    widths = []
    for one in (pairs, lookalike):
        point = calibrate(one["distance"].to_numpy(), one, "", "", "").point(1e-2)
        widths.append(point.fmr_high - point.fmr_low)
    assert widths[1] > 1.5 * widths[0]


def test_it_is_read_back_as_it_was_written(found, tmp_path):
    save_calibration(tmp_path / "c.json", found)
    assert read_calibration(tmp_path / "c.json") == found


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 9}'])
def test_a_file_that_is_no_calibration_is_one_line(tmp_path, text):
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(UserError, match="face3d calibrate"):
        read_calibration(path)
    with pytest.raises(UserError, match=r"none\.json: cannot be read"):
        read_calibration(tmp_path / "none.json")


def evaluation(folder, pairs, dataset="d", lists=("listed",), networks=("net",), sha="ab" * 32):
    """Write what an evaluation of these distances writes of scores."""
    folder.mkdir()
    about = {"checkpoints": [{"method": name, "sha256": sha} for name in networks]}
    metrics = {"dataset": {"name": dataset, "note": "made up"}, "about": about}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    parts = [pairs.assign(list=name, fold=fold) for name in lists for fold in ("", "1")]
    table = pd.concat(parts).assign(id1="a", id2="b", **{name: -pd.concat(parts)["distance"] for name in networks})
    table.drop(columns="distance").to_csv(folder / "scores.csv", index=False)
    return folder


def test_evaluations_are_taken_together_each_pair_once(tmp_path, pairs, found):
    one = evaluation(tmp_path / "one", pairs, "one")
    alone = calibrate_on([one])
    assert (alone.genuine, alone.impostors, alone.people) == (found.genuine, found.impostors, found.people)
    assert alone.points[0].distance == pytest.approx(found.points[0].distance)
    assert (alone.measured_on, alone.notice, alone.network) == ("one (listed)", "made up", "ab" * 32)
    both = calibrate_on([one, evaluation(tmp_path / "two", pairs, "two")])
    assert (both.people, both.impostors) == (2 * found.people, 2 * found.impostors), "people of two datasets are two"


def test_what_cannot_be_calibrated_is_one_line(tmp_path, pairs):
    one = evaluation(tmp_path / "one", pairs, "one", networks=("a", "b"))
    with pytest.raises(UserError, match=r"choose one of its networks with --method \(a, b\)"):
        calibrate_on([one])
    assert calibrate_on([one], "b").people == 40
    with pytest.raises(UserError, match="two evaluations are of one dataset"):
        calibrate_on([one, one], "a")
    other = evaluation(tmp_path / "other", pairs, "other", networks=("a",), sha="cd" * 32)
    with pytest.raises(UserError, match="other: is of another network than"):
        calibrate_on([one, other], "a")
    with pytest.raises(UserError, match="is no evaluation"):
        calibrate_on([tmp_path / "none"])
    masked = evaluation(tmp_path / "masked", pairs, "m", lists=("masked_to_masked",))
    with pytest.raises(UserError, match=r"no scores of probes against plain faces \(masked_to_masked\)"):
        calibrate_on([masked])
