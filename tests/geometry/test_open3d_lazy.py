import subprocess
import sys

import pytest

from face3d_data.errors import MissingDependency
from face3d_data.geometry import open3d_lazy


def test_importing_the_module_imports_no_open3d():
    code = "import sys, face3d_data.geometry.open3d_lazy; assert 'open3d' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("library", "package"), open3d_lazy.DEBIAN_PACKAGES.items())
def test_a_missing_library_names_its_debian_package(library, package):
    said = open3d_lazy.missing_library_message(f"{library}.1: cannot open shared object file: No such file")
    assert package in said
    assert library in said
    assert "apt-get install" in said


def test_anything_else_says_what_to_install_with_pip():
    assert "pip install open3d-cpu" in open3d_lazy.missing_library_message("No module named 'open3d'")


def test_open3d_raises_missing_dependency_in_one_line(monkeypatch):
    def fail(name):
        raise OSError("libEGL.so.1: cannot open shared object file\nmore")

    monkeypatch.setattr(open3d_lazy.importlib, "import_module", fail)
    open3d_lazy.open3d.cache_clear()
    try:
        with pytest.raises(MissingDependency, match="libegl1") as raised:
            open3d_lazy.open3d()
    finally:
        open3d_lazy.open3d.cache_clear()
    assert "\n" not in str(raised.value)


def test_it_loads_here():
    assert hasattr(open3d_lazy.open3d(), "t")
