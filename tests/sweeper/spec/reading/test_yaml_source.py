from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweeper.errors import SpecError
from sweeper.spec.reading.yaml_source import YamlSource, read_yaml


def read(folder: Path, text: str) -> YamlSource:
    path = folder / "space.yaml"
    path.write_text(text, encoding="utf-8")
    return read_yaml(path)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-4", 1e-4),
        ("1E4", 1e4),
        ("6.0e+2", 600.0),
        ("3", 3),
        ("0x10", 16),
        (".inf", float("inf")),
        ("true", True),
        ("no", "no"),  # YAML 1.1 made it false
        ("on", "on"),
        ("1:30", "1:30"),  # YAML 1.1 made it 90
        ("2001-01-01", "2001-01-01"),  # a date in YAML 1.1
        ("=", "="),
        ("'1'", "1"),
        ("~", None),
        ("", None),
        ("!!str 5", "5"),
        ("!!float 5", 5.0),
    ],
)
def test_a_scalar_is_what_yaml_1_2_says(tmp_path: Path, written: str, value: Any) -> None:
    read_value = read(tmp_path, f"key: {written}\n").data["key"]
    assert (read_value, type(read_value)) == (value, type(value))


def test_every_value_has_its_line(tmp_path: Path) -> None:
    source = read(tmp_path, "# a comment\na:\n  b: 1\n\n  c:\n  - x\n  - {d: 2}\n")
    assert source.data == {"a": {"b": 1, "c": ["x", {"d": 2}]}}
    assert source.lines == {
        ("a",): 2,
        ("a", "b"): 3,
        ("a", "c"): 5,
        ("a", "c", 0): 6,
        ("a", "c", 1): 7,
        ("a", "c", 1, "d"): 7,
    }


def test_a_problem_points_at_the_nearest_line_there_is(tmp_path: Path) -> None:
    source = read(tmp_path, "a:\n  b: 1\n")
    assert source.problem(("a", "b"), "bad") == f"{source.path}:2: a.b: bad"
    assert source.problem(("a", "missing", 0), "bad") == f"{source.path}:1: a.missing.0: bad"
    assert source.problem(("z",), "bad") == f"{source.path}: z: bad"
    assert source.problem((), "bad") == f"{source.path}: bad"


def test_anchors_and_merges_are_taken_over_and_own_keys_win(tmp_path: Path) -> None:
    source = read(
        tmp_path,
        "base: &base {x: 1, y: 1}\n"
        "more: &more {y: 2, z: 2}\n"
        "same: *base\n"
        "one:\n  y: 3\n  <<: *base\n"
        "both: {<<: [*base, *more]}\n",
    )
    assert source.data["same"] == {"x": 1, "y": 1}
    assert source.data["one"] == {"x": 1, "y": 3}
    assert source.data["both"] == {"x": 1, "y": 1, "z": 2}  # the first of them goes before
    assert source.lines["one", "y"] == 5
    assert source.lines["one", "x"] == 1


def test_the_later_anchor_of_a_name_holds(tmp_path: Path) -> None:
    assert read(tmp_path, "[&x 1, &x 2, *x]").data == [1, 2, 2]


def test_an_empty_file_is_null(tmp_path: Path) -> None:
    assert read(tmp_path, "# nothing\n").data is None


REFUSED = [
    ("a: 1\nb: 2\na: 3\n", r":3: 'a' stands in line 1 too; remove one"),
    ("a: !foo 3\n", r":1: no tag !foo here; remove it"),
    ("a: !!binary aGk=\n", r":1: no tag !!binary here"),
    ("a: !!set {x}\n", r":1: no tag !!set here"),
    ("a: !!int\n", r":1: cannot be read as !!int"),
    ("a: !!int three\n", r":1: cannot be read as !!int: 'three'"),
    ("a:\n  1: x\n", r":2: a key must be text, got 1; put it in quotes"),
    ("null: x\n", r":1: a key must be text, got null"),
    ("true: x\n", r":1: a key must be text, got true"),
    ("? [a]\n: x\n", r":1: a key must be text, got a list"),
    ("a: &a\n  b: *a\n", r":1: contains itself by an alias"),
    ("a: *nowhere\n", r":1: not valid YAML: found undefined alias 'nowhere'"),
    ("a: {<<: 3}\n", r":1: `<<:` takes over the keys of a mapping"),
    ("a: 1\n---\nb: 1\n", r":2: not valid YAML: expected a single document"),
    ("a:\n\tb: 1\n", r":2: not valid YAML: .* '\\t'"),
    ("a: [1, 2\n", r"not valid YAML"),
    ("a: 123456789012345678901234567890\n", r":1: a whole number must be below 2\^63"),
    (f"a: {'9' * 5000}\n", r":1: cannot be read as !!int"),
    ('a: "x\\x85y"\n', r":1: text must have no control characters, got 'x\\x85y'"),
    ('"a\\u2028": 1\n', r":1: text must have no control characters"),
    ("[" * 1000, r"nested too deeply"),
    ("\x00\x01", r"not valid YAML"),
]


@pytest.mark.parametrize(("text", "problem"), REFUSED)
def test_what_is_no_plain_yaml_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(SpecError, match=problem) as error:
        read(tmp_path, text)
    assert str(error.value).startswith(str(tmp_path / "space.yaml"))


def test_every_problem_is_told(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as error:
        read(tmp_path, "a: !x 1\n2: b\nc: 1\nc: 2\n")
    assert [problem.split(":")[1] for problem in error.value.problems] == ["1", "2", "4"]


def test_aliases_of_aliases_do_not_fill_the_memory(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)]
    with pytest.raises(SpecError, match="more than 500,000 values") as error:
        read(tmp_path, "".join(lines))
    assert len(error.value.problems) == 1


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"nowhere\.yaml: no such file"):
        read_yaml(tmp_path / "nowhere.yaml")
    with pytest.raises(SpecError, match="is a folder"):
        read_yaml(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(SpecError, match="is not text: byte 6 is not UTF-8"):
        read_yaml(tmp_path / "binary.yaml")


YAML_PIECES = st.sampled_from(
    ["a", "b:", ": ", "- ", "\n", "\n  ", "{", "}", "[", "]", ",", "*x", "&x ", "!t ", "!!int ",
     "1e-4", "|", ">", "'", '"', "#", "<<: ", "? ", "~", "---\n", "%YAML 1.1\n", "é", "\x85", "0x"]
)  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(st.text(), st.lists(YAML_PIECES, max_size=25).map("".join)))
def test_any_text_is_read_or_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "space.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        read_yaml(tmp_path / "space.yaml")
    except SpecError as error:
        assert str(error).startswith(str(tmp_path / "space.yaml"))
