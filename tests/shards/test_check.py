"""Datasets are compared with their hashes when they are opened for training, evaluation or export."""

import json
import os

import pytest
from made import build, manifest

from face3d_data.errors import UserError
from face3d_data.shards import check as check_module
from face3d_data.shards.audit.verify import verify_dataset
from face3d_data.shards.check import checked_dataset, faults
from face3d_data.shards.export.dataset import export_dataset


@pytest.fixture
def link(tmp_path, monkeypatch):
    monkeypatch.setattr(check_module, "_checked", set())
    return build(tmp_path / "datasets", manifest(n_people=6))


def flip(path, at=-1):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_whole_dataset_is_hashed_once_in_a_process(link, monkeypatch):
    hashed, digest = [], check_module.digest_file
    monkeypatch.setattr(check_module, "digest_file", lambda path: hashed.append(path.name) or digest(path))
    assert checked_dataset(link).name == "faces"
    first = len(hashed)
    assert first >= len(json.loads((link / "dataset.json").read_text())["files"])
    checked_dataset(link)
    assert len(hashed) == first + 1, "only dataset.json is read again"


@pytest.mark.parametrize("name", ["shards/test-00000.h5", "train.csv", "sources.csv"])
def test_a_flipped_bit_in_any_file_is_named_with_what_to_do(link, name):
    flip(link / name)
    with pytest.raises(UserError) as caught:
        checked_dataset(link)
    said = str(caught.value)
    assert f"{name} has another sha256 than dataset.json says" in said
    assert "copy it again, or run its pipeline where it was made, which writes it again" in said
    assert "\n" not in said
    assert checked_dataset(link, check=False).name == "faces"


def test_every_fault_is_found(link):
    os.truncate(link / "shards/test-00000.h5", 10)
    (link / "train.csv").unlink()
    flip(link / "test.csv")
    info = json.loads((link / "dataset.json").read_text())
    found = dict(faults(link, info))
    assert found.keys() == {"shards/test-00000.h5", "train.csv", "test.csv"}
    assert found["train.csv"] == "is missing"
    assert found["shards/test-00000.h5"].startswith("has 10 bytes where dataset.json says")


def test_a_file_that_may_not_be_read_is_no_damage(link, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    info = json.loads((link / "dataset.json").read_text())
    with pytest.raises(UserError, match=r"cannot be read \(Permission denied\): fix that .*; nothing was removed"):
        list(faults(link, info, refuse))


@pytest.mark.slow
def test_nothing_is_exported_of_a_damaged_dataset(link, tmp_path):
    flip(link / "shards/test-00000.h5")
    with pytest.raises(UserError, match=r"shards/test-00000\.h5 has another sha256"):
        export_dataset(link, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert export_dataset(link, tmp_path / "out", check=False)


@pytest.mark.slow
def test_dataset_json_answers_for_itself(link):
    """Keys that no file's hash stands for: a changed one is found all the same, and run writes the dataset again."""
    path = link / "dataset.json"
    whole = path.read_text()
    for old, new in (('"points"', '"pointw"'), ('"by": "identity"', '"by": "capture"'), ('"pairs"', '"paris"')):
        path.write_text(whole.replace(old, new))
        with pytest.raises(UserError, match=r"dataset\.json was changed or damaged: its own digest is another"):
            checked_dataset(link)
        (problem,) = verify_dataset(link).problems
        assert (problem.check, problem.where) == ("files", "dataset.json")
        build(link.parent, manifest(n_people=6))
        assert path.read_text() == whole


def test_where_it_was_made_the_command_that_mends_is_named(link, tmp_path):
    run = link.parent.parent / "runs" / "p"
    run.mkdir(parents=True)
    (run / "pipeline.yaml").touch()
    flip(link / "train.csv")
    with pytest.raises(UserError) as caught:
        checked_dataset(link)
    assert f"`face3d run {run / 'pipeline.yaml'} -w {tmp_path}` writes it again" in str(caught.value)
