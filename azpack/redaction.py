"""Masking credentials in what is printed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# All before the last @ of a URL's authority: a password may hold another, and quotes.
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]+(?=@)")
# What stands for a password in the query of a URL: a signature of Azure's or Amazon's, a token.
_QUERY = r"(?:sig|signature|token|access_token|X-Amz-Signature|X-Amz-Security-Token)"
_QUERY_SECRET = re.compile(rf"(?<=[?&])({_QUERY}=)[^&#\s'\"]+", re.IGNORECASE)
# In a URL, written plainly: a password, a token in the user's place with a colon behind it or one
# as long as tokens are, or one in the query. `${NAME}` is none of them.
LITERAL_SECRET = re.compile(
    r"://(?:[^/@\s:]*:(?!\$\{)[^/@\s]+|(?!\$\{)[^/@\s:]+:|(?!\$\{)[^/@\s:]{20,})@"
    rf"|://\S+[?&]{_QUERY}=(?!\$\{{)[^&#\s'\"]",
    re.IGNORECASE,
)
# What is shorter is no token, and may well be a word of the text.
_SHORTEST = 8
# Secrets become known in many places, and programs that azpack runs may print any of them: a
# build backend its environment, for one.
_concealed: set[str] = set()


def conceal(secret: str, *, user: str = "") -> None:
    """From now on `redact` masks this secret too, plain, percent-encoded and as basic auth."""
    import base64
    from urllib.parse import quote, quote_plus

    if len(secret) < _SHORTEST or secret in _concealed:
        return
    encoded = {quote(secret, safe=safe) for safe in ("", ":", "/", "/:@+!$&'()*,;=~")}
    encoded |= {quote_plus(secret)}
    encoded |= {re.sub("%..", lambda it: it[0].lower(), text) for text in encoded}
    pairs = {f"{user}:{secret}", f"{secret}:"}
    basic = {base64.b64encode(pair.encode()).decode() for pair in pairs}
    _concealed.update({secret, *encoded, *basic})


def redact(text: str) -> str:
    """A text that may hold secrets, with the credentials of URLs and what is concealed masked."""
    text = _in_urls(text)
    # The longest first: one form may begin as another does.
    for secret in sorted(_concealed, key=len, reverse=True):
        text = text.replace(secret, "****")
    return text


def redacted(value: Any) -> Any:
    """Plain values of any depth, with the credentials of URLs masked in each text in them."""
    if isinstance(value, str):
        return _in_urls(value)
    if isinstance(value, Mapping):
        return {name: redacted(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted(item) for item in value]
    return value


def _in_urls(text: str) -> str:
    if "://" not in text:
        return text
    return _QUERY_SECRET.sub(r"\1****", _CREDENTIALS.sub("****", text))
