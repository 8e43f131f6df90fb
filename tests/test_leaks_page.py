"""docs/leaks.md: its commands work as pasted, its kinds and limits are the program's, its figures were measured."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from face3d_data.cli.main import _answer
from face3d_data.shards.audit import near_duplicates_images, near_duplicates_points
from face3d_data.shards.audit.near_duplicates import FEW
from face3d_data.shards.leaks import LEAK_KINDS
from face3d_data.shards.read import Dataset

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "leaks.md").read_text("utf-8")
BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<path>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def pasted(tmp_path_factory):
    """Write the page's files, run its commands in order, and return the folder and [line, wanted code, code, text]."""
    folder = tmp_path_factory.mktemp("page")
    before, done = Path.cwd(), []
    os.chdir(folder)
    try:
        for block in BLOCK.finditer(PAGE):
            if block["path"]:
                (folder / block["path"]).write_text(block["text"])
            for line in block["text"].splitlines() if block["language"] == "bash" else ():
                command, _, comment = line.partition("#")
                program, *arguments = shlex.split(command)
                assert program == "face3d"
                wanted = int(match[1]) if (match := re.search(r"exit (\d)", comment)) else 0
                done.append((line, wanted, _answer([*arguments, *_quickly(arguments)])))
    finally:
        os.chdir(before)
    return folder, done


def _quickly(arguments):
    return ["--engine", "serial"] if arguments[0] == "run" else ["-j", "1"] if arguments[0] == "synth" else []


def test_commands_work_as_pasted_with_the_exit_codes_told(pasted):
    _, done = pasted
    assert len(done) == 9
    assert [(line, code) for line, _, code in done] == [(line, wanted) for line, wanted, _ in done]


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


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#:]+)\)", PAGE)
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
