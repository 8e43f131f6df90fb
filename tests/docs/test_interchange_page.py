"""docs/how_to/interchange.md: its commands are run in order, and what comes back is what went out."""

from __future__ import annotations

import re

import numpy as np
import pytest
from pages import follow, page
from write_verification_sets import write_cfp

from face3d_data.registry import components
from face3d_data.shards.export.dataset import FORMATS
from face3d_data.shards.read import Dataset
from face3d_data.tables.pairs_file import _lines

PAGE = page("docs/how_to/interchange.md")


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """The folder in which every command of the page was run, top to bottom."""
    folder = tmp_path_factory.mktemp("page")
    write_cfp(folder / "cfp-dataset")
    follow(PAGE, folder)
    return folder


def samples(folder, name, fields):
    """Return every sample's arrays, in an order that rests on what they hold."""
    dataset = Dataset(folder / "work" / "datasets" / name)
    assert len(dataset.table("dirty")) == 0, dataset.table("dirty")
    found = [b"".join(sample[field].tobytes() for field in fields) for split in dataset.splits
             for sample in dataset.reader(split)]  # fmt: skip
    return sorted(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clouds", "modelnet", "faces", "shards"])
def test_clouds_come_back_bit_for_bit(followed, name):
    assert samples(followed, name, ["points"]) == samples(followed, "small", ["points"])


@pytest.mark.slow
def test_images_come_back_bit_for_bit(followed):
    fields = ["color", "depth", "intrinsics"]
    assert samples(followed, "frames", fields) == samples(followed, "small", fields)
    assert samples(followed, "photos", ["color"]) == samples(followed, "small", ["color"])


@pytest.mark.slow
def test_every_format_and_reader_is_told(followed):
    told = set(re.findall(r"--format (\S+)\s", PAGE))
    assert set(FORMATS) - {"ply", "png"} == told
    readers = set(re.findall(r"\| `(\w+)` \|$", PAGE, re.MULTILINE))
    assert readers <= components("reader").keys()
    assert np.load(next((followed / "out" / "triplets").glob("*.npy"))).shape == (500, 7)


@pytest.mark.slow
def test_pairs_are_as_the_evaluation_reads_them(followed):
    assert [line[1:3] for line in _lines(followed / "cfp_pairs.txt")] == [(0, True), (0, False), (1, True), (1, False)]
