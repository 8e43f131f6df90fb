"""Files of back-ends: what is read is what was written, and damage is noticed."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

sys.path.insert(0, str(Path(__file__).parent))
from made_people import draw

from face3d_data.errors import UserError
from face3d_training.back_ends.back_end import BACK_ENDS
from face3d_training.back_ends.back_end_file import back_end_digest, read_back_end, save_back_end
from face3d_training.back_ends.learn import learn_back_end


@pytest.mark.parametrize("kind", BACK_ENDS)
def test_what_is_read_is_what_was_written(kind, tmp_path):
    learnt = learn_back_end(kind, *draw(30, 4), info={"dataset": "made-up", "split": "train"})
    digest = save_back_end(tmp_path / "a.safetensors", learnt)
    read = read_back_end(tmp_path / "a.safetensors")
    faces, _ = draw(5, 2, seed=3)
    assert np.array_equal(read.score(faces, faces), learnt.score(faces, faces))
    assert (read.kind, read.top, read.info) == (kind, learnt.top, learnt.info)
    assert back_end_digest(read) == back_end_digest(learnt) == digest
    save_back_end(tmp_path / "b.safetensors", read)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.parametrize("kind", BACK_ENDS)
def test_a_file_for_256_numbers_is_at_most_a_megabyte(kind, tmp_path):
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(700), 2)
    vectors = rng.normal(size=(700, 256))[people] + rng.normal(size=(1400, 256)) / 2
    save_back_end(tmp_path / "a.safetensors", learn_back_end(kind, vectors, people))
    assert (tmp_path / "a.safetensors").stat().st_size <= 1_000_000


def test_other_and_damaged_files_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    save_back_end(path, learn_back_end("plda+asnorm", *draw(30, 4)))
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    (tmp_path / "damaged.safetensors").write_bytes(content)
    safetensors.torch.save_file({"weight": torch.zeros(3)}, tmp_path / "weights.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors")
    for name, message in (
        ("damaged", "is damaged"),
        ("weights", "is not a back-end"),
        ("text", "cannot be read"),
        ("absent", "does not exist"),
    ):
        with pytest.raises(UserError, match=message) as refused:
            read_back_end(tmp_path / f"{name}.safetensors")
        assert "\n" not in str(refused.value)
        assert name in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("lda", {"directions": np.ones((3, 2), np.float32)}, r"directions have the shape \(3, 2\), not \(6, 2\)"),
        ("lda", {"directions": np.zeros((6, 2), np.float32)}, "directions are not finite, or all 0"),
        ("lda", {"directions": None}, "directions have the shape None"),
        ("lda", {"mean": np.full(6, np.nan, np.float32)}, "mean are not finite"),
        ("plda", {"between": None}, "between have the shape None"),
        ("lda+asnorm", {"top": 50}, "the highest 50 of 30 scores"),
        ("lda+asnorm", {"top": 0}, "the highest 0 of 30 scores"),
        ("asnorm", {"cohort": np.ones((5, 9), np.float32)}, r"cohort have the shape \(5, 9\), not \(5, 6\)"),
        ("lda", {"kind": "asnorm"}, "directions have the shape"),
    ],
)
def test_arrays_that_do_not_go_together_are_refused(kind, changes, message, tmp_path):
    learnt = learn_back_end(kind, *draw(30, 4))
    path = tmp_path / "a.safetensors"
    save_back_end(path, replace(learnt, **changes))
    with pytest.raises(UserError, match=rf"a\.safetensors: is no usable back-end .*{message}.*: learn it again"):
        read_back_end(path)
