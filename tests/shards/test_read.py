import gc
import multiprocessing
import os
import pickle
import shutil

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import accept, build, manifest, spec_of

from face3d_data import Dataset, ShardReader
from face3d_data.errors import UserError

FRAME = manifest(n_people=9)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    spec = spec_of(fields=["points", "normals", "color"], shard_size=4, pairs=True, gallery=True)
    return Dataset(build(tmp_path_factory.mktemp("datasets"), FRAME, spec))


@pytest.fixture(scope="module")
def truth(dataset):
    by_id = dict(zip(FRAME["id"], FRAME["place"], strict=True))
    return {split: [by_id[i] for i in dataset.table(split)["sample_id"]] for split in dataset.splits}


def test_length_and_items(dataset, truth):
    reader = dataset.reader("train")
    assert len(reader) == 9
    assert reader.fields == ("color", "normals", "points")
    for i in (0, 3, 4, 8, -1, -9):
        item = reader[i]
        assert set(item) == {"color", "normals", "points", "label", "index"}
        for name in reader.fields:
            assert np.array_equal(item[name], truth["train"][i].arrays[name])
            assert item[name].dtype == truth["train"][i].arrays[name].dtype
        assert item["label"] == dataset.table("train")["class"].iloc[i]
        assert item["index"] == i % 9


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-9, 8), max_size=20))
def test_batches_equal_items_one_by_one(dataset, truth, indices):
    batch = dataset.reader("train", ["points"]).__getitems__(indices)
    assert len(batch) == len(indices)
    assert batch.arrays["points"].shape == (len(indices), 16, 3)
    for item, i in zip(batch, indices, strict=True):
        assert np.array_equal(item["points"], truth["train"][i].arrays["points"])
    assert batch.arrays["index"].tolist() == [i % 9 for i in indices]


def test_batches_are_copies(dataset, truth):
    batch = dataset.reader("train").__getitems__([0, 1])
    batch.arrays["points"][:] = 0
    assert np.array_equal(dataset.reader("train")[0]["points"], truth["train"][0].arrays["points"])
    with pytest.raises(ValueError, match="read-only"):
        dataset.reader("train")._shard(0).arrays["data"][0] = 0


@pytest.mark.parametrize("index", [9, -10, 100])
def test_places_outside_are_index_errors(dataset, index):
    with pytest.raises(IndexError):
        dataset.reader("train")[index]
    with pytest.raises(IndexError):
        dataset.reader("train").__getitems__([0, index])


def test_a_reader_can_be_walked_through(dataset):
    assert [int(item["index"]) for item in dataset.reader("test")] == list(range(9))


def test_slices_and_ends_of_a_batch(dataset):
    batch = dataset.reader("train").__getitems__([5, 6, 7])
    assert [int(item["index"]) for item in batch[1:]] == [6, 7]
    assert batch[-1]["index"] == 7
    with pytest.raises(IndexError):
        batch[3]


def test_labels_and_texts_are_those_of_the_csv(dataset):
    for split in dataset.splits:
        reader, table = dataset.reader(split), dataset.table(split)
        assert reader.labels.tolist() == table["class"].tolist()
        for name in ("sample_id", "identity", "variant"):
            assert reader.texts(name) == table[name].tolist()
    with pytest.raises(UserError, match="'path' is not a text array"):
        reader.texts("path")


def test_texts_that_are_asked_for_are_str_everywhere(dataset):
    for split in dataset.splits:
        reader, table = dataset.reader(split, ["points", "sample_id", "identity"]), dataset.table(split)
        batch = reader.__getitems__(range(len(reader)))
        assert batch.arrays["sample_id"].dtype.kind == "U"
        assert batch.arrays["sample_id"].tolist() == table["sample_id"].tolist() == reader.texts("sample_id")
        assert [sample["identity"] for sample in reader] == table["identity"].tolist()
        assert all(isinstance(sample["identity"], str) for sample in reader)
    assert not {"sample_id", "identity"} & set(dataset.reader("train").fields)


def test_one_shard_by_its_path_and_stored_names(dataset):
    reader, whole = (
        ShardReader(dataset.path / "shards/train-40000.h5", fields=["data", "normal"]),
        dataset.reader("train"),
    )
    assert len(reader) == 2
    assert reader.fields == ("points", "normals")
    for i in range(2):
        assert np.array_equal(reader[i]["points"], whole[4 + i]["points"])
        assert reader[i]["label"] == whole[4 + i]["label"]
    assert reader.labels.tolist() == whole.labels[4:6].tolist()


def test_a_shard_away_from_its_dataset_has_no_labels(dataset, tmp_path):
    shutil.copy(dataset.path / "shards/train-40000.h5", tmp_path / "one.h5")
    reader = ShardReader(tmp_path / "one.h5")
    assert reader.texts("sample_id") == dataset.table("train")["sample_id"].tolist()[4:6]
    with pytest.raises(UserError, match=r"one\.h5: a shard by itself has no labels: keep it in its dataset's folder"):
        reader[0]


def test_maps_hold_no_file_open_and_end_with_their_arrays(dataset, truth):
    def mapped():
        return sum(str(dataset.path.resolve()) in line for line in open("/proc/self/maps"))

    reader, open_before, mapped_before = dataset.reader("train"), len(os.listdir("/proc/self/fd")), mapped()
    for i in (0, 8, 4, 0):
        assert np.array_equal(reader[i]["points"], truth["train"][i].arrays["points"])
    assert len(os.listdir("/proc/self/fd")) == open_before
    assert mapped() == mapped_before + 3
    kept = reader._shard(0).arrays["data"][:2]
    expected = kept.copy()
    del reader
    gc.collect()
    assert mapped() == mapped_before + 1, "one array is left, and what it shows"
    assert np.array_equal(kept, expected)


def test_opening_reads_no_shard(dataset, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(dataset.path, copy)
    for shard in (copy / "shards").iterdir():
        shard.unlink()
    reader = ShardReader(copy, "train")
    assert len(reader) == 9
    assert reader.fields == ("color", "normals", "points")
    assert reader.labels.tolist() == dataset.table("train")["class"].tolist()
    with pytest.raises(UserError, match=r"train-00000\.h5: cannot be read as a shard .*: run the pipeline again"):
        reader[0]


def test_a_shard_of_another_size_than_described_is_not_read(dataset, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(dataset.path, copy)
    shard = copy / "shards/train-00000.h5"
    size = shard.stat().st_size
    os.truncate(shard, size - 8)
    with pytest.raises(UserError, match=rf"it has {size - 8} bytes where dataset\.json says {size}"):
        ShardReader(copy, "train")[0]
    shard.write_bytes(b"")
    with pytest.raises(UserError, match="it has 0 bytes"):
        ShardReader(copy, "train")[0]
    with pytest.raises(UserError, match="cannot be read as a shard"):
        ShardReader(shard)


@pytest.mark.parametrize("damage", [b"", b"no array", None])
def test_labels_that_cannot_be_read_are_named(dataset, tmp_path, damage):
    copy = tmp_path / "copy"
    shutil.copytree(dataset.path, copy)
    file = copy / "train_labels.npy"
    if damage is None:
        np.save(file, np.arange(3))
    else:
        file.write_bytes(damage)
    with pytest.raises(UserError, match=r"train_labels\.npy: .*: run the pipeline again"):
        ShardReader(copy, "train")[0]


def test_a_pickled_reader_takes_no_maps_along(dataset):
    reader = dataset.reader("train")
    expected = reader[3]["points"]
    copy = pickle.loads(pickle.dumps(reader))
    assert not copy._mapped
    assert np.array_equal(copy[3]["points"], expected)


def _sum_of(reader, indices, queue):
    queue.put(float(reader.__getitems__(indices).arrays["points"].sum(dtype="f8")))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_two_processes_read_at_once_after_the_parent_did(dataset, method):
    reader = dataset.reader("train")
    parts = ([0, 8, 3, 5], [1, 2, 4, 6])
    expected = sorted(float(reader.__getitems__(part).arrays["points"].sum(dtype="f8")) for part in parts)
    processes = multiprocessing.get_context(method)
    queue = processes.Queue()
    workers = [processes.Process(target=_sum_of, args=(reader, part, queue)) for part in parts]
    for worker in workers:
        worker.start()
    found = sorted(queue.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
    assert found == expected


@pytest.mark.slow
def test_torch_loaders_take_it_with_both_collates(dataset):
    torch = pytest.importorskip("torch")
    reader = dataset.reader("train", ["points"])
    plain = list(torch.utils.data.DataLoader(reader, batch_size=4, num_workers=2))
    fast = list(torch.utils.data.DataLoader(reader, batch_size=4, num_workers=2, collate_fn=ShardReader.stack))
    assert [len(batch["label"]) for batch in plain] == [4, 4, 1]
    for one, other in zip(plain, fast, strict=True):
        for name in ("points", "label", "index"):
            assert np.array_equal(one[name].numpy(), other[name])


def test_dataset_tables_and_lists(dataset):
    assert dataset.name == "faces"
    assert dataset.splits == ["train", "eval", "test"]
    assert repr(dataset) == "Dataset('faces': train 9, eval 9, test 9)"
    assert dataset.pairs["same"].sum() * 2 == len(dataset.pairs)
    assert len(dataset.gallery) == 3
    assert len(dataset.probe) == 6
    assert len(dataset.dirty) == 0
    table = dataset.table("test")
    assert table["class"].dtype == "int64"
    assert table["key"].iloc[0].startswith("000")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "choose a split"),
        (("exam",), r"has no split 'exam' \(there: train, eval, test\)"),
        (("train", ["depth"]), r"contains no 'depth' \(there: color, normals, points\)"),
    ],
)
def test_wrong_readers_are_user_errors(dataset, arguments, message):
    with pytest.raises(UserError, match=message):
        ShardReader(dataset.path, *arguments)


def test_no_dataset_and_no_table(dataset, tmp_path):
    with pytest.raises(UserError, match="is not a dataset"):
        Dataset(tmp_path)
    with pytest.raises(UserError, match=r"has no exam\.csv \(there: dirty, eval"):
        dataset.table("exam")
    with pytest.raises(UserError, match="omit 'split'"):
        ShardReader(dataset.path / "shards/train-00000.h5", "train")


def test_what_is_no_shard(tmp_path):
    path = tmp_path / "x.h5"
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be read as a shard"):
        ShardReader(path)
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=np.zeros((4, 2)), chunks=(1, 2))
    with pytest.raises(UserError, match="'data' is not contiguous"):
        ShardReader(path)
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=np.zeros((4, 2)))
    with pytest.raises(UserError, match="it contains no 'sample_id'"):
        ShardReader(path)


@pytest.mark.parametrize("name", ["data", "sample_id"])
def test_a_shard_that_is_described_without_an_array_is_named_with_what_to_do(dataset, tmp_path, name):
    copy = tmp_path / "copy"
    shutil.copytree(dataset.path, copy)
    shard = "shards/train-40000.h5"
    accept(copy, lambda info: info["shards"][shard]["offsets"].pop(name))
    said = rf"train-40000\.h5: is damaged: it lacks the array '{name}': run the pipeline again"
    with pytest.raises(UserError, match=said):
        ShardReader(copy, "train", ["points", "sample_id"])
    accept(copy, lambda info: info["shards"].pop(shard))
    with pytest.raises(UserError, match=rf"dataset\.json: does not describe the shard {shard}: run the pipeline again"):
        ShardReader(copy, "train")


def test_an_array_that_one_shard_lost_is_missed_when_it_is_opened_by_itself(dataset, tmp_path):
    shutil.copytree(dataset.path, tmp_path / "copy")
    shard = tmp_path / "copy/shards/train-40000.h5"
    with h5py.File(shard, "r+") as file:
        del file["data"]
    with pytest.raises(UserError, match="contains no 'points'"):
        ShardReader(shard, fields=["points"])


def test_an_empty_split_is_an_empty_reader(tmp_path):
    reader = Dataset(build(tmp_path, manifest(splits=("train", "test")))).reader("eval")
    assert len(reader) == 0
    assert reader.labels.tolist() == []
    assert len(reader.__getitems__([])) == 0
