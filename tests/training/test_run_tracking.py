"""What a run leaves behind while it goes on, and what of it a resumed run takes back."""

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from face3d_training.tracking import Tracker, history_csv


def logged(folder, done, steps):
    tracker = Tracker(folder, done)
    for step in steps:
        tracker.step(step, loss=float(done), learning_rate=0.1)
    tracker.epoch([{"epoch": 1, "step": steps[-1], "auc": 0.5}])
    tracker.close()


@pytest.mark.slow
def test_what_was_logged_up_to_the_checkpoint_stays_and_what_came_after_it_goes(tmp_path):
    logged(tmp_path, 0, [1, 2, 3, 4])
    logged(tmp_path, 4, [5, 6, 7, 8])
    logged(tmp_path, 6, [7, 8])
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in board.Scalars("step/loss")] == [
        *((step, 0) for step in (1, 2, 3, 4)),
        *((step, 4) for step in (5, 6)),
        *((step, 6) for step in (7, 8)),
    ]
    assert [event.step for event in board.Scalars("epoch/auc")] == [4, 8]


@pytest.mark.slow
def test_no_two_runs_have_event_files_of_one_second(tmp_path):
    for done in (0, 4):
        Tracker(tmp_path, done).close()
    seconds = [path.name.split(".")[3] for path in (tmp_path / "tensorboard").iterdir()]
    assert len(set(seconds)) == 2


def test_a_figure_that_an_epoch_has_not_is_empty():
    text = history_csv([{"epoch": 1, "loss": 0.123456789}, {"epoch": 2, "loss": 0.5, "auc": 1.0}])
    assert text == "epoch,loss,auc\n1,0.123457,\n2,0.5,1\n"
