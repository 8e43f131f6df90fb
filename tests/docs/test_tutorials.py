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
    "docs/how_to/back_ends.md",
    "docs/how_to/test_lists.md",
    "docs/how_to/data_loader.md",
    "docs/how_to/hugging_face.md",
]
"""Pages that are followed one after the other in one folder."""


def test_each_page_continues_one_that_was_followed_before():
    for number, path in enumerate(CHAIN[1:], start=1):
        assert continued(page(path)) in CHAIN[:number]


def the_first_run_does_all_and_the_second_nothing(folder, said):
    first, second = output_of(said[FIRST], "face3d run rgbd")
    for stage in ("detect", "to_cloud", "clean", "align_3d", "subsample", "normals"):
        assert re.search(rf"{stage}: 16 in, .*\d+ new in", first), stage
        assert re.search(rf"{stage}: 16 in, .*nothing new", second), stage
    assert (folder / "work" / "show" / "rgbd.png").is_file()
    assert (folder / "exported").is_dir()


def what_a_changed_option_costs_is_explained(said):
    [explained] = output_of(said[FIRST], "face3d run rgbd --set sampled.n_points=1024 --explain")
    assert [line.split(":")[1].split()[0] for line in explained.splitlines()[:-2]] == ["up"] * 5
    for line in re.findall(r"^\w+ \(\w+\): .*$", page(FIRST), re.MULTILINE):
        assert line in explained
    [verified] = output_of(said[FIRST], "face3d verify rgbd")
    assert verified.strip().endswith("ok")


def another_pipeline_takes_what_is_done_and_adds_masks(said):
    [run] = output_of(said["docs/tutorials/masked_variants.md"], "face3d run masked.yaml")
    for stage in ("detect", "to_cloud", "clean", "align_3d"):
        assert re.search(rf"{stage}: 16 in, .*nothing new", run), stage
    assert "worn  mask: 16 in, 48 out, 16 new" in run


def the_network_is_judged_beside_a_baseline(folder, said):
    text = said["docs/tutorials/train_and_judge.md"]
    assert "masked → plain (4 probes against 2 enrolled samples" in text
    assert "depth map, untrained" in text
    assert (folder / "report" / "report.html").is_file()


def a_frozen_list_holds_when_people_are_added(said):
    text = said["docs/how_to/test_lists.md"]
    frozen = output_of(text, "grep ,test lists.csv")[-1]  # the first wrote into a file
    assert len(frozen.split()) == 4
    assert output_of(text, "grep ,test again.csv") == [frozen]


@pytest.mark.slow
def test_all_pages_work_one_after_the_other_and_show_what_they_say(tmp_path):
    """One test, so that the chain is followed once however tests are spread over processes."""
    said = {path: follow(page(path), tmp_path) for path in CHAIN}
    the_first_run_does_all_and_the_second_nothing(tmp_path, said)
    what_a_changed_option_costs_is_explained(said)
    another_pipeline_takes_what_is_done_and_adds_masks(said)
    the_network_is_judged_beside_a_baseline(tmp_path, said)
    a_frozen_list_holds_when_people_are_added(said)
