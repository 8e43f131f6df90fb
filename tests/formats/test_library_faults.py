"""Faults of libraries for which there is a codec of our own: each is shown here, and fails when the library mends it.

A test says what would be right, and is expected to fail. Where it passes, the codec may go, and the library take its
place; its docstring names this file.
"""

import io
import logging
import struct
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import h5py
import numpy as np
import pytest
from test_mesh_files import BINARY, document, glb

from face3d_data.geometry.open3d_lazy import open3d

trimesh = pytest.importorskip("trimesh")
PINS = (Path(__file__).parents[2] / "constraints.txt").read_text()


def fault(package: str):
    """Mark a fault of a library: it has to stand in the pinned version, and may in others."""
    pinned = f"{package}=={version(package)}" in PINS.splitlines()
    return pytest.mark.xfail(strict=pinned, raises=AssertionError, reason=f"a fault of {package} that stands")


def loaded(data: bytes, kind: str) -> tuple[list, list]:
    """Return vertices and triangles as trimesh reads them, or the name of what it raises."""
    logging.getLogger("trimesh").setLevel(logging.CRITICAL)
    try:
        mesh = trimesh.load(io.BytesIO(data), file_type=kind, process=False)
        mesh = mesh.to_mesh() if hasattr(mesh, "to_mesh") else mesh
    except Exception as error:
        return type(error).__name__, []
    return np.asarray(mesh.vertices).tolist(), np.asarray(getattr(mesh, "faces", [])).tolist()


def cloud(data: bytes, path) -> list:
    """Return the points of a file as Open3D reads them."""
    path.write_bytes(data)
    library = open3d()
    with library.utility.VerbosityContextManager(library.utility.VerbosityLevel.Error):
        return np.asarray(library.io.read_point_cloud(str(path)).points).tolist()


@fault("trimesh")
def test_trimesh_counts_negative_indices_of_obj_from_the_last_vertex_before_them():
    vertices, faces = loaded(b"v 0 0 0\nv 1 0 0\nv 0 1 2\nf -3 -2 -1\nv 5 5 5\n", "obj")
    assert [vertices[corner] for corner in faces[0]] == [[0, 0, 0], [1, 0, 0], [0, 1, 2]]


@fault("trimesh")
def test_trimesh_refuses_off_that_is_cut_off():
    assert isinstance(loaded(b"OFF\n4 2 0\n0 0 0\n1 0 0\n0 1 2\n1 1 1\n3 0 1 2\n", "off")[0], str)


PLY = (
    b"ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
    b"element face 1\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n1 0 0\n"
)


@fault("trimesh")
def test_trimesh_refuses_ply_that_is_cut_off():
    assert isinstance(loaded(PLY, "ply")[0], str)


@fault("trimesh")
def test_trimesh_refuses_ply_whose_face_names_a_vertex_that_is_not_there():
    assert isinstance(loaded(PLY + b"0 1 2\n3 0 1 7\n", "ply")[0], str)


@fault("trimesh")
def test_trimesh_refuses_stl_in_text_that_is_cut_off():
    facet = b"facet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 2\nendloop\nendfacet\n"
    assert isinstance(loaded(b"solid a\n" + 2 * facet, "stl")[0], str)


@fault("trimesh")
@pytest.mark.parametrize("fault_of", ["sparse", "extension", "stride", "type"])
def test_trimesh_reads_gltf_as_it_says_or_refuses_it(fault_of):
    made = document()
    if fault_of == "sparse":  # of the three positions the second is 9 9 9
        made["buffers"][0]["byteLength"] = 42 + 2 + 2 + 12
        made["bufferViews"] += [{"buffer": 0, "byteOffset": 44, "byteLength": 2},
                                {"buffer": 0, "byteOffset": 46, "byteLength": 12}]  # fmt: skip
        made["accessors"][0]["sparse"] = {
            "count": 1, "indices": {"bufferView": 2, "componentType": 5123}, "values": {"bufferView": 3},
        }  # fmt: skip
    elif fault_of == "extension":
        made["extensionsRequired"] = ["KHR_draco_mesh_compression"]
    elif fault_of == "stride":
        made["bufferViews"][0]["byteStride"] = 2
    else:
        made["accessors"][0]["componentType"] = 5121
    vertices, _ = loaded(glb(made, BINARY + bytes(2) + b"\x01\0" + struct.pack("<3f", 9, 9, 9)), "glb")
    assert vertices == [[0, 0, 0], [9, 9, 9], [0, 1, 2]] if fault_of == "sparse" else isinstance(vertices, str)


PCD = (
    b"VERSION .7\nFIELDS x y z\nSIZE %d %d %d\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 2\nHEIGHT 1\n"
    b"VIEWPOINT 0 0 0 1 0 0 0\nPOINTS 2\nDATA binary\n"
)


@fault("open3d-cpu")
def test_open3d_refuses_pcd_in_text_that_is_cut_off(tmp_path):
    data = (PCD % (4, 4, 4)).replace(b"binary", b"ascii") + b"1 2 3\n"
    assert cloud(data, tmp_path / "a.pcd") in ([], [[1, 2, 3]])


@fault("open3d-cpu")
def test_open3d_reads_pcd_of_doubles(tmp_path):
    points = np.array([[1, 2, 3], [4, 5, 6]], "<f8")
    assert cloud(PCD % (8, 8, 8) + points.tobytes(), tmp_path / "a.pcd") == points.tolist()


@fault("open3d-cpu")
@pytest.mark.parametrize("text", [b"0 0 0\n1 x 0\n0 1 2\n", b"0,0,0\n1,0,0\n"], ids=["word", "commas"])
def test_open3d_reads_every_line_of_xyz_or_refuses_it(tmp_path, text):
    assert len(cloud(text, tmp_path / "a.xyz")) == text.count(b"\n")


@fault("h5py")
def test_h5py_refuses_a_chunk_that_unpacks_to_less_than_it_holds():
    with h5py.File("a", mode="w", driver="core", backing_store=False) as file:
        chunk = file.create_dataset("chunk", shape=(4096,), dtype="u1", chunks=(4096,), compression="lzf")
        chunk.id.write_direct_chunk((0,), b"\x01ab")  # two bytes
        try:
            found = chunk[()]
        except OSError:
            return
    assert not len(found)


@fault("scipy")
def test_scipy_survives_spoilt_mat_files(tmp_path):
    """Files that `savemat` wrote, each with one byte changed; a crash ends the process that reads them."""
    code = (
        "import io, sys, warnings\nimport numpy as np\nfrom scipy.io import loadmat, savemat\n"
        "warnings.simplefilter('ignore')\nstream = io.BytesIO()\n"
        "savemat(stream, {'a': np.arange(12.0).reshape(3, 4)})\ngood = stream.getvalue()\n"
        "for at in range(128, len(good)):\n"
        "    for value in (0, 1, 15, 127, 255):\n"
        "        spoilt = bytearray(good)\n        spoilt[at] = value\n"
        "        try:\n            loadmat(io.BytesIO(bytes(spoilt)))\n"
        "        except Exception:\n            pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=tmp_path)
    assert done.returncode == 0
