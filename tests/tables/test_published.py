import numpy as np
import pytest
from published_rows import published_table

from face3d_data.tables.published import make_published
from face3d_data.tables.published_rules import KINECT_STATES, RULES, YAWS


def made(rows, name):
    table = published_table(rows)
    return table, make_published(table, table, name)


def captures(table, rows):
    return [table["origin_id"][row][2:] for row in rows]


def bosphorus(person, *codes):
    return [(person, code, {"category": code.partition("_")[0], "code": code}) for code in codes]


def test_bosphorus_enrols_the_first_neutral_scan_and_counts_the_others_by_category():
    first = bosphorus("bs000", "N_N_10", "N_N_2", "E_HAPPY_0", "LFAU_9_0", "UFAU_2_0", "CAU_A22A25_0", "YR_R10_0")
    table, found = made(
        [*first, *bosphorus("bs001", "N_N_0", "PR_SU_0", "CR_RD_0", "O_HAIR_0", "IGN_x_0")], "bosphorus"
    )
    assert captures(table, found.gallery) == ["bs000/N_N_2", "bs001/N_N_0"]
    assert dict(zip(captures(table, found.probe), found.categories, strict=True)) == {
        "bs000/CAU_A22A25_0": "AU/CAU",
        "bs000/E_HAPPY_0": "E",
        "bs000/LFAU_9_0": "AU/LFAU",
        "bs000/N_N_10": "N",
        "bs000/UFAU_2_0": "AU/UFAU",
        "bs000/YR_R10_0": "YR/R10",
        "bs001/CR_RD_0": "CR",
        "bs001/O_HAIR_0": "O/HAIR",
        "bs001/PR_SU_0": "PR",
    }
    assert found.counts()["AU"] == 3
    assert found.notes == (
        "bosphorus: 1 row left out: ignored by the database (IGN)",
        "bosphorus: 2 people enrolled and 9 probes, published are 105 and 4543: figures are not those of papers",
    )


def test_each_category_is_a_list_against_the_whole_gallery_in_the_order_of_the_paper():
    rows = bosphorus("bs000", "N_N_0", "YR_L90_0", "YR_R10_0", "O_EYE_0", "E_FEAR_0")
    table, found = made(rows, "bosphorus")
    lists = found.protocols()
    assert list(lists) == ["bosphorus", "bosphorus-E", "bosphorus-YR", "bosphorus-YR-R10", "bosphorus-YR-L90",
                           "bosphorus-O", "bosphorus-O-EYE"]  # fmt: skip
    assert captures(table, lists["bosphorus-YR"].probe) == ["bs000/YR_L90_0", "bs000/YR_R10_0"]
    assert captures(table, lists["bosphorus-YR-L90"].probe) == ["bs000/YR_L90_0"]
    assert lists["bosphorus-YR-L90"].title == "Bosphorus: YR/L90"
    assert {one.part_of for one in lists.values()} == {"", "bosphorus"}
    assert all(np.array_equal(one.gallery, found.gallery) for one in lists.values())


def test_frgc_enrols_the_earliest_scan_and_parts_the_rest_by_expression():
    def scan(capture, session, expression=None):
        return ("02463", capture, {"session": f"{session}range", "recording": 7, "expression": expression})

    rows = [
        scan("02463d652", "Spring2004", "neutral"),
        scan("02463d452", "Fall2003", "neutral"),
        scan("02463d460", "Fall2003", "smile"),
        scan("02463d462", "Fall2003"),
        scan("02463d120", "Spring2003", "neutral"),
    ]
    table, found = made(rows, "frgc")
    assert captures(table, found.gallery) == ["02463/02463d452"]
    assert found.categories == ("non_neutral", "unlabelled", "neutral")
    assert "frgc: 1 row left out: of Spring 2003, the training part" in found.notes


def test_lock3dface_asks_for_no_frame_of_the_video_that_enrols():
    def frame(category, number, n):
        return ("003", f"{category}_{number}_{n}", {"category": category, "number": number})

    rows = [frame("NU", 2, 1), frame("NU", 1, 2), frame("NU", 1, 1), frame("FE", 1, 1), frame("TM", 10, 1)]
    table, found = made(rows, "lock3dface")
    assert captures(table, found.gallery) == ["003/NU_1_1"]
    assert captures(table, found.probe) == ["003/FE_1_1", "003/NU_2_1", "003/TM_10_1"]
    assert found.categories == ("FE", "NU", "TM")


@pytest.mark.parametrize("session", [1, "s1", "1"])
def test_kinectfacedb_enrols_neutral_of_session_1_and_asks_for_session_2_by_state(session):
    other = str(session).replace("1", "2")
    rows = [
        ("0001", f"{s}_{state}", {"session": s, "code": state}) for s in (session, other) for state in KINECT_STATES
    ]
    table, found = made(rows, "eurecom_kinect")
    assert captures(table, found.gallery) == [f"0001/{session}_Neutral"]
    assert found.counts() == dict.fromkeys(KINECT_STATES, 1)
    assert set(captures(table, found.probe)) == {f"0001/{other}_{state}" for state in KINECT_STATES}


def test_masked_and_varied_rows_and_people_who_are_not_enrolled_are_left_out_and_counted():
    rows = bosphorus("bs000", "N_N_0", "E_FEAR_0")
    rows += [("bs000", "N_N_0", {**rows[0][2], "variant": "mask:kn95.0", "mask": "kn95"})]
    rows += [("bs000", "E_FEAR_0", {**rows[1][2], "variant": "aug:0"})]
    rows += [("bs000", "N_N_1", {**rows[0][2], "mask": "worn"}), *bosphorus("bs009", "E_FEAR_0")]
    table, found = made(rows, "bosphorus")
    assert captures(table, found.gallery) == ["bs000/N_N_0"]
    assert captures(table, found.probe) == ["bs000/E_FEAR_0"]
    assert "bosphorus: 3 rows left out: masked or varied" in found.notes
    assert "bosphorus: 1 row left out: of people who have no capture that can be enrolled" in found.notes


@pytest.mark.parametrize("name", RULES)
def test_rows_without_the_tags_of_the_database_make_no_gallery(name):
    _, found = made([("a", "0", {}), ("a", "1", {})], name)
    assert len(found.gallery) == len(found.probe) == 0


def test_published_counts_add_up():
    for name, rule in RULES.items():
        leaves = {
            key: n for key, n in rule.counts.items() if not any(other.startswith(f"{key}/") for other in rule.counts)
        }
        assert not leaves or sum(leaves.values()) == rule.probes, name
        for key in rule.counts.keys() - leaves.keys():
            assert rule.counts[key] == sum(n for leaf, n in leaves.items() if leaf.startswith(f"{key}/"))
    assert [RULES["bosphorus"].counts[f"YR/{yaw}"] for yaw in YAWS] == [105] * 7


def test_frgc_enrols_by_season_before_names_so_also_where_a_person_had_two():
    tags = {"recording": 7, "expression": "neutral"}
    rows = [("a", "Spring2004range_7", {**tags, "session": "Spring2004range"}),
            ("b", "Fall2003range_9", {**tags, "session": "Fall2003range", "identity": "d/a"})]  # fmt: skip
    table, found = made(rows, "frgc")
    assert captures(table, found.gallery) == ["b/Fall2003range_9"]
    assert captures(table, found.probe) == ["a/Spring2004range_7"]
