"""The shipped checks themselves: each breach of the contract is found, and said."""

import itertools
from typing import ClassVar

import numpy as np
import pytest
from pydantic import Field

from face3d_data.errors import ContractError, Reject
from face3d_data.reader import Reader, Source
from face3d_data.stage import Stage
from face3d_data.testing import tiny_sample
from face3d_data.testing.contract import check_component, check_reader, check_stage

counter = itertools.count()


class Shift(Stage):
    """Move points; `fault` names a breach."""

    name = "shift"
    inputs = ("points",)
    outputs = ("points",)
    reasons: ClassVar = {"none_left": "no points"}
    fault: str = Field("", description="what to do wrong")

    def run(self, sample, rng):
        points = sample.arrays["points"]
        if not len(points) and self.fault != "crash":
            raise Reject("none_left")
        if self.fault == "crash":
            points[0]
        if self.fault == "write":
            points += 1
        moved = points + np.float32(next(counter) if self.fault == "counts" else 1)
        if self.fault == "identity":
            moved = moved + np.float32(len(sample.id))
        if self.fault == "tags":
            moved = moved + np.float32(sample.tags.get("mask") != "none")
        if self.fault == "reads":
            moved = moved + sample.arrays["landmarks_3d"][2]
        if self.fault == "nothing":
            return
        output = sample.with_arrays(points=moved[:-1] if self.fault == "shorter" else moved)
        if self.fault == "undeclared":
            output = output.with_arrays(pose=np.eye(4))
        yield output.with_tags(new=1) if self.fault == "new_tag" else output


BREACHES = {
    "write": "it writes into an array in place: copy it first",
    "counts": "a second run changes",
    "identity": "another id or tag changes",
    "tags": r"it reads the tags \['mask'\]",
    "reads": r"it reads \['landmarks_3d'\]",
    "nothing": "no output",
    "shorter": "carry it along or drop it",
    "undeclared": "declares outputs",
    "new_tag": "tag_names does not declare",
    "crash": "no points: IndexError",
}


def test_a_good_stage_passes():
    (output,) = check_stage(Shift(), tiny_sample())
    assert np.array_equal(output.arrays["points"], tiny_sample().arrays["points"] + 1)


@pytest.mark.parametrize("fault", BREACHES)
def test_every_breach_of_a_stage_is_found(fault):
    with pytest.raises(ContractError, match=BREACHES[fault]):
        check_stage(Shift(fault=fault), tiny_sample())


class Undeclared(Shift):
    """Reject for a reason that is not declared."""

    reasons: ClassVar = {}


class DrawsUnsaid(Shift):
    """Draw without saying so."""

    random = False

    def fingerprint(self, *seeds):
        return f"{next(counter)}"


def test_undeclared_reasons_and_changing_fingerprints_are_found():
    with pytest.raises(ContractError, match="reason 'none_left' is not declared"):
        check_stage(Undeclared(), tiny_sample())
    with pytest.raises(ContractError, match="pickling changes its fingerprint"):
        check_component(DrawsUnsaid())


def test_a_field_without_a_description_is_found():
    class Bare(Shift):
        """Do nothing more."""

        strength: int = 3

    with pytest.raises(ContractError, match="field 'strength' has no description"):
        check_component(Bare())


def test_a_class_without_a_docstring_is_found():
    class Bare(Shift):
        pass

    with pytest.raises(ContractError, match="no docstring"):
        check_component(Bare())


class Memory(Reader):
    """Two captures in memory; `fault` names a breach."""

    name = "memory"
    outputs = ("depth",)
    reasons: ClassVar = {"broken": "it is broken"}
    fault: str = Field("", description="what to do wrong")

    def scan(self):
        for i in range(2):
            capture = "same" if self.fault == "same" else f"c{next(counter) if self.fault == 'order' else i}"
            tags = {"unsaid": 1} if self.fault == "tags" else {}
            problem = ("unsaid", "") if self.fault == "reason" and i else None
            names = ("depth", "color") if self.fault == "arrays" else ("depth",)
            yield Source("ann", capture, record=i, tags=tags, arrays=names, problem=problem)

    def load(self, source, name):
        if self.fault == "dtype":
            return np.zeros((2, 2))
        return np.full((2, 2), next(counter) if self.fault == "counts" else 1, np.float32)


READER_BREACHES = {
    "same": "two sources have one person and capture",
    "order": "a second scan finds other sources",
    "tags": r"undeclared tags \['unsaid'\]",
    "reason": "undeclared reason",
    "arrays": "arrays not in provides",
    "dtype": "array 'depth' is float64",
    "counts": "'depth' differs when read again",
}


def test_a_good_reader_passes():
    assert len(check_reader(Memory())) == 2


@pytest.mark.parametrize("fault", READER_BREACHES)
def test_every_breach_of_a_reader_is_found(fault):
    with pytest.raises(ContractError, match=READER_BREACHES[fault]):
        check_reader(Memory(fault=fault))


class Front(Stage):
    """Keep what is nearer to the camera than the farthest point; `through_pose` says whether that is the camera."""

    name = "front"
    inputs = ("points",)
    optional = ("pose", "normals", "curvature", "point_colors", "occlusion")
    outputs = ("points", "normals", "curvature", "point_colors", "occlusion")
    reasons: ClassVar = {"none_left": "no point is near enough"}
    rule: str = Field("pose", description="how nearness is measured")

    def run(self, sample, rng):
        points = sample.arrays["points"]
        if self.rule == "pose" and "pose" in sample.arrays:
            points = (points - sample.arrays["pose"][:3, 3]) @ sample.arrays["pose"][:3, :3]
        far = points[:, 2] > 550 if self.rule != "half" else points[:, 2] > np.median(points[:, 2])
        if far.all() or not len(points) or (self.rule == "reject" and (points[:, 2] < 0).any()):
            raise Reject("none_left")
        yield sample.take(~far)


class InFace(Front):
    """Says that it takes the face frame alone."""

    name = "in_face"
    frame = "face"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("raw", r"keeps \d+ points, not \d+: use x, y, z of points only through pose"),
        ("half", r"gives points \d+ mm from there: use x"),
        ("reject", r"it rejects the same face in another frame \(none_left\)"),
    ],
)
def test_a_stage_that_rests_on_the_frame_of_points_is_found(rule, said):
    check_stage(Front(), tiny_sample())
    with pytest.raises(ContractError, match=said):
        check_stage(Front(rule=rule), tiny_sample())
    check_stage(InFace(rule=rule), tiny_sample())
