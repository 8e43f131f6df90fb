"""manifests/datasets: every file is valid, every database's reader has one, and whole trees of names are whole."""

import importlib
import sys
from pathlib import Path

import names_only
import pytest
import yaml

from face3d_data.databases import description as database
from face3d_data.databases.collection import check_collection
from face3d_data.databases.description import databases, databases_of, descriptions_folder, read_database
from face3d_data.databases.file_patterns import count_files
from face3d_data.errors import UserError
from face3d_data.registry import components, find
from face3d_data.tables.published_rules import RULES

TINY = Path(__file__).parent / "readers"
GENERIC = {
    *("image_folder", "rgbd_folder", "rgbd_npy", "mesh_folder", "cloud_folder", "csv", "realsense", "hdf5"),
    *("synthetic", "realsense_bag", "masked_webface"),
}
"""Readers of layouts, which belong to no database."""
SHARED = {"lock3dface_bundle": "lock3dface"}
"""Readers of another form of a database that is described for its first reader."""
TREES = {
    "bosphorus": names_only.write_bosphorus_names,
    "frgc": lambda root: names_only.write_frgc_names(root, seasons=names_only.FRGC_SEASONS),
    "lock3dface": lambda root: names_only.write_lock3dface_names(root, kinds=("DEPTH", "INFRARED")),
    "eurecom_kinect": names_only.write_kinectfacedb_names,
}


@pytest.mark.parametrize("path", sorted(descriptions_folder().glob("*")), ids=lambda path: path.stem)
def test_every_file_is_a_description_of_a_reader_that_there_is(path):
    assert path.suffix == ".yaml"
    described = read_database(path)
    reader = find("reader", described.reader)
    for name in described.expect.options:
        assert name in reader.model_fields
    record = yaml.safe_load(path.read_text("utf-8"))
    assert list(record) == [name for name in database.Database.model_fields if name in record]
    numbers = (*described.counts.values(), *described.expect.files.values())
    assert all(n is None or n > 0 for n in numbers)
    assert all(part != "**" for pattern in described.expect.files for part in pattern.split("/")[1:])
    assert "http" not in described.ask


def test_every_reader_of_a_database_is_described():
    ours = {name for name, cls in components("reader").items() if cls.__module__.startswith("face3d_data.readers.")}
    described = {one.reader for one in databases().values()}
    assert ours - GENERIC - SHARED.keys() == described
    assert {SHARED[name] for name in ours & SHARED.keys()} <= described
    assert RULES.keys() <= described


@pytest.mark.slow
@pytest.mark.parametrize("name", TREES)
def test_a_whole_tree_of_names_is_whole_and_recognised(name, tmp_path):
    TREES[name](tmp_path)
    found = check_collection(find("reader", name)(root=tmp_path), tmp_path, databases())
    assert found.missing == ()
    assert (found.recognised.name, found.recognised.root) == (name, tmp_path)
    assert found.left_out == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, one in databases().items() if (TINY / f"tiny_{name}.py").is_file()])
def test_files_as_their_writer_names_them_are_recognised(name, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(TINY), *sys.path])
    tiny = importlib.import_module(f"tiny_{name}")
    root = tmp_path / "root"
    root.mkdir()
    tiny.write(root)
    found = check_collection(tiny.reader(root), root, databases())
    assert (found.recognised.name, found.recognised.root) == (name, root)
    assert found.name == name
    assert any(count.found for count in found.files.values())
    assert found.missing


def test_folders_above_and_inside_are_recognised_and_another_reader_is_told_whose_files_these_are(tmp_path):
    root = tmp_path / "root"
    names_only.write_bosphorus_names(root, people=2)
    for folder in (tmp_path, root / "bs001"):
        found = check_collection(find("reader", "frgc")(root=folder), folder, databases())
        assert found.missing
        assert (found.recognised.reader, found.recognised.root) == ("bosphorus", root)


def test_files_after_very_many_others_are_still_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("face3d_data.databases.file_patterns.MOST_LOOKED_AT", 3)
    for number in range(4):
        (tmp_path / f"a{number}.txt").touch()
    names_only.write_bosphorus_names(tmp_path, people=1)
    assert count_files(tmp_path, databases()).best() is None
    assert count_files(tmp_path, databases(), ["bosphorus"]).best().name == "bosphorus"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"people": 0}, r"'people' = 0: Input should be greater than or equal to 1"),
        ({"peple": 3}, "unknown option 'peple'.*did you mean 'people'"),
        ({"notes": None}, "'notes' = None"),
        ({"counts": {"N": "many"}}, "'counts.N' = 'many'"),
        ({"expect": {"file": {}}}, r"unknown option 'expect\.file'"),
    ],
)
def test_a_wrong_description_is_one_line_with_its_file(tmp_path, change, said):
    record = yaml.safe_load((descriptions_folder() / "bosphorus.yaml").read_text("utf-8"))
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**record, **change}))
    with pytest.raises(UserError, match=rf"mine\.yaml: .*{said}"):
        read_database(tmp_path / "mine.yaml")


@pytest.mark.parametrize("text", ["", "- a\n", "a: [\n", "\x00"])
def test_what_is_no_yaml_is_refused(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(UserError, match=r"mine\.yaml(, line [12])?: "):
        read_database(tmp_path / "mine.yaml")


def test_descriptions_are_found_by_reader():
    assert list(databases_of("bosphorus")) == ["bosphorus"]
    assert databases_of("rgbd_folder") == {}
