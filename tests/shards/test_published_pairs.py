"""Published lists of pairs that datasets keep: which rows they name, their folds, and what is left out."""

import numpy as np
import pandas as pd
import pytest
from write_verification_sets import NAMES, write_cfp, write_lfw

from face3d_data.errors import UserError
from face3d_data.formats.pair_lists import ListedPair
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.run import run
from face3d_data.readers.verification_sets import VerificationSets
from face3d_data.shards.audit.verify import verify_dataset
from face3d_data.shards.pair_lists import PublishedPairs, find_pairs, in_folds, pair_list_names, pair_texts
from face3d_data.shards.read import Dataset
from face3d_data.tables.pairs_file import read_pairs
from face3d_data.testing.write import write_image


def pair(same, first, second, fold=-1):
    return ListedPair("list, line 1", same, first, second, fold)


def made(*rows):
    """Return a table of (sample id, variant)."""
    ids = [sample_id for sample_id, _ in rows]
    origins = [sample_id.partition("~")[0] for sample_id in ids]
    people = [origin.rpartition("/")[0] for origin in origins]
    return pd.DataFrame(
        {"sample_id": ids, "variant": [kind for _, kind in rows], "origin_id": origins, "identity": people}
    )


def test_pairs_without_folds_are_cut_into_ten_kind_by_kind_in_the_order_of_the_list():
    pairs = [pair(same, ("a", str(i)), ("b", str(i))) for same, n in ((True, 20), (False, 30)) for i in range(n)]
    folds = np.array([each.fold for each in in_folds(pairs)])
    assert folds[:20].tolist() == np.repeat(range(10), 2).tolist()
    assert folds[20:].tolist() == np.repeat(range(10), 3).tolist()


def test_pairs_of_which_some_have_folds_are_cut_into_as_many():
    known = [pair(True, ("a", "1"), ("a", "2"), fold) for fold in (0, 1, 2)]
    strange = [pair(False, ("a", "1"), ("b", str(i))) for i in range(6)]
    assert [each.fold for each in in_folds([*known, *strange])] == [0, 1, 2, 0, 0, 1, 1, 2, 2]


def test_a_pair_names_the_plain_row_of_its_captures():
    table = made(("d/a/1~mask", "mask:n95"), ("d/a/1", "plain"), ("d/a/2", "plain"), ("d/b/1~mask", "mask:n95"))
    lists = {
        "X": PublishedPairs("d", "", [pair(True, ("a", "1"), ("a", "2"), 0), pair(False, ("a", "1"), ("b", "1"), 0)])
    }
    texts, notes = pair_texts(table, lists)
    assert texts == {"pairs/X.csv": "fold,same,id1,name1,id2,name2\n0,1,d__a__1,d__a,d__a__2,d__a\n"}
    assert notes == ["pairs X: 1 pair in 1 fold; 1 pair left out: an image is not in the dataset"]


def test_a_list_of_other_images_is_left_out_and_says_so():
    texts, notes = pair_texts(
        made(("d/a/1", "plain")), {"X": PublishedPairs("d", "", [pair(True, ("z", "1"), ("z", "2"))])}
    )
    assert texts == {}
    assert notes == ["pairs X: none of 1 pair: their images are not in the dataset"]


def built(folder, options, **source):
    raw = {
        **{
            "name": "lists",
            "seed": 1,
            "steps": [{"id": "all", "table": "split", "from": "set", "with": {"ratios": {"test": 1.0}}}],
        },
        "sources": {"set": {"reader": "verification_sets", "root": str(folder), **options, **source}},
        "datasets": {"lfw": {"from": "all", "fields": ["color"]}},
    }
    return Dataset(run(make_pipeline(raw, folder), folder / "work", engine="serial").datasets["lfw"])


@pytest.mark.slow
def test_a_dataset_keeps_the_list_of_its_reader_and_its_pairs_are_those_of_the_list(tmp_path):
    write_lfw(tmp_path)
    for number, path in enumerate(sorted(tmp_path.glob("*/*.jpg"))):
        write_image(path, np.full((16, 16, 3), 10 * number, np.uint8))
    (tmp_path / NAMES[1] / f"{NAMES[1]}_0001.jpg").unlink()
    dataset = built(tmp_path, {"pairs": str(tmp_path / "pairs.txt")}, capture_prefix="web_")
    assert pair_list_names(dataset.path) == ["LFW"]
    table = dataset.table("test")
    found = read_pairs(find_pairs(dataset.path, "LFW"), table)
    a, b, _ = NAMES
    expected = {(a, "0001", "0002", True), (b, "0002", "0003", True)}
    origins = table["origin_id"]
    assert {
        (one.split("/")[1], one[-4:], two[-4:], bool(same))
        for one, two, same in zip(origins[found.first], origins[found.second], found.same, strict=True)
    } == expected, "two pairs name the image that is gone"
    assert found.fold.tolist() == [0, 1]
    assert verify_dataset(dataset.path).ok
    with pytest.raises(UserError, match=r"CFP_FP: is no file of pairs, and no list of dataset .*there: LFW"):
        find_pairs(dataset.path, "CFP_FP")


def test_cfp_has_two_lists_and_no_option_none(tmp_path):
    write_cfp(tmp_path)
    reader = VerificationSets(root=tmp_path, layout="cfp", pairs=tmp_path / "Protocol")
    assert {name: len(pairs) for name, pairs in reader.pair_lists().items()} == {"CFP_FF": 4, "CFP_FP": 4}
    assert VerificationSets(root=tmp_path, layout="cfp").pair_lists() == {}
