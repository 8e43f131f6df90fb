"""Record of how a dataset's samples were prepared."""

from pathlib import Path

import pytest

from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.preparation import preparation_record


def pipeline(steps, upstream, **dataset):
    spec = {"from": upstream, "fields": ["points"], **dataset}
    raw = {
        "name": "p",
        "sources": {
            "one": {"reader": "synthetic", "people": 2},
            "two": {"reader": "synthetic", "people": 2, "seed": 5},
        },
        "steps": steps,
        "datasets": {"d": spec},
    }
    made = make_pipeline(raw, Path())
    return preparation_record(made, made.datasets["d"])


CLOUD = {"id": "clouds", "stage": "to_cloud", "from": ["one", "two"], "with": {"crop_radius_mm": 90}}
SPLIT = {"id": "people", "table": "split", "from": "clouds"}
WORN = {"id": "worn", "stage": "mask", "from": "people"}
AGAIN = {"id": "again", "stage": "align_3d", "from": "worn"}


def names(record):
    return [[entry["stage"] for entry in way] for way in record["ways"]]


def test_stages_and_all_their_options_are_recorded_and_table_steps_are_not():
    record = pipeline([CLOUD, SPLIT], "people", dtype="float16")
    assert names(record) == [["to_cloud"]]
    (entry,) = record["ways"][0]
    assert entry["version"] >= 1
    assert entry["with"] == {"crop_radius_mm": 90.0, "min_points": 500, "keep_colors": False}
    assert (record["dtype"], record["normalize"]) == ("float16", False)


def test_masked_rows_that_join_plain_ones_are_no_way_of_their_own():
    both = {"id": "sampled", "stage": "subsample", "from": ["people", "again"]}
    assert names(pipeline([CLOUD, SPLIT, WORN, AGAIN, both], "sampled")) == [["to_cloud", "subsample"]]


def test_a_dataset_of_masked_rows_alone_is_prepared_without_the_masks():
    assert names(pipeline([CLOUD, SPLIT, WORN, AGAIN], "again")) == [["to_cloud", "align_3d"]]


def test_sources_that_come_by_different_stages_are_ways_the_shortest_first():
    steps = [
        {"id": "faces", "stage": "detect", "from": "one"},
        {"id": "found", "stage": "to_cloud", "from": "faces"},
        {"id": "given", "stage": "to_cloud", "from": "two"},
        {"id": "all", "table": "combine", "from": ["found", "given"]},
    ]
    assert names(pipeline(steps, "all")) == [["to_cloud"], ["detect", "to_cloud"]]


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_where_a_stage_computes_is_not_recorded(device):
    steps = [{"id": "faces", "stage": "detect", "from": "one", "with": {"device": device}}]
    assert "device" not in pipeline(steps, "faces", fields=["color"])["ways"][0][0]["with"]
