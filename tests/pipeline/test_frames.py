"""Frames of points at planning: a stage that takes one frame alone is fed no other."""

import re
from typing import ClassVar

import pytest

from face3d_data.errors import UserError
from face3d_data.pipeline.build import make_pipeline
from face3d_data.registry import COMPONENTS
from face3d_data.stage import Stage
from face3d_data.testing import write_tiny_rgbd


class Nosed(Stage):
    """Takes points in the face frame."""

    name = "nosed"
    inputs = ("points",)
    outputs = ("points",)
    frame: ClassVar = "face"

    def run(self, sample, rng):
        yield sample


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """Return a function that plans a pipeline with these steps after `clouds`."""
    COMPONENTS.components("stage")
    monkeypatch.setattr(COMPONENTS, "_known", {**COMPONENTS._known, ("stage", "nosed"): Nosed})
    write_tiny_rgbd(tmp_path / "tiny", people=1, captures=1)
    first = [
        {"id": "faces", "stage": "detect", "from": "tiny", "with": {"detector": "given"}},
        {"id": "clouds", "stage": "to_cloud", "from": "faces"},
    ]
    sources = {"tiny": {"reader": "rgbd_folder", "root": "tiny"}}
    return lambda *steps: make_pipeline({"name": "p", "sources": sources, "steps": [*first, *steps]}, tmp_path)


def step(name, stage, *upstream, **options):
    return {"id": name, "stage": stage, "from": list(upstream), "with": options}


def test_a_stage_of_the_face_frame_goes_after_align_3d(plan):
    plan(step("face", "align_3d", "clouds"), step("near", "subsample", "face"), step("own", "nosed", "near"))
    said = "(nosed) takes points in the face frame, and those of 'clouds' are in the camera frame: put"
    with pytest.raises(UserError, match=re.escape(said)):
        plan(step("own", "nosed", "clouds"))


def test_every_way_to_a_stage_is_looked_at(plan):
    with pytest.raises(UserError, match="those of 'clouds' are in the camera frame"):
        plan(step("face", "align_3d", "clouds"), step("own", "nosed", "face", "clouds"))


def test_a_stage_of_the_camera_frame_goes_before_align_3d(plan):
    plan(step("found", "locate_3d", "clouds"), step("face", "align_3d", "found"))
    with pytest.raises(UserError, match=r"takes points in the camera frame.*put it before the stage that moves them"):
        plan(step("face", "align_3d", "clouds"), step("found", "locate_3d", "face"))
