"""Export of a network: written, computed from the file alone, compared with torch, and only then published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from face3d_data.atomic import atomic_path
from face3d_data.errors import UserError
from face3d_training.checkpoint import Trained, load_model
from face3d_training.embed_files import check_absent
from face3d_training.model_export.description import describe
from face3d_training.model_export.forms import ENDINGS, READERS, WRITERS, NetworkForm, needing_onnx
from face3d_training.trained_rows import config_for, unmatched_weights

INPUTS = 100
"""Inputs that a file is compared with torch on."""
BATCHES = (1, 2, 5, 32, 60)
"""Sizes of the batches that these are computed in: a file has to take any."""
TOLERANCE = 1e-4
"""Largest difference of a number of an embedding that is let through."""


@dataclass(frozen=True)
class ExportedNetwork:
    """A network in a file.

    Attributes:
        path: the file.
        form: onnx, torchscript or safetensors.
        description: of `describe`, which the file holds.
        difference: the largest difference from torch, over all numbers of the embeddings of `INPUTS` drawn inputs.
        notes: lines for the reader.
    """

    path: Path
    form: NetworkForm
    description: Mapping[str, Any]
    difference: float
    notes: tuple[str, ...] = ()


def form_of(path: str | Path, asked: NetworkForm | None) -> NetworkForm:
    """Return the form of a file that is to be written.

    Args:
        path: the file.
        asked: the form; None: as the file's name ends.

    Raises:
        UserError: the name ends in another way than such files do.
    """
    path = Path(path)
    found = [form for form, endings in ENDINGS.items() if path.suffix in endings]
    if asked is None and found:
        return found[0]
    if asked is None or asked not in found:
        wanted = ENDINGS[asked] if asked is not None else [ending for some in ENDINGS.values() for ending in some]
        raise UserError(f"--out {path}: give it the ending {' or '.join(wanted)}")
    return asked


def export_network(
    checkpoint: str | Path, out: str | Path, asked: NetworkForm | None = None, changes: Iterable[tuple[str, Any]] = ()
) -> ExportedNetwork:
    """Write a trained network as a file of other programs, with a batch of any size.

    The file is computed with before it is published: by onnxruntime, by TorchScript, or read again, in batches of
    several sizes. The network's input f4 (B, C, H, W) or (B, N, C) is what `FaceRows` makes of a dataset's rows.

    Args:
        checkpoint: a checkpoint, or the folder of a run.
        out: the file, which must not exist yet.
        asked: its form; None: as its name ends.
        changes: keys of the config's `data` that are changed, as (`data.image_size_px`, 140).

    Raises:
        UserError: the network cannot be written in that form, or its file gives other embeddings than torch.
        MissingDependency: the extra onnx is not installed.
    """
    out = Path(out)
    form = form_of(out, asked)
    check_absent(out)
    if form == "onnx":
        needing_onnx()
    trained = load_model(checkpoint)
    description = describe(trained, config_for(trained, changes).data)
    try:
        with atomic_path(out.absolute()) as temporary:
            WRITERS[form](temporary, trained, description)
            difference = largest_difference(trained, temporary, form, description["input"]["shape"][1:])
            if not difference <= TOLERANCE:  # nan as well
                raise UserError(
                    f"--format {form}: {trained.spec.name}: embeddings of the file differ from torch's by up to "
                    f"{difference:.1e}, more than {TOLERANCE:g}: nothing was written; give another --format"
                )
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror or error}): use another file") from None
    return ExportedNetwork(out, form, description, difference, tuple(unmatched_weights(trained)))


def largest_difference(trained: Trained, path: str | Path, form: NetworkForm, shape: Iterable[int]) -> float:
    """Return the largest difference of a number of an embedding, by the file and by torch, over drawn inputs.

    Args:
        trained: the network.
        path: its file.
        form: of the file.
        shape: of one input.
    """
    embed, rng = READERS[form](path), np.random.default_rng(0)
    largest = 0.0
    for size in BATCHES:
        inputs = rng.normal(size=(size, *shape)).astype(np.float32)
        with torch.inference_mode():
            wanted = trained.net(torch.from_numpy(inputs)).numpy()
        # Not max(): a number that is not finite has to stay.
        largest = float(np.maximum(largest, np.abs(embed(inputs) - wanted).max()))
    return largest
