"""Lists in delimited text."""

import pytest

from face3d_data.formats.delimited import read_header, read_lines

# Typed by hand: byte order mark, header, quoted cell with the delimiter and a doubled quote, CR LF, a blank line, LF.
LITERAL = (
    b"\xef\xbb\xbf"  # UTF-8 byte order mark
    b'identity;"head; pose";note\r\n'
    b'ann; 7 ;"she said ""no"""\r\n'
    b"\r\n"
    b"b\xc3\xa9a;;\n"
)


def lines_of(path, data: bytes, needed=("identity",)):
    path.write_bytes(data)
    header, lines = read_lines(path, needed)
    return header, list(lines)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "faces.csv"


def test_a_literal_list_is_read(path):
    header, lines = lines_of(path, LITERAL)
    assert header.names == ("identity", "head; pose", "note")
    assert (header.delimiter, header.line) == (";", 1)
    assert [(line.number, line.cells, line.fault) for line in lines] == [
        (2, ("ann", "7", 'she said "no"'), None),
        (4, ("béa", "", ""), None),
    ]
    assert read_header(path, ["identity"]) == header


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_are_told(path, delimiter, end):
    text = end.join(delimiter.join(cells) for cells in (("identity", "a;,"[:1]), ("x", "y"), ("z", ""))) + end
    header, lines = lines_of(path, text.encode())
    assert header.delimiter == delimiter
    assert [line.cells for line in lines] == [("x", "y"), ("z", "")]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"ann", "1 fields, and the header has 2"),
        (b"ann,a,b", "3 fields, and the header has 2"),
        (b'ann,"a', "a quote is not closed"),
        (b'ann,"a"b', "expected after"),
        (b"ann,\xff", "is not UTF-8 (byte 5 of the line)"),
        (b"ann,a\0b", "contains a zero byte (character 6)"),
        (b"ann," + b"x" * 200_000, "field larger than field limit"),
    ],
)
def test_a_bad_line_costs_itself_alone(path, line, fault):
    _, lines = lines_of(path, b"identity,color\nfirst,1\n" + line + b"\nlast,2\n")
    assert [record.number for record in lines] == [2, 3, 4]
    assert fault in lines[1].fault
    assert lines[0].fault is lines[2].fault is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"person,color\n", "no column 'identity' (there are: person, color), with a comma, a semicolon or a tab"),
        (b"identity\nann\n", "one column only, 'identity'"),
        (b"identity,x;identity\n", "the delimiter of the columns is ambiguous"),
        (b"identity,color,color\n", "two columns are named 'color'"),
        (b'identity,"color\n', "line 1: a quote is not closed"),
        (b"\xff\xfei\0d\0x", "byte 6: is UTF-16, and damaged or truncated: save it as UTF-8"),
        (b"identity,\xff\n", "is not UTF-8"),
    ],
)
def test_a_bad_header_is_named(path, data, said):
    path.write_bytes(data)
    with pytest.raises(ValueError, match="faces") as error:
        read_lines(path, ["identity"])
    assert said in str(error.value)


def test_a_missing_file_is_named(path):
    with pytest.raises(ValueError, match="cannot be read"):
        read_lines(path, ["identity"])


def test_a_list_cut_anywhere_or_with_a_byte_changed_never_crashes(path):
    read = refused = 0
    for at in range(len(LITERAL)):
        for data in (LITERAL[:at], *(LITERAL[:at] + byte + LITERAL[at + 1 :] for byte in (b'"', b"\x80", b"\n"))):
            try:
                lines_of(path, data)
                read += 1
            except ValueError:
                refused += 1
    assert read > refused > 20
