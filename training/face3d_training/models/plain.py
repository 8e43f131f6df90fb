"""Plain networks: a torch module named as `module:Class`, without a spec, as a network of this program."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import PydanticUserError, create_model

from face3d_data.errors import UserError
from face3d_data.signature import options_of_constructor
from face3d_training.models.base import ModelSpec

if TYPE_CHECKING:
    from torch import nn

    from face3d_training.models.embedding_net import EmbeddingNet


INPUTS = ("points", "image")


class PlainSpec(ModelSpec):
    """Options of a torch module: the arguments of its constructor, `embedding_size` among them."""

    module: ClassVar[type[nn.Module]]
    in_channels: ClassVar[int | None] = 3

    def build(self) -> EmbeddingNet:
        """Return the network with fresh weights."""
        from face3d_training.models.embedding_net import EmbeddingNet
        from face3d_training.models.plain_net import PlainNet

        options = {name: getattr(self, name) for name in type(self).model_fields}
        net = self.module(**options)
        if isinstance(net, EmbeddingNet):
            net.embedding_size = self.embedding_size
            return net
        return PlainNet(net, self)


def spec_of_network(found: Any, reference: str) -> type[ModelSpec] | None:
    """Return the spec of a torch module's class; None for anything else.

    Raises:
        UserError: its constructor or what it declares cannot be a network's; one line names the remedy.
    """
    from torch import nn

    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        return None
    module: Any = found
    return _spec_of(module, reference)


@functools.cache
def _spec_of(module: Any, reference: str) -> type[ModelSpec]:
    where = f"model {reference}"
    options: Any = options_of_constructor(module, where)
    if "embedding_size" not in options:
        raise UserError(f"{where}: its constructor takes no embedding_size: add embedding_size: int = 128")
    inputs: Any = getattr(module, "inputs", "points")
    if inputs not in INPUTS:
        raise UserError(f"{where}: inputs = {inputs!r}: write one of {', '.join(INPUTS)}")
    clash = [name for name in options if name != "embedding_size" and hasattr(ModelSpec, name)]
    try:
        with warnings.catch_warnings():  # an option in_channels takes the place of the attribute on purpose
            warnings.filterwarnings("ignore", "Field name .* shadows an attribute", UserWarning)
            cls: Any = create_model(reference, __base__=PlainSpec, __module__=module.__module__, **options)
    except (TypeError, NameError, PydanticUserError) as error:
        raise UserError(f"{where}: an argument cannot be an option ({str(error).splitlines()[0]})") from None
    if clash:
        raise UserError(f"{where}: its argument {clash[0]!r} has a name that every network uses itself: rename it")
    cls.__doc__ = module.__doc__ or f"{reference}."
    cls.name, cls.inputs, cls.module = reference, inputs, module
    if "in_channels" not in options:
        cls.in_channels = getattr(module, "in_channels", 3)
    return cls
