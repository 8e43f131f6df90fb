"""Components are found by name; a plugin that cannot be loaded is named, and nothing else suffers."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from face3d_data import registry
from face3d_data.errors import UserError
from face3d_data.registry import broken_plugins, components, find, register
from face3d_data.stage import Stage


@pytest.fixture
def plugins(monkeypatch):
    """Let entry points be these, as if their packages were installed."""

    def install(*entries):
        monkeypatch.setattr(registry, "entry_points", lambda group: entries)
        monkeypatch.setattr(registry, "_broken", [])
        registry._load_all.cache_clear()

    yield install
    registry._load_all.cache_clear()


def test_a_broken_plugin_is_named_and_the_rest_works(plugins, caplog):
    plugins(EntryPoint("mine", "no_such_package.stages", "face3d_data.components"))
    assert "detect" in components("stage")
    line = "plugin no_such_package.stages of package ? cannot be loaded (ModuleNotFoundError: No module named"
    assert caplog.text.count(line) == 1
    assert broken_plugins()[0].startswith(line)
    with pytest.raises(
        UserError, match=r"no stage is named 'mine' .*; plugin no_such_package.stages .* cannot be loaded"
    ):
        find("stage", "mine")


def test_a_name_near_to_one_is_proposed_else_all_are_listed():
    with pytest.raises(UserError, match=r"step 'a': no stage is named 'detekt' \(did you mean 'detect'\?\)"):
        find("stage", "detekt", "step 'a'")
    with pytest.raises(UserError, match=r"no reader is named 'x' \(known: .*rgbd_folder"):
        find("reader", "x")


def test_two_components_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two stages are named 'detect'"):

        @register
        class Mine(Stage):
            """Another detect."""

            name = "detect"

    with pytest.raises(ValueError, match="needs a name and a kind"):
        register(Stage)
