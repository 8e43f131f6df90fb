"""System libraries that pip cannot install: those that Open3D links. Standard library only.

`make` runs this file with the system's Python before it installs anything: `python3 -m face3d_data.system_libraries`.
"""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import sys

DEBIAN_PACKAGES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libX11.so.6": "libx11-6",
    "libudev.so.1": "libudev1",
    "libidn2.so.0": "libidn2-0",
}
"""Shared library to the Debian package that holds it; the packages are the lines of apt.txt."""

MIN_GLIBC = (2, 35)
MIN_PYTHON = (3, 11)


def missing_libraries() -> list[str]:
    """Return the names of the shared libraries that cannot be loaded; always empty outside Linux."""
    if not sys.platform.startswith("linux"):
        return []
    return [name for name in DEBIAN_PACKAGES if not _loads(name)]


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def install_line(libraries: list[str]) -> str:
    """Return the one line that says which libraries are missing and which Debian packages hold them."""
    packages = " ".join(DEBIAN_PACKAGES[name] for name in libraries)
    return f"missing system libraries {', '.join(libraries)}: apt-get install {packages}"


def glibc_too_old() -> str | None:
    """Return one line if the C library is older than Open3D's wheels need, else None."""
    name, version = platform.libc_ver()
    if name != "glibc":
        return None
    numbers = tuple(int(part) for part in version.split(".")[:2])
    if numbers >= MIN_GLIBC:
        return None
    return f"glibc {version} is too old: Open3D's wheels need {'.'.join(map(str, MIN_GLIBC))} (Debian 12 or newer)"


def problems() -> list[str]:
    """Return one line for each missing requirement that pip cannot install and without which something fails later."""
    lines = []
    if sys.version_info < MIN_PYTHON:
        lines.append(f"Python {platform.python_version()} is too old: use 3.11 or newer (make PYTHON=python3.11)")
    if importlib.util.find_spec("ensurepip") is None:
        lines.append(f"Python has no ensurepip: apt-get install python{sys.version_info[0]}.{sys.version_info[1]}-venv")
    glibc = glibc_too_old()
    if glibc:
        lines.append(glibc)
    missing = missing_libraries()
    if missing:
        lines.append(install_line(missing))
    return lines


def main() -> int:
    """Print the problems, one a line; return 1 if there are any."""
    found = problems()
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
