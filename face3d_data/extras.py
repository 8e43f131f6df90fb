"""Install lines of extras (`train`, `heic`, `meshmonk` …), matching the way in which this package is installed."""

from __future__ import annotations

import json
import shlex
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlparse

PACKAGE = "face3d_data"


def extra_line(extra: str) -> str:
    """Return the command that installs an extra of pyproject.toml.

    A package that was installed from a folder, or runs in a clone, is on no index under its name: then the folder is
    named, with the pins that are in it.
    """
    folder = _folder()
    if folder is None:
        return f"pip install '{PACKAGE}[{extra}]'"
    pins = folder / "constraints.txt"
    return " ".join(["pip install", *(["-c", shlex.quote(str(pins))] if pins.is_file() else []),
                     shlex.quote(f"{folder}[{extra}]")])  # fmt: skip


def _folder() -> Path | None:
    """Return the folder that the package was installed from, None where it is not known or gone."""
    beside = Path(__file__).resolve().parents[1]
    if (beside / "pyproject.toml").is_file():
        return beside
    try:
        record = json.loads(distribution(PACKAGE).read_text("direct_url.json") or "{}")
        address = urlparse(record.get("url", ""))
    except (PackageNotFoundError, ValueError, AttributeError):
        return None
    folder = Path(unquote(address.path))
    return folder if address.scheme == "file" and (folder / "pyproject.toml").is_file() else None
