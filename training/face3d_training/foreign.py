"""Checkpoints of other programs: those with the keys and names of the published ResNet triplet models.

The family of tamerthamoqa/facenet-pytorch-glint360k (before: facenet-pytorch-vggface2): `model_architecture` is
resnet18 … resnet152, inceptionresnetv2 or mobilenetv2, and the weights are torchvision's names (for Inception-ResNet
those of Cadene/pretrained-models.pytorch) behind `model.`, with `module.` before it from several GPUs. The embedding is
the layer that was the classifier, without bias in the latest models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from face3d_data.errors import UserError
from face3d_training.models.adapt import drop_prefixes
from face3d_training.models.embedding_net import EmbeddingNet
from face3d_training.models.image_spec import ImageSpec
from face3d_training.registry import make_spec, specs
from face3d_training.torch_file import read_torch_file

KEYS = ("model_state_dict", "model_architecture", "embedding_dimension")
"""What a checkpoint has to have."""
INFO = ("epoch", "embedding_dimension", "batch_size_training", "model_architecture", "best_distance_threshold")
"""What is handed on beside the weights, where it is there."""


@dataclass(frozen=True)
class Foreign:
    """A network out of another program's checkpoint.

    Attributes:
        spec: its options.
        net: the network in evaluation.
        loaded: names of our weights that the file gave, or that are 0 since its layer has no bias.
        unmatched: a line for every name of the file or of the network without a partner; those of the network keep
            weights that no one trained, so that embeddings mean something only where there is none of them.
        info: `INFO` of the file.
    """

    spec: ImageSpec
    net: EmbeddingNet
    loaded: list[str]
    unmatched: list[str]
    info: dict[str, Any]


def load_foreign(path: str | Path, device: torch.device | str = "cpu") -> Foreign:
    """Return the network of another program's checkpoint; its weights are taken where names and shapes agree.

    Raises:
        UserError: the file cannot be read or lacks a key, the architecture is not known, or no weight fits.
    """
    path = Path(path)
    content = read_torch_file(path)
    lacking = [key for key in KEYS if key not in content]
    if lacking:
        raise UserError(
            f"{path}: has no key {lacking[0]!r}, so its network is unknown: for bare weights set model.weights"
            " of an image network"
        )
    state = content["model_state_dict"]
    if not isinstance(state, Mapping) or not all(torch.is_tensor(value) for value in state.values()):
        raise UserError(f"{path}: its model_state_dict is not tensors by name")
    spec = foreign_spec(path, str(content["model_architecture"]), content["embedding_dimension"], state)
    # Weights without a partner are the same in every run.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = spec.build()
    fit = spec.fit(state, net)
    if not fit.tensors:
        raise UserError(f"{path}: none of its weights fits {spec.name} ({fit.summary()})")
    net.load_state_dict(fit.tensors, strict=False)
    return Foreign(spec, net.to(device).eval(), list(fit.tensors), fit.unmatched, _info(content))


def foreign_spec(path: str | Path, architecture: str, size: Any, state: Mapping[str, torch.Tensor]) -> ImageSpec:
    """Return our options for a published architecture; as many channels as its first convolution has.

    Raises:
        UserError: we have no such network, or not of that size or number of channels.
    """
    path = Path(path)
    known = {_plain(name): name for name, spec in specs("model").items() if issubclass(spec, ImageSpec)}
    name = known.get(_plain(architecture))
    if name is None:
        raise UserError(f"{path}: model_architecture {architecture!r} is not one of {', '.join(sorted(known))}")
    options = {"embedding_size": size}
    first = drop_prefixes(state).get(make_spec("model", name, {}).first_convolution)
    if first is not None and first.dim() == 4:
        options["in_channels"] = first.shape[1]
    try:
        return make_spec("model", name, options)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _info(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is handed on; NumPy numbers as Python's."""
    found = {key: content[key] for key in INFO if key in content}
    return {key: value.item() if hasattr(value, "item") else value for key, value in found.items()}
