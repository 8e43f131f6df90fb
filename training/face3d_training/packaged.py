"""Networks that come with the package: files of weights in the folder `pretrained`, by name. Without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors

from face3d_data.digest import digest_file
from face3d_data.errors import UserError, did_you_mean
from face3d_data.json_text import parse_json

PRETRAINED = Path(__file__).resolve().parent / "pretrained"
TRAINED = "trained"
"""Kind under which listings give networks that come with the package, beside `model` and `loss`."""
PACKAGED = "packaged"
"""Name under which a command takes the network that comes with the package, whatever its own name."""
MODEL_CARD = "MODEL_CARD.md"
WEIGHTS, BACK_END, CALIBRATION = ".safetensors", ".back_end.safetensors", ".calibration.json"
"""Ends of the names of a network's file, of what is learnt on its embeddings, and of what their distances mean."""
DAMAGED, REINSTALL = "is damaged", "it comes with the package: install that again"
BACK_END_ABOUT = "face3d_back_end"
"""Key of the metadata of a back-end's file that holds, as JSON, everything that is not an array."""


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
        return back_end_beside(self.path)

    @property
    def back_end_kind(self) -> str | None:
        """What its back-end does, such as `lda`; None: it comes with none."""
        if self.back_end is None:
            return None
        return str(parse_json(_metadata(self.back_end)[BACK_END_ABOUT])["kind"])

    def record(self) -> dict[str, Any]:
        """Return these facts as plain values, and the digest and size of its file."""
        return {
            "kind": TRAINED,
            "name": self.name,
            "model": self.model,
            "fields": list(self.fields),
            "trained_on": self.trained_on,
            "back_end": self.back_end_kind,
            "path": str(self.path),
            "bytes": self.path.stat().st_size,
            "sha256": digest_file(self.path),
            "card": str(self.path.with_name(MODEL_CARD)),
        }


def back_end_beside(weights: str | Path) -> Path | None:
    """Return the file of the back-end that comes with a network: NAME.back_end.safetensors beside NAME.safetensors.

    Args:
        weights: the network's file.

    Returns:
        The file, or None where there is none.
    """
    weights = Path(weights)
    path = weights.with_name(weights.name.removesuffix(WEIGHTS) + BACK_END)
    return path if weights.name.endswith(WEIGHTS) and path.is_file() else None


def packaged_names() -> list[str]:
    """Return the names of the networks that come with the package, sorted."""
    found = (path.name.removesuffix(WEIGHTS) for path in PRETRAINED.glob(f"*{WEIGHTS}"))
    return sorted(name for name in found if not f"{name}{WEIGHTS}".endswith(BACK_END))


def packaged_file(name: str) -> Path:
    """Return the file of a network that comes with the package.

    Args:
        name: its name, or `packaged` where only one comes with it.

    Raises:
        UserError: there is none of that name, or `packaged` could be several.
    """
    names = packaged_names()
    if name == PACKAGED and len(names) == 1:
        return PRETRAINED / f"{names[0]}{WEIGHTS}"
    if name in names:
        return PRETRAINED / f"{name}{WEIGHTS}"
    if name == PACKAGED and names:
        raise UserError(f"--model {name}: several networks come with this installation: choose {' or '.join(names)}")
    there = ", ".join([*([PACKAGED] if len(names) == 1 else []), *names]) or "none at all"
    raise UserError(
        f"--model {name}: no network of that name comes with the package ({there}): "
        f"give the path of a checkpoint without --model{did_you_mean(name, [PACKAGED, *names] if names else [])}"
    )


def packaged_networks() -> list[PackagedNetwork]:
    """Return the networks that come with the package, sorted by name."""
    found = []
    for name in packaged_names():
        path = PRETRAINED / f"{name}{WEIGHTS}"
        said = _metadata(path)
        config, about = parse_json(said["config"]), parse_json(said["face3d_training"])
        fields = tuple(config["data"]["fields"])
        found.append(PackagedNetwork(name, path, config["model"]["name"], fields, about.get("dataset_name", "")))
    return found


def shown_name(path: Path) -> str:
    """Return what messages and reports call a file of weights: its path, or the name of a packaged network."""
    return f"{PACKAGED} {path.name.removesuffix(WEIGHTS)}" if is_packaged(path) else str(path)


def is_packaged(path: Path) -> bool:
    """Tell whether a file of weights is that of a network that comes with the package."""
    return path.parent == PRETRAINED


def _metadata(path: Path) -> dict[str, str]:
    try:
        with safetensors.safe_open(path, framework="np") as file:
            return dict(file.metadata())
    except (safetensors.SafetensorError, OSError) as error:
        raise UserError(f"{path}: {DAMAGED} ({error}): {REINSTALL}") from None
