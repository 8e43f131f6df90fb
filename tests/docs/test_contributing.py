"""CONTRIBUTING.md, followed literally: every file is written where it says, every command is run as it stands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<path>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy of what the page touches, so that nothing is written into the repository."""
    root = tmp_path_factory.mktemp("repository")
    for folder in ("face3d_data", "tests", "pipelines"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    command = root / "bin" / "face3d"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m face3d_data "$@"\n')
    command.chmod(0o755)
    return root


def follow(text: str, root: Path) -> list[str]:
    """Write the files and run the commands of a page in order; return the commands' output."""
    path = os.pathsep.join([str(root / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(root), "COLUMNS": "100"}
    said = []
    for block in BLOCK.finditer(text):
        if block["path"]:
            target = root / block["path"]
            assert not target.exists(), f"{block['path']} is there already"
            target.write_text(block["text"])
        elif block["language"] == "sh":
            done = subprocess.run(
                ["bash", "-e", "-c", block["text"]], cwd=root, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{block['text']}\n{done.stdout}\n{done.stderr}"
            said.append(done.stdout)
    return said


@pytest.mark.slow
def test_a_stage_and_a_reader_can_be_added_as_the_page_says(copy):
    stage_tests, run, reader_tests = follow((ROOT / "CONTRIBUTING.md").read_text(), copy)
    assert "near_nose (version 1): Keep the points round the nose tip." in stage_tests
    assert "points_text (version 1): Read point clouds in text files" in reader_tests
    assert "failed" not in stage_tests + reader_tests
    assert (copy / "work" / "datasets" / "near_nose" / "dataset.json").is_file(), run
    written = [block["path"] for block in BLOCK.finditer((ROOT / "CONTRIBUTING.md").read_text()) if block["path"]]
    lint = [sys.executable, "-m", "ruff"]
    paths = [path for path in written if path.endswith(".py")]
    for check in (["check"], ["format", "--check"]):
        done = subprocess.run([*lint, *check, *paths], cwd=copy, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
