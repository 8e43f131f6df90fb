"""ICT-FaceKit's folder, written as it is published: its values, the order of modes, and what is wrong in one line."""

import json
import os

import numpy as np
import pytest

from face3d_data.errors import UserError
from face3d_data.formats.face_model import read_face_model
from face3d_data.registry import find

ALL, SKIN = 26719, 11248
KEPT = [*range(SKIN), *range(SKIN, 13294), *range(21451, 24591)]
NUMBER = {vertex: place for place, vertex in enumerate(KEPT)}
RNG = np.random.default_rng(2)
MEAN = np.round(RNG.uniform(-9, 9, (ALL, 3)), 4)
SIZES = {"identity000": 0.4, "identity001": 0.2, "browDown_L": 0.05, "jawOpen": 0.5, "mouthLeft": 0.2}
MOVED = {name: np.round(size * RNG.standard_normal((ALL, 3)), 4) for name, size in SIZES.items()}
QUADS = [RNG.choice(SKIN, 4, replace=False) for _ in range(60)]
TRIANGLES = [RNG.choice(SKIN, 3, replace=False) for _ in range(9)]
INNER = [
    RNG.choice(part, 4, replace=False)
    for part in (np.arange(SKIN - 5, ALL), np.arange(21451, 24591))
    for _ in range(30)
]
LANDMARKS = [int(n) for n in RNG.choice(SKIN, 68, replace=False)]


def obj(vertices, faces):
    lines = ["# as published", "mtllib ICTFaceModelMaterial.mtl"]
    lines += [f"v {x:.6g} {y:.6g} {z:.6g}" for x, y, z in vertices.tolist()]
    lines += ["vt 0.5 0.25", "usemtl M_Face"]
    lines += ["f " + " ".join(f"{corner + 1}/1" for corner in face) for face in faces]
    return "\n".join(lines) + "\n"


def write_facekit(folder):
    folder.mkdir()
    faces = [*QUADS, *TRIANGLES, *INNER]
    (folder / "generic_neutral_mesh.obj").write_text(obj(MEAN, faces))
    for name, moved in MOVED.items():
        (folder / f"{name}.obj").write_text(obj(MEAN + moved, faces))
    names = [name for name in MOVED if not name.startswith("identity")]
    content = {"expressions": names, "idx_to_landmark_verts": LANDMARKS, "idx_to_rigid_verts": [1, 2]}
    (folder / "vertex_indices.json").write_text(json.dumps(content))
    (folder / "ICTFaceModelMaterial.mtl").write_text("newmtl M_Face\n")
    return folder


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return write_facekit(tmp_path_factory.mktemp("ict") / "FaceXModel")


@pytest.fixture
def facekit(published, tmp_path):
    """A copy whose files may be replaced."""
    folder = tmp_path / "FaceXModel"
    folder.mkdir()
    for file in published.iterdir():
        os.link(file, folder / file.name)
    return folder


def replace(file, text):
    file.unlink()
    file.write_text(text)


@pytest.mark.slow
def test_the_skin_keeps_its_numbers_and_eyeballs_follow_in_mm(published):
    model = read_face_model(published)
    assert np.allclose(model.mean, 10 * MEAN[KEPT], atol=2e-3)
    assert np.allclose(model.identity, [10 * MOVED[f"identity00{i}"][KEPT] for i in (0, 1)], atol=4e-3)
    assert np.allclose(
        model.expression, [10 * MOVED[n][KEPT] for n in ("jawOpen", "mouthLeft", "browDown_L")], atol=4e-3
    )
    assert model.landmarks.tolist() == LANDMARKS
    assert model.blendshapes
    assert model.skin == SKIN
    wanted = [[q[0], q[k], q[k + 1]] for q in QUADS for k in (1, 2)] + [t.tolist() for t in TRIANGLES]
    inner = [[q[0], q[k], q[k + 1]] for q in INNER for k in (1, 2)]
    wanted = [tuple(NUMBER[int(n)] for n in t) for t in wanted + inner if all(int(n) in NUMBER for n in t)]
    assert sorted(map(tuple, model.triangles.tolist())) == sorted(wanted)


@pytest.mark.slow
def test_other_texture_coordinates_and_line_ends_are_the_same_mesh(facekit, published):
    text = (published / "jawOpen.obj").read_text().replace("/1", "").replace("\n", "\r\n")
    replace(facekit / "jawOpen.obj", text)
    assert np.array_equal(read_face_model(facekit).expression, read_face_model(published).expression)


FACES = [*QUADS, *TRIANGLES, *INNER]
SWAPPED = np.r_[1, 0, 2:ALL]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "text", "said"), [
    ("jawOpen.obj", None, r"jawOpen\.obj: is not there"),
    ("identity000.obj", None, r"FaceXModel: has no identity000\.obj"),
    ("generic_neutral_mesh.obj", None, r"FaceXModel: has no generic_neutral_mesh\.obj"),
    ("vertex_indices.json", None, r"FaceXModel: has no vertex_indices\.json"),
    ("identity001.obj", lambda: obj(MEAN[:-1], FACES[:60]), r"identity001\.obj: has 26718 vertices, and .* has 26719"),
    ("identity001.obj", lambda: obj(np.vstack([MEAN, MEAN[:1]]), FACES), r"identity001\.obj: has 26720 vertices"),
    ("jawOpen.obj", lambda: obj(MEAN[SWAPPED], [SWAPPED[f] for f in FACES] + [[0, 5, 6]]), r"jawOpen\.obj: its faces"),
    ("generic_neutral_mesh.obj", lambda: obj(MEAN[:SKIN], QUADS), r"neutral_mesh\.obj: has 11248 vertices"),
    ("jawOpen.obj", lambda: "", r"jawOpen\.obj: .*empty"),
    ("jawOpen.obj", lambda: "hello\n", r"jawOpen\.obj: "),
    ("jawOpen.obj", lambda: obj(MEAN, FACES).replace("v ", "v nan", 1), r"jawOpen\.obj: "),
    ("vertex_indices.json", lambda: "{}", r"vertex_indices\.json: has no lists"),
    ("vertex_indices.json", lambda: "[" * 100_000, r"vertex_indices\.json: has no lists"),
    ("vertex_indices.json", lambda: '{"expressions": ["../x"], "idx_to_landmark_verts": []}', "are not names of files"),
    ("vertex_indices.json", lambda: '{"expressions": ["jawOpen"], "idx_to_landmark_verts": [1, 2]}', "landmarks_68"),
])  # fmt: skip
def test_what_is_wrong_is_one_line_that_names_the_file(name, text, said, facekit):
    if text is None:
        (facekit / name).unlink()
    else:
        replace(facekit / name, text())
    with pytest.raises(UserError, match=said) as caught:
        read_face_model(facekit)
    assert "\n" not in str(caught.value)


def test_another_folder_is_refused_with_what_to_give(tmp_path):
    with pytest.raises(UserError, match="give the folder FaceXModel of ICT-FaceKit"):
        read_face_model(tmp_path)
    for kind, name, option in (("stage", "register", "template"), ("reader", "synthetic", "model")):
        with pytest.raises(ValueError, match="give the folder FaceXModel of ICT-FaceKit"):
            find(kind, name)(**{option: tmp_path})


@pytest.mark.slow
def test_the_content_of_every_file_is_in_the_fingerprint(facekit):
    reader = find("reader", "synthetic")(model=facekit)
    before = reader.fingerprint()
    assert find("reader", "synthetic")(model=facekit).fingerprint() == before
    replace(facekit / "jawOpen.obj", obj(MEAN, FACES))
    assert find("reader", "synthetic")(model=facekit).fingerprint() != before
