"""README's tables are the program's, its tour runs as pasted, and its links lead somewhere."""

import re

import pytest
from pages import ROOT, follow, output_of, page

from face3d_data.cli.main import INTERRUPTED, STOPPED, WRONG_USE, face3d
from face3d_data.registry import components

README = page("README.md")
KINDS = {"reader": "reader", "stage": "stage", "table": "table step"}


def between(name: str) -> list[str]:
    text = README.split(f"<!-- {name}", 1)[1].split("-->", 1)[1].split(f"<!-- /{name} -->")[0]
    return text.strip().splitlines()


def first_line(text: str | None) -> str:
    return (text or "").strip().splitlines()[0]


def component_table() -> list[str]:
    lines = ["| kind | name | what it does |", "|---|---|---|"]
    for kind, word in KINDS.items():
        for name, cls in components(kind).items():
            if cls.__module__.startswith("face3d_data."):
                lines.append(f"| {word} | `{name}` | {first_line(cls.__doc__)} |")
    return lines


def command_table() -> list[str]:
    lines = ["| command | what it does |", "|---|---|"]
    for name in face3d.list_commands(None):
        help_text = " ".join(face3d.get_command(None, name).help.split("\n\n")[0].split())
        lines.append(f"| `face3d {name}` | {help_text} |")
    return lines


def test_component_table_is_the_registry():
    assert between("components") == component_table(), "README should say:\n" + "\n".join(component_table())


def test_command_table_is_the_command_line():
    assert between("commands") == command_table(), "README should say:\n" + "\n".join(command_table())


def test_links_and_files_named_are_there():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert len(links) >= 5
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_make_targets_named_are_there():
    targets = set(re.findall(r"make ([a-z]+)", README))
    assert {"demo", "test", "bench", "mutants"} <= targets
    makefile = (ROOT / "Makefile").read_text()
    for target in {"demo", "test", "bench", "mutants"}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_every_exit_code_is_told():
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", README.split("Exit codes:")[1], re.MULTILINE)}
    assert told == {0, STOPPED, WRONG_USE, INTERRUPTED}


@pytest.fixture(scope="module")
def tour(tmp_path_factory):
    """Run the tour's blocks in order in one shell, as one would paste them; the shell stops at the first failure."""
    folder = tmp_path_factory.mktemp("tour")
    return folder, follow(README, folder)


def test_tour_runs_as_pasted(tour):
    folder, _ = tour
    assert (folder / "work" / "datasets" / "rgbd" / "train.csv").is_file()
    assert (folder / "work" / "show" / "rgbd.png").is_file()
    assert (folder / "exported").is_dir()
    assert (folder / "mine.yaml").is_file()


def test_tour_shows_what_the_text_claims(tour):
    _, said = tour
    first, second = output_of(said, "face3d run rgbd")
    stages = ("detect", "to_cloud", "clean", "align_3d", "subsample", "normals")
    for stage in stages:
        assert re.search(rf"{stage}: 16 in, .*\d+ new in", first), stage
        assert re.search(rf"{stage}: 16 in, .*nothing new", second), stage
    [explained] = output_of(said, "face3d run rgbd --set sampled.n_points=1024 --explain")
    assert [line.split(":")[1].split()[0] for line in explained.splitlines()[:-2]] == ["up"] * 5
    assert "n_points changed 2048 → 1024" in explained
    assert "shaded (normals): follows sampled" in explained
    assert "(2048, 3)" in said
    assert re.search(r"^Dataset\('rgbd': train 10, eval 2, test 4\) of 5 people in train$", said, re.MULTILINE)
    [verified] = output_of(said, "face3d verify rgbd")
    assert verified.strip().endswith("ok")
