"""Augmentations, occluders and detectors of other packages: used by their stages, and in no key where they are not."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from pydantic import Field, ValidationError

from face3d_data.augment.augmentation import OPERATIONS, Augmentation
from face3d_data.augment.operation import Operation
from face3d_data.detectors.protocol import DetectedFaces, Detector
from face3d_data.registry import COMPONENTS
from face3d_data.sample import Sample
from face3d_data.stages.augment import Augment
from face3d_data.stages.detect import Detect
from face3d_data.stages.occlude import Occlude
from face3d_data.testing import tiny_sample
from face3d_data.wear.occluder_kind import OccluderKind
from face3d_data.wear.occluders import KINDS


class Sink(Operation):
    """Move every point away from the camera."""

    name: ClassVar[str] = "sink"
    after: ClassVar[str] = "dropout"
    needs: ClassVar[tuple[str, ...]] = ("points",)
    acts_on: ClassVar[tuple[str, ...]] = ("points",)
    draws: ClassVar[tuple[str, ...]] = ("sink_mm",)
    strengths: ClassVar[tuple[str, ...]] = ("sink_mm",)

    sink_mm: float = Field(0.0, ge=0, description="distance, mm")

    def draw(self, rng):
        return {"sink_mm": self.sink_mm}

    def apply(self, arrays, record):
        return {"points": arrays["points"] + np.float32([0, 0, record["sink_mm"]])} if record["sink_mm"] else {}


@dataclass(frozen=True)
class VisorDraw:
    """One drawn visor.

    Attributes:
        tint: `#rrggbb`.
    """

    tint: str = "#102030"


class Visor(OccluderKind):
    """Sunglasses of another name."""

    name: ClassVar[str] = "visor"
    draws: ClassVar[type] = VisorDraw

    def draw(self, rng):
        return VisorDraw()

    def build(self, skin, landmarks, draw):
        return KINDS["sunglasses"].build(skin, landmarks, KINDS["sunglasses"].draws(lens_color=draw.tint))


class Middle(Detector):
    """A face in the middle of every picture, as sure as it is asked to be."""

    name: ClassVar[str] = "middle"
    device: str = Field("cpu", description="where")

    def detect(self, color, min_face_px=20.0, possible_px=None):
        middle = np.float32(color.shape[1::-1]) / 2
        box = np.concatenate([middle - min_face_px, middle + min_face_px])
        return DetectedFaces(box[None].astype("f4"), np.ones(1, "f4"), np.tile(middle, (1, 5, 1)).astype("f4"))


@pytest.fixture
def parts(monkeypatch):
    """Register them, as a plugin's import does."""
    COMPONENTS.components("stage")
    more = {(cls.kind, cls.name): cls for cls in (Sink, Visor, Middle)}
    monkeypatch.setattr(COMPONENTS, "_known", {**COMPONENTS._known, **more})
    return COMPONENTS


@pytest.mark.usefixtures("parts")
def test_an_operation_of_another_package_is_applied_in_its_place():
    stage = Augment(sink_mm=5, dropout=0.5, jitter_mm=1)
    assert [operation.name for operation in stage.augmentation.operations] == ["dropout", "sink", "jitter"]
    sample = tiny_sample()
    (out,) = Augment(sink_mm=5).apply_all(sample)
    np.testing.assert_allclose(out.arrays["points"], sample.arrays["points"] + np.float32([0, 0, 5]))
    assert out.tags["aug_sink_mm"] == 5
    assert "aug_sink_mm" in Augment(sink_mm=5).declared_tags()
    assert Augmentation.of(sink_mm=5).operations == (Sink(sink_mm=5),)


@pytest.mark.usefixtures("parts")
def test_options_of_another_package_are_checked_as_fields_are():
    with pytest.raises(ValidationError, match="sink_mm"):
        Augment(sink_mm=-1)
    with pytest.raises(ValidationError, match=r"unknown option 'sink_m'.*did you mean 'sink_mm'"):
        Augment(sink_m=1)


def test_an_installed_plugin_changes_no_key_where_it_is_not_used(parts):
    stages = [Augment(jitter_mm=1), Occlude(), Occlude(kinds=["hair"]), Detect(), Detect(detector="given")]
    with_plugins = [stage.fingerprint(0) for stage in stages]
    for kind, name in (("augmentation", "sink"), ("occluder", "visor"), ("detector", "middle")):
        del parts._known[kind, name]
    assert [stage.fingerprint(0) for stage in stages] == with_plugins
    assert Augment.model_fields.keys().isdisjoint(Sink.model_fields)


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize(
    ("cls", "stage", "options"),
    [
        (Sink, Augment, {"sink_mm": 1}),
        (Visor, Occlude, {"kinds": ["visor"]}),
        (Middle, Detect, {"detector": "middle"}),
    ],
    ids=["augmentation", "occluder", "detector"],
)
def test_a_new_version_of_one_is_another_key(monkeypatch, cls, stage, options):
    before = stage(**options).fingerprint(0)
    monkeypatch.setattr(cls, "version", 2)
    assert stage(**options).fingerprint(0) != before


@pytest.mark.usefixtures("parts")
def test_an_occluder_of_another_package_is_worn():
    (out,) = Occlude(kinds={"visor": 1}, keep_images=False).apply_all(tiny_sample(width=96, height=72))
    assert out.tags["occlusion"] == "visor"
    assert out.tags["occlusion_tint"] == "#102030"
    assert (out.arrays["occlusion"] == 2).any()
    assert "occlusion_tint" in Occlude(kinds=["visor"]).declared_tags()
    with pytest.raises(ValidationError, match="did you mean 'visor'"):
        Occlude(kinds=["vizor"])


@pytest.mark.usefixtures("parts")
def test_a_detector_of_another_package_looks():
    out = Detect(detector="middle", device="cuda", min_face_px=12).apply(
        Sample.of({"color": np.zeros((60, 80, 3), "u1")})
    )
    assert out.arrays["box"].tolist() == [28, 18, 52, 42]
    with pytest.raises(ValidationError, match=r"there is no detector 'midle'.*did you mean 'middle'"):
        Detect(detector="midle")


def test_shipped_operations_and_kinds_are_those_that_register():
    assert {kind.name for kind in OPERATIONS} == COMPONENTS.components("augmentation").keys()
    assert KINDS.keys() == COMPONENTS.components("occluder").keys()
