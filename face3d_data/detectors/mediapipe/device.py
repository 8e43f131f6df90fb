"""Torch device of every detector: checked, and on a CPU kept to one thread; both families of networks use it."""

from __future__ import annotations

import torch

from face3d_data.errors import MissingDependency


def ready_device(name: str) -> torch.device:
    """Return the torch device of that name (`cpu`, `cuda`, `cuda:1`), ready to be computed on.

    Raises:
        MissingDependency: torch cannot use it.
    """
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise MissingDependency(
            f"device {name}: no GPU that this torch can use: set device to cpu, or see face3d doctor"
        )
    if name == "cpu":
        torch.set_num_threads(1)  # results must not depend on the machine's cores
    return torch.device(name)
