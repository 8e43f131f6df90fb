"""Whatever stands in a pipeline file or in --set: it is planned, or refused in one line, at once."""

import random
from pathlib import Path

import pytest
import yaml
from hang_guard import ends_soon
from soak import tries
from yaml_mutations import VALUES, at, mutated

from face3d_data.component import build
from face3d_data.errors import UserError
from face3d_data.pipeline.build import load_pipeline
from face3d_data.pipeline.lock import pipeline_digest
from face3d_data.pipeline.paths import with_paths
from face3d_data.registry import components

FILES = sorted((Path(__file__).resolve().parents[2] / "pipelines").glob("*.yaml"))
ROOTS = ("D415", "D415_MASKED", "BOSPHORUS", "RGBD", "IMAGE", "FRGC", "LOCK3DFACE", "SCANS")
ENVIRONMENT = {"HOME": "/root", **{f"{name}_ROOT": "captures" for name in ROOTS}}
OPTIONS = (
    *("from", "where", "with", "seed", "stage", "table", "id", "styles"),
    *("n_points", "root", "reader", "tags", "x", ""),
)
ONCE_FAILED = [
    ("rgbd_masked.yaml", ("steps", 6, "with", "styles"), [["surgical", "kn95"]]),
    ("quickstart.yaml", ("steps", 5, "with", "styles"), [{"id": "cleaned"}]),
    ("recognition.yaml", ("datasets", "recognition", "protocol"), [[]]),
    ("bosphorus.yaml", ("sources", "bosphorus", "root"), "a" * 3000),
    ("quickstart.yaml", ("name",), "a" * 3000),
    ("quickstart.yaml", ("datasets", "quickstart", "gallery", "query"), "@pd.io.common.os.system('id') == 0"),
    ("rgbd_masked.yaml", ("steps", 6, "where"), {"mask": {"none": 1}}),
]
OVERRIDES_THAT_FAILED = ["worn.reader=a,b", "synthetic.a.b=3", "quickstart.pairs={", "seed=&a [*a]", "name=2026-02-30"]


@pytest.fixture(scope="module")
def documents():
    return {path.name: yaml.safe_load(path.read_text("utf-8")) for path in FILES}


@ends_soon()
def plan(path, document, overrides=()):
    """Plan a pipeline; return what it was refused with, or nothing."""
    path.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
    try:
        pipeline = load_pipeline(path, overrides, ENVIRONMENT)
        assert pipeline.text_anywhere
        assert pipeline_digest(pipeline)
        said = ""
    except UserError as error:
        said = str(error)
        assert said
    return said


@pytest.mark.slow
def test_changed_pipelines_are_planned_or_refused_in_one_line(tmp_path, documents):
    results = []
    for seed in range(tries(120, 360)):
        document = documents[FILES[seed % len(FILES)].name]
        said = plan(tmp_path / "p.yaml", mutated(document, seed))
        assert "\n" not in said, (seed, said)
        results.append(bool(said))
    assert 0 < results.count(False) < len(results) / 2, "the changes say something"


@pytest.mark.parametrize(("name", "path", "value"), ONCE_FAILED)
def test_what_once_failed_is_refused(tmp_path, documents, name, path, value):
    document = yaml.safe_load(yaml.safe_dump(documents[name]))
    *above, key = path
    at(document, above)[key] = value
    said = plan(tmp_path / "p.yaml", document)
    assert said
    assert "\n" not in said


@pytest.mark.slow
def test_settings_are_taken_or_refused_in_one_line(tmp_path, documents):
    texts = [yaml.safe_dump(value, default_flow_style=True).split("\n")[0] for value in VALUES]
    for seed in range(tries(40, 120)):
        rng = random.Random(seed)
        document = documents[FILES[seed % len(FILES)].name]
        ids = [*(step["id"] for step in document["steps"]), *document["sources"], *document["datasets"], "x", ""]
        setting = f"{rng.choice(ids)}.{rng.choice(OPTIONS)}={rng.choice(texts)}"
        changed = mutated(document, seed) if seed % 2 else document
        assert "\n" not in plan(tmp_path / "p.yaml", changed, [setting]), (seed, setting)


@pytest.mark.parametrize("setting", OVERRIDES_THAT_FAILED)
def test_settings_that_once_failed_are_refused(tmp_path, documents, setting):
    document = yaml.safe_load(yaml.safe_dump(documents["quickstart.yaml"]))
    next(step for step in document["steps"] if step["id"] == "worn")["with"] = ["a"]
    document["sources"]["x"] = 5
    assert plan(tmp_path / "p.yaml", document, [setting])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["reader", "stage", "table"])
def test_every_option_takes_or_refuses_every_value(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    for cls in components(kind).values():
        wanted = [(name, info.annotation) for name, info in cls.model_fields.items() if info.is_required()]
        required = {name: 1 if annotation is int else "x" for name, annotation in wanted}
        for name in cls.model_fields:
            for value in VALUES:
                try:
                    built = build(cls, with_paths(cls, {**required, name: value}, (tmp_path,)), "x")
                    assert isinstance(built.parameters(), dict)
                except UserError as error:
                    assert len(str(error)) < 4000  # noqa: PT017  # the other way out is no error at all
