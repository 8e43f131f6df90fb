"""Networks that come with the package: files of weights in the folder `pretrained`, by name. Without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import safetensors

from face3d_data.component import did_you_mean
from face3d_data.errors import UserError
from face3d_data.json_text import parse_json

PRETRAINED = Path(__file__).resolve().parent / "pretrained"
PACKAGED = "packaged"
"""Name under which a command takes the network that comes with the package, whatever its own name."""
MODEL_CARD = "MODEL_CARD.md"
WEIGHTS, BACK_END = ".safetensors", ".back_end.safetensors"
"""Ends of the names of a network's file, and of the file of what is learnt on its embeddings."""


@dataclass(frozen=True)
class PackagedNetwork:
    """Facts on a network that comes with the package, out of its file.

    Attributes:
        name: of the file.
        path: the file.
        model: name of the network's kind.
        fields: arrays of a dataset that it takes.
        trained_on: name of the dataset that it learnt from.
    """

    name: str
    path: Path
    model: str
    fields: tuple[str, ...]
    trained_on: str

    @property
    def back_end(self) -> Path | None:
        """The file of what is learnt on its embeddings; None: it comes with none."""
        path = self.path.with_name(self.name + BACK_END)
        return path if path.is_file() else None


def packaged_names(folder: Path = PRETRAINED) -> list[str]:
    """Return the names of the networks that come with the package, sorted."""
    found = (path.name.removesuffix(WEIGHTS) for path in folder.glob(f"*{WEIGHTS}"))
    return sorted(name for name in found if not f"{name}{WEIGHTS}".endswith(BACK_END))


def packaged_file(name: str, folder: Path = PRETRAINED) -> Path:
    """Return the file of a network that comes with the package.

    Args:
        name: its name, or `packaged` where only one comes with it.
        folder: where they are.

    Raises:
        UserError: there is none of that name, or `packaged` could be several.
    """
    names = packaged_names(folder)
    if name == PACKAGED and len(names) == 1:
        return folder / f"{names[0]}{WEIGHTS}"
    if name in names:
        return folder / f"{name}{WEIGHTS}"
    if name == PACKAGED and names:
        raise UserError(f"--model {name}: several networks come with this installation: choose {' or '.join(names)}")
    there = ", ".join([*([PACKAGED] if len(names) == 1 else []), *names]) or "none at all"
    raise UserError(
        f"--model {name}: no network of that name comes with the package ({there}): "
        f"give the path of a checkpoint without --model{did_you_mean(name, [PACKAGED, *names])}"
    )


def packaged_networks(folder: Path = PRETRAINED) -> list[PackagedNetwork]:
    """Return the networks that come with the package, sorted by name."""
    found = []
    for name in packaged_names(folder):
        path = folder / f"{name}{WEIGHTS}"
        with safetensors.safe_open(path, framework="np") as file:
            said = file.metadata()
        config, about = parse_json(said["config"]), parse_json(said["face3d_training"])
        fields = tuple(config["data"]["fields"])
        found.append(PackagedNetwork(name, path, config["model"]["name"], fields, about.get("dataset_name", "")))
    return found


def shown_name(path: Path) -> str:
    """Return what messages and reports call a file of weights: its path, or the name of a packaged network."""
    return f"{PACKAGED} {path.name.removesuffix(WEIGHTS)}" if path.parent == PRETRAINED else str(path)
