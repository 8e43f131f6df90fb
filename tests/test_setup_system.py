"""The check that runs before an installation, and the doctor that runs after it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from face3d_data import doctor, registry, system_libraries
from face3d_data.cli.doctor import command
from face3d_data.doctor import lines_of
from face3d_data.errors import MissingDependency
from face3d_data.extras import extra_line
from face3d_data.geometry.farthest import pointnet2_farthest

ROOT = Path(__file__).resolve().parents[1]


def test_this_machine_has_what_is_needed():
    assert system_libraries.problems() == []


def test_missing_libraries_are_named_with_their_packages_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(system_libraries, "_loads", lambda name: name not in ("libGL.so.1", "libidn2.so.0"))
    assert system_libraries.main() == 1
    assert capsys.readouterr().err == (
        "missing system libraries libGL.so.1, libidn2.so.0: apt-get install libgl1 libidn2-0\n"
    )


def test_a_library_that_is_not_there_does_not_load():
    assert not system_libraries._loads("libface3d_no_such.so.1")
    assert system_libraries._loads("libc.so.6")


@pytest.mark.parametrize(
    ("libc", "line"),
    [
        (("glibc", "2.31"), "glibc 2.31 is too old"),
        (("glibc", "2.35"), None),
        (("glibc", "2.36"), None),
        (("", ""), None),
    ],
)
def test_glibc(monkeypatch, libc, line):
    monkeypatch.setattr(system_libraries.platform, "libc_ver", lambda: libc)
    found = system_libraries.glibc_too_old()
    assert found is None if line is None else found.startswith(line)


def test_an_old_python_and_one_without_venv_are_named(monkeypatch):
    monkeypatch.setattr(system_libraries, "MIN_PYTHON", (99, 0))
    monkeypatch.setattr(system_libraries.importlib.util, "find_spec", lambda name: None)
    first, second = system_libraries.problems()
    assert "too old" in first
    assert f"apt-get install python{sys.version_info[0]}.{sys.version_info[1]}-venv" in second


def test_the_check_needs_nothing_but_the_standard_library():
    run = [sys.executable, "-I", "-S", "-c", "import sys; sys.path.insert(0, '.'); "]
    run[-1] += "from face3d_data import system_libraries as s; s.problems(); "
    run[-1] += "print([m for m in ('numpy', 'pydantic', 'click') if m in sys.modules])"
    assert subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.skipif(shutil.which("readelf") is None, reason="readelf (binutils) is not installed")
def test_the_list_is_what_open3d_links():
    import importlib.util

    package = Path(importlib.util.find_spec("open3d").origin).parent
    needed = set()
    for library in package.glob("libOpen3D.so*"):
        text = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True).stdout
        needed |= {line.split("[")[1].rstrip("]") for line in text.splitlines() if "(NEEDED)" in line}
    if not needed:
        pytest.skip("this build of Open3D is no Linux shared library")
    of_every_system = {"libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2"}
    bundled = {path.name for path in package.glob("*.so*")} | {"libusb-1.0.so.0"}
    assert needed - of_every_system - bundled == set(system_libraries.DEBIAN_PACKAGES)


def test_doctor_finds_the_core_whole(tmp_path):
    report = doctor.examine(tmp_path / "not" / "made" / "yet")
    assert report["problems"] == []
    assert report["torch"]["devices"][0] == "cpu"
    assert report["engines"].keys() >= {"serial", "loky", "threading"}
    assert report["detector"].keys() == {"facemesh_short_range", "facemesh_attention_mesh", "pnet", "rnet", "onet"}
    assert all(Path(file).is_file() for file in report["detector"].values())
    assert report["extras"].keys() >= {"train", "gpu", "dev"}
    assert str(tmp_path) in report["machine"]["disk"]


def test_doctor_as_json_and_as_text(tmp_path):
    answer = CliRunner().invoke(command, ["--json", "-w", str(tmp_path)])
    assert answer.exit_code == 0
    assert json.loads(answer.output)["problems"] == []
    text = CliRunner().invoke(command, ["-w", str(tmp_path)]).output
    assert "everything that the core needs is here" in text
    assert "libEGL.so.1: ready" in text


def test_doctor_reports_whatever_breaks_and_exits_1(monkeypatch, tmp_path):
    def broken(*arguments):
        raise RuntimeError("out of order\nsecond line")

    for probe in ("_torch", "_open3d", "_machine", "_extras"):
        monkeypatch.setattr(doctor, probe, broken)
    monkeypatch.setattr(doctor, "_version", lambda name: None)
    monkeypatch.setattr(doctor, "missing_libraries", lambda: ["libEGL.so.1"])
    answer = CliRunner().invoke(command, ["-w", str(tmp_path)])
    assert answer.exit_code == 1
    problems = [line for line in answer.output.splitlines() if line.startswith("PROBLEM")]
    assert problems[0].startswith("PROBLEM missing packages: pip install torch numpy")
    assert problems[0].endswith("open3d-cpu")
    assert problems[1] == "PROBLEM missing system libraries libEGL.so.1: apt-get install libegl1"
    assert problems[2] == "PROBLEM torch does not work: RuntimeError: out of order"


def test_a_plugin_that_cannot_be_loaded_is_a_problem(monkeypatch, tmp_path):
    line = "plugin shop.readers of package shop cannot be loaded (ImportError: no shop): fix or uninstall it"
    monkeypatch.setattr(registry, "broken_plugins", lambda: [line], raising=False)
    answer = CliRunner().invoke(command, ["-w", str(tmp_path)])
    assert answer.exit_code == 1
    assert [text for text in answer.output.splitlines() if text.startswith("PROBLEM")] == [f"PROBLEM {line}"]


def test_doctor_advises_what_the_method_advises_and_what_can_be_followed(monkeypatch):
    monkeypatch.setitem(sys.modules, "pointnet2_ops", None)
    with pytest.raises(MissingDependency) as raised:
        pointnet2_farthest(np.zeros((8, 3), np.float32), 4)
    advice = str(raised.value).split("): ")[1]
    assert advice in doctor.POINTNET2
    monkeypatch.setattr(doctor, "_version", lambda name: None)
    extras = doctor._extras()
    assert extras["dev"].startswith(f"{extra_line('dev')} (missing: build,")
    assert "'face3d_data[" not in str(extras), "it is on no index under that name"


def test_every_section_of_a_report_has_a_line():
    lines = lines_of({"a": {"x": ["1", "2"]}, "b": "c", "problems": []})
    assert lines == ["a:", "  x: 1, 2", "b: c", "everything that the core needs is here"]
