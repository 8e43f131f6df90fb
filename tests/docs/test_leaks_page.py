"""docs/concepts/leaks.md: its commands work as pasted, its kinds and limits are the program's."""

from __future__ import annotations

import re

import pytest
from pages import follow, output_of, page

from face3d_data.shards.audit import near_duplicates_images, near_duplicates_points
from face3d_data.shards.audit.near_duplicates import FEW
from face3d_data.shards.leaks import LEAK_KINDS
from face3d_data.shards.read import Dataset

PAGE = page("docs/concepts/leaks.md")


@pytest.fixture(scope="module")
def pasted(tmp_path_factory):
    """The folder in which every command of the page was run, top to bottom, and what the commands printed."""
    folder = tmp_path_factory.mktemp("page")
    return folder, follow(PAGE, folder)


@pytest.mark.slow
def test_the_leak_is_named_until_the_list_of_people_joins_both_names(pasted):
    _, said = pasted
    [last] = output_of(said, "face3d verify two_rooms --strict")
    assert "2 samples of the same files in more than one split" in said
    assert "leaks:" not in last


@pytest.mark.slow
def test_the_example_ends_with_whole_people_in_one_split(pasted):
    folder, _ = pasted
    dataset = Dataset(folder / "work" / "datasets" / "two_rooms")
    people = [set(dataset.table(split)["identity"]) for split in ("train", "test")]
    assert all(people)
    assert set.union(*people) == {f"lab/person_{n:03d}" for n in range(5)}
    assert not people[0] & people[1]
    assert (folder / "dirty_captures" / "index.html").is_file()


def test_kinds_and_limits_are_the_program_s():
    for kind in (*LEAK_KINDS, "near_duplicate", "two_people", "two_captures"):
        assert re.search(rf"^\| .*`{kind}`", PAGE, re.MULTILINE), kind
    points, (whole, upper) = near_duplicates_points, near_duplicates_images.PARTS
    assert f"At most {points.MOST_SHAPE_MM:g} mm for a whole face; {points.MOST_PART_MM:g} mm for an upper" in PAGE
    assert f"At most {points.MOST_NOISE_RATIO:g}, and\n  {points.MOST_PART_NOISE_RATIO:g} for an upper face" in PAGE
    assert f"at least {whole[3]:g}, and {upper[3]:g} for the upper half" in PAGE
    assert f"up to {FEW:,}\nsamples" in PAGE


def test_strangers_were_measured_and_none_was_suspected():
    rows = re.findall(r"^\| (strangers[^|]*) \| ([\d,]+) \| (\d+) \|", PAGE, re.MULTILINE)
    assert len(rows) >= 4
    assert {found for _, _, found in rows} == {"0"}
