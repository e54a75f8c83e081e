"""HTTP sessions: how azpack itself talks to indexes."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from requests.utils import DEFAULT_CA_BUNDLE_PATH

if TYPE_CHECKING:
    from azpack.deps.index import IndexSettings


def trusting_context(certificates: str | None) -> ssl.SSLContext:
    """A TLS context that trusts the authorities in `certificates`, a file or a folder.

    Without one, those that requests would trust: its variables, else certifi's.
    """
    bundle = (
        certificates
        or os.environ.get("REQUESTS_CA_BUNDLE")
        or os.environ.get("CURL_CA_BUNDLE")
        or DEFAULT_CA_BUNDLE_PATH
    )
    if os.path.isdir(bundle):
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)


def authentication(indexes: IndexSettings, url: str) -> HTTPBasicAuth | None:
    """What proves to the server of `url` who asks, where the settings know."""
    found = indexes.credentials_for(url)
    # As bytes: text would be sent in Latin-1, and servers expect UTF-8 (RFC 7617).
    return HTTPBasicAuth(found[0].encode(), found[1].encode()) if found else None


def make_session(context: ssl.SSLContext) -> requests.Session:
    """A session for one thread; any number of sessions can share the context."""
    session = requests.Session()
    session.mount("https://", _ContextAdapter(context))
    return session


class _ContextAdapter(HTTPAdapter):
    """Uses one TLS context for all connections.

    By itself requests loads the authorities anew for each connection, which takes longer than
    to receive a small wheel.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        return super().proxy_manager_for(*args, ssl_context=self._context, **kwargs)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ARG002
        # Overridden, as its documentation offers: the authorities are in the context already.
        conn.cert_reqs = "CERT_REQUIRED"

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        # Else the bundle that a variable names would be loaded on top.
        return super().send(request, *args, **{**kwargs, "verify": True})
