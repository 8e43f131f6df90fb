"""Queries: what the grammar takes, what it refuses, and which rows match."""

import itertools
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from table_rows import manifest

from face3d_data.errors import UserError
from face3d_data.shards.schema import GallerySpec, ProbeSpec
from face3d_data.tables.query import MOST_CHARS, MOST_NESTED, QueryError, parse_query
from face3d_data.tables.query_rows import matching
from face3d_data.tables.select import Select

ROWS = manifest(
    [("d/a", str(i)) for i in range(5)],
    mask=["none", "cloth", "none", None, "kn95"],
    yaw_deg=[-20.0, 0.0, 10.0, 30.0, None],
    day=[1, 2, 2, 3, 10],
    lamp=[True, False, None, True, False],
)


def places(query, frame=ROWS, notes=None):
    return [i for i, matches in enumerate(matching(frame, query, "here", notes)) if matches]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("mask == 'none'", [0, 2]),
        ('"none" == mask', [0, 2]),
        ("mask != 'none'", [1, 4]),  # the row without the tag does not match
        ("not mask == 'none'", [1, 4]),
        ("mask in ['none', 'kn95']", [0, 2, 4]),
        ("mask in ('none', 'kn95')", [0, 2, 4]),
        ("mask not in ['none', 'kn95']", [1]),
        ("mask in []", []),
        ("mask is None", [3]),
        ("mask is not None and day >= 2", [1, 2, 4]),
        ("-20 <= yaw_deg < 10", [0, 1]),
        ("yaw_deg == -20", [0]),
        ("yaw_deg > 1e1", [3]),
        ("day > 2", [3, 4]),  # numbers, not texts: 10 is more than 2
        ("day == 2.0", [1, 2]),
        ("lamp", [0, 3]),
        ("not lamp", [1, 4]),
        ("lamp == True", [0, 3]),
        ("day < yaw_deg", [2, 3]),
        ("mask == 'none' or day == 3", [0, 2, 3]),  # unknown or true is true
        ("mask == 'none' or day == 3 and lamp", [0, 2, 3]),  # and binds closer
        ("(mask == 'none' or day == 3) and lamp", [0, 3]),
        ("not (mask == 'none' and lamp)", [1, 4]),  # row 2: none, and a lamp that is not known
        ("identity == 'd/a' and dataset == 'd'", [0, 1, 2, 3, 4]),
        ("  mask == 'none'\n  and day == 1 ", [0]),
    ],
)
def test_which_rows_match(query, rows):
    assert places(query) == rows


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("@pd.io.common.os.system('id > PWNED') == 0 or mask == 'none'", "is not a query"),
        ("__import__('os').system('id') == 0", "column 1: a query calls nothing"),
        ("mask.__class__ == 'x'", "column 1: a query reads tags and columns"),
        ("mask == 'none' and day.real > 1", "column 20: a query reads"),
        ("(lambda: 1)() == mask", "a query calls nothing"),
        ("[i for i in mask] == mask", "is nothing that a query may hold"),
        ("mask == f'{day}'", "column 9: is nothing"),
        ("mask[0] == 'n'", "column 1: is nothing"),
        ("(day := 3) == 3", "is nothing"),
        ("mask if lamp else day", "is nothing"),
        ("day + 1 == 2", "column 1: a query does no arithmetic"),
        ("10**9**9 == day", "a query does no arithmetic"),
        ("mask == 'none' & day == 1", "column 9: write 'and' instead of '&'"),
        ("(mask == 'none') | (day == 1)", "column 2: write 'or' instead of '|'"),
        ("~lamp", "column 1: write 'not' instead of '~'"),
        ("mask = 'none'", "is not a query"),
        ("mask == 'none', day", "is nothing"),
        ("mask == None", "is None"),
        ("mask is 'none'", "after 'is' comes None"),
        ("mask in 'none'", "column 9: after 'in' comes a list"),
        ("mask in {'none'}", "write a list|after 'in' comes a list"),
        ("mask in [none]", "column 10: 'none' in a list: write texts in quotes"),
        ("'none' in ['none']", "before 'in' comes the name"),
        ("1 == 1", "compares no tag"),
        ("True", "is not true or false for each row"),
        ("day == b'1'", "is nothing"),
        ("day == 1j", "is nothing"),
        ("day == ...", "is nothing"),
        ("day == 1e999", "the number is too large"),
        ("day == " + "9" * 400, "the number is too large"),
        ("day == " + "9" * 5000, "is not a query"),
        ("mask == 'none' # or day == 1", "column 16: a query contains no comment"),
        ("mask == 'no", "is not a query"),
        ("mask == 'a\0'", "is not a query"),
        ("mask == '\ud800'", "is not a query"),
        ("", "is not a query"),
        ("(" * 300 + "day == 1" + ")" * 300, "is not a query|nested too deep"),
        ("not " * 3000 + "lamp", "nested"),
        ("-" * 5000 + "1 == day", "nested|sign"),
        ("day" + ".a" * 5000 + " == 1", "nested|reads"),
        ("lamp or " * 10_000 + "lamp", f"at most {MOST_CHARS}"),
    ],
)
def test_everything_else_is_refused_with_place_and_remedy(query, message):
    with pytest.raises(QueryError, match=message) as caught:
        parse_query(query)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"^here: query "):
        matching(ROWS, query, "here")


def test_nesting_is_bounded_where_python_takes_it():
    for depth in (MOST_NESTED, MOST_NESTED + 1):
        query = "not " * depth + "lamp"
        if depth > MOST_NESTED:
            with pytest.raises(QueryError, match="nested more than"):
                parse_query(query)
        else:
            assert parse_query(query).names == ("lamp",)


def test_nothing_is_run_and_nothing_is_warned_of(tmp_path, monkeypatch, recwarn):
    monkeypatch.chdir(tmp_path)
    for query in ("@pd.io.common.os.system('touch PWNED') == 0", "__import__('os').system('touch PWNED') == 0"):
        for make in (lambda q: Select(query=q), lambda q: GallerySpec(query=q), lambda q: ProbeSpec(query=q)):
            with pytest.raises(ValidationError):
                make(query)
        with pytest.raises(UserError):
            matching(ROWS, query, "here")
    with pytest.raises(QueryError):
        parse_query(r"'\d' is 1 and mask")
    assert os.listdir(tmp_path) == []
    assert len(recwarn) == 0


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("mask == 1", "column 1: compares texts with numbers"),
        ("'1' < day", "column 1: compares texts with numbers|numbers with texts"),
        ("day == 1 and lamp == 1", "column 14: compares true or false with numbers"),
        ("mask in [1, 2]", "compares texts with numbers"),
        ("mask", "'mask' is not true or false for each row"),
        ("maks == 'none'", "column 1: no tag or column 'maks' .*did you mean 'mask'"),
        ("place == 'x'", "no tag or column 'place'"),
    ],
)
def test_what_does_not_fit_the_rows_is_one_line(query, message):
    with pytest.raises(UserError, match=message) as caught:
        matching(ROWS, query, "here")
    assert "\n" not in str(caught.value)


def test_values_of_two_kinds_in_a_column_are_different():
    frame = manifest([("d/a", str(i)) for i in range(3)], age=[7, "7", None])
    assert places("age == 7", frame) == [0]
    assert places("age != 7", frame) == [1]
    assert places("age < 8", frame) == [0]
    assert places("age in ['7']", frame) == [1]


def test_texts_are_compared_in_one_normal_form():
    frame = manifest([("d/a", "0"), ("d/b", "0")], room=["Zoe\u0301", "Zo\u00e9"])
    assert places("room == 'Zo\u00e9'", frame) == places("room == 'Zoe\u0301'", frame) == [0, 1]


@pytest.mark.parametrize(
    ("query", "note"),
    [
        ("mask == 'clothh'", "here: query: no row has mask 'clothh': did you mean 'cloth'?"),
        ("mask in ['none', 'Cloth']", "here: query: no row has mask 'Cloth': did you mean 'cloth'?"),
        ("day != 4", "here: query: no row has day 4 (there: 1, 2, 3, 10)"),
        (
            "mask != 'wool' or mask == 'wool'",
            "here: query: no row has mask 'wool' (there: 'cloth', 'kn95', 'none')",
        ),
    ],
)
def test_values_that_no_row_has_are_said_with_the_nearest(query, note):
    notes = []
    places(query, notes=notes)
    assert notes == [note]


def test_values_that_rows_have_and_bounds_are_not_noted():
    notes = []
    places("mask == 'none' and day in [1, 10] and yaw_deg < 99 and mask is not None", notes=notes)
    assert notes == []


def test_many_values_that_no_row_has_are_few_notes():
    notes = []
    places(f"mask in {[f'x{i}' for i in range(500)]!r}", notes=notes)
    assert len(notes) == 4
    assert notes[3] == "here: query: no row has 497 more values of mask"


def test_true_is_not_the_number_one():
    notes = []
    places("lamp == True and day == 1", notes=notes)
    assert notes == []
    frame = manifest([("d/a", "0"), ("d/a", "1")], odd=[True, 2])
    assert places("odd == 1", frame, notes) == []
    assert notes == ["here: query: no row has odd 1 (there: True, 2)"]


def test_select_says_which_value_no_row_has(context):
    result = Select(query="mask == 'surgical'").run([ROWS], context())
    assert result.notes == ("step 'people': query: no row has mask 'surgical' (there: 'cloth', 'kn95', 'none')",)


TRUTHS = st.sampled_from([True, False, None])


@pytest.mark.slow
@given(st.lists(st.tuples(TRUTHS, TRUTHS, TRUTHS), min_size=1, max_size=8))
def test_and_or_not_are_those_of_three_values(rows):
    """Against a twin that tries every value for what is not known: a row matches if all of them say so."""
    frame = manifest([("d/a", str(i)) for i in range(len(rows))], a=[r[0] for r in rows], b=[r[1] for r in rows],
                     c=[r[2] for r in rows])  # fmt: skip
    for query in ("a and b or not c", "not (a or b) and c", "a or b and c", "not a"):
        sure = [
            all(
                eval(query, {}, dict(zip("abc", values, strict=True)))
                for values in itertools.product(*([v] if v is not None else [True, False] for v in row))
            )
            for row in rows
        ]
        assert matching(frame, query, "here") == sure


WORDS = st.sampled_from(
    [
        *("mask", "yaw_deg", "day", "lamp", "nowhere", "'none'", '"cloth"', "''", "1", "-2.5", "1e400", "True", "None"),
        *("==", "!=", "<", "<=", ">", ">=", "in", "not", "is", "and", "or", "(", ")", "[", "]", ",", "&", "|", "~"),
        *("+", "**", ".", "@", "#", ":=", "lambda", "if", "else", "for", "f'{mask}'", "\n", "\\", "\0", "é"),
    ]
)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(st.one_of(st.lists(WORDS, max_size=14).map(" ".join), st.text(max_size=40)))
def test_any_text_is_a_query_or_refused_in_one_line(text):
    try:
        found = matching(ROWS, text, "here", [])
    except UserError as error:
        said = str(error)
        assert "\n" not in said  # the other way out is no error at all
        assert said.startswith("here: query ")
    else:
        assert len(found) == len(ROWS)
        assert set(found) <= {True, False}
