"""Rows of any dataset as the input of a trained network, and its embeddings of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.digest import digest_file
from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.shards.check import checked_dataset
from face3d_data.shards.read import Dataset
from face3d_training.building import check_channels
from face3d_training.checkpoint import Trained, load_model
from face3d_training.config import DataConfig, TrainConfig, load_config
from face3d_training.data import FaceRows
from face3d_training.devices import choose_device
from face3d_training.embed_files import FolderLayout, check_file, write_embeddings
from face3d_training.embed_parts import check_parts, embed_in_parts, parts_folder, remove_parts
from face3d_training.foreign import check_architecture_used
from face3d_training.map_place import check_has_maps, check_same_maps
from face3d_training.models.base import ModelSpec
from face3d_training.network_back_end import embedding_form, network_digest
from face3d_training.packaged import shown_name
from face3d_training.prepared_alike import differences_in_place
from face3d_training.run_folder import dataset_digest
from face3d_training.split_table import Splits, shapes_of

POINT_FIELDS = {3: ("points",), 6: ("points", "normals")}
IMAGE_FIELDS = {1: ("depth",), 3: ("color",), 4: ("color", "depth")}
ONLY_TRAINING = ("train_split", "eval_split", "fold", "where", "choose_points", "plain_ratio")
"""Keys of `data` that say nothing of how a face is put before the network."""

BOTH = "both"
"""All parts of an embedding, joined."""
SHOWN_UNMATCHED = 3


@dataclass(frozen=True)
class RowChoice:
    """Rows of a dataset that are chosen, and how they are read.

    Attributes:
        dataset: a dataset's folder.
        split: split of it.
        where: a query: only these rows.
        changes: keys of the config's `data` that are changed, as (`data.image_size_px`, 140).
        check: compare the dataset's files with their hashes first.
    """

    dataset: str | Path
    split: str = "test"
    where: str | None = None
    changes: Iterable[tuple[str, Any]] = ()
    check: bool = True


@dataclass(frozen=True)
class EmbeddingFile:
    """File of embeddings that is asked for.

    Attributes:
        path: the file, .h5 or .parquet, which must not exist yet.
        layout: one embedding of each person, or one of each image, as in `write_embeddings`.
        back_end: a back-end's file, by which embeddings are projected, or `none`; None: the one that comes with the
            network, if that gives embeddings.
        flip: each embedding is the mean of that of an image and that of its mirror image, of unit length again.
        branch: the part of an embedding that stands for it, or `both`, which None means; of networks that have parts.
    """

    path: str | Path
    layout: FolderLayout = "gallery"
    back_end: str | Path | None = None
    flip: bool = False
    branch: str | None = None


@dataclass(frozen=True)
class EmbeddedRows:
    """What was written of rows that were embedded.

    Attributes:
        count: embeddings.
        samples: rows that they were made of.
        masked: how many of these wear a mask.
        form: `no back-end`, or `projected by back-end lda`.
    """

    count: int
    samples: int
    masked: int
    form: str


def rows_for(
    trained: Trained,
    dataset: str | Path,
    split: Splits,
    changes: Iterable[tuple[str, Any]] = (),
    where: str | None = None,
    flip: bool = False,
) -> tuple[FaceRows, TrainConfig]:
    """Return the rows of a split as the network was trained to see them, and the config that says how.

    Args:
        trained: the network. Of another program's, fields are guessed from the number of its channels.
        dataset: a dataset's folder.
        split: split of it, or several.
        changes: keys of the config's `data` that are changed, as (`data.image_size_px`, 140).
        where: a query: only these rows.
        flip: also give the mirror image of each row.

    Raises:
        UserError: the dataset lacks what the network takes, there is no such split or row, or the mirror images of
            its rows are none of faces.
    """
    dataset = Path(dataset)
    config = config_for(trained, changes)
    learnt, said = trained.info.get("maps"), shown_name(trained.path)
    if "map" in config.data.fields:
        source = Dataset(dataset)
        check_has_maps(learnt, shapes_of(source), source.name, said)
    rows = FaceRows(dataset, split, config.data, trained.spec.inputs, where, where_key="--where")
    if flip:
        rows.add_mirrors()
    check_same_maps(learnt, rows.map_said, rows.dataset, said)
    rows.notes += differences_in_place(
        trained.info.get("preparation"), Dataset(dataset).info.get("preparation"), rows.dataset, said
    )
    check_channels(trained.spec, rows, config)
    return rows, config


def config_for(trained: Trained, changes: Iterable[tuple[str, Any]] = ()) -> TrainConfig:
    """Return the config whose `data` says how faces are put before a network.

    Args:
        trained: the network. Of another program's, fields are guessed from the number of its channels.
        changes: keys of the config's `data` that are changed, as (`data.image_size_px`, 140).

    Raises:
        UserError: a change has no effect, or the fields cannot be guessed.
    """
    data = trained.config.data if trained.config is not None else _guessed(trained.spec)
    kept = [(f"data.{key}", value) for key, value in data.model_dump(mode="json").items() if key not in ONLY_TRAINING]
    changes = tuple(changes)
    config = load_config(None, [*kept, *changes])
    _check_effect(config.data, trained.spec.inputs, changes)
    return config


def _check_effect(config: DataConfig, inputs: str, changes: Sequence[tuple[str, Any]]) -> None:
    """Refuse changes that nothing of the input depends on."""
    acts = {
        **dict.fromkeys(("n_points", "choose_points", "views", "normalize", "point_scale_mm"), inputs == "points"),
        "image_size_px": inputs == "image",
        "depth_scale_mm": "depth" in config.fields,
        "map_scale_mm": "map" in config.fields,
        "map_height": "map" in config.fields,
        "map_clip_mm": "map" in config.fields and config.map_height == "residual",
    }
    for key, _ in changes:
        if not acts.get(key.removeprefix("data."), True):
            fields = ", ".join(config.fields)
            raise UserError(f"{key}: changes nothing for a network that takes {fields}: leave it out")


def _guessed(spec: ModelSpec) -> DataConfig:
    channels = getattr(spec, "in_channels", 3)
    fields = (POINT_FIELDS if spec.inputs == "points" else IMAGE_FIELDS).get(channels)
    if fields is None:
        raise UserError(
            f"model {spec.name} takes {channels} channels, but its checkpoint does not name them: set --data.fields"
        )
    return DataConfig(fields=fields)


def embed_dataset(
    chosen: RowChoice,
    checkpoint: str | Path,
    out: EmbeddingFile,
    device: str = "auto",
    workers: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
    say: Callable[[str], None] = lambda line: None,
    architecture: str | None = None,
) -> EmbeddedRows:
    """Embed the rows of a split and write them as HDF5 or Parquet, in a layout of `write_embeddings`.

    The attribute `file_path` of an image is the file that `face3d export` writes it to. What was embedded by a call
    that was stopped is kept beside the file (`embed_parts`), and the same call goes on there.

    Args:
        chosen: the rows to embed.
        checkpoint: a checkpoint or the folder of a run, of which the best is taken.
        out: the file that is written.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        workers: loader processes.
        progress: called with the current part, the number of faces done and the total.
        say: called with a line on weights of another program that did not fit, on a back-end that is not used, and on
            parts that are there already.
        architecture: name of the network, for a checkpoint that does not say it.

    Raises:
        UserError: dataset, checkpoint, back-end and file do not fit each other, or one of them is damaged; or what is
            beside the file are parts of other embeddings.
        MissingDependency: the extra parquet is not installed.
    """
    checkpoint = Path(checkpoint)
    check_file(out.path)
    source = checked_dataset(chosen.dataset, chosen.check)
    place = choose_device(device)
    trained = load_model(checkpoint, place, architecture)
    check_architecture_used(architecture, [trained.info])
    choose_branch([trained], out.branch)
    form = embedding_form(trained, out.back_end)
    rows, config = rows_for(trained, chosen.dataset, chosen.split, chosen.changes, chosen.where, out.flip)
    about = {
        "dataset": source.name,
        "dataset_digest": dataset_digest(source),
        "split": chosen.split,
        "model": trained.spec.name,
        "network": shown_name(trained.path),
        "network_sha256": digest_file(trained.path),
        "network_digest": network_digest(trained),
        "flip": "mean with the mirror image" if out.flip else "none",
        **form.record(),
        **({"branch": out.branch or BOTH} if trained.net.branches else {}),
    }
    # What decides a row's embedding; by a back-end they are projected afterwards.
    job: dict[str, Any] = {key: about[key] for key in ("dataset_digest", "split", "network_digest", "flip")}
    job |= {"branch": out.branch} if out.branch not in (None, BOTH) else {}
    job |= {"where": chosen.where, "data": config.data.model_dump(mode="json")}
    there = check_parts(out.path, job)
    going_on = [f"goes on from {counted(there, 'part')} in {parts_folder(out.path)}"] if there else []
    for line in (*unmatched_weights(trained), *rows.notes, *form.notes, *going_on):
        say(f"note: {line}")
    tell = None if progress is None else lambda done: progress("embed", done, len(rows))
    vectors = embed_in_parts(trained.net, rows, out.path, job, place, workers, tell)
    table = rows.table.drop(columns=["shard", "index"], errors="ignore").assign(split=chosen.split)
    table = table.assign(file_path=exported_paths(table, source.info["spec"]["fields"]))
    count = write_embeddings(out.path, table, form.apply(vectors), out.layout, about)
    remove_parts(out.path)
    return EmbeddedRows(count, len(rows), int(rows.masked.sum()), form.in_words)


def choose_branch(networks: Sequence[Trained], branch: str | None) -> None:
    """Let networks whose embedding has parts that stand alone answer by one of them; all others stay as they are.

    Args:
        networks: networks.
        branch: name of the part; `both` or None: all parts, joined.

    Raises:
        UserError: one was chosen, and no network has parts, or one has no such part.
    """
    having = [trained.net for trained in networks if trained.net.branches]
    if branch is not None and not having:
        raise UserError(
            f"--branch {branch}: no embedding here has parts that stand alone, as those of lpd: leave it out"
        )
    for net in having if branch not in (None, BOTH) else ():
        net.answer_by(str(branch))


def unmatched_weights(trained: Trained) -> list[str]:
    """Return a line where weights of another program's checkpoint have no partner, and none else."""
    names = trained.info.get("unmatched") or ()
    if not names:
        return []
    shown = "; ".join(names[:SHOWN_UNMATCHED]) + (" …" if len(names) > SHOWN_UNMATCHED else "")
    return [f"{len(names)} weights have no partner, so that embeddings may mean nothing ({shown})"]


def exported_paths(table: Any, fields: Iterable[str]) -> np.ndarray:
    """Return where `face3d export` puts each row, below its folder: `<name>/<id>.ply`, `.png` or `.npy`.

    Args:
        table: columns `name` and `id`.
        fields: arrays of the dataset.
    """
    there = set(fields)
    ending = ".ply" if "points" in there else ".png" if "color" in there else ".npy"
    return (table["name"] + "/" + table["id"] + ending).to_numpy()
