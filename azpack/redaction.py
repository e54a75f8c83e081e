"""Masking credentials in what is printed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# All before the last @ of a URL's authority: a password may hold another, and quotes.
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]+(?=@)")


def redact(text: str) -> str:
    """A text that may hold URLs, with the credentials in them masked."""
    return _CREDENTIALS.sub("****", text) if "://" in text else text


def redacted(value: Any) -> Any:
    """Plain values of any depth, with `redact` applied to each text in them."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {name: redacted(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted(item) for item in value]
    return value
