"""Masks put on faces while they are loaded, as by the stage `mask`, with another random draw each time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from face3d_data.errors import Reject, UserError, did_you_mean
from face3d_data.wear.mask_draw import MaskRanges, draw_mask
from face3d_data.wear.mask_style import MaskStyle, mask_styles
from face3d_data.wear.mask_surface import build_mask
from face3d_data.wear.wearing import find_face, wear
from face3d_training.clouds import ArrayMap
from face3d_training.config import MasksConfig
from face3d_training.map_variation import MapVariation

TILT_DEG, SIZE = (-3.0, 3.0), (0.96, 1.05)
"""Ranges that the stage `mask` draws from by default."""


@dataclass(frozen=True)
class MaskedFace:
    """A face that wears a mask.

    Attributes:
        arrays: the arrays that changed.
        visible_ratio: share of the face that is still visible.
    """

    arrays: Mapping[str, np.ndarray]
    visible_ratio: float


@dataclass(frozen=True)
class OnlineMasks:
    """Masks of drawn styles.

    Attributes:
        share: share of the plain samples that wear one.
        styles: what is drawn from, each as likely.
        names: arrays that are read to find the face.
    """

    share: float
    styles: Mapping[str, MaskStyle]
    names: tuple[str, ...]

    @classmethod
    def of(
        cls, config: MasksConfig, inputs: Literal["points", "image"], fields: Collection[str], there: Collection[str]
    ) -> OnlineMasks:
        """Return the masks that a config asks for.

        Args:
            config: how often, and which styles.
            inputs: what the network takes.
            fields: arrays that the input is made of.
            there: arrays of the dataset.

        Raises:
            UserError: a style is not known, or the dataset lacks an array that tells where the face is.
        """
        known = mask_styles()
        for name in config.styles:
            if name not in known:
                raise UserError(f"masks.styles: {name!r} is not one of {', '.join(known)}{did_you_mean(name, known)}")
        needed, optional = _needs(inputs, fields)
        lacking = [name for name in needed if name not in there]
        if lacking:
            raise UserError(
                f"masks.share: to put masks on, the dataset must hold {', '.join(lacking)} too: write it with "
                "them among its fields, or set masks.share to 0"
            )
        names = (*needed, *(name for name in optional if name in there))
        return cls(config.share, {name: known[name] for name in config.styles or known}, names)

    def put_on(self, arrays: ArrayMap, visible_ratio: float, rng: np.random.Generator) -> MaskedFace | None:
        """Put a mask of a drawn style on a face.

        Args:
            arrays: the face, by the names of `sample.ARRAYS`.
            visible_ratio: share of it that was visible before; NaN = not known.
            rng: source of the draw.

        Returns:
            What it looks like then; None: it cannot wear one, for one of `wearing.REASONS`.
        """
        weights = dict.fromkeys(self.styles, 1.0)
        draw = draw_mask(self.styles, weights, {"proper": 1.0}, rng, ranges=MaskRanges(None, TILT_DEG, SIZE))
        try:
            face = find_face({name: arrays[name] for name in arrays if name in self.names})
            changed, visible = wear(face, build_mask(face.skin, self.styles[draw.style], draw), rng)
        except Reject:
            return None
        if not np.isnan(visible_ratio):
            # Labels of points tell what was hidden before; without them it is taken to lie elsewhere as often as not.
            visible = min(visible, visible_ratio) if "points" in changed else visible * visible_ratio
        return MaskedFace(changed, visible)


@dataclass(frozen=True)
class MapMasks:
    """Masks drawn over maps: an outline, cloth from slack to taut, its stand-off and noise.

    Attributes:
        share: share of the plain samples that wear one.
        variation: draws them.
        names: arrays that are read.
    """

    share: float
    variation: MapVariation
    names: tuple[str, ...] = ("map",)

    @classmethod
    def of(cls, config: MasksConfig, fields: Collection[str], variation: MapVariation) -> MapMasks:
        """Return the masks that a config asks for.

        Raises:
            UserError: styles are asked for, or the input has more than maps.
        """
        if config.styles:
            raise UserError("masks.styles: masks over maps are drawn and have no styles: leave it out")
        others = [name for name in fields if name not in ("map", "map_occlusion")]
        if others:
            raise UserError(
                f"masks.share: masks over maps would not be in {', '.join(others)}: leave that out of data.fields, or "
                "put masks on by the stage 'mask'"
            )
        return cls(config.share, variation)

    def put_on(self, arrays: ArrayMap, visible_ratio: float, rng: np.random.Generator) -> MaskedFace | None:
        """Put a drawn mask over a face's map; see `OnlineMasks.put_on`. Every face can wear one."""
        covered, visible, cells = self.variation.masked(arrays["map"], rng)
        occlusion = np.where(cells, np.float32(1), arrays["map_occlusion"])
        changed = {"map": covered, "map_occlusion": occlusion}
        return MaskedFace(changed, visible if np.isnan(visible_ratio) else visible * visible_ratio)


def _needs(inputs: Literal["points", "image"], fields: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the arrays without which nothing can be put on, and those that are used where they are there."""
    if inputs == "points":
        per_point = tuple(name for name in fields if name != "points")
        return ("points", "landmarks_3d"), (*per_point, "pose", "occlusion")
    if "depth" in fields:
        return ("depth", "intrinsics", "landmarks"), (*(name for name in fields if name != "depth"), "pose")
    return ("color", "landmarks"), ("intrinsics",)
