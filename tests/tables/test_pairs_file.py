import re

import numpy as np
import pytest
from split_table import captures, split_table

from face3d_data.errors import UserError
from face3d_data.tables.pairs import make_pairs, pairs_csv, pairs_txt
from face3d_data.tables.pairs_file import read_pairs


@pytest.fixture
def table():
    return split_table(captures(6, 3, ("none", "kn95")))


@pytest.fixture
def written(tmp_path):
    def write(text, name="list.txt"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def rows_of(table, pairs):
    place = {sample_id: row for row, sample_id in enumerate(table["sample_id"])}
    return [(place[p.first.id], place[p.second.id], p.same, p.fold) for p in pairs.pairs]


def read_rows(read):
    fold = [0] * len(read.same) if read.fold is None else read.fold.tolist()
    return list(zip(read.first.tolist(), read.second.tolist(), read.same.tolist(), fold, strict=True))


@pytest.mark.parametrize(("name", "form"), [("pairs.csv", pairs_csv), ("pairs.txt", pairs_txt)])
@pytest.mark.parametrize("folds", [1, 3])
def test_what_a_dataset_writes_is_read_back(table, written, name, form, folds):
    made = make_pairs(table, folds, 4, 0)
    read = read_pairs(written(form(made), name), table)
    assert read_rows(read) == rows_of(table, made)
    assert (read.fold is None) == (folds == 1)
    assert read.notes == ((f"pairs: {name} has no folds",) if folds == 1 else ())


@pytest.mark.parametrize("head", ["", "name\tid1\tid2\n", "\ufeffname1\tid1\tname2\tid2\r\n"])
def test_lines_with_and_without_a_header_in_words(table, written, head):
    text = head + "d__p0\td__p0__c0\td__p0__c2\n\nd__p0\td__p0__c1\td__p3\td__p3__c0\n"
    read = read_pairs(written(text), table)
    ids = table["id"].tolist()
    wanted = [ids.index(f"d__{name}") for name in ("p0__c0", "p0__c2", "p0__c1", "p3__c0")]
    assert [read.first[0], read.second[0], read.first[1], read.second[1]] == wanted
    assert read.same.tolist() == [True, False]
    assert read.fold is None


def test_samples_by_person_and_capture_and_lfw_numbers(written):
    rows = [("Ann_Lee", "Ann_Lee_0001", "none"), ("Ann_Lee", "Ann_Lee_0012", "none"), ("Bo", "Bo_0001", "none")]
    table = split_table(rows)
    read = read_pairs(written("1\nAnn_Lee\t1\t12\nAnn_Lee\t12\tBo\t1\n"), table)
    assert read_rows(read) == [(0, 1, True, 0), (1, 2, False, 0)]
    assert read_rows(read_pairs(written("d/Ann_Lee\tAnn_Lee_0001\td/Ann_Lee/Ann_Lee_0012\n"), table)) == [
        (0, 1, True, 0)
    ]


GOOD = "p0\tc0\tc1\np0\tc0\tp1\tc0\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "contains no pairs: fill the file"),
        ("name\tid1\tid2\n", "contains no pairs"),
        (b"\xff\xff", "is not UTF-8 text"),
        (GOOD + "p0\tc0\n", "line 3: has 2 fields between TABs: write name, id1, id2 or name1, id1, name2, id2"),
        (GOOD + "p0 c0 c1\n", "line 3: has 1 fields"),
        (GOOD + "p0\tc0\t\n", "line 3: has 2 fields"),
        (GOOD + "p0\tc0\t\tc1\n", "line 3: has 4 fields"),
        (GOOD + "\np0\tc0\tc9\n", "line 4: no sample 'c9' of 'p0' is in this split"),
        (GOOD + "p9\tc0\tc1\n", "line 3: no sample 'c0' of 'p9'"),
        (GOOD + "p0\tc0\tc0\n", "line 3: pairs capture d/p0/c0 with itself: remove the line"),
        (GOOD + "p0\tc0\tp0\tc1\n", "line 3: calls d/p0 and d/p0 two people: correct the line"),
        ("2\t1\n" + GOOD, "line 1: asks for 4 lines of pairs, but there are 2"),
        ("1\n" + "\n".join(reversed(GOOD.splitlines())), "line 2: is out of order: in each fold 1 pair of one person"),
        ("fold,same,id1,name1,id2,name2\n0,1,d__p0__c0,d__p0\n", "line 2: has 4 fields: fold,same,"),
        ('fold,same,id1,name1,id2,name2\n0,1,"d__p0__c0,d__p0\n0,1,"a,b,c,d\n', "line 2: has 3 fields"),
        ("9" * 5000 + "\n" + GOOD, "line 1: has 1 fields"),
        (GOOD + "p0\tc0\t" + "9" * 5000, "line 3: no sample '999"),
        ("fold,same,id1,name1,id2,name2\nx,1,d__p0__c0,d__p0,d__p0__c1,d__p0\n", "line 2: does not start with a fold"),
        ("fold,same,id1,name1,id2,name2\n0,2,d__p0__c0,d__p0,d__p0__c1,d__p0\n", "line 2: does not start with a fold"),
        ("fold,same,id1,name1,id2,name2\n0,1,d__p0__c0,d__p0,d__p1__c1,d__p1\n", "line 2: calls d/p0 and d/p1 one"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(table, written, text, message):
    plain = table[table["mask"] == "none"].reset_index(drop=True)
    path = written(text)
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        read_pairs(path, plain)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(table, tmp_path):
    with pytest.raises(UserError, match=r"none\.txt: cannot be read"):
        read_pairs(tmp_path / "none.txt", table)


def test_a_name_that_two_samples_have_asks_for_the_id(written):
    table = split_table([("anna", "c0", "none"), ("anna", "c1", "none"), ("bea", "c0", "none")])
    twice = table.assign(identity=["d/anna", "e/anna", "d/bea"], sample_id=["d/anna/c0", "e/anna/c0", "d/bea/c0"])
    with pytest.raises(UserError, match="line 1: 2 samples are 'c0' of 'anna': write the id of one"):
        read_pairs(written("anna\tc0\tbea\tc0\n"), twice)


def test_repeated_pairs_and_people_in_several_folds_are_noted(table, written):
    plain = table[table["mask"] == "none"].reset_index(drop=True)
    lines = ["p0\tc0\tc1", "p0\tc0\tp1\tc0", "p1\tc0\tc1", "p2\tc0\tp1\tc0"]
    read = read_pairs(written("2\t1\n" + "\n".join(lines)), plain)
    assert read.notes == ("pairs: 1 person is in several folds: accuracy is flattered",)
    assert np.array_equal(read.fold, [0, 0, 1, 1])
    read = read_pairs(written("\n".join([*lines, "p0\tc1\tc0"])), plain)
    assert read.notes == ("pairs: list.txt has no folds", "pairs: 1 line of list.txt repeats a pair")
