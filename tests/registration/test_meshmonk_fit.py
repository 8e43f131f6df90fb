"""Engine `meshmonk` of the stage register: what the library is given, what comes of it, and the remedy without it."""

import sys
from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace

import numpy as np
import pytest

from face3d_data.errors import MissingDependency, Reject
from face3d_data.geometry.normals import mesh_normals
from face3d_data.geometry.surface import sample_surface
from face3d_data.registration import meshmonk_fit
from face3d_data.registration.fit import own_fitter
from face3d_data.registration.scan import prepare_scan
from face3d_data.registration.template import own_template
from face3d_data.sample import Sample
from face3d_data.stages.register import Register
from face3d_data.testing.contract import check_stage


def face_points(seed=3):
    template = own_template()
    shape = template.shape(0.7 * np.random.default_rng(seed).standard_normal(len(template.modes)))
    made = sample_surface(shape, template.triangles, 12_000)
    return shape, made.points[made.normals[:, 2] > 0.2].astype(np.float32)


def labelled(seed=3):
    shape, points = face_points(seed)
    below = (points[:, 1] < 0) & (np.abs(points[:, 0]) < 45)
    points[below, 2] += 9
    return shape, Sample.of({"points": points, "occlusion": below.astype(np.uint8)})


class StandIn:
    """As the library is called: moves every vertex that it may by 1 mm, and keeps what it was given."""

    def set_log_level(self, level):
        self.level = level

    def pyramid_register(self, **given):
        self.given = given
        moved = given["floating_features"].copy()
        moved[given["floating_flags"] > 0, 0] += 1
        return SimpleNamespace(aligned_features=moved)


@pytest.fixture
def library(monkeypatch):
    made = StandIn()
    monkeypatch.setitem(sys.modules, "meshmonk", made)
    monkeypatch.setattr(meshmonk_fit, "version", lambda name: "0.3.0")
    return made


@pytest.mark.slow
def test_labelled_points_and_what_is_beyond_the_border_have_the_flag_0(library):
    shape, sample = labelled()
    out = Register(engine="meshmonk").apply(sample)
    given = library.given
    scan = prepare_scan(sample.arrays["points"], sample.arrays["occlusion"])
    assert np.array_equal(given["target_flags"], scan.skin.astype(np.float32))
    assert 0.1 < 1 - given["target_flags"].mean() < 0.6
    followed = given["floating_flags"] > 0
    covered = (shape[:, 1] < -6) & (np.abs(shape[:, 0]) < 38) & (shape[:, 2] > -45)
    assert followed[covered].mean() < 0.03
    assert not followed[np.abs(shape[:, 0]) > np.abs(scan.points[:, 0]).max() + 5].any()
    assert 0.2 < followed.mean() < 0.8
    assert np.allclose(out.arrays["vertices"][followed, 0], given["floating_features"][followed, 0] + 1, atol=1e-4)
    assert given["target_faces"].dtype == np.int32
    assert given["target_faces"].max() < len(scan.points)


def test_a_scans_triangles_face_the_viewer_and_are_short(library):
    scan = prepare_scan(face_points()[1])
    triangles = meshmonk_fit.scan_triangles(scan)
    a, b, c = (scan.points[triangles[:, k]] for k in range(3))
    assert (np.cross(b - a, c - a)[:, 2] >= 0).all()
    assert np.linalg.norm(np.stack([b - a, c - b, a - c]), axis=2).max() < meshmonk_fit.LONGEST_MM
    assert len(triangles) > len(scan.points)


@pytest.mark.slow
def test_what_is_no_face_is_refused_before_the_library_is_believed(library):
    flat = np.column_stack([np.random.default_rng(0).uniform(-100, 100, (8000, 2)), np.zeros(8000)])
    with pytest.raises(Reject, match="not_a_face"):
        Register(engine="meshmonk").apply(Sample.of({"points": flat.astype(np.float32)}))


def test_the_version_is_in_the_fingerprint_of_this_engine_alone(library, monkeypatch):
    first = Register(engine="meshmonk").fingerprint()
    assert Register(engine="meshmonk").parameters()["version of meshmonk"] == "0.3.0"
    monkeypatch.setattr(meshmonk_fit, "version", lambda name: "0.3.1")
    assert Register(engine="meshmonk").fingerprint() != first
    assert "version of meshmonk" not in Register().parameters()


def test_without_the_library_one_line_names_the_remedy(monkeypatch):
    def gone(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(meshmonk_fit, "version", gone)
    with pytest.raises(MissingDependency, match=r"engine: meshmonk needs .* not installed.*pip install .*\[meshmonk\]"):
        Register(engine="meshmonk")
    monkeypatch.setitem(sys.modules, "meshmonk", None)
    with pytest.raises(MissingDependency, match=r"pip install .*\[meshmonk\]"):
        meshmonk_fit.load_meshmonk()


@pytest.mark.slow
def test_the_library_itself_finds_a_known_face_and_fills_what_is_covered():
    pytest.importorskip("meshmonk")
    shape, sample = labelled(5)
    stage = Register(engine="meshmonk")
    out = stage.apply(sample)
    seen = out.arrays["vertex_visible"] > 0
    assert 0.3 < seen.mean() < 0.8
    own = Register().apply(sample)
    both = seen & (own.arrays["vertex_visible"] > 0)
    assert both.sum() > 0.9 * seen.sum()
    normals = mesh_normals(shape, own_template().triangles)
    assert np.median(np.abs(np.einsum("ij,ij->i", out.arrays["vertices"] - shape, normals))[both]) < 0.3
    covered = (shape[:, 1] < -6) & (np.abs(shape[:, 0]) < 38) & (shape[:, 2] > -45)
    assert out.arrays["vertex_visible"][covered].mean() < 0.03
    assert np.median(np.linalg.norm(out.arrays["vertices"] - shape, axis=1)[covered]) < 5
    check_stage(stage, sample)
    assert own_fitter().nonrigid is None
