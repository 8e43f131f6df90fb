"""YAML of others: what is read, and what is refused, at once and with its line."""

import pytest
from hang_guard import ends_soon

from face3d_data.errors import UserError
from face3d_data.yaml_file import MOST_NESTED, MOST_VALUES, parse_yaml, read_yaml

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\nb: [2.5, true, null, text]", {"a": 1, "b": [2.5, True, None, "text"]}),
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}\ne: *x", {"a": {"b": 1}, "c": {"b": 1, "d": 2}, "e": {"b": 1}}),
        ("a: 2026-02-03", {"a": "2026-02-03"}),
        ("a: 2026-02-03 10:00:00", {"a": "2026-02-03 10:00:00"}),
        ("a: 1:20:00", {"a": "1:20:00"}),
        ("a: 190:20:30.15", {"a": "190:20:30.15"}),
        ("a: !!str 2024", {"a": "2024"}),
        ("a: =", {"a": "="}),
        (f"a: {2**63 - 1}", {"a": 2**63 - 1}),
        ("a: 0x1F", {"a": 31}),
        ("", None),
    ],
)
def test_values(text, value):
    assert parse_yaml(text) == value


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, r"^line 5: holds more than 10,000 values"),
        ("a: &a [" + "1, " * 4000 + "]\nb: [*a, *a]", "^line 1: holds more than"),
        ("a: &a " + "x" * 100_000 + "\nb: [" + "*a, " * 20 + "]", "^line 2: holds more than"),
        ("".join(f"k{i}: 1\n" for i in range(MOST_VALUES)), "^line 5000: holds more than"),
        ("a: [" + "1," * 200_000 + "]", "^line 1: holds more than"),
        ("x" * 600_000, "^is longer than 500,000 characters"),
        ("a: &a [*a]", r"^line 1: the alias \*a stands inside of what it repeats"),
        ("a: &a\n  b:\n    c: *a", r"^line 3: the alias \*a"),
        ("&a [[*a]]", r"^line 1: the alias \*a"),
        ("a: " + "[" * 100_000, "^line 1: is nested more than 50 deep"),
        ("{a: " * 10_000, "^line 1: is nested"),
        ("- " * 100_000 + "x", "^line 1: is nested"),
        ("a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 99)), "^line 50: is nested"),
        ("a: {<<: 5}", "^line 1: expected a mapping or list of mappings for merging"),
        ("a: {<<: [1]}", "^line 1: expected a mapping for merging"),
        ("a: {<<: {5: 1}}", "^line 1: key 5 is not a text"),
        ("a: 1\na: 2", "^line 2: key 'a' is written twice"),
        ("a: 1\n[b]: 2", r"^line 2: key \['b'\] is not a text"),
        ("yes: 1", "^line 1: key True is not a text: quote it"),
        ("a: 2026-02-30", "^line 1: '2026-02-30' is not a valid date"),
        ("a: 2026-13-01T00:00:00Z", "^line 1: '2026-13-01T00:00:00Z' is not a valid date"),
        ("a: " + "9" * 5000, "^line 1: '9999.*…? is larger than any number here"),
        (f"a: -{2**63}", "^line 1: .* is larger than any number"),
        ("a: 0x" + "f" * 5000, "is larger than any number"),
        ("a: .inf", "^line 1: '.inf' is not finite"),
        ("a: .nan", "is not finite"),
        ("a: 1.0e+999", "is not finite"),
        ("a: !!binary aa", "^line 1: the tag 'tag:yaml.org,2002:binary' is not taken"),
        ("a: !!python/object/apply:os.system [id]", "^line 1: the tag 'tag:yaml.org,2002:python/object/apply"),
        ("a: !!int x", "is not taken"),
        ("a: !!set {x}", "is not taken"),
        ("a: !mine x", "^line 1: the tag '!mine' is not taken"),
        ('a: "\\ud800"', "holds half of a character"),
        ('a: "\\0"', "holds a zero byte"),
        ("a: 1\nb: \x00", "^line 2: character 0x0 is not allowed in YAML"),
        ("a: 1\n---\nb: 2", "^line 2: but found another document"),
        ("a: *b", "^line 1: found undefined alias"),
        ("a: [1", "^line 1: expected"),
    ],
)
def test_what_is_refused_is_one_line_at_once(text, said):
    with ends_soon(), pytest.raises(ValueError, match=said) as caught:
        parse_yaml(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_matrices_of_opencv_are_mappings_where_they_are_expected():
    text = "K: !!opencv-matrix {rows: 1, data: [1., 2.]}"
    assert parse_yaml(text, matrices=True) == {"K": {"rows": 1, "data": [1.0, 2.0]}}
    with pytest.raises(ValueError, match="opencv-matrix' is not taken"):
        parse_yaml(text)


@pytest.mark.slow
def test_the_limits_themselves_are_read():
    assert len(parse_yaml("[" + "1, " * (MOST_VALUES - 1) + "]")) == MOST_VALUES - 1
    assert parse_yaml("[" * MOST_NESTED + "]" * MOST_NESTED)
    with pytest.raises(ValueError, match="nested"):
        parse_yaml("[" * (MOST_NESTED + 1) + "]" * (MOST_NESTED + 1))
    with pytest.raises(ValueError, match="values"):
        parse_yaml("[" + "1, " * MOST_VALUES + "]")
    assert len(parse_yaml("[" + "1, " * MOST_VALUES + "]", 2 * MOST_VALUES)) == MOST_VALUES


def test_files_name_themselves(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("\ufeffa: 1")
    assert read_yaml(path, "keys") == {"a": 1}
    for content, said in (
        (b"a: 1\na: 2", "a.yaml, line 2: key 'a' is written twice"),
        (b"- 1", "a.yaml: is not a mapping with keys"),
        (b"\xff\xfea\x00", "a.yaml: is not UTF-8 text"),
        (b"#" * 600_000, "a.yaml: is larger than 500,000 bytes"),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError) as caught:
            read_yaml(path, "keys")
        assert said in str(caught.value)
    with pytest.raises(UserError, match=r"none\.yaml: cannot be read"):
        read_yaml(tmp_path / "none.yaml", "keys")
    with pytest.raises(UserError, match="cannot be read"):
        read_yaml(tmp_path, "keys")
