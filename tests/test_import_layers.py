"""The import rule: what each part of the package may import, and what importing it must not load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "face3d_data"
LAYERS = ({"geometry", "formats"}, {"detectors", "synthetic"}, {"readers", "stages"}, {"pipeline"}, {"cli"})
CORE = {"store", "engine", "tables", "shards"}
"""May import the layers below the components, but no component and nothing that drives them."""
GROUND = {
    *("sample", "errors", "digest", "atomic", "names", "unchanged", "extras", "csv_cells", "terminal"),
    *("yaml_file", "json_text"),
}
HEAVY = ("torch", "open3d", "cv2", "pandas", "h5py")
FILES = sorted(path for path in PACKAGE.rglob("*.py"))


def module_of(path: Path, base: Path = ROOT) -> str:
    parts = path.relative_to(base).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> set[str]:
    """Return every module that a file imports, inside functions too; `from a import b` counts as `a` and `a.b`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def parts_imported(path: Path) -> set[str]:
    """Return the parts of face3d_data that a file imports: `geometry`, `store`, `sample`."""
    return {name.split(".")[1] for name in imports_of(path) if name.startswith("face3d_data.")}


def forbidden_to(part: str) -> set[str]:
    every = set().union(*LAYERS)
    for number, layer in enumerate(LAYERS):
        if part in layer:
            return (set().union(*LAYERS[number:]) | ({*CORE} if number < 3 else set())) - {part}
    if part in CORE:
        return {"readers", "stages", "pipeline", "cli"}
    return every | CORE | {"testing"} if part in GROUND else set()


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_go_down_only(path):
    part = path.relative_to(PACKAGE).with_suffix("").parts[0]
    assert parts_imported(path) & forbidden_to(part) == set()


def test_the_rule_bites():
    assert "stages" in forbidden_to("geometry")
    assert "stages" in forbidden_to("readers")
    assert "readers" in forbidden_to("store")
    assert "geometry" in forbidden_to("sample")
    assert forbidden_to("cli") == set()


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_special_packages_stay_in_their_places(path):
    module, imported = module_of(path), {name.split(".")[0] for name in imports_of(path)}
    if module != "face3d_data.geometry.open3d_lazy":
        assert "open3d" not in imported
    if not module.startswith(("face3d_data.detectors.", "face3d_data.geometry.farthest")):
        assert "torch" not in imported
    assert not imported & {"tensorflow", "torchvision", "mtcnn"}
    if not module.startswith("face3d_data.cli."):
        assert "face3d_training" not in imported


def test_training_uses_arrays_and_tables_only():
    allowed = {"shards", "geometry", "tables"} | GROUND | {"component", "registry"}
    for path in (ROOT / "training").rglob("*.py"):
        assert parts_imported(path) <= allowed, path


def test_no_module_is_named_for_nothing():
    names = {path.stem for path in FILES} | {path.parent.name for path in FILES}
    assert not names & {"utils", "util", "common", "helpers", "helper", "manager", "misc"}


@pytest.mark.parametrize("module", ["face3d_data", "face3d_data.cli", "face3d_data.cli.main"])
def test_importing_loads_nothing_heavy(module):
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_of_every_command_loads_nothing_heavy():
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom face3d_data.cli.main import face3d\n"
        "names = face3d.list_commands(None)\n"
        "codes = [CliRunner().invoke(face3d, [name, '--help']).exit_code for name in names]\n"
        f"print(set(codes), [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{0} []"
