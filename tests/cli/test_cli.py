"""What a person types: every mistake gets one line that names it and the remedy, and exit code 2."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from toys import write_toys

from face3d_data.cli.main import _answer
from face3d_data.pipeline.build import load_pipeline

PIPELINE = """
name: toy
seed: 0
sources: {{src: {{reader: toy_files, root: "{root}"}}}}
steps:
  - {{id: scaled, stage: toy_scale, from: src}}
  - {{id: people, table: split, from: scaled}}
datasets:
  toy: {{from: people, fields: [points], pairs: true}}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_toys(tmp_path / "in", 4, 3)
    (tmp_path / "in" / "p000" / "bad.txt").write_text("13")
    (tmp_path / "p.yaml").write_text(PIPELINE.format(root=tmp_path / "in"))
    return tmp_path


def call(capsys, *arguments):
    code = _answer(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


MISTAKES = [
    (["rnu", "p.yaml"], r"no command 'rnu' (commands: "),
    (["run"], "face3d run: Missing argument 'PIPELINE' (see face3d run --help)"),
    (["run", "p.yaml", "--explan"], "Did you mean"),
    (["run", "absent.yaml"], "pipeline absent.yaml: there is no such file, and no packaged pipeline of that name ("),
    (["run", "p.yaml", "--engine", "spark"], "'spark' is not one of 'serial', 'loky', 'threading'"),
    (["run", "p.yaml", "--jobs", "0"], "0 is not in the range x>=1"),
    (["run", "p.yaml", "--jobs", "1000"], "--jobs 1000: more than "),
    (["run", "p.yaml", "--chunk", "999"], "999 is not in the range 1<=x<=256"),
    (["run", "p.yaml", "--until", "nope"], "pipeline 'toy' has no step 'nope' (steps: scaled, people)"),
    (["run", "p.yaml", "--force", "nope"], "pipeline 'toy' has no step 'nope'"),
    (
        ["run", "p.yaml", "--set", "scaled.facter=1"],
        "step 'scaled' (toy_scale): unknown option 'facter' (known: factor)",
    ),
    (
        ["run", "p.yaml", "--set", "src.root=gone"],
        "'src': root gone does not exist, neither next to the pipeline (",
    ),
    (["run", "p.yaml", "--set", "src.root=/proc/gone"], "source 'src': root /proc/gone does not exist: correct it"),
    (["run", "p.yaml", "-w", "p.yaml"], "p.yaml"),
    (["status"], "nothing has run in workspace work: use `face3d run`"),
    (["dirty", "-w", "in"], "nothing has run in workspace in"),
    (["gc", "-w", "in"], "in is not a workspace (it has no cache/)"),
    (["mask"], "verify): did you mean 'masks'? (see face3d --help)"),
    (["chain"], "Usage: face3d chain"),
    (["chain", "read", "toy_files", "--root", "in", "to-clowd"], "write): did you mean 'to-cloud'?"),
    (
        ["chain", "read", "toy_files", "--root", "in", "mask", "--keep-images", "false"],
        "write): options that are on or off take no value: --keep-original, --no-keep-original",
    ),
    (["chain", "read", "toy_files", "--root", "in", "bogus"], "no command 'bogus' (commands: read, align-3d, "),
    (["chain", "read"], "read: name a reader first (readers: "),
    (["chain", "read", "nope"], "read: there is no reader 'nope'"),
    (["chain", "split"], "chain: begin with one source: face3d chain read READER --root DIR"),
    (["run", "p.yaml", "--set", "scaled.factor=true"], "'factor' = true: give a number"),
    (["run", "p.yaml", "--set", "scaled.factor=.inf"], "'.inf' is not finite: give a number"),
    (["chain", "read", "toy_files", "--root", "in", "write"], "write: name the dataset first"),
    (["chain", "read", "toy_files", "--root", "in", "toy-scale", "--factor", "x"], "'factor' = 'x'"),
    (["split", "p.yaml", "--step", "scaled"], "choose one split step with --step (split steps: people)"),
    (
        ["split", "p.yaml", "--freeze", "p.yaml/file.csv"],
        "p.yaml is not a folder that can be written",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(a) for a, _ in MISTAKES])
def test_a_mistake_is_one_line_and_code_two(here, capsys, arguments, message):
    code, out, err = call(capsys, *arguments)
    assert code == 2
    assert message in err
    assert out == ""
    assert "Traceback" not in err
    assert err.count("\n") == 1 or arguments == ["chain"]


def test_nothing_is_written_when_use_is_wrong(here, capsys):
    before = sorted(path.name for path in here.iterdir())
    call(capsys, "run", "p.yaml", "--set", "scaled.factor=big")
    call(capsys, "chain", "--save", "out.yaml", "read", "toy_files", "--root", "in", "subsample", "--n-points", "-1")
    assert sorted(path.name for path in here.iterdir()) == before


@pytest.mark.slow
def test_run_status_dirty_retry_and_gc(here, capsys):
    code, out, _ = call(capsys, "run", "p.yaml", "--engine", "serial")
    assert code == 0
    assert "src  toy_files: 13 in, 13 out" in out
    assert "scaled  toy_scale: 13 in, 12 out, 1 dirty (unlucky 1), 13 new" in out
    assert out.splitlines()[-1] == f"dataset {here / 'work' / 'datasets' / 'toy'}"
    _, out, _ = call(capsys, "run", "p.yaml", "--explain")
    assert out.splitlines()[0] == "scaled (toy_scale): up to date: 13 inputs done"
    _, out, _ = call(capsys, "status")
    assert "scaled  toy_scale         13 in      12 out  1 dirty (unlucky 1)" in out
    _, out, _ = call(capsys, "status", "toy", "--json")
    assert json.loads(out)["toy"]["steps"]["scaled"]["reasons"] == {"unlucky": 1}
    _, out, _ = call(capsys, "dirty", "--json")
    assert [(row["path"], row["reason"]) for row in json.loads(out)] == [("p000/bad.txt", "unlucky")]
    _, out, _ = call(capsys, "dirty", "--retry", "--reason", "unlucky")
    assert out == "1 row will be tried again by the next run\n"
    _, out, _ = call(capsys, "run", "p.yaml", "--engine", "serial")
    assert "12 out, 1 dirty (unlucky 1), 1 new" in out
    code, out, _ = call(capsys, "gc", "--apply", "--compact")
    assert code == 0
    assert re.fullmatch(
        r"cache/toy_scale-\w+: 3 parts rewritten, without 1 row that no run needs\n\d\.\d kB freed\n", out
    )


def test_a_limit_exceeded_is_code_one_and_says_where_to_look(here, capsys):
    for i in range(50):
        (here / "in" / "p001" / f"bad{i}.txt").write_text(f"13 {i}")
    code, _, err = call(capsys, "run", "p.yaml", "--engine", "serial")
    assert code == 1
    assert "step 'scaled': 51 of 63 inputs ended as rejects (unlucky 51, first: thirteen)" in err
    assert "scaled.dirty.csv" in err


@pytest.mark.slow
def test_a_chain_is_the_same_pipeline_as_its_file(here, capsys):
    chain = ["read", "toy_files", "--root", "in", "--as", "src", "toy-scale", "--factor", "3", "--as", "scaled"]
    chain += ["split", "--by", "identity", "--as", "people", "write", "toy", "--fields", "points", "--pairs", "true"]
    code, _, _ = call(capsys, "chain", "--name", "toy", "--save", "q.yaml", *chain)
    assert code == 0
    saved = yaml.safe_load((here / "q.yaml").read_text())
    assert saved["sources"]["src"] == {"reader": "toy_files", "root": str(here / "in")}
    assert [step["from"] for step in saved["steps"]] == ["src", "scaled"]
    code, out, _ = call(capsys, "chain", "--name", "toy", "--engine", "serial", *chain)
    assert code == 0, out
    assert (here / "work" / "datasets" / "toy" / "dataset.json").exists()
    assert load_pipeline("q.yaml").steps[0].component.factor == 3
    _, out, _ = call(capsys, "run", "q.yaml", "--explain")
    assert out.splitlines()[0] == "scaled (toy_scale): up to date: 13 inputs done"


def test_a_chain_goes_by_the_name_of_its_dataset(here, capsys):
    chain = ["read", "toy_files", "--root", "in", "toy-scale"]
    for name, end in (("one", ["write", "one", "--fields", "points"]), ("chain", [])):
        assert call(capsys, "chain", "--save", f"{name}.yaml", *chain, *end)[0] == 0
        assert yaml.safe_load((here / f"{name}.yaml").read_text())["name"] == name


def test_a_chain_branches_with_from(here, capsys):
    chain = ["read", "toy_files", "--root", "in", "--as", "src", "toy-scale", "--as", "a", "toy-scale", "--from", "src"]
    assert call(capsys, "chain", "--save", "q.yaml", *chain)[0] == 0
    assert [(s["id"], s["from"]) for s in yaml.safe_load((here / "q.yaml").read_text())["steps"]] == [
        ("a", "src"),
        ("toy_scale", "src"),
    ]


@pytest.mark.slow
def test_split_freezes_a_file_that_then_wins(here, capsys):
    frozen = PIPELINE.replace("table: split, from: scaled", "table: split, from: scaled, with: {{frozen: people.csv}}")
    (here / "p.yaml").write_text(frozen.format(root=here / "in"))
    code, _, err = call(capsys, "run", "p.yaml", "--engine", "serial")
    assert (code, "face3d split --freeze" in err) == (2, True)
    code, out, _ = call(capsys, "split", "p.yaml", "--engine", "serial", "--freeze", "people.csv")
    assert code == 0
    assert "train: " in out
    assert call(capsys, "run", "p.yaml", "--engine", "serial", "--set", "seed=99")[0] == 0


def test_interrupted_and_missing_dependency(here, capsys, monkeypatch):
    from face3d_data.errors import MissingDependency
    from face3d_data.pipeline import run as run_module

    def interrupt(*args, **keys):
        raise KeyboardInterrupt

    def lacking(*args, **keys):
        raise MissingDependency("pointnet2_ops is not installed: pip install it")

    monkeypatch.setattr(run_module, "run", interrupt)
    assert call(capsys, "run", "p.yaml")[::2] == (130, "\nface3d: stopped; finished parts stay, run again to go on\n")
    monkeypatch.setattr(run_module, "run", lacking)
    assert call(capsys, "run", "p.yaml")[::2] == (2, "face3d: pointnet2_ops is not installed: pip install it\n")


@pytest.mark.slow
def test_help_is_fast_and_light():
    script = (
        "import sys; from face3d_data.cli.main import _answer; _answer(['--help']);"
        "heavy = {'torch', 'open3d', 'cv2', 'pandas', 'h5py', 'numpy'} & set(sys.modules); print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] in ("[]", "['numpy']")
    for name in (
        "run",
        "chain",
        "split",
        "status",
        "dirty",
        "show",
        "stages",
        "readers",
        "synth",
        "export",
        "verify",
        "gc",
        "doctor",
    ):
        assert f"\n  {name} " in done.stdout


def test_lists_may_be_given_with_commas_or_again(here, capsys):
    for fields in (["--fields", "points,landmarks_3d"], ["--fields", "points", "--fields", "landmarks_3d"]):
        chain = ["read", "toy_files", "--root", "in", "toy-scale", "split", "write", "both", *fields]
        assert call(capsys, "chain", "--save", "q.yaml", *chain)[0] == 0
        assert yaml.safe_load((here / "q.yaml").read_text())["datasets"]["both"]["fields"] == ["points", "landmarks_3d"]


@pytest.mark.slow
def test_dirty_names_the_file_with_an_errors_traceback(here, capsys):
    (here / "in" / "p000" / "error.txt").write_text("14")
    assert call(capsys, "run", "p.yaml", "--engine", "serial")[0] == 0
    _, out, _ = call(capsys, "dirty", "--reason", "RuntimeError", "--json")
    assert "raise RuntimeError" in Path(json.loads(out)[0]["traceback"]).read_text()
    _, out, _ = call(capsys, "dirty", "--step", "scaled")
    assert out.count("  traceback: ") == 1
    assert call(capsys, "dirty", "--step", "nope")[0] == 2
    code, out, err = call(capsys, "dirty", "--reason", "unluky")
    assert (code, out, err) == (0, "", "0 dirty rows with reason unluky (there are: RuntimeError, unlucky)\n")


@pytest.mark.slow
def test_show_goes_on_after_a_run_that_was_refused(here, capsys):
    assert call(capsys, "run", "p.yaml", "--engine", "serial")[0] == 0
    broken = (here / "p.yaml").read_text().replace("name: toy", "name: broken", 1)
    (here / "b.yaml").write_text(broken.replace("from: scaled}", "from: scaled, with: {frozen: gone.csv}}", 1))
    assert call(capsys, "run", "b.yaml", "--engine", "serial")[0] == 2
    code, _, err = call(capsys, "show", "src/p001/c1")
    assert code == 0
    assert "note: pipeline 'broken' cannot be shown: " in err
    assert call(capsys, "show", "src/p001/c1", "--pipeline", "broken")[0] == 2
    code, _, err = call(capsys, "show", "src/p001/c1", "--out", "/proc/x")
    assert (code, err.count("\n")) == (2, 2)
    assert "--out /proc/x: cannot be written" in err
