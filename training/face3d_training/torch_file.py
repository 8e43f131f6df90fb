"""Files of torch and safetensors, read as tensors and plain values; code in them is never run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch

from face3d_data.errors import UserError, is_refused, refusal

# Published checkpoints hold a NumPy number (the threshold); NumPy 1 pickled its maker under another name than NumPy 2.
_SCALAR = np.float64(0).__reduce__()[0]
NUMPY_NUMBERS: list[Any] = [
    *((_SCALAR, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    np.dtype,
    *(type(np.dtype(code)) for code in ("f4", "f8", "i4", "i8")),
]


def read_torch_file(path: str | Path) -> dict[str, Any]:
    """Return what a .pt, .pth or .safetensors file holds, on the CPU.

    Beside tensors, plain values and NumPy numbers are read. Tensors of a .safetensors file are under
    `model_state_dict`, beside its metadata.

    Raises:
        UserError: the file does not exist, cannot be read, is not a mapping, or needs classes of other programs.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "this file does not exist"
        raise UserError(f"{path}: {what}: give one of torch or safetensors")
    try:
        content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    except Exception as error:  # What is no pickle raises whatever its bytes happen to mean.
        if is_refused(error):
            raise UserError(f"{path}: {refusal(error)}") from None
        needed = re.search(r"GLOBAL (\S+) was not an allowed global", str(error))
        if "TorchScript" in str(error):
            raise UserError(
                f"{path}: is a traced or scripted network, which is code beside its weights: save its state dict alone "
                "(torch.save(torch.jit.load(FILE).state_dict(), OTHER)) and give that"
            ) from None
        if needed is None:
            raise UserError(f"{path}: cannot be read as a file of torch or safetensors") from None
        raise UserError(
            f"{path}: needs the class {needed[1]} of another program, and loading that could run any code: save the"
            " state dict alone there (torch.save(model.state_dict(), FILE)) and give that"
        ) from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: contains a {type(content).__name__}, not weights by name")
    return content


def _read_pickle(path: Path) -> Any:
    with torch.serialization.safe_globals(NUMPY_NUMBERS):
        return torch.load(path, map_location="cpu", weights_only=True)


def _read_safetensors(path: Path) -> dict[str, Any]:
    with safetensors.safe_open(path, framework="pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        return {**(file.metadata() or {}), "model_state_dict": weights}
