"""Planted leaks of every kind are found and named: which samples, in which splits, in lines and as JSON."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from made import build, manifest, sign, spec_of

from face3d_data.cli.verify import command
from face3d_data.digest import digest_file
from face3d_data.shards.audit.verify import verify_dataset
from face3d_data.shards.leaks import Leak, find_leaks, leak_of, told_leaks
from face3d_data.shards.read import Dataset

EVERYTHING = spec_of(fields=["points", "color"])


def verified(link, *options):
    """Return the exit code, the lines, and the JSON of `face3d verify`."""
    told = CliRunner().invoke(command, [str(link), *options])
    record = CliRunner().invoke(command, [str(link), *options, "--json"])
    assert told.exit_code == record.exit_code
    return told.exit_code, told.output.splitlines(), json.loads(record.output)


def of_kind(record, kind):
    return [(leak["what"], leak["samples"]) for leak in record["leaks"] if leak["kind"] == kind]


@pytest.mark.slow
def test_a_clean_dataset(tmp_path):
    code, lines, record = verified(build(tmp_path, spec=EVERYTHING))
    assert code == 0
    assert (record["ok"], record["leaks"], record["suspected"], record["allow_leaks"]) == (True, [], [], False)
    assert lines[-1] == "faces: ok"


@pytest.mark.slow
def test_a_person_in_two_splits(tmp_path):
    frame = manifest()
    frame.loc[frame["id"] == "d/p0/c2", "split"] = "test"
    code, lines, record = verified(build(tmp_path, frame, allow_leaks=True))
    assert (code, record["allow_leaks"]) == (1, True)
    [(what, samples)] = of_kind(record, "identity")
    assert what == "d/p0"
    assert {split: sorted(ids) for split, ids in samples.items()} == {
        "train": ["d/p0/c0", "d/p0/c1"],
        "test": ["d/p0/c2"],
    }
    [line] = [line for line in lines if line.startswith("faces: leaks: ")]
    assert "1 person in more than one split: d/p0 (d/p0: train has d/p0/c" in line
    assert "; test has d/p0/c2)" in line
    assert "faces: published with --allow-leaks" in lines


@pytest.mark.slow
def test_a_mirrored_person_is_the_person(tmp_path):
    frame = manifest()
    mirrored = frame["id"] == "d/p0/c2"
    frame.loc[mirrored, ["split", "identity", "id"]] = ["test", "d/p0~mirror", "d/p0/c2~mirror"]
    _, _, record = verified(build(tmp_path, frame, allow_leaks=True))
    assert [what for what, _ in of_kind(record, "identity")] == ["d/p0"]


@pytest.mark.slow
def test_a_person_under_two_names(tmp_path):
    link = build(tmp_path / "sets")
    names = tmp_path / "same.csv"
    names.write_text("identity,same_as\nd/p4,d/p0\n")
    assert verified(link)[0] == 0
    code, lines, record = verified(link, "--same-person", str(names))
    assert code == 1
    [(what, samples)] = of_kind(record, "identity")
    assert what == "d/p0 = d/p4"
    assert sorted(samples["train"]) == ["d/p0/c0", "d/p0/c1", "d/p0/c2"]
    assert sorted(samples["eval"]) == ["d/p4/c0", "d/p4/c1", "d/p4/c2"]
    assert any("1 person in more than one split: d/p0 = d/p4" in line for line in lines)
    names.write_text("identity,same_as\nd/p3,d/p0\n")
    assert verified(link, "--same-person", str(names))[0] == 0, "both are in train"
    names.write_text("identity,other\nd/p4,d/p0\n")
    assert "needs the columns identity,same_as" in str(
        CliRunner().invoke(command, [str(link), "--same-person", str(names)]).exception
    )


@pytest.mark.slow
def test_people_of_a_closed_set_are_there_on_purpose(tmp_path):
    frame = manifest()
    frame["split"] = ["train", "eval", "test"] * 6
    link = build(tmp_path / "sets", frame, by="capture")
    names = tmp_path / "same.csv"
    names.write_text("identity,same_as\nd/p4,d/p0\n")
    assert verified(link, "--same-person", str(names))[0] == 0


def test_a_capture_through_variants_of_variants(tmp_path):
    frame = manifest(variants=("plain", "mask:a.0", "mask:a.0+aug:1"))
    moved = frame["id"].str.startswith("d/p0/c1~mask:a.0+aug:1")
    frame.loc[moved, "split"] = "test"
    code, lines, record = verified(build(tmp_path, frame, allow_leaks=True))
    assert code == 1
    [(what, samples)] = of_kind(record, "origin")
    assert what == "d/p0/c1"
    assert [i.rpartition("~")[0] for i in samples["test"]] == ["d/p0/c1~mask:a.0+aug:1"]
    assert sorted(i.partition("~")[2].rpartition("~")[0] for i in samples["train"]) == ["", "mask:a.0"]
    assert any("1 capture in more than one split: d/p0/c1 (d/p0/c1: train has " in line for line in lines)


def test_equal_keys(tmp_path):
    frame = manifest()
    frame.loc[frame["id"] == "d/p1/c0", "key"] = frame["key"][0]
    _, _, record = verified(build(tmp_path, frame, allow_leaks=True))
    assert of_kind(record, "key") == [("d/p0/c0", {"train": ["d/p0/c0"], "eval": ["d/p1/c0"]})]


@pytest.mark.slow
def test_equal_bytes_of_two_people_in_two_splits(tmp_path):
    frame = manifest()
    place = dict(zip(frame["id"], frame["place"], strict=True))
    place["d/p5/c1"].arrays["color"] = place["d/p0/c2"].arrays["color"]
    place["d/p2/c0"].arrays.update(place["d/p0/c0"].arrays)
    code, lines, record = verified(build(tmp_path, frame, EVERYTHING, allow_leaks=True))
    assert code == 1
    assert of_kind(record, "content") == [
        ("d/p0/c0", {"train": ["d/p0/c0"], "test": ["d/p2/c0"]}),
        ("d/p0/c2", {"train": ["d/p0/c2"], "test": ["d/p5/c1"]}),
    ]
    assert record["shared"]["content"] == 4
    assert any("4 samples with equal content in more than one split: d/p0/c0, d/p0/c2, d/p2/c0 …" in x for x in lines)


@pytest.mark.slow
def test_equal_bytes_of_two_people_in_one_split_are_suspected(tmp_path):
    frame = manifest()
    place = dict(zip(frame["id"], frame["place"], strict=True))
    place["d/p3/c1"].arrays.update(place["d/p0/c2"].arrays)
    place["d/p0/c1"].arrays.update(place["d/p0/c0"].arrays)
    link = build(tmp_path, frame, EVERYTHING)
    code, lines, record = verified(link)
    assert code == 0
    suspect, twice = sorted(record["suspected"], key=lambda one: one["kind"] != "two_people")
    assert (twice["kind"], sorted(twice["samples"])) == ("two_captures", ["d/p0/c0", "d/p0/c1"])
    assert "faces: equal bytes in two captures of a person within a split: 1 suspected" in lines
    assert suspect["kind"] == "two_people"
    assert sorted(suspect["samples"]) == ["d/p0/c2", "d/p3/c1"]
    assert suspect["splits"] == ["train", "train"]
    assert "faces: equal bytes under two names within a split: 1 suspected" in lines
    assert any(
        line.startswith("faces: suspected: train d/p") and "equal bytes under two names" in line for line in lines
    )
    assert CliRunner().invoke(command, [str(link), "--strict"]).exit_code == 1
    names = tmp_path / "same.csv"
    names.write_text("identity,same_as\nd/p3,d/p0\n")
    merged = verified(link, "--same-person", str(names))[2]["suspected"]
    assert [one["kind"] for one in merged] == ["two_captures", "two_captures"]


def change_rows(link, change):
    """Apply `change` to every CSV of rows, and write hashes anew."""
    for split in ("train", "eval", "test"):
        path = link / f"{split}.csv"
        path.write_text(change(path.read_text()))
    info = json.loads((link / "dataset.json").read_text())
    info["files"] = {name: digest_file(link / name) for name in info["files"]}
    info["bytes"] = {name: (link / name).stat().st_size for name in info["files"]}
    return info


@pytest.mark.parametrize(
    ("record", "complaint"),
    [
        ({"d/p3": "d/p0"}, None),
        ({}, "sample is not of its identity in 3 rows"),
        ({"d/p3": "d/p1"}, "sample is not of its identity in 3 rows"),
        ({"d/p1": "d/p0"}, "sample is not of its identity in 3 rows"),
    ],
)
def test_rows_of_merged_people_are_taken_by_the_record_alone(tmp_path, record, complaint):
    frame = manifest()
    frame.loc[frame["identity"] == "d/p3", "identity"] = "d/p0"
    link = build(tmp_path, frame, allow_leaks=True)
    sign(link, json.loads((link / "dataset.json").read_text()) | {"same_person": record})
    problems = [str(problem) for problem in verify_dataset(link).problems]
    wanted = [f"labels: train.csv: {complaint} ({first(link)} …)"] if complaint else []
    assert [problem for problem in problems if problem.startswith("labels")] == wanted


def first(link):
    rows = Dataset(link).table("train")
    return next(i for i in rows["sample_id"] if i.startswith("d/p3/"))


@pytest.mark.slow
def test_a_merged_person_of_another_dataset_is_taken_and_no_foreign_one(tmp_path):
    frame = manifest()
    frame.loc[frame["identity"] == "d/p3", "identity"] = "e/p3"
    link = build(tmp_path, frame, allow_leaks=True)
    path = link / "dataset.json"
    info = json.loads(path.read_text())
    for record, wrong in (({"d/p3": "e/p3"}, 0), ({}, 2)):
        sign(path.parent, info | {"same_person": record})
        assert len([p for p in verify_dataset(link).problems if p.check == "labels"]) == wrong


def test_near_duplicates_are_not_looked_for_in_a_damaged_dataset(tmp_path):
    link = build(tmp_path)
    change_rows(link, lambda text: text)
    (link / "notes.txt").write_text("mine")
    verdict = verify_dataset(link)
    assert verdict.search.notes == ("fix the faults above first",)


def test_leaks_are_told_without_reading_shards(tmp_path):
    frame = manifest()
    place = dict(zip(frame["id"], frame["place"], strict=True))
    place["d/p2/c0"].arrays.update(place["d/p0/c0"].arrays)
    link = build(tmp_path, frame, allow_leaks=True)
    for path in (link / "shards").iterdir():
        path.unlink()
    assert told_leaks(Dataset(link)) == ["2 samples with equal content in more than one split: d/p0/c0, d/p2/c0"]


def test_every_shared_thing_is_told_once_with_all_its_samples():
    rng = np.random.default_rng(0)
    values = [str(value) for value in rng.integers(0, 8, 60)]
    splits = [str(split) for split in rng.choice(["a", "b", "c"], 60)]
    ids = [f"s{number:02d}" for number in range(60)]
    leak = leak_of("origin", values, splits, ids)
    several = {value for value in values if len({s for v, s in zip(values, splits, strict=True) if v == value}) > 1}
    assert leak.things == tuple(sorted(several))
    for one in leak.shared:
        mine = {
            split: tuple(i for v, s, i in zip(values, splits, ids, strict=True) if (v, s) == (one.thing, split))
            for split in set(splits)
        }
        assert dict(one.samples) == {split: found for split, found in mine.items() if found}


def test_nothing_shared_is_no_leak(tmp_path):
    assert leak_of("key", ["", "", "a"], ["x", "y", "x"], ["1", "2", "3"]) == Leak("key", ())
    dataset = Dataset(build(tmp_path))
    assert find_leaks(dataset.table("train"), closed_set=False) == []


def test_what_was_shared_when_it_was_published_is_told_where_the_rows_do_not_show_it(tmp_path):
    dataset = Dataset(build(tmp_path))
    assert told_leaks(dataset) == []
    dataset.info["leaks"] = {"identity": ["d/p0 = e/ann"], "content": []}
    assert told_leaks(dataset) == ["1 person in more than one split: d/p0 = e/ann"]
