"""What an evaluation found. `as_json` of an `Evaluation` is `metrics.json`: the same names, less the raw arrays.

Every figure that people would quote is a `Figure`: a value with its interval, or none with the reason why. Fields made
by `raw` hold arrays for plots, CSVs and paired comparisons, and never reach the JSON.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SCHEMA_VERSION = 1
NO_ROWS = np.zeros(0, np.int64)
NO_NUMBERS = np.zeros(0, np.float64)


def raw(empty: np.ndarray) -> Any:
    """Return a dataclass field for an array that stays out of the JSON."""
    return field(default_factory=empty.copy, repr=False, metadata={"raw": True})


@dataclass(frozen=True, eq=False)
class Figure:
    """One figure.

    Attributes:
        value: the figure, a share from 0 to 1 unless its place says otherwise; None where it cannot be measured.
        low: lower end of the interval; None without one.
        high: its upper end.
        why: why there is no value, or no interval; None where there are both.
        samples: f8 (R,), raw: the figure in each resample of people, NaN where that one gives none. Resample r draws
            the same people for every method and figure of one list, so that differences are paired.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    why: str | None = None
    samples: np.ndarray = raw(NO_NUMBERS)


@dataclass(frozen=True)
class Fold:
    """One fold of the LFW protocol, judged with the threshold that is best on the other folds.

    Attributes:
        fold: its number in the list.
        genuine: genuine pairs.
        impostors: impostor pairs.
        threshold: least similarity that is called the same person.
        accuracy: share of pairs called right.
        precision: share of genuine pairs among those called the same; None where none is.
        recall: share of genuine pairs called the same; None without genuine pairs.
    """

    fold: int
    genuine: int
    impostors: int
    threshold: float
    accuracy: float
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (of a sample, n - 1) of n numbers; `std` is None for one alone."""

    mean: float
    std: float | None
    n: int


@dataclass(frozen=True, eq=False)
class FoldsResult:
    """Verification on pairs in folds of disjoint people.

    Attributes:
        accuracy: mean over folds, with its interval over people, thresholds held.
        spread: of accuracy, precision, recall and threshold over the folds, by those names.
        folds: each of them.
        notices: lines for the reader.
        first: i64 (n,), raw: row of each pair's first sample; all below are as long.
        second: i64, raw.
        same: bool, raw.
        fold: i64, raw.
        scores: f8, raw: similarities.
    """

    accuracy: Figure
    spread: dict[str, Spread]
    folds: tuple[Fold, ...]
    notices: tuple[str, ...] = ()
    first: np.ndarray = raw(NO_ROWS)
    second: np.ndarray = raw(NO_ROWS)
    same: np.ndarray = raw(NO_ROWS.astype(bool))
    fold: np.ndarray = raw(NO_ROWS)
    scores: np.ndarray = raw(NO_NUMBERS)


@dataclass(frozen=True, eq=False)
class VerificationResult:
    """Verification on one list of pairs.

    Attributes:
        title: what is compared, for people to read.
        people: people in the pairs.
        genuine: genuine pairs.
        impostors: impostor pairs.
        complete: these are all pairs that the rows admit; False: a drawn part of them, or a given list.
        auc: area under the ROC curve, ties half.
        eer: equal error rate.
        tar: share of genuine pairs accepted at a false accept rate, by that rate: `1e-1` to `1e-5`.
        folds: accuracy on pairs in folds; None where there are none.
        notices: lines for the reader.
        first: i64 (n,), raw: row of each pair's first sample (the probe's); all below are as long.
        second: i64, raw.
        same: bool, raw.
        scores: f8, raw: similarities.
    """

    title: str
    people: int
    genuine: int
    impostors: int
    complete: bool
    auc: Figure
    eer: Figure
    tar: dict[str, Figure]
    folds: FoldsResult | None = None
    notices: tuple[str, ...] = ()
    first: np.ndarray = raw(NO_ROWS)
    second: np.ndarray = raw(NO_ROWS)
    same: np.ndarray = raw(NO_ROWS.astype(bool))
    scores: np.ndarray = raw(NO_NUMBERS)


@dataclass(frozen=True, eq=False)
class IdentificationResult:
    """Identification of probes among the enrolled.

    Attributes:
        title: what is compared, for people to read.
        people: people enrolled.
        gallery: samples enrolled.
        probes: samples to be recognised, all of enrolled people.
        rank: share of probes whose person is among the best 1, 5 and 10, by those numbers as texts.
        cmc: that share for ranks 1, 2, 3, … up to 50 or the number of people.
        mean_average_precision: gallery → probe: each enrolled person ranks all probes.
        notices: lines for the reader.
        probe: i64 (n,), raw: row of each probe; all below are as long.
        own_rank: i64, raw: rank of the probe's person.
        own: i64, raw: row of the enrolled sample of that person which is most alike.
        own_score: f8, raw: its similarity.
        rival: i64, raw: row of the most alike enrolled sample of somebody else; -1 where nobody else is enrolled.
        rival_score: f8, raw: its similarity; -inf there.
    """

    title: str
    people: int
    gallery: int
    probes: int
    rank: dict[str, Figure]
    cmc: tuple[float, ...]
    mean_average_precision: Figure
    notices: tuple[str, ...] = ()
    probe: np.ndarray = raw(NO_ROWS)
    own_rank: np.ndarray = raw(NO_ROWS)
    own: np.ndarray = raw(NO_ROWS)
    own_score: np.ndarray = raw(NO_NUMBERS)
    rival: np.ndarray = raw(NO_ROWS)
    rival_score: np.ndarray = raw(NO_NUMBERS)


@dataclass(frozen=True, eq=False)
class Part:
    """The probes that share a value of a column, against the whole gallery.

    Attributes:
        value: the value, or the bin: `surgical`, `10 to 20`, `not given`.
        probes: how many.
        people: whose.
        rank_1: share recognised first.
        auc: of the pairs of these probes with the gallery.
    """

    value: str
    probes: int
    people: int
    rank_1: Figure
    auc: Figure


@dataclass(frozen=True)
class ModelFacts:
    """What a method costs; None where it is not known or does not apply.

    Attributes:
        parameters: weights that are learnt.
        flops: floating-point operations for one face.
        ms_a_face: milliseconds for one face, batched as the evaluation was.
        faces_a_second: how many in a second.
        device: what they were measured on.
    """

    parameters: int | None = None
    flops: int | None = None
    ms_a_face: float | None = None
    faces_a_second: float | None = None
    device: str | None = None


@dataclass(frozen=True, eq=False)
class MethodResult:
    """All figures of one method.

    Attributes:
        name: what the report calls it.
        verification: results by name of their list.
        identification: results by name of their protocol.
        breakdown: by protocol, then by column of the table: its parts.
        model: what it costs.
        notices: lines for the reader.
    """

    name: str
    verification: dict[str, VerificationResult]
    identification: dict[str, IdentificationResult]
    breakdown: dict[str, dict[str, tuple[Part, ...]]]
    model: ModelFacts = ModelFacts()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Difference:
    """How much more one method reaches than another, on the same lists and people.

    Attributes:
        better: name of the method, or group of runs, that is taken first; the difference may yet be negative.
        other: name of the one that is subtracted.
        figures: by list, then by figure (`auc`, `eer`, `accuracy`, `rank 1`, `tar 1e-3` …): the difference, with its
            interval by the paired bootstrap over people.
    """

    better: str
    other: str
    figures: dict[str, dict[str, Figure]]


@dataclass(frozen=True, eq=False)
class SeedsResult:
    """Several runs of one config that differ in their seed.

    Attributes:
        name: what the report calls them.
        methods: names of the runs.
        spread: by list, then by figure, named as in `Difference`: mean ± std over the runs.
        figures: the same: the mean over the runs, with its interval over people.
    """

    name: str
    methods: tuple[str, ...]
    spread: dict[str, dict[str, Spread]]
    figures: dict[str, dict[str, Figure]]


@dataclass(frozen=True)
class DatasetFacts:
    """What was evaluated on.

    Attributes:
        name: name of the dataset.
        digest: of its description.
        split: the split.
        samples: rows.
        people: whose.
        captures: of how many captures.
        masked: rows that wear a mask.
        note: what has to be said beside every figure.
    """

    name: str
    digest: str
    split: str
    samples: int
    people: int
    captures: int
    masked: int
    note: str = ""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that one evaluation found.

    Attributes:
        dataset: what it was evaluated on.
        methods: results by name.
        notices: lines for the reader.
        differences: of pairs of methods.
        seeds: runs of one config together.
        confidence: share that the intervals cover.
        resamples: bootstrap resamples of people behind each interval.
        seed: decides what is drawn.
        schema_version: of this layout.
    """

    dataset: DatasetFacts
    methods: dict[str, MethodResult]
    notices: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    seeds: tuple[SeedsResult, ...] = ()
    confidence: float = 0.95
    resamples: int = 1000
    seed: int = 0
    schema_version: int = SCHEMA_VERSION


def as_json(value: Any) -> Any:
    """Return a result as plain values for `json.dump`, raw arrays left out; numbers that are not finite become None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kept = (part.name for part in dataclasses.fields(value) if not part.metadata.get("raw"))
        return {name: as_json(getattr(value, name)) for name in kept}
    if isinstance(value, dict):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [as_json(item) for item in value]
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain
