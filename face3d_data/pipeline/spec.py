"""The pipeline as written: YAML in, checked models out, components built from the registry."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from face3d_data.component import build, explain_validation
from face3d_data.errors import UserError
from face3d_data.names import check_id_part, same_form
from face3d_data.pipeline.paths import with_paths
from face3d_data.pipeline.text import override, substitute
from face3d_data.reader import Reader
from face3d_data.registry import find
from face3d_data.sample import Tag
from face3d_data.stage import Stage
from face3d_data.table import FIXED_COLUMNS, TableStep
from face3d_data.yaml_file import read_yaml

if TYPE_CHECKING:
    from face3d_data.shards.schema import DatasetSpec

KEYS = "the keys name, sources, steps, datasets"
NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"
"""Names and ids: they become names of files and folders, so that they hold neither dots nor separators."""
NAME_RULE = "a name starts with a letter and holds letters, digits, '_' and '-', 64 at most"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


M = TypeVar("M", bound=_Model)


class Limits(_Model):
    """Shares of a step's inputs beyond which later steps do not run; judged from 50 inputs on."""

    max_error_rate: float = Field(0.02, ge=0, le=1)
    max_reject_rate: float = Field(0.25, ge=0, le=1)


class SourceEntry(_Model):
    """One entry of `sources`: `reader` and what belongs to every reader; the other keys are the reader's options."""

    model_config = ConfigDict(frozen=True, extra="allow")

    reader: str
    dataset: str | None = None
    tags: dict[str, Tag] = Field(default_factory=dict)
    capture_prefix: str = ""


class StepEntry(_Model):
    """One entry of `steps`."""

    id: str = Field(pattern=NAME)
    stage: str | None = None
    table: str | None = None
    upstream: tuple[str, ...] = Field(alias="from", min_length=1)
    where: dict[str, Any] = Field(default_factory=dict)
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    seed: int = 0

    @field_validator("upstream", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("with_", "where", mode="before")
    @classmethod
    def _nothing_is_empty(cls, value: Any) -> Any:
        return {} if value is None else value

    @field_validator("where")
    @classmethod
    def _values_alone(cls, where: dict[str, Any]) -> dict[str, Any]:
        for name, wanted in where.items():
            for value in wanted if isinstance(wanted, list) else [wanted]:
                if not isinstance(value, str | int | float | bool):
                    raise ValueError(f"{name}: {value!r:.80}: give a text, number, true or false, or a list of these")
        return {name: _same_forms(wanted) for name, wanted in where.items()}


def _same_forms(value: Any) -> Any:
    """Return a value of `where` in the form in which names and tags are kept."""
    if isinstance(value, list):
        return [_same_forms(one) for one in value]
    return same_form(value) if isinstance(value, str) else value


STEP_KEYS = ("id", "stage", "table", "from", "where", "with", "seed")


class PipelineEntry(_Model):
    """A whole pipeline file. `base_dir` is where relative paths are looked up, the file's folder by default."""

    name: str = Field(pattern=NAME)
    seed: int = 0
    base_dir: Path | None = None
    limits: Limits = Limits()
    sources: dict[str, SourceEntry] = Field(min_length=1)
    steps: tuple[StepEntry, ...] = ()
    datasets: dict[str, dict[str, Any]] = Field(default_factory=dict)


@dataclass(frozen=True)
class SourceStep:
    """A reader with its place in a pipeline."""

    id: str
    reader: Reader
    dataset: str
    tags: Mapping[str, Tag] = field(default_factory=dict)
    capture_prefix: str = ""


@dataclass(frozen=True)
class Step:
    """A stage or table step with its place in a pipeline."""

    id: str
    component: Stage | TableStep
    upstream: tuple[str, ...]
    where: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    def fingerprint(self, pipeline_seed: int) -> str:
        """Return the component's fingerprint; the seeds enter only where it draws."""
        draws = isinstance(self.component, TableStep) or self.component.random
        return self.component.fingerprint(*((pipeline_seed, self.seed) if draws else ()))


@dataclass(frozen=True)
class Pipeline:
    """Sources, steps in an order in which they can run, and datasets; all components built and checked."""

    name: str
    seed: int
    limits: Limits
    sources: tuple[SourceStep, ...]
    steps: tuple[Step, ...]
    datasets: Mapping[str, DatasetSpec]
    base_dirs: tuple[Path, ...]
    raw: Mapping[str, Any]

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the ids of all sources and steps."""
        return (*(source.id for source in self.sources), *(step.id for step in self.steps))

    @property
    def text(self) -> str:
        """Return the pipeline as YAML."""
        return _yaml(self.raw)

    @property
    def text_anywhere(self) -> str:
        """Return the pipeline as YAML that gives the same from any folder."""
        roots = {s.id: {"root": str(s.reader.root)} for s in self.sources if hasattr(s.reader, "root")}
        sources = {name: {**entry, **roots.get(name, {})} for name, entry in self.raw["sources"].items()}
        return _yaml({**self.raw, "sources": sources, "base_dir": str(self.base_dirs[0])})

    def step(self, step_id: str) -> Step:
        """Return a step by id.

        Raises:
            UserError: no step has that id.
        """
        for step in self.steps:
            if step.id == step_id:
                return step
        raise UserError(
            f"pipeline {self.name!r} has no step {step_id!r} (steps: {', '.join(s.id for s in self.steps)})"
        )


def _yaml(raw: Mapping[str, Any]) -> str:
    plain = json.loads(json.dumps(raw, default=str))
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


def load_pipeline(
    path: str | Path, overrides: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Pipeline:
    """Read a pipeline: a YAML file, or the name of one that comes with the package.

    Args:
        path: a file, or a name such as `quickstart`.
        overrides: `KEY=VALUE` with KEY = `seed`, `SOURCE.OPTION`, `STEP.OPTION` or `DATASET.OPTION`; VALUE is YAML.
        environment: where `${NAME}` is looked up, the process's environment by default.

    Raises:
        UserError: one line that names the file, the key and the remedy.
    """
    from face3d_data.resources import find_pipeline

    file = find_pipeline(str(path))
    raw = read_yaml(file, KEYS)
    for text in overrides:
        override(raw, text, STEP_KEYS, _of_dataset_alone)
    raw = substitute(raw, os.environ if environment is None else environment, str(file))
    return make_pipeline(raw, file.absolute().parent, str(file))


def _of_dataset_alone(source: Mapping[str, Any], option: str) -> bool:
    """Return whether datasets have an option that a source, as the YAML has it, has not."""
    from face3d_data.shards.schema import DatasetSpec

    try:
        mine = {*SourceEntry.model_fields, *find("reader", str(source.get("reader"))).model_fields}
    except UserError:
        return False
    return option not in mine and option in {info.alias or name for name, info in DatasetSpec.model_fields.items()}


def make_pipeline(raw: Mapping[str, Any], base_dir: Path, where: str = "pipeline") -> Pipeline:
    """Build a pipeline from a mapping as the YAML holds it.

    Raises:
        UserError: a key, component, parameter, upstream or tag that does not fit.
    """
    from face3d_data.pipeline.plan import check_plan, in_order
    from face3d_data.resources import package_folder

    for number, step in enumerate(raw["steps"] if isinstance(raw.get("steps"), list) else []):
        name = step.get("id", number) if isinstance(step, dict) else number
        _checked(StepEntry, step if isinstance(step, dict) else {"id": step}, f"{where}: step {name!r}")
    entry = _checked(PipelineEntry, raw, where)
    base_dirs = ((base_dir / (entry.base_dir or "")).absolute(), package_folder())
    sources = tuple(_source(name, source, base_dirs) for name, source in entry.sources.items())
    steps = in_order(tuple(_step(step, base_dirs) for step in entry.steps), {source.id for source in sources})
    datasets = {name: _dataset(name, spec) for name, spec in entry.datasets.items()}
    pipeline = Pipeline(entry.name, entry.seed, entry.limits, sources, steps, datasets, base_dirs, dict(raw))
    check_plan(pipeline)
    return pipeline


def _checked(cls: type[M], raw: Mapping[str, Any], where: str) -> M:
    try:
        return cls(**raw)
    except ValidationError as error:
        raise UserError(f"{where}: {explain_validation(error, cls)}") from None


def _source(name: str, entry: SourceEntry, base_dirs: tuple[Path, ...]) -> SourceStep:
    where = f"source {name!r}"
    if not re.fullmatch(NAME, name):
        raise UserError(f"{where}: {NAME_RULE}")
    cls = find("reader", entry.reader, where)
    dataset, prefix = same_form(entry.dataset or name), same_form(entry.capture_prefix)
    problem = check_id_part(dataset, "dataset") or check_id_part(f"{prefix}x", "capture_prefix")
    if problem:
        raise UserError(f"{where}: {problem}")
    _check_tag_names(entry.tags, where)
    reader = build(cls, with_paths(cls, entry.model_extra or {}, base_dirs), where)
    _check_tag_names((*reader.tag_names, *reader.declared_tags()), where)  # type: ignore[attr-defined]
    return SourceStep(name, reader, dataset, dict(entry.tags), prefix)  # type: ignore[arg-type]


def _check_tag_names(names: Iterable[str], where: str) -> None:
    clash = sorted(set(names) & set(FIXED_COLUMNS))
    if clash:
        raise UserError(f"{where}: tag {clash[0]!r} is the name of a column: call it something else")


def _step(entry: StepEntry, base_dirs: tuple[Path, ...]) -> Step:
    where = f"step {entry.id!r}"
    if (entry.stage is None) == (entry.table is None):
        raise UserError(f"{where}: give either 'stage' or 'table'")
    kind, name = ("stage", entry.stage) if entry.stage is not None else ("table", entry.table)
    cls = find(kind, str(name), where)
    component = build(cls, with_paths(cls, entry.with_, base_dirs), where)
    _check_tag_names(component.tag_names, where)  # type: ignore[attr-defined]
    return Step(entry.id, component, entry.upstream, dict(entry.where), entry.seed)  # type: ignore[arg-type]


def _dataset(name: str, spec: Mapping[str, Any]) -> DatasetSpec:
    from face3d_data.shards.schema import DatasetSpec

    if not re.fullmatch(NAME, name):
        raise UserError(
            f"dataset {name!r}: a name starts with a letter and holds letters, digits, '_' and '-', 64 at most"
        )
    try:
        return DatasetSpec(**spec)
    except ValidationError as error:
        raise UserError(f"dataset {name!r}: {explain_validation(error, DatasetSpec)}") from None
