"""Evaluation run, the function behind `face3d evaluate`: what is judged, on what, and what is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from face3d_data.errors import RunStopped, UserError
from face3d_data.plurals import counted
from face3d_data.shards.check import checked_dataset
from face3d_data.shards.pair_lists import find_pairs
from face3d_data.shards.published_lists import published_names, read_published
from face3d_data.shards.read import Dataset
from face3d_data.tables.listed import listed_protocol
from face3d_data.tables.protocol import Protocol, wears_mask
from face3d_data.tables.split import person_of
from face3d_training.checkpoint import find_checkpoint
from face3d_training.devices import choose_device
from face3d_training.evaluation.baselines.plan import BaselinePlan, ProgressCallback, plan_baselines
from face3d_training.evaluation.closed_sets import with_closed_sets
from face3d_training.evaluation.learnt import BackEndPlan, FusionPlan, TeachingData, plan_back_ends, plan_fusion
from face3d_training.evaluation.methods import Maker
from face3d_training.evaluation.metrics.evaluate import all_figures, evaluate
from face3d_training.evaluation.metrics.lists import EvaluationSettings, Lists, lists_from, lists_of
from face3d_training.evaluation.metrics.matcher import Matcher
from face3d_training.evaluation.metrics.results import DatasetFacts, Evaluation, MethodResult, ModelFacts
from face3d_training.evaluation.networks.about import About, LeakCheck
from face3d_training.evaluation.networks.load import Network, load_networks, method_names, runs_of_one_config
from face3d_training.evaluation.report.drawn import draw
from face3d_training.evaluation.report.files import check_replaceable, write_evaluation
from face3d_training.evaluation.report.mistakes import FacePictures
from face3d_training.evaluation.report.page import make_report
from face3d_training.evaluation.together import put_together
from face3d_training.leaks import DATASET_LEAKS, is_closed_set, leaks_of
from face3d_training.run_folder import dataset_digest
from face3d_training.speed import BATCH_SIZES, measure_cost
from face3d_training.split_table import rows_of

if TYPE_CHECKING:
    import pandas as pd

LOST = ("reject", "error", "crash")
"""Statuses of rows of dirty.csv that mean: this could not be used."""
VERSIONED = ("face3d_data", "torch", "numpy", "scikit-learn", "scipy")


@dataclass(frozen=True)
class Request:
    """Request for an evaluation.

    Attributes:
        dataset: a dataset's folder.
        out: folder that is written.
        checkpoints: checkpoints, or folders of runs, of which the best is taken.
        split: split that is judged on.
        pairs: pairs that are judged instead of the protocols: a file, or the name of a published list of the dataset.
        protocol: the only protocol that is judged.
        folds: a file of pairs without folds is cut into that many.
        pool_folds: the runs of a cross-validation are judged together, each on the fold that it left for the test.
        baselines: judge the baselines too; None: where they are possible.
        train_dataset: folder of the dataset whose split `train` the learnt baseline and back-ends learn from, and on
            whose split `eval` methods are weighed; the one that is judged on if not given.
        train_where: query on its columns: the rows of both that are used; None: for what is learnt on networks those
            of their own training, else all.
        back_ends: kinds of back-ends that each network is judged with too, or files of them.
        fuse: judge the fusion of all methods too.
        allow_leaks: go on where training and test share something.
        notices: what has to be stated with every figure.
        changes: keys of a config's `data` that are changed, how faces are put before networks.
        device: where networks run.
        workers: loader processes.
        settings: how figures are made.
        check: compare the datasets' files with their hashes first.
        architecture: name of the network of checkpoints that do not say it.
        branch: the part of an embedding that stands for it, or `both`; of networks whose embeddings have parts.
    """

    dataset: str | Path
    out: str | Path
    checkpoints: tuple[str | Path, ...] = ()
    split: str = "test"
    pairs: str | Path | None = None
    protocol: str | None = None
    folds: int | None = None
    pool_folds: bool = False
    baselines: bool | None = None
    train_dataset: str | Path | None = None
    train_where: str | None = None
    back_ends: tuple[str, ...] = ()
    fuse: bool = False
    allow_leaks: bool = False
    notices: tuple[str, ...] = ()
    changes: tuple[tuple[str, Any], ...] = ()
    device: str = "auto"
    workers: int = 0
    settings: EvaluationSettings = field(default_factory=EvaluationSettings)
    check: bool = True
    architecture: str | None = None
    branch: str | None = None


def run_evaluation(
    request: Request, progress: ProgressCallback = lambda label, done, total: None
) -> tuple[Evaluation, About]:
    """Judge networks and baselines on a split, and write the folder of the evaluation.

    Training and test data are checked for leaks before anything is computed.

    Args:
        request: the evaluation to make.
        progress: called with the state of progress.

    Raises:
        UserError: dataset, checkpoints and options do not go together, or a dataset is damaged.
        RunStopped: training and test data share something.
    """
    if not request.checkpoints and request.baselines is False:
        raise UserError(
            "evaluate: there is nothing to judge: give a checkpoint or --model packaged, or leave out --no-baseline"
        )
    check_replaceable(request.out)
    plan = _plan(request)
    refuse_leaks(plan.leaks, request.allow_leaks)
    lists, settings = _lists(request, plan.dataset, plan.table), request.settings
    maker = Maker(
        *(plan.networks, plan.back_ends, plan.baselines, plan.fusion, plan.device),
        *(request.workers, settings.seed, request.changes),
        progress=progress,
    )
    made = maker.make(plan.table)
    if not made.matchers:
        why = "; ".join((*plan.baselines.notices, *made.notes))
        raise UserError(f"evaluate: there is nothing to judge: give a checkpoint ({why})")
    costs = {network.name: network_cost(network) for network in plan.networks}
    methods = judge_methods(made.matchers, lists, settings, costs, progress)
    if is_closed_set(plan.dataset):
        methods = with_closed_sets(methods, plan.networks, made.vectors, settings)
    figures = (figure for method in methods.values() for figure in all_figures(method))
    if not any(figure.value is not None for figure in figures) and not any(one.closed_set for one in methods.values()):
        raise UserError(
            f"dataset {plan.dataset.name}: nothing can be measured on split {request.split!r}: it takes two people, or "
            "more, with two captures each"
        )
    groups, facts = runs_of_one_config(plan.networks), dataset_facts(request, plan.dataset, plan.table)
    evaluation = put_together(facts, methods, groups, made.bare_of, made.baselines, settings)

    about = About(
        leaks=plan.leaks,
        checkpoints=tuple(network.facts for network in plan.networks),
        baselines=made.baselines,
        versions={name: version(name) for name in VERSIONED},
        baseline_notes=made.notes,
        notices=(*_of_known_people(plan.dataset), *plan.notices, *lists.notices, *_rejected(plan.dataset)),
        dataset_leaks=_dataset_leaks(plan.dataset, plan.teacher, plan.networks),
    )
    pictures = FacePictures(request.dataset, request.split, plan.table)
    drawn = draw(evaluation, about, plan.table, made.vectors, pictures)
    report = make_report(evaluation, about, plan.table, drawn)
    write_evaluation(request.out, evaluation, about, plan.table, report, drawn.plots, made.back_ends)
    return evaluation, about


@dataclass(frozen=True)
class _Plan:
    """What is judged, and on what; nothing is computed yet."""

    dataset: Dataset
    table: pd.DataFrame
    device: torch.device
    networks: list[Network]
    teacher: Dataset | None
    back_ends: list[BackEndPlan]
    baselines: BaselinePlan
    fusion: FusionPlan | None

    @property
    def _learners(self) -> list[BackEndPlan | BaselinePlan | FusionPlan]:
        return [*self.back_ends, self.baselines, *([self.fusion] if self.fusion else [])]

    @property
    def leaks(self) -> tuple[LeakCheck, ...]:
        """The check of everything that learnt, or will learn."""
        return (*(one.leaks for one in self.networks), *(check for one in self._learners for check in one.leaks))

    @property
    def notices(self) -> tuple[str, ...]:
        """Lines for the reader."""
        of_networks = (f"{one.name}: {notice}" for one in self.networks for notice in one.notices)
        return (*of_networks, *(notice for one in self._learners for notice in one.notices))


def _plan(request: Request) -> _Plan:
    dataset, device = checked_dataset(request.dataset, request.check), choose_device(request.device)
    table = rows_of(dataset, request.split, None)
    named = request.architecture, request.branch
    networks = load_networks(request.checkpoints, dataset, request.split, request.changes, device, *named)
    teacher = None if request.train_dataset is None else checked_dataset(request.train_dataset, request.check)
    baselines = plan_baselines(dataset, request.split, table, request.baselines, teacher, request.train_where)
    given = TeachingData(teacher, request.train_where, request.changes)
    back_ends = plan_back_ends(request.back_ends, networks, dataset, given)
    fusion = plan_fusion(networks, dataset, table, given) if request.fuse else None
    return _Plan(dataset, table, device, networks, teacher, back_ends, baselines, fusion)


def _of_known_people(dataset: Dataset) -> Iterator[str]:
    """Yield a line on a closed set, whose people methods have learnt from."""
    if is_closed_set(dataset):
        yield (
            f"dataset {dataset.name} is split by capture: its people are known from training on purpose, so that no "
            "figure says anything of strangers"
        )


def _rejected(dataset: Dataset) -> Iterator[str]:
    """Yield a line on captures that no figure counts, as they never came into the dataset."""
    if (dataset.path / "dirty.csv").is_file():
        lost = dataset.dirty["status"].isin(LOST).sum()
        if lost:
            said = counted(int(lost), "sample was", "samples were")
            yield f"{said} rejected before they came into dataset {dataset.name} (dirty.csv): no figure counts them"


def _dataset_leaks(dataset: Dataset, teacher: Dataset | None, networks: Sequence[Network]) -> tuple[str, ...]:
    """Return what splits share in the datasets used for training or evaluation, each line once."""
    used = [dataset] if teacher is None or teacher.path == dataset.path else [dataset, teacher]
    lines = [line for one in used for line in leaks_of(one)]
    lines += [f"{one.name}: learnt from {line}" for one in networks for line in one.trained.info.get(DATASET_LEAKS, ())]
    return tuple(dict.fromkeys(lines))


def default_name(
    dataset: str | Path, split: str, checkpoints: Sequence[str | Path], pairs: str | Path | None, protocol: str | None
) -> str:
    """Return the name of an evaluation's folder, if none is given: dataset, split, the first network, the protocol.

    Raises:
        UserError: there is no such checkpoint.
    """
    names = method_names([find_checkpoint(path) for path in checkpoints])
    methods = [names[0] + (f"-and-{len(names) - 1}-more" if len(names) > 1 else "")] if names else ["baselines"]
    only = [Path(pairs).stem] if pairs is not None else [protocol] if protocol is not None else []
    return "-".join([Dataset(dataset).name, split, *methods, *only]).replace(" ", "-").replace("/", "-")


def refuse_leaks(checks: Iterable[LeakCheck], allowed: bool) -> None:
    """Stop if a method was trained on its test data.

    Raises:
        RunStopped: one was, and that is not allowed.
    """
    found = [f"{check.method}: {line}" for check in checks if check.state == "found" for line in check.lines]
    if found and not allowed:
        raise RunStopped(
            f"training and test data share something, so that no figure is computed: {'; '.join(found)}: judge on "
            "other people, or use --allow-leaks, which is recorded in every output"
        )


def _lists(request: Request, dataset: Dataset, table: pd.DataFrame) -> Lists:
    if request.pairs is not None:
        return lists_from(find_pairs(dataset.path, request.pairs), table, request.folds)
    names = published_names(dataset.info, request.split, list(dataset.info["splits"]))
    published = [read_published(dataset, name, table) for name in names]
    listed: Protocol | None = None
    notes: tuple[str, ...] = ()
    if (dataset.path / "gallery.csv").is_file():
        listed, notes = listed_protocol(table, *(one["sample_id"].tolist() for one in (dataset.gallery, dataset.probe)))
    lists = lists_of(table, request.settings, request.protocol, published, listed)
    return replace(lists, notices=(*lists.notices, *(notes if request.protocol is None else ())))


def network_cost(network: Network) -> ModelFacts:
    """Return what a network costs, timed on the first faces that it was judged on."""
    draws = [(row, 0, 0) for row in range(min(max(BATCH_SIZES), len(network.rows)))]
    faces = torch.from_numpy(network.rows.__getitems__(draws)["inputs"])
    return measure_cost(network.trained.net, faces)


def judge_methods(
    matchers: Sequence[Matcher],
    lists: Lists,
    settings: EvaluationSettings,
    costs: dict[str, ModelFacts],
    progress: ProgressCallback,
) -> dict[str, MethodResult]:
    """Return the results of each method by its name, in order."""
    found = {}
    for matcher in matchers:
        steps = _Steps(f"judge, {matcher.name}", len(lists.pairs) + len(lists.protocols), progress)
        result = evaluate(matcher, lists, settings, costs.get(matcher.name), steps.begin)
        steps.begin("")
        found[matcher.name] = replace(result, notices=())  # those of the lists are said once, for all
    return found


class _Steps:
    """Progress of steps: each is announced when it begins, and those before it are done."""

    def __init__(self, label: str, total: int, progress: ProgressCallback) -> None:
        self.label, self.total, self.progress, self.begun = label, total, progress, 0

    def begin(self, name: str) -> None:
        self.progress(self.label, self.begun, self.total)
        self.begun += 1


def dataset_facts(request: Request, dataset: Dataset, table: pd.DataFrame) -> DatasetFacts:
    """Return what was judged on: `table`, which is a split of `dataset` or several."""
    people = {person_of(identity) for identity in table["identity"]}
    return DatasetFacts(
        name=dataset.name,
        digest=dataset_digest(dataset),
        split=request.split,
        samples=len(table),
        people=len(people),
        captures=int(table["origin_id"].nunique()),
        masked=int(np.count_nonzero(wears_mask(table))),
        note="; ".join(request.notices),
    )
