"""Open3D import, only here: on first use, with libusb loaded before it.

Open3D 0.20 links ``libusb-1.0.so.0``, which bare machines lack. The PyPI package ``libusb-package`` carries it; loaded
with ``RTLD_GLOBAL`` first, the loader is content. The other system libraries it links (OpenGL, X11, udev, idn2) must be
there: ``apt.txt`` lists them.
"""

from __future__ import annotations

import ctypes
import importlib
from functools import cache
from types import ModuleType
from typing import Any

DEBIAN_PACKAGES = {
    "libGL.so": "libgl1",
    "libEGL.so": "libegl1",
    "libX11.so": "libx11-6",
    "libudev.so": "libudev1",
    "libidn2.so": "libidn2-0",
    "libusb-1.0.so": "libusb-1.0-0",
    "libgomp.so": "libgomp1",
}


def missing_library_message(error: str) -> str:
    """Say in one line which Debian packages would let Open3D load.

    Args:
        error: the loader's message, such as ``libEGL.so.1: cannot open shared object file``.

    Returns:
        One line that names the library and the packages to install.
    """
    package = next((name for library, name in DEBIAN_PACKAGES.items() if library in error), None)
    if package is None:
        return f"open3d cannot be imported ({error.splitlines()[0]}): pip install open3d-cpu libusb-package"
    every = " ".join(sorted(set(DEBIAN_PACKAGES.values()) - {"libusb-1.0-0"}))
    return (
        f"open3d needs a system library ({error.splitlines()[0]}): apt-get install {package} (all it may need: {every})"
    )


def _load_libusb() -> None:
    """Load the bundled libusb so that its symbols are global before Open3D asks for them."""
    try:
        path = importlib.import_module("libusb_package").get_library_path()
    except ImportError:
        return  # a system libusb may do; if none does, the import below says so
    if path:
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


@cache
def open3d() -> Any:
    """Import Open3D and return the module.

    Returns:
        The ``open3d`` module.

    Raises:
        MissingDependency: Open3D or a system library that it links is missing; the message names the packages.
    """
    try:
        _load_libusb()
        module: ModuleType = importlib.import_module("open3d")
    except (ImportError, OSError) as error:
        from face3d_data.errors import MissingDependency

        raise MissingDependency(missing_library_message(str(error))) from error
    return module
