"""Combining collections: the tutorial works as pasted, the how-to's tables name every option and column."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import cv2
import pytest
from pages import follow, page

from face3d_data.domains.measure import FACE_DEPTH_MM
from face3d_data.geometry.point_noise import COARSEST_MM
from face3d_data.geometry.reading_noise import LEAST_SIGMA_MM
from face3d_data.shards.sources_table import COLUMNS, LAST_COLUMNS
from face3d_data.tables.limit import Limit
from face3d_data.tables.split import Split

TUTORIAL = page("docs/tutorials/combine_two_collections.md")
PAGE = page("docs/how_to/combining.md")


def names_in(table: str) -> list[str]:
    text = PAGE.split(f"<!-- {table} -->", 1)[1].split(f"<!-- /{table} -->")[0]
    cells = [line.split("|")[1] for line in text.strip().splitlines()[2:]]
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


@pytest.fixture(scope="module")
def followed(tmp_path_factory) -> tuple[Path, str]:
    """The folder after all files of the page were written and all its commands run, and what they said."""
    root = tmp_path_factory.mktemp("page")
    return root, follow(TUTORIAL, root)


@pytest.mark.slow
def test_the_commands_do_what_the_page_says(followed):
    root, said = followed
    assert "18 names are those of 16 people" in said
    assert "lab: 10 of 12 people" in said
    assert "people 0, captures 0, recordings 0, keys 0, equal contents 0" in said
    with open(root / "work/datasets/two_collections/sources.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["source"], row["people"], row["masked"]) for row in rows] == [("hall", "6", "12"), ("lab", "10", "0")]
    assert re.search(r"^lab +lab +10 ", said, re.MULTILINE)
    assert cv2.imread(str(root / "work/show/two_collections-domains.png")) is not None


@pytest.mark.slow
def test_its_dataset_has_one_name_for_each_person(followed):
    root, _ = followed
    text = (root / "work/datasets/two_collections/dataset.json").read_text("utf-8")
    assert '"hall/person_0000": "lab/person_0003"' in text


def test_every_option_and_column_is_told():
    assert names_in("limit")[:1] == ["captures_per_person"]
    assert set(Limit.model_fields) <= set(names_in("limit"))
    assert [name for name in names_in("sources") if name != "samples_train"] == [*COLUMNS, *LAST_COLUMNS]
    for name in ("stratify", "min_captures", "frozen", "ratios"):
        assert name in Split.model_fields
        assert f"`{name}" in PAGE
    for reason in (*Limit.reasons, *Split.reasons):
        assert f"`{reason}`" in PAGE
    assert f"{FACE_DEPTH_MM:g} mm" in PAGE
    assert f"{LEAST_SIGMA_MM:g} mm" in PAGE
    assert f"{COARSEST_MM:g} mm apart" in PAGE
