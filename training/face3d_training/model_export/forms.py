"""Writers of an exported network, one for each form, and what computes its embeddings from the file alone."""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from face3d_data.errors import MissingDependency, UserError
from face3d_data.extras import extra_line
from face3d_training.checkpoint import Trained, build_spec, export_safetensors, load_model
from face3d_training.config import DataConfig, TrainConfig, as_mapping, load_config
from face3d_training.model_export.description import ABOUT, INPUT, OUTPUT
from face3d_training.model_export.traceable import traceable

NetworkForm = Literal["onnx", "torchscript", "safetensors"]
ENDINGS: Mapping[NetworkForm, tuple[str, ...]] = {
    "onnx": (".onnx",),
    "torchscript": (".pt", ".torchscript"),
    "safetensors": (".safetensors",),
}
"""How the files of each form end."""
ReadNetwork = Callable[[np.ndarray], np.ndarray]
"""Gives embeddings f4 (B, E) of inputs f4 (B, …)."""
TRACED_BATCH = 2
"""Size of the batch that is traced; 1 would be taken for a constant."""


def write_onnx(path: str | Path, trained: Trained, description: Mapping[str, Any]) -> None:
    """Write a network as ONNX, with a batch of any size and the description in its metadata.

    Raises:
        UserError: it has something that ONNX has no operator for.
        MissingDependency: the extra onnx is not installed.
    """
    needing_onnx()
    import onnx

    net = traceable(trained.net, trained.spec.name, "onnx")
    batch = torch.export.Dim("batch", min=1)
    with _refusing("onnx", trained), torch.no_grad():
        program = torch.onnx.export(
            *(net, (_example(description),)),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: batch},),
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise UserError(f"--format onnx: {trained.spec.name}: torch wrote nothing")
    model = program.model_proto
    model.metadata_props.add(key=ABOUT, value=json.dumps(description))
    onnx.save_model(model, path)


def read_onnx(path: str | Path) -> ReadNetwork:
    """Return what computes embeddings by an ONNX file, with onnxruntime on one thread."""
    needing_onnx()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run([OUTPUT], {INPUT: inputs})[0]


def write_torchscript(path: str | Path, trained: Trained, description: Mapping[str, Any]) -> None:
    """Write a network as TorchScript; the description is its extra file `face3d_training`.

    Raises:
        UserError: it cannot be traced.
    """
    net = traceable(trained.net, trained.spec.name, "torchscript")
    with _refusing("torchscript", trained), torch.no_grad():
        traced = torch.jit.trace(net, (_example(description),), check_trace=False)
        torch.jit.save(traced, str(path), _extra_files={ABOUT: json.dumps(description)})


def read_torchscript(path: str | Path) -> ReadNetwork:
    """Return what computes embeddings by a TorchScript file."""
    with _quiet():
        net = torch.jit.load(str(path), map_location="cpu")

    def embed(inputs: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return net(torch.from_numpy(inputs)).numpy()

    return embed


def write_safetensors(path: str | Path, trained: Trained, description: Mapping[str, Any]) -> None:
    """Write a network as safetensors that `load_model` reads, with what is known of its training.

    The key `description` of the JSON in its metadata `face3d_training` is the description.
    """
    config = _config_of(trained, DataConfig(**description["data"]))
    state = {**trained.info, "config": json.dumps(as_mapping(config)), "model_state_dict": trained.net.state_dict()}
    export_safetensors(path, state, description=description)


def read_safetensors(path: str | Path) -> ReadNetwork:
    """Return what computes embeddings by a .safetensors of this program."""
    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder) / "network.safetensors"  # by its ending a file is known, and one at work has another
        named.symlink_to(Path(path).absolute())
        net = load_model(named).net

    def embed(inputs: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return net(torch.from_numpy(inputs)).numpy()

    return embed


WRITERS: Mapping[NetworkForm, Callable[[str | Path, Trained, Mapping[str, Any]], None]] = {
    "onnx": write_onnx,
    "torchscript": write_torchscript,
    "safetensors": write_safetensors,
}
READERS: Mapping[NetworkForm, Callable[[str | Path], ReadNetwork]] = {
    "onnx": read_onnx,
    "torchscript": read_torchscript,
    "safetensors": read_safetensors,
}


def needing_onnx() -> None:
    """Check that what writes and runs ONNX files is installed.

    Raises:
        MissingDependency: it is not; the message holds the install line.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingDependency(f"--format onnx needs {error.name}: {extra_line('onnx')}") from None


def _config_of(trained: Trained, data: DataConfig) -> TrainConfig:
    """Return the config that the file names; another program's network gets one that builds it."""
    if trained.config is not None:
        kept = data.model_copy(
            update={key: getattr(trained.config.data, key) for key in ("train_split", "eval_split", "where")}
        )
        return trained.config.model_copy(update={"data": kept})
    options = trained.spec.model_dump(mode="json", exclude_defaults=True, exclude={"weights"})
    config = load_config(None, [("model", trained.spec.name), *((f"model.{k}", v) for k, v in options.items())])
    build_spec(config)
    return config.model_copy(update={"data": data})


def _example(description: Mapping[str, Any]) -> torch.Tensor:
    """Return the input that is traced: numbers are drawn, as zeros would have no direction to be divided by."""
    shape = (TRACED_BATCH, *description["input"]["shape"][1:])
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@contextmanager
def _refusing(form: NetworkForm, trained: Trained) -> Iterator[None]:
    """Give what torch says of a network that it cannot trace as one line."""
    try:
        with _quiet():
            yield
    except UserError:
        raise
    except Exception as error:  # torch raises whatever the network's own code does on traced tensors
        cause = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        raise UserError(
            f"--format {form}: {trained.spec.name} cannot be written so ({cause[0]}): give --format safetensors"
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's notes on its own future, and on torchvision, off the terminal."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
