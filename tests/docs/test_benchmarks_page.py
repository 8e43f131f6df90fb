"""docs/benchmarks.md: a figure that misses its goal is in bold, and no other is."""

from __future__ import annotations

import re

import pytest
from pages import between, page

ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in between(page("docs/benchmarks.md"), "figures").splitlines()
    if line.startswith("|")
][2:]
NUMBER = r"\d[\d,]*(?:\.\d+)?"


def judged(goal: str, measured: str) -> bool | None:
    """Return whether a row's first figure meets its goal; None where the goal or the figure is no number."""
    limit, figure = re.search(rf"([≥≤]) ({NUMBER})", goal), re.search(NUMBER, measured)
    if limit is None or figure is None or "flat" in goal:
        return None
    unit = {"1 GB": 953.0, "572 MiB": 572.0}
    bound = unit.get(goal.removeprefix("≤ ").split(",")[0], float(limit[2].replace(",", "")))
    value = float(figure[0].replace(",", ""))
    return value >= bound if limit[1] == "≥" else value <= bound


@pytest.mark.parametrize(("what", "goal", "measured"), ROWS, ids=[row[0][:40] for row in ROWS])
def test_what_misses_its_goal_is_in_bold(what, goal, measured):
    met = judged(goal, measured)
    assert measured.startswith("**") is (met is False), what


def test_most_rows_can_be_judged():
    assert len(ROWS) >= 35
    assert sum(judged(goal, measured) is not None for _, goal, measured in ROWS) >= 20
