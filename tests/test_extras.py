"""Install lines of extras: right for a clone, an installed folder, and a package from an index."""

import json
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from face3d_data import extras

ROOT = Path(__file__).resolve().parents[1]


def test_in_a_clone_the_clone_is_named_with_its_pins():
    line = extras.extra_line("train")
    assert shlex.split(line) == ["pip", "install", "-c", str(ROOT / "constraints.txt"), f"{ROOT}[train]"]


class Installed:
    """A distribution whose direct_url.json holds what is given."""

    def __init__(self, record):
        self.record = record

    def read_text(self, name):
        assert name == "direct_url.json"
        return self.record


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Pretend that the package lies in site-packages; return how to say where it came from."""
    monkeypatch.setattr(extras, "__file__", str(tmp_path / "site-packages" / "face3d_data" / "extras.py"))
    return lambda record: monkeypatch.setattr(extras, "distribution", lambda name: Installed(record))


def test_a_package_installed_from_a_folder_names_it(tmp_path, elsewhere):
    folder = tmp_path / "my clone"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    elsewhere(json.dumps({"url": folder.as_uri(), "dir_info": {}}))
    assert shlex.split(extras.extra_line("heic")) == ["pip", "install", f"{folder}[heic]"]


@pytest.mark.parametrize("record", [None, "", "{", "[]", '{"url": "file:///gone"}', '{"url": "https://host/a.whl"}'])
def test_a_package_of_an_index_goes_by_its_name(elsewhere, record):
    elsewhere(record)
    assert extras.extra_line("train") == "pip install 'face3d_data[train]'"


def test_a_package_that_is_not_installed_goes_by_its_name(elsewhere, monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    elsewhere(None)
    monkeypatch.setattr(extras, "distribution", missing)
    assert extras.extra_line("train") == "pip install 'face3d_data[train]'"


@pytest.mark.slow
def test_the_commands_give_it(tmp_path):
    """Without lightning-fabric there is one line, with the command to copy."""
    code = "import sys; sys.modules['face3d_training.registry'] = None; from face3d_data.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "models"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"face3d: training needs face3d_training.registry: {extras.extra_line('train')}\n"
