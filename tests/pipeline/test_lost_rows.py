"""Rows that no step takes: counted and said, and what is empty is named with the step that took nothing."""

import pytest

from face3d_data.errors import UserError
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.run import run
from face3d_data.testing import write_tiny_images


@pytest.fixture
def said(tmp_path):
    """Run steps over a source `bare` (6 rows) and a source `real` (4 rows, masks worn); return the lines said."""
    write_tiny_images(tmp_path / "a", people=3, captures=2)
    write_tiny_images(tmp_path / "b", people=2, captures=2, seed=5)

    def call(steps, ends=("end",), until=None):
        sources = {
            "bare": {"reader": "image_folder", "root": "a"},
            "real": {"reader": "image_folder", "root": "b", "tags": {"mask": "worn"}},
        }
        datasets = {f"d{i}": {"from": end, "fields": ["color"]} for i, end in enumerate(ends)}
        raw = {"name": "n", "sources": sources, "steps": steps, "datasets": datasets}
        lines = []
        result = run(make_pipeline(raw, tmp_path), tmp_path / "w", engine="serial", say=lines.append, until=until)
        samples = {name: sum(1 for _ in (folder / "all.csv").open()) - 1 for name, folder in result.datasets.items()}
        return [line.strip() for line in lines if "in no dataset" in line], samples

    return call


def select(name, upstream, **where):
    return {"id": name, "table": "select", "from": upstream, **({"where": where} if where else {})}


ALL = {"id": "all", "table": "combine", "from": ["bare", "real"]}


def test_rows_that_a_branch_passes_over_are_said(said):
    lines, samples = said([ALL, select("worn", "all", mask="none"), select("end", "worn")])
    assert lines == ["4 rows of all are in no dataset: where of step worn"]
    assert samples == {"d0": 6}


def test_rows_that_another_branch_takes_are_not_lost(said):
    steps = [ALL, select("one", "all", mask="none"), select("two", "all", mask="worn")]
    lines, samples = said([*steps, {"id": "end", "table": "combine", "from": ["one", "two"]}])
    assert lines == []
    assert samples == {"d0": 10}
    assert said([*steps, select("end", "one")], ("end", "two"))[0] == []


def test_several_steps_that_pass_rows_over_are_named(said):
    steps = [ALL, select("one", "all", mask="none"), select("two", "all", identity="real/person_0000")]
    lines, _ = said([*steps, {"id": "end", "table": "combine", "from": ["one", "two"]}])
    assert lines == ["2 rows of all are in no dataset: where of step one and two"]


def test_a_branch_that_leads_nowhere_takes_nothing(said):
    steps = [ALL, select("one", "all", mask="none"), select("looked_at", "all", mask="worn")]
    assert said([*steps, select("end", "one")])[0] == ["4 rows of all are in no dataset: where of step one"]
    assert said([select("end", "bare"), select("looked_at", "real")])[0] == [
        "4 rows of real are in no dataset: no step that leads to one takes them"
    ]


def test_rows_that_are_dirty_have_their_reason_already(said):
    left_out = {"id": "end", "table": "select", "from": "all", "with": {"query": "mask == 'none'"}}
    assert said([ALL, left_out]) == ([], {"d0": 6})


def test_the_step_before_the_end_loses_nothing(said):
    assert said([ALL, select("end", "all"), select("more", "end", mask="none")])[0] == []


def test_without_datasets_nothing_is_lost(said):
    steps = [ALL, select("worn", "all", mask="none"), select("end", "worn")]
    assert said(steps, ends=())[0] == []
    assert said(steps, until="worn")[0] == []


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (
            {"mask": "surgical"},
            r"'d0': nothing to write: step 'some' takes none of the 10 rows of all: where: \{mask: surgical\} "
            r"\(no row has mask 'surgical' \(there: 'none', 'worn'\)\): correct it$",
        ),
        (
            {"mask": "wron"},
            r"takes none of the 10 rows of all: .*did you mean 'worn'\?\): correct it$",
        ),
        (
            {"mask": "worn", "source": "bare"},
            r"takes none of the 10 rows of all: where: \{mask: worn, source: bare\}: correct it$",
        ),
    ],
)
def test_what_takes_nothing_is_named_with_its_value(said, where, message):
    with pytest.raises(UserError, match=message) as caught:
        said([ALL, select("some", "all", **where), select("end", "some")])
    assert "face3d dirty" not in str(caught.value)


def test_what_leaves_everything_out_has_dirty_rows(said):
    left_out = {"id": "some", "table": "select", "from": "all", "with": {"query": "mask == 'cloth'"}}
    with pytest.raises(UserError, match=r"'some': none of its 10 inputs is left \(query 10\): see `face3d dirty`"):
        said([ALL, left_out, select("end", "some")])
