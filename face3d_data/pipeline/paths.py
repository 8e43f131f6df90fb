"""Relative paths of a pipeline: resolved next to its file, then in the package, then in the current folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from face3d_data.component import named_values


def with_paths(cls: type[BaseModel], parameters: Mapping[str, Any], base_dirs: tuple[Path, ...]) -> dict[str, Any]:
    """Return parameters with those that name files resolved: in `base_dirs` in order, then here.

    A value that the field takes by name (`ict` of `Literal["ict"] | Path`) is no file.
    """
    resolved = dict(parameters)
    for name, info in cls.model_fields.items():
        if name in resolved and "Path" in str(info.annotation):
            value, names = resolved[name], named_values(info.annotation)
            several = isinstance(value, list)
            found = [one if one in names else _look_up(one, base_dirs) for one in (value if several else [value])]
            resolved[name] = found if several else found[0]
    return resolved


def _look_up(value: Any, base_dirs: tuple[Path, ...]) -> Any:
    if not isinstance(value, str):
        return value
    path = Path(value)
    try:
        path = path.expanduser()
    except RuntimeError:
        return path  # `~name` of nobody: the file is then not there
    if path.is_absolute():
        return path
    # Not Path.exists, which raises where a name is too long.
    found = [base / path for base in (*base_dirs, Path.cwd()) if os.path.exists(base / path)]
    return found[0] if found else base_dirs[0] / path
