"""Cross-validation: the runs of all folds judged together, each person by the network that has not seen them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.shards.check import checked_dataset
from face3d_data.tables.pair_rows import PairRows
from face3d_training.devices import choose_device
from face3d_training.embedding import embed_rows
from face3d_training.evaluation.baselines.plan import ProgressCallback
from face3d_training.evaluation.fold_runs import fold_runs, folds_of
from face3d_training.evaluation.metrics.figure import Figure
from face3d_training.evaluation.metrics.lists import EvaluationSettings, Lists, PairLists, lists_of
from face3d_training.evaluation.metrics.matcher import EmbeddingMatcher, Matcher, pairs_in_parts
from face3d_training.evaluation.metrics.results import Evaluation, IdentificationResult, MethodResult
from face3d_training.evaluation.networks.about import About
from face3d_training.evaluation.networks.load import load_networks
from face3d_training.evaluation.report.drawn import draw
from face3d_training.evaluation.report.files import check_replaceable, write_evaluation
from face3d_training.evaluation.report.mistakes import FacePictures
from face3d_training.evaluation.report.page import make_report
from face3d_training.evaluation.run import (
    VERSIONED,
    Request,
    dataset_facts,
    judge_methods,
    network_cost,
    refuse_leaks,
)
from face3d_training.evaluation.together import put_together
from face3d_training.leaks import leaks_of
from face3d_training.split_table import rows_of

if TYPE_CHECKING:
    import pandas as pd

APART = -1e9
"""Similarity of rows of two folds, below every other: networks of two folds do not compare."""
PAIRS_AT_ONCE = 4_000_000
POOLED = (
    "cross-validation: each person is judged by the network that left their fold for the test; pairs and galleries are "
    "within a fold"
)


def run_pooled_evaluation(
    request: Request, progress: ProgressCallback = lambda label, done, total: None
) -> tuple[Evaluation, About]:
    """Judge the runs of a cross-validation together, and write the folder of the evaluation.

    Pairs and galleries are made within each fold, and the scores of all folds are pooled, so that intervals are over
    all people. The threshold of the accuracy on a fold comes from the other folds.

    Args:
        request: the evaluation to make; its checkpoints are the runs of all folds, of one config and seed or several.
        progress: called with the state of progress.

    Raises:
        UserError: dataset, checkpoints and options do not go together, or a fold lacks its run.
        RunStopped: a run has seen what it is judged on.
    """
    refuse_for_pooled(request)
    check_replaceable(request.out)
    dataset = checked_dataset(request.dataset, request.check)
    folds = folds_of(dataset)
    device = choose_device(request.device)
    runs = fold_runs(request.checkpoints, folds)
    networks = {
        name: [
            load_networks([path], dataset, fold, request.changes, device, branch=request.branch)[0]
            for fold, path in zip(folds, paths, strict=True)
        ]
        for name, paths in runs.methods.items()
    }
    each = [network for mine in networks.values() for network in mine]
    leaks = tuple(network.leaks for network in each)
    refuse_leaks(leaks, request.allow_leaks)
    tables = [rows_of(dataset, fold, None) for fold in folds]
    lists = pooled_lists(tables, request.settings, request.protocol)
    matchers: list[Matcher] = []
    for name, mine in networks.items():
        embedded = []
        for network in mine:

            def tell(done: int, label: str = f"embed, {network.name}", total: int = len(network.rows)) -> None:
                progress(label, done, total)

            vectors = embed_rows(network.trained.net, network.rows, device, workers=request.workers, progress=tell)
            embedded.append(EmbeddingMatcher(network.name, network.rows.table, vectors))
        matchers.append(PooledMatcher(name, embedded))
    table = matchers[0].table
    costs = {name: network_cost(mine[0]) for name, mine in networks.items()}
    judged = judge_methods(matchers, lists, request.settings, costs, progress)
    methods = {name: _within_folds(result, tables, request.settings) for name, result in judged.items()}
    facts = dataset_facts(replace(request, split=",".join(folds)), dataset, table)
    evaluation = put_together(facts, methods, runs.groups, {}, (), request.settings)
    about = About(
        leaks=leaks,
        checkpoints=tuple(network.facts for network in each),
        versions={name: version(name) for name in VERSIONED},
        notices=(
            POOLED,
            *(f"{one.name}: {notice}" for one in each for notice in one.notices),
            *lists.notices,
        ),
        dataset_leaks=tuple(leaks_of(dataset)),
    )
    drawn = draw(evaluation, about, table, {}, FacePictures(request.dataset, tuple(folds), table))
    write_evaluation(request.out, evaluation, about, table, make_report(evaluation, about, table, drawn), drawn.plots)
    return evaluation, about


class PooledMatcher:
    """Similarity within each fold by the network of the fold; rows of two folds are as far apart as can be.

    Args:
        name: what reports call it.
        matchers: one for each fold; their tables follow one another.
    """

    def __init__(self, name: str, matchers: Sequence[Matcher]) -> None:
        import pandas as pd

        self.name = name
        self.table: pd.DataFrame = pd.concat([one.table for one in matchers], ignore_index=True)
        self._matchers = matchers
        sizes = [len(one.table) for one in matchers]
        self._starts = np.cumsum([0, *sizes[:-1]])
        self._fold = np.repeat(np.arange(len(matchers)), sizes)

    def similarity(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return f8 (A, B): the similarities, `APART` for rows of two folds."""
        out = np.full((len(first), len(second)), APART)
        for number, matcher in enumerate(self._matchers):
            rows, columns = (np.flatnonzero(self._fold[each] == number) for each in (first, second))
            if len(rows) and len(columns):
                start = self._starts[number]
                out[np.ix_(rows, columns)] = matcher.similarity(first[rows] - start, second[columns] - start)
        return out

    def pair_similarity(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return f8 (n,): the similarities, `APART` for rows of two folds."""
        return pairs_in_parts(self._of_pairs, first, second, PAIRS_AT_ONCE)

    def _of_pairs(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        out = np.full(len(first), APART)
        for number, matcher in enumerate(self._matchers):
            mine = np.flatnonzero((self._fold[first] == number) & (self._fold[second] == number))
            start = self._starts[number]
            out[mine] = matcher.pair_similarity(first[mine] - start, second[mine] - start)
        return out


def pooled_lists(tables: Sequence[pd.DataFrame], settings: EvaluationSettings, protocol: str | None = None) -> Lists:
    """Return the lists of folds as lists of all rows: pairs and galleries are within a fold.

    Args:
        tables: rows of each fold.
        settings: how many pairs and captures, and the seed. Folds of the accuracy are those of the cross-validation.
        protocol: name of the only protocol; None: all.

    Raises:
        UserError: a fold is empty, or admits no such protocol.
    """
    most = max(1, settings.most_pairs // len(tables))
    each = [lists_of(table, replace(settings, folds=1, most_pairs=most), protocol) for table in tables]
    starts = np.cumsum([0, *(len(table) for table in tables[:-1])]).tolist()
    pairs, found = {}, {}
    for name in dict.fromkeys(name for lists in each for name in lists.pairs):
        there = [(number, lists.pairs[name]) for number, lists in enumerate(each) if name in lists.pairs]
        every = _joined([(number, one.pairs) for number, one in there], starts)
        folds = _joined([(number, one.folds) for number, one in there], starts)
        pairs[name] = PairLists(there[0][1].title, replace(every, fold=None), folds)
    for name in dict.fromkeys(name for lists in each for name in lists.protocols):
        parts = [
            (starts[number], lists.protocols[name]) for number, lists in enumerate(each) if name in lists.protocols
        ]
        found[name] = replace(
            parts[0][1],
            gallery=np.concatenate([one.gallery + start for start, one in parts]),
            probe=np.concatenate([one.probe + start for start, one in parts]),
            probe_side=np.concatenate([one.probe_side + start for start, one in parts]),
            gallery_side=np.concatenate([one.gallery_side + start for start, one in parts]),
            notes=tuple(dict.fromkeys(note for _, one in parts for note in one.notes)),
        )
    return Lists(pairs, found, tuple(dict.fromkeys(note for lists in each for note in lists.notices)))


def _joined(parts: Sequence[tuple[int, PairRows]], starts: Sequence[int]) -> PairRows:
    """Return the pairs of folds as one list; `fold` is the number of the fold."""
    return PairRows(
        np.concatenate([one.first + starts[number] for number, one in parts]),
        np.concatenate([one.second + starts[number] for number, one in parts]),
        np.concatenate([one.same for _, one in parts]),
        np.repeat([number for number, _ in parts], [len(one.first) for _, one in parts]),
        all(one.complete for _, one in parts),
    )


def _within_folds(result: MethodResult, tables: Sequence[pd.DataFrame], settings: EvaluationSettings) -> MethodResult:
    """Return results without ranks that the people of a fold are too few for."""
    fewest = min(table["identity"].nunique() for table in tables)
    found = {name: _few_ranks(one, fewest) for name, one in result.identification.items()}
    return replace(result, identification=found)


def _few_ranks(one: IdentificationResult, fewest: int) -> IdentificationResult:
    none = Figure(None, why=f"not measurable with {counted(fewest, 'person')} in a fold")
    rank = {k: figure if int(k) < fewest else none for k, figure in one.rank.items()}
    return replace(one, rank=rank, cmc=one.cmc[:fewest])


def refuse_for_pooled(request: Request) -> None:
    """Refuse options that a pooled evaluation does not have.

    Raises:
        UserError: naming the first.
    """
    given = {
        "--pairs": request.pairs is not None,
        "--baseline": bool(request.baselines),
        "--back-end": bool(request.back_ends),
        "--fuse": request.fuse,
        "--train-dataset": request.train_dataset is not None,
        "--train-where": request.train_where is not None,
    }
    for option, wanted in given.items():
        if wanted:
            raise UserError(
                f"--pool-folds: {option} cannot be pooled over folds: leave it out, or judge a fold by itself"
            )
