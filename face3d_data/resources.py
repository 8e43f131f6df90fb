"""Resources: the location of the files that come with the package, pipelines and manifests."""

from __future__ import annotations

import itertools
import re
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from face3d_data.errors import UserError, did_you_mean


def package_folder() -> Path:
    """Return the folder that holds `pipelines/` and `manifests/`: the package, or in a checkout the repository."""
    package = Path(str(files("face3d_data")))
    return package if (package / "pipelines").is_dir() else package.parent


def pipeline_names() -> list[str]:
    """Return the names of the pipelines that come with the package, sorted."""
    return sorted(path.stem for path in (package_folder() / "pipelines").glob("*.yaml"))


def pipeline_summary(name: str) -> str:
    """Return the first sentence of the comment at the head of a packaged pipeline."""
    lines = (package_folder() / "pipelines" / f"{name}.yaml").read_text("utf-8").splitlines()
    comment = itertools.takewhile(lambda line: line.startswith("# ") and not line.startswith("#  "), lines)
    return re.split(r"[.:;](?:\s|$)", " ".join(line[2:] for line in comment), maxsplit=1)[0]


def find_pipeline(name_or_path: str | Path) -> Path:
    """Return the file of a pipeline: a path to a YAML file, or the name of one that comes with the package.

    A file of that path wins over a name.

    Raises:
        UserError: neither is there; the message lists the names.
    """
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    if path.name == str(name_or_path) and path.stem in pipeline_names() and path.suffix in ("", ".yaml"):
        return package_folder() / "pipelines" / f"{path.stem}.yaml"
    names = pipeline_names()
    raise UserError(
        f"pipeline {name_or_path}: there is no such file, and no packaged pipeline of that name "
        f"({', '.join(names)}){did_you_mean(path.stem, names)}"
    )


class Asset(NamedTuple):
    """A data file of the package that a component reads.

    Attributes:
        label: what fingerprints call it; it stays when the file moves, so that no cache is lost.
        path: where the file is below the package.
    """

    label: str
    path: str

    @property
    def file(self) -> Path:
        """Return the file."""
        return package_file(self.path)


def package_file(path: str) -> Path:
    """Return a data file by its path below the package."""
    return Path(str(files("face3d_data").joinpath(path)))
