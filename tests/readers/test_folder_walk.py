"""The walk that readers of folders share, and the rows for what lies there and is no capture: nothing vanishes."""

import gzip
import os

import pytest

from face3d_data.errors import UserError
from face3d_data.readers.bosphorus import Bosphorus
from face3d_data.readers.bu3dfe import Bu3dfe
from face3d_data.readers.cloud_folder import CloudFolder
from face3d_data.readers.hdf5 import Hdf5
from face3d_data.readers.image_folder import ImageFolder
from face3d_data.readers.lock3dface import Lock3DFace
from face3d_data.readers.mesh_folder import MeshFolder
from face3d_data.readers.rgbd_folder import RgbdFolder
from face3d_data.readers.shared.strays import ending_of
from face3d_data.readers.shared.walk import walk


def rows(reader):
    """Return person/capture to (reason, files that the row stands for), or None of a capture."""
    return {
        f"{source.person}/{source.capture}": source.problem and (source.problem[0], source.stands_for)
        for source in reader.scan()
    }


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


@pytest.mark.parametrize("name", ["__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"])
def test_leftovers_are_not_entered(tmp_path, name):
    touch(tmp_path, f"{name}/a_color.png", f"ann/{name}/a_color.png", "ann/a_color.png")
    touch(tmp_path, "ann/.DS_Store", "ann/Thumbs.db", "ann/._a_color.png", "ann/desktop.ini", ".gitignore")
    assert [(folder.name, folder.files) for folder in walk(tmp_path)] == [("", ()), ("ann", ("a_color.png",))]
    assert not any(folder.hidden or folder.dotted for folder in walk(tmp_path))


@pytest.fixture
def refused(monkeypatch):
    """Let folders named `shut` be unreadable, as to a user without the right."""
    scan = os.scandir

    def refusing(path):
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)


def test_a_folder_that_may_not_be_read_is_a_row_and_the_others_are_read(tmp_path, refused):
    touch(tmp_path, "ann/a.png", "ben/shut/b.png", "shut/c.png")
    found = [source.problem for source in ImageFolder(root=tmp_path).scan()]
    assert found == [
        None,
        ("unreadable_folder", "ben/shut: cannot be read (Permission denied): allow it"),
        ("unreadable_folder", "shut: cannot be read (Permission denied): allow it"),
    ]
    assert set(rows(ImageFolder(root=tmp_path))) == {"ann/a", "ben/shut", "./shut"}


def test_a_root_that_may_not_be_read_is_said_with_the_remedy(tmp_path, refused):
    (tmp_path / "shut").mkdir()
    said = r"shut: cannot be read \(Permission denied\): allow it, or set root to another folder"
    with pytest.raises(UserError, match=said):
        list(ImageFolder(root=tmp_path / "shut").scan())


def test_what_is_not_read_has_one_row_for_each_ending_in_a_folder(tmp_path):
    touch(tmp_path, "ann/a.png", "ann/a.usdz", "ann/b.ctm", "ann/c.ctm", "ann/IMG_1", "all.zip", "part.tar.gz")
    touch(tmp_path, *(f"frames/{i}.raw" for i in range(300)))
    assert rows(ImageFolder(root=tmp_path)) == {
        "ann/a": None,
        "ann/a.usdz": ("other_format", 1),
        "ann/*.ctm": ("other_format", 2),
        "ann/IMG_1": ("other_format", 1),
        "./all.zip": ("other_format", 1),
        "./part.tar.gz": ("other_format", 1),
        "frames/*.raw": ("other_format", 300),
    }
    details = [source.problem[1] for source in ImageFolder(root=tmp_path).scan() if source.problem]
    assert "all.zip: unpack it" in details
    assert any(detail.startswith("300 files *.raw, first 0.raw: is not read (wanted ") for detail in details)


def test_known_companions_are_no_row(tmp_path):
    touch(tmp_path, "ann/a.png", "README", "LICENSE", "ann/notes.txt", "ann/intrinsics.json", "list.csv", "a.pdf")
    assert rows(ImageFolder(root=tmp_path)) == {"ann/a": None}


def test_hidden_folders_and_files_are_rows(tmp_path):
    touch(tmp_path, "ann/a.png", "ann/.old/b.png", "ann/.old/deep/c.png", ".trash/d.png", "ann/.e.png", "ann/.f.swp")
    found = rows(ImageFolder(root=tmp_path))
    assert found == {
        "ann/a": None,
        "ann/.old": ("hidden_folder", 2),
        "./.trash": ("hidden_folder", 1),
        "ann/.*": ("other_format", 2),
    }


@pytest.mark.parametrize(
    ("reader", "good"),
    [
        (MeshFolder, "ann/a.obj"),
        (CloudFolder, "ann/a.ply"),
        (RgbdFolder, "ann/a_color.png"),
        (Bosphorus, "bs000/bs000_N_N_0.bnt"),
        (Bu3dfe, "F0001/F0001_AN01WH_F3D.wrl"),
        (Lock3DFace, "001_Kinect_NU_1DEPTH/01.png"),
        (Hdf5, "a.h5"),
    ],
)
def test_every_reader_of_folders_lists_what_it_does_not_read(tmp_path, refused, reader, good):
    touch(tmp_path, good, "ann/b.xyzzy", "ann/c.xyzzy", "all.7z", ".old/a", "shut/a")
    found = rows(reader(root=tmp_path))
    assert found["ann/*.xyzzy"] == ("other_format", 2)
    assert found["./all.7z"] == ("other_format", 1)
    assert found["./.old"] == ("hidden_folder", 1)
    assert found["./shut"] == ("unreadable_folder", 1)
    assert len(found) > 4
    assert all(problem is None or problem[0] in reader.reasons for problem in found.values())


@pytest.mark.parametrize("reader", [MeshFolder, RgbdFolder, Bu3dfe, Lock3DFace])
def test_a_folder_of_other_files_alone_is_no_collection_and_they_are_named(tmp_path, reader):
    touch(tmp_path, "ann/a.zip", "ann/b.zip")
    with pytest.raises(UserError, match=r"there are 2 others: 2 files \*\.zip, first a\.zip: unpack it"):
        list(reader(root=tmp_path).scan())


def test_a_scan_beside_arrays_and_pictures(tmp_path):
    touch(tmp_path, "ann/a.obj", "ann/a.mtl", "ann/a.jpg", "ann/a.tga", "ann/a.webp", "ann/b.npy", "ann/b.fbx")
    assert rows(MeshFolder(root=tmp_path)) == {
        "ann/a": None, "ann/b.npy": ("name_not_matched", 1), "ann/b.fbx": ("other_format", 1),
    }  # fmt: skip


def test_an_obj_gives_way_to_the_cloud_of_the_same_capture(tmp_path):
    touch(tmp_path, "ann/a.obj", "ann/a.xyz", "ann/b.obj", "ann/c.ply", "ann/c.pcd")
    found = {source.capture: source for source in CloudFolder(root=tmp_path).scan()}
    assert found["a"].files["scan"].name == "a.xyz"
    assert found["b"].files["scan"].name == "b.obj"
    assert found["c.ply"].problem[0] == "same_name"
    assert found["a.obj"].problem == ("other_format", "a.obj: gives way to a.xyz, which makes the same capture")
    assert len(found) == 5


def test_gzip_round_scans_is_read(tmp_path):
    plain = b"v 0 0 0\nv 100 0 0\nv 0 140 9\nf 1 2 3\n"
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "a.obj.gz").write_bytes(gzip.compress(plain))
    (source,) = MeshFolder(root=tmp_path, points_from="vertices").scan()
    assert source.capture == "a"
    assert MeshFolder(root=tmp_path, points_from="vertices").load(source, "points").tolist() == [
        [0, 0, 0], [100, 0, 0], [0, -140, -9]]  # fmt: skip
    (tmp_path / "ann" / "a.obj.gz").rename(tmp_path / "ann" / "b.obj.gz")
    assert rows(CloudFolder(root=tmp_path)) == {"ann/b": None}


def test_endings_of_names():
    names = ("a.zip", "a.tar.gz", "a.obj.gz", "a", ".a", "a.b.c", "2024.01.05 scan.gz")
    assert [ending_of(name) for name in names] == [".zip", ".tar.gz", ".obj.gz", "", "", ".c", ".gz"]


def test_a_folder_that_links_give_two_names_is_read_once(tmp_path):
    root, other = tmp_path / "in", tmp_path / "other"
    touch(root, "ann/a.png", "store/.raw/c.png")
    touch(other, "b.png")
    (root / "ann_again").symlink_to("ann")
    (root / "back").symlink_to(root)
    (root / "ben").symlink_to(other)
    (root / "ben_again").symlink_to(other)
    (root / "cat").symlink_to("store/.raw")
    found = rows(ImageFolder(root=root))
    linked = ("linked_folder", 1)
    assert found == {
        "ann/a": None,
        "ben/b": None,
        "cat/c": None,
        "./ann_again": linked,
        "./back": linked,
        "./ben_again": linked,
        "store/.raw": ("hidden_folder", 1),
    }
    problems = {source.capture: source.problem for source in ImageFolder(root=root).scan()}
    assert (
        problems["ann_again"][1] == f"ann_again leads to {root / 'ann'}, which is read by another name: remove the link"
    )


@pytest.mark.parametrize(
    ("reader", "first"),
    [(ImageFolder, ".jpg .png .jpeg"), (MeshFolder, ".obj .ply .stl"), (CloudFolder, ".ply .pcd .xyz")],
)
def test_what_is_wanted_is_said_with_the_usual_endings_first(tmp_path, reader, first):
    touch(tmp_path, "ann/a.usdz", f"ann/b{first.split()[0]}")
    found = {source.capture: source.problem for source in reader(root=tmp_path).scan()}
    assert found["a.usdz"][1].startswith(f"a.usdz: is not read (wanted {first} ")
    assert ".gz" not in found["a.usdz"][1]
