"""Front door of the command line: groups of help, quiet, verbose and logged runs, completion, packaged pipelines."""

import json
import os
import re
import subprocess
import sys

import click
import pytest
import yaml
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from toys import write_toys

from face3d_data.cli.main import GROUPS, face3d, main
from face3d_data.resources import package_folder, pipeline_names


def answer(capsys, *arguments: str) -> tuple[int, str, str]:
    """Run a command line in this process; return its exit code and what it printed."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    out, err = capsys.readouterr()
    return stopped.value.code, out, err


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A pipeline of toys in the current folder, with a `where` that passes rows over: a note on the run."""
    monkeypatch.chdir(tmp_path)
    write_toys(tmp_path / "in", 2, 2)
    raw = {
        "name": "toy",
        "sources": {"src": {"reader": "toy_files", "root": "in"}},
        "steps": [
            {"id": "scaled", "stage": "toy_scale", "from": "src"},
            {"id": "parts", "table": "split", "from": "scaled", "with": {"ratios": {"train": 1}}},
        ],
        "datasets": {"toy": {"from": "parts", "fields": ["points"]}},
    }
    (tmp_path / "toy.yaml").write_text(yaml.safe_dump(raw))
    return ("run", "toy.yaml", "--engine", "serial")


def test_every_command_stands_in_one_group_of_the_help():
    grouped = [name for _, _, names in GROUPS for name in names]
    assert sorted(grouped) == face3d.list_commands(None)
    text = CliRunner().invoke(face3d, ["--help"]).output
    for title, example, names in GROUPS:
        assert f"{title} ({example})" in text
        assert all(re.search(rf"^  {name} +[A-Z].*\.$", text, re.MULTILINE) for name in names), "a line, not cut off"


def test_examples_of_the_help_name_commands_and_options_that_there_are():
    for _, example, _ in GROUPS:
        program, name, *rest = example.split()
        command = face3d.get_command(click.Context(face3d), name)
        flags = {flag for option in command.get_params(click.Context(command)) for flag in option.opts}
        assert program == "face3d"
        assert {word for word in rest if word.startswith("--")} <= flags


def test_quiet_leaves_results_and_notes(toy, capsys):
    code, out, err = answer(capsys, *toy, "-q")
    assert (code, err) == (0, "")
    assert [line.split(" /")[0].strip() for line in out.splitlines()] == ["2 people: train 2", "dataset"]
    assert answer(capsys, "-q", *toy)[1] == out, "before the command it means the same"
    assert len(answer(capsys, *toy)[1].splitlines()) > 4, "nothing of it stays for the next command"


def test_quiet_hides_progress_of_long_steps(toy, capsys, monkeypatch):
    monkeypatch.setattr("face3d_data.engine.progress.PLAIN_EVERY_S", 0.0)
    assert "scaled: 4/4" in answer(capsys, *toy)[2]
    assert answer(capsys, *toy, "--force", "scaled", "-q")[2] == ""
    assert answer(capsys, *toy, "--force", "scaled")[2] != "", "and shows it again"


def test_quiet_leaves_what_the_user_should_know(toy, capsys, tmp_path):
    raw = yaml.safe_load((tmp_path / "toy.yaml").read_text())
    raw["steps"][0]["where"] = {"identity": "src/p000"}
    (tmp_path / "toy.yaml").write_text(yaml.safe_dump(raw))
    code, out, _ = answer(capsys, *toy, "-q")
    assert code == 0
    assert "rows of src are in no dataset: where of step scaled" in out


def test_verbose_says_when_and_where(toy, capsys):
    code, out, err = answer(capsys, *toy, "-v")
    assert code == 0
    assert all(re.match(r" +\d+\.\d s  ", line) for line in out.splitlines() if not line.startswith("dataset"))
    assert "toy.yaml" in err
    assert "engine serial" in err


def test_quiet_and_verbose_exclude_each_other(toy, capsys):
    code, _, err = answer(capsys, *toy, "-q", "-v")
    assert code == 2
    assert err == "face3d: -q and -v exclude each other: leave one of them out\n"


def test_a_log_gets_every_line_with_its_time_and_is_appended_to(toy, capsys, tmp_path):
    for _ in range(2):
        code, out, _ = answer(capsys, *toy, "-q", "--log", "run.log")
        assert code == 0
    lines = (tmp_path / "run.log").read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00 ", line) for line in lines)
    texts = [line.split(" ", 1)[1] for line in lines]
    assert all(texts.count(line) == 2 for line in out.splitlines())
    assert any("toy_scale: 4 in" in text for text in texts), "progress too, though it was not printed"
    answer(capsys, "run", "nowhere.yaml", "--log", "run.log")
    assert "nowhere.yaml: there is no such file" in (tmp_path / "run.log").read_text()


def test_a_log_is_never_appended_to_another_file(toy, capsys, tmp_path):
    before = (tmp_path / "toy.yaml").read_text()
    code, _, err = answer(capsys, *toy, "--log", "toy.yaml")
    assert code == 2
    assert err == "face3d: --log toy.yaml: is there already and is not a log: give another path\n"
    assert (tmp_path / "toy.yaml").read_text() == before


def test_pages_and_json_are_logged_too(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in (("pipelines", "quickstart"), ("readers", "--json")):
        (tmp_path / "a.log").unlink(missing_ok=True)
        out = answer(capsys, *arguments, "--log", "a.log")[1]
        logged = [line.split(" ", 1)[1] for line in (tmp_path / "a.log").read_text().splitlines()]
        assert logged == out.splitlines()


def test_files_of_the_user_are_not_replaced(toy, capsys, tmp_path):
    before = (tmp_path / "toy.yaml").read_text()
    answer(capsys, *toy)
    chain = ("chain", "--save", "toy.yaml", "read", "toy_files", "--root", "in", "write", "d", "--fields", "points")
    for arguments, said in (
        (("domains", "toy", "--out", "toy.yaml"), "--out toy.yaml: give the name of a .png file"),
        (chain, "--save toy.yaml: is there already"),
        (("export", "toy", "work/datasets/toy/shards/e"), "is inside the dataset"),
    ):
        code, _, err = answer(capsys, *arguments)
        assert (code, err.count("\n")) == (2, 1)
        assert said in err
    assert (tmp_path / "toy.yaml").read_text() == before


def test_a_log_that_cannot_be_written_is_one_line(toy, capsys):
    code, _, err = answer(capsys, *toy, "--log", "no/such/run.log")
    assert code == 2
    assert err.startswith("face3d: --log no/such/run.log: cannot be written")
    assert err.count("\n") == 1


def test_dry_run_is_another_name_for_explain(toy, capsys, tmp_path):
    code, out, _ = answer(capsys, *toy, "--dry-run")
    assert code == 0
    assert out.startswith("scaled (toy_scale):")
    assert out == answer(capsys, *toy, "--explain")[1]
    assert not (tmp_path / "work" / "datasets").exists()


def completed(*words: str) -> list[str]:
    """Return what a shell would offer for the last word."""
    *before, incomplete = words
    items = ShellComplete(face3d, {}, "face3d", "_FACE3D_COMPLETE").get_completions(before, incomplete)
    return [item.value for item in items if item.type == "plain"]


def test_names_are_completed(toy, capsys, tmp_path):
    assert completed("ver") == ["verify"]
    assert completed("run", "quick") == ["quickstart"]
    assert completed("run", "to") == ["toy.yaml"]
    assert completed("pipelines", "rgbd_m") == ["rgbd_maps", "rgbd_masked"]
    assert completed("readers", "bos") == ["bosphorus"]
    assert completed("stages", "to_c") == ["to_cloud"]
    assert completed("evaluate", "toy", "--back-end", "pl") == ["plda", "plda+asnorm"]
    assert "none" in completed("embed", "toy", "--back-end", "n")
    assert completed("verify", "t") == []
    answer(capsys, *toy)
    assert completed("verify", "t") == ["toy"]
    assert completed("status", "") == ["toy"]
    assert completed("dirty", "-w", "elsewhere", "") == []
    assert completed("evaluate", "toy", "") == []
    (tmp_path / "work" / "training" / "demo-s0").mkdir(parents=True)
    assert completed("evaluate", "toy", "") == [os.path.join("work", "training", "demo-s0")]


def test_completion_answers_a_shell():
    env = {**os.environ, "_FACE3D_COMPLETE": "bash_complete", "COMP_WORDS": "face3d pipelines quick", "COMP_CWORD": "2"}
    done = subprocess.run([sys.executable, "-c", "from face3d_data.cli.main import main; main()"], env=env, capture_output=True, text=True)  # fmt: skip  # noqa: E501
    assert done.stdout == "plain,quickstart\n"


def test_pipelines_are_listed_printed_and_copied(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    listed = answer(capsys, "pipelines")[1].splitlines()
    assert [line.split()[0] for line in listed] == pipeline_names()
    assert all(len(line.split()) > 3 for line in listed), "each has a summary"
    text = (package_folder() / "pipelines" / "quickstart.yaml").read_text()
    assert answer(capsys, "pipelines", "quickstart")[1] == text
    assert answer(capsys, "pipelines", "quickstart", "--out", "mine.yaml")[0] == 0
    assert (tmp_path / "mine.yaml").read_text() == text
    for arguments, said in (
        (("quickstart", "--out", "mine.yaml"), "--out mine.yaml: is there already"),
        (("quickstart", "--out", "mine.yaml/such.yaml"), "mine.yaml is not a folder that can be written"),
        (("--out", "other.yaml"), "name the pipeline to copy"),
        (("quick",), "quickstart"),
    ):
        code, _, err = answer(capsys, "pipelines", *arguments)
        assert (code, err.count("\n")) == (2, 1)
        assert said in err


def test_out_means_one_thing_in_every_command(tmp_path):
    """The file or the folder that is written; where it cannot be, that is said before any work."""
    seen = {}
    (tmp_path / "file").write_text("a file, not a folder")
    for name in face3d.list_commands(None):
        command = face3d.get_command(None, name)
        for option in command.params:
            if "--out" in option.opts:
                seen[name] = option
                assert re.match(r"(File|Folder) to write: .*\.$", option.help), name
                with pytest.raises(Exception, match="is not a folder that can be written"):
                    option.callback(None, option, option.type.convert(str(tmp_path / "file" / "x"), option, None))
    assert sorted(seen) == [
        "calibrate",
        "cleanup",
        "domains",
        "embed",
        "evaluate",
        "export-model",
        "masks",
        "pipelines",
        "show",
        "train",
    ]


def test_json_is_the_same_whatever_is_printed_beside_it(toy, capsys):
    answer(capsys, *toy)
    plain = json.loads(answer(capsys, "status", "--json")[1])
    assert json.loads(answer(capsys, "status", "--json", "-v")[1]) == plain
