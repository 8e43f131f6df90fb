"""The recorded versions and defaults of all components: cached results hang on them."""

import copy
import json
import runpy
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "golden" / "components.json"
RECORD = "tests/golden/record_components.py"
record = runpy.run_path(str(GOLDEN.with_name("record_components.py")))


def test_no_default_changed_without_a_new_version():
    assert record["differences"](json.loads(GOLDEN.read_text()), record["current"]()) == []


def test_the_record_is_complete_and_of_today():
    recorded, now = json.loads(GOLDEN.read_text()), record["current"]()
    assert recorded == now, f"a component is new, gone or has a new version: run python {RECORD}"


def test_a_changed_default_is_found_and_a_new_version_allows_it():
    now = record["current"]()
    recorded = copy.deepcopy(now)
    recorded["stage/subsample"]["defaults"]["n_points"] = 1
    lines = record["differences"](recorded, now)
    assert lines == ["stage/subsample: n_points changed 1 -> 2048: raise its version 1"]
    recorded["stage/subsample"]["version"] = 0
    assert record["differences"](recorded, now) == []


def test_a_new_or_removed_parameter_is_a_changed_default():
    now = record["current"]()
    recorded = copy.deepcopy(now)
    del recorded["stage/subsample"]["defaults"]["pad"]
    recorded["stage/subsample"]["defaults"]["gone"] = 3
    lines = record["differences"](recorded, now)
    assert [line.split(" ")[1] for line in lines] == ["gone", "pad"]


def test_fields_that_only_place_or_select_are_not_recorded():
    assert "root" not in record["current"]()["reader/rgbd_folder"]["defaults"]
