"""What came from where: sources.csv, who goes by another name, and what of it decides a dataset's digest."""

import json
from collections import defaultdict

import pytest
from made import build, manifest, plan_of, spec_of

from face3d_data.errors import UserError
from face3d_data.shards.audit.verify import check_files
from face3d_data.shards.read import Dataset
from face3d_data.shards.schema import split_order
from face3d_data.shards.sources_table import merged_names, sources_notes, sources_table
from face3d_data.tables.split import own_identity, person_of


def two_sources(**changes):
    """People 0 to 2 are of `lab`, the others of `hall`; person 3 is person 0, and both are in train."""
    frame = manifest(n_people=6, n_captures=2, variants=("plain", "mask:kn95.0"))
    frame["source"] = ["lab" if identity < "d/p3" else "hall" for identity in frame["identity"]]
    frame["identity"] = ["d/p0" if identity == "d/p3" else identity for identity in frame["identity"]]
    return frame.assign(**changes)


def test_the_table_is_exact_and_listed(tmp_path):
    link = build(tmp_path, two_sources())
    assert (link / "sources.csv").read_text() == (
        "source,dataset,people,captures,samples,samples_train,samples_eval,samples_test,masked,merged_people\n"
        "hall,d,3,6,12,4,4,4,6,1\n"
        "lab,d,3,6,12,4,4,4,6,1\n"
    )
    info = json.loads((link / "dataset.json").read_text())
    assert "sources.csv" in info["files"]
    assert info["same_person"] == {"d/p3": "d/p0"}
    assert list(check_files(Dataset(link))) == []
    assert info["classes"] == 5
    assert info["splits"]["train"]["people"] == 1


def test_numbers_add_up_to_the_datasets():
    plan = plan_of(two_sources())
    assert plan.sources["samples"].sum() == len(plan.table)
    splits = plan.sources[["samples_train", "samples_eval", "samples_test"]]
    assert splits.sum().tolist() == plan.table["split"].value_counts()[["train", "eval", "test"]].tolist()


def test_nobody_renamed_is_an_empty_record_and_one_source_is_not_told(tmp_path):
    plan = plan_of(manifest())
    assert plan.record["same_person"] == {}
    assert plan.sources[["source", "people", "masked", "merged_people"]].to_numpy().tolist() == [["src", 6, 0, 0]]
    assert plan.notes == []
    assert build(tmp_path, manifest(splits=("",))).joinpath("sources.csv").read_text().splitlines() == [
        "source,dataset,people,captures,samples,samples_all,masked,merged_people",
        "src,d,6,18,18,18,0,0",
    ]


def test_two_sources_and_merged_people_are_told():
    assert plan_of(two_sources()).notes == [
        "from hall: 3 people, 6 captures, 12 samples (6 masked); lab: 3 people, 6 captures, 12 samples (6 masked) "
        "(see sources.csv)",
        "1 person is listed under another name: d/p3 is d/p0",
    ]


def test_of_many_sources_the_largest_are_told():
    frame = manifest()
    table = plan_of(frame.assign(source=[f"s{i}" for i in range(len(frame))])).sources
    (note,) = sources_notes(table, {})
    assert note.count(" 1 person, 1 capture, ") == 4
    assert note.endswith("; 14 more (see sources.csv)")


def test_a_mirrored_face_is_no_person_more():
    frame = manifest()
    frame.loc[:2, "identity"] = "d/p0~mirror"
    table = plan_of(frame).sources
    assert table["people"].tolist() == [6]
    assert table["merged_people"].tolist() == [0]


@pytest.mark.parametrize("column", ["source", "mask"])
def test_what_the_table_says_is_in_the_digest(column):
    frame = two_sources()
    assert plan_of(frame).digest != plan_of(frame.assign(**{column: "x"})).digest


def test_half_a_person_renamed_is_refused():
    frame = two_sources()
    frame.loc[frame["identity"].index[-1], "identity"] = "d/p2"
    with pytest.raises(UserError, match=r"'faces': 'd/p5' is 'd/p2' in some rows and 'd/p5' in others: give 'same_per"):
        plan_of(frame)
    assert plan_of(frame, allow_leaks=True).record["same_person"] == {"d/p3": "d/p0", "d/p5": "d/p2"}


def test_merged_names_are_own_to_kept():
    assert merged_names(["e/x", "e/x~mirror", "d/b"], ["d/a/1~copy:0~1", "d/a/2", "d/b/1"], "w") == {"d/a": "e/x"}


def test_pairs_gallery_and_labels_follow_the_name_kept(tmp_path):
    frame = two_sources(split="test")
    spec = spec_of(pairs={"folds": 1, "per_fold": 50}, gallery=True)
    dataset = Dataset(build(tmp_path, frame, spec))
    genuine = dataset.pairs[dataset.pairs["same"] == 1]
    across = {tuple(sorted((a[:5], b[:5]))) for a, b in zip(genuine["id1"], genuine["id2"], strict=True)}
    assert ("d__p0", "d__p3") in across
    assert not any("d__p3" in (*row,) for row in dataset.pairs[["name1", "name2"]].to_numpy())
    assert dataset.gallery["name"].is_unique
    assert set(dataset.table("test")["class"]) == set(range(5))


def twin(table, tags):
    """The same, row by row of the DataFrames."""
    names = defaultdict(set)
    for row in table.itertuples():
        names[person_of(row.identity)].add(own_identity(row.sample_id))
    groups = defaultdict(list)
    for row, source, mask in zip(table.itertuples(), tags["source"], tags["mask"], strict=True):
        groups[source, row.dataset].append((row, mask))
    splits = split_order(table["split"].tolist())
    records = []
    for key, mine in sorted(groups.items()):
        people = {person_of(row.identity) for row, _ in mine}
        in_splits = [sum(row.split == split for row, _ in mine) for split in splits]
        masked = sum(mask not in (None, "", "none") for _, mask in mine)
        merged = sum(len(names[person]) > 1 for person in people)
        captures = len({row.origin_id for row, _ in mine})
        records.append((*key, len(people), captures, len(mine), *in_splits, masked, merged))
    return records


def test_sources_table_is_the_twins():
    plan = plan_of(two_sources())
    assert [tuple(row) for row in plan.sources.to_numpy().tolist()] == twin(plan.table, plan.tags)
    assert sources_table(plan.rows).equals(plan.sources)
