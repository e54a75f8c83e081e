from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from azpack import redaction
from azpack.redaction import conceal, redact, redacted

SECRET = "t0ken/+%@é"


@pytest.fixture(autouse=True)
def _nothing_concealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_concealed", set())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at https://me:s3cret@a.example/x", "at https://****@a.example/x"),
        ("at https://me:p@ss@a.example/x", "at https://****@a.example/x"),
        ("at https://a.example/x@y", "at https://a.example/x@y"),
        ("me@a.example", "me@a.example"),
    ],
)
def test_credentials_of_urls(text: str, shown: str) -> None:
    assert redact(text) == redacted(text) == shown
    assert redacted({"a": [text, (text, 1, None)]}) == {"a": [shown, [shown, 1, None]]}


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        quote(SECRET),
        base64.b64encode(f"me:{SECRET}".encode()).decode(),
        base64.b64encode(f"{SECRET}:".encode()).decode(),
    ],
)
def test_what_is_concealed(form: str) -> None:
    conceal(SECRET, user="me")
    assert redact(f"TOKEN={form}; and {form}") == "TOKEN=****; and ****"


def test_results_hold_no_other_texts_masked() -> None:
    conceal("requests")
    assert redact("requests") == "****"
    assert redacted({"name": "requests"}) == {"name": "requests"}


def test_a_short_word_is_no_token() -> None:
    conceal("app")
    assert redact("app.py") == "app.py"
