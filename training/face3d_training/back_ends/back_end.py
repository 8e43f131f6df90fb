"""Back-end: what scores two embeddings better than their distance, learnt on people that a network was trained on.

back_end = learn_back_end("plda", network.embeddings, people)
scores = back_end.score(probes, gallery)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from face3d_data.errors import UserError

ASNORM = "asnorm"
BACK_ENDS = ("lda", "plda", ASNORM, f"lda+{ASNORM}", f"plda+{ASNORM}")
"""What a back-end does: LDA then cosine, PLDA, and score normalisation of either, or of the bare cosine."""
ROWS_AT_A_TIME = 4096


@dataclass(frozen=True, eq=False)
class PreparedFaces:
    """What a back-end has to know of faces to score them; a score is `vectors @ vectors` plus both offsets.

    Attributes:
        vectors: f8 (n, d).
        offset: f8 (n,), part of every score of a face.
        center: f8 (n,), mean of a face's highest scores against the cohort; 0 without one.
        scale: f8 (n,), their standard deviation; 1 without one.
    """

    vectors: np.ndarray
    offset: np.ndarray
    center: np.ndarray
    scale: np.ndarray

    def __len__(self) -> int:
        return len(self.vectors)

    def take(self, rows: np.ndarray | slice) -> PreparedFaces:
        """Return those of rows."""
        return PreparedFaces(self.vectors[rows], self.offset[rows], self.center[rows], self.scale[rows])


@dataclass(frozen=True, eq=False)
class BackEnd:
    """A projection of embeddings, and a score of two of them; larger is more similar.

    `lda` gives the cosine in discriminant directions. `plda` gives the natural logarithm of the likelihood ratio
    of one person against two, under the two-covariance model: an embedding is a person's vector, drawn with the
    covariance between people, plus a capture's, drawn with that within people. `asnorm` counts a score in standard
    deviations of either face's highest scores against a cohort of training people, and takes the mean of the two.

    Attributes:
        kind: one of `BACK_ENDS`.
        mean: f4 (E,), taken off embeddings; 0 where nothing is projected.
        directions: f4 (E, d) in which the covariance within people is 1; None: none, embeddings stay as they are.
        between: f4 (d,), variance between people in each direction, for PLDA; None: it is the cosine.
        cohort: f4 (c, E), mean embeddings of training people; None: scores are not normalised.
        top: how many of the cohort's scores a face is normalised by.
        info: texts on what it was learnt from; they are kept in its file.
    """

    kind: str
    mean: np.ndarray
    directions: np.ndarray | None = None
    between: np.ndarray | None = None
    cohort: np.ndarray | None = None
    top: int = 0
    info: Mapping[str, str] = field(default_factory=dict)

    @property
    def embedding_size(self) -> int:
        """Length of the embeddings that it takes."""
        return len(self.mean)

    @property
    def gives_embeddings(self) -> bool:
        """Whether its score is the cosine of what `project` returns, so that these are embeddings themselves."""
        return self.between is None and self.cohort is None

    def project(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the projection f8 (n, d) of embeddings (n, E): of unit length, but for PLDA.

        Raises:
            UserError: embeddings of another length.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != self.embedding_size:
            raise UserError(
                f"back-end {self.kind}: takes embeddings of {self.embedding_size} numbers, these have the shape "
                f"{embeddings.shape}: use the back-end that was learnt on this network"
            )
        found = np.asarray(embeddings, np.float64) - self.mean
        if self.directions is not None:
            found = found @ self.directions.astype(np.float64)
        return found if self.between is not None else unit_length(found)

    def prepare(self, embeddings: np.ndarray) -> PreparedFaces:
        """Return what scores of embeddings (n, E) are computed from."""
        faces = self._without_cohort(embeddings)
        if self.cohort is None:
            return faces
        cohort = self._without_cohort(self.cohort)
        center, scale = np.empty(len(faces)), np.empty(len(faces))
        for start in range(0, len(faces), ROWS_AT_A_TIME):
            part = slice(start, start + ROWS_AT_A_TIME)
            highest = -np.partition(-_plain_scores(faces.take(part), cohort), self.top - 1, axis=1)[:, : self.top]
            center[part], scale[part] = highest.mean(axis=1), highest.std(axis=1)
        return PreparedFaces(faces.vectors, faces.offset, center, np.maximum(scale, np.finfo(np.float32).eps))

    def scores(self, first: PreparedFaces, second: PreparedFaces) -> np.ndarray:
        """Return f8 (A, B), the score of each of some faces with each of others."""
        found = _plain_scores(first, second)
        if self.cohort is None:
            return found
        one = (found - first.center[:, None]) / first.scale[:, None]
        return (one + (found - second.center) / second.scale) / 2

    def pair_scores(self, first: PreparedFaces, second: PreparedFaces) -> np.ndarray:
        """Return f8 (n,), the scores of faces pair by pair."""
        found = np.einsum("nd,nd->n", first.vectors, second.vectors) + first.offset + second.offset
        if self.cohort is None:
            return found
        return ((found - first.center) / first.scale + (found - second.center) / second.scale) / 2

    def score(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return f8 (A, B), the score of each of embeddings (A, E) with each of embeddings (B, E).

        Raises:
            UserError: embeddings of another length.
        """
        return self.scores(self.prepare(first), self.prepare(second))

    def _without_cohort(self, embeddings: np.ndarray) -> PreparedFaces:
        found = self.project(embeddings)
        offset = np.zeros(len(found))
        if self.between is not None:
            found, offset = _likelihood_ratio(found, self.between.astype(np.float64))
        return PreparedFaces(found, offset, np.zeros(len(found)), np.ones(len(found)))


def unit_length(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (n, d) at unit length; 0 stays 0."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(length, np.finfo(np.float64).tiny)


def _plain_scores(first: PreparedFaces, second: PreparedFaces) -> np.ndarray:
    return first.vectors @ second.vectors.T + first.offset[:, None] + second.offset


def _likelihood_ratio(projected: np.ndarray, between: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors and offsets whose products and sums are the log-likelihood ratios of PLDA.

    In directions where the covariance within people is 1 and that between them is diagonal, a pair (a, b) of one person
    has covariance [[1 + v, v], [v, 1 + v]] in each, and of two people (1 + v) times the identity; the difference of
    the two logarithms of densities is quadratic in a and b.
    """
    alike, apart = 1 + 2 * between, 1 + between
    own = between**2 / (alike * apart)
    constant = np.sum(np.log(apart) - np.log(alike) / 2)
    return projected * np.sqrt(between / alike), constant / 2 - projected**2 @ own / 2
