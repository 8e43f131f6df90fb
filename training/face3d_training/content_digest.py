"""Digest of tensors and plain values, which a checkpoint carries so that damage is noticed when it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch

KEY = "content_digest"
"""Key of a checkpoint that holds the digest of all its other keys."""


class _Hash(Protocol):
    def update(self, data: Any, /) -> None: ...


def content_digest(state: Mapping[str, Any]) -> str:
    """Return the SHA-256, 64 hex digits, over a mapping's keys and values but for `KEY` itself.

    Tensors count by dtype, shape and bytes, wherever they are in memory; a tuple is not a list; the order of keys does
    not count.
    """
    found = hashlib.sha256()
    _add(found, {key: value for key, value in state.items() if key != KEY})
    return found.hexdigest()


def _add(found: _Hash, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        flat = value.detach().cpu().reshape(-1).clone(memory_format=torch.contiguous_format)
        found.update(f"tensor {value.dtype} {tuple(value.shape)};".encode())
        found.update(flat.view(torch.uint8).numpy())
    elif isinstance(value, Mapping):
        found.update(f"mapping {len(value)};".encode())
        for key, item in sorted(value.items(), key=lambda pair: repr(pair[0])):
            _add(found, key)
            _add(found, item)
    elif isinstance(value, list | tuple):
        found.update(f"{'tuple' if isinstance(value, tuple) else 'list'} {len(value)};".encode())
        for item in value:
            _add(found, item)
    else:
        plain = value.item() if isinstance(value, np.generic) else value
        text = repr(plain).encode("utf-8", "backslashreplace")
        found.update(f"{type(plain).__name__} {len(text)};".encode() + text)
