"""What is installed and how: pins, the one list of system packages, the make targets."""

import functools
import re
import subprocess
import tomllib
from importlib.metadata import distributions, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from face3d_data.geometry import open3d_lazy
from face3d_data.system_libraries import DEBIAN_PACKAGES
from face3d_data.version import __version__

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@functools.cache
def installed() -> dict[str, str]:
    return {canonical(found.name): found.version for found in distributions()}


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    return {canonical(name): pin for name, pin in (line.split("==") for line in lines)}


def test_pins_are_exact_and_torch_has_no_local_suffix():
    for name, pin in pins().items():
        assert re.fullmatch(r"[0-9][0-9a-z.]*", pin), f"{name}=={pin}"
    assert pins()["torch"] == "2.13.0"


@pytest.mark.pins
def test_everything_that_the_core_pulls_in_is_pinned_and_installed_so():
    seen, todo = set(), ["face3d_data"]
    while todo:
        name = todo.pop()
        for line in requires(name) or []:
            requirement = Requirement(line)
            needed = canonical(requirement.name)
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if not wanted or needed not in installed() or needed in seen:
                continue
            seen.add(needed)
            todo.append(needed)
    gpu_only = {name for name in seen if name.startswith(("nvidia-", "cuda-")) or name == "triton"}
    for name in seen - gpu_only:
        assert installed()[name].split("+")[0] == pins().get(name), name


@pytest.mark.parametrize("name", ["torchvision", "tensorflow", "tensorflow-cpu", "tf-keras"])
def test_is_not_installed(name):
    assert name not in installed()
    assert name not in pins()


def test_a_cpu_build_of_torch_comes_without_nvidia_packages():
    if not version("torch").endswith("+cpu"):
        pytest.skip(f"torch {version('torch')} is no CPU build")
    assert [name for name in installed() if name.startswith("nvidia")] == []


def test_one_list_of_system_packages():
    listed = (ROOT / "apt.txt").read_text().splitlines()
    assert sorted(listed) == sorted(DEBIAN_PACKAGES.values())
    assert set(listed) <= set(open3d_lazy.DEBIAN_PACKAGES.values())
    assert "apt.txt" in (ROOT / "Dockerfile").read_text()
    assert "apt.txt" in (ROOT / ".ci" / "run").read_text()


def test_version_is_the_same_everywhere():
    assert PROJECT["version"] == __version__ == version("face3d_data")
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {__version__} " in (ROOT / "CHANGELOG.md").read_text()


def planned(*arguments: str) -> list[str]:
    """Return the commands that make would run."""
    done = subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_make_looks_for_system_libraries_then_installs_torch_alone_then_the_rest(tmp_path):
    lines = planned("install", f"VENV={tmp_path}/v", "TORCH_INDEX=https://example.org/cpu")
    steps = [i for i, line in enumerate(lines) if "system_libraries" in line or " install " in line]
    text = [lines[i] for i in steps]
    assert "system_libraries" in text[0]
    with_index = [line for line in text if "--index-url" in line]
    assert len(with_index) == 1
    assert with_index[0].endswith("--no-deps --index-url https://example.org/cpu torch")
    assert text.index(with_index[0]) < next(i for i, line in enumerate(text) if "-e '.[train,dev,docs]'" in line)
    assert all("-c constraints.txt" in line for line in text if " install " in line)
    assert any(line.startswith("cat ") and "stamp-torch" in line for line in lines), "make prints which torch it got"


@pytest.mark.parametrize("target", ["demo", "check", "test", "soak", "bench", "model", "mutants", "docs", "images"])
def test_every_target_sets_itself_up(target, tmp_path):
    lines = planned(target, f"VENV={tmp_path}/v")
    assert any("-m venv" in line for line in lines)
    assert any("-e '.[train,dev,docs]'" in line for line in lines)


def test_demo_goes_from_nothing_to_a_report():
    lines = [line for line in planned("demo") if "bin/face3d " in line]
    commands = [line.split("bin/face3d ")[1].split()[0] for line in lines[-5:]]
    assert commands == ["run", "verify", "show", "train", "evaluate"]


def test_ci_is_make_test_and_a_strict_site():
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-2:] == ["make test", "exec make docs"]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
