"""Evaluation lists: protocols and pairs, made once for all methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.errors import UserError, did_you_mean
from face3d_data.plurals import counted
from face3d_data.tables.pair_rows import PairRows, every_pair, pairs_in_folds
from face3d_data.tables.pairs_file import NO_FOLDS, read_pairs
from face3d_data.tables.protocol import Protocol, protocols
from face3d_data.tables.published import Published

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class EvaluationSettings:
    """How figures are made.

    Attributes:
        folds: folds wanted for the accuracy.
        per_fold: genuine pairs wanted in each, and as many impostors.
        captures: first captures of each person that are enrolled, where the dataset does not list them.
        most_pairs: pairs that ROC figures are of, at most; all there are, where there are no more.
        resamples: bootstrap resamples of people.
        confidence: share that intervals cover.
        seed: decides what is drawn.
    """

    folds: int = 10
    per_fold: int = 300
    captures: int = 1
    most_pairs: int = 1_000_000
    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0


@dataclass(frozen=True, eq=False)
class PairLists:
    """One list of pairs by its name.

    Attributes:
        title: what is compared, in words.
        pairs: what ROC figures are of.
        folds: pairs in folds for the accuracy.
    """

    title: str
    pairs: PairRows
    folds: PairRows


@dataclass(frozen=True, eq=False)
class Lists:
    """Lists of an evaluation.

    Attributes:
        pairs: lists of pairs by name.
        protocols: gallery and probe by name.
        notices: lines for the reader.
    """

    pairs: dict[str, PairLists]
    protocols: dict[str, Protocol]
    notices: tuple[str, ...] = ()


def lists_of(
    table: pd.DataFrame,
    settings: EvaluationSettings,
    protocol: str | None = None,
    published: Sequence[Published] = (),
    listed: Protocol | None = None,
) -> Lists:
    """Return the lists of all protocols that a table admits, or of one.

    Pairs have no direction: those of `plain_to_masked` are those of `masked_to_plain`, the masked face first. A
    published protocol is judged as a whole and by category: identification for each, pairs of the whole.

    Args:
        table: rows of one split.
        settings: how many pairs and folds, and the seed.
        protocol: name of the only one; that of a published one means its categories too.
        published: published protocols on these rows.
        listed: the dataset's own gallery and probes.

    Raises:
        UserError: the table is empty, or admits no such protocol.
    """
    if not len(table):
        raise UserError("evaluation: the split has no rows: choose another with --split")
    made, notes = protocols(table, settings.captures)
    made |= {name: one for each in published for name, one in each.protocols().items()}
    if listed is not None:
        made = {listed.name: listed, **made}
    if protocol is not None and protocol not in made:
        there = ", ".join(made)
        raise UserError(f"there is no protocol {protocol!r} here (known: {there}){did_you_mean(protocol, made)}")
    chosen = {name: one for name, one in made.items() if protocol in (None, name, one.part_of)}
    pairs: dict[str, PairLists] = {}
    for name, each in chosen.items():
        if each.part_of and name != protocol:
            continue
        reverse = "_to_".join(reversed(name.split("_to_")))
        known = pairs.get(reverse)
        pairs[name] = _pairs(table, each, settings) if known is None else replace(known, title=each.title)
    return Lists(pairs, chosen, notes if protocol is None else ())


def lists_from(path: str | Path, table: pd.DataFrame, folds: int | None = None) -> Lists:
    """Return the pairs of a file as the only list, named for it.

    Args:
        path: the file.
        table: rows of one split.
        folds: a list without folds is cut into that many, pair after pair, as scikit-learn's `KFold` does.

    Raises:
        UserError: as `read_pairs`; the file has folds and others are asked for, or fewer pairs than folds.
    """
    path = Path(path)
    pairs = read_pairs(path, table)
    if folds is not None:
        pairs = _cut(pairs, folds, path)
    return Lists({path.stem: PairLists(path.name, pairs, pairs)}, {})


def _cut(pairs: PairRows, folds: int, path: Path) -> PairRows:
    if pairs.fold is not None:
        raise UserError(f"--folds {folds}: {path} has folds of its own: leave the option out")
    if len(pairs.first) < folds:
        raise UserError(f"--folds {folds}: {path} has {counted(len(pairs.first), 'pair')} alone: ask for fewer")
    parts = np.array_split(np.arange(len(pairs.first)), folds)
    fold = np.repeat(np.arange(folds), [len(part) for part in parts])
    note = f"pairs: {path.name} is cut into {folds} folds, pair after pair: they may share people"
    return replace(pairs, fold=fold, notes=(*(line for line in pairs.notes if not line.endswith(NO_FOLDS)), note))


def _pairs(table: pd.DataFrame, protocol: Protocol, settings: EvaluationSettings) -> PairLists:
    sides = (protocol.probe_side, protocol.gallery_side)
    if protocol.name == "plain_to_masked":
        sides = sides[::-1]
    every = every_pair(table, *sides, settings.most_pairs, settings.seed)
    folds = pairs_in_folds(table, *sides, settings.folds, settings.per_fold, settings.seed)
    return PairLists(protocol.title, every, folds)
