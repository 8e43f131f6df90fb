"""Config of a training run, one YAML file; its fields are the keys and the options of `face3d train`. Without torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from face3d_data.component import distinct_names, explain_validation
from face3d_data.errors import UserError, did_you_mean
from face3d_data.tables.query import QueryError, parse_query, shown_query
from face3d_data.yaml_file import parse_yaml, read_yaml
from face3d_training.validation_entries import ValidationEntry

DEFAULT_MODEL = "pointnet_basic"
LIST = re.compile(r"[\w.+-]+(,[\w.+-]+)+,?|[\w.+-]+,")
"""What is a list on the command line: `32,64`; no query and no text with spaces."""
RUN_METRICS = ("auc", "eer", "rank1", "top1", "loss")
"""Figures of every run that may choose the best epoch."""
SET_METRIC = re.compile(r"\w+_(accuracy|auc|eer|rank1)")
"""Figures of validation sets."""
UNSET = ("", "null")
"""Texts that take back a text that a config gives."""
Precision = Literal["32-true", "tf32", "bf16-mixed", "16-mixed"]
"""Precisions of a network's arithmetic."""
CONFIGS = Path(__file__).resolve().parent / "configs"
CHECKOUT_CONFIGS = Path(__file__).resolve().parents[1] / "configs"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataConfig(_Section):
    """Arrays and rows of the dataset that the network uses."""

    fields: tuple[str, ...] = Field(
        ("points",),
        min_length=1,
        description="arrays that form the input: points [normals, point_colors], or color, depth, map [map_occlusion]",
    )
    train_split: str = Field("train", description="split to train on")
    eval_split: str = Field("eval", description="split that chooses the best epoch; never the one that is reported")
    fold: int | None = Field(
        None,
        ge=1,
        description="fold of a cross-validation that is left for the test: the next one chooses the epoch, all others "
        "are trained on",
    )
    where: str | None = Field(None, description="query on the columns of the CSV: which rows to train on")
    n_points: int | None = Field(None, gt=0, description="number of points used of each cloud; all if not given")
    choose_points: Literal["first", "random"] = Field(
        "first",
        description="which points: the first (well spread, as subsample orders them), or random ones each time",
    )
    views: int = Field(
        1,
        gt=0,
        description="number of test-time subsets of n_points each, without common points; a cloud's embedding is their "
        "mean",
    )
    normalize: Literal["scale", "unit_sphere"] = Field(
        "scale",
        description="points: divided by point_scale_mm, or each cloud scaled to the unit sphere, which loses its size",
    )
    point_scale_mm: float = Field(100.0, gt=0, description="length in mm that becomes 1 for the network")
    image_size_px: int | None = Field(
        None, ge=16, description="side to which images are resized; as stored if not given"
    )
    depth_scale_mm: float = Field(
        100.0, gt=0, description="length in mm that becomes 1 for the network, from the face's median depth"
    )
    map_scale_mm: float = Field(
        20.0, gt=0, description="height in mm that becomes 1 for the network; a map's other channels stay as they are"
    )
    map_height: Literal["raw", "residual"] = Field(
        "raw",
        description="heights of a map as they are, or minus the mean face's and the median of that over the upper face",
    )
    map_clip_mm: float = Field(12.0, gt=0, description="residual heights are clipped to this")
    plain_ratio: Literal["as_masked", "whole"] = Field(
        "as_masked",
        description="visible share that a plain face has for the loss lpd: that of its masked variants, or 1",
    )
    channel_mean: tuple[float, ...] = Field(
        (), description="subtracted from the channels, colour from 0 to 1; nothing if empty"
    )
    channel_std: tuple[float, ...] = Field((), description="divisor of the channels after that; 1 if empty")


class BatchConfig(_Section):
    """Batches."""

    sampler: Literal["pk", "shuffle"] = Field(
        "pk", description="pk: identities × samples; shuffle: any samples, for losses that need no positives"
    )
    identities: int = Field(32, gt=0, description="people per batch (pk)")
    samples: int = Field(4, gt=0, description="samples per person (pk)")
    size: int = Field(128, gt=0, description="samples per batch (shuffle)")
    mix_masked: bool = Field(
        True, description="take at least one plain and one masked sample of each person, if there are both"
    )
    iterations: int | None = Field(None, gt=0, description="batches per epoch; one pass over all people if not given")
    accumulate: int = Field(
        1,
        gt=0,
        description="number of parts in which a batch is computed, to save memory; the result is that of one part",
    )


class TripletsConfig(_Section):
    """Triplets drawn before the epoch instead of in the batch."""

    offline: bool = Field(False, description="draw triplets for each epoch in advance")
    per_epoch: int = Field(10_000, gt=0, description="triplets drawn per epoch")
    file: Path | None = Field(None, description="an .npy file of triplets to use in every epoch instead")


class OptimizerConfig(_Section):
    """Optimizer."""

    name: Literal["adam", "adamw", "sgd", "adagrad", "rmsprop"] = Field("adam", description="name of the optimizer")
    learning_rate: float = Field(1e-3, gt=0, description="learning rate after the warm-up")
    weight_decay: float = Field(0.0, ge=0, description="weight decay")
    momentum: float | None = Field(
        None, ge=0, lt=1, description="momentum (sgd, rmsprop) or first beta (adam) [0.9; rmsprop: 0]"
    )
    nesterov: bool = Field(False, description="Nesterov's momentum (sgd)")
    decay_norms: bool = Field(True, description="weight decay on norms and biases, too")
    clip_norm: float | None = Field(None, gt=0, description="maximum norm of all gradients together")

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> OptimizerConfig:
        if self.nesterov and (self.name != "sgd" or self.momentum == 0):
            raise ValueError("nesterov: only sgd with a momentum above 0 has it: leave it out")
        return self


class ScheduleConfig(_Section):
    """Schedule of the learning rate."""

    name: Literal["constant", "cosine", "step", "milestones", "plateau"] = Field(
        "cosine", description="course of the learning rate after the warm-up"
    )
    warmup_epochs: float = Field(0.0, ge=0, description="epochs in which the learning rate rises from 0")
    step_epochs: int = Field(10, gt=0, description="epochs between two steps (step)")
    milestones: tuple[int, ...] = Field((), description="epochs after which a step is taken, such as 30, 55, 75")
    factor: float = Field(0.1, gt=0, lt=1, description="factor of a step (step, milestones, plateau)")
    patience: int = Field(5, ge=0, description="evaluations without improvement before a step (plateau)")
    final: float = Field(0.01, ge=0, le=1, description="share of the learning rate that is left at the end (cosine)")

    @model_validator(mode="after")
    def _milestones_rise(self) -> ScheduleConfig:
        if bool(self.milestones) != (self.name == "milestones"):
            raise ValueError("milestones: go with 'name: milestones', and only with it: write both or none")
        if any(b <= a for a, b in pairwise((self.warmup_epochs, *self.milestones))):
            raise ValueError(f"milestones: {list(self.milestones)} do not rise from behind the warm-up: reorder them")
        return self


class VaryMapConfig(_Section):
    """Variation of maps while they are loaded."""

    shift_cells: int = Field(0, ge=0, le=16, description="maps are moved by up to that many cells each way")
    tilt: float = Field(0.0, ge=0, le=0.5, description="standard deviation of the slope of a plane that is added")
    noise_mm: float = Field(0.0, ge=0, le=10, description="largest standard deviation of added noise, correlated")
    holes: float = Field(0.0, ge=0, le=1, description="share of the maps that lose spots, or the side of a turned face")
    mirror: float = Field(0.0, ge=0, le=1, description="share of the maps that are mirrored, left to right")


class MasksConfig(_Section):
    """Masks put on clouds, images and maps while they are loaded; over maps they are drawn, not styles."""

    share: float = Field(0.0, ge=0, le=1, description="share of plain samples that get a mask, drawn again each time")
    styles: tuple[str, ...] = Field((), description="styles to draw from; all if empty")
    pairs: bool = Field(
        False,
        description="each capture comes into its batch twice, plain and in a drawn mask, with the same other variation",
    )

    @model_validator(mode="after")
    def _half_are_masked(self) -> MasksConfig:
        if self.pairs and self.share not in (0.0, 0.5):
            raise ValueError(f"share: {self.share:g}, but with pairs half of the samples wear a mask: leave it out")
        return self

    @property
    def are_on(self) -> bool:
        """Whether any are put on."""
        return self.share > 0 or self.pairs


class StopConfig(_Section):
    """When training stops."""

    metric: str = Field(
        "auc",
        description=f"figure that chooses the best epoch: {', '.join(RUN_METRICS)} (of training), or one of a set of "
        "validate, such as lfw_accuracy",
    )
    every: int = Field(1, gt=0, description="epochs between evaluations")
    patience: int | None = Field(None, gt=0, description="evaluations without improvement after which training stops")
    collapse_spread: float = Field(
        0.01,
        ge=0,
        description="training stops if the embeddings' rms distance to their mean is below this and hardly grows from "
        "one epoch to the next; 0: never",
    )

    @field_validator("metric")
    @classmethod
    def _a_figure(cls, value: str) -> str:
        if value not in RUN_METRICS and not SET_METRIC.fullmatch(value):
            raise ValueError(f"choose {', '.join(RUN_METRICS)}, or a figure of a set of validate, such as lfw_accuracy")
        return value


class TrainConfig(_Section):
    """A training run."""

    name: str = Field("custom", description="name of the run")
    description: str = Field("", description="description of the config, and the source of its recipe")
    seed: int = Field(0, ge=0, description="seed of the weights and of every random draw")
    model: dict[str, Any] = Field({"name": DEFAULT_MODEL}, description="name of the network and its options")
    loss: dict[str, dict[str, Any]] = Field(
        {"triplet": {}}, description="losses by name, each with its options and weight"
    )
    data: DataConfig = DataConfig()
    batch: BatchConfig = BatchConfig()
    triplets: TripletsConfig = TripletsConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    augment: dict[str, Any] = Field({}, description="strengths of online augmentation, named as by the stage augment")
    masks: MasksConfig = MasksConfig()
    vary_map: VaryMapConfig = VaryMapConfig()
    stop: StopConfig = StopConfig()
    validate_on: tuple[ValidationEntry, ...] = Field(
        (),
        alias="validate",
        description="sets whose figures are reported too: datasets (NAME or folder, also NAME:SPLIT), or published "
        "lists of pairs, such as LFW",
    )
    validate_every: int = Field(1, gt=0, description="epochs between two evaluations of these sets")
    weights: Path | None = Field(
        None, description="a checkpoint of the same network, whose weights training starts with"
    )
    continue_training: bool = Field(
        False,
        description="weights of another program: go on with its training, with its optimizer's state and epoch where "
        "they fit",
    )
    allow_leaks: bool = Field(
        False, description="train although splits share people, captures or bytes; the run and every report record it"
    )
    epochs: int = Field(30, gt=0, description="maximum number of epochs")
    checkpoint_every: int | None = Field(None, gt=0, description="epochs between checkpoints that are kept")
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?|mps)$", description="auto, cpu, cuda, cuda:1 or mps")
    precision: Precision = Field(
        "32-true",
        description="precision of the network's arithmetic; tf32: float32 with products of 10 bits, on NVIDIA GPUs",
    )
    compile: bool = Field(False, description="torch.compile the network")
    workers: int = Field(0, ge=0, description="loader processes")
    threads: int | None = Field(None, gt=0, description="threads of torch on a CPU; torch's default if not given")

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """Return the config by its keys: pydantic has a method `validate`, so that no field can have that name."""
        return super().model_dump(**{"by_alias": True, **options})

    @field_validator("model", mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        return {"name": DEFAULT_MODEL, **value} if isinstance(value, dict) else value

    @field_validator("model")
    @classmethod
    def _named(cls, value: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(value.get("name"), str):
            raise ValueError("a model needs a name")
        return value

    @field_validator("validate_on", mode="before")
    @classmethod
    def _one_alone(cls, value: Any) -> Any:
        return value.split(",") if isinstance(value, str) else (value,) if isinstance(value, dict) else value or ()

    @model_validator(mode="after")
    def _something_to_continue(self) -> TrainConfig:
        if self.continue_training and self.weights is None:
            raise ValueError("continue_training: goes with weights, the checkpoint of another program: name it there")
        return self

    @model_validator(mode="after")
    def _metric_of_a_set(self) -> TrainConfig:
        if self.stop.metric not in RUN_METRICS and not self.validate_on:
            raise ValueError(f"stop.metric: {self.stop.metric} is of a validation set: name the set in 'validate'")
        return self

    @field_validator("loss", mode="before")
    @classmethod
    def _names_alone(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = value.split(",")
        if isinstance(value, list | tuple):
            value = dict.fromkeys(distinct_names(value))
        return {name: options or {} for name, options in value.items()} if isinstance(value, dict) else value


def config_names() -> list[str]:
    """Return the names of the configs that come with the package, sorted."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def load_config(name_or_path: str | Path | None, overrides: Iterable[tuple[str, Any]] = ()) -> TrainConfig:
    """Return a config from a YAML file, or one by name that comes with the package, with some keys changed.

    Args:
        name_or_path: the file or name; None: all defaults.
        overrides: (dotted key, value) such as `("optimizer.learning_rate", "1e-3")`; texts are read as YAML.
            `("model", "pointmlp")` replaces the whole entry, `("loss", "arcface,center")` chooses the losses: those
            that the config has keep their options there.

    Raises:
        UserError: there is no such config, it is not a YAML mapping, a key is unknown, or a value is not allowed.
    """
    where, values = ("training config", {}) if name_or_path is None else _read(name_or_path)
    given = []
    for key, value in overrides:
        _check_loss(values, _parts(key))
        _put(values, key, _with_options(values, value) if key == "loss" else value, where)
        given.append(".".join(_parts(key)))
    try:
        config = TrainConfig(**values)
    except ValidationError as error:
        wrong = {".".join(map(str, item["loc"])) for item in error.errors()}
        blamed = where if wrong - set(given) else ", ".join(f"--{key.replace('_', '-')}" for key in sorted(wrong))
        raise UserError(f"{blamed}: {explain_validation(error, TrainConfig)}") from None
    _check_query(config.data.where)
    return config


def _with_options(values: Mapping[str, Any], chosen: Any) -> Any:
    """Return losses, given by their names, with the options that the config has for them."""
    there = values.get("loss")
    if not isinstance(chosen, str) or not isinstance(there, dict):
        return chosen
    return {name: there.get(name) or {} for name in (part.strip() for part in chosen.split(","))}


def _check_loss(values: Mapping[str, Any], parts: list[str]) -> None:
    """Refuse an option of a loss that the run does not have: it would add that loss."""
    if len(parts) < 3 or parts[0] != "loss":
        return
    chosen = values.get("loss") or TrainConfig.model_fields["loss"].get_default(call_default_factory=True)
    known = chosen.split(",") if isinstance(chosen, str) else [str(name) for name in chosen]
    if parts[1] not in known:
        both = ",".join([*known, parts[1]])
        raise UserError(
            f"--{'.'.join(parts)}: loss {parts[1]} is not among those of this run ({', '.join(known)}): add it with "
            f"--loss {both}, or leave the option out{did_you_mean(parts[1], known)}"
        )


def _check_query(query: str | None) -> None:
    """Refuse a query before anything is opened. Not a field's validator: configs in old checkpoints stay readable."""
    if query is None:
        return
    try:
        parse_query(query)
    except QueryError as error:
        raise UserError(f"data.where: query {shown_query(query)}: {error}") from None


def _read(name_or_path: str | Path) -> tuple[str, dict[str, Any]]:
    path = Path(name_or_path).expanduser()
    if not path.is_file():
        known = config_names()
        if str(name_or_path) not in known:
            near = did_you_mean(str(name_or_path), known)
            raise UserError(
                f"config {name_or_path}: there is no such file or packaged config ({', '.join(known)}){near}"
            )
        path = _folder() / f"{name_or_path}.yaml"
    return str(path), read_yaml(path, "the keys of a training config, such as 'model: pointnet_basic'")


def _put(values: dict[str, Any], key: str, value: Any, where: str) -> None:
    *sections, last = _parts(key)
    place = values
    for section in sections:
        inner = place.setdefault(section, {})
        if isinstance(inner, str | list):  # `model: pointnet`, `loss: [arcface, center]`
            named = [str(name) for name in (inner.split(",") if isinstance(inner, str) else inner)]
            inner = {"name": inner} if section == "model" else {name: {} for name in named}
            place[section] = inner
        if inner is None:
            inner = place[section] = {}
        if not isinstance(inner, dict):
            raise UserError(f"{where}: {key!r} belongs to {section!r}, which is not a mapping")
        place = inner
    is_text = isinstance(value, str) and _holds_text([*sections, last])
    # A copy: a later key may change an entry of it, which belongs to the caller.
    place[last] = (None if value in UNSET else value) if is_text else deepcopy(_parsed(value))


def _parts(key: str) -> list[str]:
    """Return the parts of a dotted key, of which a reference (`my_package.losses:Mine`) is one."""
    found = re.fullmatch(r"(\w+)\.([\w.]+:\w+)\.?(.*)", key)
    parts = key.split(".") if found is None else [found[1], found[2], *filter(None, found[3].split("."))]
    return [part.replace("-", "_") for part in parts]


def _holds_text(parts: list[str]) -> bool:
    """Return whether a key is a text or a path: a query such as `name == 'a: b'` and a file named 2024 are not YAML."""
    model: Any = TrainConfig
    for part in parts:
        info = getattr(model, "model_fields", {}).get(part)
        model = None if info is None else info.annotation
    kinds = {model, *(() if get_origin(model) is tuple else get_args(model))}
    return bool(kinds & {str, Path})


def _parsed(value: Any) -> Any:
    """Return a text as YAML reads it; `1e-3`, which YAML takes for a text, as a number, and `a,b` as a list."""
    if not isinstance(value, str):
        return value
    if LIST.fullmatch(value):
        return [_parsed(part) for part in value.split(",") if part]
    try:
        read = parse_yaml(value)
    except ValueError:
        return value
    if isinstance(read, str):
        try:
            return float(read)
        except ValueError:
            return value
    return read


def as_mapping(config: TrainConfig) -> Mapping[str, Any]:
    """Return a config as plain values, for YAML and JSON."""
    return config.model_dump(mode="json")


def _folder() -> Path:
    return CONFIGS if CONFIGS.is_dir() else CHECKOUT_CONFIGS
