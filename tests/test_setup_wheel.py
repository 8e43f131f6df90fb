"""What the wheel holds, and where its files are found."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from face3d_data.errors import UserError
from face3d_data.resources import find_pipeline, package_folder, pipeline_names

ROOT = Path(__file__).resolve().parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def test_every_folder_of_code_is_a_package_of_the_wheel():
    code = {".".join(init.parent.relative_to(ROOT).parts) for init in ROOT.glob("face3d_data/**/__init__.py")}
    training = ROOT / "training"
    code |= {".".join(init.parent.relative_to(training).parts) for init in training.glob("**/__init__.py")}
    data = {"face3d_data.pipelines", "face3d_data.manifests", "face3d_training.configs"}
    data |= {"face3d_training.pretrained"}
    assert set(SETUPTOOLS["packages"]) == code | data


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory):
    copy = tmp_path_factory.mktemp("source") / "copy"
    leave = shutil.ignore_patterns(".*", "work", "build", "dist", "*.egg-info", "__pycache__", "tests")
    shutil.copytree(ROOT, copy, ignore=leave)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-w"]
    subprocess.run([*command, str(copy / "out"), "."], cwd=copy, check=True, capture_output=True)
    return zipfile.ZipFile(next((copy / "out").glob("*.whl"))).namelist()


@pytest.mark.slow
def test_wheel_holds_pipelines_manifests_configs_assets_and_licence(wheel_names):
    wanted = [f"face3d_data/pipelines/{path.name}" for path in (ROOT / "pipelines").glob("*.yaml")]
    wanted += ["face3d_data/manifests/README.md", "face3d_training/configs/README.md", "face3d_data/py.typed"]
    wanted += [f"face3d_training/configs/{path.name}" for path in (ROOT / "training" / "configs").glob("*.yaml")]
    wanted += [f"face3d_data/manifests/datasets/{path.name}" for path in (ROOT / "manifests/datasets").glob("*.yaml")]
    wanted.append("face3d_training/evaluation/report/report.html.j2")
    wanted += [str(path.relative_to(ROOT / "training")) for path in ROOT.glob("training/*/pretrained/*.*")]
    wanted += [str(path.relative_to(ROOT)) for path in ROOT.glob("face3d_data/**/*.npz")]
    networks = "face3d_data/detectors/mediapipe"
    wanted += [f"{networks}/{name}" for name in ("short_range.safetensors", "attention_mesh.safetensors")]
    wanted += [f"{networks}/{name}" for name in ("LICENSE", "NOTICE")]
    wanted.append("face3d_data/synthetic/LICENSE.ICT-FaceKit")
    assert len(wanted) >= 6
    assert [name for name in wanted if name not in wheel_names] == []
    for licence in (
        "LICENSE",
        f"{networks}/LICENSE",
        f"{networks}/NOTICE",
        "face3d_data/synthetic/LICENSE.ICT-FaceKit",
    ):
        assert any(name.endswith(f"licenses/{licence}") for name in wheel_names), licence
    assert [name for name in wheel_names if name.startswith(("tests/", "benchmarks/", "training/", "pipelines/"))] == []


def test_every_shipped_pipeline_is_found_by_name():
    assert {"quickstart", "rgbd", "rgbd_images"} <= set(pipeline_names())
    for name in pipeline_names():
        assert find_pipeline(name) == package_folder() / "pipelines" / f"{name}.yaml"
        assert find_pipeline(f"{name}.yaml").is_file()


def test_a_file_wins_over_a_name_and_a_folder_does_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rgbd").mkdir()
    assert find_pipeline("rgbd").parent.name == "pipelines"
    (tmp_path / "quickstart").write_text("name: mine\n")
    assert find_pipeline("quickstart") == Path("quickstart")


@pytest.mark.parametrize("name", ["quickstar", "no/such/file.yaml", "pipelines/quickstart", "quickstart.json"])
def test_an_unknown_pipeline_is_refused_with_the_names_that_there_are(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no such file.*quickstart, .*rgbd, rgbd_images"):
        find_pipeline(name)
