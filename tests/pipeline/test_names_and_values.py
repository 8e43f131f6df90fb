"""Names and values that nothing has, and people spelt in two ways: a run says them."""

import pytest

from face3d_data.databases.collection import check_collection
from face3d_data.errors import UserError
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.run import run
from face3d_data.readers.image_folder import ImageFolder
from face3d_data.shards.audit.verify import verify_dataset
from face3d_data.testing import write_tiny_images

NFC, NFD = "Zo\u00e9 \u00c5ngstr\u00f6m", "Zoe\u0301 A\u030angstro\u0308m"


def people(root, names, captures=2, seed=0):
    """Write images of people of these names."""
    write_tiny_images(root, people=len(names), captures=captures, seed=seed)
    for i, name in enumerate(names):
        (root / f"person_{i:04}").rename(root / name)


@pytest.fixture
def said(tmp_path):
    """Run a pipeline of steps over the folders there are; return the result and what was said."""

    def call(steps, folders=("a",), **dataset):
        sources = {
            folder: {"reader": "image_folder", "root": folder, "dataset": "lab", "capture_prefix": f"{folder}-"}
            for folder in folders
        }
        last = steps[-1]["id"]
        datasets = {"n": {"from": last, "fields": ["color"], **dataset}}
        raw = {"name": "n", "sources": sources, "steps": steps, "datasets": datasets}
        lines = []
        result = run(make_pipeline(raw, tmp_path), tmp_path / "w", engine="serial", say=lines.append)
        return result, [line.strip() for line in lines]

    return call


BOTH = {"id": "both", "table": "combine", "from": ["a", "b"]}
SPLIT = {"id": "people", "table": "split", "from": "both", "with": {"ratios": {"train": 0.5, "test": 0.5}}}


def test_one_name_in_two_normal_forms_is_one_person_in_one_split(said, tmp_path):
    people(tmp_path / "a", [NFC, "bob"])
    people(tmp_path / "b", [NFD, "eve"], seed=1)
    result, lines = said([BOTH, SPLIT], ("a", "b"))
    entries = result.entries("people")
    mine = [entry for entry in entries if entry.identity == f"lab/{NFC}"]
    assert len(mine) == 4
    assert len({entry.split for entry in mine}) == 1
    assert {entry.identity for entry in entries} == {f"lab/{NFC}", "lab/bob", "lab/eve"}
    assert not [line for line in lines if "suspected" in line]


def test_captures_of_one_name_in_two_normal_forms_are_one_row_and_one_dirty_row(said, tmp_path):
    people(tmp_path / "a", ["bob"])
    for name in (NFC, NFD):
        (tmp_path / "a" / "bob" / f"{name}.png").write_bytes((tmp_path / "a" / "bob" / "0000.png").read_bytes())
    result, _ = said([{"id": "people", "table": "split", "from": "a"}])
    assert [entry.id for entry in result.entries("a") if NFC in entry.id] == [f"lab/bob/a-{NFC}"]
    (row,) = result.steps["a"].dirty
    assert (row.sample_id, row.status, row.reason) == (f"lab/bob/a-{NFC}", "reject", "same_name")
    assert "differ only in how an accent is written: rename one" in row.detail
    assert ascii(NFD)[1:-1] in row.detail
    checked = check_collection(ImageFolder(root=tmp_path / "a"), tmp_path / "a", {})
    assert checked.left_out["same_name"].number == 1
    assert checked.captures.found == len(result.entries("a"))


@pytest.mark.slow
@pytest.mark.parametrize("other", ["Anna", "anna ", "\uff41nna"])
def test_two_spellings_are_suspected_by_run_and_verify(said, tmp_path, other):
    people(tmp_path / "a", ["anna", "bob"])
    people(tmp_path / "b", [other, "eve"], seed=1)
    result, lines = said([BOTH, SPLIT], ("a", "b"))
    (line,) = [line for line in lines if "suspected" in line]
    assert "'lab/anna'" in line
    assert f"'lab/{other}'" in line
    verdict = verify_dataset(result.datasets["n"])
    (suspect,) = [suspect for suspect in verdict.search.suspects if suspect.kind == "two_spellings"]
    assert set(suspect.people) == {"lab/anna", f"lab/{other}"}
    assert verdict.ok, "suspected is no error"


@pytest.mark.slow
def test_a_name_and_the_same_with_masked_are_suspected_by_run_and_verify(said, tmp_path):
    """People in two folders, one of them for masks: one may be trained on, and the other tested."""
    people(tmp_path / "a", ["105", "106", "masked"])
    people(tmp_path / "b", ["105_masked", "107_masked"], seed=1)
    result, lines = said([BOTH, SPLIT], ("a", "b"))
    (line,) = [line for line in lines if "suspected" in line]
    assert "'lab/105' and 'lab/105_masked'" in line
    verdict = verify_dataset(result.datasets["n"])
    (suspect,) = [suspect for suspect in verdict.search.suspects if suspect.kind == "masked_name"]
    assert suspect.people == ("lab/105", "lab/105_masked")
    assert verdict.ok, "suspected is no error"


def test_spellings_that_a_list_joins_are_not_suspected(said, tmp_path):
    people(tmp_path / "a", ["anna", "bob"])
    people(tmp_path / "b", ["Anna", "eve"], seed=1)
    (tmp_path / "same.csv").write_text("identity,same_as\nlab/Anna,lab/anna\n")
    result, lines = said([{**BOTH, "with": {"same_person": "same.csv"}}, SPLIT], ("a", "b"))
    assert not [line for line in lines if "suspected" in line]
    kinds = {suspect.kind for suspect in verify_dataset(result.datasets["n"]).search.suspects}
    assert "two_spellings" not in kinds


@pytest.mark.parametrize(
    ("step", "note"),
    [
        ({"where": {"mask": "nonee"}}, "where: no row has mask 'nonee': did you mean 'none'?"),
        ({"where": {"mask": ["none", "worn"]}}, "where: no row has mask 'worn' (there: 'none')"),
        ({"where": {"identity": "Bob"}}, "where: no row has identity 'Bob': did you mean 'lab/bob'?"),
        ({"where": {"dataset": "Lab"}}, "where: no row has dataset 'Lab': did you mean 'lab'?"),
        ({"with": {"query": "mask != 'worn'"}}, "step 's': query: no row has mask 'worn' (there: 'none')"),
    ],
)
def test_values_that_no_row_has_are_said(said, tmp_path, step, note):
    people(tmp_path / "a", ["anna", "bob"])
    steps = [{"id": "all", "table": "split", "from": "a"}, {"id": "s", "table": "select", "from": "a", **step}]
    try:
        _, lines = said([*steps, {"id": "end", "table": "select", "from": "all"}])
    except UserError:
        pytest.fail("a value that no row has stops nothing")
    assert note in lines


def test_values_in_another_normal_form_match(said, tmp_path):
    people(tmp_path / "a", [NFD, "bob"])
    where = {"identity": [f"lab/{NFD}", f"lab/{NFC}"]}
    query = {"query": f"identity == 'lab/{NFD}'"}
    mine = {"id": "mine", "table": "select", "from": "a", "where": where}
    result, lines = said([mine, {"id": "same", "table": "select", "from": "mine", "with": query}])
    assert [entry.identity for entry in result.entries("same")] == [f"lab/{NFC}"] * 2
    assert not [line for line in lines if "no row has" in line]


def test_lists_match_in_one_normal_form(said, tmp_path):
    people(tmp_path / "a", [NFD, "bob", "eve", "ida"])
    (tmp_path / "allow.txt").write_text(f"lab/{NFD}\nlab/bob\nlab/eve\n")
    (tmp_path / "block.txt").write_text("lab/bob\n")
    (tmp_path / "label.csv").write_text(f"identity,age\nlab/{NFD},7\n")
    (tmp_path / "frozen.csv").write_text(f"identity,split\nlab/{NFD},test\n")
    steps = [
        {"id": "some", "table": "select", "from": "a", "with": {"allow": "allow.txt", "block": "block.txt"}},
        {"id": "aged", "table": "label", "from": "some", "with": {"file": "label.csv", "tags": ["age"]}},
        {"id": "people", "table": "split", "from": "aged",
         "with": {"frozen": "frozen.csv", "only_listed": True, "ratios": {"train": 0.5, "test": 0.5}}},
    ]  # fmt: skip
    result, lines = said(steps)
    assert {(entry.identity, entry.split, entry.all_tags.get("age")) for entry in result.entries("people")} == {
        (f"lab/{NFC}", "test", 7),
        ("lab/eve", "train", None),
    }
    assert not [line for line in lines if "name no row" in line]


def test_a_gallery_query_with_a_value_that_no_row_has_is_said(said, tmp_path):
    people(tmp_path / "a", ["anna", "bob"])
    steps = [{"id": "people", "table": "split", "from": "a", "with": {"ratios": {"test": 1.0}}}]
    _, lines = said(steps, probe={"query": "mask == 'surgical'"})
    assert any("probe: query: no row has mask 'surgical' (there: 'none')" in line for line in lines)
