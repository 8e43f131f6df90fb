"""Kernel registry: implementations of operations on points, by the name of a method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from face3d_data.errors import UserError, did_you_mean

Kernel = TypeVar("Kernel", bound=Callable[..., Any])
KERNELS: dict[tuple[str, str], Callable[..., Any]] = {}
"""The implementations, by (operation, method)."""


def kernel(operation: str, method: str) -> Callable[[Kernel], Kernel]:
    """Return a decorator that makes a function the method of that name of an operation.

    Raises:
        ValueError: the operation has another method of that name.
    """

    def add(function: Kernel) -> Kernel:
        known = KERNELS.setdefault((operation, method), function)
        if (known.__module__, known.__qualname__) != (function.__module__, function.__qualname__):
            raise ValueError(f"two methods of {operation} are named {method!r}: {known.__module__} has one")
        return function

    return add


def find_kernel(operation: str, method: str) -> Callable[..., Any]:
    """Return an operation's method.

    Raises:
        UserError: it has none of that name.
    """
    if (operation, method) not in KERNELS:
        known = sorted(name for of, name in KERNELS if of == operation)
        hint = did_you_mean(method, known)
        raise UserError(f"{operation} has no method {method!r} (known: {', '.join(known)}){hint}")
    return KERNELS[operation, method]
