"""Two sources that share people, as one dataset: one identity each, nobody moves, and nothing is computed again."""

from __future__ import annotations

import csv
import io
import json
from itertools import combinations

import pytest
from toys import write_toys

from face3d_data.errors import RunStopped, UserError
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.collect import collect
from face3d_data.pipeline.look import look
from face3d_data.pipeline.run import run
from face3d_data.shards.audit.verify import verify_dataset
from face3d_data.shards.read import Dataset
from face3d_data.store.manifest import NOT_COUNTED
from face3d_data.store.manifest_files import manifest_csv

LIST = "identity,same_as\nhall/p000,lab/p001\nhall/p003,hall/p002\n"


@pytest.fixture
def folder(tmp_path):
    write_toys(tmp_path / "lab", 6, 2)
    write_toys(tmp_path / "hall", 5, 2, start=500)
    (tmp_path / "same.csv").write_text(LIST)
    return tmp_path


def pipeline_of(folder, combine=None, split=None, more=(), upstream="both"):
    steps = [
        {
            "id": "both",
            "table": "combine",
            "from": ["lab", "hall"],
            "with": {"same_person": "same.csv"} | (combine or {}),
        },
        *more,
        {"id": "scaled", "stage": "toy_scale", "from": upstream},
        {
            "id": "people",
            "table": "split",
            "from": "scaled",
            "with": {"ratios": {"train": 0.5, "test": 0.5}, **(split or {})},
        },
        {"id": "many", "stage": "toy_copies", "from": "people", "with": {"mirror": True}},
    ]
    raw = {
        "name": "both",
        "seed": 3,
        "sources": {
            "lab": {"reader": "toy_files", "root": str(folder / "lab")},
            "hall": {"reader": "toy_files", "root": str(folder / "hall"), "tags": {"mask": "worn"}},
        },
        "steps": steps,
        "datasets": {"both": {"from": "people", "fields": ["points"], "pairs": {"folds": 1, "per_fold": 100}}},
    }
    return make_pipeline(raw, folder)


def go(folder, pipeline, **options):
    return run(pipeline, folder / "work", engine="serial", **options)


def places(result):
    return {entry.identity: entry.split for entry in result.entries("people")}


@pytest.mark.slow
def test_one_identity_for_each_person_through_all_that_follows(folder):
    said = []
    result = go(folder, pipeline_of(folder), say=said.append)
    rows = {entry.id: entry for entry in result.entries("people")}
    assert rows["hall/p000/c1"].identity == "lab/p001"
    assert (rows["hall/p000/c1"].origin_id, rows["hall/p000/c1"].dataset) == ("hall/p000/c1", "hall")
    assert {entry.identity for entry in result.entries("many") if entry.origin_id == "hall/p000/c1"} == {
        "lab/p001~mirror"
    }
    assert len({entry.identity for entry in result.entries("many")}) == 9
    assert rows["hall/p000/c0"].split == rows["lab/p001/c0"].split
    text = "".join(manifest_csv(folder / "work/runs/both/people.parquet"))
    manifest = list(csv.DictReader(io.StringIO(text)))
    assert {row["identity"] for row in manifest if row["id"].startswith("hall/p003/")} == {"hall/p002"}
    info = json.loads((result.datasets["both"] / "dataset.json").read_text())
    assert info["same_person"] == {"hall/p000": "lab/p001", "hall/p003": "hall/p002"}
    assert info["classes"] == 9
    assert (result.datasets["both"] / "sources.csv").read_text().splitlines()[1:] == [
        f"hall,hall,4,10,10,{count(result, 'hall', 'train')},0,{count(result, 'hall', 'test')},10,2",
        f"lab,lab,6,12,12,{count(result, 'lab', 'train')},0,{count(result, 'lab', 'test')},0,1",
    ]
    assert verify_dataset(result.datasets["both"]).problems == ()
    text = "\n".join(said)
    assert "11 names are those of 9 people" in text
    assert "from hall: 4 people, 10 captures, 10 samples (10 masked); lab: 6 people" in text


def count(result, source, split):
    return sum(entry.source == source and entry.split == split for entry in result.entries("people"))


def test_genuine_pairs_go_across_the_names_and_no_impostor_pair_does(folder):
    ratios = {"ratios": {"test": 1.0}}
    pairs = Dataset(go(folder, pipeline_of(folder, split=ratios)).datasets["both"]).pairs
    people = {1: set(), 0: set()}
    for same, one, other in zip(pairs["same"], pairs["id1"], pairs["id2"], strict=True):
        people[same].add(frozenset(text.rpartition("__")[0] for text in (one, other)))
    across = [frozenset(names) for names in (("hall__p000", "lab__p001"), ("hall__p002", "hall__p003"))]
    assert set(across) <= people[1]
    assert not set(across) & people[0]
    same_name = {frozenset((name,)) for names in people[1] for name in names}
    assert people[1] - same_name == set(across)


@pytest.mark.slow
def test_a_line_more_in_the_list_computes_nothing_and_moves_only_whom_it_names(folder):
    first = go(folder, pipeline_of(folder))
    list(collect(folder / "work", apply_it=True, compact_it=False))
    (folder / "same.csv").write_text(LIST + "hall/p004,lab/p005\n")
    second = go(folder, pipeline_of(folder))
    assert all(second.steps[step].report.inputs == 0 for step in ("scaled", "many"))
    before, after = places(first), places(second)
    assert before.keys() - after.keys() == {"hall/p004"}
    assert {person: before[person] for person in after} == after
    assert first.datasets["both"].name == "both"
    old, new = (json.loads((folder / "work/datasets" / f).read_text())["digest"] for f in folders(folder))
    assert old != new


@pytest.mark.slow
def test_who_gets_a_name_that_nobody_had_keeps_the_place(folder):
    before = places(go(folder, pipeline_of(folder)))
    others = {f"lab/p00{i}": f"new/p{i}" for i in (0, 2, 3, 4, 5)}
    (folder / "same.csv").write_text(LIST + "".join(f"{own},{new}\n" for own, new in others.items()))
    after = places(go(folder, pipeline_of(folder)))
    assert after == {others.get(own, own): split for own, split in before.items()}


def folders(folder):
    found = sorted(path.name for path in (folder / "work/datasets").glob("both-*"))
    assert len(found) == 2
    return [f"{name}/dataset.json" for name in found]


@pytest.mark.slow
@pytest.mark.parametrize("split", [{}, {"stratify": ["source", "masked"]}, {"min_captures": 2}])
def test_people_come_and_go_and_nobody_else_moves(folder, split):
    pipeline = pipeline_of(folder, split=split)
    first = places(go(folder, pipeline))
    write_toys(folder / "lab", 9, 2)
    second = places(go(folder, pipeline))
    assert {person: second[person] for person in first} == first
    assert second.keys() - first.keys() == {"lab/p006", "lab/p007", "lab/p008"}
    for path in (folder / "lab" / "p000").iterdir():
        path.unlink()
    third = go(folder, pipeline)
    assert places(third) == {person: split for person, split in second.items() if person != "lab/p000"}
    assert third.steps["scaled"].report.inputs == 0


@pytest.mark.slow
def test_caps_and_few_captures_leave_dropped_rows_in_the_dataset(folder):
    (folder / "lab" / "p005" / "c1.txt").unlink()
    limit = {
        "id": "some",
        "table": "limit",
        "from": "both",
        "with": {"people_per_source": {"lab": 4}, "captures_per_person": 3},
    }
    pipeline = pipeline_of(folder, more=[limit], upstream="some", split={"min_captures": 2})
    result = go(folder, pipeline)
    dirty = Dataset(result.datasets["both"]).dirty
    assert set(dirty["status"]) == {NOT_COUNTED}
    assert set(dirty["reason"]) <= {"over_the_cap", "too_few_captures"}
    kept = {entry.id for entry in result.entries("people")}
    assert sorted([*kept, *dirty["sample_id"]]) == sorted(entry.id for entry in result.entries("both"))
    assert len({entry.identity for entry in result.entries("some") if entry.source == "lab"}) <= 4
    found = look(pipeline, folder / "work")
    assert [entry.id for entry in found.entries("people")] == [entry.id for entry in result.entries("people")]


def test_rows_that_go_round_the_list_are_refused(folder):
    pipeline = pipeline_of(folder, split={"ratios": {"train": 1.0}})
    raw = json.loads(json.dumps(pipeline.raw))
    raw["steps"] += [
        {"id": "varied", "stage": "toy_copies", "from": "hall"},
        {"id": "rest", "table": "split", "from": "varied", "with": {"ratios": {"train": 1.0}}},
        {"id": "all", "table": "combine", "from": ["people", "rest"]},
    ]
    raw["datasets"]["both"] = {"from": "all", "fields": ["points"]}
    with pytest.raises(UserError, match=r"'hall/p000' is 'hall/p000' in some rows and 'lab/p001' in others"):
        go(folder, make_pipeline(raw, folder))


@pytest.mark.slow
def test_a_recording_of_both_sources_is_there_once_under_the_name_that_is_kept(folder):
    for name in ("c0", "c1"):
        text = (folder / "hall" / "p000" / f"{name}.txt").read_bytes()
        (folder / "lab" / "p001" / f"{name}_again.txt").write_bytes(text)
    dataset = Dataset(go(folder, pipeline_of(folder)).datasets["both"])
    dirty = dataset.dirty
    assert dirty["sample_id"].tolist() == ["hall/p000/c0", "hall/p000/c1"]
    assert dirty["detail"].tolist() == [
        f"is lab/p001/{name}_again once more: one recording was read twice" for name in ("c0", "c1")
    ]
    assert verify_dataset(dataset.path).problems == ()


def around(folder, split):
    """A pipeline whose list names hall/p000 and lab/p001 one, but is given to the rows of the lab alone."""
    raw = json.loads(json.dumps(pipeline_of(folder).raw))
    raw["steps"] = [
        {"id": "known", "table": "combine", "from": "lab", "with": {"same_person": "same.csv"}},
        {"id": "all", "table": "combine", "from": ["known", "hall"]},
        {"id": "people", "table": "split", "from": "all", "with": split},
        {"id": "scaled", "stage": "toy_scale", "from": "people"},
    ]
    raw["datasets"]["both"] = {"from": "scaled", "fields": ["points"]}
    return make_pipeline(raw, folder)


def test_a_list_that_no_row_of_the_other_name_passes_is_not_lost(folder):
    with pytest.raises(
        UserError, match=r"'hall/p003' and 'hall/p002' are one person according to .*, but two here \(2 such\)"
    ):
        go(folder, around(folder, {"ratios": {"train": 1.0}}))


@pytest.mark.slow
def test_people_under_two_names_are_told_as_a_leak_where_leaks_are_allowed(folder):
    places = {f"{where}/p00{i}": "train" for where, n in (("lab", 6), ("hall", 5)) for i in range(n)}
    lines = [f"{name},{split}" for name, split in {**places, "hall/p000": "test"}.items()]
    (folder / "frozen.csv").write_text("\n".join(["identity,split", *lines]))
    pipeline = around(folder, {"ratios": {"train": 0.5, "test": 0.5}, "frozen": "frozen.csv"})
    dataset = go(folder, pipeline, allow_leaks=True).datasets["both"]
    info = json.loads((dataset / "dataset.json").read_text())
    assert info["leaks"] == {"identity": ["hall/p000 = lab/p001"]}
    assert info["same_person"]["hall/p000"] == "lab/p001"
    assert verify_dataset(dataset).shared["identity"] == 1


def test_names_that_are_merged_behind_the_split_are_refused_with_the_remedy(folder):
    raw = json.loads(json.dumps(pipeline_of(folder).raw))
    raw["steps"] = [
        {"id": "people", "table": "split", "from": ["lab", "hall"], "with": {"frozen": "places.csv"}},
        {"id": "both", "table": "combine", "from": "people", "with": {"same_person": "same.csv"}},
    ]
    raw["datasets"]["both"] = {"from": "both", "fields": ["points"]}
    (folder / "places.csv").write_text(
        "identity,split\nhall/p000,train\nlab/p001,test\nhall/p002,eval\nhall/p003,eval\n"
    )
    with pytest.raises(
        RunStopped, match=r"1 person in more.*: lab/p001: put 'split' behind every 'combine' with 'same_p"
    ):
        go(folder, make_pipeline(raw, folder))


def test_the_list_is_looked_up_beside_the_pipeline_and_a_missing_one_named(folder):
    with pytest.raises(UserError, match=r"same_person.*gone\.csv.*(cannot be read|does not exist)"):
        go(folder, pipeline_of(folder, {"same_person": "gone.csv"}))
    two = pipeline_of(folder, {"same_person": ["same.csv", str(folder / "same.csv")]})
    assert len(places(go(folder, two))) == 9


@pytest.mark.slow
def test_every_pair_of_people_in_the_list_is_in_one_split_of_the_dataset(folder):
    dataset = Dataset(go(folder, pipeline_of(folder, split={"stratify": "source"})).datasets["both"])
    splits = {}
    for split in dataset.splits:
        for sample_id in dataset.table(split)["sample_id"]:
            splits.setdefault(sample_id.rpartition("/")[0], set()).add(split)
    for names in (("hall/p000", "lab/p001"), ("hall/p003", "hall/p002")):
        for one, other in combinations(names, 2):
            assert splits[one] == splits[other]
            assert len(splits[one]) == 1
