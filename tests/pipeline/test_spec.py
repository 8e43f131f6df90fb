"""A pipeline that cannot work is refused before anything runs, in one line that names the key and the remedy."""

from __future__ import annotations

import pytest
import toys  # noqa: F401

from face3d_data.errors import UserError
from face3d_data.pipeline.build import load_pipeline, make_pipeline

SOURCE = {"reader": "toy_files", "root": "in"}


def raw(**changes):
    base = {
        "name": "toy",
        "sources": {"src": SOURCE},
        "steps": [
            {"id": "scaled", "stage": "toy_scale", "from": "src"},
            {"id": "people", "table": "split", "from": "scaled"},
        ],
        "datasets": {"set": {"from": "people", "fields": ["points"]}},
    }
    return {**base, **changes}


def step(**keys):
    return {"steps": [{"id": "a", "stage": "toy_scale", "from": "src", **keys}], "datasets": {}}


WRONG = {
    "unknown stage": (
        step(stage="toy_scael"),
        r"step 'a': there is no stage 'toy_scael' \(did you mean 'toy_scale'\?\)",
    ),
    "unknown reader": (
        {"sources": {"src": {"reader": "nope"}}},
        r"source 'src': there is no reader 'nope' \(known: .*toy_files",
    ),
    "unknown option": (
        step(**{"with": {"factr": 2}}),
        r"step 'a' \(toy_scale\): unknown option 'factr' \(known: factor\)",
    ),
    "wrong value": (step(**{"with": {"factor": "big"}}), r"step 'a' \(toy_scale\): 'factor' = 'big': .*number"),
    "missing option": (
        {"sources": {"src": {"reader": "toy_files"}}},
        r"source 'src' \(toy_files\): option 'root' is required",
    ),
    "unknown key": (
        step(form="src"),
        r"step 'a': unknown option 'form' \(known: id, stage, table, from, where, with, seed, keep\)",
    ),
    "no from": ({"steps": [{"id": "a", "stage": "toy_scale"}], "datasets": {}}, r"step 'a': option 'from' is required"),
    "two kinds": (step(table="split"), r"step 'a': give either 'stage' or 'table'"),
    "unknown upstream": (step(**{"from": "sorce"}), r"step 'a': from: 'sorce' is not a source or step \(a, src\)"),
    "id twice": (
        {"steps": [{"id": "src", "stage": "toy_scale", "from": "src"}], "datasets": {}},
        r"step 'src': the id is used twice",
    ),
    "circle": (
        {
            "steps": [
                {"id": "a", "stage": "toy_scale", "from": "b"},
                {"id": "b", "stage": "toy_scale", "from": "a"},
            ],
            "datasets": {},
        },
        r"steps a, b form a cycle",
    ),
    "where nobody declares": (step(where={"colour": "red"}), r"step 'a': where: no upstream of it declares 'colour'"),
    "where nearly declared": (step(where={"maks": "none"}), r"declares 'maks' .*: did you mean 'mask'\?$"),
    "where of a mapping": (step(where={"mask": {"a": 1}}), r"'where' = .*: mask: \{'a': 1\}: give a text, number"),
    "tag nearly declared": (
        {"datasets": {"set": {"from": "people", "fields": ["points"], "tags": ["maks"]}}},
        r"declares 'maks' .*: did you mean 'mask'\?$",
    ),
    "query of a name that nobody declares": (
        {"datasets": {"set": {"from": "people", "fields": ["points"], "probe": {"query": "glases == 'x'"}}}},
        r"dataset 'set': probe: query \"glases == 'x'\": no tag or column 'glases' \(columns: id, identity",
    ),
    "where split before a split": (step(where={"split": "train"}), r"declares 'split' \(put a split step before it\)"),
    "array nobody makes": (
        {"steps": [{"id": "a", "stage": "crop", "from": "src"}], "datasets": {}},
        r"step 'a' \(crop\) needs .* or .*, but 'src' gives only landmarks_3d, points",
    ),
    "field nobody makes": (
        {"datasets": {"set": {"from": "people", "fields": ["normals"]}}},
        r"dataset 'set': nothing upstream of 'people' makes 'normals'",
    ),
    "dataset from nowhere": (
        {"datasets": {"set": {"from": "peple", "fields": ["points"]}}},
        r"dataset 'set': from: 'peple'",
    ),
    "tag that is a column": (
        {"sources": {"src": {**SOURCE, "tags": {"split": "x"}}}},
        r"tag 'split' is the name of a column",
    ),
    "name with a space": ({"name": "my set"}, r"'name' = 'my set'"),
    "no sources": ({"sources": {}}, r"'sources'"),
    "dataset with a slash": (
        {"sources": {"src": {**SOURCE, "dataset": "a/b"}}},
        r"source 'src': dataset 'a/b' holds '/'",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_refused_in_one_line(tmp_path, case):
    changes, message = WRONG[case]
    with pytest.raises(UserError, match=message) as error:
        make_pipeline(raw(**changes), tmp_path)
    assert "\n" not in str(error.value)


def test_steps_run_after_their_upstreams_however_they_are_written(tmp_path):
    steps = [
        {"id": "c", "stage": "toy_scale", "from": ["b", "a"]},
        {"id": "b", "stage": "toy_scale", "from": "a"},
        {"id": "a", "stage": "toy_scale", "from": "src"},
    ]
    assert [s.id for s in make_pipeline(raw(steps=steps, datasets={}), tmp_path).steps] == ["a", "b", "c"]


def write(tmp_path, text):
    path = tmp_path / "p.yaml"
    path.write_text(text, encoding="utf-8")
    return path


TEXT = """
name: toy
sources: {src: {reader: toy_files, root: "${TOYS_ROOT:-in}"}}
steps: [{id: a, stage: toy_scale, from: src, with: {factor: 3}}]
"""


def test_lists_of_files_are_looked_up_beside_the_pipeline_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    style = "outline: [[0, 20], [55, 0], [70, -50], [0, -98]]\ncolors: {lime: '#80ff20'}\n"
    for file in (tmp_path / "mine" / "lime.yaml", tmp_path / "here.yaml"):
        file.write_text(style)
    masks = {"styles": ["lime", "here"], "style_files": ["lime.yaml", "here.yaml"]}
    raw = {
        "name": "p",
        "sources": {"a": {"reader": "synthetic"}},
        "steps": [{"id": "worn", "stage": "mask", "from": "a", "with": masks}],
    }
    stage = make_pipeline(raw, tmp_path / "mine").step("worn").component
    assert stage.style_files == (tmp_path / "mine" / "lime.yaml", tmp_path / "here.yaml")


def test_relative_paths_are_beside_the_file_and_variables_are_filled_in(tmp_path):
    path = write(tmp_path, TEXT)
    assert load_pipeline(path, environment={}).sources[0].reader.root == tmp_path / "in"
    assert str(load_pipeline(path, environment={"TOYS_ROOT": "/x"}).sources[0].reader.root) == "/x"
    bare = write(tmp_path, TEXT.replace(":-in", ""))
    with pytest.raises(UserError, match=r"p.yaml.*environment variable TOYS_ROOT is not set: export TOYS_ROOT="):
        load_pipeline(bare, environment={})


def test_overrides_reach_steps_sources_and_seed(tmp_path):
    path = write(tmp_path, TEXT)
    pipeline = load_pipeline(path, ["seed=9", "a.factor=4.5", "src.dataset=other"], environment={})
    assert (pipeline.seed, pipeline.steps[0].component.factor, pipeline.sources[0].dataset) == (9, 4.5, "other")
    for wrong in ("seed", "b.factor=1", "limits=3", "a.factor=[1"):
        with pytest.raises(UserError, match="--set"):
            load_pipeline(path, [wrong], environment={})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nname: b\n", r"line 2: key 'name' is written twice"),
        ("name: [", r"p.yaml, line 1"),
        ("name: a\non: 3\n", r"line 2: key True is not a text: quote it"),
        ("1: a\n", r"line 1: key 1 is not a text: quote it"),
        ("name: a\nsources: [1]\n", r"'sources' = \[1\]"),
        ("name: a\nsources: {s: null}\n", r"'sources.s' = None"),
        ("- 1\n", r"is not a mapping"),
    ],
)
def test_broken_yaml_names_file_and_line(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        load_pipeline(write(tmp_path, text))


def test_the_seed_enters_only_the_fingerprints_of_what_draws(tmp_path):
    steps = [
        {"id": "scaled", "stage": "toy_scale", "from": "src"},
        {"id": "noisy", "stage": "toy_jitter", "from": "scaled"},
        {"id": "other", "stage": "toy_jitter", "from": "scaled", "seed": 1},
    ]
    one = make_pipeline(raw(steps=steps, datasets={}), tmp_path)
    two = make_pipeline(raw(steps=steps, datasets={}, seed=5), tmp_path)
    prints = [[s.fingerprint(p.seed) for s in p.steps] for p in (one, two)]
    assert prints[0][0] == prints[1][0]
    assert len({*prints[0][1:], *prints[1][1:]}) == 4


def test_merge_keys_and_empty_options_are_allowed(tmp_path):
    text = TEXT.replace("with: {factor: 3}", "with:") + "datasets: {}\n"
    assert load_pipeline(write(tmp_path, text), environment={}).steps[0].component.factor == 2
    assert load_pipeline(write(tmp_path, text), ["a.factor=5"], environment={}).steps[0].component.factor == 5
    merged = "base: &b {factor: 4}\n" + TEXT.replace("with: {factor: 3}", "with: {<<: *b}")
    with pytest.raises(UserError, match="unknown option 'base'"):
        load_pipeline(write(tmp_path, merged), environment={})


def test_overriding_what_is_not_a_mapping_is_one_line(tmp_path):
    for text in ("name: a\nsources: [1]\n", "name: a\nsteps: 3\n", "name: a\ndatasets: {d: null}\n"):
        with pytest.raises(UserError, match="no source, step or dataset is named 'd'"):
            load_pipeline(write(tmp_path, text), ["d.x=1"], environment={})


def test_a_root_from_the_environment_may_be_relative_to_where_one_is(tmp_path, monkeypatch):
    (tmp_path / "elsewhere" / "captures").mkdir(parents=True)
    path = write(tmp_path, TEXT)
    monkeypatch.chdir(tmp_path / "elsewhere")
    pipeline = load_pipeline(path, environment={"TOYS_ROOT": "captures"})
    assert pipeline.sources[0].reader.root == tmp_path / "elsewhere" / "captures"
    copy = tmp_path / "copy.yaml"
    copy.write_text(pipeline.text_anywhere)
    monkeypatch.chdir("/")
    assert load_pipeline(copy).sources[0].reader.root == tmp_path / "elsewhere" / "captures"


def test_options_that_a_reader_lacks_are_named_as_the_remedy(tmp_path):
    sources = {"npy": {"reader": "rgbd_npy", "root": str(tmp_path)}}
    steps = [
        {"id": "faces", "stage": "detect", "from": "npy"},
        {"id": "clouds", "stage": "to_cloud", "from": "faces"},
    ]
    with pytest.raises(
        UserError, match=r"step 'clouds' \(to_cloud\): source 'npy' gives .*depth.* only with more options"
    ):
        make_pipeline(raw(sources=sources, steps=steps, datasets={}), tmp_path)


def test_what_a_stage_only_drops_is_not_taken_for_made(tmp_path):
    sources = {"caps": {"reader": "rgbd_folder", "root": str(tmp_path)}}
    steps = [
        {"id": "faces", "stage": "detect", "from": "caps"},
        {"id": "clouds", "stage": "to_cloud", "from": "faces"},
    ]
    datasets = {"set": {"from": "clouds", "fields": ["points", "normals"]}}
    with pytest.raises(UserError, match="dataset 'set': nothing upstream of 'clouds' makes 'normals'"):
        make_pipeline(raw(sources=sources, steps=steps, datasets=datasets), tmp_path)
