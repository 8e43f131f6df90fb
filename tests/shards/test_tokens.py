"""Rows that may share tokens: every one that does is among them; leaks and copies are the naive twins'."""

import random

import numpy as np
import pandas as pd
import pytest

from face3d_data.roots import split_root
from face3d_data.shards.leaks import Leak, find_leaks, leak_of, suspected_copies
from face3d_data.shards.rows import copies
from face3d_data.shards.tokens import AT_ONCE, tokens_of, whole_texts
from face3d_data.store.frames import manifest_of_frame
from face3d_data.table import FIXED_COLUMNS
from face3d_data.tables.split import own_identity, person_of


def random_table(seed, n=60):
    """Rows that share people, captures, keys, roots and contents now and then."""
    draw = random.Random(seed)
    hexes = [f"{draw.getrandbits(64):016x}" for _ in range(n)]
    records = []
    for i in range(n):
        person = f"d/p{draw.randrange(12)}"
        own = person if draw.random() < 0.8 else f"d/p{draw.randrange(12)}"
        origin = f"{own}/c{draw.randrange(40)}"
        root = " ".join(sorted(draw.sample(hexes, draw.choice([0, 1, 1, 2]))))
        records.append(
            {
                "key": draw.choice(hexes) * 2,
                "root": draw.choice([root, root, root, "no root"]),
                "id": f"{origin}~v~{i}",
                "identity": person + draw.choice(["", "~mirror"]),
                "dataset": "d",
                "variant": "plain",
                "origin_id": origin,
                "split": draw.choice(["train", "test"]),
                "source": "s",
                "path": "",
                "n_points": None,
                "place": None,
                "content": draw.choice(["", f"points:{draw.choice(hexes)}", f"depth:{hexes[0]} points:{hexes[1]}"]),
            }
        )
    return pd.DataFrame(records)


def test_tokens_of_long_columns_are_of_their_rows():
    texts = ["a b", "", "a", *(f"x{i}" for i in range(2 * AT_ONCE)), "b"]
    column = np.array(texts, object)
    for one in (column, np.array([text.encode() for text in texts])):
        tokens = tokens_of(one)
        assert tokens.rows.tolist() == [0, 0, 2, *range(3, len(texts))]
        assert tokens.hashes[0] == tokens.hashes[2]
        assert tokens.hashes[1] == tokens.hashes[-1]
        assert len(set(tokens.hashes.tolist())) == 2 * AT_ONCE + 2
        assert np.flatnonzero(tokens.rows_sharing(np.arange(len(texts)), len(texts))).tolist() == [0, 2, len(texts) - 1]
    assert whole_texts(column).rows.tolist() == list(range(len(texts)))


def test_only_rows_that_differ_share():
    tokens = tokens_of(np.array(["a", "a b", "b", "c"], object))
    assert tokens.rows_sharing(np.array([0, 0, 1, 1]), 4).tolist() == [False, True, True, False]
    in_groups = tokens.of_groups(np.array([0, 0, 1, 1]))
    assert not in_groups.rows_sharing(np.array([0, 0, 1, 1]), 4).any()
    assert in_groups.rows_sharing(np.arange(4), 4).tolist() == [True, True, False, False]


def naive_leaks(table, closed_set, same_person):
    ids, splits = table["id"].tolist(), table["split"].tolist()
    called = [person_of(identity) for identity in table["identity"]]
    people = [same_person.get(name, name) for name in called]
    found = [Leak("identity", ())] if closed_set else [leak_of("identity", people, splits, ids, called)]
    found.append(leak_of("origin", table["origin_id"].tolist(), splits, ids))
    for kind in ("root", "key", "content"):
        rows = list(zip(table[kind], splits, ids, strict=True))
        held = [(value, *row) for text, *row in rows for value in text.split()]
        found.append(leak_of(kind, *([row[i] for row in held] for i in range(3))))
    return [leak for leak in found if leak.things]


def naive_suspects(table, names):
    """Pairs of samples and what they share, from every row of one split before each."""
    first, found = {}, {}
    columns = ("id", "split", "identity", "origin_id", "content", "root")
    for sample, split, identity, origin, content, root in table[list(columns)].itertuples(index=False):
        person = person_of(identity)
        for shared, text in (("equal bytes", content), ("the same files", root)):
            for value in text.split():
                other, whom, begun = first.setdefault((value, split), (sample, person, origin))
                if begun != origin:
                    same = names.get(whom, whom) == names.get(person, person)
                    found.setdefault((other, sample), ("two_captures" if same else "two_people", shared))
    return found


def naive_copies(table):
    rows = list(table.itertuples())
    first, found = {}, []
    for row in sorted(rows, key=lambda row: (own_identity(row.id) != person_of(row.identity), row.id)):
        tokens = [(token, row.split, row.identity) for token in (row.key, *split_root(row.root))]
        same = next((first[one] for one in tokens if one in first and first[one].origin_id != row.origin_id), None)
        if same is not None:
            found.append((row.Index, "same_content", f"is {same.id} once more: one recording was read twice"))
            continue
        for token in tokens:
            first.setdefault(token, row)
    return sorted(found)


@pytest.mark.parametrize("seed", range(12))
def test_leaks_and_copies_are_those_of_all_rows(seed):
    table = random_table(seed).rename(columns={"sample_id": "id"})
    names = {"d/p1": "d/p0", "d/p3": "d/p2"}
    listed = table.assign(sample_id=table["id"])
    for closed_set in (False, True):
        assert find_leaks(listed, closed_set, names) == naive_leaks(table, closed_set, names)
    suspects = {one.samples: (one.kind, one.how.split(" under")[0].split(" in two")[0]) for one in
                suspected_copies(listed, names)}  # fmt: skip
    assert suspects == naive_suspects(table, names)
    assert len(naive_suspects(table, names)) > 3
    rows = manifest_of_frame(table[list(FIXED_COLUMNS)])
    kept = np.arange(len(table))
    assert copies(rows, kept) == naive_copies(table)
    some = kept[::2]
    assert copies(rows, some) == naive_copies(table.iloc[some])
