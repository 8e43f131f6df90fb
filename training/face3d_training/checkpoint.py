"""Checkpoints: written completely or not at all, read as tensors and plain values, never as code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from face3d_data.atomic import atomic_path
from face3d_data.errors import RunStopped, UserError
from face3d_data.json_text import parse_json
from face3d_training.config import TrainConfig
from face3d_training.content_digest import KEY, content_digest
from face3d_training.leaks import DATASET_LEAKS, packed, unpacked
from face3d_training.models.base import ModelSpec
from face3d_training.models.embedding_net import EmbeddingNet
from face3d_training.models.plain import spec_of_network
from face3d_training.packaged import DAMAGED, REINSTALL, is_packaged
from face3d_training.registry import make_spec
from face3d_training.torch_file import read_torch_file

CHECKPOINT_FOLDER = "checkpoints"
BEST_CHECKPOINT, LAST_CHECKPOINT, SAFETENSORS = "best.pt", "last.pt", "best.safetensors"
ABOUT = "face3d_training"
ABOUT_KEYS = (
    "epoch",
    "dataset",
    "dataset_name",
    "maps",
    "preparation",
    "splits",
    "training_data_complete",
    DATASET_LEAKS,
)
"""Where a .safetensors keeps, as JSON, what is known of its network's training, and which keys of the checkpoint."""
SEEN_KEYS = ("training_data", "selection_data")
"""Keys of the checkpoint whose fingerprints of rows a .safetensors keeps as texts."""
PEOPLE = "identity"
"""The kind of a fingerprint that small files keep: names of people, by which those of their captures are found, too."""
SHOWN = 4
"""Number of names of weights that a message lists."""


@dataclass(frozen=True)
class Trained:
    """A network out of a file.

    Attributes:
        net: in evaluation, on the device asked for.
        spec: its options.
        config: how it was trained; None for another program's checkpoint.
        info: the checkpoint's other keys; `unmatched` lists weights of another program that fitted nowhere.
        path: the file.
        losses: weights of its losses; none where the file keeps none.
    """

    net: EmbeddingNet
    spec: ModelSpec
    config: TrainConfig | None
    info: Mapping[str, Any]
    path: Path
    losses: Mapping[str, torch.Tensor] = field(default_factory=dict)


def build_spec(config: TrainConfig) -> ModelSpec:
    """Return the options of a config's network.

    Raises:
        UserError: there is no such network, or it does not have an option in the config.
    """
    options = {key: value for key, value in config.model.items() if key != "name"}
    spec = make_spec("model", config.model["name"], options, spec_of_network)
    if not isinstance(spec, ModelSpec):
        raise UserError(f"model {spec.name}: is not a network")
    return spec


def without_weights(config: TrainConfig) -> TrainConfig:
    """Return a config whose network starts from no file: what it has learnt since is in a checkpoint."""
    model = {key: value for key, value in config.model.items() if key != "weights"}
    return config.model_copy(update={"model": model, "weights": None, "continue_training": False})


def save_checkpoint(path: str | Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint completely or not at all; the one that was there stays until the new one is on the disk.

    Raises:
        RunStopped: the disk is full, or cannot be written.
    """
    path = Path(path)
    try:
        with atomic_path(path) as temporary:
            torch.save({**state, KEY: content_digest(state)}, temporary)
    except (OSError, RuntimeError) as error:  # torch tells of a full disk by a RuntimeError
        raise RunStopped(
            f"{path}: cannot be written ({str(error).splitlines()[0]}): make room; the last one is whole"
        ) from None


def find_checkpoint(path: str | Path) -> Path:
    """Return the checkpoint that a path names: a file, or a run's folder, of which the best is taken.

    Raises:
        UserError: there is none.
    """
    path = Path(path)
    if path.is_dir():
        for name in (BEST_CHECKPOINT, LAST_CHECKPOINT):
            if (path / CHECKPOINT_FOLDER / name).is_file():
                return path / CHECKPOINT_FOLDER / name
        raise UserError(
            f"{path}: contains no {CHECKPOINT_FOLDER}/{BEST_CHECKPOINT}: "
            "give a checkpoint, or the folder of a run that made one"
        )
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint: give a .pt or .safetensors file, or the folder of a run")
    return path


def load_model(path: str | Path, device: torch.device | str = "cpu", architecture: str | None = None) -> Trained:
    """Return a trained network: of this program (.pt, .safetensors, a run's folder), or another's that is known.

    Args:
        path: a file, or a run's folder.
        device: where the network is put.
        architecture: name of the network, for a file of weights alone that does not say it.

    Raises:
        UserError: no checkpoint, or its weights are not those of the network that it names.
    """
    file = find_checkpoint(Path(path))
    state = read_checkpoint(file)
    if not isinstance(state.get("config"), str):
        from face3d_training.foreign import load_foreign

        foreign = load_foreign(file, device, architecture)
        return Trained(foreign.net.eval(), foreign.spec, None, {**foreign.info, "unmatched": foreign.unmatched}, file)
    config = _config_of(file, state["config"])
    spec = _spec_of(file, config)
    net = spec.build()
    load_weights(net, state.get("model_state_dict", {}), f"{file}: network {spec.name}")
    info = {key: value for key, value in state.items() if not key.endswith("state_dict")}
    return Trained(net.to(device).eval(), spec, config, info, file, state.get("loss_state_dict", {}))


def _spec_of(file: Path, config: TrainConfig) -> ModelSpec:
    """Return the options of a trained network; where its module is not here, the line says whose it is."""
    try:
        return build_spec(without_weights(config))
    except UserError as error:
        raise UserError(f"{file}: {error}") from None


def _config_of(file: Path, text: str) -> TrainConfig:
    try:
        return TrainConfig(**parse_json(text))
    except (ValueError, TypeError):
        raise UserError(
            f"{file}: this version does not know its config: use the version recorded in the run.json of its run"
        ) from None


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return the content of a file of weights; for our own .safetensors also what its network has seen, as in a .pt.

    Raises:
        UserError: it cannot be read, or its content is not what was written into it.
    """
    path = Path(path)
    state = read_torch_file(path)
    written = state.pop(KEY, None)
    if written is not None and content_digest(state) != written:
        remedy = (
            REINSTALL
            if is_packaged(path)
            else "use another checkpoint of its run (--resume "
            f"continues from one copied to {CHECKPOINT_FOLDER}/{LAST_CHECKPOINT}), or train again"
        )
        raise UserError(f"{path}: {DAMAGED}: its content is not what was written: {remedy}")
    about = state.pop(ABOUT, None) if path.suffix == ".safetensors" else None
    if about is None:
        return state
    told = parse_json(about)
    return {**state, **told, **{key: unpacked(told[key]) for key in SEEN_KEYS if key in told}}


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


def export_safetensors(
    path: str | Path, state: Mapping[str, Any], small: bool = False, description: Mapping[str, Any] | None = None
) -> None:
    """Write a checkpoint's weights as safetensors; metadata are its config, and what leaks are looked for by.

    Args:
        path: the file, which is replaced.
        state: the checkpoint's content.
        small: for networks that come with a package: weights of layers are f2 (vectors, such as the statistics of
            normalisations, stay f4), and of the training rows only the people are kept.
        description: what other programs have to know of the network; kept as `description`.

    Raises:
        UserError: a weight is too large for f2.
    """
    path = Path(path)
    weights = {name: value.detach().cpu().contiguous() for name, value in state["model_state_dict"].items()}
    seen = {key: state[key] for key in SEEN_KEYS if key in state}
    if small:
        weights = {name: _halved(name, value) for name, value in weights.items()}
        seen = {key: {PEOPLE: found[PEOPLE]} for key, found in seen.items() if PEOPLE in found}
    about = {key: state[key] for key in ABOUT_KEYS if key in state}
    about |= {key: packed(found) for key, found in seen.items()}
    if description is not None:
        about["description"] = description
    with atomic_path(path) as temporary:
        metadata = {"config": state["config"], ABOUT: json.dumps(about)}
        metadata[KEY] = content_digest({**metadata, "model_state_dict": weights})
        safetensors.torch.save_file(weights, temporary, metadata=metadata)


def _halved(name: str, value: torch.Tensor) -> torch.Tensor:
    """Return the weights of a layer as f2, and anything else as it is."""
    if value.ndim < 2 or not value.is_floating_point():
        return value
    half = value.half()
    if not torch.isfinite(half).all():
        raise UserError(f"weights {name}: up to {float(value.abs().max()):g}, which f2 cannot hold: train again")
    return half
