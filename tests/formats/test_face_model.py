"""Face models in files: each layout gives the same model, no pickle runs anything, bad files are one line."""

import os
import pickle
import warnings

import h5py
import numpy as np
import pytest

from face3d_data.errors import UserError
from face3d_data.formats.face_model import read_face_model

V, K = 120, 4
RNG = np.random.default_rng(1)
MEAN = RNG.uniform(-70, 70, (V, 3))
IDENTITY = RNG.standard_normal((K, V, 3)).astype(np.float32)
TRIANGLES = RNG.permutation(np.arange(V)).reshape(-1, 3)


class Chumpy:
    """As chumpy keeps arrays: the state of an object of a class that is not there."""

    def __init__(self, x):
        self.x = x


def npz(path, **arrays):
    np.savez(path, **({"mean": MEAN, "triangles": TRIANGLES, "identity": IDENTITY} | arrays))
    return path


def flame_pickle(path):
    content = {"v_template": Chumpy(MEAN / 1000), "f": TRIANGLES.astype(np.uint32), "J": "else",
               "shapedirs": IDENTITY.transpose(1, 2, 0) / 1000}  # fmt: skip
    path.write_bytes(pickle.dumps(content, protocol=2))
    return path


def basel(path):
    with h5py.File(path, "w") as file:
        file["shape/model/mean"] = MEAN.ravel()
        variance = np.arange(1.0, K + 1)
        file["shape/model/pcaBasis"] = (IDENTITY.reshape(K, -1) / np.sqrt(variance)[:, None]).T
        file["shape/model/pcaVariance"] = variance
        file["shape/representer/cells"] = TRIANGLES.T
    return path


@pytest.mark.parametrize("make", [
    lambda folder: npz(folder / "a.npz"),
    lambda folder: npz(folder / "cm.npz", mean=MEAN / 10, identity=(IDENTITY / 10)),
    lambda folder: npz(folder / "flat.npz", identity=IDENTITY.reshape(K, -1).T),
    lambda folder: npz(folder / "last.npz", identity=IDENTITY.transpose(1, 2, 0)),
    lambda folder: flame_pickle(folder / "flame.pkl"),
    lambda folder: basel(folder / "basel.h5"),
])  # fmt: skip
def test_every_layout_gives_the_model_in_mm(make, tmp_path):
    model = read_face_model(make(tmp_path))
    assert np.allclose(model.mean, MEAN, atol=1e-3)
    assert np.allclose(model.identity, IDENTITY, atol=1e-4)
    assert np.array_equal(model.triangles, TRIANGLES)
    assert model.expression.shape == (0, V, 3)
    assert model.landmarks is None


class Evil:
    def __reduce__(self):
        return os.mkdir, ("was_run",)


def test_a_pickle_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"v_template": Evil(), "f": TRIANGLES}))
    with pytest.raises(UserError, match=r"evil\.pkl: has no mean"):
        read_face_model(tmp_path / "evil.pkl")
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize(("arrays", "said"), [
    ({"mean": np.zeros((3, 3))}, "mean is"),
    ({"mean": MEAN * 1e6}, "wide: not a face"),
    ({"mean": np.where(MEAN > 60, np.nan, MEAN)}, "mean holds numbers that are not finite"),
    ({"triangles": TRIANGLES + 1}, "count from 0"),
    ({"triangles": TRIANGLES.astype(float)}, "do not fit"),
    ({"identity": IDENTITY[:, :50]}, "identity"),
    ({"identity": np.full_like(IDENTITY, np.inf)}, "not finite"),
    ({"landmarks_68": np.arange(5)}, r"landmarks_68 is int64 \(5,\): give 68 vertex numbers"),
    ({"landmarks_68": np.arange(68) + 60}, "numbers from 60 to 127: give 68 vertex numbers from 0 to 119"),
    ({"mean": MEAN / 10, "identity": 3 * IDENTITY}, "in one unit"),
    ({"mean": MEAN, "identity": IDENTITY / 1000}, "in one unit"),
    ({"mean": MEAN / 10, "identity": IDENTITY / 10, "expression": 3 * IDENTITY}, "expression: .* in one unit"),
    ({"mean": np.array([object()] * 300)}, r"mean\b|holds Python objects"),
])  # fmt: skip
def test_arrays_that_do_not_fit_are_one_line(arrays, said, tmp_path):
    with pytest.raises(UserError, match=said) as caught:
        read_face_model(npz(tmp_path / "bad.npz", **arrays))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.npz", "a.pkl", "a.h5"])
@pytest.mark.parametrize(
    "content", [b"", b"nonsense" * 30, b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xff", b"PK\x03\x04"]
)
def test_files_that_are_none_of_these_are_one_line(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=name) as caught:
        read_face_model(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("key", "value", "said"), [
    ("shape/model/mean", None, "has no data set shape/model/mean: give a Basel Face Model"),
    ("shape/representer/cells", None, "has no data set shape/representer/cells"),
    ("shape/model/pcaBasis", None, "has no data set shape/model/pcaBasis"),
    ("shape/model/pcaVariance", None, "has no data set shape/model/pcaVariance"),
    ("shape/model/mean", np.zeros(7), r"shape/model/mean \(7,\) is not x, y, z"),
    ("shape/model/mean", np.bytes_(b"x" * 12), "is .*, not numbers"),
    ("shape/model/pcaVariance", np.ones(K + 1), "pcaBasis .* does not fit 120 vertices and pcaVariance"),
    ("shape/model/pcaVariance", -np.ones(K), "pcaVariance holds numbers below 0"),
    ("shape/model/pcaVariance/x", 1.0, "has no data set shape/model/pcaVariance"),
    ("expression/model/mean", np.zeros(3 * V), "has no data set expression/model/pcaBasis"),
])  # fmt: skip
def test_a_basel_file_without_a_data_set_names_it(key, value, said, tmp_path):
    with h5py.File(basel(tmp_path / "a.h5"), "r+") as file:
        parent = key.removesuffix("/x")
        if parent in file:
            del file[parent]
        if value is not None:
            file[key] = value
    with pytest.raises(UserError, match=r"a\.h5: .*" + said) as caught:
        read_face_model(tmp_path / "a.h5")
    assert "\n" not in str(caught.value)


CUT = r"truncated\?|is empty|is not an"


def test_a_text_and_a_cut_file_are_told_without_numpys_advice(tmp_path):
    path = tmp_path / "a.npz"
    path.write_text("hello")
    with pytest.raises(UserError, match=r"is not an \.npz file"):
        read_face_model(path)
    data = npz(path).read_bytes()
    for at in (0, 3, 40, len(data) // 3, len(data) - 30):
        path.write_bytes(data[:at])
        with warnings.catch_warnings(action="error"), pytest.raises(UserError, match=CUT) as caught:
            read_face_model(path)
        assert "pickle" not in str(caught.value)


def test_other_endings_say_how_to_convert(tmp_path):
    (tmp_path / "bfm.mat").write_bytes(b"x")
    with pytest.raises(UserError, match=r"savez"):
        read_face_model(tmp_path / "bfm.mat")
    with pytest.raises(UserError, match="cannot be read"):
        read_face_model(tmp_path / "gone.npz")
