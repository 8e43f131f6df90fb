"""Files of NumPy, `.npy` and `.npz`, that users give: read without pickles, and what is wrong in words of our own."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

NPY_MAGIC = b"\x93NUMPY"
ZIP_MAGIC = b"PK\x03\x04"


def load_npy(path: str | Path, mapped: bool = False) -> np.ndarray:
    """Return the array of an `.npy` file.

    Args:
        path: the file.
        mapped: read rows from the file as they are asked for.

    Raises:
        ValueError: what the file is instead; it is never unpickled.
        OSError: it cannot be read.
    """
    path = Path(path)
    with open(path, "rb") as file:
        magic = file.read(len(NPY_MAGIC))
    if not NPY_MAGIC.startswith(magic) or not magic:
        raise ValueError("it is not an .npy file" if magic else "it is empty")
    try:
        return np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(_said(error)) from None


def load_npz(path: str | Path, wanted: Callable[[str], bool] = lambda name: True) -> dict[str, np.ndarray]:
    """Return the arrays of an `.npz` file whose names are wanted.

    Raises:
        ValueError: what the file is instead; it is never unpickled.
        OSError: it cannot be read.
    """
    path = Path(path)
    with open(path, "rb") as file:
        magic = file.read(len(ZIP_MAGIC))
        if not magic:
            raise ValueError("it is empty")
        if magic != ZIP_MAGIC:
            raise ValueError("it is not an .npz file")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files if wanted(name)}
        except (zipfile.BadZipFile, EOFError, zlib.error) as error:
            raise ValueError(f"it is damaged ({_line(error)}): truncated?") from None
        except (ValueError, KeyError) as error:
            raise ValueError(_said(error)) from None


def _said(error: Exception) -> str:
    """Return NumPy's message without its advice to unpickle."""
    text = _line(error)
    if "pickle" in text.lower():
        return "it holds Python objects, not numbers or texts"
    return f"{text}: truncated?" if isinstance(error, EOFError) or "reshape" in text or "mmap length" in text else text


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
