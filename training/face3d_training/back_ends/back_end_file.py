"""Back-ends in files: one small safetensors file, written completely or not at all, with a digest of its content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch

from face3d_data.atomic import atomic_path
from face3d_data.errors import UserError
from face3d_data.json_text import parse_json
from face3d_training.back_ends.back_end import ASNORM, BACK_ENDS, BackEnd
from face3d_training.content_digest import KEY, content_digest
from face3d_training.packaged import BACK_END_ABOUT
from face3d_training.torch_file import read_torch_file

ARRAYS = ("mean", "directions", "between", "cohort")


def save_back_end(path: str | Path, back_end: BackEnd) -> str:
    """Write a back-end as safetensors, arrays in f4.

    Returns:
        The digest of its content, 64 hex digits, as it is in the file.

    Raises:
        UserError: the file cannot be written.
    """
    arrays, about = _parts(back_end)
    digest = content_digest({**arrays, BACK_END_ABOUT: about})
    # One key alone: safetensors writes the keys of its metadata in another order each time, and so other bytes.
    metadata = {BACK_END_ABOUT: json.dumps({**about, KEY: digest})}
    try:
        with atomic_path(Path(path).expanduser().absolute()) as temporary:
            safetensors.torch.save_file(arrays, temporary, metadata=metadata)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}): use another file") from None
    return digest


def back_end_digest(back_end: BackEnd) -> str:
    """Return the digest, 64 hex digits, that the file of a back-end carries."""
    arrays, about = _parts(back_end)
    return content_digest({**arrays, BACK_END_ABOUT: about})


def read_back_end(path: str | Path) -> BackEnd:
    """Return the back-end in a file.

    Raises:
        UserError: there is no such file, it is not a back-end's, or its content is not what was written into it.
    """
    content = read_torch_file(path)
    text, arrays = (content.get(key) for key in (BACK_END_ABOUT, "model_state_dict"))
    if not isinstance(text, str) or not isinstance(arrays, dict) or "mean" not in arrays:
        raise UserError(f"{path}: is not a back-end: give a file that save_back_end or face3d evaluate wrote")
    about = parse_json(text)
    written = about.pop(KEY, None)
    if written != content_digest({**arrays, BACK_END_ABOUT: about}):
        raise UserError(f"{path}: is damaged: its content is not what was written: copy it again, or learn it again")
    if about["kind"] not in BACK_ENDS:
        raise UserError(f"{path}: this version does not know back-end {about['kind']!r}: use the one that wrote it")
    found = BackEnd(**about, **{name: array.numpy() for name, array in arrays.items()})
    if wrong := _wrong(found):
        raise UserError(f"{path}: is no usable back-end {found.kind}: {wrong}: learn it again")
    return found


def _wrong(back_end: BackEnd) -> str:
    """Return what does not go together in a back-end's arrays, or nothing."""
    base, size = back_end.kind.partition("+")[0], back_end.mean.size
    axes = 0 if back_end.directions is None else back_end.directions.shape[-1]
    cohort = 0 if back_end.cohort is None else len(back_end.cohort)
    wanted = {
        "mean": (size,),
        "directions": (size, axes) if base in ("lda", "plda") else None,
        "between": (axes,) if base == "plda" else None,
        "cohort": (cohort, size) if back_end.kind.endswith(ASNORM) else None,
    }
    for name, shape in wanted.items():
        array = getattr(back_end, name)
        if (None if array is None else array.shape) != shape:
            return f"its {name} have the shape {None if array is None else array.shape}, not {shape}"
        if array is not None and not (np.isfinite(array).all() and (array.any() or name != "directions")):
            return f"its {name} are not finite, or all 0"
    if not (0 < back_end.top <= cohort if cohort else back_end.top == 0):
        return f"it takes the highest {back_end.top} of {cohort} scores"
    return ""


def _parts(back_end: BackEnd) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return the arrays of a back-end, and everything else as plain values."""
    given = {name: getattr(back_end, name) for name in ARRAYS}
    arrays = {name: torch.from_numpy(array).contiguous() for name, array in given.items() if array is not None}
    return arrays, {"kind": back_end.kind, "top": back_end.top, "info": dict(sorted(back_end.info.items()))}
