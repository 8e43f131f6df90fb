"""Cameras, what is seen of a head, and the cost of a file: inputs that once gave wrong points, or cost gigabytes."""

import numpy as np
import pytest
from hang_guard import ends_soon

from face3d_data.errors import Unreadable
from face3d_data.geometry.camera import depth_to_points
from face3d_data.readers.csv import CsvReader
from face3d_data.readers.image_folder import ImageFolder
from face3d_data.readers.mesh_folder import MeshFolder
from face3d_data.readers.rgbd_folder import RgbdFolder
from face3d_data.stages.locate_3d import Locate3d


@pytest.mark.slow
def test_distortion_in_a_camera_file_is_undone(cases):
    reader = RgbdFolder(root=cases / "camera_distortion_coeffs" / "r")
    (source,) = reader.scan()
    arrays = reader.sample(source).arrays
    points, pixels = depth_to_points(
        np.full((480, 640), 1000, np.float32), arrays["intrinsics"], None, arrays["distortion"]
    )
    (at,) = np.flatnonzero(pixels == 20 * 640 + 20)
    np.testing.assert_allclose(points[at], [-463.9, -340.2, 1000], atol=0.06)


def test_float_metres_in_a_list_are_millimetres(cases):
    reader = CsvReader(file=cases / "csv_depth_float_metres" / "l.csv")
    (source,) = reader.scan()
    assert source.problem is None
    depth = reader.sample(source).arrays["depth"]
    np.testing.assert_allclose(depth, 650.0, rtol=1e-6)


def test_an_image_of_900_megapixels_is_a_row(cases):
    reader = ImageFolder(root=cases / "image_30000_px_in_109_kB")
    (source,) = reader.scan()
    with ends_soon(), pytest.raises(Unreadable, match=r"too_large: a.png: 30000x30000 px are 900 megapixels"):
        reader.inspect(source)


@pytest.mark.slow
def test_a_head_with_eyeballs_teeth_and_an_inner_wall_is_located(cases):
    reader = MeshFolder(root=cases / "head_with_inner_parts_located" / "heads")
    (source,) = reader.scan()
    found = Locate3d().apply(reader.sample(source))
    assert found.tags["located_score"] > 0.5
    assert np.linalg.norm(found.arrays["landmarks_3d"][2]) < 10, "the nose is at 0, 0, 0"
