"""Triplets drawn before an epoch: what they are of, the file that other trainers read, and the batches they make."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.errors import UserError
from face3d_data.tables.triplet_draws import TripletDraws
from face3d_data.tables.triplet_file import save_triplets, triplet_file_name
from face3d_training.config import load_config
from face3d_training.triplet_file import load_triplets
from face3d_training.triplets import FOLDER, TripletSampler, make_triplet_sampler


def made_table(captures_of, samples=2):
    """Person i has that many captures with so many samples each, in an order without meaning."""
    rows = [
        {
            "id": f"d__p{p}__c{c}~v{s}",
            "sample_id": f"d/p{p}/c{c}~v{s}",
            "identity": f"d/p{p}",
            "name": f"d__p{p}",
            "class": 5 * p + 1,
            "label": p,
            "origin_id": f"d/p{p}/c{c}",
        }
        for p, captures in enumerate(captures_of)
        for c in range(captures)
        for s in range(samples)
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=1).reset_index(drop=True)


def draws_of(table, identities=3, size=8, seed=0):
    return TripletDraws(table["label"].to_numpy(), table["origin_id"].tolist(), identities, size, seed)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=3, max_size=9), st.integers(1, 2), st.integers(0, 9), st.integers(0, 3))
def test_triplets_are_of_the_people_of_their_batch_and_of_two_captures(captures_of, samples, seed, epoch):
    table = made_table(captures_of, samples)
    if table.groupby("label").size().max() == 1:
        with pytest.raises(UserError, match="no one has two samples"):
            draws_of(table)
        return
    triplets = draws_of(table, seed=seed).of_epoch(epoch, 30)
    assert triplets.shape == (30, 3)
    labels, origins = table["label"].to_numpy()[triplets], table["origin_id"].to_numpy()[triplets]
    assert (labels[:, 0] == labels[:, 1]).all()
    assert (labels[:, 0] != labels[:, 2]).all()
    assert (triplets[:, 0] != triplets[:, 1]).all()
    several = np.array(captures_of)[labels[:, 0]] > 1
    assert (origins[several, 0] != origins[several, 1]).all()
    for start in range(0, 30, 8):
        assert len(np.unique(labels[start : start + 8])) <= 3


def test_all_samples_of_all_people_have_their_turn_evenly():
    table = made_table([3, 1, 2, 4, 2])
    triplets = draws_of(table, identities=5, size=100).of_epoch(0, 30_000)
    people = np.bincount(table["label"].to_numpy()[triplets[:, 0]])
    np.testing.assert_allclose(people / 30_000, 1 / 5, atol=0.01)
    anchors = np.bincount(triplets[:, 0], minlength=len(table)) / people[table["label"]]
    np.testing.assert_allclose(anchors, 1 / table.groupby("label")["id"].transform("size"), atol=0.02)
    # The positives of one anchor are its person's samples of other captures, all alike.
    anchor = table.index[table["id"] == "d__p0__c0~v0"][0]
    positives = triplets[triplets[:, 0] == anchor, 1]
    others = table.index[(table["label"] == 0) & (table["origin_id"] != "d/p0/c0")]
    shares = np.bincount(positives, minlength=len(table))[others] / len(positives)
    assert shares.sum() == pytest.approx(1)
    np.testing.assert_allclose(shares, 1 / 4, atol=0.05)
    strangers = table["label"].to_numpy()[triplets[triplets[:, 0] == anchor, 2]]
    np.testing.assert_allclose(np.bincount(strangers)[1:] / len(strangers), 1 / 4, atol=0.05)


def test_epochs_and_seeds_draw_others_and_the_same_draw_the_same():
    table = made_table([3] * 6)
    first = draws_of(table).of_epoch(0, 50)
    assert np.array_equal(first, draws_of(table).of_epoch(0, 50))
    assert not np.array_equal(first, draws_of(table).of_epoch(1, 50))
    assert not np.array_equal(first, draws_of(table, seed=1).of_epoch(0, 50))


def test_people_with_one_sample_are_negatives_only():
    table = made_table([1, 1, 1, 1, 1, 1, 2], samples=1)
    triplets = draws_of(table, identities=2, size=4).of_epoch(0, 200)
    labels = table["label"].to_numpy()[triplets]
    assert (labels[:, :2] == 6).all()
    assert set(labels[:, 2]) == set(range(6))


def test_the_file_holds_seven_texts_as_other_trainers_read_them(tmp_path):
    table = made_table([2, 2, 2])
    triplets = draws_of(table).of_epoch(0, 20)
    path = tmp_path / triplet_file_name(4, 20, 3, 8)
    assert path.name == "epoch_4_training_triplets_20_identities_3_batch_8.npy"
    save_triplets(path, triplets, table)
    found = np.load(path)
    assert found.shape == (20, 7)
    for row, (anchor, positive, negative) in zip(found, triplets, strict=True):
        expected = [table["id"][anchor], table["id"][positive], table["id"][negative]]
        expected += [str(table["class"][positive]), str(table["class"][negative])]
        assert row.tolist() == [*expected, table["name"][positive], table["name"][negative]]
    assert int(found[0, 3]) == table["class"][triplets[0, 1]]
    assert np.array_equal(load_triplets(path, table, table["label"].to_numpy()), triplets)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_files_longer_than_a_chunk_are_the_same(tmp_path, monkeypatch):
    table = made_table([2, 2, 2])
    triplets = draws_of(table).of_epoch(0, 20)
    save_triplets(tmp_path / "whole.npy", triplets, table)
    for module in ("face3d_data.tables.triplet_file", "face3d_training.triplet_file"):
        monkeypatch.setattr(f"{module}.CHUNK", 7)
    save_triplets(tmp_path / "parts.npy", triplets, table)
    assert (tmp_path / "parts.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
    assert np.array_equal(load_triplets(tmp_path / "whole.npy", table, table["label"].to_numpy()), triplets)


def renamed(found):
    found[3, 1] = "who"
    return found


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (renamed, "row 3 names the sample 'who' of .*, which is not among the training samples .*1 of 20 rows"),
        (lambda found: found[:, :6], "of shape \\(20, 6\\), not texts \\(n, 7\\)"),
        (lambda found: found[:0], "of shape \\(0, 7\\)"),
        (lambda found: np.zeros((20, 7)), "holds float64"),
        (lambda found: found.astype(object), "cannot be read .*give an .npy"),
        (lambda found: found[:, [0, 2, 1, 3, 4, 5, 6]], "row 0 .* is not a valid triplet"),
        (lambda found: found[:, [0, 0, 2, 3, 4, 5, 6]], "row 0 .* is not a valid triplet"),
        (lambda found: found[:, [0, 1, 1, 3, 4, 5, 6]], "row 0 .* is not a valid triplet"),
    ],
)
def test_a_file_that_does_not_serve_is_told_with_its_row(tmp_path, change, text):
    table = made_table([9, 9, 9])
    path = tmp_path / "mine.npy"
    triplets = np.stack([table.index[table["label"] == p][:10].to_numpy().repeat(2) for p in (0, 0, 1)], 1)
    triplets[:, 1] = np.roll(triplets[:, 1], 2)
    save_triplets(path, triplets, table)
    np.save(path, change(np.load(path)))
    with pytest.raises(UserError, match=f"triplets.file {re.escape(str(path))}: .*{text}"):
        load_triplets(path, table, table["label"].to_numpy())


@pytest.mark.parametrize("content", [b"", b"no array at all", None])
def test_a_file_that_is_none_is_told(tmp_path, content):
    path = tmp_path / "mine.npy"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"mine\.npy: cannot be read"):
        load_triplets(path, made_table([2, 2]), np.zeros(8))


@pytest.mark.parametrize("world", [1, 2, 3])
def test_a_batch_holds_each_of_its_samples_once_and_where_the_triplets_find_them(world):
    table = made_table([3] * 6)
    triplets = draws_of(table).of_epoch(0, 21)
    samplers = [TripletSampler(lambda epoch: triplets, 21, 8, rank, world) for rank in range(world)]
    assert len(samplers[0]) == 3
    shares = [list(sampler) for sampler in samplers]
    filled = np.concatenate([triplets, triplets[:3]])
    copies = dict.fromkeys(range(len(table)), 0)
    for number in range(3):
        draws = [draw for share in shares for draw in share[number]]
        rows = [row for row, _, _ in draws]
        assert len(set(rows)) == len(rows)
        for sampler in samplers:
            places = sampler.extras(number)["triplet"]
            assert np.array_equal(np.array(rows)[places], filled[8 * number : 8 * number + 8])
        for row, _, copy in draws:
            assert copy == copies[row]
            copies[row] += 1


def test_batches_go_on_in_the_middle_of_an_epoch():
    table = made_table([3] * 6)
    draws = draws_of(table)
    sampler = TripletSampler(lambda epoch: draws.of_epoch(epoch, 21), 21, 8)
    sampler.set_epoch(2)
    whole, places = list(sampler), [sampler.extras(number)["triplet"] for number in range(3)]
    again = TripletSampler(lambda epoch: draws.of_epoch(epoch, 21), 21, 8)
    again.set_epoch(2, 1)
    assert list(again) == whole[1:]
    assert np.array_equal(again.extras(1)["triplet"], places[1])


def test_a_run_keeps_the_triplets_of_each_epoch_and_learns_from_a_file_of_them(tmp_path):
    table = made_table([3] * 6)
    labels = table["label"].to_numpy()
    keys = [("batch.identities", 3), ("batch.samples", 4), ("triplets.per_epoch", 30)]
    config = load_config(None, [*keys, ("triplets.offline", True)])
    sampler = make_triplet_sampler(config, table, labels, tmp_path, seed=1, rank=0, world=1)
    for epoch in range(2):
        sampler.set_epoch(epoch)
        list(sampler)
    names = [f"epoch_{epoch}_training_triplets_30_identities_3_batch_12.npy" for epoch in range(2)]
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == names
    config = load_config(None, [*keys, ("triplets.file", tmp_path / FOLDER / names[1])])
    given_file = make_triplet_sampler(config, table, labels, tmp_path / "other", seed=9, rank=0, world=1)
    assert [[row for row, _, _ in batch] for batch in given_file] == [[row for row, _, _ in batch] for batch in sampler]
    assert not (tmp_path / "other").exists()
    second = make_triplet_sampler(
        load_config(None, [*keys, ("triplets.offline", True)]),
        table,
        labels,
        tmp_path / "rank1",
        seed=1,
        rank=1,
        world=2,
    )
    list(second)
    assert not (tmp_path / "rank1").exists()


def test_a_text_in_place_of_triplets_is_told_without_numpys_advice(tmp_path):
    path = tmp_path / "triplets.npy"
    for content, said in ((b"hello", "is not an .npy file"), (b"", "is empty")):
        path.write_bytes(content)
        with pytest.raises(UserError, match=re.escape(said)) as caught:
            load_triplets(path, made_table([2, 2]), np.zeros(4))
        assert "pickle" not in str(caught.value)


CLOUDS = [("105", 3), ("105_masked", 2), ("106", 2), ("106_masked", 3), ("107", 4), ("108", 2)]
"""Folders of azhadzuraimi/3D-face-masked-recognition and how many clouds each has; ids are alike in all of them."""


def csv_of_others(folders):
    """What data/generate_csv_files.py (7a6263d; 38fc241 has the same) writes: a class for each name, sorted."""
    rows = [{"id": f"125_0_0_{i}.ply".split(".")[0], "name": name} for name, n in folders for i in range(n)]
    frame = pd.DataFrame(rows).sort_values(by=["name", "id"]).reset_index(drop=True)
    frame["class"] = pd.factorize(frame["name"])[0]
    return frame


def drawn_as_there(frame, n, rng):
    """Triplets as generate_triplets of both draws them (data/custom_dataset_v3.py, datasets/TripletLossDataset.py)."""
    of = {label: group["id"].tolist() for label, group in frame.groupby("class")}
    name_of = dict(zip(frame["class"], frame["name"], strict=True))
    rows = []
    while len(rows) < n:
        positive, negative = rng.choice(list(of), 2)
        if len(of[positive]) < 2 or positive == negative:
            continue
        one, two = rng.choice(len(of[positive]), 2, replace=False)
        other = rng.integers(len(of[negative]))
        rows.append([of[positive][one], of[positive][two], of[negative][other], positive, negative,
                     name_of[positive], name_of[negative]])  # fmt: skip
    return rows


def read_as_there(row):
    """The paths that their __getitem__ opens for a row."""
    anchor, positive, negative, _, _, pos_name, neg_name = row
    return [f"{name}/{file}.ply" for name, file in ((pos_name, anchor), (pos_name, positive), (neg_name, negative))]


def table_of_pattern(folders):
    """The training CSV of a dataset that read these folders by {identity}[_{masked:flag}]/{capture}."""
    rows = []
    for name, n in folders:
        who, _, worn = name.partition("_")
        for i in range(n):
            capture = f"masked_125_0_0_{i}" if worn else f"125_0_0_{i}"
            rows.append({"id": f"d__{who}__{capture}", "sample_id": f"d/{who}/{capture}", "name": f"d__{who}",
                         "identity": f"d/{who}", "file": f"{name}/125_0_0_{i}.ply"})  # fmt: skip
    table = pd.DataFrame(rows)
    return table.assign(label=pd.factorize(table["name"])[0])


def test_files_of_the_masked_trainer_are_read_as_its_loader_reads_them(tmp_path):
    table = table_of_pattern(CLOUDS)
    drawn = drawn_as_there(csv_of_others(CLOUDS), 200, np.random.default_rng(3))
    np.save(tmp_path / "theirs.npy", drawn)  # a list of lists, as they save it
    one_person = np.array([row[5].partition("_")[0] == row[6].partition("_")[0] for row in drawn])
    assert 0 < one_person.sum() < 60
    notes = []
    found = load_triplets(tmp_path / "theirs.npy", table, table["label"].to_numpy(), notes)
    wanted = [read_as_there(row) for row in np.load(tmp_path / "theirs.npy")[~one_person]]
    assert table["file"].to_numpy()[found].tolist() == wanted
    (note,) = notes
    assert note.endswith(f": {one_person.sum()} triplets of 200 left out, whose negative is the same person, masked")
    np.save(tmp_path / "theirs.npy", [row for row, one in zip(drawn, one_person, strict=True) if one])
    with pytest.raises(UserError, match="every triplet is of one person alone, plain and masked"):
        load_triplets(tmp_path / "theirs.npy", table, table["label"].to_numpy())


def drawn_by_others(table, seed=0, n=40):
    """Triplets as the trainers draw them from a CSV of their own: ids are stems of files, names are folders."""
    rng = np.random.default_rng(seed)
    files = [
        (name.removeprefix("d__"), row.rpartition("__")[2])
        for name, row in zip(table["name"], table["id"], strict=True)
    ]
    names = sorted({name for name, _ in files})
    of = {name: [image for who, image in files if who == name] for name in names}
    rows, places = [], []
    while len(rows) < n:
        one, other = (names[i] for i in rng.choice(len(names), 2, replace=False))
        if len(of[one]) < 2:
            continue
        anchor, positive = rng.choice(of[one], 2, replace=False).tolist()
        negative = str(rng.choice(of[other]))
        rows.append([anchor, positive, negative, names.index(one), names.index(other), one, other])
        places.append([files.index((one, anchor)), files.index((one, positive)), files.index((other, negative))])
    return np.array(rows), np.array(places)


def test_triplets_of_another_program_s_csv_are_found_by_name_and_id(tmp_path):
    table = made_table([3, 2, 4], samples=1)
    table["id"], table["sample_id"] = (table[key].str.partition("~")[0] for key in ("id", "sample_id"))
    texts, places = drawn_by_others(table)
    assert (texts.dtype.kind, texts.shape) == ("U", (40, 7))
    np.save(tmp_path / "theirs.npy", texts)
    found = load_triplets(tmp_path / "theirs.npy", table, table["label"].to_numpy())
    np.testing.assert_array_equal(found, places)
    texts[3, 2] = "nobody"
    np.save(tmp_path / "theirs.npy", texts)
    with pytest.raises(UserError, match=rf"row 3 names the sample 'nobody' of '{texts[3, 6]}', which is not among"):
        load_triplets(tmp_path / "theirs.npy", table, table["label"].to_numpy())


def test_masked_folders_of_another_program_are_one_person_s(tmp_path):
    rows = [("105", "a"), ("105", "b"), ("105", "masked_a"), ("106", "a"), ("106", "masked_a")]
    table = pd.DataFrame(
        {
            "id": [f"d__{who}__{image}" for who, image in rows],
            "sample_id": [f"d/{who}/{image}" for who, image in rows],
            "name": [f"d__{who}" for who, _ in rows],
            "identity": [f"d/{who}" for who, _ in rows],
        }
    )
    texts = np.array([["a", "b", "a", "0", "1", "105", "106"], ["b", "a", "a", "0", "3", "105", "106_masked"]])
    np.save(tmp_path / "theirs.npy", texts)
    found = load_triplets(tmp_path / "theirs.npy", table, np.array([0, 0, 0, 1, 1]))
    assert found.tolist() == [[0, 1, 3], [1, 0, 4]]
