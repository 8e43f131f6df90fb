"""`--set`: whose option a name is, and what is said of a value that is no YAML."""

from __future__ import annotations

import pytest
import toys  # noqa: F401

from face3d_data.errors import UserError
from face3d_data.pipeline.build import _of_dataset_alone
from face3d_data.pipeline.spec import SourceEntry
from face3d_data.pipeline.text import override
from face3d_data.registry import components


def pipeline():
    return {
        "sources": {"lab": {"reader": "toy_files", "root": "in"}, "hall": {"reader": "toy_files"}},
        "steps": [],
        "datasets": {"lab": {"from": "lab", "fields": ["points"]}},
    }


def set_to(text):
    raw = pipeline()
    override(raw, text, (), _of_dataset_alone)
    return raw


def test_a_source_and_a_dataset_of_one_name_each_keep_their_options():
    assert set_to("lab.root=there")["sources"]["lab"]["root"] == "there"
    changed = set_to("lab.normalize=true")
    assert changed["datasets"]["lab"]["normalize"] is True
    assert changed["sources"] == pipeline()["sources"]
    # Both have tags: the source's are meant, as before.
    assert set_to("lab.tags={a: b}")["sources"]["lab"]["tags"] == {"a": "b"}
    # What neither has is told of the source.
    assert set_to("lab.rooot=x")["sources"]["lab"]["rooot"] == "x"
    assert set_to("hall.normalize=true")["sources"]["hall"]["normalize"] is True


def test_a_value_that_is_no_yaml_is_shown_as_a_shell_takes_it():
    with pytest.raises(UserError) as told:
        set_to("hall.pattern={scanner}/{identity}/{capture}")
    quoted = "--set 'hall.pattern=\"{scanner}/{identity}/{capture}\"'"
    assert str(told.value).endswith(quoted)
    setting = quoted.removeprefix("--set '").removesuffix("'")
    assert set_to(setting)["sources"]["hall"]["pattern"] == "{scanner}/{identity}/{capture}"


def test_no_reader_has_an_option_that_a_source_takes_for_itself():
    """Such an option could not be given in a pipeline, as `tags` of reader `csv` could not."""
    for name, cls in components("reader").items():
        assert not set(cls.model_fields) & set(SourceEntry.model_fields), name
