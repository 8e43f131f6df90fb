"""Calibration of a network's distances: thresholds for false match rates, and the probability of one person.

Measured on the scores of an evaluation, of people that the network did not learn from. A rate is given only where at
least 30 impostor pairs are accepted at it (the rule of 30: Doddington et al. 2000, The NIST speaker recognition
evaluation).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d_data.atomic import write_atomic
from face3d_data.errors import UserError
from face3d_data.json_text import parse_json
from face3d_data.plurals import counted

if TYPE_CHECKING:
    import pandas as pd

FORMAT, ENDING = 1, ".json"
LEAST_FALSE_MATCHES = 30
RATES = tuple(float(f"{digit}e-{power}") for power in range(1, 8) for digit in (5, 2, 1))
"""False match rates for which a threshold is kept, if the data can show them."""
LISTS = (("listed",), ("plain_to_plain", "masked_to_plain"), ("plain_to_plain",))
"""Lists of an evaluation whose gallery is plain, as people are enrolled; the first that are there are used."""
SLACK = 1e-9
"""What rounding may take from a rate times a number of pairs."""
RESAMPLES = 500
LARGEST_DISTANCE = 2.0
"""Of two vectors of unit length."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and its error rates.

    Attributes:
        fmr: the largest false match rate that it was chosen for.
        distance: two faces at most this far apart count as one person.
        fmr_low: lower end of the interval of its false match rate, over people; `fmr_high` the upper.
        fnmr: its false non-match rate; `fnmr_low` and `fnmr_high` are its interval.
    """

    fmr: float
    distance: float
    fmr_low: float
    fmr_high: float
    fnmr: float
    fnmr_low: float
    fnmr_high: float

    @property
    def in_words(self) -> str:
        """The point in one line."""
        return (
            f"distance ≤ {self.distance:.3f}: false matches {self.fmr:g} [{self.fmr_low:.2g}, {self.fmr_high:.2g}], "
            f"false non-matches {self.fnmr:.3f} [{self.fnmr_low:.3f}, {self.fnmr_high:.3f}]"
        )


@dataclass(frozen=True)
class Calibration:
    """What a distance between two faces means, by one network.

    Attributes:
        network: SHA-256 of the file of the network whose scores these are.
        slope: log-odds per unit of distance, below 0; with `offset` those of one person, both kinds of pairs being
            equally frequent.
        offset: log-odds at distance 0.
        points: thresholds, the loosest first.
        genuine: pairs of one person that were measured; `impostors` of two; `people` how many people these show.
        measured_on: the datasets and lists, in words.
        notice: what has to be said with every figure.
    """

    network: str
    slope: float
    offset: float
    points: tuple[OperatingPoint, ...]
    genuine: int
    impostors: int
    people: int
    measured_on: str
    notice: str

    def probability(self, distance: np.ndarray) -> np.ndarray:
        """Return f8: how probably faces this far apart show one person, if that is as likely as not beforehand."""
        return 1 / (1 + np.exp(-np.clip(self.slope * np.asarray(distance, np.float64) + self.offset, -50, 50)))

    def point(self, fmr: float) -> OperatingPoint:
        """Return the threshold for a false match rate, or for the next lower one that is kept.

        Raises:
            UserError: the data cannot show so low a rate.
        """
        for point in self.points:
            if point.fmr <= fmr * (1 + 1e-9):
                return point
        lowest = f"the lowest that they show is {self.points[-1].fmr:g}" if self.points else "they show none"
        raise UserError(
            f"--fmr {fmr:g}: cannot be shown by {self.impostors:,} impostor pairs of {counted(self.people, 'person')} "
            f"({lowest}): use a higher rate, or calibrate on more people"
        )

    def record(self) -> dict[str, Any]:
        """Return it as plain values, which `from_record` takes back."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_record(cls, record: Mapping[str, Any], where: str) -> Calibration:
        """Return the calibration of a record.

        Raises:
            UserError: it is not one.
        """
        try:
            if record["format"] != FORMAT:
                raise UserError(f"{where}: is a calibration of another version: make it again with face3d calibrate")
            values = {field.name: record[field.name] for field in fields(cls)}
            points = tuple(OperatingPoint(**point) for point in values.pop("points"))
            found = cls(**values, points=points)
            sound = found._is_sound()
        except (KeyError, TypeError):
            raise UserError(f"{where}: is no calibration: give a file that face3d calibrate wrote") from None
        if not sound:
            raise UserError(f"{where}: is damaged: face3d calibrate writes no such numbers: make it again")
        return found

    def _is_sound(self) -> bool:
        """Tell whether the numbers can be those of a calibration."""
        numbers = [self.slope, self.offset, *(value for point in self.points for value in asdict(point).values())]
        counts = (self.genuine, self.impostors, self.people)
        rates, distances = [point.fmr for point in self.points], [point.distance for point in self.points]
        return (
            all(isinstance(value, int | float) and math.isfinite(value) for value in numbers)
            and all(isinstance(count, int) and count > 0 for count in counts)
            and all(isinstance(text, str) for text in (self.network, self.measured_on, self.notice))
            and self.slope < 0
            and rates == sorted(rates, reverse=True)
            and distances == sorted(distances, reverse=True)
            and all(0 <= distance <= LARGEST_DISTANCE for distance in distances)
        )


def read_calibration(path: str | Path) -> Calibration:
    """Return the calibration in a JSON file.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    path = Path(path)
    try:
        record = parse_json(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{path}: cannot be read as a calibration ({why}): make one with face3d calibrate") from None
    return Calibration.from_record(record if isinstance(record, dict) else {}, str(path))


def calibrate(distances: np.ndarray, pairs: pd.DataFrame, network: str, measured_on: str, notice: str) -> Calibration:
    """Return what distances mean, measured on pairs.

    Args:
        distances: f8 (n,), of each pair.
        pairs: columns `name1`, `name2`, `same`; names of people must be unique over all of them.
        network: SHA-256 of the network's file.
        measured_on: the datasets and lists, in words.
        notice: what has to be said with every figure.

    Raises:
        UserError: there are no genuine or no impostor pairs.
    """
    from face3d_training.back_ends.fusion import learn_fusion
    from face3d_training.evaluation.metrics.bootstrap import people_weights

    same = pairs["same"].to_numpy(bool)
    names, place = np.unique(np.concatenate([pairs["name1"], pairs["name2"]]).astype(str), return_inverse=True)
    first, second = place[: len(pairs)], place[len(pairs) :]
    if not np.isfinite(distances).all() or not (
        distances.min() >= 0 and distances.max() <= LARGEST_DISTANCE * (1 + SLACK)
    ):
        raise UserError("calibrate: scores are no distances of embeddings from 0 to 2: evaluate the network again")
    learnt = learn_fusion(["distance"], distances[:, None], same)
    if learnt.weights[0] >= 0:
        raise UserError(
            "calibrate: faces of one person are no nearer than those of two: this network recognises nobody"
        )
    weights = people_weights(names.tolist(), RESAMPLES, 0).astype(np.float64)
    strange, own = _Weighed(distances[~same], first[~same], second[~same]), _Weighed(distances[same], first[same])
    count = len(strange.distances)
    rates = [rate for rate in RATES if int(rate * count + SLACK) >= LEAST_FALSE_MATCHES]
    if not rates:
        raise UserError(
            f"calibrate: {counted(count, 'impostor pair')} show no false match rate: at least "
            f"{2 * LEAST_FALSE_MATCHES} are needed, so evaluate more people"
        )
    points = _points(rates, strange, own, weights)
    return Calibration(
        network=network,
        slope=float(learnt.weights[0]),
        offset=float(learnt.offset),
        points=points,
        genuine=int(same.sum()),
        impostors=int((~same).sum()),
        people=len(names),
        measured_on=measured_on,
        notice=notice,
    )


class _Weighed:
    """Distances of pairs, nearest first, with the people whose resampling weighs them."""

    def __init__(self, distances: np.ndarray, first: np.ndarray, second: np.ndarray | None = None) -> None:
        order = np.argsort(distances, kind="stable")
        self.distances, self.first = distances[order], first[order]
        self.second = None if second is None else second[order]

    def accepted(self, distances: np.ndarray) -> np.ndarray:
        """Return i64: how many pairs are at most so far apart."""
        return np.searchsorted(self.distances, distances, side="right")

    def shares(self, counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return f8 (R, c): the shares of the first `counts` pairs in each resample; NaN where no pair has weight."""
        shares = np.full((len(weights), len(counts)), np.nan)
        for row, drawn in zip(shares, weights, strict=True):
            weight = drawn[self.first] if self.second is None else drawn[self.first] * drawn[self.second]
            summed = np.concatenate([[0.0], np.cumsum(weight)])
            if summed[-1] > 0:
                row[:] = summed[counts] / summed[-1]
        return shares


def _points(
    rates: Sequence[float], strange: _Weighed, own: _Weighed, weights: np.ndarray
) -> tuple[OperatingPoint, ...]:
    """Return for each rate the loosest threshold at which no more than that share of impostor pairs is accepted."""
    allowed = [int(rate * len(strange.distances) + SLACK) for rate in rates]
    distances = np.nextafter(strange.distances[np.array(allowed, np.intp)], -np.inf)
    ends = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    kept = own.accepted(distances)
    low, high = np.nanquantile(strange.shares(strange.accepted(distances), weights), ends, axis=0)
    most, least = 1 - np.nanquantile(own.shares(kept, weights), ends, axis=0)
    rejected = 1 - kept / len(own.distances)
    columns = (rates, distances, low, high, rejected, least, most)
    return tuple(OperatingPoint(*map(float, values)) for values in zip(*columns, strict=True))


def calibrate_on(evaluations: Sequence[str | Path], method: str | None = None) -> Calibration:
    """Return the calibration of a network by the scores of one or more evaluations of it.

    Args:
        evaluations: folders that `face3d evaluate` wrote, of the same network and different people.
        method: what the reports call the network; None: the only one.

    Raises:
        UserError: a folder is no evaluation, the networks differ, or people of one name are in two of them.
    """
    import pandas as pd

    tables, distances, described, notices, network = [], [], [], [], ""
    for folder in map(Path, evaluations):
        metrics, scores = _read_evaluation(folder)
        name, digest = _method_of(metrics, method, folder)
        if name not in scores:
            raise UserError(f"{folder}: has no scores of {name}: evaluate it again")
        if network and digest != network:
            raise UserError(f"{folder}: is of another network than {evaluations[0]}: calibrate one network at a time")
        network = digest
        kept, lists = _plain_gallery(scores, folder)
        dataset = metrics["dataset"]["name"]
        tables.append(kept.assign(name1=dataset + "/" + kept["name1"], name2=dataset + "/" + kept["name2"]))
        distances.append(-kept[name].to_numpy(np.float64))
        described.append(f"{dataset} ({', '.join(lists)})")
        notices += [metrics["dataset"].get("note") or ""]
    pairs = pd.concat(tables, ignore_index=True)
    if len({text.partition(" (")[0] for text in described}) < len(described):
        raise UserError("two evaluations are of one dataset: give each once")
    notice = "; ".join(dict.fromkeys(text for text in notices if text))
    return calibrate(np.concatenate(distances), pairs, network, ", ".join(described), notice)


def _read_evaluation(folder: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    import pandas as pd

    from face3d_training.evaluation.report.files import METRICS, SCORES

    try:
        metrics = parse_json((folder / METRICS).read_text("utf-8"))
        text_columns = dict.fromkeys(("list", "fold", "id1", "id2", "name1", "name2"), str)
        scores = pd.read_csv(folder / SCORES, dtype=text_columns, keep_default_na=False)
        scores = scores[scores["fold"] == ""]
        named = {entry["method"] for entry in metrics["about"]["checkpoints"]} & set(scores.columns)
        scores = scores.astype(dict.fromkeys(named, np.float64) | {"same": int})
        metrics["dataset"]["name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{folder}: is no evaluation ({why}): give a folder that face3d evaluate wrote") from None
    return metrics, scores


def _method_of(metrics: Mapping[str, Any], method: str | None, folder: Path) -> tuple[str, str]:
    """Return what an evaluation calls a network, and the digest of the network's file."""
    known = {entry["method"]: entry["sha256"] for entry in metrics["about"]["checkpoints"]}
    if method is None and len(known) == 1:
        return next(iter(known.items()))
    if method in known:
        return str(method), known[str(method)]
    there = ", ".join(known) or "none"
    raise UserError(f"{folder}: choose one of its networks with --method ({there})")


def _plain_gallery(scores: pd.DataFrame, folder: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    there = set(scores["list"])
    for lists in LISTS:
        if there.issuperset(lists):
            return scores[scores["list"].isin(lists)], lists
    raise UserError(
        f"{folder}: has no scores of probes against plain faces ({', '.join(sorted(there)) or 'nothing'}): evaluate "
        "the dataset without --protocol and --pairs"
    )


def check_calibration_file(path: str | Path) -> None:
    """Check, before any work, that a calibration can be written: there is nothing yet, or an older calibration.

    Raises:
        UserError: something else is there, or the name ends in another way.
    """
    path = Path(path)
    if path.suffix != ENDING:
        raise UserError(f"--out {path}: is written as JSON: give it the ending {ENDING}")
    if not path.exists():
        return
    try:
        read_calibration(path)
    except UserError:
        raise UserError(f"--out {path}: is there already and is no calibration: use another name") from None


def save_calibration(path: str | Path, calibration: Calibration) -> None:
    """Write a calibration as JSON, completely or not at all."""
    path = Path(path)
    write_atomic(path, json.dumps(calibration.record(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
