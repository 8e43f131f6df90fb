"""The text of a pipeline: YAML that refuses a key written twice, environment variables, and overrides."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from face3d_data.errors import UserError

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class _Loader(yaml.SafeLoader):
    """A safe YAML loader that refuses a key written twice."""


def _wrong_key(node: yaml.Node, problem: str) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node)
        if not isinstance(key, str):
            raise _wrong_key(key_node, f"key {key!r} is no text: quote it")
        if key in seen:
            raise _wrong_key(key_node, f"key {key!r} is written twice")
        seen.add(key)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(file: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds.

    Raises:
        UserError: it cannot be read, is no YAML, or holds something else; file and line are named.
    """
    try:
        raw = yaml.load(file.read_text("utf-8"), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{file}{place}: {getattr(error, 'problem', None) or 'is not UTF-8 text'}") from None
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror})") from None
    if not isinstance(raw, dict):
        raise UserError(f"{file}: is not a mapping with the keys name, sources, steps, datasets")
    return raw


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
        return yaml.load(text, _Loader)
    except yaml.YAMLError:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        raise UserError(
            f"{where} {key}={text}: the value is not YAML: a text in quotes is: --set '{key}=\"{quoted}\"'"
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
    written = raw.get("steps")
    steps = {step.get("id"): step for step in (written if isinstance(written, list) else []) if isinstance(step, dict)}
    if target in steps:
        step = steps[target]
        place = step if option in step_keys else step.get("with") or {}
        place[option] = value
        if place is not step:
            step["with"] = place
        return
    named = {
        section: entries[target]
        for section in ("sources", "datasets")
        if isinstance(entries := raw.get(section), dict) and isinstance(entries.get(target), dict)
    }
    if len(named) == 2 and for_dataset(named["sources"], option):
        del named["sources"]
    if named:
        next(iter(named.values()))[option] = value
        return
    known = [str(name) for section in (steps, raw.get("sources"), raw.get("datasets")) for name in section or ()]
    raise UserError(f"--set {text}: no source, step or dataset is named {target!r} (known: {', '.join(known)})")
