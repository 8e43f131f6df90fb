"""Checkpoints: written whole or not at all, read as tensors and plain values, never as code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from face3d_data.atomic import atomic_path
from face3d_data.errors import UserError
from face3d_training.config import TrainConfig, as_mapping
from face3d_training.models.base import EmbeddingNet, ModelSpec
from face3d_training.registry import make_spec
from face3d_training.torch_file import read_torch_file

FOLDER = "checkpoints"
BEST, LAST = "best.pt", "last.pt"
SHOWN = 4
"""Names of weights that a message lists."""


@dataclass(frozen=True)
class Trained:
    """A network out of a file.

    Attributes:
        net: in evaluation, on the device asked for.
        spec: its options.
        config: how it was trained; None for another program's checkpoint.
        info: the checkpoint's other keys; `unmatched` lists weights of another program that fitted nowhere.
        path: the file.
    """

    net: EmbeddingNet
    spec: ModelSpec
    config: TrainConfig | None
    info: Mapping[str, Any]
    path: Path


def build_spec(config: TrainConfig) -> ModelSpec:
    """Return the options of a config's network.

    Raises:
        UserError: no such network, or an option that it has not.
    """
    spec = make_spec("model", config.model["name"], {k: v for k, v in config.model.items() if k != "name"})
    if not isinstance(spec, ModelSpec):
        raise UserError(f"model {spec.name}: is no network")
    return spec


def without_weights(config: TrainConfig) -> TrainConfig:
    """Return a config whose network starts from no file: what it has learnt since is in a checkpoint."""
    model = {key: value for key, value in config.model.items() if key != "weights"}
    return config.model_copy(update={"model": model, "weights": None})


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint whole or not at all; the one that was there stays until the new one is on the disk."""
    with atomic_path(path) as temporary:
        torch.save(dict(state), temporary)


def find_checkpoint(path: Path) -> Path:
    """Return the checkpoint that a path names: a file, or a run's folder, of which the best is taken.

    Raises:
        UserError: there is none.
    """
    if path.is_dir():
        for name in (BEST, LAST):
            if (path / FOLDER / name).is_file():
                return path / FOLDER / name
        raise UserError(f"{path}: holds no {FOLDER}/{BEST}: give a checkpoint, or the folder of a run that made one")
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint: give a .pt or .safetensors file, or the folder of a run")
    return path


def load_model(path: str | Path, device: torch.device | str = "cpu") -> Trained:
    """Return a trained network: of this program (.pt, .safetensors, a run's folder), or of one whose keys are known.

    Raises:
        UserError: no checkpoint, or its weights are not those of the network that it names.
    """
    file = find_checkpoint(Path(path))
    state = read_torch_file(file)
    if "config" not in state:
        from face3d_training.foreign import load_foreign

        foreign = load_foreign(file, device)
        return Trained(foreign.net.eval(), foreign.spec, None, {**foreign.info, "unmatched": foreign.unmatched}, file)
    config = TrainConfig(**json.loads(state["config"]))
    spec = build_spec(without_weights(config))
    net = spec.build()
    load_weights(net, state["model_state_dict"], f"{file}: network {spec.name}")
    info = {key: value for key, value in state.items() if not key.endswith("state_dict")}
    return Trained(net.to(device).eval(), spec, config, info, file)


def load_weights(net: torch.nn.Module, weights: Mapping[str, torch.Tensor], where: str) -> None:
    """Put weights into a network, all of them.

    Raises:
        UserError: names or shapes differ: they are another architecture's.
    """
    own = net.state_dict()
    lacking = [f"{name} is missing" for name in own if name not in weights]
    shapes = [
        f"{name} is {tuple(weights[name].shape)} where {tuple(value.shape)} is needed"
        for name, value in own.items()
        if name in weights and weights[name].shape != value.shape
    ]
    more = [f"{name} is unknown" for name in weights if name not in own]
    wrong = [*shapes, *lacking, *more]
    if wrong:
        shown = ", ".join(wrong[:SHOWN]) + (f", … {len(wrong)} in all" if len(wrong) > SHOWN else "")
        raise UserError(f"{where}: the weights are of another architecture ({shown}): give the model it was made with")
    net.load_state_dict(dict(weights))


def export_safetensors(path: Path, net: EmbeddingNet, config: TrainConfig) -> None:
    """Write a network's weights as safetensors, with the config that it is built from as metadata."""
    weights = {name: value.detach().cpu().contiguous() for name, value in net.state_dict().items()}
    with atomic_path(path) as temporary:
        safetensors.torch.save_file(weights, temporary, metadata={"config": json.dumps(as_mapping(config))})
