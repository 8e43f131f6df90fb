"""README: short, its commands run as pasted, its make targets are there, and its pictures are small and all used."""

from __future__ import annotations

import re

import pytest
from pages import DOCS, ROOT, every_page, follow, output_of, page

README = page("README.md")
MOST_LINES = 150
MOST_PICTURES_BYTES = 1_000_000
PICTURE = re.compile(r"(?:!\[[^\]]*\]\(|<img [^>]*?src=\")([^)\"]+)")


def test_it_is_short_and_begins_with_what_it_is():
    lines = README.splitlines()
    assert len(lines) <= MOST_LINES
    opening = README.split("<p", 1)[0].split("\n", 1)[1]
    assert len(re.findall(r"[.](?:\s|$)", opening)) == 2


def test_make_targets_named_are_there():
    targets = set(re.findall(r"make ([a-z]+)", README)) - {"sure"}
    assert {"demo", "test", "bench", "mutants", "docs"} <= targets
    makefile = (ROOT / "Makefile").read_text()
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_every_picture_is_there_and_used_and_all_are_small():
    used = set()
    for path in every_page():
        used |= {((ROOT / path).parent / link).resolve() for link in PICTURE.findall(page(path))}
    kept = {path.resolve() for path in (DOCS / "images").iterdir()}
    assert used == kept
    assert sum(path.stat().st_size for path in kept) <= MOST_PICTURES_BYTES


@pytest.fixture(scope="module")
def tour(tmp_path_factory):
    """The folder in which README was followed, and what its commands printed."""
    folder = tmp_path_factory.mktemp("readme")
    return folder, follow(README, folder)


@pytest.mark.slow
def test_it_runs_as_pasted(tour):
    folder, said = tour
    _, second = output_of(said, "face3d run rgbd")
    assert len(re.findall("nothing new", second)) == 6
    [verified] = output_of(said, "face3d verify rgbd")
    assert "\nrgbd: ok\n" in f"\n{verified}\n"
    assert (folder / "work" / "datasets" / "small" / "train.csv").is_file()
