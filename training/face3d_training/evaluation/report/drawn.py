"""Drawings of a report: plots by name, the map of embeddings, and the worst mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.tables.protocol import wears_mask
from face3d_training.evaluation.metrics.results import Evaluation
from face3d_training.evaluation.networks.about import About
from face3d_training.evaluation.report.drawing import Style, method_styles
from face3d_training.evaluation.report.embedding_places import choose_faces, place_embeddings
from face3d_training.evaluation.report.mistakes import FacePictures, Mistake, worst_mistakes
from face3d_training.evaluation.report.part_plots import embedding_map, part_bars
from face3d_training.evaluation.report.plots import cmc, det, equal_error_threshold, histograms, roc
from face3d_training.evaluation.report.score_tables import COLUMN_TITLES

if TYPE_CHECKING:
    import pandas as pd

MOST_MAPS = 4


@dataclass(frozen=True)
class Drawn:
    """Pictures of a report.

    Attributes:
        plots: SVG by name: `<protocol>-roc`, `-det`, `-cmc`, `-scores`, `-by-<column>`, and `map-<n>`.
        mistakes: by protocol, the worst of each kind.
        mistakes_of: the method that made them.
        faces: pictures of the rows; None: there are none.
    """

    plots: Mapping[str, str]
    mistakes: Mapping[str, Mapping[str, Sequence[Mistake]]]
    mistakes_of: str = ""
    faces: FacePictures | None = None


def draw(
    evaluation: Evaluation,
    about: About,
    table: pd.DataFrame,
    vectors: Mapping[str, np.ndarray],
    faces: FacePictures | None,
) -> Drawn:
    """Return the pictures of a report.

    Mistakes are those of the first network, or of the first method where there is none.

    Args:
        evaluation: the figures, with their raw arrays.
        about: their provenance.
        table: the rows that were judged.
        vectors: f4 (n, E), embeddings of the rows by method; a map is drawn of the first four, of several runs
            of one config of the first.
        faces: pictures of the rows.
    """
    styles = method_styles(evaluation, about.baselines)
    keys = dict.fromkeys(
        key for method in evaluation.methods.values() for key in (*method.identification, *method.verification)
    )
    plots = {name: svg for key in keys for name, svg in _plots(evaluation, key, styles) if svg}
    later_runs = {name for group in evaluation.seeds for name in group.methods[1:]}
    first = {name: some for name, some in vectors.items() if name not in later_runs}
    plots |= {name: svg for name, svg in _maps(table, first, evaluation.seed) if svg}
    networks = [name for name in evaluation.methods if name not in about.baselines]
    chosen = next(iter([*networks, *evaluation.methods]), "")
    mistakes = {}
    if chosen:
        names = table["name"].tolist()
        for key, result in evaluation.methods[chosen].verification.items():
            mistakes[key] = worst_mistakes(result.pairs, names, equal_error_threshold(result.pairs))
    return Drawn(plots, mistakes, chosen, faces)


def _plots(evaluation: Evaluation, key: str, styles: Mapping[str, Style]) -> Iterator[tuple[str, str | None]]:
    methods = evaluation.methods
    pairs = {name: one.verification[key].pairs for name, one in methods.items() if key in one.verification}
    yield f"{key}-roc", roc(pairs, styles)
    yield f"{key}-det", det(pairs, styles)
    ranks = {name: one.identification[key] for name, one in methods.items() if key in one.identification}
    yield f"{key}-cmc", cmc(ranks, styles)
    yield f"{key}-scores", histograms(pairs)
    columns = dict.fromkeys(column for one in methods.values() for column in one.breakdown.get(key, {}))
    for column in columns:
        parts = {name: one.breakdown[key][column] for name, one in methods.items() if key in one.breakdown}
        yield f"{key}-by-{column}", part_bars(parts, styles, COLUMN_TITLES.get(column, column))


def _maps(table: pd.DataFrame, vectors: Mapping[str, np.ndarray], seed: int) -> Iterator[tuple[str, str | None]]:
    names = table["name"].tolist()
    chosen = choose_faces(names, seed)
    masked = wears_mask(table)[chosen]
    for number, (method, some) in enumerate(list(vectors.items())[:MOST_MAPS]):
        places, way = place_embeddings(some[chosen], seed)
        title = f"{method}, {way}"
        yield f"map-{number}", embedding_map(places, [names[row] for row in chosen], masked, title)
