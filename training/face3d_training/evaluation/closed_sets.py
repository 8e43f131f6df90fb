"""Closed-set accuracy of networks in an evaluation: their own classifiers on other captures of trained people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from face3d_data.errors import UserError
from face3d_data.tables.split import person_of
from face3d_training.closed_set import CLASS_PEOPLE, ClosedSet, trained_losses
from face3d_training.evaluation.metrics.bootstrap import figure_of, people_weights
from face3d_training.evaluation.metrics.lists import EvaluationSettings
from face3d_training.evaluation.metrics.results import ClosedSetResult, MethodResult
from face3d_training.evaluation.networks.load import Network


def with_closed_sets(
    methods: Mapping[str, MethodResult],
    networks: Sequence[Network],
    vectors: Mapping[str, np.ndarray],
    settings: EvaluationSettings,
) -> dict[str, MethodResult]:
    """Return results with the closed-set accuracy of those networks that have one.

    Args:
        methods: results by name.
        networks: what is judged, on a dataset split by capture.
        vectors: f4 (n, E), the embeddings of all rows by the network's name.
        settings: how intervals are made.
    """
    found = dict(methods)
    for network in networks:
        if network.name in found and network.name in vectors:
            closed = judge_closed_set(network, vectors[network.name], settings)
            found[network.name] = replace(found[network.name], closed_set=closed)
    return found


def judge_closed_set(network: Network, vectors: np.ndarray, settings: EvaluationSettings) -> ClosedSetResult | None:
    """Return how often a network's classifier is right; None where its loss has no classes, or no row is of its people.

    Args:
        network: the network.
        vectors: f4 (n, E), its embeddings of its rows.
        settings: how intervals are made.
    """
    trained, table = network.trained, network.rows.table
    if trained.config is None:
        return None
    try:
        losses = trained_losses(trained.config.loss, trained.spec, trained.info, trained.losses)
    except (UserError, RuntimeError):  # the loss of a plugin that is not here, or of another version
        return None
    if losses is None:
        return None
    identities = table["identity"].tolist()
    closed = ClosedSet.of(identities, trained.info[CLASS_PEOPLE])
    rank = closed.ranked(losses, vectors)
    if rank is None or not len(rank):
        return None
    names, person = np.unique([person_of(identities[row]) for row in closed.rows], return_inverse=True)
    weights = people_weights(names.tolist(), settings.resamples, settings.seed)[:, person].astype(np.float64)
    top = {}
    for k in closed.ranks:
        right = (rank <= k).astype(np.float64)
        samples = weights @ right / weights.sum(axis=1)
        top[str(k)] = figure_of(float(right.mean()), samples, len(names), settings.confidence)
    return ClosedSetResult(len(rank), len(names), closed.count, top)
