"""Split: strata, least captures, and that nobody moves when people come and go."""

import math
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_rows import manifest

from face3d_data.component import build
from face3d_data.digest import digest
from face3d_data.errors import UserError
from face3d_data.table import TableContext
from face3d_data.tables.assign import assign, exact
from face3d_data.tables.split import Split, own_identity, person_of
from face3d_data.tables.strata import strata_of

RATIOS = {"train": 0.6, "eval": 0.1, "test": 0.3}
SOURCES = ("bosphorus", "d415", "frgc")
BEFORE = {
    0: "train train train eval train test train test test train train test",
    7: "test train train train train eval test train test test train train",
}
"""Places of d/0 … d/11 by seed, as version 1 of the step gave them."""
MANY_BEFORE = "c6ba11c80d5c2c773677b8ae8cc1d967"
"""The same of many people and captures, with and without kept places, as a digest."""


def people_of(numbers, captures=2):
    """Person n is of source n modulo 3, and wears a mask in one capture if n is even."""
    rows = [(f"{SOURCES[n % 3]}/{n}", f"c{k}") for n in numbers for k in range(captures)]
    masks = ["worn" if n % 2 == 0 and k == 0 else "none" for n in numbers for k in range(captures)]
    return manifest(rows, mask=masks)


def run(step, frame, folder, seed=0):
    """Run as a pipeline does, once more each time: with the state of the last run in the run's folder."""
    result = step.run([frame], TableContext("people", folder, (folder,), seed))
    for name, text in result.state.items():
        (folder / f"people.{name}").write_text(text)
    return dict(zip(result.frame["identity"], result.frame["split"], strict=True))


@pytest.mark.parametrize("seed", BEFORE)
def test_without_options_everybody_is_where_they_were(context, seed):
    frame = manifest([(f"d/{n}", "a") for n in range(12)])
    assert Split(ratios=RATIOS).run([frame], context(seed=seed)).frame["split"].tolist() == BEFORE[seed].split()


def test_without_options_every_assignment_is_as_it_was():
    found = []
    for seed in (0, 7):
        for n in (1, 2, 5, 12, 100):
            people = {f"d/{i}": f"d/{i}" for i in range(n)}
            captures = {f"d/{i}/{k}": f"d/{i}" for i in range(n) for k in range(i % 7)}
            kept = {f"d/{i}": "test" for i in range(0, n, 4)}
            found.append([assign(*each, seed) for each in ((people, RATIOS, {}), (people, RATIOS, kept))])
            found[-1].append(assign(captures, RATIOS, {}, seed))
    assert digest(found) == MANY_BEFORE


def test_without_options_the_state_is_read_and_written_as_before(context):
    result = Split(ratios=RATIOS).run([manifest([("d/a", "1")])], context())
    assert result.state["split.csv"].splitlines()[0] == (
        '# {"by":"identity","ratios":{"eval":0.1,"test":0.3,"train":0.6},"seed":0}'
    )


options = st.fixed_dictionaries(
    {
        "by": st.sampled_from(["identity", "capture"]),
        "stratify": st.sampled_from([(), ("source",), ("source", "masked")]),
        "min_captures": st.sampled_from([1, 2]),
    }
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(options, st.lists(st.sets(st.integers(0, 40), max_size=25), min_size=2, max_size=4), st.integers(0, 3))
def test_people_come_and_go_and_nobody_else_moves(tmp_path_factory, options, crowds, seed):
    folder = tmp_path_factory.mktemp("run")
    known = {}
    for crowd in crowds:
        frame = people_of(sorted(crowd))
        step = Split(ratios=RATIOS, **options)
        result = step.run([frame], TableContext("people", folder, (folder,), seed))
        (folder / "people.split.csv").write_text(result.state["split.csv"])
        places = dict(zip(result.frame["origin_id"], result.frame["split"], strict=True))
        assert places.keys() == set(frame["origin_id"]), "only those who left are gone"
        assert {unit: known.get(unit, split) for unit, split in places.items()} == places
        assert not any("moved" in note for note in result.notes)
        known |= places


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 5), min_size=20, max_size=90),
    st.sampled_from([RATIOS, {"a": 0.5, "b": 0.5}, {"a": 0.7, "b": 0.2, "c": 0.1}]),
    st.integers(0, 3),
)
def test_every_split_has_its_share_of_every_stratum_to_within_one(numbers, ratios, seed):
    groups = {f"d/{i}": f"s{number}" for i, number in enumerate(numbers)}
    places = assign(groups, ratios, {}, seed, even=True)
    sizes, have = Counter(groups.values()), Counter((groups[unit], split) for unit, split in places.items())
    assert places.keys() == groups.keys()
    for group, size in sizes.items():
        for name, ratio in ratios.items():
            share = exact(ratio) * size
            assert math.floor(share) <= have[group, name] <= math.ceil(share)
    for name, ratio in ratios.items():
        assert abs(Counter(places.values())[name] - Fraction(str(ratio)) * len(groups)) < len(sizes) + 1


def test_people_of_many_small_strata_are_spread_over_the_splits_as_if_there_were_none():
    groups = {f"d/{i}": f"s{i}" for i in range(50)}
    assert Counter(assign(groups, RATIOS, {}, 0, even=True).values()) == {"train": 30, "eval": 5, "test": 15}


def test_shares_of_sources_and_of_people_with_masks(context):
    result = Split(ratios={"train": 0.5, "test": 0.5}, stratify=["source", "masked"]).run(
        [people_of(range(36))], context()
    )
    people = result.frame.drop_duplicates("identity")
    assert Counter(zip(people["source"], people["split"], strict=True)) == {
        (source, split): 6 for source in SOURCES for split in ("train", "test")
    }
    masked = set(result.frame[result.frame["mask"] == "worn"]["identity"])
    assert Counter(people[people["identity"].isin(masked)]["split"]) == {"train": 9, "test": 9}
    assert result.notes[0] == "36 people: train 18, test 18"
    assert result.notes[1] == "  source bosphorus, masked no: train 3, test 3"
    assert len(result.notes) == 7
    assert '"stratify":["source","masked"]' in result.state["split.csv"].splitlines()[0]


def test_captures_are_spread_by_person_and_stratum(context):
    frame = manifest([(f"d/{n}", f"c{k}") for n in range(4) for k in range(20)], mood=["glad", "sad"] * 40)
    step = Split(by="capture", ratios={"train": 0.5, "test": 0.5}, stratify="mood")
    out = step.run([frame], context()).frame
    for _, mine in out.groupby(["identity", "mood"]):
        assert Counter(mine["split"]) == {"train": 5, "test": 5}


def test_a_stratum_with_more_than_one_value_is_told_as_such():
    frame = manifest([("d/a", "1"), ("d/a", "2"), ("d/b", "1")], mood=["sad", None, True]).assign(
        source=["x", "y", "x"]
    )
    people = frame["identity"].tolist()
    assert strata_of(frame, people, ["source", "mood", "masked"], "w") == {
        "d/a": "source x+y, mood ?+sad, masked no",
        "d/b": "source x, mood yes, masked no",
    }


def test_who_has_masked_captures_is_of_one_stratum_with_bare_ones_or_without():
    frame = manifest([("d/a", "1"), ("d/a", "2"), ("d/b", "1"), ("d/c", "1")], mask=["worn", "none", "worn", "none"])
    people = ["d/a", "d/a", "d/b", "d/c"]
    assert strata_of(frame, people, ["masked"], "w") == {"d/a": "masked yes", "d/b": "masked yes", "d/c": "masked no"}


def test_many_strata_are_counted_only(context):
    frame = manifest([(f"d/{n}", "a") for n in range(9)], age=list(range(9)))
    assert "  in 9 strata of age" in Split(stratify="age").run([frame], context()).notes


@pytest.mark.parametrize("name", ["sourec", "key", "place", "id"])
def test_a_stratum_that_is_none_is_named_with_those_there_are(context, name):
    with pytest.raises(
        UserError, match=rf"'people': stratify: '{name}' is not a tag.*source, dataset, variant, masked, mask"
    ):
        Split(stratify=name).run([people_of([1])], context())


def test_another_stratify_redraws_and_says_so(tmp_path):
    frame = people_of(range(30))
    run(Split(ratios=RATIOS), frame, tmp_path)
    step = Split(ratios=RATIOS, stratify="source")
    result = step.run([frame], TableContext("people", tmp_path, (tmp_path,), 0))
    assert any("of 30 people moved to another split" in note for note in result.notes)


def test_people_with_few_captures_are_dirty_and_all_others_stay(tmp_path):
    frame = manifest([("d/a", "1"), ("d/a", "2"), ("d/b", "1"), ("d/b", "1", "aug:0"), ("d/c", "1"), ("d/c", "2")])
    result = Split(min_captures=2).run([frame], TableContext("people", tmp_path, (tmp_path,), 0))
    assert result.frame["identity"].unique().tolist() == ["d/a", "d/c"]
    assert result.frame.index.tolist() == [0, 1, 2, 3]
    ids = [i for i in frame["id"] if i.startswith("d/b")]
    assert result.dirty.to_dict("list") == {
        "id": ids,
        "reason": ["too_few_captures"] * 2,
        "detail": ["d/b has 1, min_captures is 2"] * 2,
    }
    assert result.notes[0] == "1 of 3 people left out: fewer than 2 captures"
    assert "d/b" not in result.state["split.csv"]


def test_who_had_too_few_captures_for_a_while_finds_the_place_again(tmp_path):
    step, everybody = Split(ratios=RATIOS, min_captures=2), people_of(range(12))
    first = run(step, everybody, tmp_path)
    thin = everybody[everybody["id"] != everybody["id"].iloc[0]].reset_index(drop=True)
    second = run(step, thin, tmp_path)
    assert first.keys() - second.keys() == {"bosphorus/0"}
    assert run(step, everybody, tmp_path) == first


def test_a_mirrored_face_is_no_capture_more(context):
    frame = manifest([("d/a", "1")])
    both = [frame, frame.assign(identity="d/a~mirror", id="d/a/1~mirror~00000000")]
    assert len(Split(min_captures=2).run(both, context()).dirty) == 2


def merged(frame, names):
    return frame.assign(identity=[names.get(person, person) for person in frame["identity"]])


def test_who_is_merged_keeps_the_place_that_the_own_name_had(tmp_path):
    frame = people_of(range(30))
    first = run(Split(ratios=RATIOS), frame, tmp_path)
    for split in RATIOS:
        old = min(person for person, place in first.items() if place == split)
        result = Split(ratios=RATIOS).run(
            [merged(frame, {old: "new/name"})], TableContext("people", tmp_path, (tmp_path,), 0)
        )
        places = dict(zip(result.frame["identity"], result.frame["split"], strict=True))
        assert places == {("new/name" if person == old else person): place for person, place in first.items()}
        assert not any("moved" in note for note in result.notes)


def test_who_was_in_two_splits_goes_where_the_name_kept_is_and_it_is_said(tmp_path):
    frame = people_of(range(30))
    first = run(Split(ratios=RATIOS), frame, tmp_path)
    test = min(person for person, place in first.items() if place == "test")
    train = min(person for person, place in first.items() if place == "train")
    result = Split(ratios=RATIOS).run([merged(frame, {train: test})], TableContext("people", tmp_path, (tmp_path,), 0))
    assert set(result.frame[result.frame["identity"] == test]["split"]) == {"test"}
    assert "1 of 29 people moved to another split" in result.notes


def test_a_frozen_file_knows_the_own_names_and_may_not_contradict_itself(context, tmp_path):
    frame = merged(manifest([("d/a", "1"), ("e/b", "1"), ("e/c", "1")]), {"d/a": "e/b"})
    (tmp_path / "f.csv").write_text("identity,split\nd/a,eval\n")
    out = Split(ratios=RATIOS, frozen="f.csv").run([frame], context()).frame
    assert out["split"].tolist()[:2] == ["eval", "eval"]
    (tmp_path / "f.csv").write_text("identity,split\nd/a,eval\ne/b,test\n")
    with pytest.raises(UserError, match=r"f\.csv: 'd/a' in 'eval' and 'e/b' in 'test' are the same person, 'e/b'"):
        Split(ratios=RATIOS, frozen="f.csv").run([frame], context(step="other"))


def test_own_identity_is_the_one_in_the_capture():
    assert own_identity("d/anna b/c.1") == "d/anna b"
    assert own_identity("d/a/1~copy:0~12345678") == "d/a"
    assert person_of("d/a~mirror") == "d/a"


def test_options_are_checked():
    assert build(Split, {"stratify": None}, "s").stratify == ()
    with pytest.raises(UserError, match=r"min_captures.*greater than or equal to 1"):
        build(Split, {"min_captures": 0}, "s")
    with pytest.raises(UserError, match="'sources' cannot be a split's name"):
        build(Split, {"ratios": {"sources": 1.0}}, "s")


def test_the_order_of_units_is_a_digest_s():
    groups = {f"d/{i}": "s" for i in range(4)}
    places = assign(groups, {"train": 0.5, "test": 0.5}, {}, 3, even=True)
    first = min(groups, key=lambda unit: digest(3, unit))
    assert places[first] == "train"
