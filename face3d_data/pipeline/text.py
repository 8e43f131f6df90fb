"""Text of a pipeline: environment variables and overrides."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from face3d_data.errors import UserError
from face3d_data.yaml_file import parse_yaml

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def substitute(value: Any, environment: Mapping[str, str], where: str) -> Any:
    """Return the value with every `${NAME}` and `${NAME:-default}` in its texts filled in.

    Raises:
        UserError: a variable is not set and has no default; the key is named.
    """
    if isinstance(value, dict):
        return {key: substitute(item, environment, f"{where}: {key}") for key, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, environment, where) for item in value]
    if not isinstance(value, str):
        return value

    def replacement(match: re.Match[str]) -> str:
        name, default = match.groups()
        if not environment.get(name) and default is None:
            raise UserError(f"{where}: environment variable {name} is not set: export {name}=…")
        return environment.get(name) or default

    return _VARIABLE.sub(replacement, value)


def setting_value(key: str, text: str, where: str = "--set") -> Any:
    """Return the value of a setting `KEY=VALUE`, which is YAML.

    Raises:
        UserError: it is not; the message shows how a text with braces is written for a shell.
    """
    try:
        return parse_yaml(text)
    except ValueError as error:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        raise UserError(
            f"{where} {key}={text}: the value is not YAML ({error}): a text in quotes is: --set '{key}=\"{quoted}\"'"
        ) from None


def override(
    raw: dict[str, Any],
    text: str,
    step_keys: Sequence[str],
    for_dataset: Callable[[Mapping[str, Any], str], bool] = lambda source, option: False,
) -> None:
    """Set one option, `KEY=VALUE`, in the mapping of a pipeline.

    Args:
        raw: changed in place.
        text: KEY is `seed`, `name`, or ID.OPTION with the id of a source, step or dataset; VALUE is YAML.
        step_keys: keys of a step that are not options of its component.
        for_dataset: tells of a source's entry and an option whether the dataset of the same name is meant.

    Raises:
        UserError: the text is not of that form, or nothing has that id.
    """
    key, equals, value_text = text.partition("=")
    if not equals:
        raise UserError(f"--set {text}: write KEY=VALUE, such as seed=3 or plain.n_points=1024")
    value = setting_value(key, value_text)
    target, dot, option = key.partition(".")
    if not dot:
        if key not in ("seed", "name"):
            raise UserError(f"--set {text}: KEY is seed, name, or ID.OPTION with the id of a source, step or dataset")
        raw[key] = value
        return
    place = _option_place(raw, target, option, step_keys, for_dataset, f"--set {text}")
    place[option] = value


def _option_place(
    raw: dict[str, Any],
    target: str,
    option: str,
    step_keys: Sequence[str],
    for_dataset: Callable[[Mapping[str, Any], str], bool],
    where: str,
) -> dict[str, Any]:
    """Return the mapping in which an option of a source, step or dataset stands."""
    written = raw.get("steps")
    found = [step for step in written if isinstance(step, dict)] if isinstance(written, list) else []
    steps = {step["id"]: step for step in found if isinstance(step.get("id"), str)}
    if target in steps:
        step = steps[target]
        inner = step if option in step_keys else step.setdefault("with", {})
        if inner is None:
            inner = step["with"] = {}
        if not isinstance(inner, dict):
            raise UserError(f"{where}: 'with' of step {target!r} is not a mapping: write names with values")
        return inner
    sections = {name: part for name in ("sources", "datasets") if isinstance(part := raw.get(name), dict)}
    named = {name: part[target] for name, part in sections.items() if isinstance(part.get(target), dict)}
    if len(named) == 2 and for_dataset(named["sources"], option):
        del named["sources"]
    if named:
        return next(iter(named.values()))
    known = ", ".join(dict.fromkeys((*steps, *(name for part in sections.values() for name in part))))
    raise UserError(f"{where}: no source, step or dataset is named {target!r} (known: {known})")
