from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azpack.app.json_text import JsonError, parse_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.sampled_from([None, 1]), st.booleans())
def test_json_is_read_as_python_reads_it(value: object, indent: int | None, ascii_: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_)
    data = text.encode("utf-8", "surrogatepass")
    if "\ufffd" not in data.decode("utf-8", "replace"):
        assert parse_json(data).value == json.loads(text)


@given(
    st.binary(max_size=60)
    | st.text(alphabet="[]{}\"':,/*\\ntue1.-\n ", max_size=60).map(str.encode)
)
def test_anything_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(JsonError):
        parse_json(data)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{} // the end", {}),
        ("/* a\n*/ {'a': 'b', c: [1, 2,],}", {"a": "b", "c": [1, 2]}),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ("\ufeff[true, null, undefined]", [True, None, None]),
        ("[0x10, +1, .5, 1., -2e3, 1e2]", [16, 1, 0.5, 1.0, -2000.0, 100.0]),
        (r'["\u00e9\n\'", "a//b", "/*c*/"]', ["é\n'", "a//b", "/*c*/"]),
        ('"a\nb"', "a\nb"),
        ("[-Infinity]", [float("-inf")]),
    ],
)
def test_more_than_json_is_read(text: str, value: object) -> None:
    assert parse_json(text.encode()).value == value


def test_encodings() -> None:
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        assert parse_json('{"a": "é"}'.encode(encoding)).value == {"a": "é"}
    assert parse_json(b'"\xff"').value == "\ufffd"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "it ends where a value should be"),
        ("\n\n{", 3, "this { is not closed"),
        ("[1,\n2", 1, "this [ is not closed"),
        ("[\n1 2]", 2, "there is '2' where a comma or ] should be"),
        ('{"a"\n1}', 2, "there is no colon after the name 'a'"),
        ("{\n-: 1}", 2, "there is '-' where a name should be"),
        ('["a\n', 1, "this string is not closed"),
        (r'["\x"]', 1, r"there is no escape \x"),
        (r'["\u12"]', 1, r"there is no escape \u"),
        ("/* a", 1, "a comment is not closed"),
        ("{}\n{}", 2, "there is more after the end of the JSON"),
        ("[,1]", 1, "there is ',' where a value should be"),
        ("[" * 100_000, 1, "it is nested deeper than 64 levels"),
        ("True", 1, "there is 'T' where a value should be"),
    ],
)
def test_what_is_refused(text: str, line: int, message: str) -> None:
    with pytest.raises(JsonError) as caught:
        parse_json(text.encode())
    assert (caught.value.message, caught.value.line) == (message, line)


def test_long_numbers() -> None:
    assert parse_json(b"9" * 5000).value == float("inf")
    assert parse_json(b"9" * 30).value == int("9" * 30)


def test_lines_of_values() -> None:
    document = parse_json(b'{\n "a": [\n  1,\n  {"b":\n 2}],\n "c": 3\n}')
    assert document.line() == 1
    assert document.line("a") == 2
    assert document.line("a", 1) == 4
    assert document.line("a", 1, "b") == 5
    assert document.line("a", 1, "missing") == 4
    assert document.line("c") == 6
    assert document.line("missing") == 1
