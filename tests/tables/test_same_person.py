"""People known under several names: lists, chains, circles, and what combine makes of them."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from split_table import split_table
from table_rows import manifest

from face3d_data.component import build
from face3d_data.errors import UserError
from face3d_data.tables.combine import Combine
from face3d_data.tables.pairs_file import read_pairs
from face3d_data.tables.same_person import one_name_each, read_same_person
from face3d_data.tables.select import Select

NAMES = [f"{dataset}/{person}" for dataset in "de" for person in "abcd"]
lines = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=10)


def naive(pairs):
    """Grow groups until nothing more joins them; keep the first name that no line leads away from."""
    groups = [{name} for name in dict.fromkeys(itertools.chain(*pairs))]
    for one, other in pairs:
        joined = [group for group in groups if one in group or other in group]
        groups = [group for group in groups if group not in joined] + [set().union(*joined)]
    left = {one for one, other in pairs if one != other}
    found = {}
    for group in groups:
        kept = min(group - left) if group - left else min(group)
        found |= dict.fromkeys(group - {kept}, kept)
    return found


@settings(max_examples=200, deadline=None)
@given(lines)
def test_equals_its_naive_twin(pairs):
    assert one_name_each(pairs) == naive(pairs)


@settings(max_examples=100, deadline=None)
@given(lines, st.randoms())
def test_the_order_of_lines_means_nothing_and_one_name_is_left(pairs, random):
    mixed = list(pairs)
    random.shuffle(mixed)
    names = one_name_each(pairs)
    assert one_name_each(mixed) == names
    assert not set(names) & set(names.values())
    for one, other in pairs:
        assert names.get(one, one) == names.get(other, other)


@pytest.mark.parametrize(
    ("pairs", "wanted"),
    [
        ([("d/a", "e/b"), ("e/b", "e/a")], {"d/a": "e/a", "e/b": "e/a"}),
        ([("d/b", "d/a"), ("d/a", "d/b")], {"d/b": "d/a"}),
        ([("d/c", "d/b"), ("d/b", "d/a"), ("d/a", "d/c")], {"d/b": "d/a", "d/c": "d/a"}),
        ([("d/a", "e/z"), ("d/a", "e/y")], {"d/a": "e/y", "e/z": "e/y"}),
        ([("d/a", "d/a")], {}),
    ],
    ids=["chain", "two in a circle", "three in a circle", "two ends", "itself"],
)
def test_chains_and_circles(pairs, wanted):
    assert one_name_each(pairs) == wanted


def test_long_chains_are_no_problem():
    pairs = [(f"d/{n}", f"d/{n + 1}") for n in range(5000)]
    assert set(one_name_each(pairs).values()) == {"d/5000"}


def write(folder: Path, text: str, name: str = "same.csv") -> Path:
    (folder / name).write_text(text, "utf-8")
    return Path(name)


def test_a_list_is_read_with_names_comments_and_more_columns(tmp_path):
    write(tmp_path, "\ufeff# who\nwhy, identity ,same_as\nsure,d__zo%C3%AB, e/b \n\n# no\n,d/c,e/b\n")
    assert read_same_person(tmp_path / "same.csv") == [("d/zoë", "e/b"), ("d/c", "e/b")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"same\.csv: needs the columns identity,same_as \(has nothing\)"),
        ("identity,other\nd/a,e/a\n", r"needs the columns identity,same_as \(has identity,other\)"),
        ("identity,same_as\n", "lists no one"),
        ("identity,same_as\nd/a,d/a\n", "lists no one"),
        ("identity,same_as\n\nd/a,\n", r"same\.csv, line 3: '' is not a person: write <dataset>/<person>"),
        ("identity,same_as\nd/a\n", "line 2: '' is not a person"),
        ("identity,same_as\nanna,e/a\n", "line 2: 'anna' is not a person"),
        ("identity,same_as\nd/a/1,e/a\n", "line 2: 'd/a/1' is not a person"),
        ("identity,same_as\nd/a~mirror,e/a\n", "line 2: 'd/a~mirror' is not a person"),
        ('identity,same_as\n"d/a\n",e/a\n', "spans several lines"),
    ],
)
def test_bad_lists_are_one_line(tmp_path, text, message):
    write(tmp_path, text)
    with pytest.raises(UserError, match=message) as caught:
        read_same_person(tmp_path / "same.csv")
    assert "\n" not in str(caught.value)


def test_a_list_that_is_no_text(tmp_path):
    (tmp_path / "same.csv").write_bytes(b"\xff\xff")
    with pytest.raises(UserError, match="is not UTF-8"):
        read_same_person(tmp_path / "same.csv")


def rows():
    one = manifest([("d/a", "1"), ("d/b", "1")])
    other = manifest([("e/x", "1"), ("e/y", "1"), ("e/x", "2")]).assign(
        identity=["e/x", "e/y~mirror", "e/x"], origin_id=["e/x/1", "e/y/1", "e/x/2"]
    )
    return [one, other]


def test_rows_of_one_person_get_one_identity_and_nothing_else_changes(context, tmp_path):
    write(tmp_path, "identity,same_as\ne/x,d/a\n")
    write(tmp_path, "identity,same_as\ne/y,e/x\ne/gone,e/y\n", "more.csv")
    step = Combine(same_person=["same.csv", "more.csv"])
    plain, result = Combine().run(rows(), context()).frame, step.run(rows(), context())
    assert result.frame["identity"].tolist() == ["d/a", "d/b", "d/a", "d/a~mirror", "d/a"]
    assert result.frame.drop(columns="identity").equals(plain.drop(columns="identity"))
    assert list(result.frame.columns) == list(plain.columns)
    assert result.dirty is None
    assert result.notes == (
        "same_person: 1 of 3 people in more.csv have no row (e/gone …)",
        "4 names are those of 2 people",
    )


def test_a_list_of_people_that_no_row_has_is_told_with_what_rows_have(context, tmp_path):
    write(tmp_path, "identity,same_as\nx/gone,x/away\n")
    result = Combine(same_person="same.csv").run(rows(), context())
    assert result.notes[0] == "same_person: same.csv joins nobody: no row is of x/away …, rows have d/a …"


def test_who_is_kept_does_not_hang_on_who_is_there(context, tmp_path):
    write(tmp_path, "identity,same_as\ne/x,f/z\n")
    out = Combine(same_person="same.csv").run(rows(), context()).frame
    assert out["identity"].tolist() == ["d/a", "d/b", "f/z", "e/y~mirror", "f/z"]


def test_no_list_is_as_before(context):
    assert Combine() == build(Combine, {"same_person": None}, "s") == build(Combine, {"same_person": []}, "s")
    result = Combine().run(rows(), context())
    assert result.frame["identity"].tolist()[:3] == ["d/a", "d/b", "e/x"]
    assert result.notes == ()


def test_a_list_that_is_not_there_is_named(context):
    with pytest.raises(UserError, match=r"step 'people': same_person: none\.csv does not exist: correct the path"):
        Combine(same_person="none.csv").run(rows(), context())


def test_what_a_list_says_is_in_the_fingerprint(tmp_path):
    path = tmp_path / write(tmp_path, "identity,same_as\ne/x,d/a\n")
    before = Combine(same_person=path).fingerprint()
    path.write_text("identity,same_as\ne/x,d/b\n")
    assert Combine(same_person=path).fingerprint() != before


def test_lists_of_ids_and_people_know_the_own_names_too(context, tmp_path):
    write(tmp_path, "identity,same_as\ne/x,d/a\n")
    frame = Combine(same_person="same.csv").run(rows(), context()).frame
    for name, blocked in (("e/x", {"e/x/1", "e/x/2"}), ("d/a", {"d/a/1", "e/x/1", "e/x/2"}), ("e/x/1", {"e/x/1"})):
        (tmp_path / "block.txt").write_text(name)
        assert set(Select(block="block.txt").run([frame], context()).dirty["id"]) == blocked


def test_a_list_of_pairs_knows_the_own_names_too(tmp_path):
    table = split_table([("a", "c0", "none"), ("a", "c1", "none"), ("b", "c0", "none"), ("c", "c0", "none")])
    table["identity"] = ["d/a", "d/a", "d/a", "d/c"]
    table["name"] = ["d__a", "d__a", "d__a", "d__c"]
    text = "d__a\tc0\tc1\nd__a\td__a__c0\td__b__c0\nb\tc0\tc\tc0\nd__b\tc0\td/c\tc0\n"
    (tmp_path / "list.txt").write_text(text)
    read = read_pairs(tmp_path / "list.txt", table)
    found = zip(read.first.tolist(), read.second.tolist(), read.same.tolist(), strict=True)
    assert list(found) == [(0, 1, True), (0, 2, True), (2, 3, False), (2, 3, False)]
    (tmp_path / "list.txt").write_text("a\tc0\tb\tc0\n")
    with pytest.raises(UserError, match="line 1: calls d/a and d/a two people"):
        read_pairs(tmp_path / "list.txt", table)
