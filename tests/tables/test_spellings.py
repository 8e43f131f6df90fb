"""Names that differ in their spelling alone."""

import pytest

from face3d_data.names import loose_form, same_form
from face3d_data.tables.spellings import masked_names, spelling_lines, spellings


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("lab/anna", "lab/Anna"),
        ("lab/anna", "lab/anna "),
        ("lab/anna", " LAB / anna"),
        ("lab/anna lee", "lab/anna  lee"),
        ("lab/anna lee", "lab/anna\u00a0lee"),
        ("lab/1", "lab/\uff11"),
        ("lab/\ufb01na", "lab/fina"),
        ("lab/stra\u00dfe", "lab/STRASSE"),
        ("lab/zo\u00e9", "lab/Zoe\u0301"),
        ("lab/anna", "lab/an\u200bna"),
        ("lab/\u03c3", "lab/\u03c2"),
    ],
)
def test_names_of_one_loose_form_are_suspected(one, other):
    assert loose_form(one) == loose_form(other)
    assert spellings([one, other, "lab/bob"], {}) == [tuple(sorted((one, other)))]


@pytest.mark.parametrize(
    ("one", "other"), [("lab/anna", "lab/ana"), ("lab/a/b", "lab/ab"), ("lab/1", "lab/01"), ("lab/o", "lab/\u00f6")]
)
def test_other_names_are_not(one, other):
    assert spellings([one, other], {}) == []


def test_one_normal_form():
    assert same_form("Zoe\u0301") == same_form("Zo\u00e9") == "Zo\u00e9"
    assert same_form("\u212bngstrom") == "\u00c5ngstrom"
    assert same_form("\ufb01") == "\ufb01", "another character that looks alike stays another"


def test_names_that_a_list_joins_are_known():
    people = ["lab/anna", "lab/Anna", "lab/ANNA"]
    assert spellings(people, {"lab/Anna": "lab/anna"}) == [("lab/ANNA", "lab/anna")]
    assert spellings(people, {"lab/Anna": "lab/anna", "lab/ANNA": "lab/anna"}) == []


def test_lines_are_few():
    lines = spelling_lines([f"lab/{c}{n}" for n in range(5) for c in "aA"], {})
    assert len(lines) == 4
    assert lines[0].startswith("suspected to be one person: 'lab/A0' and 'lab/a0' (spelt apart alone): rename one")
    assert lines[3] == "suspected to be one person: 2 more groups"


def test_a_name_with_and_without_masked_is_suspected():
    people = ["d/105", "d/105_masked", "d/106_masked", "d/_masked", "e/105"]
    assert masked_names(people, {}) == [("d/105", "d/105_masked")]
    assert masked_names(people, {"d/105_masked": "d/105"}) == []
    (line,) = spelling_lines(people, {})
    assert "'d/105' and 'd/105_masked' (one name, and with a mask)" in line
