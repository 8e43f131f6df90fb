"""Catalogue of networks and losses: without torch, complete, and with the true number of weights."""

import pkgutil
import subprocess
import sys

import pytest

import face3d_training.losses
import face3d_training.models
from face3d_training.registry import LOSSES, MODELS, specs

LISTS = """
import sys
from face3d_data.cli.main import main
sys.argv = ["face3d", "models", *sys.argv[1:]]
code = 0
try:
    main()
except SystemExit as stop:
    code = stop.code
print(code or 0, "torch" in sys.modules)
"""


@pytest.mark.parametrize("arguments", [(), ("--json",), ("triplet",)])
def test_networks_and_losses_are_listed_without_torch(arguments):
    done = subprocess.run([sys.executable, "-c", LISTS, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False"
    assert len(done.stdout) > 200


@pytest.mark.parametrize("name", sorted(specs("model")))
def test_a_network_has_as_many_weights_as_its_class_says(name):
    spec = specs("model")[name]
    assert vars(spec)["default_weights"] == spec().count_weights()


@pytest.mark.parametrize(
    ("package", "named", "kind"),
    [(face3d_training.models, MODELS, "model"), (face3d_training.losses, LOSSES, "loss")],
)
def test_no_module_that_registers_is_left_out(package, named, kind):
    before = set(specs(kind))
    for module in pkgutil.iter_modules(package.__path__):
        __import__(f"{package.__name__}.{module.name}")
    assert set(specs(kind)) == before
    modules = {cls.__module__.rpartition(".") for cls in specs(kind).values()}
    assert {name for where, _, name in modules if where == package.__name__} == set(named)
