"""Make the network that comes with the package, and its model card: `face3d_training/pretrained/`.

    make model                                        # everything from nothing: at most 90 minutes on two cores
    make model BACK_END=lda                           # and a back-end that goes with it
    python benchmarks/make_model.py --check           # the same, but compares it with the packaged one instead
    python benchmarks/make_model.py --workspace work --run work/training/maps-s0     # of a run that there is already

Builds the training set (pipeline `recognition`), trains the packaged config with one seed, writes its best epoch as a
small file, judges that file on people outside its training set (recognition_strangers.yaml), and writes the card out of
the evaluations. Steps that are done already are not repeated: neither the pipelines, nor a run that came to its end.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_card import Made, card

from face3d_data.digest import digest_file
from face3d_data.shards.find import find_dataset
from face3d_data.shards.read import Dataset
from face3d_data.yaml_file import read_yaml
from face3d_training.back_ends.back_end import BACK_ENDS
from face3d_training.back_ends.back_end_file import read_back_end, save_back_end
from face3d_training.checkpoint import export_safetensors, find_checkpoint, load_model, read_checkpoint
from face3d_training.config import load_config
from face3d_training.evaluation.learnt import method_name
from face3d_training.evaluation.report.files import BACK_ENDS_FOLDER, METRICS, back_end_file_name
from face3d_training.network_back_end import is_back_end_of
from face3d_training.packaged import BACK_END, CALIBRATION, MODEL_CARD, PACKAGED, PRETRAINED, WEIGHTS, packaged_networks
from face3d_training.recognition.calibration import calibrate_on, save_calibration
from face3d_training.run_folder import dataset_digest

FACE3D = (sys.executable, "-m", "face3d_data")
STRANGERS = Path(__file__).with_name("recognition_strangers.yaml")
LARGEST_BYTES = 4_000_000
TOLERANCE = {"rank-1": 0.03, "AUC": 0.01}
"""Largest differences of a network's figures from those of one that is trained again with the same seed."""
RENDERED = "rendered, not real scans"
RESAMPLES = 200
"""Of people, for the intervals on the card: with a thousand the four evaluations take longer than the training."""


def main() -> None:
    """Do what is not done yet, and write or compare the network."""
    given = arguments()
    dataset = trained_on(given)
    run = trained(given, dataset)
    built = given.workspace / "model"
    built.mkdir(parents=True, exist_ok=True)
    file = built / f"{given.name}{WEIGHTS}"
    best = find_checkpoint(run)
    # Not written again: the order of its metadata, and so its digest, differs from save to save.
    if not file.is_file() or file.stat().st_mtime < best.stat().st_mtime:
        export_safetensors(file, read_checkpoint(best), small=True)
    if file.stat().st_size > LARGEST_BYTES:
        raise SystemExit(f"{file}: {file.stat().st_size:,} bytes, {LARGEST_BYTES:,} allowed: a narrower network")
    call(given, "run", str(given.judge))
    beside = back_end_of(given, file)
    names = read_yaml(given.judge, "a pipeline")["datasets"]
    evaluations = [judged(given, file, beside, dataset, name) for name in names]
    if given.check:
        raise SystemExit(compared(evaluations, given.name, beside.kind))
    files = [file, *([beside.path] if beside.kind is not None else calibration_of(given, file, names))]
    text = card(Made(files, run, dataset, given.judge, evaluations, TOLERANCE, given.notice))
    given.out.mkdir(parents=True, exist_ok=True)
    for ending in (BACK_END, CALIBRATION):
        (given.out / f"{given.name}{ending}").unlink(missing_ok=True)  # an older network's
    for path in files:
        shutil.copyfile(path, given.out / path.name)
    (given.out / MODEL_CARD).write_text(text)
    print(f"{given.out / MODEL_CARD} and {', '.join(f'{path.name}, {path.stat().st_size:,} bytes' for path in files)}")


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=Path, default=Path("work"))
    parser.add_argument("--pipeline", default="recognition", help="makes the training set [recognition]")
    parser.add_argument("--dataset", help="a dataset that is there: the pipeline is not run")
    parser.add_argument("--config", default="maps", help="what is trained [maps]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run", type=Path, help="folder of the training run [WORKSPACE/training/CONFIG-sSEED]")
    parser.add_argument(
        "--judge", type=Path, default=STRANGERS, help="pipeline of people who are not in its training set"
    )
    parser.add_argument("--name", default="maps", help="name that the network gets [maps]")
    parser.add_argument(
        "--back-end",
        metavar="KIND|FILE",
        help="back-end that goes beside it: lda, plda, asnorm, lda+asnorm or plda+asnorm is learnt on its training "
        "people, a file is of this very network [none; with --check that of the packaged one]",
    )
    parser.add_argument("--out", type=Path, default=PRETRAINED, help="where the files go [the package]")
    parser.add_argument("--notice", default="", help="a sentence at the top of the card")
    parser.add_argument("--check", action="store_true", help="write nothing: compare with the packaged network")
    return parser.parse_args()


def trained_on(given: argparse.Namespace) -> Path:
    """Return the folder of the training set, which is made where it is not there."""
    if given.dataset is not None:
        return find_dataset(given.dataset, given.workspace)
    call(given, "run", given.pipeline)
    return find_dataset(Path(given.pipeline).stem, given.workspace)


def trained(given: argparse.Namespace, dataset: Path) -> Path:
    """Return the folder of the training run, which is begun, continued, or at its end."""
    config = load_config(given.config)
    run = given.run or given.workspace / "training" / f"{config.name}-s{given.seed}"
    resume = ("--resume",) if (run / "checkpoints" / "last.pt").is_file() else ()
    how = str(run / "config.yaml") if resume else given.config
    call(given, "train", str(dataset), "--config", how, "--seed", str(given.seed), "--out", str(run), *resume)
    return run


@dataclass(frozen=True)
class Beside:
    """Back-end that goes beside the network: its kind, None for none, and its file, absent until it is learnt."""

    kind: str | None
    path: Path


def back_end_of(given: argparse.Namespace, file: Path) -> Beside:
    """Return the back-end that is asked for; what lies beside the network's file and is not that one is removed."""
    path, asked = file.with_name(f"{given.name}{BACK_END}"), given.back_end
    if asked is None and given.check:
        asked = next((one.back_end_kind for one in packaged_networks() if one.name == given.name), None)
    if asked is not None and asked not in BACK_ENDS:
        there = read_back_end(asked)
        save_back_end(path, there)
        return Beside(there.kind, path)
    if path.is_file():
        there = read_back_end(path)
        if there.kind != asked or not is_back_end_of(there, load_model(file)):
            path.unlink()
    return Beside(asked, path)


def judged(given: argparse.Namespace, file: Path, beside: Beside, dataset: Path, name: str) -> dict[str, Any]:
    """Return the metrics of the network's file on a dataset, with the packaged one beside it if the two are compared.

    Figures of the same file and back-end on the same dataset are not computed again. A back-end is learnt in the first
    evaluation, which writes it; put beside the network's file, it is found by the others.
    """
    out = evaluation_folder(given, name)
    there = None if beside.kind is None else back_end_path(out, given.name, beside.kind)
    if not up_to_date(out, file, beside, there, dataset_digest(Dataset(find_dataset(name, given.workspace)))):
        others = ("--model", given.name, "--no-baseline") if given.check else ("--baseline",)
        learn = () if beside.kind is None or beside.path.is_file() else ("--back-end", beside.kind)
        notice = ("--notice", f"{RENDERED}; {given.notice}" if given.notice else RENDERED)
        call(given, "evaluate", name, str(file), *others, *learn, "--train-dataset", str(dataset), "--out", str(out),
             "--resamples", str(RESAMPLES), *notice)  # fmt: skip
    if there is not None and not beside.path.is_file():
        shutil.copyfile(there, beside.path)
    return json.loads((out / METRICS).read_text())


def evaluation_folder(given: argparse.Namespace, name: str) -> Path:
    """Return the folder of the evaluation on a dataset."""
    return given.workspace / "evaluations" / f"model-{given.name}-{name}{'-check' if given.check else ''}"


def calibration_of(given: argparse.Namespace, file: Path, names: Iterable[str]) -> list[Path]:
    """Return the file of what the network's distances mean, measured on all evaluations together."""
    path = file.with_name(f"{given.name}{CALIBRATION}")
    save_calibration(path, calibrate_on([evaluation_folder(given, name) for name in names], given.name))
    return [path]


def back_end_path(out: Path, name: str, kind: str) -> Path:
    """Return the file of a network's back-end in the folder of an evaluation."""
    return out / BACK_ENDS_FOLDER / f"{back_end_file_name(method_name(name, kind))}{WEIGHTS}"


def up_to_date(out: Path, file: Path, beside: Beside, there: Path | None, digest: str) -> bool:
    """Tell whether an evaluation's folder has the figures of a network's file, with its back-end, on a dataset."""
    if not (out / METRICS).is_file():
        return False
    metrics = json.loads((out / METRICS).read_text())
    if metrics["about"]["checkpoints"][0]["sha256"] != digest_file(file) or metrics["dataset"]["digest"] != digest:
        return False
    if there is None:
        return not (out / BACK_ENDS_FOLDER).is_dir()
    return there.is_file() and (not beside.path.is_file() or digest_file(there) == digest_file(beside.path))


def compared(evaluations: Sequence[Mapping[str, Any]], name: str, kind: str | None) -> int:
    """Print how the figures of the new network differ from the packaged one's; return 1 if by more than allowed."""
    worst, pair = dict.fromkeys(TOLERANCE, 0.0), (name, f"{PACKAGED} {name}")
    pairs = [pair, *([tuple(method_name(one, kind) for one in pair)] if kind is not None else [])]
    for metrics, titles in itertools.product(evaluations, pairs):
        new, old = (metrics["methods"][title] for title in titles)
        for key, protocol in new["identification"].items():
            found = {"rank-1": [one["identification"][key]["rank"]["1"]["value"] for one in (new, old)]}
            found["AUC"] = [one["verification"][key]["auc"]["value"] for one in (new, old)]
            for figure, (fresh, packaged) in found.items():
                where = f"{metrics['dataset']['name']}, {titles[0]}, {protocol['title']}, {figure}"
                print(f"{where}: {fresh:.4f} now, {packaged:.4f} packaged")
                worst[figure] = max(worst[figure], abs(fresh - packaged))
    beyond = [figure for figure, difference in worst.items() if difference > TOLERANCE[figure]]
    print("reproduced" if not beyond else f"NOT reproduced: {', '.join(beyond)} differ by more than {TOLERANCE}")
    return int(bool(beyond))


def call(given: argparse.Namespace, *words: str) -> None:
    """Call `face3d` in the workspace, say how long it took, and stop where it fails."""
    started = time.monotonic()
    done = subprocess.run([*FACE3D, *words, "-w", str(given.workspace)], check=False)
    if done.returncode:
        raise SystemExit(f"face3d {' '.join(words[:2])}: exit code {done.returncode}")
    print(f"face3d {' '.join(words[:2])}: {(time.monotonic() - started) / 60:.1f} min", flush=True)


if __name__ == "__main__":
    main()
