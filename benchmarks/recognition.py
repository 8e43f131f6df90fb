"""Recognition learnt from synthetic people alone, as one table: every population with and without it in training.

Builds the training set (pipeline `recognition`) and the strangers (`recognition_strangers.yaml`), trains every run of
`RUNS` (going on where they stopped), judges each population's strangers by what was trained without that population
and by what was trained with it, and prints the table. Choices are made on the columns "left out". Once all is fixed,
captures of other people, plain and in real masks, are judged where folders with some are given.

    python benchmarks/recognition.py --workspace work
    python benchmarks/recognition.py --workspace work --only maps-no_ict
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

FACE3D = (sys.executable, "-m", "face3d_data")
STRANGERS = Path(__file__).with_name("recognition_strangers.yaml")
POPULATIONS = ("own", "anny", "ict")
SEEDS = (0, 1, 2)
NO_TOF = "sensor_kind != 'time_of_flight'"
PLAIN, MASKED = "plain_to_plain", "masked_to_plain"


def without(population: str) -> str:
    """Return the query for the training rows of the other populations."""
    return f"dataset != '{population}'"


def where(query: str) -> tuple[str, ...]:
    """Return the option that trains on the rows of a query."""
    return ("--data.where", query)


RUNS: dict[str, tuple[str, ...]] = {
    **{f"maps-no_{name}": ("--config", "maps", *where(without(name))) for name in POPULATIONS},
    **{f"maps-s{seed}": ("--config", "maps", "--seed", str(seed)) for seed in SEEDS},
    "maps-no_tof": ("--config", "maps", *where(NO_TOF)),
    **{f"points-no_{name}": ("--config", "recognition", *where(without(name))) for name in POPULATIONS},
}
"""Runs by their names, in the order in which they are trained."""
RENDERED = "rendered, not real scans"
FIGURES = ("rank-1", "AUC", "FNMR at FMR 1e-3")


def main() -> None:
    """Do all that is not done yet."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--workspace", type=Path, default=Path("work"))
    parser.add_argument("--only", nargs="+", metavar="RUN", default=list(RUNS), help="these runs alone")
    parser.add_argument("--plain", type=Path, help="folder of captures to be recognised, as rgbd_folder reads them")
    parser.add_argument("--masked", type=Path, help="folder of captures of the same people in real masks")
    given = parser.parse_args()
    if (given.plain is None) != (given.masked is None):
        parser.error("--plain and --masked go together")
    for name in given.only:
        if name not in RUNS:
            parser.error(f"--only {name}: the runs are {', '.join(RUNS)}")
    work = given.workspace
    for pipeline in ("recognition", str(STRANGERS)):
        started = time.monotonic()
        call(work, "run", pipeline)
        print(f"{pipeline}: {(time.monotonic() - started) / 60:.1f} min", flush=True)
    for name in given.only:
        train(work, name)
    print("\n".join(table(work, judge_strangers(work, given.only))))
    if given.plain is not None:
        roots = {"D415_ROOT": str(given.plain.absolute()), "D415_MASKED_ROOT": str(given.masked.absolute())}
        call(work, "run", "recognition_test", **roots)
        runs = [name for name in given.only if name.endswith("-no_ict")]
        found = {"rendered captures": judge(work, "recognition_test", "captures", runs, without("ict"))}
        print("\n".join(table(work, found)))


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
        call(work, "train", "recognition", *RUNS[name], "--out", str(folder), how, stdout=log)
    (folder / "done").touch()
    print(f"{name}: {(time.monotonic() - started) / 60:.1f} min", flush=True)


def judge_strangers(work: Path, runs: Sequence[str]) -> dict[str, Path]:
    """Judge every population's strangers twice, and those of the other sensor; return the evaluations by column."""
    found = {}
    whole = [name for name in runs if name.rsplit("-", 1)[-1] in {f"s{seed}" for seed in SEEDS}]
    for name in POPULATIONS:
        others = [run for run in runs if run.endswith(f"-no_{name}")]
        if others:
            found[f"{name}, left out"] = judge(work, f"strangers_{name}", "left_out", others, without(name))
        if whole:
            found[f"{name}, included"] = judge(work, f"strangers_{name}", "included", whole)
    blind = [run for run in runs if run.endswith("-no_tof")]
    if blind and whole:
        found["time of flight, left out"] = judge(work, "strangers_far", "left_out", blind, NO_TOF)
        found["time of flight, included"] = judge(work, "strangers_far", "included", whole)
    return found


def judge(work: Path, dataset: str, case: str, runs: Iterable[str], query: str | None = None) -> Path:
    """Evaluate runs and baselines that learnt from the same rows; return the evaluation's folder."""
    out = work / "evaluations" / f"{dataset}-{case}"
    folders = [str(work / "training" / name) for name in runs]
    rows = () if query is None else ("--train-where", query)
    options = ("--baseline", "--train-dataset", "recognition", *rows, "--notice", RENDERED, "--out", str(out))
    call(work, "evaluate", dataset, *folders, *options, "-q")
    return out


def table(work: Path, evaluations: Mapping[str, Path]) -> list[str]:
    """Return the table as Markdown: a block for each column of the record, its methods in lines."""
    lines = []
    for column, folder in evaluations.items():
        metrics = json.loads((folder / "metrics.json").read_text())
        lines += ["", f"**{column}** ({metrics['dataset']['people']} people, {RENDERED})", ""]
        protocols = [name for name in (PLAIN, MASKED) if _has(metrics, name)]
        lines.append("| | " + " | ".join(f"{_title(name)} {figure}" for name in protocols for figure in FIGURES) + " |")
        lines.append("|---" * (1 + len(protocols) * len(FIGURES)) + "|")
        rows = {**metrics["methods"], **{group["name"]: group for group in metrics["seeds"]}}
        for name, method in rows.items():
            cells = [cell for protocol in protocols for cell in _cells(method, protocol)]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _has(metrics: Mapping[str, Any], protocol: str) -> bool:
    return any(protocol in method["identification"] for method in metrics["methods"].values())


def _title(protocol: str) -> str:
    return {PLAIN: "plain", MASKED: "masked → plain"}[protocol]


def _cells(method: Mapping[str, Any], protocol: str) -> list[str]:
    identified, verified = (method[kind].get(protocol) for kind in ("identification", "verification"))
    return [
        _shown(identified and identified["rank"]["1"]),
        _shown(verified and verified["auc"]),
        _shown(verified and verified["tar"].get("1e-3"), complement=True),
    ]


def _shown(figure: Mapping[str, Any] | None, complement: bool = False) -> str:
    """Return a figure with its interval; the complement of a true accept rate is the false non-match rate."""
    if not figure or figure.get("value") is None:
        return "–"
    value, low, high = figure["value"], figure.get("low"), figure.get("high")
    if complement:
        value, low, high = 1 - value, None if high is None else 1 - high, None if low is None else 1 - low
    return f"{value:.3f}" + ("" if low is None or high is None else f" [{low:.3f}, {high:.3f}]")


def call(work: Path, *arguments: str, stdout: Any = None, **environment: str) -> None:
    """Call `face3d`, and stop where it fails."""
    done = subprocess.run(
        [*FACE3D, *arguments, "-w", str(work)], env={**os.environ, **environment}, stdout=stdout, check=False
    )
    if done.returncode:
        raise SystemExit(f"face3d {' '.join(arguments[:2])}: exit code {done.returncode}")


if __name__ == "__main__":
    main()
