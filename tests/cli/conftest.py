"""A folder of captures of three people, two of whom are enrolled by the packaged network."""

import shutil

import pytest

from face3d_data.cli.main import _answer
from face3d_data.synthetic.write import write_people


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Three people: two with two captures each among `known`, and one stranger; 320 x 240 px."""
    folder = tmp_path_factory.mktemp("here")
    list(write_people(folder / "all", 3, 2, 77, 320, 240, 1))
    people = sorted(path for path in (folder / "all").iterdir() if path.is_dir())
    for person in people[:2]:
        (folder / "known" / person.name).mkdir(parents=True)
        for file in (*person.glob("capture_00*"), person / "landmarks.json"):
            shutil.copy(file, folder / "known" / person.name)
    shutil.copy(folder / "all" / "intrinsics.json", folder / "known")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert _answer(["enroll", "known", "--into", "people.h5", "--device", "cpu"]) == 0
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder
