"""The site builds without a warning, asks nothing of another host, and its reference is the program's."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from pages import ROOT

from face3d_data.cli.main import face3d
from face3d_data.databases.description import databases
from face3d_data.registry import components

LOADED = re.compile(
    r"<(?:script|img|iframe)\b[^>]*\bsrc=\"?(?:https?:)?//|<link\b[^>]*\brel=\"?(?:style|preconn)[^>]*//"
)

PAGES = [
    *(("reader", "readers"), ("stage", "stages"), ("table", "table_steps")),
    *(("augmentation", "augmentations"), ("occluder", "occluders"), ("detector", "detectors")),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, its pages on Python modules restricted to one folder to save time."""
    folder = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "FACE3D_DOCS_PYTHON": "face3d_data.engine", "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def read(site, page):
    return (site / page).read_text("utf-8")


@pytest.mark.slow
def test_nothing_is_loaded_from_another_host(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 25
    assert [page.name for page in pages if LOADED.search(page.read_text("utf-8"))] == []
    styles = [path for path in site.rglob("*.css") if re.search(r"(@import|url\()\s*[\"']?https?:", path.read_text())]
    assert styles == []


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "page"), PAGES)
def test_every_component_and_each_of_its_options_is_in_the_reference(site, kind, page):
    text = read(site, f"reference/{page}.html")
    for name, cls in components(kind).items():
        if cls.__module__.startswith("face3d_data."):
            assert f'id="{name}"' in text
            assert [option for option in cls.model_fields if f"<code>{option}</code>" not in text] == []


@pytest.mark.slow
def test_every_command_and_database_is_there(site):
    commands = read(site, "reference/commands.html")
    assert [name for name in face3d.list_commands(None) if f'id="{name}"' not in commands] == []
    listed = read(site, "how_to/databases.html")
    assert [name for name in databases() if f'id="{name}"' not in listed] == []


@pytest.mark.slow
def test_docstrings_and_files_named_by_a_fence_are_shown(site):
    assert "face3d_data.engine.worker.run_task" in read(site, "reference/python/face3d_data.engine.html")
    tutorial = read(site, "tutorials/combine_two_collections.html")
    assert '<span class="filename">two_collections.yaml</span>' in tutorial
