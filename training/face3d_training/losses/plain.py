"""Plain losses: a torch module or a function of embeddings and labels, named as `module:Name`, as a loss."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import PydanticUserError, create_model

from face3d_data.errors import UserError
from face3d_data.signature import options_of_constructor
from face3d_training.losses.base import LossSpec

if TYPE_CHECKING:
    from face3d_training.losses.loss_module import LossModule


GIVEN = ("n_classes", "embedding_size")
"""Arguments of a constructor that are known from the run."""


class PlainLossSpec(LossSpec):
    """Options of a loss without a spec: the arguments of its constructor, or of the function after the first two."""

    made_of: ClassVar[Callable[..., Any]]

    def build(self, n_classes: int, embedding_size: int) -> LossModule:
        """Return the loss."""
        from face3d_training.losses.loss_module import LossModule
        from face3d_training.losses.plain_loss import PlainLoss

        options = {name: getattr(self, name) for name in type(self).model_fields if name != "weight"}
        made_of: Any = self.made_of
        if isinstance(made_of, types.FunctionType):
            return PlainLoss(functools.partial(made_of, **options), self.name)
        known = inspect.signature(made_of).parameters
        given = {"n_classes": n_classes, "embedding_size": embedding_size}
        made = made_of(**options, **{name: value for name, value in given.items() if name in known})
        return made if isinstance(made, LossModule) else PlainLoss(made, self.name)


def spec_of_loss(found: Any, reference: str) -> type[LossSpec] | None:
    """Return the spec of a module's class or of a function; None for anything else.

    Raises:
        UserError: an argument cannot be an option; one line names the remedy.
    """
    from torch import nn

    is_module = isinstance(found, type) and issubclass(found, nn.Module)
    return _spec_of(found, reference) if is_module or isinstance(found, types.FunctionType) else None


@functools.cache
def _spec_of(found: Any, reference: str) -> type[LossSpec]:
    where = f"loss {reference}"
    leave_out: tuple[str, ...] = GIVEN
    if isinstance(found, types.FunctionType):
        leave_out = tuple(inspect.signature(found).parameters)[:2]
        if len(leave_out) < 2:
            raise UserError(f"{where}: takes {len(leave_out)} arguments: the first two are embeddings and labels")
    options: Any = options_of_constructor(found, where, leave_out)
    clash = [name for name in options if hasattr(LossSpec, name) or name == "weight"]
    if clash:
        raise UserError(f"{where}: its argument {clash[0]!r} has a name that every loss uses itself: rename it")
    try:
        cls: Any = create_model(reference, __base__=PlainLossSpec, __module__=found.__module__, **options)
    except (TypeError, NameError, PydanticUserError) as error:
        raise UserError(f"{where}: an argument cannot be an option ({str(error).splitlines()[0]})") from None
    cls.__doc__ = found.__doc__ or f"{reference}."
    cls.name, cls.made_of = reference, staticmethod(found) if isinstance(found, types.FunctionType) else found
    return cls
