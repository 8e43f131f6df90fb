"""Model card of a packaged network: its text, out of the files of a run and of an evaluation.

For make_model.py; the text with its gaps is model_card.md.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from face3d_data.digest import digest_file
from face3d_data.shards.read import Dataset
from face3d_data.tables.protocol import wears_mask
from face3d_data.version import __version__
from face3d_training.back_ends.back_end_file import read_back_end
from face3d_training.checkpoint import read_checkpoint
from face3d_training.config import load_config
from face3d_training.packaged import BACK_END, CALIBRATION
from face3d_training.recognition.calibration import read_calibration

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = Path(__file__).with_name("model_card.md")
FAR = "1e-3"
PROTOCOLS = ("plain_to_plain", "masked_to_plain")
FIGURES = ("rank-1", "AUC", "FNMR at FMR 1e-3")


@dataclass(frozen=True)
class Made:
    """What a card is written from.

    Attributes:
        files: the network's file, and its back-end's or its calibration's where there is one.
        run: folder of the training run.
        trained_on: folder of the dataset that it learnt from.
        judge: pipeline of the datasets that it was judged on.
        evaluations: the metrics.json of each.
        tolerance: largest differences of figures of a network that was trained again, by name.
        notice: a sentence at the top; may be empty.
    """

    files: Sequence[Path]
    run: Path
    trained_on: Path
    judge: Path
    evaluations: Sequence[Mapping[str, Any]]
    tolerance: Mapping[str, float]
    notice: str = ""


def card(made: Made) -> str:
    """Return the model card's text."""
    state, config = read_checkpoint(made.files[0]), load_config(made.run / "config.yaml")
    source, first = Dataset(made.trained_on), made.evaluations[0]
    checkpoint = first["about"]["checkpoints"][0]
    chosen = first["methods"][checkpoint["method"]]
    gaps = {
        "name": made.files[0].name.partition(".")[0],
        "notice": made.notice and f" **{made.notice}**",
        "model": checkpoint["model"],
        "weights": f"{chosen['model']['parameters']:,}",
        "embedding_size": checkpoint["embedding_size"],
        "back_end": back_end_words([path for path in made.files if path.name.endswith(BACK_END)]),
        "calibration": calibration_words([path for path in made.files if path.name.endswith(CALIBRATION)]),
        "maps": said_of(state.get("maps", "")),
        "version": __version__,
        "commit": commit(),
        "files": "\n".join(
            f"| `{path.name}` | {path.stat().st_size:,} | `{digest_file(path)}` |" for path in made.files
        ),
        "dataset": source.name,
        "digest": checkpoint["trained_on_digest"],
        "populations": "\n".join(populations(source)),
        "config": config.name,
        "seed": config.seed,
        "epoch": state["epoch"],
        "epochs": config.epochs,
        "config_text": config_text(config.model_dump(mode="json", exclude_defaults=True)),
        "judged": made.judge.name,
        "confidence": f"{first['confidence']:.0%}",
        "figures": "\n".join(line for metrics in made.evaluations for line in table(metrics)),
        "tolerance": " and ".join(f"{value:g} in {name}" for name, value in made.tolerance.items()),
    }
    return TEMPLATE.read_text().format(**gaps)


def back_end_words(files: Sequence[Path]) -> str:
    """Return in words what back-end comes with the network, and how to do without it."""
    if not files:
        return "none"
    found = read_back_end(files[0])
    use = "`embed` projects by it, `--back-end none` does not" if found.gives_embeddings else "`embed` does without it"
    people = f"{int(found.info['people']):,} of its training people"
    return f"`{found.kind}`, learnt on {people}; `evaluate` judges the network with and without it; {use}"


def calibration_words(files: Sequence[Path]) -> str:
    """Return in words up to which distance two faces count as one person, and what that was measured on."""
    if not files:
        return "none"
    found = read_calibration(files[0])
    pairs = f"{found.impostors:,} impostor and {found.genuine:,} genuine pairs of {found.people} people"
    return f"{found.point(float(FAR)).in_words}; by {pairs} ({found.measured_on})"


def said_of(maps: str) -> str:
    """Return in words of what kind the maps are, as a checkpoint says it."""
    said = json.loads(maps)
    size = round(-2 * said["left_mm"] / said["cell_mm"])
    return f"{size} × {size} cells of {said['cell_mm']:g} mm, channels {said['channels'].replace(',', ', ')}"


def commit() -> str:
    """Return the commit of this checkout; marked where files differ from it."""
    call = ("git", "-C", str(ROOT), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty")
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    return f"`{done.stdout.strip()}`" if done.returncode == 0 else "not known"


def populations(dataset: Dataset) -> Iterable[str]:
    """Yield a row for each population in a dataset's split `train`: people, captures, captures also in a mask."""
    for name, rows in dataset.table("train").groupby("dataset", sort=True):
        masked = rows.loc[wears_mask(rows), "origin_id"].nunique()
        yield f"| `{name}` | {rows['identity'].nunique():,} | {rows['origin_id'].nunique():,} | {masked:,} |"


def config_text(values: dict[str, Any]) -> str:
    """Return the keys of a config that say what is learnt and how, as YAML."""
    left_out = ("name", "description", "device", "workers", "threads", "seed")
    kept = {key: value for key, value in values.items() if key not in left_out}
    return yaml.safe_dump(kept, sort_keys=False, default_flow_style=None, width=118)


def table(metrics: Mapping[str, Any]) -> Iterable[str]:
    """Yield the lines of a dataset's table: a row for each method, and what the network gains on the others."""
    judged, protocols = metrics["dataset"], next(iter(metrics["methods"].values()))["identification"]
    shown_ones = {key: protocols[key]["title"] for key in PROTOCOLS if key in protocols}
    people, samples = f"{judged['people']:,} people", f"{judged['samples']:,} samples, {judged['masked']:,} masked"
    yield from (f"`{judged['name']}`: {people}, {samples}", "")
    yield f"| | {' | '.join(f'{title}: {figure}' for title in shown_ones.values() for figure in FIGURES)} |"
    yield f"|---|{'---|' * (len(FIGURES) * len(shown_ones))}"
    for name, method in metrics["methods"].items():
        cells = [cell for key in shown_ones for cell in cells_of(method, key)]
        yield f"| {name} | {' | '.join(cells)} |"
    for difference in metrics["differences"]:
        gains = [shown(difference["figures"][key][figure]) for key in shown_ones for figure in ("rank 1", "auc")]
        named = [f"{title} {figure}" for title in shown_ones.values() for figure in ("rank-1", "AUC")]
        pairs = ", ".join(f"{name} {gain}" for name, gain in zip(named, gains, strict=True))
        yield from ("", f"{difference['better']} minus {difference['other']}, paired over people: {pairs}")
    yield ""


def cells_of(method: Mapping[str, Any], protocol: str) -> list[str]:
    """Return a method's figures of one protocol, as texts."""
    found = method["verification"][protocol]
    figures = (method["identification"][protocol]["rank"]["1"], found["auc"], missed(found["tar"][FAR]))
    return [shown(figure) for figure in figures]


def missed(tar: Mapping[str, Any]) -> dict[str, Any]:
    """Return the share of genuine pairs that is not accepted, with its interval, from that which is."""
    value, low, high = (None if tar[key] is None else 1 - tar[key] for key in ("value", "high", "low"))
    return {"value": value, "low": low, "high": high}


def shown(figure: Mapping[str, Any]) -> str:
    """Return a figure with its interval, three decimals."""
    if figure["value"] is None:
        return "not measurable"
    low, high = figure.get("low"), figure.get("high")
    return f"{figure['value']:.3f}" + ("" if low is None or high is None else f" [{low:.3f}, {high:.3f}]")
