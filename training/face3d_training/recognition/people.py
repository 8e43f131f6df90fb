"""Decisions on faces: which enrolled person one shows, or that it shows none of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from face3d_data.errors import UserError
from face3d_training.recognition.calibration import Calibration, OperatingPoint
from face3d_training.recognition.gallery import UNKNOWN, PeopleGallery
from face3d_training.recognition.search import nearest


@dataclass(frozen=True)
class Candidate:
    """An enrolled person that a face may show.

    Attributes:
        name: the person.
        distance: Euclidean distance of the face's embedding to the person's mean, from 0 to 2.
        probability: that both are one person, if that is as likely as not beforehand; None without a calibration.
    """

    name: str
    distance: float
    probability: float | None


@dataclass(frozen=True)
class Decision:
    """What is said of one face.

    Attributes:
        name: the person, or `unknown`.
        candidates: the nearest people, nearest first.
    """

    name: str
    candidates: tuple[Candidate, ...]

    @property
    def best(self) -> Candidate:
        """The nearest person, whether accepted or not."""
        return self.candidates[0]


@dataclass(frozen=True)
class Threshold:
    """Distance up to which a face is accepted as a person's.

    Attributes:
        distance: the distance.
        point: where it comes from, if from a calibration.
    """

    distance: float
    point: OperatingPoint | None = None


def choose_threshold(calibration: Calibration | None, fmr: float, given: float | None, network: str) -> Threshold:
    """Return the threshold that is asked for: a distance, or that of a false match rate.

    Args:
        calibration: the network's.
        fmr: false match rate, if no distance is given.
        given: a distance.
        network: what messages call it.

    Raises:
        UserError: there is no calibration, or its data cannot show the rate.
    """
    if given is not None:
        if not math.isfinite(given):
            raise UserError(f"--threshold {given}: is no distance: give one from 0 to 2")
        return Threshold(given)
    if calibration is None:
        raise UserError(
            f"{network}: has no calibration, so that no threshold is known for --fmr {fmr:g}: give --threshold "
            "DISTANCE, or --calibration FILE, which face3d calibrate makes of an evaluation"
        )
    point = calibration.point(fmr)
    return Threshold(point.distance, point)


def known_threshold(calibration: Calibration | None, fmr: float) -> float | None:
    """Return the distance of a false match rate, None where no calibration shows it."""
    try:
        return None if calibration is None else calibration.point(fmr).distance
    except UserError:
        return None


class Recogniser:
    """People of a gallery, a threshold, and what distances mean.

    Args:
        gallery: one person or more.
        threshold: up to which distance a face is accepted.
        calibration: gives probabilities; None: there are none.
        shown: how many candidates a decision lists.

    Raises:
        UserError: the gallery is empty.
    """

    def __init__(
        self, gallery: PeopleGallery, threshold: Threshold, calibration: Calibration | None, shown: int = 3
    ) -> None:
        self.names, self.matrix = gallery.matrix()
        if not self.names:
            raise UserError("the gallery is empty: enrol somebody with face3d enroll")
        self.threshold, self.calibration, self.shown = threshold, calibration, shown

    def decide(self, embeddings: np.ndarray) -> list[Decision]:
        """Return what is said of each face.

        Args:
            embeddings: f4 (n, E), unit length.
        """
        if not len(embeddings):
            return []
        rows, distances = nearest(self.matrix, embeddings, self.shown)
        return [self._decision(own, far) for own, far in zip(rows, distances, strict=True)]

    def _decision(self, rows: Sequence[int], distances: np.ndarray) -> Decision:
        sure = [None] * len(rows) if self.calibration is None else self.calibration.probability(distances).tolist()
        candidates = tuple(
            Candidate(self.names[row], float(far), one) for row, far, one in zip(rows, distances, sure, strict=True)
        )
        accepted = candidates[0].distance <= self.threshold.distance
        return Decision(candidates[0].name if accepted else UNKNOWN, candidates)
