"""Signatures of functions and constructors as options: each argument becomes a field with type, default and text."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any, get_type_hints

from pydantic import Field, PydanticUserError, TypeAdapter
from pydantic.fields import FieldInfo

from face3d_data.errors import UserError

NAMELESS = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
Fields = dict[str, tuple[Any, FieldInfo]]


def arguments_of(function: Callable[..., Any], where: str) -> dict[str, inspect.Parameter]:
    """Return the arguments of a function or of a class's constructor, by name, with their types as annotations.

    Raises:
        UserError: a type is not known.
    """
    typed = function.__init__ if isinstance(function, type) else function  # type: ignore[misc]
    try:
        hints = get_type_hints(typed)
    except (NameError, TypeError, AttributeError) as error:
        raise UserError(f"{where}: the type of an argument is unknown ({error}): import it") from None
    found = inspect.signature(function).parameters
    return {name: each.replace(annotation=hints.get(name, each.empty)) for name, each in found.items()}


def field_of(argument: inspect.Parameter, doc: str) -> tuple[Any, FieldInfo] | None:
    """Return an argument as a field, as `pydantic.create_model` takes it; None where its type can be no option's.

    Args:
        argument: it, with its type.
        doc: docstring in which a line `name: text` may say what it is.
    """
    default = ... if argument.default is argument.empty else argument.default
    if argument.annotation is argument.empty and default in (..., None):
        return None
    kind = type(default) if argument.annotation is argument.empty else argument.annotation
    try:
        TypeAdapter(kind)
    except PydanticUserError:
        return None
    return kind, Field(default, description=_description(doc, argument.name))


def options_of_constructor(cls: Callable[..., Any], where: str, leave_out: Iterable[str] = ()) -> Fields:
    """Return the arguments of a constructor that can be options; the others keep their defaults.

    Args:
        cls: the class, or a function.
        where: what messages name first.
        leave_out: arguments that are given by the program.

    Raises:
        UserError: one that has no default can be no option.
    """
    fields: Fields = {}
    left_out = set(leave_out)
    for name, argument in arguments_of(cls, where).items():
        if name in left_out or argument.kind in NAMELESS:
            continue
        field = field_of(argument, inspect.getdoc(cls) or "")
        if field is not None:
            fields[name] = field
        elif argument.default is argument.empty:
            raise UserError(f"{where}: its argument {name!r} cannot be an option: give it a plain type, or a default")
    return fields


def _description(doc: str, name: str) -> str:
    found = re.search(rf"^\s*{name}(?: \([^)]*\))?: (.+)$", doc, re.MULTILINE)
    return found[1].rstrip(".") if found else f"argument {name}"
