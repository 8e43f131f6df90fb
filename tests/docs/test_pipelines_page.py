"""docs/reference/pipelines.md names every key and array, with its default, and its example is a pipeline."""

import re
from pathlib import Path

import pytest
import yaml
from pages import page

from face3d_data.pipeline.build import load_pipeline, make_pipeline
from face3d_data.pipeline.plan import ROW_COLUMNS
from face3d_data.pipeline.spec import STEP_KEYS, Limits, PipelineEntry, SourceEntry, StepEntry
from face3d_data.pipeline.text import substitute
from face3d_data.sample import ARRAYS
from face3d_data.shards.schema import (
    ONLY_SPLIT,
    STORED_NAMES,
    TEXT_DATASETS,
    DatasetSpec,
    GallerySpec,
    PairsSpec,
    ProbeSpec,
)
from face3d_data.table import FIXED_COLUMNS
from face3d_data.tables.query_rows import HIDDEN

PAGE = page("docs/reference/pipelines.md")
MODELS = (PipelineEntry, Limits, SourceEntry, StepEntry, DatasetSpec, PairsSpec, GallerySpec, ProbeSpec)
IN_WORDS = {"the file's folder", "see below", "none", "the source's id", "", "all rows"}
"""What a table says of a default that is empty, or that another key gives."""


def section(name):
    return PAGE.split(f"## {name}\n", 1)[1].split("\n## ", 1)[0]


def table_of(model):
    text = PAGE.split(f"<!-- keys {model.__name__} -->", 1)[1].split("<!-- /keys -->", 1)[0]
    return {row[0].strip("`"): row for row in (cells(line) for line in text.strip().splitlines()[2:])}


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture
def example():
    return re.search(r"<!-- example.*?```yaml two_cameras.yaml\n(.*?)```", PAGE, re.DOTALL).group(1)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_is_there_with_its_default_and_a_meaning(model):
    table = table_of(model)
    fields = {info.alias or name: info for name, info in model.model_fields.items()}
    assert table.keys() == fields.keys()
    for name, info in fields.items():
        _, default, meaning = table[name]
        assert meaning, name
        if info.is_required():
            assert default == "required", name
        elif default not in IN_WORDS:
            assert yaml.safe_load(default) == info.default, name
        else:
            assert info.get_default(call_default_factory=True) in (None, "", (), {}, Limits()), name


def test_keys_that_an_override_sets_on_the_step_itself_are_those_of_the_page():
    assert table_of(StepEntry).keys() == set(STEP_KEYS)


def test_array_table_is_what_samples_may_hold():
    rows = [
        f"| `{name}` | {spec.dtype} | {str(spec.shape).replace(chr(39), '')} | {spec.meaning} |"
        for name, spec in ARRAYS.items()
    ]
    text = PAGE.split("<!-- arrays", 1)[1].split("-->", 1)[1].split("<!-- /arrays -->")[0]
    assert text.strip().splitlines()[2:] == rows, "the page should say:\n" + "\n".join(rows)


def test_names_in_shards_and_of_rows_are_told():
    for name, stored in STORED_NAMES.items():
        assert f"`{name}` are called `{stored}`" in section("Arrays")
    for name in (*ROW_COLUMNS, *(set(FIXED_COLUMNS) - set(HIDDEN))):
        assert f"`{name}`" in section("steps"), name
    assert f"one split named `{ONLY_SPLIT}`" in section("datasets")
    assert set(TEXT_DATASETS) <= set(re.findall(r"`(\w+)`", section("Arrays")))


def test_example_loads_and_uses_every_part_of_a_pipeline(example, tmp_path):
    raw = substitute(yaml.safe_load(example), {}, "example")
    pipeline = make_pipeline(raw, tmp_path)
    assert [source.dataset for source in pipeline.sources] == ["lab", "lab"]
    assert {key for step in raw["steps"] for key in step} == set(STEP_KEYS)
    assert {key for source in raw["sources"].values() for key in source} == {*SourceEntry.model_fields, "root"}
    spec = pipeline.datasets["two_cameras"]
    assert None not in (spec.pairs, spec.gallery, spec.probe)


def test_example_takes_variables_and_the_overrides_of_the_page(example, tmp_path):
    file = tmp_path / "two_cameras.yaml"
    file.write_text(example, "utf-8")
    text = PAGE.replace("\\\n", "")
    line = next(line for line in text.splitlines() if line.startswith("face3d run two_cameras.yaml --explain"))
    overrides = [text.replace("'", "") for text in re.findall(r"--set ((?:'[^']*'|\S)+)", line)]
    pipeline = load_pipeline(file, overrides, {"LAB_ROOT": "/elsewhere"})
    assert pipeline.sources[0].reader.root == Path("/elsewhere")
    assert pipeline.sources[1].reader.root == tmp_path / "captures" / "hall"
    assert pipeline.seed == 3
    assert pipeline.step("drawn").component.n_points == 1024
    assert pipeline.step("spread").where == {"split": "test"}
    assert pipeline.datasets["two_cameras"].pairs is None
