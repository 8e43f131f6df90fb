"""Export of a network: written, computed from the file alone, compared with torch, and only then published."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from face3d_data.atomic import atomic_path
from face3d_data.errors import UserError
from face3d_data.json_text import parse_json
from face3d_data.shards.read import Dataset
from face3d_training.checkpoint import Trained, load_model
from face3d_training.embed_files import check_absent
from face3d_training.foreign import check_architecture_used
from face3d_training.map_place import said_of_maps
from face3d_training.model_export.description import describe
from face3d_training.model_export.forms import ENDINGS, READERS, WRITERS, NetworkForm, needing_onnx
from face3d_training.packaged import shown_name
from face3d_training.split_table import shapes_of
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
    checkpoint: str | Path,
    out: str | Path,
    asked: NetworkForm | None = None,
    changes: Iterable[tuple[str, Any]] = (),
    architecture: str | None = None,
    prepared_as: str | Path | None = None,
) -> ExportedNetwork:
    """Write a trained network as a file of other programs, with a batch of any size.

    The file is computed with before it is published: by onnxruntime, by TorchScript, or read again, in batches of
    several sizes. The network's input f4 (B, C, H, W) or (B, N, C) is what `FaceRows` makes of a dataset's rows.

    Args:
        checkpoint: a checkpoint, or the folder of a run.
        out: the file, which must not exist yet.
        asked: its form; None: as its name ends.
        changes: keys of the config's `data` that are changed, as (`data.image_size_px`, 140).
        architecture: name of the network, for a checkpoint of another program that does not say it.
        prepared_as: folder of a dataset whose samples were made as this network's were, for a checkpoint that does not
            say how; the file then does.

    Raises:
        UserError: the network cannot be written in that form, its file gives other embeddings than torch, or the
            checkpoint says itself what is given.
        MissingDependency: the extra onnx is not installed.
    """
    out = Path(out)
    form = form_of(out, asked)
    check_absent(out)
    if form == "onnx":
        needing_onnx()
    trained = load_model(checkpoint, architecture=architecture)
    check_architecture_used(architecture, [trained.info])
    if prepared_as is not None:
        trained = with_preparation(trained, prepared_as)
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


def with_preparation(trained: Trained, dataset: str | Path) -> Trained:
    """Return a network that says how captures become its samples: as those of a dataset were made.

    Args:
        trained: a network that does not say it.
        dataset: the dataset's folder.

    Raises:
        UserError: the network says it, the dataset does not, or it has no array for the network.
    """
    source, who = Dataset(Path(dataset)), shown_name(trained.path)
    if parse_json(trained.info.get("preparation") or "{}").get("ways"):
        raise UserError(f"--prepared-as {dataset}: {who} says itself how its samples were prepared: leave it out")
    record = source.info.get("preparation") or {}
    if not record.get("ways"):
        raise UserError(
            f"--prepared-as {dataset}: does not say how its samples were made: give a dataset that face3d run or chain "
            "made of captures"
        )
    lacking = sorted(set(config_for(trained).data.fields) - shapes_of(source).keys())
    if lacking:
        raise UserError(f"--prepared-as {dataset}: has no {' or '.join(lacking)}, which {who} takes: add it to fields")
    said = {"preparation": json.dumps(record)}
    maps = said_of_maps(source.info)
    if maps and not trained.info.get("maps"):
        said["maps"] = json.dumps(maps)
    return replace(trained, info={**trained.info, **said})


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
