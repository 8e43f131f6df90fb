"""Results of an evaluation. `as_json` of an `Evaluation` is `metrics.json`: the same names, without the raw arrays.

Every figure that people would quote is a `Figure`: a value with its interval, or none with the reason why. Fields
marked `RAW` hold arrays for plots, CSVs and paired comparisons, and never reach the JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from face3d_training.evaluation.metrics.figure import RAW, Figure, Outcomes, ScoredPairs, Spread

SCHEMA_VERSION = 1


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


@dataclass(frozen=True, eq=False)
class FoldsResult:
    """Verification on pairs in folds of disjoint people.

    Attributes:
        accuracy: mean over folds, with its interval over people, thresholds held.
        spread: of accuracy, precision, recall and threshold over the folds, by those names.
        folds: each of them.
        pairs: raw.
        notices: lines for the reader.
    """

    accuracy: Figure
    spread: dict[str, Spread]
    folds: tuple[Fold, ...]
    pairs: ScoredPairs = field(repr=False, metadata=RAW)
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class VerificationResult:
    """Verification on one list of pairs.

    Attributes:
        title: what is compared, in words.
        people: people in the pairs.
        genuine: genuine pairs.
        impostors: impostor pairs.
        complete: these are all pairs that the rows admit; False: a drawn part of them, or a given list.
        auc: area under the ROC curve, ties half.
        eer: equal error rate.
        tar: share of genuine pairs accepted at a false accept rate, by that rate: `1e-1` to `1e-5`.
        pairs: raw.
        folds: accuracy on pairs in folds; None where there are none.
        notices: lines for the reader.
    """

    title: str
    people: int
    genuine: int
    impostors: int
    complete: bool
    auc: Figure
    eer: Figure
    tar: dict[str, Figure]
    pairs: ScoredPairs = field(repr=False, metadata=RAW)
    folds: FoldsResult | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class IdentificationResult:
    """Identification of probes among the enrolled.

    Attributes:
        title: what is compared, in words.
        people: people enrolled.
        gallery: samples enrolled.
        probes: samples to be recognised, all of enrolled people.
        rank: share of probes whose person is among the best 1, 5 and 10, by those numbers as texts.
        cmc: that share for ranks 1, 2, 3, … up to 50 or the number of people.
        mean_average_precision: each probe ranks all enrolled samples, as re-identification defines mAP (Zheng et al.
            2015, ICCV); with one sample of each person it is the mean of 1 / rank.
        outcomes: raw.
        notices: lines for the reader.
    """

    title: str
    people: int
    gallery: int
    probes: int
    rank: dict[str, Figure]
    cmc: tuple[float, ...]
    mean_average_precision: Figure
    outcomes: Outcomes = field(repr=False, metadata=RAW)
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ProbeSubset:
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


@dataclass(frozen=True, eq=False)
class ClosedSetResult:
    """Classification of captures of trained people by the class weights of a network's loss.

    Attributes:
        samples: rows that were classified.
        people: whose.
        classes: people that were trained on.
        top: share of rows whose person has the largest score, or is among the first 5, by those numbers as texts.
    """

    samples: int
    people: int
    classes: int
    top: dict[str, Figure]


@dataclass(frozen=True)
class Timing:
    """Time of a network's forward pass with batches of one size.

    Attributes:
        batch_size: faces of a batch.
        ms_a_face: median over the runs, milliseconds.
        faces_a_second: how many in a second at that.
        runs: passes that were timed.
    """

    batch_size: int
    ms_a_face: float
    faces_a_second: float
    runs: int


@dataclass(frozen=True)
class ModelFacts:
    """Cost of a method; None where it is not known or does not apply.

    Attributes:
        parameters: weights that are learnt.
        flops: floating-point operations for one face, a multiplication and an addition counting as two: matrix
            products and convolutions alone, as `torch.utils.flop_counter` counts them, no norms, no neighbour search.
        timings: one for each batch size.
        device: what they were measured on, with the number of threads on a CPU.
    """

    parameters: int | None = None
    flops: int | None = None
    timings: tuple[Timing, ...] = ()
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
        closed_set: classification of trained people, of a dataset split by capture; None where it says nothing.
    """

    name: str
    verification: dict[str, VerificationResult]
    identification: dict[str, IdentificationResult]
    breakdown: dict[str, dict[str, tuple[ProbeSubset, ...]]]
    model: ModelFacts = ModelFacts()
    notices: tuple[str, ...] = ()
    closed_set: ClosedSetResult | None = None


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
        people: people by list.
    """

    name: str
    methods: tuple[str, ...]
    spread: dict[str, dict[str, Spread]]
    figures: dict[str, dict[str, Figure]]
    people: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class DatasetFacts:
    """Dataset of an evaluation.

    Attributes:
        name: name of the dataset.
        digest: of its description.
        split: the split.
        samples: rows.
        people: whose.
        captures: of how many captures.
        masked: rows that wear a mask.
        note: what has to be stated with every figure.
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
    """Results of one evaluation.

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
