"""Building pipelines from YAML: keys and options are checked, components made by the registry."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from face3d_data.component import build, explain_validation
from face3d_data.errors import UserError
from face3d_data.function_stage import stage_of_function
from face3d_data.names import check_id_part, same_form
from face3d_data.pipeline.paths import with_paths
from face3d_data.pipeline.spec import (
    NAME,
    NAME_RULE,
    PIPELINE_KEYS,
    STEP_KEYS,
    Pipeline,
    PipelineEntry,
    SourceEntry,
    SourceStep,
    Step,
    StepEntry,
)
from face3d_data.pipeline.text import override, substitute
from face3d_data.registry import find
from face3d_data.table import FIXED_COLUMNS
from face3d_data.yaml_file import read_yaml

if TYPE_CHECKING:
    from face3d_data.shards.schema import DatasetSpec


M = TypeVar("M", bound=BaseModel)

log = logging.getLogger("face3d_data")


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
    log.info("pipeline %s", file.absolute())
    raw = read_yaml(file, PIPELINE_KEYS)
    for text in overrides:
        override(raw, text, STEP_KEYS, _of_dataset_alone)
    raw = substitute(raw, os.environ if environment is None else environment, str(file))
    return make_pipeline(raw, file.absolute().parent, str(file))


def _of_dataset_alone(source: Mapping[str, Any], option: str) -> bool:
    """Return whether datasets have an option that a source lacks, as the YAML has it."""
    from face3d_data.shards.schema import DatasetSpec

    try:
        mine = {*SourceEntry.model_fields, *find("reader", str(source.get("reader"))).model_fields}
    except UserError:
        return False
    return option not in mine and option in {info.alias or name for name, info in DatasetSpec.model_fields.items()}


def make_pipeline(raw: Mapping[str, Any], base_dir: str | Path, where: str = "pipeline") -> Pipeline:
    """Build a pipeline from a mapping as the YAML holds it.

    Raises:
        UserError: a key, component, parameter, upstream or tag that does not fit.
    """
    from face3d_data.pipeline.plan import check_plan, in_order
    from face3d_data.resources import package_folder

    base_dir = Path(base_dir)
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
    _check_tag_names((*reader.tag_names, *reader.declared_tags()), where)
    return SourceStep(name, reader, dataset, dict(entry.tags), prefix)


def _check_tag_names(names: Iterable[str], where: str) -> None:
    clash = sorted(set(names) & set(FIXED_COLUMNS))
    if clash:
        raise UserError(f"{where}: tag {clash[0]!r} is the name of a column: choose another name")


def _step(entry: StepEntry, base_dirs: tuple[Path, ...]) -> Step:
    where = f"step {entry.id!r}"
    if (entry.stage is None) == (entry.table is None):
        raise UserError(f"{where}: give either 'stage' or 'table'")
    kind, name = ("stage", entry.stage) if entry.stage is not None else ("table", entry.table)
    if entry.keep and kind == "table":
        raise UserError(f"{where}: keep: a table step has no arrays to keep: give it to the stage before")
    cls = find(kind, str(name), where, stage_of_function if kind == "stage" else None)
    component = build(cls, with_paths(cls, entry.with_, base_dirs), where)
    _check_tag_names(component.declared_tags(), where)
    return Step(entry.id, component, entry.upstream, dict(entry.where), entry.seed, entry.keep)


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
