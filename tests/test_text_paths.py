"""Paths as text: whatever function a user gives a path to takes it as a str too, and does the same with it."""

import ast
import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "training"))
from made_checkpoint import make_run
from tiny_sets import points_set

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (ROOT / "face3d_data", ROOT / "training" / "face3d_training")
INTERNAL = {
    **dict.fromkeys(
        ("cli", "engine", "store", "stages", "tracking", "run_state", "building"), "commands and machinery"
    ),
    **dict.fromkeys(("atomic", "unchanged", "roots", "table"), "ground of the machinery"),
    **dict.fromkeys(("readers.shared", "shards.plan", "shards.write", "shards.finish"), "machinery"),
    **dict.fromkeys(("shards.export.form", "shards.export.h5", "shards.export.lfw"), "made by export_dataset"),
    **dict.fromkeys(
        ("shards.export.rgbd", "shards.export.samples", "shards.export.triplets"), "made by export_dataset"
    ),
    **dict.fromkeys(("shards.export.masked_webface", "shards.export.rgbd_three_columns"), "made by export_dataset"),
    **dict.fromkeys(("recognition.answers", "recognition.watching"), "what face3d identify writes"),
    "model_export.forms": "called by export_network",
    **dict.fromkeys(("shards.export.parquet_files", "shards.export.webdataset_files"), "made by export_dataset"),
    **dict.fromkeys(("pipeline.judge", "pipeline.lock", "pipeline.paths", "pipeline.dirty_page"), "machinery"),
    **dict.fromkeys(("pipeline.steps", "pipeline.freeze", "tables.frozen", "triplets"), "machinery"),
    **dict.fromkeys(("pipeline.recall", "pipeline.report_step", "shards.dataset_plan"), "machinery"),
    **dict.fromkeys(("shards.audit.verify_leaks", "shards.audit.verify_spellings"), "parts of verify_dataset"),
    **dict.fromkeys(("testing.contract_table", "formats.realsense_playback"), "takes no path of a user"),
}
"""Modules and folders whose functions no user gives a path to, and why."""
ONLY_OUR_OWN = {
    "look_up",
    "read_lists",
    "look_up_names",
    "check_step",
    "last_runs",
    "shown_name",
    "is_packaged",
    "weights_in",
}
"""Functions of other modules that only our own code calls."""
NOT_CALLED = {"examine": "looks at the whole machine", "train": "needs a config before it looks at a path"}


def module_of(path: Path) -> str:
    package = next(package for package in PACKAGES if path.is_relative_to(package))
    return ".".join([package.name, *path.relative_to(package).with_suffix("").parts]).removesuffix(".__init__")


def is_internal(module: str) -> bool:
    parts = module.split(".")[1:]
    return any(".".join(parts[:length]) in INTERNAL for length in range(1, len(parts) + 1))


def path_parameters(function: ast.FunctionDef) -> dict[str, str]:
    """Return the annotation of each parameter that is a path, or several."""
    given = [*function.args.args, *function.args.kwonlyargs]
    annotations = {one.arg: ast.unparse(one.annotation) for one in given if one.annotation is not None}
    return {
        name: text
        for name, text in annotations.items()
        if "Path" in text and "Callable" not in text and "dict" not in text
    }


def functions() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield module, name and path parameters of each public function and class that takes a path."""
    for file in sorted(file for package in PACKAGES for file in package.rglob("*.py")):
        module = module_of(file)
        if is_internal(module):
            continue
        for node in ast.parse(file.read_text("utf-8")).body:
            makers = [node] if isinstance(node, ast.FunctionDef) else []
            if isinstance(node, ast.ClassDef):
                makers = [each for each in node.body if getattr(each, "name", "") == "__init__"]
            for maker in makers:
                if (
                    not node.name.startswith("_")
                    and node.name not in ONLY_OUR_OWN
                    and (found := path_parameters(maker))
                ):
                    yield module, node.name, found


TAKING = list(functions())


def test_every_public_function_says_that_it_takes_text():
    assert len(TAKING) > 90
    bare = [
        f"{module}.{name}: {key}" for module, name, keys in TAKING for key, text in keys.items() if "str" not in text
    ]
    assert bare == []


def outcome(function, keys, path):
    """Return what comes of a path, other arguments being None: an error in its words, or that there is a result."""
    needed = inspect.signature(function).parameters.values()
    given = {one.name: None for one in needed if one.default is one.empty and one.kind is not one.VAR_KEYWORD}
    given |= {name: [path] if "Sequence" in text else path for name, text in keys.items()}
    try:
        found = function(**given)
        if inspect.isgenerator(found):
            list(found)
    except Exception as error:
        return type(error), str(error).replace(str(Path.cwd()), "HERE")
    return None


@pytest.mark.slow
def test_a_path_as_text_is_the_path(tmp_path, monkeypatch):
    """Of a file that is not there, and of one that means nothing."""
    different = []
    for number, (module, name, keys) in enumerate(TAKING):
        function = getattr(importlib.import_module(module), name)
        for content in (None, b"no such format\n"):
            found = []
            for kind in (Path, str):
                folder = tmp_path / f"{number}-{kind.__name__}-{content is None}"
                folder.mkdir()
                monkeypatch.chdir(folder)
                if content is not None:
                    Path("file.bin").write_bytes(content)
                found.append(None if name in NOT_CALLED else outcome(function, keys, kind("file.bin")))
            if found[0] != found[1]:
                different.append((name, *found))
    assert different == []


@pytest.mark.slow
def test_the_way_from_a_dataset_to_figures_goes_with_texts_alone(tmp_path, monkeypatch):
    from face3d_data.shards.audit.verify import verify_dataset
    from face3d_data.shards.export.dataset import export_dataset
    from face3d_training.checkpoint import load_model
    from face3d_training.evaluation.metrics.lists import EvaluationSettings
    from face3d_training.evaluation.metrics.results import ModelFacts
    from face3d_training.evaluation.report.drawn import Drawn
    from face3d_training.evaluation.run import Request, run_evaluation
    from face3d_training.trained_rows import EmbeddingFile, RowChoice, embed_dataset, rows_for
    from face3d_training.training_embeddings import training_rows

    monkeypatch.chdir(tmp_path)
    make_run(Path("run"), points_set(tmp_path, masked=False))
    monkeypatch.setattr("face3d_training.evaluation.run.draw", lambda *arguments: Drawn({}, {}))
    monkeypatch.setattr("face3d_training.evaluation.run.measure_cost", lambda *arguments: ModelFacts(7, 8))
    assert verify_dataset("points").ok
    export_dataset("points", "exported", splits=["test"])
    assert len(list(Path("exported").rglob("*.ply"))) == 16
    trained = load_model("run")
    assert len(rows_for(trained, "points", "test")[0]) == 16
    assert len(training_rows(trained, "points").table) == 32
    assert embed_dataset(RowChoice("points"), "run", EmbeddingFile("e.h5"), "cpu").count == 4
    few, runs = EvaluationSettings(resamples=5), ("run",)
    evaluation, _ = run_evaluation(Request("points", "e", runs, baselines=False, device="cpu", settings=few))
    assert list(evaluation.methods) == ["run"]
    assert Path("e", "report.html").is_file()
