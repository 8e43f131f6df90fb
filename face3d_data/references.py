"""References `module:Name`: components that are named in a module of the current folder, without a package."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from face3d_data.errors import UserError

_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
REMEDY = "run where it lies, or put its folder on PYTHONPATH"


def is_reference(name: str) -> bool:
    """Return whether a component's name is a reference: any name with a colon is meant to be one."""
    return ":" in name


def load_reference(reference: str, where: str) -> Any:
    """Import the module of a reference, from the current folder or PYTHONPATH, and return what it names there.

    Args:
        reference: `module:Name` or `package.module:Name`.
        where: what messages name first, the reference included (`step 'near': stage my_package:near_nose`).

    Raises:
        UserError: it is not of that form, the module is not found or cannot be imported, or has no such name.
    """
    if not _REFERENCE.fullmatch(reference):
        raise UserError(f"{where}: write MODULE:NAME, such as my_package:my_function")
    module_name, _, name = reference.partition(":")
    module = _import(module_name, where)
    if not hasattr(module, name):
        near = difflib.get_close_matches(name, dir(module), n=1)
        remedy = f"did you mean {near[0]!r}?" if near else "correct the name after the colon"
        raise UserError(f"{where}: {module.__file__ or module_name} has no {name!r}: {remedy}")
    return getattr(module, name)


def _import(name: str, where: str) -> ModuleType:
    search_here(os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise UserError(f"{where}: no module named {error.name!r} here or on PYTHONPATH: {REMEDY}") from None
        raise UserError(f"{where}: {name} cannot be imported (no module named {error.name!r}): install it") from None
    except (Exception, SystemExit) as error:  # whatever a module's import may raise
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"{where}: {name} cannot be imported ({text}): fix it") from None


def search_here(folder: str) -> None:
    """Let modules of a folder be imported, after those that are found already; workers take over the same list.

    Behind all others, so that a file named like a library's module hides none.
    """
    if folder and folder not in sys.path and "" not in sys.path:
        sys.path.append(folder)
        importlib.invalidate_caches()


def folder_of(reference: str) -> str:
    """Return the folder from which a reference's module was imported; empty where it has no file."""
    name = reference.partition(":")[0]
    file = getattr(sys.modules[name], "__file__", None)
    if not file:
        return ""
    path = Path(file)
    levels = name.count(".") + (path.name == "__init__.py")
    return str(path.absolute().parents[levels])
