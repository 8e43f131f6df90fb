"""manifests/datasets: every file is valid, every database's reader has one, and whole trees of names are whole."""

import pytest
import yaml

from face3d_data import database
from face3d_data.collection import check_collection
from face3d_data.database import databases, databases_of, descriptions_folder, read_database
from face3d_data.errors import UserError
from face3d_data.file_patterns import count_files
from face3d_data.registry import components, find
from face3d_data.tables.published_rules import RULES
from face3d_data.testing import names_only

GENERIC = {
    *("image_folder", "rgbd_folder", "rgbd_npy", "mesh_folder", "cloud_folder", "csv", "realsense", "hdf5"),
    *("synthetic", "realsense_bag"),
}
"""Readers of layouts, which belong to no database."""
SHARED = {"lock3dface_bundle": "lock3dface"}
"""Readers of another form of a database that is described for its first reader."""
TREES = {
    "bosphorus": names_only.write_bosphorus_names,
    "frgc": lambda root: names_only.write_frgc_names(root, seasons=names_only.FRGC_SEASONS),
    "lock3dface": names_only.write_lock3dface_names,
    "eurecom_kinect": names_only.write_kinectfacedb_names,
}


@pytest.fixture(scope="module", params=sorted(TREES))
def tree(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "root"
    folder.mkdir()
    TREES[request.param](folder)
    return request.param, folder


@pytest.mark.parametrize("path", sorted(descriptions_folder().glob("*")), ids=lambda path: path.stem)
def test_every_file_is_a_description_of_a_reader_that_there_is(path):
    assert path.suffix == ".yaml"
    described = read_database(path)
    reader = find("reader", described.reader)
    for name in described.expect.options:
        assert name in reader.model_fields
    record = yaml.safe_load(path.read_text("utf-8"))
    assert list(record) == [name for name in database.Database.model_fields if name in record]
    assert all(n > 0 for n in (*described.counts.values(), *described.expect.files.values()))
    assert "http" not in described.ask


def test_every_reader_of_a_database_is_described():
    ours = {name for name, cls in components("reader").items() if cls.__module__.startswith("face3d_data.readers.")}
    described = {one.reader for one in databases().values()}
    assert ours - GENERIC - SHARED.keys() == described
    assert {SHARED[name] for name in ours & SHARED.keys()} <= described
    assert RULES.keys() <= described


def test_a_whole_tree_of_names_is_whole_and_recognised(tree):
    name, root = tree
    found = check_collection(find("reader", name)(root=root), root, databases())
    assert found.missing == ()
    assert (found.recognised.name, found.recognised.root) == (name, root)
    assert found.left_out == {}


def test_its_folders_are_recognised_from_above_and_from_inside(tree):
    name, root = tree
    above = count_files(root.parent, databases()).best()
    inside = count_files(next(path for path in sorted(root.iterdir())), databases()).best()
    for seen in (above, inside):
        assert (seen.name, seen.root) == (name, root)


def test_another_reader_is_told_whose_files_these_are(tree):
    name, root = tree
    other = "frgc" if name == "bosphorus" else "bosphorus"
    found = check_collection(find("reader", other)(root=root), root, databases())
    assert found.missing
    assert found.recognised.reader == name


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
    with pytest.raises(UserError, match=r"mine\.yaml: "):
        read_database(tmp_path / "mine.yaml")


def test_descriptions_are_found_by_reader():
    assert list(databases_of("bosphorus")) == ["bosphorus"]
    assert databases_of("rgbd_folder") == {}
