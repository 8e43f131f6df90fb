"""Devices of training: Lightning Fabric with a config's device and precision, and torchrun's processes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision

from face3d_data.errors import Face3dError, UserError
from face3d_training.config import Precision

T = TypeVar("T")


@dataclass(frozen=True)
class TrainingDevice:
    """Fabric, and the scaler of half precision where one is used."""

    fabric: Fabric
    scaler: Any | None


class InputsKept(MixedPrecision):
    """Mixed precision whose inputs stay float32: 16 bits would move points by tenths of a mm before any layer."""

    def convert_input(self, data: Any) -> Any:
        """Return the inputs as they are; each layer converts what it computes in fewer bits."""
        return data


def choose_device(name: str) -> torch.device:
    """Return the torch device of a config's or option's name; `auto` is CUDA, then MPS, then the CPU.

    Raises:
        UserError: there is no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"device {name}: torch sees {torch.cuda.device_count()} CUDA devices: use --device cpu or auto")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("device mps: torch has no such device: use --device cpu or auto")
    return device


def make_fabric(device: str, precision: Precision) -> TrainingDevice:
    """Return Fabric, launched: one process, or one of those that torchrun started (gloo on CPUs, NCCL on GPUs).

    On CUDA, products of float32 are exact unless the precision is `tf32`; torch's own default rounds convolutions.

    Raises:
        UserError: there is no such device, or it cannot compute in that precision.
    """
    chosen = choose_device(device)
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    scaler = None
    if precision == "16-mixed":
        if chosen.type != "cuda":
            raise UserError(f"precision 16-mixed needs CUDA, device is {chosen.type}: use bf16-mixed or 32-true")
        scaler = torch.amp.GradScaler("cuda")
    if precision == "tf32" and chosen.type != "cuda":
        raise UserError(f"precision tf32 needs CUDA, device is {chosen.type}: use 32-true")
    if chosen.type == "cuda":
        torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
    options: dict[str, Any] = {"precision": "32-true"}
    if precision in ("bf16-mixed", "16-mixed"):
        options = {"plugins": [InputsKept(precision, chosen.type, scaler=scaler)]}
    several = processes > 1
    fabric = Fabric(
        accelerator=chosen.type,
        strategy="ddp" if several else "auto",
        devices=local if several else [chosen.index or 0] if chosen.type == "cuda" else 1,
        num_nodes=max(1, processes // local),
        **options,
    )
    fabric.launch()
    return TrainingDevice(fabric, scaler)


def on_first(fabric: Fabric, make: Callable[[], T]) -> T:
    """Return what `make` returns in the first process, in all of them; an error of ours is raised in all of them too.

    One process that ends alone would leave the others waiting for it.
    """
    if fabric.world_size == 1:
        return make()
    found: T | None = None
    error: Face3dError | None = None
    if fabric.is_global_zero:
        try:
            found = make()
        except Face3dError as raised:
            error = raised
    found, error = fabric.broadcast((found, error))
    if error is not None:
        raise error
    return found  # type: ignore[return-value]  # None only where `make` returned it
