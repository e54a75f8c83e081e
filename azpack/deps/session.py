"""HTTP sessions: how azpack itself talks to indexes."""

from __future__ import annotations

import base64
import os
import socket
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, SSLError
from requests.utils import (
    DEFAULT_CA_BUNDLE_PATH,
    get_auth_from_url,
    select_proxy,
    should_bypass_proxies,
)

from azpack.deps.passwords import find_login
from azpack.errors import UsageError

if TYPE_CHECKING:
    from azpack.deps.index import IndexSettings

PASSING_FAULTS = {408, 425, 429, 500, 502, 503, 504}  # of which another attempt may know nothing
PROXY_REFUSES = "the proxy refuses the credentials"
_UNPROVEN = "the index asks for a client certificate that it knows"
_LISTENING = 2.0  # seconds for a server to say in TLS why it closes each connection
_CUT = ("eof occurred", "connection aborted", "connection closed", "reset by peer", "broken pipe")


def trusting_context(indexes: IndexSettings) -> ssl.SSLContext:
    """A TLS context with the authorities and the client certificate of the settings.

    Without any, the authorities are certifi's.

    Raises:
        UsageError: a file that the settings name is not what it should be.
    """
    bundle = indexes.certificates or DEFAULT_CA_BUNDLE_PATH
    try:
        if os.path.isfile(bundle):
            context = ssl.create_default_context(cafile=bundle)
        else:  # a folder, or several
            context = ssl.create_default_context(capath=bundle)
    except OSError as error:
        raise _bad_certificates(bundle, "the certificates in {} can't be read", error) from error
    if own := indexes.client_certificate:
        try:
            # Without an answer OpenSSL would ask for the password of a key on the terminal.
            context.load_cert_chain(own, password=lambda: "")
        except OSError as error:
            raise _bad_certificates(own, "{} is no certificate with its key", error) from error
    return context


def _bad_certificates(path: str, fault: str, error: OSError) -> UsageError:
    return UsageError(
        "bad-certificates",
        f"{fault.format(path)}: {error.strerror or error}",
        hint="check --cert and --client-cert, or where else they are named: both are in the form "
        "of PEM, and a key is without a password",
        context={"file": path},
    )


def authentication(indexes: IndexSettings, url: str) -> HTTPBasicAuth | None:
    """What proves to the server of `url` who asks, where the settings know."""
    # netrc is not left to requests, which would send text in Latin-1.
    login = indexes.credentials_for(url) or find_login(urlsplit(url).hostname or "")
    return basic_authentication(*login) if login else None


def basic_authentication(user: str, password: str) -> HTTPBasicAuth:
    """A user and a password as servers expect them, in UTF-8 (RFC 7617)."""
    return HTTPBasicAuth(user.encode(), password.encode())


def describe_failure(error: Exception, *, waited: float) -> str:
    """What a library's nested error comes down to, without its URL and objects.

    `waited` is for how many seconds no bytes came where that is what happened.
    """
    if isinstance(error, requests.TooManyRedirects):
        return "it redirects without end"
    if isinstance(error, (InvalidURL, InvalidSchema, MissingSchema)):
        return "that is no URL to ask"
    text = str(error)
    for sign, meaning in (
        ("Read timed out", f"no bytes came for {waited:g} seconds"),
        ("timed out", "the connection timed out"),
        ("CERTIFICATE_VERIFY_FAILED", "the certificate of the index can't be verified"),
        ("CERTIFICATE_REQUIRED", _UNPROVEN),
        ("UNKNOWN_CA", _UNPROVEN),
        (_UNPROVEN, _UNPROVEN),
        ("Tunnel connection failed: 407", PROXY_REFUSES),
        ("connect to proxy", "the proxy does not answer"),
        ("SSLError", "no secure connection can be made"),
        ("page is too large", "its page is too large"),
        ("Name or service not known", "the host's name is unknown"),
        ("Temporary failure in name resolution", "the host's name can't be looked up"),
        ("Connection refused", "the connection was refused"),
        ("IncompleteRead", "the connection was cut"),
        ("Connection aborted", "the connection was cut"),
        ("Connection reset", "the connection was reset"),
    ):
        if sign in text:
            return meaning
    return type(error).__name__


def is_cut(explanation: str) -> bool:
    """Whether a connection failed by being closed, in the words of uv, pip or OpenSSL."""
    known = explanation.lower()
    return any(sign in known for sign in _CUT)


def find_refusal(url: str, context: ssl.SSLContext) -> str | None:
    """What a server at an https URL says of the client's certificate, or the lack of one; or None.

    In TLS 1.3 a server judges that certificate when the client's handshake is over (RFC 8446,
    section 4.4). A request that is sent then can meet a closed connection, and the alert is lost:
    so nothing is sent here.
    """
    address = urlsplit(url)
    if address.scheme != "https" or not address.hostname:
        return None
    try:
        with (
            socket.create_connection((address.hostname, address.port or 443), _LISTENING) as plain,
            context.wrap_socket(plain, server_hostname=address.hostname) as connection,
        ):
            connection.recv(1)
    except ssl.SSLError as error:
        found = describe_failure(error, waited=_LISTENING)
        return found if found == _UNPROVEN else None
    except OSError:
        return None
    return None


def make_session(indexes: IndexSettings, context: ssl.SSLContext) -> requests.Session:
    """A session for one thread; any number of sessions can share the context."""
    session = _Session(indexes.proxy)
    adapter = _ContextAdapter(context)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _Session(requests.Session):
    """Goes by the proxy that is given, except where NO_PROXY says otherwise.

    By itself requests prefers the environment's proxies to a session's, and raises what no caller
    expects where a server redirects to what is no URL.
    """

    def __init__(self, proxy: str | None) -> None:
        super().__init__()
        self._proxy = proxy

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        if self._proxy and not should_bypass_proxies(url, no_proxy=None):
            proxies = {"http": self._proxy, "https": self._proxy}
        return super().merge_environment_settings(url, proxies, stream, verify, cert)

    def get_redirect_target(self, resp: Any) -> str | None:
        target: str | None = super().get_redirect_target(resp)
        try:
            urlsplit(target)
        except ValueError:
            raise InvalidURL("a redirect to what is no URL") from None
        return target


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

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        user, password = get_auth_from_url(proxy)
        if not user:
            return {}
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        return {"Proxy-Authorization": f"Basic {pair}"}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ARG002
        # Overridden, as its documentation offers: the authorities are in the context already.
        conn.cert_reqs = "CERT_REQUIRED"

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        # Else the bundle that a variable names would be loaded on top.
        try:
            return super().send(request, *args, **{**kwargs, "verify": True})
        except requests.ConnectionError as error:
            url = request.url or ""
            is_direct = not select_proxy(url, kwargs.get("proxies"))
            if is_direct and is_cut(str(error)) and (why := find_refusal(url, self._context)):
                raise SSLError(why, request=request) from error
            raise
