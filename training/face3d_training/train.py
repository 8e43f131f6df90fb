"""Training, from top to bottom: the parts, an epoch, and what is kept.

    face3d train DATASET --config points_pointnet
    torchrun --nproc-per-node 2 -m face3d_data train DATASET --config points_pointnet     # two processes or GPUs
    face3d train DATASET --config points_pointnet --resume                                # go on where it stopped

Every draw is keyed: weights by the seed, batches by (seed, epoch), variations by (seed, epoch, copy, sample), dropout
by (seed, step). A run that was stopped and resumed computes the same bits as one that was not, for any number of loader
processes, on one kind of CPU.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from lightning_fabric import Fabric

from face3d_data.digest import seed_from
from face3d_data.errors import RunStopped, UserError, is_full_disk
from face3d_data.plurals import counted
from face3d_data.shards.check import checked_dataset
from face3d_data.shards.read import Dataset
from face3d_training.building import build_learning, check_options
from face3d_training.checkpoint import (
    BEST_CHECKPOINT,
    CHECKPOINT_FOLDER,
    LAST_CHECKPOINT,
    SAFETENSORS,
    export_safetensors,
    read_checkpoint,
    save_checkpoint,
    without_weights,
)
from face3d_training.config import TrainConfig
from face3d_training.devices import make_fabric, on_first
from face3d_training.gradcache import backward
from face3d_training.health import diverged
from face3d_training.interrupt import graceful
from face3d_training.leaks import refuse_leaking
from face3d_training.loader import batches_for
from face3d_training.progress_lines import epoch_line, step_line
from face3d_training.run_folder import describe_run, find_run, remove_run
from face3d_training.run_state import Run, RunProgress, all_separated, restore, state_of, why_over, why_stopped_early
from face3d_training.tracking import Tracker, write_history
from face3d_training.validation import Validation
from face3d_training.validation_sets import checked_sets, open_sets, shared_lines

PROGRESS_EVERY_S = 10.0
COMES_APART = 1.1
"""Growth of the embeddings' rms distance from one epoch to the next that makes a slow start, not a collapse."""


def train(
    dataset_path: str | Path,
    config: TrainConfig,
    folder: str | Path,
    resume: bool = False,
    restart: bool = False,
    say: Callable[[str], None] = print,
    stop_asked: Callable[[], bool] | None = None,
    check: bool = True,
) -> Path:
    """Train a network.

    Args:
        dataset_path: a dataset's folder.
        config: of the run.
        folder: the run's folder, made here.
        resume: continue the run in the folder.
        restart: remove the run in the folder, and start a new one.
        say: called with each line of progress.
        stop_asked: called after every step: whether to stop; Ctrl-C and SIGTERM if not given.
        check: compare the files of the dataset, and of validation sets, with their hashes first.

    Returns:
        The best checkpoint, by `stop.metric`.

    Raises:
        UserError: dataset, config and folder do not fit each other, or a file is damaged.
        RunStopped: the dataset's splits leak and that is not allowed, embeddings collapsed, or the loss or an embedding
            is not finite.
        KeyboardInterrupt: it was stopped; the current step is finished and saved.
    """
    dataset_path = Path(dataset_path)
    folder = Path(folder)
    try:
        return _train(*_open(dataset_path, config, folder, resume, restart, say, check), stop_asked)
    except (OSError, RuntimeError) as error:
        if not is_full_disk(error):
            raise
        there = (folder / CHECKPOINT_FOLDER / LAST_CHECKPOINT).is_file()
        how = "continue with --resume; the last checkpoint is complete" if there else "start again with --restart"
        raise RunStopped(f"{folder}: there is no disk space left: free some space, and {how}") from None


def _train(run: Run, resumed: bool, stop_asked: Callable[[], bool] | None) -> Path:
    """Train to the end of a run, and return its best checkpoint."""
    folder = run.folder
    over = why_over(run) if resumed else ""
    if over:
        on_first(run.fabric, lambda: _complete(run))
        run.say(f"{folder}: {over}: nothing is left to do")
        return folder / CHECKPOINT_FOLDER / BEST_CHECKPOINT
    if resumed:
        run.say(f"continues in epoch {run.progress.epoch + 1}, after {run.progress.step} steps")
    try:
        if stop_asked is not None:
            _run_epochs(run, stop_asked)
        else:
            with graceful(run.say) as asked:
                _run_epochs(run, asked)
    except UserError:
        if run.fabric.is_global_zero and not (folder / CHECKPOINT_FOLDER / LAST_CHECKPOINT).is_file():
            remove_run(folder)  # there is nothing to go on with, and the next try does not find a run there
        raise
    return folder / CHECKPOINT_FOLDER / BEST_CHECKPOINT


def _open(
    dataset_path: Path,
    config: TrainConfig,
    folder: Path,
    resume: bool,
    restart: bool,
    say: Callable[[str], None],
    check: bool,
) -> tuple[Run, bool]:
    """Return a run that is ready to learn, described in its folder, and whether it continues an earlier one."""
    check_options(config)  # before the folder is looked at: what was mistyped is said first
    place = make_fabric(config.device, config.precision)
    fabric = place.fabric
    tell = say if fabric.is_global_zero else _silent
    dataset = Dataset(dataset_path)
    on_first(fabric, lambda: checked_dataset(dataset_path, check) and None)
    leaks = on_first(fabric, lambda: refuse_leaking(dataset, config.allow_leaks))
    found = on_first(fabric, lambda: checked_sets(config, dataset.path.parent, check))
    state = on_first(fabric, lambda: find_run(folder, config, dataset, resume, restart))
    # A run that goes on has its weights in the checkpoint: files that it began with may be gone.
    learning = build_learning(dataset, without_weights(config) if state is not None else config, fabric, folder)
    learning.seen.add_leaks(leaks)
    sets = open_sets(found, config, dataset, learning.rows, learning.spec.inputs)
    for line in shared_lines(sets, learning.seen, dataset):
        tell(f"LEAK, {line}")
    people = learning.rows.identities
    validation = Validation(dataset, config, learning.spec, tell, sets, learning.losses, people)
    before = learning.epochs_before
    progress = RunProgress(epoch=before, step=before * len(learning.sampler))
    run = Run(config, folder, dataset, fabric, place.scaler, learning, validation, progress, tell)
    if state is not None:
        restore(run, state)
    on_first(fabric, lambda: describe_run(folder, config, dataset, resume, learning.seen.leaks))
    _introduce(run)
    return run, state is not None


def _introduce(run: Run) -> None:
    """Report the training data, the network and the notes on them."""
    learning = run.learning
    for line in learning.seen.leaks:
        run.say(f"LEAK, allowed: {line}")
    for line in learning.rows.notes:
        run.say(f"note: {line}")
    run.say(learning.summary(run.fabric))
    for line in learning.notes:
        run.say(f"note: {line}")
    alone = getattr(learning.sampler, "single_capture", 0)
    if alone:
        run.say(
            f"{counted(alone, 'person has', 'people have')} one capture only: their genuine pairs are of a "
            "recording with itself"
        )


def _run_epochs(run: Run, stop_asked: Callable[[], bool]) -> None:
    progress, config = run.progress, run.config
    tracker = Tracker(run.folder, progress.step, run.validation.panels) if run.fabric.is_global_zero else None
    started, first = time.monotonic(), progress.epoch + progress.batch / len(run.learning.sampler)
    try:
        while progress.epoch < config.epochs:
            seconds, seen = _learn_epoch(run, stop_asked, tracker)
            figures = _judge_epoch(run)
            figures |= {"samples_per_s": seen / max(seconds, 1e-9)}
            progress.history.append(figures)
            done = progress.epoch + 1
            learnt = done - first  # 0 where only the figures of a stopped run's epoch were still to be made
            left_s = (time.monotonic() - started) / learnt * (config.epochs - done) if learnt else math.nan
            run.say(epoch_line(figures, config.epochs, left_s, run.validation.headlines))
            improved = _note_best(run, figures)
            progress.epoch, progress.batch, progress.sums, progress.skipped = done, 0, {}, 0
            if tracker is not None:
                tracker.epoch(progress.history)
            on_first(run.fabric, partial(_keep, run, improved))
            _check_collapse(run, figures)
            over = why_stopped_early(run)
            if over and progress.epoch < config.epochs:
                run.say(f"{over}: stopping early")
                break
    finally:
        if tracker is not None:
            tracker.close()


def _learn_epoch(run: Run, stop_asked: Callable[[], bool], tracker: Tracker | None) -> tuple[float, int]:
    """Make the steps of an epoch that are still to be made; return the seconds they took, and the samples seen."""
    progress, learning = run.progress, run.learning
    learning.sampler.set_epoch(progress.epoch, progress.batch)
    learning.net.train()
    learning.losses.train()
    started = shown = time.monotonic()
    first, seen = progress.batch, 0
    for batch in batches_for(run.fabric.device, learning.loader):
        batch |= {name: torch.from_numpy(value) for name, value in learning.sampler.extras(progress.batch).items()}
        # From page-locked memory the copy to a GPU runs beside what it computes; elsewhere it is done at once.
        loss = _step(run, {name: value.to(run.fabric.device, non_blocking=True) for name, value in batch.items()})
        seen += len(batch["label"]) * run.fabric.world_size
        progress.batch += 1
        progress.step += 1
        if tracker is not None and loss is not None:
            tracker.step(progress.step, loss, learning.schedule.learning_rate)
        if time.monotonic() - shown > PROGRESS_EVERY_S:
            shown = time.monotonic()
            run.say(step_line(run, shown - started, seen, progress.batch - first))
        if _all_agree(run.fabric, stop_asked()):
            on_first(
                run.fabric, lambda: save_checkpoint(run.folder / CHECKPOINT_FOLDER / LAST_CHECKPOINT, state_of(run))
            )
            run.say(f"saved step {progress.step}: --resume continues from it")
            raise KeyboardInterrupt
    return time.monotonic() - started, seen


def _step(run: Run, batch: dict[str, torch.Tensor]) -> float | None:
    """Make one step of the optimizer; return its loss, None where there was nothing to learn from."""
    learning, progress, clip = run.learning, run.progress, run.config.optimizer.clip_norm
    torch.manual_seed(seed_from("step", run.config.seed, progress.step, run.fabric.global_rank) % 2**63)
    if learning.teacher is not None:
        batch["teacher_embedding"] = learning.teacher.embeddings(batch)
    value = backward(learning.net, learning.watched, batch, run.config.batch.accumulate, run.fabric)
    progress.add(value.stats)
    loss = value.number
    if loss is None:
        progress.skipped += 1
    else:
        if not math.isfinite(loss):
            raise diverged(run.folder, f"the loss is {loss} at step {progress.step}")
        progress.add({"loss": loss})
        if clip is not None:
            run.fabric.clip_gradients(learning.net, learning.optimizer, max_norm=clip, error_if_nonfinite=False)
        learning.optimizer.step()
        learning.schedule.step()
    learning.optimizer.zero_grad(set_to_none=True)
    return loss


def _judge_epoch(run: Run) -> dict[str, float]:
    """Return the figures of an epoch: means over its steps, and those of the evaluation split and validation sets."""
    progress, epoch = run.progress, run.progress.epoch + 1
    figures = {"epoch": epoch, "step": progress.step, **progress.means(), "skipped": progress.skipped}
    figures["learning_rate"] = run.learning.schedule.learning_rate
    last = epoch == run.config.epochs or all_separated(figures)
    net, device = run.learning.raw, run.fabric.device
    figures |= on_first(run.fabric, lambda: run.validation.figures(net, device, run.folder, epoch, last))
    figures = run.fabric.broadcast(figures)
    figure = run.validation.judge(figures)
    if figure is not None:
        run.learning.schedule.evaluated(figure)
    return figures


def _note_best(run: Run, figures: dict[str, float]) -> bool:
    figure = run.validation.judge(figures)
    if figure is None:
        return False
    progress = run.progress
    improved = figure > progress.best
    progress.since_best = 0 if improved else progress.since_best + 1
    if improved:
        progress.best, progress.threshold = figure, figures.get("threshold", math.nan)
    return improved


def _check_collapse(run: Run, figures: dict[str, float]) -> None:
    spread, least = figures.get("spread", math.inf), run.config.stop.collapse_spread
    # A network without batch normalisation may begin like that; it comes apart then, and a collapse does not.
    before = run.progress.history[-2].get("spread", math.inf) if len(run.progress.history) > 1 else -math.inf
    if spread < least and spread <= COMES_APART * before:
        raise RunStopped(
            f"{run.folder}: embeddings have collapsed: their rms distance to their mean was {spread:.2g} in epoch "
            f"{figures['epoch']} (stop.collapse_spread {least:g}): try --loss.triplet.mining semihard, a smaller "
            "--optimizer.learning-rate, or more --batch.identities"
        )
    if figures["skipped"] and "loss" not in figures and not all_separated(figures):
        raise RunStopped(
            f"{run.folder}: no step of epoch {figures['epoch']} had a triplet of the kind that --loss.triplet.mining "
            f"{run.config.loss.get('triplet', {}).get('mining', 'semihard')} learns from: use --loss.triplet.mining "
            "all, or more --batch.identities and --batch.samples"
        )


def _keep(run: Run, improved: bool) -> None:
    """Write the checkpoints of a finished epoch."""
    state, every = state_of(run), run.config.checkpoint_every
    folder = run.folder / CHECKPOINT_FOLDER
    if improved or not (folder / BEST_CHECKPOINT).is_file():
        save_checkpoint(folder / BEST_CHECKPOINT, state)
        export_safetensors(folder / SAFETENSORS, state)
    if every and run.progress.epoch % every == 0:
        save_checkpoint(folder / f"epoch_{run.progress.epoch:04d}.pt", state)
    save_checkpoint(folder / LAST_CHECKPOINT, state)


def _complete(run: Run) -> None:
    """Write what a kill may have left unwritten of a run whose last epoch is in its checkpoint."""
    folder = run.folder / CHECKPOINT_FOLDER
    if not (folder / BEST_CHECKPOINT).is_file():
        save_checkpoint(folder / BEST_CHECKPOINT, state_of(run))
    export_safetensors(folder / SAFETENSORS, read_checkpoint(folder / BEST_CHECKPOINT))
    write_history(run.folder, run.progress.history, run.validation.panels)


def _all_agree(fabric: Fabric, asked: bool) -> bool:
    """Return whether any process was asked to stop; all of them stop after the same step."""
    if fabric.world_size == 1:
        return asked
    return bool(fabric.all_reduce(torch.tensor(float(asked), device=fabric.device), reduce_op="sum"))


def _silent(line: str) -> None:
    """Say nothing: only the first process speaks."""
