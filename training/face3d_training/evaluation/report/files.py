"""Folder of an evaluation: figures as JSON, scores and ranks as CSV, plots and report; complete or absent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d_data.atomic import atomic_folder, make_folder
from face3d_data.errors import UserError
from face3d_training.back_ends.back_end import BackEnd
from face3d_training.back_ends.back_end_file import save_back_end
from face3d_training.evaluation.metrics.figure import ScoredPairs, as_json
from face3d_training.evaluation.metrics.results import Evaluation
from face3d_training.evaluation.networks.about import About

if TYPE_CHECKING:
    import pandas as pd

BACK_ENDS_FOLDER = "back_ends"
METRICS, SCORES, PROBES, REPORT, PLOTS = "metrics.json", "scores.csv", "probes.csv", "report.html", "plots"


def metrics_of(evaluation: Evaluation, about: About) -> dict[str, Any]:
    """Return what metrics.json holds: the evaluation's figures, and their provenance under `about`."""
    return {**as_json(evaluation), "about": as_json(about)}


def write_evaluation(
    folder: str | Path,
    evaluation: Evaluation,
    about: About,
    table: pd.DataFrame,
    report: str,
    plots: Mapping[str, str],
    back_ends: Mapping[str, BackEnd] | None = None,
) -> None:
    """Write an evaluation's folder, completely or not at all; an evaluation that was there is replaced.

    Args:
        folder: the folder.
        evaluation: the figures, with their raw arrays.
        about: their provenance.
        table: the rows that were judged, columns `id`, `name`.
        report: the report as HTML.
        plots: plots as SVG, by name.
        back_ends: back-ends that were judged, by the name of what the report calls them.

    Raises:
        UserError: the folder holds something else, or cannot be written.
    """
    folder = Path(folder)
    check_replaceable(folder)
    try:
        with atomic_folder(folder.absolute()) as partial:
            metrics = json.dumps(metrics_of(evaluation, about), indent=1, ensure_ascii=False, allow_nan=False)
            (partial / METRICS).write_text(metrics + "\n", "utf-8")
            scores_table(evaluation, table).to_csv(partial / SCORES, index=False, lineterminator="\n")
            probes_table(evaluation, table).to_csv(partial / PROBES, index=False, lineterminator="\n")
            (partial / REPORT).write_text(report, "utf-8")
            make_folder(partial / PLOTS)
            for name, svg in plots.items():
                (partial / PLOTS / f"{name}.svg").write_text(svg, "utf-8")
            for name, back_end in (back_ends or {}).items():
                save_back_end(partial / BACK_ENDS_FOLDER / f"{back_end_file_name(name)}.safetensors", back_end)
    except OSError as error:
        raise UserError(f"--out {folder}: cannot be written ({error.strerror or error}): use another folder") from None


def back_end_file_name(method: str) -> str:
    """Return the name of a back-end's file, without ending: `maps-s0-plda` of the method `maps-s0 + plda`."""
    return method.replace(" + ", "-").replace(" ", "-")


def check_replaceable(folder: str | Path) -> None:
    """Check, before any work, that an evaluation can be written into a folder: nothing else is there.

    Raises:
        UserError: it contains something other than an evaluation.
    """
    folder = Path(folder)
    if folder.is_dir() and ((folder / METRICS).is_file() or not any(folder.iterdir())):
        return
    if folder.exists():
        raise UserError(
            f"--out {folder}: contains something other than an evaluation: use a folder that does not exist yet"
        )


def scores_table(evaluation: Evaluation, table: pd.DataFrame) -> pd.DataFrame:
    """Return scores.csv: `list,fold,id1,name1,id2,name2,same`, and a column of similarities for each method.

    Rows without a fold are the pairs that ROC figures are of, those with one the pairs that accuracy is of.
    """
    import pandas as pd

    parts = [_scores_of(evaluation, key, table, in_folds) for key in _lists(evaluation) for in_folds in (False, True)]
    columns = ["list", "fold", "id1", "name1", "id2", "name2", "same", *evaluation.methods]
    there = [part for part in parts if len(part)]
    return pd.concat(there)[columns] if there else pd.DataFrame(columns=columns)


def _scores_of(evaluation: Evaluation, key: str, table: pd.DataFrame, in_folds: bool) -> pd.DataFrame:
    import pandas as pd

    scored: dict[str, ScoredPairs] = {}
    for name, method in evaluation.methods.items():
        result = method.verification.get(key)
        if result is not None and not in_folds:
            scored[name] = result.pairs
        elif result is not None and result.folds is not None and result.folds.pairs.fold is not None:
            scored[name] = result.folds.pairs
    if not scored:
        return pd.DataFrame()
    pairs = next(iter(scored.values()))
    sides = {"1": table.iloc[pairs.first], "2": table.iloc[pairs.second]}
    columns: dict[str, Any] = {"list": key, "fold": pairs.fold if in_folds else ""}
    for side, rows in sides.items():
        columns |= {f"id{side}": rows["id"].to_numpy(), f"name{side}": rows["name"].to_numpy()}
    columns["same"] = pairs.same.astype(np.int64)
    return pd.DataFrame(columns).assign(**{name: mine.scores for name, mine in scored.items()})


def probes_table(evaluation: Evaluation, table: pd.DataFrame) -> pd.DataFrame:
    """Return probes.csv: `protocol,method,id,name,rank,own,own_score,rival,rival_score`; own, rival: enrolled ids."""
    import pandas as pd

    ids, names = table["id"].to_numpy(), table["name"].to_numpy()
    columns = ["protocol", "method", "id", "name", "rank", "own", "own_score", "rival", "rival_score"]
    parts = []
    for method in evaluation.methods.values():
        for key, result in method.identification.items():
            found = result.outcomes
            there = found.rival >= 0
            parts.append(
                pd.DataFrame(
                    {
                        **{"protocol": key, "method": method.name, "id": ids[found.probe]},
                        **{"name": names[found.probe], "rank": found.rank, "own": ids[found.own]},
                        **{"own_score": found.own_score, "rival": np.where(there, ids[found.rival], "")},
                        "rival_score": np.where(there, found.rival_score, np.nan),
                    }
                )
            )
    filled = [part for part in parts if len(part)]
    return pd.concat(filled)[columns] if filled else pd.DataFrame(columns=columns)


def _lists(evaluation: Evaluation) -> list[str]:
    return list(dict.fromkeys(key for method in evaluation.methods.values() for key in method.verification))
