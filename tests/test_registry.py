"""Components are found by name; a plugin that cannot be loaded is named, and nothing else suffers."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

from face3d_data import registry
from face3d_data.errors import UserError
from face3d_data.registry import COMPONENTS, Kind, Registry, broken_plugins, components, find, register
from face3d_data.stage import Stage

PLUGIN = """
from face3d_data import Stage, register
@register
class Mine(Stage):
    name = "detect"
"""
"""Takes a name that a shipped stage has."""


@pytest.fixture
def plugins(monkeypatch):
    """Let entry points be these, as if their packages were installed."""

    def install(*entries):
        monkeypatch.setattr(registry, "entry_points", lambda group: entries)
        COMPONENTS.forget_plugins()

    yield install
    COMPONENTS.forget_plugins()


def test_a_broken_plugin_is_named_and_the_rest_works(plugins, caplog):
    plugins(EntryPoint("mine", "no_such_package.stages", "face3d_data.components"))
    assert "detect" in components("stage")
    line = "plugin no_such_package.stages of package ? cannot be loaded (ModuleNotFoundError: No module named"
    assert caplog.text.count(line) == 1
    assert broken_plugins()[0].startswith(line)
    with pytest.raises(
        UserError, match=r"there is no stage 'mine' .*; plugin no_such_package.stages .* cannot be loaded"
    ):
        find("stage", "mine")


def test_a_name_near_to_one_is_proposed_else_all_are_listed():
    with pytest.raises(UserError, match=r"step 'a': there is no stage 'detekt' \(did you mean 'detect'\?\)"):
        find("stage", "detekt", "step 'a'")
    with pytest.raises(UserError, match=r"there is no reader 'x' \(known: .*rgbd_folder"):
        find("reader", "x")


def test_two_components_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two stages are named 'detect'"):

        @register
        class Mine(Stage):
            """Another detect."""

            name = "detect"

    with pytest.raises(ValueError, match="needs a name and a kind"):
        register(Stage)


@pytest.mark.parametrize(
    "code", ["raise RuntimeError('boom\\nboom')", "import no_such_module_1", "raise SystemExit(3)", "x = (", PLUGIN]
)
def test_whatever_a_plugin_does_is_one_line(plugins, tmp_path, monkeypatch, caplog, code):
    (tmp_path / "broken_part.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    plugins(EntryPoint("broken", "broken_part", "face3d_data.components"))
    assert "detect" in components("stage")
    assert components("stage")["detect"].__module__ == "face3d_data.stages.detect"
    (line,) = broken_plugins()
    assert line.startswith("plugin broken_part of package ? cannot be loaded (")
    assert "\n" not in line
    assert [record.getMessage() for record in caplog.records] == [line]


def test_ctrl_c_while_plugins_are_loaded_is_no_broken_plugin(plugins, tmp_path, monkeypatch):
    (tmp_path / "slow_part.py").write_text("raise KeyboardInterrupt")
    monkeypatch.syspath_prepend(tmp_path)
    plugins(EntryPoint("slow", "slow_part", "face3d_data.components"))
    with pytest.raises(KeyboardInterrupt):
        components("stage")
    (tmp_path / "slow_part.py").write_text("")
    assert broken_plugins() == []


def test_a_kind_that_a_registry_does_not_hold_is_refused():
    class Wheel:
        kind, name = "wheel", "round"

    with pytest.raises(ValueError, match=r"Wheel needs a name and a kind \(stage\)"):
        Registry((Kind("stage", "stage", "", "face3d_data.stages"),), "nothing").register(Wheel)


def test_modules_are_plugins_before_they_are_a_package(plugins, tmp_path, monkeypatch):
    (tmp_path / "own_part.py").write_text(PLUGIN.replace('"detect"', '"own_part"'))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.setattr(COMPONENTS, "_known", {**COMPONENTS._known})
    plugins()
    monkeypatch.setenv("FACE3D_PLUGINS", "own_part, no_part")
    assert find("stage", "own_part").__module__ == "own_part"
    (line,) = broken_plugins()
    assert line.startswith("plugin no_part of FACE3D_PLUGINS cannot be loaded (ModuleNotFoundError: ")
    sys.modules.pop("own_part")
