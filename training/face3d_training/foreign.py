"""Checkpoints of other programs: whose weights they are, under which names, and what is known beside them.

Three kinds are read. Triplet trainers write `model_state_dict`, `model_architecture` and `embedding_dimension`:
tamerthamoqa/facenet-pytorch-glint360k (resnet18 … resnet152, inceptionresnetv2, mobilenetv2) and
azhadzuraimi/3D-face-masked-recognition (pointMLPEliteTriplet and others). Others write weights alone, as egcode/facerec
and Face3D-Pytorch do, or under another key; their network is named by `--architecture`. Weights may be behind `model.`,
with `module.` before it from several GPUs. The embedding is what the last layer gives, which may be without bias.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_training.models.adapt import WeightsFit, drop_prefixes, weights_in
from face3d_training.models.base import ModelSpec
from face3d_training.models.embedding_net import EmbeddingNet
from face3d_training.published_networks import PublishedNetwork, published_network
from face3d_training.registry import make_spec, specs
from face3d_training.torch_file import read_torch_file

ARCHITECTURE, EMBEDDING_SIZE, OPTIMIZER = "model_architecture", "embedding_dimension", "optimizer_model_state_dict"
INFO = ("epoch", EMBEDDING_SIZE, "batch_size_training", ARCHITECTURE, "best_distance_threshold")
"""What is handed on beside the weights, where it is there."""
NAMED_BY_OPTION = "named_by_option"
"""Key of what is handed on: the network's name was given, as the file does not say it."""
SHOWN = 3


@dataclass(frozen=True)
class Foreign:
    """A network out of another program's checkpoint.

    Attributes:
        spec: its options.
        net: the network in evaluation.
        loaded: names of our weights that the file gave, or that are 0 since its layer has no bias.
        unmatched: a line for every name of the file or of the network without a partner; those of the network keep
            weights that no one trained, so that embeddings mean something only where there is none of them.
        info: `INFO` of the file, and `named_by_option`.
    """

    spec: ModelSpec
    net: EmbeddingNet
    loaded: list[str]
    unmatched: list[str]
    info: dict[str, Any]


def load_foreign(path: str | Path, device: torch.device | str = "cpu", architecture: str | None = None) -> Foreign:
    """Return the network of another program's checkpoint; its weights are taken where names and shapes agree.

    Args:
        path: the file.
        device: where the network is put.
        architecture: name of the network, for a file that does not say it; there all of its weights have to be given.

    Raises:
        UserError: the file cannot be read or has no weights, its network is not known, or the weights do not fit it.
    """
    path = Path(path)
    content = read_torch_file(path)
    state = weights_in(content, path)
    said = content.get(ARCHITECTURE)
    if said is None and architecture is None:
        raise UserError(
            f"{path}: contains weights alone, so its network is unknown: name it by --architecture"
            f"{_likely(state, ' ')} (face3d models lists them)"
        )
    where = "--architecture" if said is None else f"{path}: model_architecture"
    network = published_network(str(said if said is not None else architecture), where)
    spec = foreign_spec(path, network, content.get(EMBEDDING_SIZE), state)
    # Weights without a partner are the same in every run.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = spec.build()
    fit = spec.fit(state, net)
    if not fit.tensors:
        raise UserError(
            f"{path}: none of its weights fits {spec.name} ({fit.summary()}){_likely(state, ': they fit ')}"
        )
    if said is None and fit.lacking:
        raise UserError(
            f"{path}: does not have {counted(len(fit.lacking), 'weight')} of {spec.name} ({_shown(fit.lacking)}): "
            f"give another --architecture{_likely(state, ' – its weights fit ')}"
        )
    net.load_state_dict(fit.tensors, strict=False)
    info = {**_info(content), NAMED_BY_OPTION: said is None}
    return Foreign(spec, net.to(device).eval(), list(fit.tensors), fit.unmatched, info)


def check_architecture_used(architecture: str | None, infos: Sequence[Mapping[str, Any]]) -> None:
    """Refuse the name of a network that no checkpoint needed.

    Args:
        architecture: the name; None: none was given.
        infos: what checkpoints say beside their weights.

    Raises:
        UserError: all of them say their network themselves.
    """
    if architecture is not None and not any(info.get(NAMED_BY_OPTION, False) for info in infos):
        raise UserError(f"--architecture {architecture}: every network says its own kind here: leave it out")


def foreign_spec(
    path: str | Path, network: PublishedNetwork, size: Any, state: Mapping[str, torch.Tensor]
) -> ModelSpec:
    """Return our options for a published network, as the shapes of its weights have them.

    Args:
        path: the file, for messages.
        network: the network.
        size: length of an embedding; None: as the last layer has it.
        state: the weights.

    Raises:
        UserError: we have no such network, or not of that size or number of channels.
    """
    try:
        plain = make_spec("model", network.name, network.options)
        options = {**network.options, **plain.options_in(plain.renamed(drop_prefixes(state)))}
        return make_spec("model", network.name, options | ({} if size is None else {"embedding_size": size}))
    except UserError as error:
        raise UserError(f"{Path(path)}: {error}") from None


def start_from(
    net: EmbeddingNet, spec: ModelSpec, path: str | Path, content: Mapping[str, Any], continued: bool = False
) -> tuple[str, ...]:
    """Put the weights of another program's checkpoint into a network, all of them.

    Args:
        net: the network.
        spec: its options.
        path: the file, for messages.
        content: of the file.
        continued: its training goes on here (`take_training`), so that nothing is said of what is left.

    Returns:
        Lines on what of the file is not taken, and on options that its network has there.

    Raises:
        UserError: they are another network's, or do not all fit.
    """
    state = weights_in(content, Path(path))
    said = content.get(ARCHITECTURE)
    network = None if said is None else published_network(str(said), f"weights {path}: model_architecture")
    if network is not None and network.name != spec.name:
        raise UserError(f"weights {path}: are of {said}, which is {network.name} here: set --model {network.name}")
    fit = spec.fit(state, net)
    if fit.unmatched:
        raise UserError(
            f"weights {path}: {counted(len(fit.unmatched), 'weight')} of it or of {spec.name}, as it is set here, have "
            f"no partner ({_shown(fit.unmatched)}){_likely(state, ': it fits ')}{_first_layers(spec, fit)}"
        )
    net.load_state_dict(fit.tensors)
    return (*_other_options(path, network, spec), *(() if continued else _left(path, content)))


def _other_options(path: str | Path, network: PublishedNetwork | None, spec: ModelSpec) -> list[str]:
    """Return a line where a published network has other options than the one that is trained."""
    options = {} if network is None else network.options
    other = {key: value for key, value in options.items() if getattr(spec, key) != value}
    if not other:
        return []
    shown = " ".join(f"--model.{key.replace('_', '-')} {str(value).lower()}" for key, value in other.items())
    return [f"weights {path}: were trained otherwise than this run's network: {shown} is as there"]


def _left(path: str | Path, content: Mapping[str, Any]) -> list[str]:
    """Return a line on what a checkpoint has beside weights, which a new run does not take."""
    epoch = content.get("epoch")
    lines = [] if epoch is None else [f"epoch {epoch} of its training: this run counts its own epochs from 1"]
    if OPTIMIZER in content:
        lines.append("the state of its optimizer is not taken: the rate and its course are this run's")
    return [f"weights {path}: {'; '.join(lines)} (--continue-training takes both)"] if lines else []


def _first_layers(spec: ModelSpec, fit: WeightsFit) -> str:
    """Return the remedy where part of the weights fits a network that can begin with part of them."""
    return (
        f"; --model.weights starts from the {len(fit.tensors)} that fit"
        if fit.tensors and "weights" in type(spec).model_fields
        else ""
    )


def _likely(state: Mapping[str, torch.Tensor], before: str) -> str:
    """Return the names of networks that weights fit completely, after some words; nothing where there is none."""
    total = sum(value.numel() for value in state.values())
    found = [name for name, cls in sorted(specs("model").items()) if _may_fit(cls, total) and _fits(name, state)]
    return f"{before}{' or '.join(found)}" if found else ""


def _may_fit(cls: type[ModelSpec], total: int) -> bool:
    """Return whether a network has about as many weights, so that building it is worth the time."""
    return cls.default_weights is not None and cls.default_weights / 2 < total < cls.default_weights * 2


def _fits(name: str, state: Mapping[str, torch.Tensor]) -> bool:
    try:
        with torch.device("meta"):
            spec = make_spec("model", name, {})
            spec = make_spec("model", name, spec.options_in(spec.renamed(drop_prefixes(state))))
            return not spec.fit({key: value.to("meta") for key, value in state.items()}, spec.build()).unmatched
    except Exception as error:  # any module may be a network of a plugin, and this is a hint alone
        logging.getLogger("face3d_training").debug("%s: %s", name, error)
        return False


def _shown(lines: Sequence[str]) -> str:
    return "; ".join(lines[:SHOWN]) + (" …" if len(lines) > SHOWN else "")


def _info(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is handed on; NumPy numbers as Python's."""
    found = {key: content[key] for key in INFO if key in content}
    return {key: value.item() if hasattr(value, "item") else value for key, value in found.items()}
