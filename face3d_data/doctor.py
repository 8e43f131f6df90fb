"""Installation report: interpreter, packages, devices, system libraries, engines, extras, and how to install the rest.

Every probe is on its own: whatever one of them raises becomes a line of the report, so that the report always comes.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from face3d_data.extras import extra_line
from face3d_data.system_libraries import DEBIAN_PACKAGES, glibc_too_old, install_line, missing_libraries
from face3d_data.version import __version__

GIB = 2**30
CORE = (
    *("torch", "numpy", "scipy", "pandas", "h5py", "click", "joblib", "threadpoolctl", "pydantic", "PyYAML", "rich"),
    *("matplotlib", "opencv-python-headless", "trimesh", "mtcnn", "safetensors", "lz4", "fpsample"),
    *("libusb-package", "small_gicp"),
)
"""Required dependencies of pyproject.toml; Open3D has one of two names."""
OPEN3D = ("open3d-cpu", "open3d")
POINTNET2 = (
    "not importable: on a machine with CUDA, pip install --no-build-isolation "
    "'git+https://github.com/erikwijmans/Pointnet2_PyTorch#subdirectory=pointnet2_ops_lib', or use method 'fast' of "
    "subsample"
)
"""Same advice as the method's own error (`geometry/farthest.py`); a test holds them together."""


def examine(workspace: str | Path) -> dict[str, Any]:
    """Return the whole report as JSON values; never raises.

    Args:
        workspace: the folder whose disk is looked at; it need not exist.

    Returns:
        Sections by name; `problems` lists, one line each, what of the core is missing and how to get it, and
        which plugins cannot be loaded.
    """
    workspace = Path(workspace)
    probes: dict[str, Callable[[], Any]] = {
        "face3d_data": lambda: __version__,
        "python": lambda: f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform,
        "packages": _packages,
        "torch": _torch,
        "open3d": _open3d,
        "system_libraries": _system_libraries,
        "detector": _detector,
        "components": _components,
        "engines": _engines,
        "extras": _extras,
        "pointnet2_ops": lambda: "ready" if importlib.util.find_spec("pointnet2_ops") else POINTNET2,
        "machine": lambda: _machine(workspace),
    }
    report = {name: _guarded(probe) for name, probe in probes.items()}
    report["problems"] = _problems(report)
    return report


def _guarded(probe: Callable[[], Any]) -> Any:
    try:
        return probe()
    except Exception as error:
        first_line = (str(error) or "no message").splitlines()[0]
        return {"problem": f"{type(error).__name__}: {first_line}"}


def _packages() -> dict[str, str | None]:
    return {name: _version(name) for name in CORE}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _torch() -> dict[str, Any]:
    torch = importlib.import_module("torch")
    devices = ["cpu"]
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        device = torch.cuda.get_device_properties(index)
        devices.append(f"cuda:{index} {device.name} ({device.total_memory / GIB:.0f} GiB)")
    if torch.backends.mps.is_available():
        devices.append("mps")
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    return {"version": torch.__version__, "build": build, "devices": devices}


def _open3d() -> dict[str, Any]:
    from face3d_data.geometry.open3d_lazy import open3d

    return {"version": open3d().__version__}


def _system_libraries() -> dict[str, Any]:
    missing = missing_libraries()
    return {name: "missing: " + DEBIAN_PACKAGES[name] if name in missing else "ready" for name in DEBIAN_PACKAGES}


def _detector() -> dict[str, str]:
    from face3d_data.detectors.mediapipe.assets import ATTENTION_MESH, SHORT_RANGE
    from face3d_data.detectors.weights import NETS, weight_file

    own = {asset.label: str(asset.file) for asset in (SHORT_RANGE, ATTENTION_MESH)}
    return own | {net: str(weight_file(net)) for net in NETS}


def _components() -> dict[str, int]:
    from face3d_data.registry import COMPONENTS

    return {kind: len(COMPONENTS.components(kind)) for kind in COMPONENTS.kinds}


def _broken_plugins() -> list[str]:
    """Return one line for each plugin that cannot be loaded, with its remedy."""
    from face3d_data.registry import broken_plugins

    return broken_plugins()


def _engines() -> dict[str, str]:
    from face3d_data.engine.backends import ENGINES

    return dict.fromkeys(ENGINES, "ready")


def _extras() -> dict[str, str]:
    """Return, for each extra that pyproject.toml names, whether all that it asks for is installed."""
    wanted: dict[str, list[str]] = {}
    for line in requires("face3d_data") or []:
        requirement, _, marker = line.partition(";")
        if "extra ==" in marker:
            name = requirement.split("[")[0].split(">")[0].split("=")[0].strip()
            if name != "face3d_data":  # an extra that holds another one, which has a line of its own
                wanted.setdefault(marker.split("extra ==")[1].strip(" \"'"), []).append(name)
    found = {}
    for extra, names in sorted(wanted.items()):
        lacking = [name for name in names if _version(name) is None]
        how = f"{extra_line(extra)} (missing: {', '.join(lacking)})"
        found[extra] = how if lacking else "ready"
    return found


def _machine(workspace: Path) -> dict[str, Any]:
    folder = next(path for path in (workspace.absolute(), *workspace.absolute().parents) if path.exists())
    disk = shutil.disk_usage(folder)
    found: dict[str, Any] = {
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "disk": f"{disk.free / GIB:.1f} GiB free of {disk.total / GIB:.0f} at {folder}",
    }
    memory = Path("/proc/meminfo")
    if memory.exists():
        fields = dict(line.split(":", 1) for line in memory.read_text().splitlines())
        free, total = (int(fields[name].split()[0]) / 2**20 for name in ("MemAvailable", "MemTotal"))
        found["memory"] = f"{free:.1f} GiB free of {total:.1f}"
    return found


def _problems(report: dict[str, Any]) -> list[str]:
    """Return one line for each core piece that is missing, with its remedy."""
    lines = []
    lacking = [name for name, found in report["packages"].items() if found is None]
    if not any(_version(name) for name in OPEN3D):
        lacking.append("open3d-cpu")
    if lacking:
        lines.append(f"missing packages: pip install {' '.join(lacking)}")
    missing = missing_libraries()
    if missing:
        lines.append(install_line(missing))
    lines += [line for line in (glibc_too_old(),) if line]
    for name in ("torch", "open3d", "detector", "components", "engines"):
        if isinstance(report[name], dict) and "problem" in report[name]:
            lines.append(f"{name} does not work: {report[name]['problem']}")
    plugins = _guarded(_broken_plugins)
    return lines + (plugins if isinstance(plugins, list) else [])


def lines_of(report: dict[str, Any]) -> list[str]:
    """Return a report as lines to read: one for each section, sections of several values indented."""
    lines = []
    for name, value in report.items():
        if name == "problems":
            continue
        if name == "packages" and "problem" not in value:
            value = ", ".join(f"{package} {found or 'MISSING'}" for package, found in value.items())
        if isinstance(value, dict):
            lines.append(f"{name}:")
            lines += [f"  {key}: {', '.join(item) if isinstance(item, list) else item}" for key, item in value.items()]
        else:
            lines.append(f"{name}: {value}")
    lines += [f"PROBLEM {line}" for line in report["problems"]] or ["everything that the core needs is here"]
    return lines
