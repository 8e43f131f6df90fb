"""Folds of the step `split`: equal, of whole people, and kept."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_rows import manifest

from face3d_data.component import build
from face3d_data.errors import UserError
from face3d_data.table import TableContext
from face3d_data.tables.split import Split, fold_name


def folds_of(result):
    return dict(zip(result.frame["identity"], result.frame["split"], strict=True))


def people(n):
    return manifest([(f"d/p{person}", str(capture)) for person in range(n) for capture in range(1 + person % 3)])


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 10), st.integers(0, 40), st.integers(0, 3))
def test_folds_are_as_large_as_each_other_to_within_one(folds, more, seed):
    step, frame = Split(folds=folds), people(folds + more)
    found = folds_of(step.run([frame], TableContext("people", None, (), seed)))
    counts = Counter(found.values())
    assert set(counts) == {fold_name(number + 1) for number in range(folds)}
    assert max(counts.values()) - min(counts.values()) <= 1
    turned = step.run([frame.iloc[::-1]], TableContext("people", None, (), seed))
    assert folds_of(turned) == found


def test_who_has_a_fold_keeps_it(context):
    first = Split(folds=4).run([people(9)], context())
    (context().run_dir / "people.split.csv").write_text(first.state["split.csv"])
    again = Split(folds=4).run([people(13)], context())
    assert {one: fold for one, fold in folds_of(again).items() if one in folds_of(first)} == folds_of(first)
    assert first.notes[0] == "9 people: fold-1 2, fold-2 2, fold-3 2, fold-4 3"
    other = Split(folds=3).run([people(9)], context())
    assert any("moved to another split" in note for note in other.notes)


def test_a_list_gives_people_their_folds(context, tmp_path):
    (tmp_path / "list.csv").write_text("identity,split\nd/p0,fold-2\nd/p1,fold-2\n")
    found = folds_of(Split(folds=2, frozen=tmp_path / "list.csv").run([people(4)], context()))
    assert found == {"d/p0": "fold-2", "d/p1": "fold-2", "d/p2": "fold-1", "d/p3": "fold-1"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 5, "ratios": {"train": 0.5, "test": 0.5}}, "folds and ratios exclude each other"),
        ({"folds": 5, "by": "capture"}, "folds: of a cross-validation are of whole people"),
        ({"folds": 1}, "folds"),
    ],
)
def test_what_does_not_go_with_folds(options, message):
    with pytest.raises(UserError, match=message):
        build(Split, options, "step 'people'")
