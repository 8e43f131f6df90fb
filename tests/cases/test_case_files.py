"""Files that others wrote: each small case is read as its expectation says, or refused with the word that helps."""

import numpy as np
import pytest

from face3d_data.errors import Unreadable
from face3d_data.formats.mesh_file import read_mesh
from face3d_data.readers.cloud_folder import CloudFolder
from face3d_data.readers.hdf5 import Hdf5
from face3d_data.readers.image_folder import ImageFolder
from face3d_data.readers.mesh_folder import MeshFolder
from face3d_data.readers.rgbd_npy import RgbdNpy

PYRAMID = [[0, 0, 0], [100, 0, 0], [100, 140, 0], [0, 140, 0], [50, 70, 60]]


def only(reader):
    """Return the only capture of a reader (the text that says what is expected may be a row), and its arrays."""
    (source,) = [source for source in reader.scan() if source.problem is None]
    return source, reader.sample(source).arrays


def in_file_axes(points):
    """Return points of the camera frame as their file has them, with y up."""
    return points * np.array([1, -1, -1])


def test_a_header_in_a_comment_names_the_columns(cases):
    source, arrays = only(CloudFolder(root=cases / "cloud_header_rgba"))
    assert source.arrays == ("points", "point_colors")
    assert arrays["point_colors"][0].tolist() == [61, 200, 175]


def test_decimal_commas_between_blanks(cases):
    root = cases / "decimal_comma_space"
    source, arrays = only(CloudFolder(root=root))
    assert source.arrays == ("points",)
    assert len(arrays["points"]) == 1500
    assert in_file_axes(arrays["points"])[0].tolist() == pytest.approx([113.76, 199.44, 44.38])


def test_records_say_what_their_columns_are(cases):
    root = cases / "npy_named_fields"
    _, arrays = only(CloudFolder(root=root))
    assert len(arrays["points"]) == 200
    first = [float(word) for word in (root / "first.txt").read_text().split()]
    assert in_file_axes(arrays["points"])[0].tolist() == pytest.approx(first)


def test_a_mark_costs_an_obj_no_vertex(cases):
    mesh = read_mesh(cases / "obj_bom_first_line_vertex" / "p" / "a.obj")
    assert mesh.vertices.shape == (6, 3)
    assert mesh.triangles.shape == (4, 3)
    assert mesh.vertices[mesh.triangles[0]].tolist() == [[0, 0, 0], [100, 0, 0], [50, 70, 60]]
    assert mesh.vertices[mesh.triangles][..., 2].max() == 60


@pytest.mark.parametrize("name", ["obj_nan_colour", "obj_partial_colours", "obj_utf16", "off_glued_header"])
def test_the_shape_is_not_lost(cases, name):
    source, arrays = only(MeshFolder(root=cases / name, points_from="vertices"))
    assert source.arrays == ("points", "normals")
    assert in_file_axes(arrays["points"]).tolist() == PYRAMID
    assert len(read_mesh(source.files["scan"]).triangles) == 4


def test_points_alone_are_named_and_read_by_the_other_reader(cases):
    root = cases / "obj_points_only"
    (source,) = [source for source in MeshFolder(root=root).scan() if source.problem is None]
    with pytest.raises(Unreadable, match=r"no_surface: .*cloud_folder"):
        MeshFolder(root=root).load(source, "points")
    _, arrays = only(CloudFolder(root=root))
    assert len(arrays["points"]) == 300


@pytest.mark.parametrize("name", ["a.off", "b.stl", "c.ply"])
def test_a_mark_before_a_text_costs_nothing(cases, name, tmp_path):
    path = cases / "text_formats_bom" / "p" / name
    bare = tmp_path / name
    bare.write_bytes(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    found, wanted = read_mesh(path), read_mesh(bare)
    assert found.vertices.tolist() == wanted.vertices.tolist()
    assert found.triangles.tolist() == wanted.triangles.tolist()
    assert len(found.triangles) == 2


@pytest.mark.parametrize("name", ["h5_identity_variable_text", "h5_pid_text"])
def test_people_of_hdf5_are_texts(cases, name):
    found = list(Hdf5(root=cases / name).scan())
    assert [source.person for source in found] == ["ann", "ann", "ben", "ben"]
    assert not any(source.problem for source in found)


def test_photographs_of_every_ending_are_read_or_a_row(cases):
    reader = ImageFolder(root=cases / "photos_other_endings")
    found = {source.files["image"].name: source for source in reader.scan() if "image" in source.files}
    listed = {source.capture for source in reader.scan() if source.problem}
    assert set(found) | listed == {"a.jpg", "b.webp", "c.tiff", "d.jfif", "e.gif", "IMG_0001.HEIC"}
    refused = []
    for name, source in found.items():
        try:
            reader.inspect(source)
        except Unreadable as error:
            refused.append((name, error.reason))
        else:
            assert reader.load(source, "color").shape == (24, 24, 3)
    assert refused == [("IMG_0001.HEIC", "unreadable")]


def test_colour_beside_an_array_may_be_a_jpeg(cases):
    (source,) = RgbdNpy(root=cases / "rgbd_npy_with_jpg", depth_scale=0.001).scan()
    assert (source.person, source.capture, source.problem) == ("0001", "0001_03", None)
    arrays = RgbdNpy(root=cases / "rgbd_npy_with_jpg", depth_scale=0.001).sample(source).arrays
    assert arrays["color"].shape == (48, 32, 3)
    assert arrays["depth"].shape == (48, 32)
