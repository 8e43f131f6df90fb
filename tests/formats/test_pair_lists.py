"""Lists of pairs of verification sets, line by line."""

import pytest

from face3d_data.formats.pair_lists import read_cfp_pairs, read_lfw_pairs, read_two_line_pairs


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(pairs):
    return [(pair.same, pair.first, pair.second, pair.fold) for pair in pairs]


LFW = b"2\t1\nAnn\t1\t4\nAnn\t1\tBo_B\t10\n\nBo_B\t2\t3\r\nCy\t1\tAnn\t2\n"


def test_lfw_s_text(tmp_path):
    ann, bo, cy = "Ann", "Bo_B", "Cy"
    first = [(True, (ann, "1"), (ann, "4"), 0), (False, (ann, "1"), (bo, "10"), 0)]
    second = [(True, (bo, "2"), (bo, "3"), 1), (False, (cy, "1"), (ann, "2"), 1)]
    assert rows(read_lfw_pairs(write(tmp_path / "a", LFW))) == first + second
    bare = LFW.split(b"\n", 1)[1]
    assert rows(read_lfw_pairs(write(tmp_path / "b", bare))) == [(*row[:3], -1) for row in first + second]
    one = b"2\nAnn\t1\t4\nBo_B\t2\t3\nAnn\t1\tBo_B\t10\nCy\t1\tAnn\t2\n"
    assert [pair.fold for pair in read_lfw_pairs(write(tmp_path / "c", one))] == [0] * 4


def test_two_lines_a_pair(tmp_path):
    text = b"Ann Lee_0001.jpg 10\nAnn Lee_0002.jpg 10\nA_1.jpg 0\r\nB_2.jpg 0\n"
    assert rows(read_two_line_pairs(write(tmp_path / "a", text))) == [
        (True, ("", "Ann Lee_0001.jpg"), ("", "Ann Lee_0002.jpg"), -1),
        (False, ("", "A_1.jpg"), ("", "B_2.jpg"), -1),
    ]


def cfp(root, **changes):
    files = {
        "Pair_list_F.txt": "1 ../Data/Images/001/frontal/01.jpg\n2 ../Data/Images/002/frontal/01.jpg\n",
        "Pair_list_P.txt": "1  ../Data/Images/001/profile/01.jpg\n2 ../Data/Images/002/profile/01.jpg\n",
        "Split/FP/01/same.txt": "1,1\n2 , 2\n",
        "Split/FP/01/diff.txt": "1,2\n",
        "Split/FP/02/same.txt": "2,2\n",
        "Split/FP/02/diff.txt": "2,1\n",
    } | changes
    for name, text in files.items():
        if text is not None:
            write(root / name, text)
    return root


def test_cfp_s_numbers(tmp_path):
    found = rows(read_cfp_pairs(cfp(tmp_path), "FP"))
    front, side = ("", "../Data/Images/002/frontal/01.jpg"), ("", "../Data/Images/002/profile/01.jpg")
    assert found[1] == (True, front, side, 0)
    assert [(same, fold) for same, _, _, fold in found] == [(True, 0), (True, 0), (False, 0), (True, 1), (False, 1)]


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (read_lfw_pairs, "2\t1\nA\t1\t2\n", "a.txt, line 1: asks for 4 lines of pairs, there are 1"),
        (read_lfw_pairs, "1\t1\nA\t1\tB\t2\nA\t1\t2\n", "a.txt, line 2: is out of order"),
        (read_lfw_pairs, "A\t1\t2\nA 1 2\n", "a.txt, line 2: expected name, number, number"),
        (read_lfw_pairs, "A\t1\tx\n", "a.txt, line 1: expected name"),
        (read_lfw_pairs, "A\t1\t\t2\n", "a.txt, line 1: expected name"),
        (read_lfw_pairs, b"A\t1\t2\n\xff", "a.txt: line 2: is not UTF-8 text"),
        (read_two_line_pairs, "a.jpg 1\nb.jpg 1\nc.jpg 0\n", "a.txt, line 3: the second line is missing"),
        (read_two_line_pairs, "a.jpg 1\nb.jpg 0\n", "a.txt, line 2: says 0 where the line before says 1"),
        (read_two_line_pairs, "a.jpg 1\nb.jpg\n", "a.txt, line 2: expected a file's name and a number"),
        (read_two_line_pairs, "a.jpg 1\nb.jpg -1\n", "a.txt, line 2: expected a file's name and a number"),
    ],
)
def test_lines_that_are_wrong(tmp_path, read, text, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        read(write(tmp_path / "a.txt", text))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("Split/FP/02/diff.txt", "1,2\n1;2\n", "FP/02/diff.txt, line 2: expected two numbers"),
        ("Split/FP/02/diff.txt", "3,1\n", "FP/02/diff.txt, line 1: image 3 is not in the list"),
        ("Split/FP/02/diff.txt", None, "diff.txt: cannot be read"),
        ("Pair_list_P.txt", "x y\n", "Pair_list_P.txt, line 1: expected a number and a path"),
        ("Pair_list_F.txt", None, "Pair_list_F.txt: cannot be read"),
    ],
)
def test_cfp_s_files_that_are_wrong(tmp_path, name, text, message):
    cfp(tmp_path, **{name: text})
    with pytest.raises(ValueError, match=message):
        read_cfp_pairs(tmp_path, "FP")


def test_a_protocol_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="has no folder of a fold"):
        read_cfp_pairs(cfp(tmp_path), "FF")


def test_any_beginning_of_a_list_is_read_or_refused(tmp_path):
    for n in range(len(LFW)):
        try:
            read_lfw_pairs(write(tmp_path / "a.txt", LFW[:n]))
        except ValueError as error:
            said = str(error)
        else:
            said = "a.txt, line: read"
        assert said.startswith("a.txt, line")
