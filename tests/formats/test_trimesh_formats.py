"""3MF, Collada and embedded glTF: what trimesh writes is read, and what it would pass over in silence is refused."""

import base64
import io
import json
import zipfile

import numpy as np
import pytest
import trimesh
from test_mesh_files import BINARY, document

from face3d_data.errors import Unreadable
from face3d_data.formats.cost import FileLimits, limits_in_force
from face3d_data.formats.mesh_file import mesh_has_colors, read_mesh
from face3d_data.remarks import remarks_into


def made(kind: str) -> bytes:
    """Return two boxes in a scene, the second moved by its node."""
    scene = trimesh.Scene([trimesh.creation.box((10, 20, 30))])
    scene.add_geometry(
        trimesh.creation.box((1, 2, 3)), transform=trimesh.transformations.translation_matrix([50, 0, 7])
    )
    data = scene.to_mesh().export(file_type="dae") if kind == "dae" else scene.export(file_type=kind)
    return data if isinstance(data, bytes) else data.encode()


def corners(mesh) -> np.ndarray:
    """Return the triangles' corners, sorted: the order in a file is the writer's."""
    table = np.round(mesh.vertices[mesh.triangles].reshape(-1, 9), 4)
    return table[np.lexsort(table.T)]


def read(tmp_path, data: bytes, ending: str):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(data)
    return read_mesh(path)


def refused(tmp_path, data: bytes, ending: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said) as caught:
        read(tmp_path, data, ending)
    assert f"a.{ending}" in caught.value.detail
    assert "\n" not in caught.value.detail


@pytest.mark.parametrize("ending", ["3mf", "dae"])
def test_what_trimesh_writes_is_read(tmp_path, ending):
    mesh = read(tmp_path, made(ending), ending)
    wanted = trimesh.load_scene(io.BytesIO(made("glb")), file_type="glb").to_mesh()
    whole = np.round(wanted.triangles.reshape(-1, 9), 4)
    np.testing.assert_allclose(np.sort(corners(mesh), axis=None), np.sort(whole, axis=None), atol=1e-4)
    assert mesh.triangles.shape == (24, 3)
    assert mesh.colors is None
    assert not mesh_has_colors(tmp_path / f"a.{ending}")
    edges = mesh.vertices[mesh.triangles]
    volume = np.einsum("ij,ij->i", edges[:, 0], np.cross(edges[:, 1], edges[:, 2])).sum() / 6
    assert volume == pytest.approx(10 * 20 * 30 + 6), "the triangles look outwards"


@pytest.mark.parametrize("ending", ["3mf", "dae"])
def test_a_file_cut_anywhere_is_refused(tmp_path, ending):
    data = made(ending)
    for at in np.linspace(0, len(data) - 2, 9).astype(int).tolist():
        refused(tmp_path, data[:at], ending, "unreadable")


def test_geometry_that_collada_cannot_read_is_refused_where_trimesh_leaves_it_out(tmp_path):
    data = made("dae").decode()
    before = data[data.index("<p>") + 3 : data.index("</p>")]
    bad = data.replace(before, before.replace(before.split()[0], "99999", 1)).encode()
    assert not len(trimesh.load_scene(io.BytesIO(bad), file_type="dae").geometry)
    refused(tmp_path, bad, "dae", "unreadable: a.dae: ")


def test_an_index_too_large_in_3mf_is_refused(tmp_path):
    with zipfile.ZipFile(io.BytesIO(made("3mf"))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text.replace(b'v1="0"', b'v1="999"', 1))
    refused(tmp_path, stream.getvalue(), "3mf", "unreadable")


@pytest.mark.parametrize("ending", ["3mf", "dae"])
def test_entities_are_not_unpacked(tmp_path, ending):
    bomb = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbb">]><model>&b;</model>'
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("3D/3dmodel.model", bomb)
    refused(tmp_path, stream.getvalue() if ending == "3mf" else bomb, ending, "document type")


def test_an_archive_that_unpacks_to_more_than_limits_allow_is_refused(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("3D/3dmodel.model", bytes(10 << 20))
    with limits_in_force(FileLimits(max_points=1000)):
        refused(tmp_path, stream.getvalue(), "3mf", "too_large")


def gltf(**changes) -> bytes:
    made = document()
    uri = "data:application/octet-stream;base64," + base64.b64encode(BINARY).decode()
    made["buffers"] = [{"byteLength": 42, "uri": uri}]
    return json.dumps({**made, **changes}).encode()


def test_gltf_with_its_buffer_embedded_is_read(tmp_path):
    mesh = read(tmp_path, gltf(), "gltf")
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 2]]
    assert mesh.triangles.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (gltf(buffers=[{"byteLength": 42, "uri": "a.bin"}]), "another file: save it as .glb"),
        (gltf(buffers=[{"byteLength": 42}]), "another file: save it as .glb"),
        (gltf(buffers=[]), "expected one buffer"),
        (gltf(buffers=[{"uri": "data:;base64,!!"}]), "not base64"),
        (gltf(buffers=[{"uri": "data:text/plain,abc"}]), "not base64"),
        (gltf()[:-40], "not valid JSON"),
        (b"[]", "expected one buffer"),
    ],
)
def test_damage_of_gltf_is_named(tmp_path, data, said):
    refused(tmp_path, data, "gltf", said)


def test_colours_left_aside_are_remarked(tmp_path):
    box = trimesh.creation.box((10, 20, 30))
    box.visual.vertex_colors = np.full((8, 4), 200, np.uint8)
    heard: list[str] = []
    with remarks_into(heard):
        mesh = read(tmp_path, box.export(file_type="dae"), "dae")
    assert len(mesh.triangles) == 12
    assert heard in ([], ["a.dae: colours of its vertices are ignored: save it as PLY to keep them"])
