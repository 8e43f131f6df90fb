"""Checkpoints of small untrained networks, with all that training writes into one."""

import json

import torch

from face3d_data.shards.read import Dataset
from face3d_training.checkpoint import BEST_CHECKPOINT, CHECKPOINT_FOLDER, build_spec, save_checkpoint
from face3d_training.config import as_mapping, load_config
from face3d_training.leaks import training_fingerprint
from face3d_training.run_folder import dataset_digest

SMALL_POINTS = {"model": "pointnet_basic", "model.widths": "8,16", "model.embedding_size": 8, "data.n_points": 32}
SMALL_IMAGE = {"model": "resnet18", "model.embedding_size": 8, "data.fields": ["color"], "data.image_size_px": 32}


def make_run(folder, dataset, seed=0, keys=None, train_split="train", **state):
    """Write a run's folder with a checkpoint of a network with fresh weights; return the folder."""
    given = {**(SMALL_POINTS if keys is None else keys), "seed": seed, "name": "small", "data.train_split": train_split}
    config = load_config(None, given.items())
    torch.manual_seed(seed)
    net = build_spec(config).build()
    source = Dataset(dataset)
    whole = {
        "epoch": 3,
        "embedding_dimension": 8,
        "model_state_dict": net.state_dict(),
        "model_architecture": config.model["name"],
        "config": json.dumps(as_mapping(config)),
        "dataset": dataset_digest(source),
        "dataset_name": source.name,
        "splits": {"train": train_split, "eval": "eval"},
        "training_data": training_fingerprint(source.table(train_split)),
    }
    kept = {key: value for key, value in {**whole, **state}.items() if value is not None}
    save_checkpoint(folder / CHECKPOINT_FOLDER / BEST_CHECKPOINT, kept)
    return folder
