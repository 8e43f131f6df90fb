"""Random draw of one worn mask: its style, how it is worn, and all numbers that decide its shape and colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal, TypeVar, get_args

import numpy as np

from face3d_data.wear.mask_style import MaskStyle, OrderedRange

WearStyle = Literal["proper", "below_nose", "below_mouth", "one_ear"]
WORN: tuple[WearStyle, ...] = get_args(WearStyle)
Name = TypeVar("Name", bound=str)


@dataclass(frozen=True)
class MaskDraw:
    """One draw; its fields are what a sample's tags record.

    Attributes:
        style: name of the style.
        worn: how it is worn.
        color: name of the colour among the style's.
        pattern: pattern of the cloth.
        standoff_mm: stand-off from the skin that it touches.
        tilt_deg: rotation about the viewing axis.
        size: factor on the style's outline.
        side: the ear a dangling mask hangs from, -1 image left, 1 image right.
        taut: how taut the cloth is drawn, 0 to 1, where it is drawn for each mask; None: as its style is.
        seed: of wrinkles, weave and the pattern's position.
    """

    style: str
    worn: WearStyle = "proper"
    color: str = ""
    pattern: str = "plain"
    standoff_mm: float = 2.0
    tilt_deg: float = 0.0
    size: float = 1.0
    side: int = 1
    seed: int = 0
    taut: float | None = None

    def tags(self) -> dict[str, str | int | float]:
        """Return the draw as tags: `mask` is the style, the others begin with `mask_`."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.taut is None:
            values.pop("taut")
        return {"mask": values.pop("style"), **{f"mask_{name}": value for name, value in values.items()}}


@dataclass(frozen=True)
class MaskRanges:
    """Ranges that a mask's fit is drawn from, each (smallest, largest).

    Attributes:
        standoff_mm: distance from the skin; the style's own range if None.
        tilt_deg: rotation in the image plane.
        size: factor on the outline.
        taut: how taut the cloth is drawn; the style's own if None.
    """

    standoff_mm: OrderedRange | None = None
    tilt_deg: OrderedRange = (0.0, 0.0)
    size: OrderedRange = (1.0, 1.0)
    taut: OrderedRange | None = None


def draw_mask(
    styles: Mapping[str, MaskStyle],
    weights: Mapping[str, float],
    worn: Mapping[WearStyle, float],
    rng: np.random.Generator,
    *,
    ranges: MaskRanges = MaskRanges(),
    colors: Sequence[str] = (),
    patterns: Sequence[str] = (),
) -> MaskDraw:
    """Draw a mask.

    Args:
        styles: those that can be drawn, by name.
        weights: how often each is drawn, relative to each other.
        worn: how often each way of wearing is drawn, relative to each other.
        rng: source of the draw.
        ranges: what its fit is drawn from.
        colors: draw only these of a style's colours, where it has any of them.
        patterns: draw only these of a style's patterns, where it has any of them.
    """
    name = _pick(weights, rng)
    style = styles[name]
    low, high = ranges.standoff_mm or style.standoff_mm
    return MaskDraw(
        style=name,
        worn=_pick(worn, rng),
        color=_one_of(style.colors, colors, rng),
        pattern=_one_of(style.patterns, patterns, rng),
        standoff_mm=round(float(rng.uniform(low, high)), 3),
        tilt_deg=round(float(rng.uniform(*ranges.tilt_deg)), 3),
        size=round(float(rng.uniform(*ranges.size)), 4),
        side=1 if rng.random() < 0.5 else -1,
        seed=int(rng.integers(2**31)),
        taut=None if ranges.taut is None else round(float(rng.uniform(*ranges.taut)), 3),
    )


def _pick(weights: Mapping[Name, float], rng: np.random.Generator) -> Name:
    names = sorted(weights)  # the order in which they are given decides nothing
    values = np.array([weights[name] for name in names], np.float64)
    return names[int(np.searchsorted(np.cumsum(values) / values.sum(), rng.random(), side="right"))]


def _one_of(own: Sequence[str] | Mapping[str, str], wanted: Sequence[str], rng: np.random.Generator) -> str:
    chosen = [name for name in own if name in wanted] or list(own)
    return chosen[int(rng.integers(len(chosen)))]
