"""A certificate authority of the tests' own."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Authority"]


class Authority:
    """Issues certificates to servers and clients; nobody else trusts it."""

    def __init__(self) -> None:
        self._authority = trustme.CA()

    def bundle(self, path: Path) -> Path:
        """Write the authority's own certificate to `path`."""
        path.write_bytes(self._authority.cert_pem.bytes())
        return path

    def server_context(self, *names: str, clients: Authority | None = None) -> ssl.SSLContext:
        """What a server of these names speaks TLS with, to all or to this authority's clients."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert(*names).configure_cert(context)
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            clients._authority.configure_trust(context)
        return context

    def client_certificate(self, path: Path) -> Path:
        """Write a client's key and certificate to `path`."""
        issued = self._authority.issue_cert("me@tests.example")
        path.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
        return path
