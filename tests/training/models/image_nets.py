"""What the tests of image networks share: building, made-up images, counting by layers."""

from typing import Any

import torch

from face3d_training.models.embedding_net import EmbeddingNet
from face3d_training.registry import make_spec


def build(name: str, **options: Any) -> EmbeddingNet:
    torch.manual_seed(0)
    return make_spec("model", name, options).build()


def images(count: int = 2, channels: int = 3, side: int = 32, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(seed))


def count(name: str, **options: Any) -> int:
    """Number of parameters, without the memory for them."""
    with torch.device("meta"):
        return sum(value.numel() for value in build(name, **options).parameters())


def conv(inside: int, outside: int, *size: int, groups: int = 1) -> int:
    """Parameters of a convolution without bias."""
    height, width = size if len(size) == 2 else size * 2
    return inside // groups * outside * height * width


def linear(inside: int, outside: int) -> int:
    return inside * outside + outside


def untouched(net: EmbeddingNet, inputs: torch.Tensor) -> list[str]:
    """Names of the parameters that a random loss of all outputs does not move."""
    outputs = net.train()(inputs, full=True)
    noise = torch.Generator().manual_seed(2)
    sum((value * torch.randn(value.shape, generator=noise)).sum() for value in outputs.values()).backward()
    return [name for name, value in net.named_parameters() if value.grad is None or not value.grad.abs().sum() > 0]


def embed(net: EmbeddingNet, inputs: torch.Tensor) -> torch.Tensor:
    """Embeddings in evaluation."""
    with torch.no_grad():
        return net.eval()(inputs)
