"""A proxy for tests: it forwards HTTP, tunnels HTTPS, and can ask for a password."""

from __future__ import annotations

import base64
import select
import socket
from contextlib import suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["ProxyServer"]

_OF_THE_CONNECTION = {"proxy-authorization", "proxy-connection", "connection", "host"}


class ProxyServer:
    """A proxy on 127.0.0.1; `asked` are the hosts and ports that it was to reach, in order.

    To it every host is this machine: what has an unknown name is reached by it alone.
    """

    def __init__(self, *, user: str = "", password: str = "") -> None:
        self.user = user
        self.password = password
        self.asked: list[str] = []
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The proxy's URL, without the password."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def admits(self, authorization: str | None) -> bool:
        if not self.password:
            return True
        pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return authorization == f"Basic {pair}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no error."""


def _handler_of(proxy: ProxyServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            if not self._admitted(self.path):
                return
            with socket.create_connection(("127.0.0.1", _port(self.path))) as other:
                self.send_response(200)
                self.end_headers()
                self.wfile.flush()
                with suppress(OSError):
                    _tunnel(self.connection, other)
            self.close_connection = True

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if not self._admitted(parts.netloc):
                return
            connection = HTTPConnection("127.0.0.1", _port(parts.netloc))
            kept = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in _OF_THE_CONNECTION
            }
            connection.request(self.command, parts.path, headers=kept)
            response = connection.getresponse()
            content = response.read()
            self.send_response(response.status)
            for name, value in response.getheaders():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            connection.close()

        do_HEAD = do_GET  # noqa: N815  # http.server asks for this name

        def _admitted(self, netloc: str) -> bool:
            proxy.asked.append(netloc)
            if proxy.admits(self.headers["Proxy-Authorization"]):
                return True
            self.send_response(407)
            self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False

        def log_message(self, *_: object) -> None:
            """Tests look at what was asked; nobody reads a log."""

    return Handler


def _port(netloc: str) -> int:
    return int(netloc.rpartition(":")[2])


def _tunnel(one: socket.socket, other: socket.socket) -> None:
    while True:
        ready, _, _ = select.select([one, other], [], [])
        for source in ready:
            data = source.recv(1 << 16)
            if not data:
                return
            (other if source is one else one).sendall(data)
