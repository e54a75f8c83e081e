"""Which authorities are trusted and which certificate is shown: the files that the settings name.

Both halves of azpack, the resolver and the downloads, are given the same ones.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from azpack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["connection_hint", "find_authorities", "find_client_certificate"]

# As requests reads them, then as OpenSSL and uv do; the last one names folders.
_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
_UNTRUSTED = (
    "if the index has a certificate of your own authority, name that one's with --cert FILE"
)
_UNPROVEN = "name a certificate that the index knows, with its key, with --client-cert FILE"
_NO_PROXY = "put user and password into the proxy's URL, and write / as %2F and @ as %40 in them"
# As uv says it, as OpenSSL does, as proxies do, and as azpack itself does.
_HINTS = {
    "invalid peer certificate": _UNTRUSTED,
    "certificate verify failed": _UNTRUSTED,
    "certificaterequired": _UNPROVEN,
    "certificate required": _UNPROVEN,
    "fatal alert: unknownca": _UNPROVEN,
    "alert unknown ca": _UNPROVEN,
    "proxy authorization required": _NO_PROXY,
    "proxy authentication required": _NO_PROXY,
    "tunnel connection failed: 407": _NO_PROXY,
    "the certificate of the index can't be verified": _UNTRUSTED,
    "asks for a client certificate": _UNPROVEN,
    "the proxy refuses the credentials": _NO_PROXY,
}


def find_authorities(
    chosen: str | None, pip: Mapping[str, str], environ: Mapping[str, str]
) -> str | None:
    """The file or folder of the authorities to trust, or None for the usual ones.

    Raises:
        UsageError: it is not there, can't be read, or holds no certificate.
    """
    for place, path in (
        ("--cert", chosen),
        ("pip's cert", pip.get("cert")),
        *((name, environ.get(name)) for name in _VARIABLES),
    ):
        if path:
            return path if place == "SSL_CERT_DIR" else _checked(path, place)
    return None


def find_client_certificate(
    chosen: str | None, pip: Mapping[str, str], environ: Mapping[str, str]
) -> str | None:
    """The file with a certificate and its key that shows servers who asks, or None.

    Raises:
        UsageError: it is not there, can't be read, or holds no certificate or no key.
    """
    for place, path in (
        ("--client-cert", chosen),
        ("pip's client-cert", pip.get("client-cert")),
        ("SSL_CLIENT_CERT", environ.get("SSL_CLIENT_CERT")),
    ):
        if path:
            return _checked(path, place, key=True)
    return None


def _checked(name: str, place: str, *, key: bool = False) -> str:
    """The path, usable from any working folder; what only OpenSSL can tell is not found here."""
    path = Path(os.path.expanduser(name)).absolute()
    if path.is_dir() and not key:
        return str(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(
            "no-certificates",
            f"{path}, which {place} names, can't be read: {error.strerror}",
            hint="name a file in the form of PEM",
            context={"file": str(path)},
        ) from error
    wanted = {b"CERTIFICATE-----": "certificate", **({b"KEY-----": "private key"} if key else {})}
    for sign, what in wanted.items():
        if sign not in content:
            raise UsageError(
                "bad-certificates",
                f"{path}, which {place} names, holds no {what} in the form of PEM",
                hint="it has to begin with -----BEGIN; openssl x509 converts other forms"
                if not key
                else "it has to hold both, the certificate and its key, one behind the other",
                context={"file": str(path)},
            )
    return str(path)


def connection_hint(explanation: str) -> str | None:
    """What to do about a connection that failed for want of trust, whoever said so; or None."""
    known = explanation.lower().replace("_", " ")
    for sign, hint in _HINTS.items():
        if sign in known:
            return hint
    return None
