"""Frozen lists: what they name that nobody is, and splits that hold nobody else."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_rows import manifest

from face3d_data.component import build
from face3d_data.errors import UserError
from face3d_data.table import TableContext
from face3d_data.tables.limit import Limit
from face3d_data.tables.split import Split

RATIOS = {"train": 0.6, "eval": 0.1, "test": 0.3}
PEOPLE = manifest([(f"lab/P{i:02}", str(c)) for i in range(10) for c in range(2)])


@pytest.fixture
def split(context, tmp_path):
    def call(lines, frame=PEOPLE, step=None, **options):
        (tmp_path / "f.csv").write_text("identity,split\n" + "".join(f"{line}\n" for line in lines), "utf-8")
        result = Split(frozen="f.csv", **{"ratios": RATIOS, **options}).run([frame], step or context())
        return dict(zip(result.frame["identity"], result.frame["split"], strict=True)), result

    return call


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("P01", "did you mean 'lab/P01'"),  # without its dataset
        ("lab/P01 ", "did you mean 'lab/P01'"),
        ("lab/p01", "did you mean 'lab/P01'"),
        ("lab/PO1", "did you mean 'lab/P0"),
        ("lab/\uff3001", "did you mean 'lab/P01'"),
        ("hall/P01", "did you mean 'lab/P01'"),
    ],
)
def test_a_list_that_names_nobody_is_refused_and_one_wrong_line_is_said(split, name, near):
    with pytest.raises(UserError, match=rf"'people': frozen: .*f\.csv: none of its 1 lines is of anybody.*{near}"):
        split([f"{name},test"])
    places, result = split([f"{name},test", "lab/P00,test"])
    assert places["lab/P00"] == "test"
    (note,) = [note for note in result.notes if "name no row" in note]
    assert note.startswith(f"frozen: 1 of 2 lines of f.csv name no row ({name} …): {near}")


def test_one_name_in_two_normal_forms_is_one(split):
    frame = manifest([("lab/Zo\u00e9", "1"), ("lab/\u00c5ngstr\u00f6m", "1"), ("lab/c", "1"), ("lab/d", "1")])
    places, result = split(["lab/Zoe\u0301,test", "lab/A\u030angstro\u0308m,test"], frame)
    assert places["lab/Zo\u00e9"] == places["lab/\u00c5ngstr\u00f6m"] == "test"
    assert not [note for note in result.notes if "name no row" in note]


def test_an_empty_list_is_refused_and_nobody_to_match_is_not(split):
    with pytest.raises(UserError, match="matches nobody: fill it"):
        split([])
    places, _ = split(["lab/P00,test"], PEOPLE.iloc[:0])
    assert places == {}


def test_strangers_in_a_listed_split_are_said(split):
    places, result = split(["lab/P00,test"])
    assert Counter(places.values()) == {"train": 6, "eval": 1, "test": 3}
    assert (
        "frozen: test holds 2 people besides the 1 that f.csv names: only_listed: true keeps them out" in result.notes
    )
    _, result = split([f"lab/P{i:02},test" for i in range(3)])
    assert not [note for note in result.notes if "beside" in note]


def test_only_listed_people_are_in_a_listed_split(split):
    places, result = split(["lab/P03,test", "lab/P07,test", "lab/gone,test"], only_listed=True)
    assert {person for person, where in places.items() if where == "test"} == {"lab/P03", "lab/P07"}
    assert Counter(places.values()) == {"train": 7, "eval": 1, "test": 2}, "6 : 1 of the eight others"
    assert result.notes[0] == "10 people: train 7, eval 1, test 2"
    assert not [note for note in result.notes if "beside" in note]


def test_only_listed_holds_against_places_of_earlier_runs(split, context, tmp_path):
    first, result = split([f"lab/P{i:02},test" for i in range(5)], only_listed=True)
    (tmp_path / "people.split.csv").write_text(result.state["split.csv"])
    second, result = split(["lab/P00,test"], only_listed=True)
    assert {person for person, where in second.items() if where == "test"} == {"lab/P00"}
    others = [person for person in first if first[person] != "test"]
    assert {person: second[person] for person in others} == {person: first[person] for person in others}
    assert "4 of 10 people moved to another split" in result.notes


def test_only_listed_with_a_list_of_every_split(split):
    everybody = [f"lab/P{i:02},{'test' if i < 3 else 'train'}" for i in range(10)]
    places, _ = split(everybody, only_listed=True, ratios={"train": 0.5, "test": 0.5})
    assert Counter(places.values()) == {"train": 7, "test": 3}
    with pytest.raises(UserError, match=r"f\.csv names every split with a ratio, but not 1 person \(lab/P09"):
        split(everybody[:9], only_listed=True, ratios={"train": 0.5, "test": 0.5})


def test_only_listed_by_capture(context, tmp_path):
    (tmp_path / "f.csv").write_text("capture,split\nlab/P00/0,test\n")
    step = Split(by="capture", frozen="f.csv", only_listed=True, ratios={"train": 0.5, "test": 0.5})
    frame = step.run([PEOPLE], context()).frame
    assert frame.loc[frame["split"] == "test", "origin_id"].tolist() == ["lab/P00/0"]


def test_only_listed_needs_a_list():
    with pytest.raises(UserError, match=r"step 'people' \(split\): only_listed: true needs a list: give 'frozen'"):
        build(Split, {"only_listed": True}, "step 'people'")


@pytest.mark.slow
@settings(max_examples=40)
@given(st.sets(st.integers(0, 9), min_size=1), st.integers(0, 5))
def test_whoever_is_listed_nobody_else_is_there(tmp_path_factory, listed, seed):
    folder = tmp_path_factory.mktemp("f")
    (folder / "f.csv").write_text("identity,split\n" + "".join(f"lab/P{i:02},test\n" for i in listed))
    step = Split(frozen="f.csv", only_listed=True, ratios=RATIOS)
    frame = step.run([PEOPLE], TableContext("people", None, (folder,), seed)).frame
    assert set(frame.loc[frame["split"] == "test", "identity"]) == {f"lab/P{i:02}" for i in listed}
    assert len(frame) == len(PEOPLE)


def test_names_in_options_that_nothing_has_are_refused_with_the_nearest(context):
    with pytest.raises(
        UserError, match=r"stratify: 'dataste' is not a tag or column here .*: did you mean 'dataset'\?"
    ):
        Split(stratify=["dataste"]).run([PEOPLE], context())
    with pytest.raises(UserError, match=r"people_per_source: no row is from 'labs' .*: did you mean 'lab'\?"):
        Limit(people_per_source={"labs": 3}).run([PEOPLE], context())
