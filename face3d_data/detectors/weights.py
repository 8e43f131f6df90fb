"""Weights of the `mtcnn` package: their location. The package itself is never imported, as it imports TensorFlow."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

from face3d_data.errors import MissingDependency

NETS = ("pnet", "rnet", "onet")


@functools.cache
def weight_file(net: str) -> Path:
    """Return the weight file of one of the three networks.

    Args:
        net: `pnet`, `rnet` or `onet`.

    Raises:
        MissingDependency: the `mtcnn` package is not installed, or lacks the file.
    """
    spec = importlib.util.find_spec("mtcnn")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "assets" / "weights" / f"{net}.lz4"
        if path.is_file():
            return path
    raise MissingDependency(f"the weights of {net} are not here: pip install mtcnn==1.0.0 lz4 (without TensorFlow)")
