"""Units: faces come out as large as faces are, or the collection is refused with what it looks like."""

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError
from scans import face_scan

from face3d_data.component import explain_validation
from face3d_data.errors import MissingDependency, RunStopped, Unreadable, UserError
from face3d_data.reader import Reader, Source
from face3d_data.readers.shared.units import (
    MM_PER_UNIT,
    Units,
    WrongUnit,
    check_face_size,
    looks_like,
    mm_per_unit,
    span_mm,
    survey_units,
)


def scan_in(units):
    return face_scan(0, 0).points / np.float32(MM_PER_UNIT[units])


@pytest.mark.parametrize("units", MM_PER_UNIT)
def test_a_face_in_the_unit_that_was_set_is_right(units):
    check_face_size(scan_in(units) * np.float32(mm_per_unit(units)), "a.ply", units)


@pytest.mark.parametrize(
    ("really", "word"),
    [("m", "metres: set units: m "), ("cm", "centimetres: set units: cm "), ("um", "micrometres: set units: um "),
     ("0.1mm", "tenths of a millimetre: set units: 0.1mm ")],
)  # fmt: skip
def test_a_face_in_another_unit_is_refused_with_what_it_looks_like(really, word):
    with pytest.raises(Unreadable, match=r"wrong_units: a\.ply: it spans .* 110 to 190 mm wide") as caught:
        check_face_size(scan_in(really), "a.ply")
    assert word in str(caught.value)


@pytest.mark.parametrize("width_mm", [110, 170, 220])
def test_inches_are_recognised_where_no_other_unit_fits(width_mm):
    points = face_scan(0, 0).points
    points = points * np.float32(width_mm / span_mm(points) / 25.4)
    with pytest.raises(WrongUnit, match=r"these look like inches: set units: 25\.4 \(it is mm\)") as caught:
        check_face_size(points, "a.ply")
    assert caught.value.fits
    check_face_size(points * np.float32(mm_per_unit(25.4)), "a.ply", 25.4)


def test_a_cloud_on_the_unit_sphere_is_told():
    points = face_scan(0, 0).points - face_scan(0, 0).points.mean(0)
    points /= np.linalg.norm(points, axis=1).max()
    with pytest.raises(Unreadable, match=r"unit sphere: set units to its radius in mm"):
        check_face_size(points, "a.h5")


def test_no_unit_is_suggested_that_makes_no_likelier_face():
    said = looks_like(68.2, "mm")
    assert "set units to the millimetres per unit" in said
    assert "centimetres" not in said
    assert "set units: m " in looks_like(0.6, "mm")
    assert "set units: mm " in looks_like(68.2, "um") or "set units: cm " in looks_like(68.2, "um")


@pytest.mark.parametrize("size", [110, 190])
def test_faces_of_any_width_pass(size):
    width = np.ptp(face_scan(0, 0).points[:, 0])
    check_face_size(face_scan(0, 0).points * np.float32(size / width), "a.ply")


def test_head_and_shoulders_pass():
    points = np.random.default_rng(0).uniform([-260, -300, 0], [260, 300, 250], (5000, 3))
    check_face_size(points, "a.ply")


def test_strays_do_not_count_and_nothing_is_said_of_nothing():
    points = np.concatenate([face_scan(0, 0).points, np.full((5, 3), 1e6, np.float32), np.full((5, 3), np.nan)])
    assert span_mm(points) == pytest.approx(span_mm(face_scan(0, 0).points), rel=0.05)
    with pytest.raises(Unreadable, match="no extent"):
        check_face_size(np.zeros((100, 3)), "a.ply")


def test_a_size_that_no_unit_explains_asks_for_a_number():
    assert "set units to the millimetres per unit" in looks_like(1e9, "mm")


class Model(BaseModel):
    units: Units = "mm"


@pytest.mark.parametrize(("given", "want"), [("m", 1000.0), (25.4, 25.4), ("um", 0.001), (1, 1.0), ("25.4", 25.4)])
def test_units_are_a_name_or_a_number(given, want):
    assert mm_per_unit(Model(units=given).units) == pytest.approx(want)


@pytest.mark.parametrize("given", ["inch", 0, -1, float("inf"), float("nan"), True, None, [1], "-2", "nan"])
def test_what_is_no_unit_is_refused_in_one_line(given):
    with pytest.raises(ValidationError) as caught:
        Model(units=given)
    assert explain_validation(caught.value, Model).endswith(
        ": give um, 0.1mm, mm, cm, m, or millimetres per unit as a number above 0"
    )


class InMemory(Reader):
    """Captures by name of a unit."""

    name = "in_memory"

    def load(self, source, name):
        if source.capture == "gone":
            raise FileNotFoundError
        if source.capture == "bad":
            raise Unreadable("unreadable", "truncated")
        points = scan_in(source.capture)
        check_face_size(points, source.capture)
        return points


def sources(*captures):
    return [Source("ann", capture, arrays=("points",)) for capture in captures]


def test_a_collection_of_another_unit_is_refused_in_one_line():
    with pytest.raises(UserError, match=r"in_memory: m: it spans .*metres.*\(2 of 3 captures checked\)"):
        survey_units(InMemory(), sources("m", "mm", "m", "bad", "gone"))


def test_a_few_odd_captures_are_left_to_their_own_rows():
    survey_units(InMemory(), sources("m", "mm", "mm", "bad"))
    survey_units(InMemory(), sources("bad", "gone"))
    survey_units(InMemory(), [Source("ann", "c", arrays=("color",))])


def surrounded(units="mm"):
    """A face in front of a wall of 2.5 by 1.8 m, 60 cm behind it, in a unit."""
    face, rng = face_scan(0, 0).points, np.random.default_rng(0)
    wall = rng.uniform(-1, 1, (20_000, 3)) * [1250, 900, 2] + face.mean(0) + [0, 0, 600]
    return np.concatenate([face, wall]) / MM_PER_UNIT[units]


@pytest.mark.slow
@pytest.mark.parametrize("units", ["mm", "cm", "m"])
def test_a_face_in_a_room_is_not_called_another_unit(units):
    said = r"^more_than_a_head: a\.ply: it spans 17\d\d mm across, more than a head and shoulders: cut the head out"
    with pytest.raises(WrongUnit, match=said) as caught:
        check_face_size(surrounded(units) * mm_per_unit(units), "a.ply", units)
    assert caught.value.fits


@pytest.mark.slow
def test_a_face_in_tenths_of_a_millimetre_is_no_room():
    with pytest.raises(WrongUnit, match=r"^wrong_units: .* set units: 0\.1mm \(it is mm\)$"):
        check_face_size(scan_in("0.1mm"), "a.ply")
    with pytest.raises(WrongUnit, match=r"^wrong_units: .* set units: um \(it is mm\)$"):
        check_face_size(scan_in("um"), "a.ply")


def test_a_room_without_a_face_is_what_its_size_says():
    room = np.random.default_rng(0).uniform(0, 1, (500, 3)) * [2500, 1800, 900]
    with pytest.raises(WrongUnit, match=r"wrong_units: .* set units: 0\.1mm \(it is mm\)$"):
        check_face_size(room, "a.ply")
    with pytest.raises(WrongUnit, match=r"more_than_a_head: a\.ply: it spans 24\d\d mm across"):  # of no unit a face
        check_face_size(room * 1.4, "a.ply", "m")
    with pytest.raises(WrongUnit, match="this looks normalised to a unit sphere"):
        check_face_size(room, "a.ply", "m")


@pytest.mark.parametrize("count", [3, 40, 400])
@pytest.mark.parametrize("odd", [np.nan, np.inf, 3e38])
def test_few_points_and_strays_in_a_room_do_not_stop_it(count, odd):
    room = np.random.default_rng(1).uniform(0, 1, (count, 3)) * [2500, 1800, 900]
    room[0] = odd
    with pytest.raises(WrongUnit, match=r"a\.ply: "):
        check_face_size(room.astype(np.float32), "a.ply")


class Surveyed(Reader):
    """Gives what its captures are said to give, or raises it."""

    def load(self, source, name):
        made = source.record
        if isinstance(made, Exception):
            raise made
        return made


def surveyed(*made):
    sources = [Source("p", f"c{i}", record=each, arrays=("points",)) for i, each in enumerate(made)]
    survey_units(Surveyed.model_construct(name="surveyed"), sources)


@pytest.mark.parametrize(
    "error", [ValueError("reshape"), IndexError(), KeyError("a"), OSError(5, "Input/output error")]
)
def test_a_capture_that_fails_as_nobody_foresaw_has_no_vote(error):
    surveyed(error, np.zeros((1, 3)))
    room = WrongUnit("more_than_a_head", "too large", True)
    with pytest.raises(UserError, match=r"too large \(2 of 3 captures checked\)"):
        surveyed(room, np.zeros((1, 3)), room)
    with pytest.raises(UserError, match=r"in m \(1 of 1 captures checked\)"):
        surveyed(error, WrongUnit("wrong_units", "in m", True), error)


@pytest.mark.parametrize(
    "error", [UserError("option"), MemoryError(), MissingDependency("pip"), RunStopped("no"), OSError(28, "No space")]
)
def test_what_no_run_can_go_on_after_passes_through_a_survey(error):
    with pytest.raises(type(error)):
        surveyed(error)
