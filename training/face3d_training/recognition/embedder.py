"""Embedder: prepared faces to embeddings, by torch or, for an exported network, by ONNX Runtime without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from face3d_data.digest import digest_file
from face3d_data.errors import MissingDependency, UserError
from face3d_data.extras import extra_line
from face3d_data.json_text import parse_json
from face3d_training.config import DataConfig
from face3d_training.network_input import InputKind, NetworkInput
from face3d_training.packaged import CALIBRATION, PRETRAINED, shown_name
from face3d_training.recognition.calibration import Calibration, read_calibration

if TYPE_CHECKING:
    import torch

ONNX = ".onnx"
Faces = Sequence[Mapping[str, np.ndarray]]


class Runner(Protocol):
    """What computes a network: f4 (B, …) to f4 (B, E)."""

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Return the embeddings of a batch."""
        ...


@dataclass(frozen=True)
class Embedder:
    """A network, how faces are put before it, and how they are prepared.

    Attributes:
        name: what messages call it.
        file: the file of its weights.
        file_sha256: that file's digest, which a calibration names.
        scores_of: digest of the file that it was exported from, if its distances are those of that network; or empty.
        digest: of its weights, and of its back-end, which a gallery names.
        data: the config of its input.
        inputs: `points` or `image`.
        maps: what is said of the maps that it learnt from; empty without maps.
        preparation: how its samples were made of captures; empty where that is not known.
        run: computes it.
    """

    name: str
    file: Path
    file_sha256: str
    digest: str
    data: DataConfig
    inputs: InputKind
    maps: Mapping[str, Any]
    preparation: Mapping[str, Any]
    run: Runner
    scores_of: str = ""

    def embed(self, faces: Faces) -> np.ndarray:
        """Return f4 (n, E), of unit length: the embedding of each prepared face.

        Args:
            faces: of each, the arrays that `data.fields` names.

        Raises:
            UserError: the arrays do not fit the network.
        """
        if not faces:
            return np.zeros((0, 0), np.float32)
        arrays = {name: np.stack([face[name] for face in faces]) for name in self.data.fields}
        shapes = {name: array.shape[1:] for name, array in arrays.items()}
        info = {"array_attributes": {"map": dict(self.maps)}}
        made = NetworkInput.of(self.data, self.inputs, shapes, info, f"of {self.name}")
        return self.computed(made.stacked(made.form.restored(arrays)))

    def computed(self, batch: np.ndarray) -> np.ndarray:
        """Return the embeddings f4 (n, E) of a batch of the network's input.

        Raises:
            UserError: one is not finite.
        """
        vectors = self.run(batch)
        if not np.isfinite(vectors).all():
            raise UserError(f"{self.name}: gives embeddings that are not finite: its weights are damaged, use another")
        return vectors

    def calibration(self, asked: Path | None = None) -> Calibration | None:
        """Return the calibration that is asked for, or lies beside the network's file, or comes with the package.

        None: there is none. An exported network also has that of the network that it was exported from.

        Raises:
            UserError: it is another network's, or cannot be read.
        """
        beside = self.file.with_name(self.file.stem + CALIBRATION)
        path, own = asked or (beside if beside.is_file() else None), {self.file_sha256, self.scores_of}
        if path is None:
            packaged = map(read_calibration, sorted(PRETRAINED.glob(f"*{CALIBRATION}")))
            return next((found for found in packaged if found.network in own), None)
        found = read_calibration(path)
        if found.network not in own:
            raise UserError(
                f"{path}: is the calibration of another network than {self.name}: make it of an evaluation of this one "
                "with face3d calibrate"
            )
        return found


def open_embedder(path: str | Path, device: str = "auto") -> Embedder:
    """Return the embedder of a checkpoint, a run's folder, or an exported network (.onnx).

    Raises:
        UserError: there is no network, or it does not say how faces are put before it.
        MissingDependency: the library that runs it is not installed.
    """
    path = Path(path)
    return _of_onnx(path) if path.suffix == ONNX else _of_checkpoint(path, device)


def _of_checkpoint(path: Path, device: str) -> Embedder:
    from face3d_training.checkpoint import load_model
    from face3d_training.devices import choose_device
    from face3d_training.network_back_end import embedding_form, network_digest

    place = choose_device(device)
    trained = load_model(path, place)
    name = shown_name(trained.path)
    if trained.config is None:
        raise UserError(
            f"{name}: was trained by another program, which does not say how its faces were prepared: give it that by "
            "face3d export-model FILE --prepared-as DATASET --out NAME.safetensors, and use the new file"
        )
    form = embedding_form(trained, None)
    digest = "+".join([network_digest(trained), *([form.record()["back_end_digest"]] if form.back_end else [])])
    maps, preparation = (trained.info.get(key) for key in ("maps", "preparation"))
    said = trained.info.get("description") or {}
    exported = form.back_end is None and said.get("network_digest") == digest
    return Embedder(
        name=name,
        file=trained.path,
        file_sha256=digest_file(trained.path),
        digest=digest,
        data=trained.config.data,
        inputs=trained.spec.inputs,
        maps=parse_json(maps) if maps else {},
        preparation=parse_json(preparation) if preparation else {},
        run=_TorchRunner(trained.net, place, form.apply),
        scores_of=said.get("scores_of", "") if exported else "",
    )


class _TorchRunner:
    """A network in torch, then its back-end."""

    def __init__(self, net: Any, device: torch.device, form: Any) -> None:
        self.net, self.device, self.form = net, device, form

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            vectors = self.net(torch.from_numpy(batch).to(self.device)).float().cpu().numpy()
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12)
        return np.asarray(self.form(vectors / lengths), np.float32)


def _of_onnx(path: Path) -> Embedder:
    try:
        import onnxruntime
    except ImportError:
        raise MissingDependency(f"{path}: is run by ONNX Runtime: {extra_line('onnx')}") from None
    if not path.is_file():
        raise UserError(f"{path}: no such network: make it with face3d export-model --format onnx")
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        said = json.loads(session.get_modelmeta().custom_metadata_map["face3d_training"])
    except Exception as error:  # the library has its own kinds for damaged files, and a foreign file lacks the key
        raise UserError(
            f"{path}: is no network that face3d export-model wrote ({str(error).splitlines()[0]}): export it again"
        ) from None
    name = session.get_inputs()[0].name

    def run(batch: np.ndarray) -> np.ndarray:
        vectors = session.run(None, {name: batch})[0]
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12), np.float32)

    return Embedder(
        name=said.get("name", path.name),
        file=path,
        file_sha256=digest_file(path),
        digest=said["network_digest"],
        data=DataConfig(**said["data"]),
        inputs=said["inputs"],
        maps=said.get("maps") or {},
        preparation=said.get("preparation") or {},
        run=run,
        scores_of=said.get("scores_of", ""),
    )
