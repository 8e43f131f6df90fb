"""Augmentation: several operations in sequence, shared by the stage `augment` and the training loader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from pydantic import ValidationError

from face3d_data.augment.blur import Blur
from face3d_data.augment.color_jitter import ColorJitter
from face3d_data.augment.depth_noise import DepthNoise
from face3d_data.augment.dropout import Dropout
from face3d_data.augment.erasing import Erasing
from face3d_data.augment.flip import Flip
from face3d_data.augment.holes import Holes
from face3d_data.augment.jitter import Jitter
from face3d_data.augment.jpeg import Jpeg
from face3d_data.augment.low_quality import LowQuality
from face3d_data.augment.mirror import Mirror
from face3d_data.augment.operation import ArrayNames, Operation, Record
from face3d_data.augment.resampling import Resampling
from face3d_data.augment.rotation import Rotation
from face3d_data.augment.scale import Scale
from face3d_data.augment.sensor import Sensor
from face3d_data.augment.translation import Translation
from face3d_data.augment.virtual_view import VirtualView
from face3d_data.component import explain_validation
from face3d_data.errors import UserError
from face3d_data.registry import components
from face3d_data.sample import Arrays, Tag

OPERATIONS: tuple[type[Operation], ...] = (
    *(Mirror, Flip),
    *(VirtualView, LowQuality, Sensor, Holes, Dropout, Resampling, DepthNoise, Jitter),
    *(Rotation, Scale, Translation),
    *(ColorJitter, Blur, Jpeg, Erasing),
)
"""Every operation, in the order of application: those that change the face, those of the measurement, those of the
position, and last those of the photograph.

Sensors come before points are thinned, as their errors are correlated over neighbouring pixels, which only a whole
cloud has.
"""

MIRROR_OR_FLIP = (
    "mirror_p makes another person of a photograph that flip_p takes for the same one: leave one of them out, "
    "or part photographs from scans"
)


@dataclass(frozen=True)
class Augmentation:
    """The operations that are on, in the order of `OPERATIONS`.

        augmentation = Augmentation.of(jitter_mm=0.5, yaw_deg=15)
        record = augmentation.draw(rng)
        arrays = augmentation.apply(arrays, record)

    The same record gives the same bytes wherever it is applied.
    """

    operations: tuple[Operation, ...] = ()

    @classmethod
    def of(cls, **options: Any) -> Augmentation:
        """Return the augmentation with these strengths, by the operations' own field names; the others are off.

        Raises:
            UserError: an option that no operation has, a value that is not allowed, or `mirror_p` beside `flip_p`.
        """
        kinds = operations_for(options)
        unknown = sorted(options.keys() - options_of(kinds).keys())
        if unknown:
            known = ", ".join(options_of(kinds))
            raise UserError(f"augmentation: unknown option {unknown[0]!r} (known: {known})")
        made = (_build(kind, options) for kind in kinds)
        operations = tuple(operation for operation in made if operation.is_on())
        if {Mirror.name, Flip.name} <= {operation.name for operation in operations}:
            raise UserError(MIRROR_OR_FLIP)
        return cls(operations)

    def keeping_identity(self) -> Augmentation:
        """Return the augmentation without the operations that make another person of a face."""
        return Augmentation(tuple(operation for operation in self.operations if not operation.identity_suffix))

    def draw(self, rng: np.random.Generator) -> dict[str, Tag]:
        """Return one record of all operations; the names of their values differ."""
        return {name: value for operation in self.operations for name, value in operation.draw(rng).items()}

    def apply(self, arrays: Mapping[str, np.ndarray], record: Record) -> dict[str, np.ndarray]:
        """Return all arrays after a draw; operations that do not fit the arrays at hand change nothing.

        Args:
            arrays: arrays by the names in `sample.ARRAYS`; none is written to.
            record: what `draw` returned.
        """
        return dict(self.vary(arrays, record).arrays)

    def vary(self, arrays: Mapping[str, np.ndarray], record: Record) -> AugmentedArrays:
        """Do as `apply` does and tell what was done; arrays that no operation needs are not read."""
        after, done = Arrays({name: partial(_view, arrays, name) for name in arrays}), []
        for operation in self.operations:
            if operation.fits(after):
                changed = operation.apply(after, record)
                after = after.changed(changed, frozenset(operation.removes if changed else ()))
                done.append(operation)
        return AugmentedArrays(after, tuple(done))


@dataclass(frozen=True)
class AugmentedArrays:
    """What an augmentation made of some arrays.

    Attributes:
        arrays: the arrays after it; `own` are those that changed, `dropped` those that are gone.
        operations: those that fitted, in order.
    """

    arrays: Arrays
    operations: tuple[Operation, ...]

    def new_identity(self, record: Record) -> str:
        """Return the suffix of the identity after this draw: empty where the face is still that person's."""
        return "".join(operation.new_identity(record) for operation in self.operations)


def operations_for(options: Iterable[str]) -> tuple[type[Operation], ...]:
    """Return the operations that some options may be of, in the order of application.

    Those of other packages are looked for only where an option is of no shipped one. They come after the operation that
    they name as `after`, by name where several do, and last where they name none.
    """
    if set(options) <= options_of(OPERATIONS).keys():
        return OPERATIONS
    others = [kind for kind in components("augmentation").values() if kind not in OPERATIONS]
    ordered: list[type[Operation]] = []
    for shipped in OPERATIONS:
        ordered += [shipped, *(kind for kind in others if kind.after == shipped.name)]
    return (*ordered, *(kind for kind in others if kind not in ordered))


def options_of(kinds: Iterable[type[Operation]]) -> dict[str, tuple[Any, Any]]:
    """Return the fields of operations by name: annotation and `Field`, as `pydantic.create_model` takes them."""
    return {name: (info.annotation, info) for kind in kinds for name, info in kind.model_fields.items()}


def names_of(operations: Iterable[type[Operation] | Operation], *attributes: str) -> ArrayNames:
    """Return what operations declare under these attributes (`acts_on`, `reads`, `draws`), each name once."""
    lists = (getattr(operation, attribute) for operation in operations for attribute in attributes)
    return tuple(dict.fromkeys(name for names in lists for name in names))


def _build(kind: type[Operation], options: Mapping[str, Any]) -> Operation:
    try:
        return kind(**{name: value for name, value in options.items() if name in kind.model_fields})
    except ValidationError as error:
        raise UserError(f"augmentation ({kind.name}): {explain_validation(error, kind)}") from None


def _view(arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    view = arrays[name].view()
    view.flags.writeable = False
    return view
