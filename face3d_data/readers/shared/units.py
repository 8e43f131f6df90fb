"""Units of length of a collection, and the check that its faces have the size of faces."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BeforeValidator

from face3d_data.errors import Unreadable, UserError, stops_the_run

if TYPE_CHECKING:
    from face3d_data.reader import Reader, Source

MM_PER_UNIT: dict[str, float] = {"um": 0.001, "0.1mm": 0.1, "mm": 1.0, "cm": 10.0, "m": 1000.0}
MM_PER_INCH = 25.4
WORDS: dict[str, str] = {"um": "micrometres", "0.1mm": "tenths of a millimetre", "mm": "millimetres",
                         "cm": "centimetres", "m": "metres"}  # fmt: skip


def _known_units(value: Any) -> Any:
    """Return a unit's name, or a number above 0, as it is; anything else is refused in one line."""
    if isinstance(value, str) and value not in MM_PER_UNIT:
        with contextlib.suppress(ValueError):
            value = float(value)
    number = not isinstance(value, bool) and isinstance(value, int | float) and 0 < value < math.inf
    if number or (isinstance(value, str) and value in MM_PER_UNIT):
        return value
    raise ValueError(f"give {', '.join(MM_PER_UNIT)}, or millimetres per unit as a number above 0")


Units = Annotated[str | float, BeforeValidator(_known_units)]
"""Type of a reader's field `units`: a name, or millimetres per unit as a number."""
UNITS_TEXT = "unit of the files' coordinates: um, 0.1mm, mm, cm, m, or millimetres per unit as a number"
UNIT_REASONS: dict[str, str] = {
    "wrong_units": "the size is far from that of a face: set units",
    "more_than_a_head": "the unit is right, and a body or a room is around the face: cut the head out first",
}

FACE_WIDTH_MM = (110.0, 190.0)
"""A face is so wide; what is scanned reaches from the bare face to a head with its shoulders."""
SCAN_SPAN_MM = (90.0, 700.0)
"""The second largest of a scan's three extents: from a child's face cut tight to head and shoulders of an adult."""
HEAD_MM = 170.0
"""About how wide a scan of a head is: of several units the one that comes nearest is suggested."""
SCENE_MM = 7000.0
"""A room that a depth camera sees: ten times a head with its shoulders, and so just as large as one in another unit."""
FACE_SCORE = 0.5
"""Fit of the mean face from which there is a face of natural size: in scenes 0.59 and more, in giant heads 0.11."""
SURVEYED_CAPTURES = 5
LEAST_ODD = 3
"""Captures of no size in any unit that refuse a collection, if there are no others among those looked at."""


def mm_per_unit(units: str | float) -> float:
    """Return how many millimetres one unit is."""
    return MM_PER_UNIT[units] if isinstance(units, str) else float(units)


def span_mm(points: np.ndarray) -> float:
    """Return the second largest extent of points (N, 3): of a scan of a face, about its width.

    Stray points do not count: extents reach from the 1st to the 99th percentile along each axis. NaN rows are left out.
    """
    finite = points[np.isfinite(points).all(axis=1)]
    if len(finite) < 3:
        return 0.0
    some = finite[:: max(1, len(finite) // 20_000)]
    low, high = np.percentile(some, [1.0, 99.0], axis=0)
    return float(np.sort(high - low)[1])


class WrongUnit(Unreadable):
    """A capture is not as large as a face; `fits` says whether another unit would make it so."""

    def __init__(self, reason: str, detail: str = "", fits: bool = False) -> None:
        super().__init__(reason, detail)
        self.fits = fits

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reason, self.detail, self.fits)


def fitting_unit(raw: float, units: str | float = "mm") -> str | None:
    """Return the unit in which a scan that spans `raw` is nearest to a head, or None: in no unit has a face that size.

    A unit that makes it no likelier than `units`, which it is in now, is left out: 68 mm is a tight cut, not 68 cm.
    """
    spans = {name: raw * size for name, size in MM_PER_UNIT.items() if SCAN_SPAN_MM[0] <= raw * size <= SCAN_SPAN_MM[1]}
    best = min(spans, key=lambda name: _unlikely(spans[name]), default=None)
    return best if best and _unlikely(spans[best]) < _unlikely(raw * mm_per_unit(units)) else None


def _unlikely(mm: float) -> float:
    """Return how far a span is from a head's on a scale of ratios."""
    return abs(math.log(max(mm, 1e-9) / HEAD_MM))


def _may_be_inches(raw: float) -> bool:
    return SCAN_SPAN_MM[0] <= raw * MM_PER_INCH <= SCAN_SPAN_MM[1]


def check_face_size(points: np.ndarray, where: str, units: str | float = "mm", option: str = "units") -> None:
    """Check that points, converted to millimetres by `units`, span what the scan of a face can span.

    A scan as large as a room in this unit may be a face in another one. Which it is, the mean face shows: it fits a
    face among other things in the right unit alone.

    Args:
        points: (N, 3), mm, in the camera frame as far as it is known.
        where: the file's name, said first.
        units: what they were converted by.
        option: the reader's option that sets it.

    Raises:
        Unreadable: `wrong_units`, saying what they look like and what to set; nothing is converted in silence.
            `more_than_a_head`: the unit is right.
    """
    span = span_mm(points)
    if SCAN_SPAN_MM[0] <= span <= SCAN_SPAN_MM[1]:
        return
    raw = span / mm_per_unit(units)
    explained = bool(fitting_unit(raw, units)) or _may_be_inches(raw)
    is_scene = SCAN_SPAN_MM[1] < span <= SCENE_MM
    if is_scene and (not (explained or _is_normalised(raw)) or _shows_face(points)):
        said = f"it spans {span:.0f} mm across, more than a head and shoulders: cut the head out of what surrounds it"
        raise WrongUnit("more_than_a_head", f"{where}: {said}", True)
    raise WrongUnit("wrong_units", f"{where}: {looks_like(raw, units, option)}", explained)


def _shows_face(points: np.ndarray) -> bool:
    """Tell whether a face of natural size is among points in mm."""
    from face3d_data.geometry.locate import locate_face

    found = locate_face(points[np.isfinite(points).all(axis=1)])
    return found is not None and found.score >= FACE_SCORE


def _is_normalised(raw: float) -> bool:
    return 1.0 <= raw <= 2.1


def looks_like(raw: float, units: str | float, option: str = "units") -> str:
    """Return what a scan that spans `raw` units looks like, and the remedy."""
    measured = f"it spans {raw:.3g} across, and faces are {FACE_WIDTH_MM[0]:.0f} to {FACE_WIDTH_MM[1]:.0f} mm wide"
    best = fitting_unit(raw, units)
    if not raw:
        return "has no extent: all points are at one position, or fewer than three are finite"
    if _is_normalised(raw) and best != "m":
        return f"{measured}: this looks normalised to a unit sphere: set {option} to its radius in mm"
    if not best and _may_be_inches(raw):
        return f"{measured}: these look like inches: set {option}: {MM_PER_INCH:g} (it is {units})"
    if not best:
        return f"{measured}: set {option} to the millimetres per unit"
    return f"{measured}: these look like {WORDS[best]}: set {option}: {best} (it is {units})"


def try_load(reader: Reader, source: Source, array: str) -> np.ndarray | Exception:
    """Return an array of a capture that a survey looks at, or what is wrong with that capture, whatever it is.

    A file that nobody foresaw has no vote; it becomes its own row when the steps come to it.

    Raises:
        UserError: an option is wrong.
        Exception: what no run can go on after, as `stops_the_run` says.
    """
    try:
        return reader.load(source, array)
    except UserError:
        raise
    except Exception as error:
        if stops_the_run(error):
            raise
        return error


def survey_units(
    reader: Reader,
    sources: Sequence[Source],
    arrays: Iterable[str] = ("points", "grid"),
    reasons: Iterable[str] = tuple(UNIT_REASONS),
) -> None:
    """Load a few captures and refuse the whole collection where most of them have the wrong unit (or axes).

    A vote have captures that are as large as faces, and those that would be so in another unit. What is of no size in
    any unit (three points, a line, one place) is a bad capture, and counts only where all that were looked at are so.

    Args:
        reader: its `load` raises `wrong_units` or `more_than_a_head`.
        sources: captures that can be read, as far as is known.
        arrays: arrays to try, the first that a source has.
        reasons: of rejects that say that an option is wrong.

    Raises:
        UserError: naming the collection, what its files look like and the remedy.
    """
    wrong: list[str] = []
    odd: list[str] = []
    good = 0
    for source in sources[:SURVEYED_CAPTURES]:
        name = next((name for name in arrays if name in source.arrays), None)
        if name is None:
            continue
        found = try_load(reader, source, name)
        if not isinstance(found, Exception):
            good += 1
        elif isinstance(found, Unreadable) and found.reason in reasons:
            (wrong if getattr(found, "fits", True) else odd).append(found.detail)
    if len(odd) >= LEAST_ODD and not wrong and not good:
        wrong = odd
    if len(wrong) > good:
        raise UserError(f"{reader.name}: {wrong[0]} ({len(wrong)} of {good + len(wrong)} captures checked)")
