"""The tutorials, and pages that go on in their folder: every command works as pasted, and shows what is said."""

from __future__ import annotations

import re

import pytest
from pages import continued, follow, output_of, page

FIRST = "docs/tutorials/first_dataset.md"
CHAIN = [
    FIRST,
    "docs/tutorials/masked_variants.md",
    "docs/tutorials/train_and_judge.md",
    "docs/how_to/training.md",
    "docs/how_to/test_lists.md",
    "docs/how_to/data_loader.md",
    "docs/how_to/hugging_face.md",
]
"""Pages that are followed one after the other in one folder."""


@pytest.fixture(scope="module")
def tour(tmp_path_factory):
    """The folder in which all pages of the chain were followed, and what each of them printed."""
    folder = tmp_path_factory.mktemp("tour")
    return folder, {path: follow(page(path), folder) for path in CHAIN}


def test_each_page_continues_one_that_was_followed_before():
    for number, path in enumerate(CHAIN[1:], start=1):
        assert continued(page(path)) in CHAIN[:number]


@pytest.mark.slow
def test_the_first_run_does_all_and_the_second_nothing(tour):
    folder, said = tour
    first, second = output_of(said[FIRST], "face3d run rgbd")
    for stage in ("detect", "to_cloud", "clean", "align_3d", "subsample", "normals"):
        assert re.search(rf"{stage}: 16 in, .*\d+ new in", first), stage
        assert re.search(rf"{stage}: 16 in, .*nothing new", second), stage
    assert (folder / "work" / "show" / "rgbd.png").is_file()
    assert (folder / "exported").is_dir()


@pytest.mark.slow
def test_what_a_changed_option_costs_is_explained(tour):
    _, said = tour
    [explained] = output_of(said[FIRST], "face3d run rgbd --set sampled.n_points=1024 --explain")
    assert [line.split(":")[1].split()[0] for line in explained.splitlines()[:-2]] == ["up"] * 5
    for line in re.findall(r"^\w+ \(\w+\): .*$", page(FIRST), re.MULTILINE):
        assert line in explained
    [verified] = output_of(said[FIRST], "face3d verify rgbd")
    assert verified.strip().endswith("ok")


@pytest.mark.slow
def test_another_pipeline_takes_what_is_done_and_adds_masks(tour):
    _, said = tour
    [run] = output_of(said["docs/tutorials/masked_variants.md"], "face3d run masked.yaml")
    for stage in ("detect", "to_cloud", "clean", "align_3d"):
        assert re.search(rf"{stage}: 16 in, .*nothing new", run), stage
    assert "worn  mask: 16 in, 48 out, 16 new" in run


@pytest.mark.slow
def test_the_network_is_judged_beside_a_baseline(tour):
    folder, said = tour
    text = said["docs/tutorials/train_and_judge.md"]
    assert "masked → plain (4 probes against 2 enrolled samples" in text
    assert "depth map, untrained" in text
    assert (folder / "report" / "report.html").is_file()


@pytest.mark.slow
def test_a_frozen_list_holds_when_people_are_added(tour):
    _, said = tour
    text = said["docs/how_to/test_lists.md"]
    before, after = output_of(text, "grep test lists.csv"), output_of(text, "grep test again.csv")
    assert before == after
