"""A network judged on its own training faces is caught, by whatever name they come back."""

import re
from pathlib import Path

import pytest
from made_checkpoint import make_run
from tiny_sets import points_set

from face3d_data import Dataset
from face3d_data.errors import RunStopped
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.run import run
from face3d_data.shards.export.dataset import export_dataset
from face3d_training.evaluation.metrics.lists import EvaluationSettings
from face3d_training.evaluation.run import Request, run_evaluation


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with a dataset and a network that learnt from its split `train`."""
    folder = tmp_path_factory.mktemp("place")
    points = points_set(folder, masked=False)
    make_run(folder / "net", points)
    return folder


def read_back(folder, reader, steps=(), **options):
    """Publish what a reader finds in an export, under names of its own."""
    last = steps[-1]["id"] if steps else "back"
    raw = {"name": "back", "sources": {"back": {"reader": reader, "root": str(folder), "dataset": "new", **options}}}
    raw |= {"steps": list(steps), "datasets": {"back": {"from": last, "fields": ["points"]}}}
    return run(make_pipeline(raw, Path(folder)), folder.parent / "work", engine="serial").datasets["back"]


def judge(place, dataset):
    settings = EvaluationSettings(resamples=10)
    request = Request(dataset, dataset.parent / "out", (place / "net",), "all", baselines=False, settings=settings)
    run_evaluation(request)


def exported(place, tmp_path, form):
    export_dataset(place / "points", tmp_path / "export", [form], splits=["train"])
    return tmp_path / "export"


@pytest.mark.slow
@pytest.mark.parametrize("form", ["modelnet", "face-h5"])
def test_an_export_read_back_is_known_by_its_recordings(place, tmp_path, form):
    """Drawn anew from the export no byte is the same; what recording it was is written in the files."""
    fewer = [{"id": "fewer", "stage": "subsample", "from": "back", "with": {"n_points": 48, "method": "random"}}]
    back = read_back(exported(place, tmp_path, form), "hdf5", fewer)
    names = set(Dataset(place / "points").table("train")["identity"])
    assert names.isdisjoint(Dataset(back).table("all")["identity"])
    with pytest.raises(RunStopped, match=r"net: 32 samples of the same files of the split were in the training data"):
        judge(place, back)


@pytest.mark.slow
@pytest.mark.parametrize(("form", "lists"), [("ply", False), ("ply", True), ("npy", True)])
def test_clouds_read_back_are_known_by_a_comment_or_by_the_lists_beside_them(place, tmp_path, form, lists):
    folder = exported(place, tmp_path, form)
    for path in folder.glob("*.csv") if not lists else folder.rglob("*.*.npy"):
        path.unlink()
    fewer = [{"id": "fewer", "stage": "subsample", "from": "back", "with": {"n_points": 48, "method": "random"}}]
    back = read_back(folder, "cloud_folder", fewer, pattern="{identity}/{capture}." + form)
    with pytest.raises(RunStopped, match=r"net: 32 samples of the same files of the split were in the training data"):
        judge(place, back)


def test_an_export_without_that_is_known_by_its_bytes(place, tmp_path):
    """Clouds that another program saved again say nothing of where they come from; only equal points show it."""
    folder = exported(place, tmp_path, "ply")
    for path in folder.glob("*.csv"):
        path.unlink()
    for path in folder.rglob("*.ply"):
        path.write_bytes(re.sub(rb"comment face3d root [0-9a-f ]+\n", b"", path.read_bytes()))
    back = read_back(folder, "cloud_folder", up="y")
    with pytest.raises(
        RunStopped, match=r"net: 32 samples with equal content of the split were in the training data"
    ) as stop:
        judge(place, back)
    assert "people" not in str(stop.value).partition("judge on other people")[0]
