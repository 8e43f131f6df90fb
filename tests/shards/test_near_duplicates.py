"""Copies between splits are suspected and named, whatever was done to them; strangers are not."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from made import spec_of
from made_faces import N_POINTS, dataset_of, masked, sampled, scan, turned

from face3d_data.cli.verify import command
from face3d_data.engine.backends import Crash
from face3d_data.geometry.align import transform
from face3d_data.shards.audit import near_duplicates, near_duplicates_tasks, verify_leaks
from face3d_data.shards.audit.near_duplicates import find_near_duplicates
from face3d_data.shards.audit.near_duplicates_points import LEAST_POINTS_OF_PART, look_at_points
from face3d_data.shards.audit.verify import verify_dataset
from face3d_data.shards.read import Dataset

PEOPLE = 16
COPIES = {
    "resampled": lambda points: sampled(points, 1),
    "thinner": lambda points: np.tile(sampled(points, 2, N_POINTS // 2), (2, 1)),
    "noisy": lambda points: sampled(points + np.random.default_rng(0).normal(0, 0.3, points.shape).astype("f4"), 3),
    "turned": lambda points: sampled(turned(points), 4),
    "masked": lambda points: sampled(masked(points), 5),
}


def clouds(copies=()):
    """Twelve people in train, four in test; copies of train's are in test under names of their own."""
    found = {
        ("test" if person >= 12 else "train", f"p{person:02d}", "c0"): sampled(scan(person)) for person in range(PEOPLE)
    }
    for number, name in enumerate(copies):
        found["test", f"copy-{name}", f"of-p{number:02d}"] = COPIES[name](scan(number))
    return found


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    return dataset_of(tmp_path_factory.mktemp("planted"), clouds(COPIES))


def test_a_part_of_a_face_is_not_told_by_sparse_clouds(tmp_path):
    few = LEAST_POINTS_OF_PART - 1
    found = {("train", "ann", "c0"): sampled(scan(0), 1, few), ("test", "bob", "c0"): sampled(scan(0), 2, few)}
    dataset = Dataset(dataset_of(tmp_path, found))
    look = look_at_points(dataset, table_of(dataset), "points")
    comparison = look.comparison(dict(enumerate(look.describe(0, 2).laid)))
    assert [np.isfinite(comparison.distance(0, 1, part).part_mm) for part in (0, 1)] == [True, False]


def table_of(dataset):
    return pd.concat([dataset.table(split) for split in dataset.splits], ignore_index=True)


def pairs(search):
    return {tuple(sorted(suspect.samples)) for suspect in search.suspects}


@pytest.mark.slow
def test_each_copy_is_suspected_and_nobody_else(planted):
    dataset = Dataset(planted)
    search = find_near_duplicates(dataset, table_of(dataset))
    assert pairs(search) == {(f"d/copy-{name}/of-p{n:02d}", f"d/p{n:02d}/c0") for n, name in enumerate(COPIES)}
    for suspect in search.suspects:
        assert (suspect.kind, set(suspect.splits)) == ("near_duplicate", {"train", "test"})
        assert suspect.how.startswith("points, upper face" if "masked" in str(suspect) else "points, whole face")
    assert search.looked == (f"points of {PEOPLE + len(COPIES)} samples",)
    assert search.notes == ()


@pytest.mark.slow
def test_verify_names_them_and_fails_only_if_strict(planted):
    verdict = verify_dataset(planted)
    assert verdict.ok
    assert len(verdict.search.suspects) == len(COPIES)
    done = CliRunner().invoke(command, [str(planted)])
    assert done.exit_code == 0, done.output
    assert f"faces: near-duplicates between splits: {len(COPIES)} suspected (points of 21 samples)\n" in done.output
    first = "faces: suspected: train d/p04/c0 and test d/copy-masked/of-p04: points, upper face: "
    assert first in done.output
    assert done.output.endswith("faces: ok\n")
    done = CliRunner().invoke(command, [str(planted), "--strict", "--json"])
    assert done.exit_code == 1
    record = json.loads(done.output)
    assert record["ok"]
    assert {tuple(sorted(one["samples"])) for one in record["suspected"]} == pairs(verdict.search)
    assert ["d/p00", "d/copy-resampled"] in [one["people"] for one in record["suspected"]]
    assert record["near_duplicates"]["looked_at"] == ["points of 21 samples"]


@pytest.mark.slow
def test_it_can_be_left_out_and_is_left_out_where_it_would_take_long(planted, monkeypatch):
    done = CliRunner().invoke(command, [str(planted), "--no-near-duplicates"])
    assert "faces: near-duplicates were not looked for: not asked for\n" in done.output
    monkeypatch.setattr(verify_leaks, "FEW", 20)
    done = CliRunner().invoke(command, [str(planted)])
    assert done.exit_code == 0
    done = CliRunner().invoke(command, [str(planted), "--strict"])
    assert done.exit_code == 1, "what was not looked for is not known to be absent"
    assert "not looked for: 21 samples are more than 20: --near-duplicates looks\n" in done.output
    done = CliRunner().invoke(command, [str(planted), "--near-duplicates"])
    assert f"{len(COPIES)} suspected" in done.output


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"normalize": True}, {"dtype": "float16"}])
def test_clouds_on_the_unit_sphere_and_in_half_precision(tmp_path, options):
    dataset = Dataset(dataset_of(tmp_path, clouds(["resampled", "masked"][:1]), spec_of(**options)))
    assert pairs(find_near_duplicates(dataset, table_of(dataset))) == {("d/copy-resampled/of-p00", "d/p00/c0")}


def in_camera(points):
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    pose[:3, 3] = (20, 10, 600)
    return transform(points, pose)


@pytest.mark.slow
def test_landmarks_bring_clouds_of_the_camera_into_the_face_frame(tmp_path):
    from face3d_data.geometry.mean_face import mean_face

    seen = {key: in_camera(points) for key, points in clouds(["resampled"]).items()}
    marks = dict.fromkeys(seen, in_camera(mean_face().landmarks).astype("f4"))
    spec = spec_of(fields=["points", "landmarks_3d"])
    dataset = Dataset(dataset_of(tmp_path / "a", seen, spec, landmarks_3d=marks))
    assert pairs(find_near_duplicates(dataset, table_of(dataset))) == {("d/copy-resampled/of-p00", "d/p00/c0")}
    dataset = Dataset(dataset_of(tmp_path / "b", seen))
    search = find_near_duplicates(dataset, table_of(dataset))
    assert search.looked == ()
    assert search.notes[0].startswith("points are not in the face frame")


def photo(seed):
    """A smooth pattern with some detail, u1 (48, 48, 3)."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    field = sum(
        weight * gaussian_filter(rng.standard_normal((48, 48, 3)), (s, s, 0)) * s
        for s, weight in ((6, 3), (2, 2), (1, 1))
    )
    return np.clip(128 + 40 * field, 0, 255).astype("u1")


def test_photographs_saved_anew_are_suspected(tmp_path):
    import cv2

    photos = {("test" if n >= 12 else "train", f"p{n:02d}", "c0"): photo(n) for n in range(PEOPLE)}
    photos["test", "jpeg", "c0"] = cv2.imdecode(cv2.imencode(".jpg", photo(0), [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 1)
    photos["test", "bright", "c0"] = np.clip(photo(1) * 0.8 + 30, 0, 255).astype("u1")
    covered = photo(2).copy()
    covered[26:] = (200, 220, 240)
    photos["test", "masked", "c0"] = covered
    points = {key: np.zeros((16, 3), "f4") for key in photos}
    dataset = Dataset(dataset_of(tmp_path, points, spec_of(fields=["color"]), color=photos))
    search = find_near_duplicates(dataset, table_of(dataset))
    assert pairs(search) == {("d/jpeg/c0", "d/p00/c0"), ("d/bright/c0", "d/p01/c0"), ("d/masked/c0", "d/p02/c0")}
    assert search.looked == ("color of 19 samples",)


@pytest.mark.slow
def test_one_split_has_nothing_to_compare(tmp_path):
    one = {("train", person, capture): points for (_, person, capture), points in clouds(["resampled"]).items()}
    dataset = Dataset(dataset_of(tmp_path, one))
    search = find_near_duplicates(dataset, table_of(dataset))
    assert (search.looked, search.notes) == (("there is one split",), ())


def test_pairs_that_leak_for_certain_are_passed_over(planted):
    dataset = Dataset(planted)
    search = find_near_duplicates(dataset, table_of(dataset), lambda first, second: True)
    assert (search.suspects, search.compared) == ((), 0)


@pytest.mark.slow
def test_workers_change_nothing(planted, monkeypatch):
    monkeypatch.setattr(near_duplicates, "ALONE", 0)
    monkeypatch.setattr(near_duplicates_tasks, "ROWS", 4)
    monkeypatch.setattr(near_duplicates_tasks, "PAIRS", 3)
    dataset = Dataset(planted)
    alone, two = (find_near_duplicates(dataset, table_of(dataset), jobs=jobs) for jobs in (1, 2))
    assert alone.suspects == two.suspects
    assert len(two.suspects) == len(COPIES)
    assert (alone.compared, alone.looked, alone.notes) == (two.compared, two.looked, two.notes)


@pytest.mark.slow
def test_many_samples_are_searched_by_an_index_that_is_checked(planted, monkeypatch):
    pytest.importorskip("faiss", reason="the extra faiss is not installed")
    dataset = Dataset(planted)
    exact = find_near_duplicates(dataset, table_of(dataset))
    monkeypatch.setattr(near_duplicates, "EXACT", 10)
    search = find_near_duplicates(dataset, table_of(dataset))
    assert (search.suspects, search.compared) == (exact.suspects, exact.compared)
    [remark] = search.remarks
    assert re.search("by Faiss' index, which found ([1-9]\\d*) of \\1 pairs", remark)
    assert exact.remarks == search.notes == ()


@pytest.mark.slow
def test_without_faiss_many_samples_are_searched_exactly_and_a_line_says_so(planted, monkeypatch):
    monkeypatch.setattr(near_duplicates, "EXACT", 10)
    monkeypatch.setattr(near_duplicates, "find_spec", lambda name: None)
    done = CliRunner().invoke(command, [str(planted), "-j", "1"])
    assert f"{len(COPIES)} suspected (points of 21 samples)\n" in done.output
    assert "faces: near-duplicates: the nearest samples were searched for exactly, in a time " in done.output
    assert "faiss]" in done.output


def test_samples_that_kill_their_worker_are_counted(planted):
    class Deadly:
        def run(self, label, total, tasks):
            yield from ((task, Crash("it killed 2 fresh workers")) for task in tasks)

    dataset = Dataset(planted)
    look = look_at_points(dataset, table_of(dataset), "points")
    described, notes = near_duplicates_tasks.describe(look, 21, Deadly())
    assert not described.shown.any()
    assert notes == ["points of 1 sample killed the worker process that read them"]


def test_tasks_are_halved_down_to_one_row_or_pair(planted):
    rows = near_duplicates_tasks.DescribeRows(None, 4, 7)
    assert [(half.start, half.stop) for half in rows.halves()] == [(4, 5), (5, 7)]
    assert rows.halves()[0].halves() == []
    pairs = near_duplicates_tasks.ComparePairs(None, ((0, 1, (0,)), (0, 2, (1,)), (1, 2, (0,))), {})
    assert [len(half.pairs) for half in pairs.halves()] == [1, 2]
    assert pairs.halves()[0].halves() == []


def test_faces_that_cannot_be_told_are_counted_out(tmp_path):
    found = clouds(["resampled"])
    rng = np.random.default_rng(0)
    found["test", "stone", "c0"] = rng.normal(0, 3000, (N_POINTS, 3)).astype("f4")
    dataset = Dataset(dataset_of(tmp_path, found))
    search = find_near_duplicates(dataset, table_of(dataset))
    assert search.looked == (f"points of {len(found) - 1} samples",)
    assert pairs(search) == {("d/copy-resampled/of-p00", "d/p00/c0")}
