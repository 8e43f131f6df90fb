"""Files of names as others write them: whatever is in them, they are read or refused in one line."""

import random

import pytest
from table_rows import manifest

from face3d_data.errors import UserError
from face3d_data.tables.combine import Combine
from face3d_data.tables.csv_text import csv_rows, header_text
from face3d_data.tables.label import Label
from face3d_data.tables.select import Select
from face3d_data.tables.split import Split

ROWS = manifest([("d/anna", "1"), ("d/anna", "2"), ("d/bob", "1"), ("d/eve", "1")])
USERS = {
    "allow": (lambda path: Select(allow=path), "d/anna\nd/bob/1\n"),
    "block": (lambda path: Select(block=path), "sample_id,why\nd/anna/1,blurred\n"),
    "label": (lambda path: Label(file=path, tags=("age",)), "identity,age\nd/anna,3\nd/bob,4\n"),
    "same_person": (lambda path: Combine(same_person=(path,)), "identity,same_as\nd/anna,d/bob\n"),
    "frozen": (lambda path: Split(frozen=path), "identity,split\nd/anna,test\nd/bob,train\n"),
}
JUNK = [
    *(b"\x00", b'"', b"\xff", b"x" * 140_000, b"\r", b"\n", b","),
    *(b"\xef\xbb\xbf", b"\x1b[31m", b"#", b"~", b"%", b"\x85"),
]


@pytest.mark.slow
@pytest.mark.parametrize("user", USERS)
def test_spoilt_lists_are_read_or_refused_in_one_line(context, tmp_path, user):
    make, text = USERS[user]
    path = tmp_path / "list"
    for seed in range(150):
        rng = random.Random(seed)
        content = bytearray(text.encode())
        for _ in range(rng.choice((1, 2, 3))):
            place = rng.randrange(len(content) + 1)
            if rng.random() < 0.7:
                content[place:place] = rng.choice(JUNK)
            else:
                del content[place : place + rng.randrange(8)]
        path.write_bytes(content)
        try:
            make(path).run([ROWS], context())
        except UserError as error:
            said = str(error)
            assert "\n" not in said, (seed, said)  # the other way out is no error at all


@pytest.mark.parametrize("user", USERS)
def test_a_cell_without_end_names_file_and_line(context, tmp_path, user):
    make, text = USERS[user]
    header = "sample_id,why\n" if user == "allow" else ""
    (tmp_path / "list").write_text(header + text + "x" * 140_000 + "\n")
    with pytest.raises(UserError, match=r"list, line \d+: is not a CSV \(field larger than field limit"):
        make(tmp_path / "list").run([ROWS], context())


@pytest.mark.parametrize(
    ("user", "line", "near"),
    [
        ("allow", "d/Anna", "d/anna"),
        ("allow", "anna", "d/anna"),
        ("block", "d/anna/1 ,x", "d/anna/1"),
        ("label", "d/evee,9", "d/eve"),
        ("label", "D/bob,9", "d/bob"),
        ("same_person", "d/b0b,d/eve", "d/bob"),
        ("same_person", "d/eve ,d/Bob", "d/bob"),
        ("frozen", "d/ann,test", "d/anna"),
        ("frozen", "d/bob ,test", "d/bob"),
    ],
)
def test_a_line_that_names_nobody_is_said_with_the_nearest_name(context, tmp_path, user, line, near):
    make, text = USERS[user]
    (tmp_path / "list").write_text(text + line + "\n")
    notes = make(tmp_path / "list").run([ROWS], context()).notes
    assert any(note.endswith(f"did you mean {near!r}?") for note in notes), notes


def test_rows_and_headers():
    assert csv_rows('a,b\n\n"1,2",3\r\n', "f") == [["a", "b"], [], ["1,2", "3"]]
    assert header_text(["a", "b\n"]) == r"a,b\n"
    assert header_text([]) == "nothing"
    assert header_text([str(i) for i in range(20)]).endswith("11,…")
    assert len(header_text(["x" * 1000])) < 50
