"""Limit: caps and balance, who stays, and that one person more or less concerns nobody else."""

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
from face3d_data.tables.caps import in_turn
from face3d_data.tables.limit import Limit, captures_of

SOURCES = ("bosphorus", "d415", "frgc")


def people_of(numbers, captures=None):
    """Person n is of source n modulo 3 and has 1 + n modulo 4 captures, each plain and varied, every third masked."""
    rows = [
        (f"{SOURCES[n % 3]}/{n}", f"c{k}", variant)
        for n in numbers
        for k in range(captures or 1 + n % 4)
        for variant in ("plain", "aug:0")
    ]
    return manifest(rows, mask=["worn" if capture in ("c0", "c3") else "none" for _, capture, _ in rows])


def limited(frame, seed=0, **options):
    return Limit(**options).run([frame], TableContext("some", None, (), seed))


def counts(frame, by="source"):
    return {group: (mine["identity"].nunique(), mine["origin_id"].nunique()) for group, mine in frame.groupby(by)}


limits = st.fixed_dictionaries(
    {},
    optional={
        "captures_per_person": st.integers(1, 4),
        "people_per_source": st.one_of(st.integers(1, 8), st.just({"d415": 2})),
        "captures_per_source": st.one_of(st.integers(1, 12), st.just({"frgc": 3})),
        "balance": st.sampled_from(["none", "people", "captures"]),
        "keep_masked_share": st.booleans(),
    },
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(limits, st.sets(st.integers(0, 30), max_size=20), st.integers(0, 3))
def test_no_cap_is_exceeded_no_row_is_lost_and_captures_stay_whole(options, numbers, seed):
    frame = people_of(sorted({0, 1, 2} | numbers))
    result = limited(frame, seed, **options)
    assert sorted([*result.frame["id"], *result.dirty["id"]]) == sorted(frame["id"])
    assert result.frame["id"].tolist() == [i for i in frame["id"] if i in set(result.frame["id"])]
    assert result.frame.index.tolist() == list(range(len(result.frame)))
    assert not set(result.frame["origin_id"]) & set(frame[frame["id"].isin(result.dirty["id"])]["origin_id"])
    have = counts(result.frame)
    assert have.keys() == set(SOURCES)
    for option, which in (("people_per_source", 0), ("captures_per_source", 1)):
        most = options.get(option, 10**6)
        for source in SOURCES:
            assert have[source][which] <= (most.get(source, 10**6) if isinstance(most, dict) else most)
    mine = result.frame.groupby("identity")["origin_id"].nunique()
    assert mine.max() <= options.get("captures_per_person", 10**6)
    if options.get("balance", "none") != "none":
        assert len({numbers[("people", "captures").index(options["balance"])] for numbers in have.values()}) == 1
    if not set(options) - {"keep_masked_share"} or options == {"balance": "none"}:
        assert result.frame.equals(frame)
        assert result.notes == ()


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(
        [{"people_per_source": 2}, {"captures_per_person": 2}, {"captures_per_person": 1, "people_per_source": 3}]
    ),
    st.sets(st.integers(0, 30), min_size=4, max_size=20),
)
def test_a_person_more_takes_the_place_of_one_at_most(options, numbers):
    frame, one = people_of(sorted(numbers)), min(numbers)
    others = frame[~frame["identity"].str.endswith(f"/{one}")]
    with_all, without = (limited(rows, **options).frame for rows in (frame, others))
    before, after = set(without["identity"]), set(with_all["identity"])
    assert len(before - after) <= ("people_per_source" in options)
    assert after - before <= set(frame["identity"]) - set(others["identity"])
    same = [sorted(rows[rows["identity"].isin(before & after)]["id"]) for rows in (with_all, without)]
    assert same[0] == same[1], "the captures of those who stay are the same"


def test_who_stays_is_who_comes_first_by_digest():
    frame = people_of(range(30))
    kept = set(limited(frame, 4, people_per_source=3).frame["identity"])
    for source in SOURCES:
        people = sorted({i for i in frame["identity"] if i.startswith(source)}, key=lambda i: digest(4, i))
        assert {i for i in kept if i.startswith(source)} == set(people[:3])
    captures = limited(frame, 4, captures_per_person=2).frame["origin_id"]
    mine = sorted({o for o in frame["origin_id"] if o.startswith("bosphorus/3/")}, key=lambda o: digest(4, o))
    assert {o for o in captures if o.startswith("bosphorus/3/")} == set(mine[:2])
    assert kept != set(limited(frame, 5, people_per_source=3).frame["identity"])


def test_reasons_say_which_cap_and_what_there_was(context):
    frame = manifest([("d/a", "1"), ("d/a", "2"), ("d/b", "1"), ("e/c", "1")])
    result = Limit(captures_per_person=1, people_per_source={"d": 1}).run([frame], context(seed=1))
    kept = set(result.frame["id"])
    assert "e/c/1" in kept
    assert Counter(result.dirty["reason"]) == {"over_the_cap": 2}
    assert sorted(result.dirty["detail"]) == ["captures_per_person 1: d/a has 2", "people_per_source 1: d has 2"]
    assert result.notes == ("d: 1 of 2 people, 1 of 3 captures stay",)
    balanced = Limit(balance="captures").run([frame], context())
    assert balanced.dirty[["reason", "detail"]].drop_duplicates().to_numpy().tolist() == [
        ["over_the_balance", "balance of captures 1: d has 3"]
    ]


def test_captures_of_a_source_go_by_whole_people():
    out = limited(people_of(range(0, 30, 3), captures=4), captures_per_source=10).frame
    assert sorted(out.groupby("identity")["origin_id"].nunique()) == [2, 4, 4]


def test_a_persons_captures_are_counted_over_all_sources():
    frame = people_of([0, 1], captures=3).assign(identity="bosphorus/0")
    out = limited(frame, captures_per_person=4).frame
    assert out["origin_id"].nunique() == 4
    assert len({capture.source for capture in captures_of(out, "source")}) == 2


def test_two_sources_of_one_dataset_are_one_by_dataset():
    frame = people_of(range(12), captures=2)
    frame = frame.assign(dataset=["lab" if source != "frgc" else source for source in frame["source"]])
    assert counts(limited(frame, balance="people", by="dataset").frame, "dataset") == {"frgc": (4, 8), "lab": (4, 8)}
    assert counts(limited(frame, people_per_source={"lab": 5}, by="dataset").frame, "dataset")["lab"] == (5, 10)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 3))
def test_masked_share_stays_in_every_number_that_is_kept(plain, masked, seed):
    worn = {f"m{i}" for i in range(masked)}
    units = {f"p{i}" for i in range(plain)} | worn
    order = in_turn(units, seed, worn)
    assert sorted(order) == sorted(units)
    for most in range(1, len(order) + 1):
        share = Fraction(masked * most, len(order))
        assert abs(sum(unit in worn for unit in order[:most]) - share) < 1
    assert [unit for unit in order if unit in worn] == in_turn(worn, seed)


def test_masked_share_of_captures_and_people():
    frame = manifest([("d/a", f"c{k}") for k in range(12)], mask=["worn"] * 4 + ["none"] * 8)
    out = limited(frame, captures_per_person=6, keep_masked_share=True).frame
    assert Counter(out["mask"]) == {"none": 4, "worn": 2}
    frame = people_of(range(40), captures=1)
    frame["mask"] = ["worn" if int(i.partition("/")[2]) % 4 == 0 else "none" for i in frame["identity"]]
    out = limited(frame, people_per_source=4, keep_masked_share=True).frame.drop_duplicates("identity")
    assert Counter(zip(out["source"], out["mask"], strict=True)) == {
        (source, mask): n for source in SOURCES for mask, n in (("worn", 1), ("none", 3))
    }


def test_a_capture_with_a_bare_row_is_not_a_masked_one():
    frame = manifest([("d/a", "1"), ("d/a", "1", "mask:kn95.0"), ("d/a", "2")], mask=["none", "kn95", "worn"])
    assert [capture.masked for capture in captures_of(frame, "source")] == [False, True]
    assert [capture.masked for capture in captures_of(frame.drop(columns="mask"), "source")] == [False, False]


def test_a_mirrored_face_goes_with_its_capture(context):
    frame = manifest([("d/a", "1"), ("d/b", "1")])
    both = [frame, frame.assign(identity=frame["identity"] + "~mirror", id=frame["id"] + "~mirror~00000000")]
    out = Limit(people_per_source=1).run(both, context()).frame
    assert len(out) == 2
    assert out["origin_id"].nunique() == 1


def test_nothing_in_nothing_out(context):
    result = Limit(people_per_source=1, balance="people").run([manifest([])], context())
    assert len(result.frame) == len(result.dirty) == 0


def test_many_sources_are_told_in_one_line(context):
    frame = manifest([(f"d{n}/{p}", "1") for n in range(8) for p in "ab"])
    assert Limit(people_per_source=1).run([frame], context()).notes == ("8 of 8 sources: 8 of 16 captures stay",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"people_per_source": 0}, "people_per_source.*give a whole number from 1 on"),
        ({"captures_per_source": {"d": 2.5}}, "captures_per_source.*give a whole number"),
        ({"people_per_source": True}, "give a whole number"),
        ({"captures_per_person": 0}, "greater than or equal to 1"),
        ({"balance": "rows"}, "'none', 'people' or 'captures'"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(UserError, match=message):
        build(Limit, options, "step 'some'")


def test_a_cap_for_a_source_that_is_not_there_is_an_error(context):
    with pytest.raises(UserError, match=r"'people': people_per_source: no row is from 'bosphorsu' \(there are: d\)"):
        Limit(people_per_source={"bosphorsu": 3}).run([manifest([("d/a", "1")])], context())
