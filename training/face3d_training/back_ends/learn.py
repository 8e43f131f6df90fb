"""Learning of back-ends on embeddings of training people: LDA, PLDA and cohorts, with shrinkage.

LDA: Fisher 1936, The Use of Multiple Measurements in Taxonomic Problems. PLDA: Ioffe 2006, Probabilistic Linear
Discriminant Analysis; in the form of two full covariances Brümmer & de Villiers 2010, The Speaker Partitioning Problem.
Shrinkage: Ledoit & Wolf 2004, A well-conditioned estimator for large-dimensional covariance matrices. Score
normalisation: Matějka et al. 2017, Analysis of Score Normalization in Multilingual Speaker Recognition.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.covariance import ledoit_wolf, ledoit_wolf_shrinkage, shrunk_covariance

from face3d_data.digest import seed_from
from face3d_data.errors import UserError, did_you_mean
from face3d_data.plurals import counted
from face3d_training.back_ends.back_end import ASNORM, BACK_ENDS, BackEnd, unit_length
from face3d_training.back_ends.discriminant import PeopleScatter, discriminant_directions, people_scatter

COHORT, TOP = 500, 100
"""People of the cohort, and how many of their scores a face is normalised by. Matějka et al. take the highest 200 to
500 of thousands; 500 people are half a megabyte at 256 numbers each."""
SAME = 1e-6
"""Embeddings that differ by this share of their size at most differ by rounding alone."""
FEWEST_PEOPLE = 3
"""Two people span one direction, and show nothing of how directions differ."""


def check_kind(kind: str) -> None:
    """Check that there is such a back-end.

    Raises:
        UserError: there is not.
    """
    if kind not in BACK_ENDS:
        known = ", ".join(BACK_ENDS)
        raise UserError(
            f"there is no back-end {kind!r}: give one of {known}, or a file .safetensors{did_you_mean(kind, BACK_ENDS)}"
        )


def learn_back_end(
    kind: str,
    embeddings: np.ndarray,
    people: np.ndarray,
    *,
    cohort: int = COHORT,
    top: int = TOP,
    seed: int = 0,
    info: Mapping[str, str] | None = None,
) -> BackEnd:
    """Return a back-end that is learnt on embeddings of training people, plain and masked ones together.

    Args:
        kind: `lda`, `plda`, `asnorm`, `lda+asnorm` or `plda+asnorm`.
        embeddings: (n, E), all finite.
        people: (n,) str, the person of each; some of them with two embeddings or more.
        cohort: people at most whose mean embeddings are the cohort; they are drawn where there are more.
        top: highest scores of a face against the cohort by which its scores are normalised; at most all of them.
        seed: decides who is drawn.
        info: texts on what is learnt from.

    Raises:
        UserError: no such kind, too few people or embeddings of each, or embeddings that are not finite.
    """
    check_kind(kind)
    vectors, names = np.asarray(embeddings, np.float64), np.asarray(people, dtype=object).astype(str)
    scatter = _checked(kind, vectors, names)
    base, wanted = kind.partition("+")[0], {}
    mean = np.zeros(vectors.shape[1])
    if base == "lda":
        mean = vectors.mean(axis=0)
        found = discriminant_directions(shrunk_within(scatter), scatter.weighted_means, len(scatter.count) - 1)
        wanted = {"directions": found[0]}
    elif base == "plda":
        mean = scatter.means.mean(axis=0)
        directions, between = plda_directions(scatter)
        wanted = {"directions": directions, "between": between}
    if kind.endswith(ASNORM):
        wanted["cohort"] = _cohort(scatter.means, cohort, seed)
        top = min(max(2, top), len(wanted["cohort"]))
    arrays = {name: array.astype(np.float32) for name, array in wanted.items()}
    return BackEnd(kind, mean.astype(np.float32), **arrays, top=top if "cohort" in arrays else 0, info=dict(info or {}))


def shrunk_within(scatter: PeopleScatter) -> np.ndarray:
    """Return the covariance f8 (E, E) within people, shrunk as by Ledoit and Wolf.

    Raises:
        UserError: nothing differs within people.
    """
    if np.abs(scatter.within).max() <= SAME * np.abs(scatter.means).max():
        raise UserError(
            "back-end: all embeddings of a person are the same, which shows nothing of how captures of one differ: the "
            "network has collapsed; train it again"
        )
    share = ledoit_wolf_shrinkage(scatter.within, assume_centered=True)
    return shrunk_covariance(scatter.covariance_within, share)


def plda_directions(scatter: PeopleScatter) -> tuple[np.ndarray, np.ndarray]:
    """Return the directions f8 (E, d) in which both covariances of PLDA are diagonal, and f8 (d,) that between people.

    The covariance of people's means, shrunk, is that between people plus what is left of that within: 1 in these
    directions, divided by a person's number of embeddings. Directions in which nothing remains say nothing, and go.

    Raises:
        UserError: nothing remains in any direction.
    """
    of_means = ledoit_wolf(scatter.means)[0] * len(scatter.means) / (len(scatter.means) - 1)
    sizes, axes = np.linalg.eigh(of_means)
    root = np.sqrt(sizes.clip(0))[:, None] * axes.T
    directions, variance = discriminant_directions(shrunk_within(scatter), root, len(sizes))
    between = variance - np.mean(1 / scatter.count)
    if not (between > 0).any():
        raise UserError(
            "back-end plda: people do not differ more than captures of one person: train the network for longer, or "
            "learn on more people"
        )
    return directions[:, between > 0], between[between > 0]


def _cohort(means: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Return the mean embeddings of people, drawn where there are more than `most`."""
    if len(means) > most:
        means = means[np.sort(np.random.default_rng(seed_from("cohort", seed)).permutation(len(means))[:most])]
    return unit_length(means)


def _checked(kind: str, vectors: np.ndarray, names: np.ndarray) -> PeopleScatter:
    if vectors.ndim != 2 or len(vectors) != len(names):
        raise UserError(
            f"back-end {kind}: embeddings of the shape {vectors.shape} for {counted(len(names), 'person')}: give an "
            "embedding (E,) and a person each"
        )
    if not np.isfinite(vectors).all():
        wrong = counted(int((~np.isfinite(vectors)).any(axis=1).sum()), "embedding")
        raise UserError(f"back-end {kind}: {wrong} are not finite: the network has diverged, or a sample contains NaN")
    there = len(np.unique(names))
    if there < FEWEST_PEOPLE:
        raise UserError(
            f"back-end {kind}: {counted(there, 'person')} to learn from, at least {FEWEST_PEOPLE} are needed: use a "
            "dataset with more people in its split train"
        )
    scatter = people_scatter(vectors, names)
    if scatter.count.max() < 2:
        raise UserError(
            f"back-end {kind}: every person has one embedding, which shows nothing of how captures of one differ: use "
            "a dataset with several captures of a person"
        )
    return scatter
