"""Breakdown of figures by one expression, pose, mask or sensor of the probes at a time, against the whole gallery."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from face3d_data.plurals import counted
from face3d_data.tables.pair_rows import every_pair
from face3d_data.tables.protocol import Protocol
from face3d_training.evaluation.metrics.bootstrap import PairPeople
from face3d_training.evaluation.metrics.figure import Figure, Outcomes, ScoredPairs
from face3d_training.evaluation.metrics.identification import share_figure
from face3d_training.evaluation.metrics.matcher import Matcher, score_pairs
from face3d_training.evaluation.metrics.results import ProbeSubset
from face3d_training.evaluation.metrics.verification import roc_figures

if TYPE_CHECKING:
    import pandas as pd

    from face3d_training.evaluation.metrics.lists import EvaluationSettings

MASK_COLUMNS = ("mask", "mask_worn", "visible_ratio")
COLUMNS = ("expression", "yaw_deg", "pitch_deg", *MASK_COLUMNS, "sensor", "dataset")
ANGLES_DEG = (0, 10, 20, 30, 45, 60, 90, 180)
RATIOS = (0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)
EDGES = {"yaw_deg": ANGLES_DEG, "pitch_deg": ANGLES_DEG, "visible_ratio": RATIOS}
"""Of bins, each with its lower edge in it, the last one's upper edge too; angles are taken without their sign."""
NOT_GIVEN = "not given"
FEWEST_PROBES = 10
FEWEST_PEOPLE = 3
"""With fewer probes, or probes of fewer people, a part is counted but not judged."""


def break_down(
    matcher: Matcher, protocol: Protocol, outcomes: Outcomes, settings: EvaluationSettings
) -> dict[str, tuple[ProbeSubset, ...]]:
    """Return the parts of a protocol's probes by each column that divides them into two or more.

    Where only the gallery wears masks, the mask's columns are those of the enrolled sample of the probe's person.

    Args:
        matcher: the method.
        protocol: gallery and probes.
        outcomes: results of the probes.
        settings: resamples, confidence, seed, and pairs at most.

    Raises:
        UserError: a similarity is not finite.
    """
    found = {}
    for column in COLUMNS:
        if column not in matcher.table:
            continue
        of_gallery = column in MASK_COLUMNS and protocol.name == "plain_to_masked"
        values = binned(matcher.table, column, outcomes.own if of_gallery else outcomes.probe)
        names = list(dict.fromkeys(sorted(values, key=_order)))
        if len(names) > 1:
            rows = [np.flatnonzero(np.array(values, dtype=object) == name) for name in names]
            found[column] = tuple(
                _part(matcher, protocol, outcomes, name, mine, settings) for name, mine in zip(names, rows, strict=True)
            )
    return found


def binned(table: pd.DataFrame, column: str, rows: np.ndarray) -> list[str]:
    """Return the value, or the bin, of rows i64 (n,) in a column."""
    import pandas as pd

    values = table[column].iloc[rows]
    if column not in EDGES:
        return [NOT_GIVEN if missing or value == "" else str(value)
                for value, missing in zip(values, values.isna(), strict=True)]  # fmt: skip
    edges = EDGES[column]
    known = pd.to_numeric(values, errors="coerce")  # a column without any value is one of texts
    numbers = np.abs(known.to_numpy(np.float64, na_value=np.nan))
    places = np.clip(np.searchsorted(edges, numbers, side="right"), 1, len(edges) - 1)
    return [NOT_GIVEN if np.isnan(number) else f"{edges[place - 1]} to {edges[place]}"
            for number, place in zip(numbers, places, strict=True)]  # fmt: skip


def _order(value: str) -> tuple[bool, float, str]:
    first = value.partition(" to ")[0]
    number = float(first) if " to " in value and first.replace(".", "", 1).isdigit() else 0.0
    return value == NOT_GIVEN, number, value


def _part(
    matcher: Matcher, protocol: Protocol, outcomes: Outcomes, value: str, mine: np.ndarray, settings: EvaluationSettings
) -> ProbeSubset:
    probes = outcomes.probe[mine]
    everybody = PairPeople(matcher.table, probes, probes)
    people = len(everybody.names)
    if len(probes) < FEWEST_PROBES or people < FEWEST_PEOPLE:
        few = Figure(None, why=f"too few: {counted(len(probes), 'probe')} of {counted(people, 'person')}")
        return ProbeSubset(value, len(probes), people, few, few)
    enrolled = matcher.table["identity"].iloc[protocol.gallery].nunique()
    names = np.array(everybody.names)[everybody.first]
    rank_1 = share_figure(outcomes.rank[mine] <= 1, names, enrolled, 1, settings)
    pairs = every_pair(matcher.table, np.sort(probes), protocol.gallery, settings.most_pairs, settings.seed)
    scored = ScoredPairs(pairs.first, pairs.second, pairs.same, score_pairs(matcher, pairs.first, pairs.second))
    people_of_pairs = PairPeople(matcher.table, pairs.first, pairs.second)
    return ProbeSubset(value, len(probes), people, rank_1, roc_figures(scored, people_of_pairs, settings, ())["auc"])
