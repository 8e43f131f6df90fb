"""How a training ends: told apart is a success, a finished run that is resumed is done and completed."""

import pytest
from tiny_sets import points_set

from face3d_data.errors import RunStopped
from face3d_training.checkpoint import BEST_CHECKPOINT, CHECKPOINT_FOLDER, LAST_CHECKPOINT, SAFETENSORS, load_model
from face3d_training.config import load_config
from face3d_training.run_state import all_separated
from face3d_training.train import train

KEYS = [
    *(("model.widths", [8, 16]), ("model.embedding_size", 8), ("data.n_points", 32), ("threads", 1)),
    *(("batch.identities", 4), ("batch.samples", 4), ("device", "cpu"), ("stop.collapse_spread", 0)),
]
EASY = [("loss.triplet.margin", 1e-6), ("loss.triplet.mining", "hard"), ("optimizer.learning_rate", 0.01)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return points_set(tmp_path_factory.mktemp("set"), masked=False)


def never():
    return False


def go(dataset, folder, *keys, resume=False):
    said = []
    best = train(dataset, load_config(None, [*KEYS, *keys]), folder, resume, say=said.append, stop_asked=never)
    assert best.is_file()
    return said


@pytest.fixture(scope="module")
def easy(dataset, tmp_path_factory):
    """Return a run that told everybody apart long before its last epoch, and what it said."""
    folder = tmp_path_factory.mktemp("easy") / "run"
    return folder, go(dataset, folder, *EASY, ("epochs", 400), ("stop.every", 1000))


TOLD_APART = "every triplet of the training split satisfies the margin"


@pytest.mark.slow
def test_a_training_that_tells_everybody_apart_ends_early_and_well(easy):
    folder, said = easy
    assert said[-1] == f"{TOLD_APART}: stopping early"
    assert len([line for line in said if line.startswith("epoch ")]) < 400
    assert "auc" in said[-2], "the last epoch is judged, whenever that would have been its turn"
    assert load_model(folder).spec.name == "pointnet_basic"


@pytest.mark.slow
def test_resumed_it_is_done(dataset, easy):
    folder, _ = easy
    before = (folder / CHECKPOINT_FOLDER / LAST_CHECKPOINT).read_bytes()
    said = go(dataset, folder, *EASY, ("epochs", 400), ("stop.every", 1000), resume=True)
    assert said[-1] == f"{folder}: {TOLD_APART}: nothing is left to do"
    assert (folder / CHECKPOINT_FOLDER / LAST_CHECKPOINT).read_bytes() == before


@pytest.mark.slow
def test_without_the_kind_of_triplets_that_is_asked_for_training_stops_with_the_remedy(dataset, tmp_path):
    """One sample of each person has no partner: that is no success."""
    with pytest.raises(RunStopped, match=r"no step of epoch 1 had a triplet of the kind .* hard learns from: use"):
        go(dataset, tmp_path / "run", *EASY, ("batch.samples", 1), ("epochs", 2))


@pytest.mark.parametrize(
    ("figures", "apart"),
    [
        ({"skipped": 2, "triplet.separated": 1.0}, True),
        ({"skipped": 2, "triplet.separated": 0.99}, False),
        ({"skipped": 2}, False),
        ({"skipped": 0, "triplet.separated": 1.0}, False),
        ({"skipped": 1, "triplet.separated": 1.0, "loss": 0.1}, False),
    ],
)
def test_separated_is_no_loss_in_any_step_and_everybody_nearest_to_themselves(figures, apart):
    assert all_separated(figures) == apart


@pytest.mark.slow
def test_an_ended_run_that_is_resumed_is_done_and_completed(dataset, tmp_path):
    folder = tmp_path / "run"
    go(dataset, folder, ("epochs", 2))
    lost = [
        folder / CHECKPOINT_FOLDER / BEST_CHECKPOINT,
        folder / CHECKPOINT_FOLDER / SAFETENSORS,
        folder / "metrics.csv",
        folder / "curves.png",
    ]
    want = lost[2].read_text()
    for path in lost:
        path.unlink()
    said = go(dataset, folder, ("epochs", 2), resume=True)
    assert said[-1] == f"{folder}: its 2 epochs are done (more: --epochs): nothing is left to do"
    assert all(path.stat().st_size for path in lost)
    assert lost[2].read_text() == want
    assert load_model(lost[1]).info["dataset_name"] == "points"


@pytest.mark.slow
def test_more_epochs_go_on_with_an_ended_run(dataset, tmp_path):
    folder = tmp_path / "run"
    go(dataset, folder, ("epochs", 1))
    said = go(dataset, folder, ("epochs", 2), resume=True)
    assert any(line.startswith("continues in epoch 2, after ") for line in said)
    assert any(line.startswith("epoch 2/2: ") for line in said)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["write_atomic", "draw_curves"])
def test_a_full_disk_stops_training_in_one_line_and_resume_goes_on(dataset, tmp_path, monkeypatch, place):
    folder = tmp_path / "run"
    go(dataset, folder, ("epochs", 1))

    def full(*arguments):
        raise OSError(28, "No space left on device", "metrics.csv")

    with monkeypatch.context() as patch:
        patch.setattr(f"face3d_training.tracking.{place}", full)
        with pytest.raises(
            RunStopped, match=r"run: there is no disk space left: free some space, and continue with --resume"
        ):
            go(dataset, folder, ("epochs", 2), resume=True)
    said = go(dataset, folder, ("epochs", 2), resume=True)
    assert any(line.startswith("epoch 2/2: ") for line in said) or "nothing is left to do" in said[-1]
