"""Contract check of networks: unit length, gradients, order of points, channels, state and evaluation."""

from __future__ import annotations

from typing import Any

import torch

from face3d_data.errors import ContractError, UserError
from face3d_data.testing.contract_base import need
from face3d_training.models.base import ModelSpec
from face3d_training.models.embedding_net import EmbeddingNet
from face3d_training.testing.breach import check_texts, generator, learns

CLOUDS, POINTS, IMAGE_PX = 3, 512, 64
MOVED_SHARE = 0.05
"""Of the distance between two clouds' embeddings: farther, one cloud with its points in another order may not lie."""


def check_model(spec: ModelSpec, inputs: torch.Tensor | None = None) -> torch.Tensor:
    """Check a network, and return the embeddings f4 (B, E) that it gives before it has learnt.

    Checked are its texts, that one seed gives one network, embeddings of the declared length and of unit norm, that a
    gradient reaches every parameter within two steps, that in evaluation a sample's embedding is the same twice and
    whatever else is in its batch, that the order of points does not matter, that other channels than it declares are
    refused in one line, that its weights survive being stored, and the number of weights that the catalogue gives.

    Args:
        spec: its options; small ones keep the check fast.
        inputs: f4 (B, N, 3[+C]) or (B, C, H, W), B ≥ 2; random ones if not given.

    Raises:
        ContractError: naming the network and what it breaks.
    """
    check_texts(spec)
    given = _inputs(spec) if inputs is None else inputs
    net, other = _built(spec, 0), _built(spec, 0)
    need(_same_weights(net, other), spec, "one seed builds two networks: draw weights from torch's global generator")
    _check_outputs(spec, net.train()(given, full=True))
    _check_gradients(spec, other.train(), given)
    embeddings = _embed(net, given)
    need(torch.equal(embeddings, _embed(net, given)), spec, "in evaluation one input gives two embeddings")
    alone = torch.cat([_embed(net, given[i : i + 1]) for i in range(len(given))])
    need(
        torch.allclose(alone, embeddings, atol=1e-4),
        spec,
        "in evaluation an embedding rests on the others of its batch",
    )
    if spec.inputs == "points":
        _check_order(spec, net, given, embeddings)
    _check_channels(spec, net, given)
    again = _built(spec, 1)
    again.load_state_dict(net.state_dict())
    need(
        torch.allclose(_embed(again, given), embeddings, atol=1e-6), spec, "its state_dict does not hold all that it is"
    )
    counted, there = spec.count_weights(), sum(weight.numel() for weight in net.parameters())
    need(counted == there, spec, f"count_weights gives {counted}, it has {there}")
    return embeddings


def _inputs(spec: ModelSpec) -> torch.Tensor:
    channels = getattr(spec, "in_channels", 3) or 3
    if spec.inputs == "points":
        return torch.rand(CLOUDS, POINTS, channels, generator=generator(1)) * 2 - 1
    side = getattr(spec, "image_size_px", None) or IMAGE_PX
    return torch.randn(CLOUDS, channels, side, side, generator=generator(1))


def _built(spec: ModelSpec, seed: int) -> EmbeddingNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return spec.build()


def _same_weights(one: EmbeddingNet, two: EmbeddingNet) -> bool:
    first, second = one.state_dict(), two.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def _embed(net: EmbeddingNet, inputs: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        found = net.eval()(inputs)
    return found if torch.is_tensor(found) else found["embedding"]


def _check_outputs(spec: ModelSpec, outputs: Any) -> None:
    need(isinstance(outputs, dict) and "embedding" in outputs, spec, "full=True gives no mapping with 'embedding'")
    embedding = outputs["embedding"]
    wanted = (CLOUDS, spec.embedding_size) if len(embedding) == CLOUDS else (len(embedding), spec.embedding_size)
    need(tuple(embedding.shape) == wanted, spec, f"embeddings have the shape {tuple(embedding.shape)}, not {wanted}")
    unit = torch.allclose(embedding.norm(dim=1), torch.ones(len(embedding)), atol=1e-4)
    need(unit or not getattr(spec, "normalized", True), spec, "embeddings are not of unit length")
    apart = [name for name, value in outputs.items() if len(value) != len(embedding)]
    need(not apart, spec, f"the outputs {apart} do not have the batch first")


def _check_gradients(spec: ModelSpec, net: EmbeddingNet, inputs: torch.Tensor) -> None:
    """After one step weights that began at zero let gradients through; a bias before a norm has none but zero."""
    silent = [name for name, _ in net.named_parameters()]
    for _ in range(2):
        net.zero_grad()
        outputs: Any = net(inputs, full=True)
        noise = generator(2)
        terms = [(value * torch.randn(value.shape, generator=noise)).sum() for value in outputs.values()]
        torch.stack(terms).sum().backward()
        known = dict(net.named_parameters())
        silent = [name for name in silent if not _reached(known[name])]
        with torch.no_grad():
            for weight in known.values():
                if weight.grad is not None:
                    weight.sub_(0.01 * weight.grad)
    need(not silent, spec, f"no gradient reaches {silent[:4]}")


def _reached(weight: torch.Tensor) -> bool:
    return learns(weight.grad) or (weight.ndim == 1 and weight.grad is not None and not weight.grad.any())


def _check_order(spec: ModelSpec, net: EmbeddingNet, inputs: torch.Tensor, embeddings: torch.Tensor) -> None:
    order = torch.randperm(inputs.shape[1], generator=generator(3))
    other = _embed(net, inputs[:, order])
    moved, apart = float((other - embeddings).norm(dim=1).max()), float(torch.pdist(embeddings).min())
    need(moved <= MOVED_SHARE * apart + 1e-5, spec, f"the order of points moves an embedding by {moved:.2g}")


def _check_channels(spec: ModelSpec, net: EmbeddingNet, inputs: torch.Tensor) -> None:
    if getattr(spec, "in_channels", 3) is None:
        return
    axis = 2 if spec.inputs == "points" else 1
    wrong = torch.cat([inputs, inputs.narrow(axis, 0, 1)], dim=axis)
    try:
        _embed(net, wrong)
    except UserError as error:
        need("\n" not in str(error), spec, "other channels than it declares are refused in several lines")
        return
    except Exception as error:
        message = f"other channels than it declares end as {type(error).__name__}: raise a UserError of one line"
        raise ContractError(f"model {spec.name!r}: {message}") from error
    need(
        False,
        spec,
        f"it takes {wrong.shape[axis]} channels and declares {inputs.shape[axis]}: in_channels = None takes all",
    )
