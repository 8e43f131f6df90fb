"""Import layers: every room of the packages stands in one, and imports rooms of lower layers only.

A room is a folder of modules, or a module at the root of a package. Rooms of one layer do not import each other, so
that no circle and no arrow that runs back is possible.
"""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

from face3d_data.cli.main import face3d

ROOT = Path(__file__).resolve().parents[1]
DATA, TRAINING = ROOT / "face3d_data", ROOT / "training" / "face3d_training"
DATA_LAYERS = (
    {
        "errors",
        "digest",
        "extras",
        "json_text",
        "h5_file",
        "numpy_files",
        "plurals",
        "remarks",
        "csv_cells",
        "terminal",
        "version",
        "system_libraries",
    },
    {"atomic", "names", "parquet_file", "references", "resources", "sample", "signature", "unchanged", "yaml_file"},
    {"registry"},
    {"component", "formats", "geometry", "detectors.mediapipe"},
    {"detectors", "registration", "option_types", "synthetic.sensors"},
    {"reader", "stage", "table", "augment", "wear", "synthetic"},
    {
        "wear.occluders",
        "readers.shared",
        "roots",
        "store",
        "tables",
        "testing",
        "pictures",
        "catalogue_page",
        "function_stage",
    },
    {"readers", "stages", "shards", "engine", "databases", "domains", "catalogue"},
    {"pipeline", "shards.audit", "shards.export", "doctor", "inputs"},
    {"sheets"},
    {"cli", ""},
    {"__main__"},
)
"""Rooms of face3d_data from the bottom up; `""` is the package itself, whose names load on first use."""
TRAINING_LAYERS = (
    {"validation_entries"},
    {
        "config",
        "content_digest",
        "gather",
        "ops",
        "packaged",
        "picks",
        "prepared_alike",
        "prefetch",
        "split_table",
        "torch_file",
        "triplet_file",
    },
    {
        "allocator",
        "back_ends",
        "devices",
        "embed_files",
        "interrupt",
        "leaks",
        "map_place",
        "mirror",
        "registry",
        "tracking",
        "evaluation.metrics",
        "fold_splits",
        "",
    },
    {"clouds", "map_variation", "models", "optimization", "published_networks", "sampler", "speed"},
    {"foreign", "images", "losses", "masks", "triplets"},
    {"checkpoint", "closed_set", "foreign_training", "gradcache", "health", "network_input", "testing", "variation"},
    {"data", "run_folder"},
    {"loader", "network_back_end", "split_figures", "teacher"},
    {"building", "embedding"},
    {"embed_parts", "validation_sets"},
    {"trained_rows", "validation"},
    {"evaluation.networks", "model_export", "run_state", "training_embeddings"},
    {"evaluation.baselines", "evaluation.report", "progress_lines"},
    {"cleanup", "evaluation", "recognition", "train"},
)
TRAINING_USES = {"shards", "formats", "geometry", "augment", "wear", "tables", "component", "registry"} | set().union(
    *DATA_LAYERS[:2]
)
"""Rooms of face3d_data that training builds on: arrays and tables, and the ground they stand on."""
FOLDER_USES = {"testing": {"testing"}, "recognition": {"detectors", "inputs"}}
"""Rooms of face3d_data that a folder of training builds on beside those: raw captures are recognised, faces tracked."""
HEAVY = ("torch", "open3d", "cv2", "pandas", "h5py")


@functools.cache
def imports_of(path: Path) -> frozenset[str]:
    """Return every module that a file imports, inside functions too; `from a import b` counts as `a` and `a.b`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def room_of(path: Path, package: Path) -> str:
    """Return the room of a file: its folder below the package, or its own name where it lies at the root."""
    folder = ".".join(path.relative_to(package).parts[:-1])
    return folder or path.stem.replace("__init__", "")


def files(package: Path) -> list[Path]:
    return sorted(package.rglob("*.py"))


def rooms_imported(path: Path, package: Path) -> set[str]:
    """Return the rooms of a package that a file imports something of."""
    found = set()
    for name in imports_of(path):
        parts = name.split(".")
        target = package.joinpath(*parts[1:])
        if parts[0] == package.name and target.with_suffix(".py").is_file():
            found.add(room_of(target.with_suffix(".py"), package))
    return found


def backward(package: Path, layers) -> list[str]:
    """Return the imports that do not lead to a lower layer, as lines; every room has to be in exactly one layer."""
    level = {room: number for number, layer in enumerate(layers) for room in layer}
    assert sum(map(len, layers)) == len(level), "a room is in two layers"
    rooms = {room_of(path, package) for path in files(package)}
    assert rooms == set(level), f"in no layer: {rooms - set(level)}; in a layer and gone: {set(level) - rooms}"
    return [
        f"{path.relative_to(package)} imports {other}"
        for path in files(package)
        for other in sorted(rooms_imported(path, package) - {room_of(path, package)})
        if level[other] >= level[room_of(path, package)]
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "layers"), [(DATA, DATA_LAYERS), (TRAINING, TRAINING_LAYERS)], ids=["data", "training"]
)
def test_imports_lead_to_lower_layers_only(package, layers):
    assert backward(package, layers) == []


def test_an_import_that_runs_back_is_found(tmp_path):
    package = tmp_path / "boxes"
    for name, text in (("low/a.py", "from boxes.high import b"), ("high/b.py", "def f():\n    import boxes.low.a\n")):
        (package / name).parent.mkdir(parents=True)
        (package / name).write_text(text)
    assert backward(package, ({"low"}, {"high"})) == ["low/a.py imports high"]
    assert backward(package, ({"low", "high"},)) == ["high/b.py imports low", "low/a.py imports high"]
    with pytest.raises(AssertionError, match="in no layer"):
        backward(package, ({"low"},))


def imports_for_types(path: Path) -> frozenset[str]:
    """Return the modules that a file imports below `if TYPE_CHECKING` and nowhere else."""
    blocks = [node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.If)]
    inside = [
        node
        for block in blocks
        if ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
    ]
    places = {(node.module, node.lineno) for node in inside}
    others = {
        node.module
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module, node.lineno) not in places
    }
    return frozenset(node.module for node in inside if node.module) - others


@pytest.mark.slow
def test_no_module_imports_itself_through_others():
    """Within a room too: a circle of modules imports in one order only. What types alone need is never imported."""
    for package in (DATA, TRAINING):
        modules = {".".join(path.relative_to(package.parent).with_suffix("").parts): path for path in files(package)}
        below = {name: (imports_of(path) - imports_for_types(path)) & set(modules) for name, path in modules.items()}
        while ready := [name for name, others in below.items() if not others & set(below)]:
            for name in ready:
                del below[name]
        assert not below, f"these import each other: {sorted(below)}"


@pytest.mark.slow
def test_special_packages_stay_in_their_places():
    for path in files(DATA):
        module = ".".join(path.relative_to(DATA).with_suffix("").parts)
        imported = {name.split(".")[0] for name in imports_of(path)}
        assert "open3d" not in imported or module == "geometry.open3d_lazy", module
        assert "torch" not in imported or module.startswith(("detectors.", "geometry.farthest", "doctor")), module
        assert not imported & {"tensorflow", "torchvision", "mtcnn"}, module
        assert "face3d_training" not in imported or module.startswith("cli."), module


def test_no_command_imports_another():
    """What two commands need is a function outside of cli/, or an option that they share."""
    commands = {f"face3d_data.cli.{name}" for name in face3d.list_commands(None)}
    for path in (DATA / "cli").glob("*.py"):
        assert path.stem == "main" or not imports_of(path) & commands, path.name


def test_training_uses_arrays_and_tables_only():
    for path in (ROOT / "training").rglob("*.py"):
        uses = TRAINING_USES | FOLDER_USES.get(path.parent.name, set())
        assert {room.split(".")[0] for room in rooms_imported(path, DATA)} <= uses, path


def test_no_module_is_named_for_nothing():
    names = {name for path in files(DATA) + files(TRAINING) for name in (path.stem, path.parent.name)}
    assert not names & {"utils", "util", "common", "helpers", "helper", "manager", "misc"}


@pytest.mark.slow
def test_importing_loads_nothing_heavy():
    code = (
        "import sys, face3d_data, face3d_data.cli, face3d_data.cli.main\nfrom click.testing import CliRunner\n"
        f"print([name for name in {HEAVY} if name in sys.modules])\n"
        "face3d = face3d_data.cli.main.face3d\nnames = face3d.list_commands(None)\n"
        "codes = [CliRunner().invoke(face3d, [name, '--help']).exit_code for name in names]\n"
        f"print(set(codes), [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "{0} []"]


@pytest.mark.slow
def test_a_public_class_or_alias_has_a_name_of_its_own():
    """So that one search, or one jump of an editor, leads to what is meant."""
    homes: dict[str, list[str]] = {}
    for path in files(DATA) + files(TRAINING):
        for node in ast.parse(path.read_text("utf-8")).body:
            name = node.name if isinstance(node, ast.ClassDef) else alias_of(node)
            if name and not name.startswith("_") and name[0].isupper() and len(name) > 1:
                homes.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


@pytest.mark.slow
def test_a_constant_that_others_import_has_a_name_of_its_own():
    named: dict[str, set[str]] = {}
    for path in files(DATA) + files(TRAINING):
        for name in imports_of(path):
            module, _, constant = name.rpartition(".")
            if constant.isupper() and len(constant) > 1:
                named.setdefault(constant, set()).add(module)
    assert {name: modules for name, modules in named.items() if len(modules) > 1} == {}


def alias_of(node: ast.AST) -> str:
    """Return the name that a line at the top of a module gives to a type: `Arrays = Mapping[...]`."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        name = node.targets[0].id
        return "" if name.isupper() else name
    return ""


def test_no_two_test_files_have_one_name():
    """Without packages, pytest imports each by its base name, and the second one breaks the run."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name not in ("conftest.py", "__init__.py")]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []
