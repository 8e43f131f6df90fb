"""Stage `augment`: randomly varied copies of a face, with each drawn value recorded in a tag."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from pydantic import ConfigDict, Field, create_model, model_validator

from face3d_data.augment.augmentation import (
    OPERATIONS,
    Augmentation,
    AugmentedArrays,
    names_of,
    operations_for,
    options_of,
)
from face3d_data.augment.mirror import Mirror
from face3d_data.augment.operation import Operation
from face3d_data.errors import Reject, UserError, did_you_mean
from face3d_data.registry import register
from face3d_data.sample import Sample, Tag
from face3d_data.stage import Inputs, Names, Stage

TAG = "aug_"
MIRRORED = TAG + Mirror.draws[0]
"""Is true on every face that was mirrored, by this step or one before."""
CLOUD_BYTES = 500_000
"""About what 20,000 points take with normals and colours."""
IMAGE_BYTES = {"color": 920_000, "depth": 1_230_000, "grid": 3_700_000, "grid_color": 920_000}
"""What images of 640 x 480 px take."""
TRIES = 16
"""Draws for one copy before a sample is given up: if too many points are lost by bad luck only, one draw succeeds."""


class _Copies(Stage):
    """What is asked of the copies, whatever the operations."""

    copies: int = Field(1, ge=1, le=10_000, description="number of varied copies of each sample")
    keep_original: bool = Field(False, description="also yield the unchanged sample, under its own id")
    keep_images: bool = Field(
        True,
        description="false: copies have no color, depth, grid, grid_color, and these are neither read nor "
        "stored for them",
    )
    min_points: int = Field(32, ge=1, description="repeat the draw of a copy with fewer points than this")


# The operations' own fields become the stage's, so that no default or bound is written twice.
_Options: Any = create_model("_Options", __base__=_Copies, __module__=__name__, **options_of(OPERATIONS))  # type: ignore[call-overload]


@register
class Augment(_Options):
    """Make varied copies of a face: rotated, noisy, thinned, mirrored, each with its own random draw.

    Every strength is 0 by default, which turns its operation off. Strengths described as "largest" or ± are bounds of a
    uniform draw; a σ is used unchanged. Operations are applied in the order in which their options are listed. The
    drawn values of active operations become the tags aug_<name>. A face that is already mirrored is not mirrored again.
    """

    name: ClassVar[str] = "augment"
    version: ClassVar[int] = 1
    inputs: ClassVar[Inputs] = (("points",), ("color",), ("depth",), ("grid",))
    optional: ClassVar[Names] = names_of(OPERATIONS, "needs", "acts_on", "reads")
    outputs: ClassVar[Names] = names_of(OPERATIONS, "acts_on")
    random: ClassVar[bool] = True
    variants: ClassVar[bool] = True
    tag_inputs: ClassVar[Names] = (MIRRORED,)
    tag_names: ClassVar[Names] = tuple(TAG + name for name in names_of(OPERATIONS, "draws"))
    reasons: ClassVar[dict[str, str]] = {
        "too_few_points": f"a copy has fewer points than min_points after {TRIES} draws: the options remove too many",
    }

    model_config = ConfigDict(extra="allow")  # options of operations of other packages: fields would enter every key

    @model_validator(mode="before")
    @classmethod
    def _options_are_known(cls, values: Any) -> Any:
        extra = [name for name in values if name not in cls.model_fields] if isinstance(values, dict) else []
        known = {**cls.model_fields, **options_of(operations_for(extra))} if extra else {}
        for name in extra:
            if name not in known:
                raise ValueError(f"unknown option {name!r} (known: {', '.join(known)}){did_you_mean(name, known)}")
        return values

    @model_validator(mode="after")
    def _something_is_on(self) -> Augment:
        try:
            operations = self.augmentation.operations
        except UserError as error:
            raise ValueError(str(error)) from None
        if not operations:
            raise ValueError(f"nothing to vary: set a strength ({', '.join(names_of(OPERATIONS, 'strengths'))})")
        idle = [operation.name for operation in operations if not self._groups_of(operation)]
        if idle:
            raise ValueError(f"keep_images: false removes the image for {idle[0]}: leave one of them out")
        return self

    @cached_property
    def augmentation(self) -> Augmentation:
        """The operations that are on, as a training loader applies them too."""
        return Augmentation.of(**{name: value for name, value in self if name not in _Copies.model_fields})

    def parameters(self) -> dict[str, Any]:
        """Return the parameters, with those of other packages' operations only where these are on."""
        values = {name: value for name, value in super().parameters().items() if name in type(self).model_fields}
        for operation in self._others:
            values |= {**operation.model_dump(mode="json"), f"version of {operation.name}": operation.version}
        return values

    def declared_tags(self) -> Names:
        """Return the tags of every shipped operation, and of other packages' that are on."""
        return (*self.tag_names, *(TAG + name for name in names_of(self._others, "draws")))

    @property
    def _others(self) -> list[Operation]:
        return [operation for operation in self.augmentation.operations if type(operation) not in OPERATIONS]

    def groups(self) -> tuple[Names, ...]:
        """Return the arrays that suffice for one of the operations that are on."""
        return tuple(dict.fromkeys(group for kind in self.augmentation.operations for group in self._groups_of(kind)))

    def _groups_of(self, operation: Operation) -> list[Names]:
        return [group for group in operation.groups() if not set(group) & set(self._images_dropped)]

    @property
    def _images_dropped(self) -> Names:
        return () if self.keep_images else tuple(IMAGE_BYTES)

    def names_read(self) -> Names:
        """Return every array that the operations that are on may ask for, and what follows the points."""
        names = names_of(self.augmentation.operations, "needs", "acts_on", "reads")
        return tuple(name for name in names if name not in self._images_dropped)

    @property
    def drops(self) -> Names:  # type: ignore[override]
        """Arrays that are gone after the operations that are on."""
        return tuple(dict.fromkeys((*names_of(self.augmentation.operations, "removes"), *self._images_dropped)))

    def created(self) -> frozenset[str]:
        """Return `pose` where points are moved: everything else is changed only where it is there."""
        moving = [kind for kind in self.augmentation.operations if "points" in kind.needs and "pose" in kind.acts_on]
        return frozenset({"pose"} if moving else ())

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield `copies` variants `aug:0`, `aug:1`, …: none depends on how many there are."""
        if rng is None:
            raise ValueError("augment uses random draws: give it an rng")
        if self.keep_original:
            yield sample
        bare = sample.without(*self._images_dropped)
        for i, stream in enumerate(rng.spawn(self.copies)):
            record, varied = self._draw(bare, i, stream)
            tags = {TAG + name: record[name] for name in names_of(varied.operations, "draws")}
            copy = bare.without(*varied.arrays.dropped).with_arrays(**varied.arrays.own).with_tags(**tags)
            yield copy.as_variant(f"aug:{i}", varied.new_identity(record))

    def _draw(self, sample: Sample, i: int, rng: np.random.Generator) -> tuple[dict[str, Tag], AugmentedArrays]:
        """Return the record of a copy and what it makes of the arrays: the first draw that leaves enough points."""
        augmentation = self.augmentation
        if sample.tags.get(MIRRORED) is True:
            # Twice mirrored it would be that person again, and suffixes of identities cannot be taken off.
            augmentation = augmentation.keeping_identity()
        most = 0
        for _ in range(TRIES):
            record = self.augmentation.draw(rng)
            varied = augmentation.vary(sample.arrays, record)
            points = varied.arrays.own.get("points")
            if points is None or len(points) >= self.min_points:
                return record, varied
            most = max(most, len(points))
        raise Reject("too_few_points", f"{most} < {self.min_points} in copy {i}, the best of {TRIES} draws")

    def output_bytes(self) -> int:
        """Return about how many bytes all copies of a sample store: clouds, and images that an operation changes."""
        changed = set(names_of(self.augmentation.operations, "acts_on")) - set(self._images_dropped)
        cloud = 32 * dict(self)["resample_points"] or CLOUD_BYTES
        return self.copies * (cloud * ("points" in changed) + sum(IMAGE_BYTES.get(name, 100) for name in changed))
