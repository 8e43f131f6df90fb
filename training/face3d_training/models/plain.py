"""Plain networks: a torch module named as `module:Class`, without a spec, as a network of this program."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import torch
from pydantic import PydanticUserError, create_model
from torch import nn

from face3d_data.errors import UserError
from face3d_data.signature import options_of_constructor
from face3d_training.models.base import EmbeddingNet, ModelSpec, Outputs
from face3d_training.models.shared_mlp import check_points

INPUTS = ("points", "image")


class PlainSpec(ModelSpec):
    """Options of a torch module: the arguments of its constructor, `embedding_size` among them."""

    module: ClassVar[type[nn.Module]]
    in_channels: ClassVar[int | None] = 3

    def build(self) -> EmbeddingNet:
        """Return the network with fresh weights."""
        options = {name: getattr(self, name) for name in type(self).model_fields}
        net = self.module(**options)
        if isinstance(net, EmbeddingNet):
            net.embedding_size = self.embedding_size
            return net
        return PlainNet(net, self)


class PlainNet(EmbeddingNet):
    """A torch module as a network: what it returns is made unit length, and its length is checked.

    Args:
        net: from inputs to f4 (B, E), or to a mapping with `embedding` and what losses ask for.
        spec: its options.
    """

    def __init__(self, net: nn.Module, spec: PlainSpec) -> None:
        super().__init__()
        self.net, self.name = net, spec.name
        self.embedding_size, self.in_channels = spec.embedding_size, spec.in_channels

    def compute(self, inputs: torch.Tensor) -> Outputs:
        """Return the module's outputs.

        Raises:
            UserError: they are not embeddings of the declared length, or the points have other channels.
        """
        if inputs.ndim == 3 and self.in_channels is not None:
            check_points(inputs, self.name, self.in_channels)
        made = self.net(inputs)
        outputs = dict(made) if isinstance(made, dict) else {"embedding": made}
        embedding = outputs.get("embedding")
        if not torch.is_tensor(embedding) or embedding.shape != (len(inputs), self.embedding_size):
            got = tuple(embedding.shape) if torch.is_tensor(embedding) else type(made).__name__
            wanted = (len(inputs), self.embedding_size)
            raise UserError(f"model {self.name}: returns {got} for {len(inputs)} samples: return a tensor {wanted}")
        return outputs


def spec_of_network(found: Any, reference: str) -> type[ModelSpec] | None:
    """Return the spec of a torch module's class; None for anything else.

    Raises:
        UserError: its constructor or what it declares cannot be a network's; one line names the remedy.
    """
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
