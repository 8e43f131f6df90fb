"""Recognition learnt from synthetic people alone, as one table: every population with and without it in training.

Builds the training set (pipeline `recognition`) and the strangers (`recognition_strangers.yaml`), trains every run of
`RUNS` (going on where they stopped), judges each population's strangers by what was trained without that population
and by what was trained with it, and prints the table. Choices are made on the columns "left out". Once all is fixed,
captures of other people, plain and in real masks, are judged where folders with some are given.

    python benchmarks/recognition.py --workspace work
    python benchmarks/recognition.py --workspace work --only maps-no_ict
    python benchmarks/recognition.py --workspace work --trials
    python benchmarks/recognition.py --workspace work --plain CAPTURES --masked CAPTURES_IN_MASKS
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recognition_table import RENDERED, differences, table

from face3d_data.digest import digest_file
from face3d_data.shards.find import find_dataset
from face3d_data.shards.read import Dataset
from face3d_training.checkpoint import find_checkpoint
from face3d_training.evaluation.report.files import METRICS
from face3d_training.run_folder import dataset_digest

FACE3D = (sys.executable, "-m", "face3d_data")
STRANGERS = Path(__file__).with_name("recognition_strangers.yaml")
POPULATIONS = ("own", "anny", "ict")
SEEDS = (0, 1, 2)
NO_TOF = "sensor_kind != 'time_of_flight'"
PLAIN = "mask == 'none'"
FLAT = "('none', 'surgical', 'cloth', 'cloth_pattern', 'activated_carbon')"


def without(population: str) -> str:
    """Return the query for the training rows of the other populations."""
    return f"dataset != '{population}'"


def where(query: str) -> tuple[str, ...]:
    """Return the option that trains on the rows of a query."""
    return ("--data.where", query)


RUNS: dict[str, tuple[str, ...]] = {
    **{f"maps-no_{name}": ("--config", "maps", *where(without(name))) for name in POPULATIONS},
    **{f"points-no_{name}": ("--config", "recognition", *where(without(name))) for name in POPULATIONS},
    **{f"maps-s{seed}": ("--config", "maps", "--seed", str(seed)) for seed in SEEDS},
    "points-s0": ("--config", "recognition"),
    "maps-no_tof": ("--config", "maps", *where(NO_TOF)),
}
"""Runs by their names, in the order in which they are trained."""
TRIED = "ict"
"""The population whose strangers judge the trials, which learn without it."""
PAIRS = ("--masks.pairs", "--epochs", "4")
"""Half of the epochs: each capture comes twice in each, so that all recipes see as many maps."""
TRIALS: dict[str, tuple[str, ...]] = {
    f"{name}-no_{TRIED}": ("--config", "maps", *where(without(TRIED)), *options)
    for name, options in {
        "unmirrored": ("--vary-map.mirror", "0"),
        "tilt": ("--vary-map.tilt", "0.05"),
        "pairs": (*PAIRS, "--loss", "arcface,consistency", "--loss.consistency.weight", "5"),
        "parts": ("--model", "map_part_resnet", "--loss", "arcface,occlusion"),
        "mobile": ("--model", "mobilefacenet", "--model.in-channels", "4", "--model.image-size-px", "64"),
        "adaface": ("--loss", "adaface"),
        "centers": ("--loss.arcface.sub-centers", "3"),
        "geometric": ("--masks.share", "0"),
    }.items()
} | {
    f"drawn-no_{TRIED}": ("--config", "maps", *where(f"{without(TRIED)} and {PLAIN}"), "--epochs", "15"),
    f"flat-no_{TRIED}": ("--config", "maps", *where(f"{without(TRIED)} and mask in {FLAT}"), "--epochs", "11"),
}
"""Other recipes, by the names of their runs.

`geometric` has the masks of the training set alone, `drawn` those alone that are drawn over the maps of plain captures.
`flat` has no masks with a shape of their own, so that respirators, cups and folded masks are styles that it never met.
All see about as many maps as the packaged recipe: fewer rows, more epochs.
"""
BACK_ENDS = ("lda", "plda", "asnorm", "lda+asnorm", "plda+asnorm")
ALL = {**RUNS, **TRIALS}
RESAMPLES = 200
"""Of people, for intervals."""


def main() -> None:
    """Do all that is not done yet."""
    given = arguments()
    work = given.workspace
    for pipeline in ("recognition", str(STRANGERS)):
        started = time.monotonic()
        call(work, "run", pipeline)
        print(f"{pipeline}: {(time.monotonic() - started) / 60:.1f} min", flush=True)
    for name in given.only:
        train(work, name)
    if given.train_only:
        return
    found = judge_trials(work, given.only) if given.trials else judge_strangers(work, given.only)
    if given.plain is not None:
        found |= judge_captures(work, given.only, given.plain, given.masked)
    print("\n".join([*table(found), *differences(found)]))


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--workspace", type=Path, default=Path("work"))
    parser.add_argument("--only", nargs="+", metavar="RUN", help="these runs alone")
    parser.add_argument("--trials", action="store_true", help=f"other recipes and back-ends, {TRIED} left out")
    parser.add_argument("--train-only", action="store_true", help="stop after training")
    parser.add_argument("--plain", type=Path, help="folder of captures to be recognised, as rgbd_folder reads them")
    parser.add_argument("--masked", type=Path, help="folder of captures of the same people in real masks")
    given = parser.parse_args()
    if (given.plain is None) != (given.masked is None):
        parser.error("--plain and --masked go together")
    if given.only is None:
        given.only = [f"maps-no_{TRIED}", *TRIALS] if given.trials else list(RUNS)
    for name in given.only:
        if name not in ALL:
            parser.error(f"--only {name}: the runs are {', '.join(ALL)}")
    return given


def train(work: Path, name: str) -> None:
    """Train one run, or go on with it; its lines go to a file beside."""
    folder = work / "training" / name
    if (folder / "done").is_file():
        return
    begun = (folder / "checkpoints" / "last.pt").is_file()
    folder.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with open(folder.parent / f"{name}.log", "a") as log:
        how = "--resume" if begun else "--restart"
        call(work, "train", "recognition", *ALL[name], "--out", str(folder), how, stdout=log)
    (folder / "done").touch()
    print(f"{name}: {(time.monotonic() - started) / 60:.1f} min", flush=True)


def judge_strangers(work: Path, runs: Sequence[str]) -> dict[str, Path]:
    """Judge every population's strangers twice, and those of the other sensor; return the evaluations by column."""
    found = {}
    whole = [name for name in runs if name.rsplit("-", 1)[-1] in {f"s{seed}" for seed in SEEDS}]
    for name in POPULATIONS:
        others = [run for run in runs if run.endswith(f"-no_{name}") and run in RUNS]
        if others:
            found[f"{name}, left out"] = judge(work, f"strangers_{name}", "left_out", others, without(name))
            plain = f"{without(name)} and {PLAIN}"
            found[f"{name}, left out, LDA of plain faces"] = judge(
                work, f"strangers_{name}", "plain", others[:1], plain
            )
        # Two populations of the three again, of which this is one: what it costs not to have seen it, all else equal.
        equal = f"maps-no_{POPULATIONS[POPULATIONS.index(name) - 1]}"
        if equal in runs:
            found[f"{name}, included, as many people"] = judge(
                work, f"strangers_{name}", "as_many", [equal], baseline=False
            )
        if whole:
            found[f"{name}, included"] = judge(work, f"strangers_{name}", "included", whole)
    blind = [run for run in runs if run.endswith("-no_tof")]
    if blind:
        found["time of flight, left out"] = judge(work, "strangers_far", "left_out", blind, NO_TOF)
    if blind and whole:
        found["time of flight, included"] = judge(work, "strangers_far", "included", whole)
    return found


def judge_trials(work: Path, runs: Sequence[str]) -> dict[str, Path]:
    """Judge other recipes, and back-ends and fusion of the first one; return the evaluations by column."""
    dataset, query = f"strangers_{TRIED}", without(TRIED)
    ends = tuple(word for kind in BACK_ENDS for word in ("--back-end", kind))
    return {
        f"{TRIED}, recipes": judge(work, dataset, "recipes", runs, query),
        f"{TRIED}, back-ends": judge(work, dataset, "back_ends", runs[:1], query, (*ends, "--fuse")),
    }


def judge_captures(work: Path, runs: Sequence[str], plain: Path, masked: Path) -> dict[str, Path]:
    """Judge captures that others rendered, by what did not learn from ict, whose model they are of."""
    roots = {"D415_ROOT": str(plain.absolute()), "D415_MASKED_ROOT": str(masked.absolute())}
    call(work, "run", "recognition_test", **roots)
    runs = [name for name in runs if name.endswith("-no_ict")]
    return {"captures of others, ict left out": judge(work, "recognition_test", "captures", runs, without("ict"))}


def judge(
    work: Path,
    dataset: str,
    case: str,
    runs: Iterable[str],
    query: str | None = None,
    more: Sequence[str] = (),
    baseline: bool = True,
) -> Path:
    """Evaluate runs, and baselines that learnt from the same rows; return the evaluation's folder.

    What was evaluated already, the same weights on the same dataset, is not evaluated again.
    """
    out = work / "evaluations" / f"{dataset}-{case}"
    folders = [work / "training" / name for name in runs]
    if not _is_current(out / METRICS, folders, find_dataset(dataset, work)):
        rows = () if query is None else ("--train-where", query)
        learnt = ("--baseline", "--train-dataset", "recognition", *rows) if baseline else ("--no-baseline",)
        options = (*learnt, *more, "--notice", RENDERED, "--out", str(out))
        call(work, "evaluate", dataset, *map(str, folders), *options, "--resamples", str(RESAMPLES), "-q")
    return out


def _is_current(file: Path, runs: Sequence[Path], dataset: Path) -> bool:
    if not file.is_file():
        return False
    there: Mapping[str, Any] = json.loads(file.read_text())
    judged = [one["sha256"] for one in there["about"]["checkpoints"]]
    wanted = [digest_file(find_checkpoint(run)) for run in runs]
    return judged == wanted and there["dataset"]["digest"] == dataset_digest(Dataset(dataset))


def call(work: Path, *arguments: str, stdout: Any = None, **environment: str) -> None:
    """Call `face3d`, and stop where it fails."""
    done = subprocess.run(
        [*FACE3D, *arguments, "-w", str(work)], env={**os.environ, **environment}, stdout=stdout, check=False
    )
    if done.returncode:
        raise SystemExit(f"face3d {' '.join(arguments[:2])}: exit code {done.returncode}")


if __name__ == "__main__":
    main()
