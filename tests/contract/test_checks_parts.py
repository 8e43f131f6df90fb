"""The shipped checks of table steps, augmentations, occluders and detectors: each breach is found, and said."""

import itertools
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from pydantic import Field

from face3d_data.augment.operation import Operation, draw_seed
from face3d_data.detectors.protocol import DetectedFaces, Detector
from face3d_data.errors import ContractError
from face3d_data.table import TableResult, TableStep
from face3d_data.testing.contract import check_augmentation, check_detector, check_occluder, check_table
from face3d_data.testing.contract_table import tiny_rows
from face3d_data.wear.occluder_kind import OccluderKind
from face3d_data.wear.occluders import KINDS
from face3d_data.wear.occluders.glasses import GlassesDraw

counter = itertools.count()


class Halves(TableStep):
    """Put people into two splits, and leave masked rows out; `fault` names a breach."""

    name = "halves"
    assigns = ("split",)
    tag_names = ("half",)
    reasons: ClassVar = {"masked": "the row wears a mask"}
    fault: str = Field("", description="what to do wrong")

    def run(self, frames, context):
        frame = frames[0]
        if self.fault == "write":
            frame["identity"] = "x/1"
        plain = (frame["mask"] == "none").to_numpy(bool)
        dirty = frame[~plain][["id"]].assign(reason="masked", detail="")
        kept = frame[plain].reset_index(drop=True)
        half = [str(int(name[-1]) % 2) for name in kept["identity"]]
        if self.fault == "order":
            half = [str(i % 2) for i in range(len(kept))]
        if self.fault == "counts":
            half = [str(next(counter)) for _ in half]
        split = [("train", "test")[int(h) % 2] for h in half]
        if self.fault == "state" and context.run_dir:
            split = split[::-1]
        kept = kept.assign(half=half, split=["", *split[1:]] if self.fault == "empty" else split)
        return self._spoilt(kept, dirty, frame)

    def _spoilt(self, kept, dirty, frame):
        match self.fault:
            case "lost":
                kept = kept[1:]
            case "dirty_lost":
                dirty = None
            case "twice":
                kept = kept.iloc[[0, *range(len(kept))]].reset_index(drop=True)
            case "invented":
                kept = kept.assign(id=["x/y/z", *kept["id"][1:]])
            case "both":
                dirty = frame[["id"]].assign(reason="masked", detail="")
            case "reason":
                dirty = dirty.assign(reason="unsaid")
            case "tag":
                kept = kept.assign(unsaid=1)
            case "drops":
                kept = kept.drop(columns="yaw_deg")
            case "key":
                kept = kept.assign(key="0")
            case "old_tag":
                kept = kept.assign(yaw_deg=1.0)
        return TableResult(kept, dirty, state={"halves.csv": "x"})


TABLE_BREACHES = {
    "write": "it writes into the rows",
    "lost": r"it loses rows without a word: \['tiny/person_0000/0'\]",
    "dirty_lost": "it loses rows without a word",
    "twice": "a row comes out twice",
    "invented": r"it invents rows: \['x/y/z'\]",
    "both": "rows both go on and are left out",
    "reason": r"undeclared reasons \['unsaid'\]",
    "tag": r"it sets tags \['unsaid'\]",
    "drops": r"it drops the columns \['yaw_deg'\]",
    "key": r"it changes \['key'\]",
    "old_tag": r"it changes \['yaw_deg'\]",
    "empty": "leaves some rows without",
    "counts": "a second run gives other rows",
    "order": "rows in another order give others",
    "state": "its own state of the run before give other rows",
}


def test_a_good_table_step_passes():
    result = check_table(Halves())
    assert set(result.frame["split"]) == {"train", "test"}
    assert len(result.dirty) == 6


@pytest.mark.parametrize("fault", TABLE_BREACHES)
def test_every_breach_of_a_table_step_is_found(fault):
    with pytest.raises(ContractError, match=TABLE_BREACHES[fault]):
        check_table(Halves(fault=fault))


class Undeclared(Halves):
    """Declares no split."""

    name = "undeclared"
    assigns = ()


def test_a_split_that_is_not_declared_is_found():
    with pytest.raises(ContractError, match=r"it changes \['split'\] of tiny/person_0000/0, which it does not declare"):
        check_table(Undeclared())


def test_a_class_that_no_worker_finds_is_found():
    class Local(Halves):
        """Is defined in a function."""

    with pytest.raises(ContractError, match=r"workers cannot be given it .*: define its class at the top of a module"):
        check_table(Local())


def test_rows_for_the_check_are_those_that_steps_get():
    rows = tiny_rows(2, 3)
    assert list(rows["identity"])[::3] == ["tiny/person_0000", "tiny/person_0001"]
    assert list(rows["mask"])[:3] == ["none", "none", "surgical"]


class Push(Operation):
    """Move points by a drawn distance; `fault` names a breach."""

    name: ClassVar[str] = "push"
    needs: ClassVar = ("points",)
    acts_on: ClassVar = ("points", "normals", "curvature", "point_colors", "occlusion")
    draws: ClassVar = ("push_mm", "push_seed")
    strengths: ClassVar = ("push_mm",)

    push_mm: float = Field(0.0, ge=0, description="distance, mm")
    fault: ClassVar[str] = ""

    def draw(self, rng):
        record = {"push_mm": self.push_mm, "push_seed": draw_seed(rng)}
        match self.fault:
            case "undrawn":
                del record["push_seed"]
            case "numpy":
                record["push_seed"] = np.int64(3)
            case "tuple":
                record["push_seed"] = (1, 2)
            case "counts":
                record["push_seed"] = next(counter)
        return record

    def apply(self, arrays, record):
        if record["push_mm"] == 0 and self.fault != "zero":
            return {}
        points = arrays["points"]
        if self.fault == "empty":
            points[0]
        if self.fault == "nothing":
            return {}
        if self.fault == "undeclared":
            return {"pose": np.eye(4)}
        if self.fault == "dtype":
            return {"points": points.astype(np.float64)}
        if self.fault == "shares":
            return {"points": points[:]}
        if self.fault == "shorter":
            return {"points": points[:-1].copy()}
        if self.fault == "order":
            return {"points": points[::-1].copy(), "curvature": arrays["curvature"][::-1].copy()}
        if self.fault == "reads":
            arrays["depth"]
        if self.fault == "own_field":
            return {"points": points + np.float32(self.push_mm)}
        if self.fault == "global":
            return {"points": points + np.float32(next(counter))}
        return {"points": points + np.float32([0, 0, record["push_mm"] + 1e-6 * (record["push_seed"] % 7)])}


AUGMENTATION_BREACHES = {
    "undrawn": r"it draws \['push_mm'\] and declares",
    "numpy": "its record cannot be stored",
    "tuple": "its record is another one after it was stored",
    "counts": "one seed gives two records",
    "nothing": "it changes nothing of a capture",
    "undeclared": r"it changes \['pose'\]",
    "dtype": "array 'points' is float64",
    "shares": "'points' shares memory",
    "shorter": "differ in number",
    "order": "in another order than the points",
    "reads": r"it reads \['depth'\]",
    "own_field": "applied with the record alone, a record gives other bytes",
    "global": "applied a second time, a record gives other bytes",
    "empty": "no point: IndexError",
}


def test_a_good_augmentation_passes():
    assert check_augmentation(Push(push_mm=3)).keys() == {"points"}


@pytest.mark.parametrize("fault", AUGMENTATION_BREACHES)
def test_every_breach_of_an_augmentation_is_found(fault, monkeypatch):
    monkeypatch.setattr(Push, "fault", fault)
    with pytest.raises(ContractError, match=AUGMENTATION_BREACHES[fault]):
        check_augmentation(Push(push_mm=3))


class On(Push):
    """On by default."""

    push_mm: float = Field(1.0, description="distance, mm")


class Changes(Push):
    """Changes arrays at zero."""

    fault: ClassVar[str] = "zero"


class Needy(Push):
    """Needs an option."""

    push_mm: float = Field(description="distance, mm")


def test_strengths_that_are_off_and_defaults_that_are_on_are_found():
    with pytest.raises(ContractError, match="these strengths are off"):
        check_augmentation(Push())
    for cls, said in ((On, "its defaults are on"), (Changes, "its defaults change"), (Needy, "has no default")):
        with pytest.raises(ContractError, match=said):
            check_augmentation(cls(push_mm=3))


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"needs": ("pointz",)}, r"declares arrays \['pointz'\]"),
        ({"acts_on": ("distortion",)}, r"it acts on \['distortion'\]"),
        ({"strengths": ("pull_mm",)}, "strengths names no field"),
        ({"strengths": ()}, "strengths names no field"),
        ({"after": "blurr"}, "after = 'blurr' is none of mirror, flip"),
        ({"draws": ("jitter_seed",)}, r"named \['jitter_seed'\]"),
        ({"version": 0}, "version 0 is not a whole number from 1 up"),
        ({"name": "Push it"}, "is not lower_case"),
        ({"__doc__": ""}, "no docstring"),
    ],
)
def test_what_an_augmentation_declares_is_checked(declared, said):
    cls = type("Push2", (Push,), {"__doc__": "Push.", "__module__": __name__, **declared})
    globals()["Push2"] = cls  # where a pickled copy looks
    with pytest.raises(ContractError, match=said):
        check_augmentation(cls(push_mm=3))


class Goggles(OccluderKind):
    """Sunglasses; `fault` names a breach."""

    name: ClassVar[str] = "goggles"
    draws: ClassVar[type] = GlassesDraw
    fault: str = Field("", description="what to do wrong")

    def draw(self, rng):
        draw = KINDS["sunglasses"].draw(rng)
        match self.fault:
            case "counts":
                return replace(draw, tilt_deg=float(next(counter)))
            case "same":
                return GlassesDraw()
            case "other":
                return KINDS["scarf"].draw(rng)
            case "numpy":
                return replace(draw, size=np.float32(1))
            case "list":
                return replace(draw, color=["#000000"])
        return draw

    def build(self, skin, landmarks, draw):
        made = KINDS["sunglasses"].build(skin, landmarks, draw)
        match self.fault:
            case "surface":
                return replace(made, vertices=made.vertices + np.float32(1e-3 * next(counter)))
            case "label":
                return replace(made, label=3)
            case "triangles":
                return replace(made, triangles=made.triangles + np.uint32(9))
            case "part":
                return replace(made, part=made.part[1:])
            case "coords":
                return replace(made, coords=made.coords[1:])
            case "nan":
                return replace(made, vertices=made.vertices * np.float32(np.nan))
            case "normals":
                return replace(made, normals=made.normals * 2)
            case "inside":
                return replace(made, vertices=made.vertices - np.float32([0, 0, 30]))
            case "beside":
                return replace(made, vertices=made.vertices + np.float32([0, -900, 0]))
            case "bright":
                return replace(made, paint=lambda part, coords: np.full((len(part), 3), 1.5, np.float32))
            case "paint":
                return replace(made, paint=lambda part, coords: np.ones(len(part), np.float32))
        return made


OCCLUDER_BREACHES = {
    "counts": "one seed gives two draws",
    "same": "every seed draws the same",
    "other": "draw.. returns a ScarfDraw, not a GlassesDraw",
    "numpy": "a draw cannot be stored",
    "list": "drawn values become tags",
    "surface": "one draw gives two surfaces",
    "label": "label 3: write 1",
    "triangles": "triangles name vertices that do not exist",
    "part": "not every triangle belongs to a part",
    "coords": "vertices lack normals or coords",
    "nan": "vertices are not finite",
    "normals": "normals are not of unit length",
    "inside": "mm below the skin",
    "beside": "nothing of it lies before the face",
    "bright": "paint is not an albedo",
    "paint": r"paint gives \(",
}


def test_a_good_occluder_passes():
    assert len(check_occluder(Goggles())) == 4


@pytest.mark.parametrize("fault", OCCLUDER_BREACHES)
def test_every_breach_of_an_occluder_is_found(fault):
    with pytest.raises(ContractError, match=OCCLUDER_BREACHES[fault]):
        check_occluder(Goggles(fault=fault))


@dataclass(frozen=True)
class SilentDraw:
    """One draw."""

    size: float = 1.0


class Silent(Goggles):
    """Explains nothing."""

    draws: ClassVar[type] = SilentDraw


def test_drawn_values_that_nobody_explains_are_found():
    with pytest.raises(ContractError, match=r"the docstring of SilentDraw says nothing of \['size'\]"):
        check_occluder(Silent())


class Bright(Detector):
    """Take the brightest part for a face; `fault` names a breach."""

    name: ClassVar[str] = "bright"
    fault: str = Field("", description="what to do wrong")

    def detect(self, color, min_face_px=20.0, possible_px=None):
        if self.fault == "write":
            color[0] = 0
        rows, columns = np.nonzero(color.min(axis=2) > 200)
        if self.fault == "crash":
            rows.max()
        if len(rows) < 9 or self.fault == "blind":
            return DetectedFaces.none()
        low, high = np.array([columns.min(), rows.min()]), np.array([columns.max(), rows.max()]) + 1
        side = float((high - low).max())
        if self.fault == "bound" and possible_px is not None:
            return DetectedFaces.none()
        if possible_px is not None and not possible_px[0] <= side <= possible_px[1]:
            return DetectedFaces.none()
        box = np.concatenate([high, low] if self.fault == "corners" else [low, high]).astype("f4")
        if self.fault == "counts":
            box = box + np.float32(next(counter))
        scores = np.array(
            [0.5, 0.9] if self.fault == "order" else [2, 1] if self.fault == "scores" else [0.9, 0.5], "f4"
        )
        marks = np.tile((low + high) / 2, (2, 5, 1)).astype("f8" if self.fault == "dtype" else "f4")
        boxes = np.tile(box, (1 if self.fault == "shape" else 2, 1))
        return DetectedFaces(boxes * np.float32(np.nan) if self.fault == "nan" else boxes, scores, marks)


DETECTOR_BREACHES = {
    "write": "it writes into the image",
    "crash": "a black image: ValueError",
    "blind": "it finds no face",
    "bound": "possible_px leaves out a face of a possible size",
    "corners": "boxes are not x1, y1, x2, y2",
    "counts": "a second look finds other faces",
    "order": "not ordered best first",
    "scores": "not within 0 and 1",
    "dtype": "landmarks are float64, not float32",
    "shape": r"scores have the shape \(2,\), not \(1,\)",
    "nan": "boxes are not finite",
}


@pytest.fixture
def picture():
    color = np.zeros((90, 120, 3), np.uint8)
    color[20:60, 30:80] = 255
    return color


def test_a_good_detector_passes(picture):
    assert len(check_detector(Bright(), picture)) == 2


@pytest.mark.parametrize("fault", DETECTOR_BREACHES)
def test_every_breach_of_a_detector_is_found(fault, picture):
    with pytest.raises(ContractError, match=DETECTOR_BREACHES[fault]):
        check_detector(Bright(fault=fault), picture)


class Asks(Bright):
    """Asks for a threshold."""

    threshold: float = Field(description="least brightness")


def test_a_detector_with_an_option_that_has_no_default_is_found(picture):
    with pytest.raises(ContractError, match="option 'threshold' has no default"):
        check_detector(Asks(threshold=1), picture)
