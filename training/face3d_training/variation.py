"""Random variation of each sample that is loaded: masks first, as they are worn, then the way it is recorded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from face3d_data.augment.augmentation import Augmentation, names_of
from face3d_data.errors import UserError
from face3d_training.clouds import ArrayMap, Stream
from face3d_training.config import MasksConfig, TrainConfig, VaryMapConfig
from face3d_training.map_variation import MapVariation, unlabelled

if TYPE_CHECKING:
    from face3d_training.map_place import MapPlace
    from face3d_training.masks import MapMasks, MaskedFace, OnlineMasks

BESIDE = {"points": ("landmarks_3d", "pose"), "image": ("intrinsics",)}
"""Arrays that tell operations more than the input does: where the face is, and how it was seen."""


@dataclass(frozen=True)
class Variation:
    """Online augmentation and online masks.

    Attributes:
        augmentation: operations, none of which makes another person of a face.
        masks: how often masks are put on plain faces, and which.
        maps: strengths of the variation of maps.
    """

    augmentation: Augmentation = field(default_factory=Augmentation)
    masks: MasksConfig = field(default_factory=MasksConfig)
    maps: VaryMapConfig = field(default_factory=VaryMapConfig)

    @classmethod
    def of(cls, config: TrainConfig) -> Variation:
        """Return the variation that a run asks for.

        Raises:
            UserError: an option that is not known or not allowed, or one that makes another person of a face.
        """
        augmentation = Augmentation.of(**config.augment)
        for operation in augmentation.operations:
            if operation.identity_suffix:
                raise UserError(
                    f"augment.{operation.strengths[0]}: makes another person of a face: leave it out, or make such "
                    "people in the dataset with the stage 'augment'"
                )
        return cls(augmentation, config.masks, config.vary_map)

    @property
    def is_on(self) -> bool:
        """Whether anything is drawn."""
        return bool(self.augmentation.operations) or self.masks.are_on or self.maps != VaryMapConfig()

    def on(
        self,
        inputs: Literal["points", "image"],
        fields: Collection[str],
        there: Collection[str],
        place: MapPlace | None = None,
    ) -> Draws:
        """Return the draws as they are made on a dataset.

        Args:
            inputs: what the network takes.
            fields: arrays that the input is made of.
            there: arrays of the dataset.
            place: where the cells of its maps lie, if the input has maps.

        Raises:
            UserError: an operation or a mask has nothing to work on.
        """
        if inputs == "image" and "distortion" in there and self.is_on:
            raise UserError(
                "augment and masks see images through a pinhole, and these have lens distortion: put the stage "
                "'undistort' before the dataset, or vary nothing"
            )
        operations = self.augmentation.operations
        used = names_of(operations, "needs", "acts_on", "reads")
        seen = (*fields, *(name for name in BESIDE[inputs] if name in used and name in there))
        for operation in operations:
            gone = [name for name in fields if name in operation.removes]
            option = next(name for name in operation.strengths if getattr(operation, name))
            if gone:
                raise UserError(f"augment.{option}: leaves no {gone[0]} of a face, which the input needs: leave it out")
            if not operation.fits({name: np.empty(0) for name in seen}):
                raise UserError(f"augment.{option}: does nothing to an input of {', '.join(fields)}: leave it out")
        if place is not None and "map_occlusion" in there:
            seen = (*seen, "map_occlusion")
        maps = None if place is None else MapVariation(self.maps, place)
        if self.maps != VaryMapConfig() and maps is None:
            raise UserError(f"vary_map: there is no map among data.fields ({', '.join(fields)}): leave it out")
        masks = self._masks(inputs, fields, there, maps) if self.masks.are_on else None
        return Draws(self.augmentation, tuple(dict.fromkeys(seen)), masks, maps, self.masks.pairs)

    def _masks(
        self,
        inputs: Literal["points", "image"],
        fields: Collection[str],
        there: Collection[str],
        maps: MapVariation | None,
    ) -> OnlineMasks | MapMasks:
        from face3d_training.masks import MapMasks, OnlineMasks  # loads all that masks are made with

        return (
            OnlineMasks.of(self.masks, inputs, fields, there) if maps is None else MapMasks.of(self.masks, fields, maps)
        )


@dataclass(frozen=True)
class VariedSample:
    """A sample after its draws.

    Attributes:
        arrays: its arrays.
        worn: the mask that was put on it, if any.
        refused: a mask was drawn that the face cannot wear, so it stays plain.
    """

    arrays: ArrayMap
    worn: MaskedFace | None = None
    refused: bool = False


@dataclass(frozen=True)
class Draws:
    """A variation bound to the arrays of a dataset.

    Attributes:
        augmentation: its operations.
        seen: arrays that the operations see and may change.
        masks: masks that are put on; None: none are.
        maps: the variation of maps; None: there are none.
        pairs: copies 2 n and 2 n + 1 of a row are its plain and its masked variant, the same in all other draws.
    """

    augmentation: Augmentation
    seen: tuple[str, ...]
    masks: OnlineMasks | MapMasks | None
    maps: MapVariation | None = None
    pairs: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Arrays that are read."""
        return tuple(dict.fromkeys([*self.seen, *(self.masks.names if self.masks else ())]))

    def vary(self, arrays: ArrayMap, stream: Stream, plain: bool, visible_ratio: float, copy: int) -> VariedSample:
        """Return a sample after its draws.

        Args:
            arrays: its arrays, clouds in mm; none is written to.
            stream: makes the generators of its draws.
            plain: it wears no mask yet.
            visible_ratio: share of the face that is visible; NaN = not known.
            copy: which copy of its row in the epoch it is.
        """
        worn, refused, kept = None, False, self.seen
        if self.maps is not None and "map_occlusion" not in arrays:
            arrays = {**arrays, "map_occlusion": unlabelled(arrays["map"], plain)}
            kept = (*kept, "map_occlusion")
        if self.masks is not None and plain:
            rng = stream("mask")
            if copy % 2 == 1 if self.pairs else rng.random() < self.masks.share:
                worn = self.masks.put_on(arrays, visible_ratio, rng)
                refused = worn is None
        shown = arrays if worn is None else {**arrays, **worn.arrays}
        shown = {name: shown[name] for name in kept}
        if self.augmentation.operations:
            shown = self.augmentation.apply(shown, self.augmentation.draw(stream("augment")))
        if self.maps is not None and self.maps.is_on:
            map_, occlusion = self.maps.varied(shown["map"], shown["map_occlusion"], stream("vary_map"))
            shown |= {"map": map_, "map_occlusion": occlusion}
        return VariedSample(shown, worn, refused)
