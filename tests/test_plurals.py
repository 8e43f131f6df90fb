"""Plurals: every message that counts agrees with its number."""

import re
from pathlib import Path

import pytest

from face3d_data.plurals import counted, plural

PACKAGES = [Path(__file__).resolve().parents[1] / "face3d_data",
            Path(__file__).resolve().parents[1] / "training" / "face3d_training"]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (0, ("row",), "0 rows"),
        (1, ("row",), "1 row"),
        (2, ("row",), "2 rows"),
        (-1, ("row",), "-1 rows"),
        (1200, ("loss",), "1,200 losses"),
        (1, ("person",), "1 person"),
        (2, ("person",), "2 people"),
        (1, ("person is", "people are"), "1 person is"),
        (3, ("person is", "people are"), "3 people are"),
    ],
)
def test_words_fit_the_number(number, words, said):
    assert counted(number, *words) == said


def test_plurals_of_nouns():
    assert [plural(word) for word in ("stage", "loss", "identity", "person")] == [
        "stages", "losses", "identities", "people",
    ]  # fmt: skip


def test_messages_that_count_people_use_it():
    """`{n} people` as such is right for no 1; "2 of {n} people" and sums of several are."""
    wrong = re.compile(r"(?<!of )(?<!only )(?<!/)\{[^{}]+\} people\b")
    found = [
        f"{path}:{number}"
        for package in PACKAGES
        for path in sorted(package.rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if wrong.search(line)
    ]
    assert not found
