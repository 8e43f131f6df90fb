"""Files of embeddings: read back with plain h5py, as other programs do."""

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.errors import UserError
from face3d_training.embed_files import mean_embeddings, write_embeddings

TABLE = pd.DataFrame(
    {
        "id": ["d__bo__1", "d__anna__1", "d__anna__2~mask%3Akn95%2E0~00000001", "d__anna__3"],
        "name": ["d__bo", "d__anna", "d__anna", "d__anna"],
        "class": [7, 3, 3, 3],
        "file_path": ["d__bo/d__bo__1.ply", "a.ply", "b.ply", "c.ply"],
    }
)


def unit(n, size, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(n, size))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("f4")


def test_every_image_comes_back_as_it_was_with_its_label_and_path(tmp_path):
    vectors = unit(4, 5)
    assert write_embeddings(tmp_path / "e.h5", TABLE, vectors, "images", {"dataset": "d"}) == 4
    found = {}
    with h5py.File(tmp_path / "e.h5") as file:
        assert file.attrs["dataset"] == "d"
        for name, person in file.items():
            for image, group in person.items():
                path = group.attrs["file_path"].decode("UTF-8")  # as clean-up scripts do: it has to be bytes
                found[name, image] = (int(person.attrs["label"]), path, group["embedding"][:])
    assert len(found) == 4
    for row, vector in zip(TABLE.itertuples(), vectors, strict=True):
        label, path, stored = found[row.name, row.file_path.rpartition("/")[2]]
        assert (label, path) == (TABLE["class"][row.Index], row.file_path)
        assert stored.dtype == np.float32
        assert stored.shape == (5,)
        assert np.array_equal(stored, vector)


def test_a_gallery_holds_each_person_s_mean_of_unit_length(tmp_path):
    vectors = unit(4, 5)
    assert write_embeddings(tmp_path / "g.h5", TABLE, vectors, "gallery") == 2
    with h5py.File(tmp_path / "g.h5") as file:
        gallery = {name: file[name]["embedding"][:] for name in file}
        assert set(file["d__anna"]) == {"embedding"}
    assert set(gallery) == {"d__anna", "d__bo"}
    mean = vectors[1:].astype("f8").mean(axis=0)
    assert np.allclose(gallery["d__anna"], mean / np.linalg.norm(mean), atol=1e-7)
    assert np.allclose(gallery["d__bo"], vectors[0], atol=1e-7)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=20), st.integers(1, 6), st.integers(0, 99))
def test_means_equal_a_loop_over_people(people, size, seed):
    vectors = unit(len(people), size, seed)
    names = np.array([f"p{person}" for person in people])
    found, means = mean_embeddings(names, vectors)
    assert found.tolist() == sorted(set(names.tolist()))
    for name, mean in zip(found, means, strict=True):
        total = sum(v.astype("f8") for v, n in zip(vectors, names, strict=True) if n == name)
        length = np.linalg.norm(total)
        assert np.allclose(mean, total / length if length > 1e-12 else mean, atol=1e-6)


def test_embeddings_that_cancel_out_give_no_nan():
    _, means = mean_embeddings(np.array(["a", "a"]), np.array([[1.0, 0.0], [-1.0, 0.0]], "f4"))
    assert np.array_equal(means, np.zeros((1, 2), "f4"))


def test_the_same_embeddings_give_the_same_bytes(tmp_path):
    for name in ("one.h5", "two.h5"):
        write_embeddings(tmp_path / name, TABLE, unit(4, 5), "images")
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


def test_what_is_there_is_not_written_over(tmp_path):
    (tmp_path / "e.h5").write_text("mine")
    with pytest.raises(UserError, match=r"e\.h5: already exists: use another name, or remove it first"):
        write_embeddings(tmp_path / "e.h5", TABLE, unit(4, 5), "gallery")
    assert (tmp_path / "e.h5").read_text() == "mine"


@pytest.mark.parametrize("layout", ["gallery", "images"])
def test_a_write_that_fails_leaves_nothing(tmp_path, layout):
    table = TABLE.drop(columns="name" if layout == "gallery" else "file_path")
    with pytest.raises(KeyError):
        write_embeddings(tmp_path / "e.h5", table, unit(4, 5), layout)
    assert list(tmp_path.iterdir()) == []


def test_embeddings_that_are_no_numbers_are_refused(tmp_path):
    vectors = unit(4, 5)
    vectors[2, 1] = np.nan
    with pytest.raises(UserError, match=r"1 embeddings are not finite, the first of d__anna__2"):
        write_embeddings(tmp_path / "e.h5", TABLE, vectors, "images")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_embeddings(tmp_path / "file" / "e.h5", TABLE, unit(4, 5), "images")


def test_parquet_has_a_row_an_image_with_its_columns(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    vectors = unit(4, 5)
    assert write_embeddings(tmp_path / "e.parquet", TABLE, vectors, "images", {"dataset": "d"}) == 4
    found = parquet.read_table(tmp_path / "e.parquet")
    assert found.schema.metadata == {b"dataset": b"d"}
    assert str(found.schema.field("embedding").type).startswith("fixed_size_list<")
    assert (
        found.drop_columns("embedding")
        .to_pandas()
        .equals(TABLE.convert_dtypes(dtype_backend="numpy_nullable").astype(TABLE.dtypes))
    )
    assert np.array_equal(np.stack(found["embedding"].to_numpy()), vectors)


def test_parquet_of_a_gallery_has_a_row_a_person(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    vectors = unit(4, 5)
    assert write_embeddings(tmp_path / "g.parquet", TABLE, vectors, "gallery") == 2
    found = parquet.read_table(tmp_path / "g.parquet").to_pylist()
    assert [(row["name"], row["class"]) for row in found] == [("d__anna", 3), ("d__bo", 7)]
    assert np.array_equal(
        np.array([row["embedding"] for row in found], "f4"), mean_embeddings(TABLE["name"], vectors)[1]
    )
