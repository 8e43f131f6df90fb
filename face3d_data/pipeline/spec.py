"""Specification of a pipeline: the models of its YAML file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from face3d_data.errors import UserError
from face3d_data.names import same_form
from face3d_data.reader import Reader
from face3d_data.sample import Tag
from face3d_data.stage import Stage
from face3d_data.table import TableStep

if TYPE_CHECKING:
    from face3d_data.shards.schema import DatasetSpec

PIPELINE_KEYS = "the keys name, sources, steps, datasets"
NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"
"""Names and ids: they become names of files and folders, so that they hold neither dots nor separators."""
NAME_RULE = "a name starts with a letter and holds letters, digits, '_' and '-', 64 at most"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


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
    keep: bool = False

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


STEP_KEYS = ("id", "stage", "table", "from", "where", "with", "seed", "keep")


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
    """A stage or table step with its place in a pipeline; `keep`: its arrays stay in the cache, whoever needs them."""

    id: str
    component: Stage | TableStep
    upstream: tuple[str, ...]
    where: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    keep: bool = False

    @property
    def stage(self) -> Stage:
        """The component of a step that is a stage.

        Raises:
            TypeError: it is a table step.
        """
        if not isinstance(self.component, Stage):
            raise TypeError(f"step {self.id!r} is a table step")
        return self.component

    @property
    def assigns_split(self) -> bool:
        """Whether it is a table step that puts rows into splits, whichever it is."""
        return isinstance(self.component, TableStep) and "split" in self.component.assigns

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

    def steps_up_to(self, step_id: str | None) -> tuple[Step, ...]:
        """Return the steps that one needs, itself included; of None: all.

        Raises:
            UserError: no step has that id.
        """
        if step_id is None:
            return self.steps
        needed = self.upstream_of([self.step(step_id).id])
        return tuple(step for step in self.steps if step.id in needed)

    def upstream_of(self, ids: Iterable[str]) -> set[str]:
        """Return these ids and those of all sources and steps that feed them, at any distance."""
        found = set(ids)
        for step in reversed(self.steps):
            if step.id in found:
                found.update(step.upstream)
        return found

    def downstream_of(self, ids: Iterable[str]) -> set[str]:
        """Return these ids and those of all steps that they feed, at any distance."""
        found = set(ids)
        for step in self.steps:
            if found.intersection(step.upstream):
                found.add(step.id)
        return found


def _yaml(raw: Mapping[str, Any]) -> str:
    plain = json.loads(json.dumps(raw, default=str))
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
