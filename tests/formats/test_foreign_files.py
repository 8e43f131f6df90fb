"""What programs leave in a file's place is named with the remedy, by every codec."""

import gzip
import io
import zipfile

import numpy as np
import pytest

from face3d_data.errors import Unreadable
from face3d_data.formats.cloud_file import read_cloud
from face3d_data.formats.h5_points import read_arrays
from face3d_data.formats.image import read_color, read_depth_png
from face3d_data.formats.image_header import read_image_header
from face3d_data.formats.mesh_file import read_mesh
from face3d_data.formats.text_bytes import read_plain


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.xyz", "1 2 3\n")
    return stream.getvalue()


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
FOREIGN = {
    "pointer": (POINTER, "is a Git LFS pointer, not the file: run git lfs pull"),
    "page": (b"\n<!DOCTYPE html><html><body>Log in</body></html>", r"is a web page \(HTML\)"),
    "bare page": (b"<html lang='en'>1 2 3</html>", r"is a web page \(HTML\)"),
    "zip": (zipped(), "is a zip archive: unpack it"),
}


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize(
    ("read", "name"),
    [
        *((read_mesh, f"a.{ending}") for ending in ("obj", "ply", "stl", "off", "glb", "wrl")),
        *((read_cloud, f"a.{ending}") for ending in ("ply", "pcd", "xyz", "csv", "npy", "bc")),
        (read_color, "a.jpg"),
        (read_depth_png, "a.png"),
        (read_image_header, "a.png"),
        (read_plain, "a.json"),
        (lambda path: read_arrays(path, ["data"]), "a.h5"),
    ],
)
def test_what_lies_in_the_place_of_a_file_is_named(tmp_path, kind, read, name):
    data, said = FOREIGN[kind]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(Unreadable, match=rf"^unreadable: {name}: {said}"):
        read(tmp_path / name)


@pytest.mark.parametrize("kind", FOREIGN)
def test_it_is_named_inside_of_gzip_too(tmp_path, kind):
    data, said = FOREIGN[kind]
    (tmp_path / "a.xyz.gz").write_bytes(gzip.compress(data))
    with pytest.raises(Unreadable, match=rf"^unreadable: a\.xyz\.gz: {said}"):
        read_cloud(tmp_path / "a.xyz.gz")


@pytest.mark.parametrize("name", ["a.obj.gz", "a.xyz.gz"])
def test_gzip_in_gzip_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(gzip.compress(gzip.compress(b"1 2 3\n")))
    with pytest.raises(Unreadable, match=rf"{name}: is compressed with gzip twice: unpack it once"):
        (read_mesh if "obj" in name else read_cloud)(tmp_path / name)


def test_an_npz_is_an_archive_of_its_own_right(tmp_path):
    np.savez(tmp_path / "a.npz", points=np.ones((2, 3)))
    assert read_cloud(tmp_path / "a.npz").points.tolist() == [[1, 1, 1], [1, 1, 1]]
