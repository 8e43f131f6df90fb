"""Pins of the lower bounds: one a dependency, taken from pyproject.toml alone."""

import tomllib

import pytest
from lower_bounds import ROOT, lower_bound, lower_bounds, pins_of
from packaging.version import Version

PROJECT = {
    "dependencies": ["numpy>=1.26", "torch>=2.4", "mtcnn==1.0.0", "never>=1; python_version < '3'"],
    "optional-dependencies": {"train": ["Jinja2>=3.1,<4"], "test": ["pytest>=8"]},
}
PINS = {"torch": "2.13.0", "pytest": "9.2.0", "numpy": "2.4.6"}


def test_bounds_become_pins_and_tools_and_torch_keep_theirs():
    assert lower_bounds(PROJECT, PINS, ("train", "test")) == [
        *("numpy==1.26", "torch==2.13.0", "mtcnn==1.0.0"),
        *("Jinja2==3.1", "pytest==9.2.0"),
    ]


@pytest.mark.parametrize("text", ["numpy", "numpy<2", "numpy>=1,==1.2"])
def test_a_dependency_without_one_lower_bound_is_refused(text):
    with pytest.raises(ValueError, match="lower bounds: give one"):
        lower_bound(text)


def test_no_pin_is_below_its_bound():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pins = pins_of((ROOT / "constraints.txt").read_text("utf-8"))
    extras = [name for name in project["optional-dependencies"] if name not in ("test", "dev")]
    for line in lower_bounds(project, pins, tuple(extras)):
        name, release = line.split("==")
        assert name.lower() not in pins or Version(pins[name.lower()]) >= Version(release), line
