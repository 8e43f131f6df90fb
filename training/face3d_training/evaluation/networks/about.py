"""Provenance of an evaluation's figures: checkpoints, the leak check, versions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class CheckpointFacts:
    """Where a network comes from; None where its checkpoint does not say.

    Attributes:
        method: what the report calls it.
        file: the file.
        sha256: of its bytes.
        model: name of the network.
        embedding_size: length of an embedding.
        epoch: epochs it was trained for.
        seed: of its training.
        trained_on: name of the dataset.
        trained_on_digest: digest of it.
        chosen_on: split that the epoch was chosen on.
        data: how faces are put before it, as in a config's `data`.
        config: its whole config.
    """

    method: str
    file: str
    sha256: str
    model: str
    embedding_size: int
    epoch: int | None = None
    seed: int | None = None
    trained_on: str | None = None
    trained_on_digest: str | None = None
    chosen_on: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] | None = None


@dataclass(frozen=True)
class LeakCheck:
    """Leak check of a method: whether it was trained on its test data.

    Attributes:
        method: what the report calls it.
        state: `none` found, `found`, or `unknown`: its training data is not known.
        lines: what is shared, one line per kind.
        compared: how rows were compared with the training data: `name`, `recording`, `content`.
    """

    method: str
    state: Literal["none", "found", "unknown"]
    lines: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()


@dataclass(frozen=True)
class About:
    """Provenance of an evaluation's figures.

    Attributes:
        leaks: the check of each method that was trained.
        checkpoints: of the networks.
        baselines: names of the methods that are not networks.
        versions: of the packages behind the figures, by name.
        baseline_notes: lines on how baselines were made.
        notices: warnings to the reader.
        dataset_leaks: what splits share in the datasets that were used for training or evaluation, with their names.
    """

    leaks: tuple[LeakCheck, ...] = ()
    checkpoints: tuple[CheckpointFacts, ...] = ()
    baselines: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    baseline_notes: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    dataset_leaks: tuple[str, ...] = ()

    @property
    def leaked(self) -> tuple[LeakCheck, ...]:
        """The checks that found something."""
        return tuple(check for check in self.leaks if check.state == "found")

    @property
    def leak_lines(self) -> tuple[str, ...]:
        """Everything that leaks, a line each: datasets first, then what methods had seen of what they are judged on."""
        return (*self.dataset_leaks, *(f"{check.method}: {line}" for check in self.leaked for line in check.lines))
