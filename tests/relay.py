"""A relay before a container engine: what is asked of it, and its end at any moment."""

from __future__ import annotations

import re
import shutil
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["EngineRelay"]

_REQUEST = re.compile(rb"(?:^|\r\n)(GET|POST|PUT|HEAD|DELETE) (/\S*) HTTP/1\.1\r\n")
_CREATED = re.compile(r"/containers/create\?name=([\w-]+)")


class EngineRelay:
    """Hands what comes on a socket of its own to the engine at `host`, while the block lasts.

    `asked` are the requests so far, such as "GET /v1.41/info"; `connections` counts who came.
    """

    def __init__(self, host: str) -> None:
        self.asked: list[str] = []
        self.connections = 0
        self._engine = host
        # Short, since the path of a socket may not be long.
        self._folder = Path(tempfile.mkdtemp(prefix="relay-"))
        self._open: list[socket.socket] = []
        self._threads: list[Thread] = []
        self._lock = Lock()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self._folder / "engine.sock"))
        self._server.listen(64)
        self._thread = Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cut()

    @property
    def host(self) -> str:
        """The DOCKER_HOST to come by."""
        return f"unix://{self._folder}/engine.sock"

    def containers(self) -> list[str]:
        """The names of the containers that were asked for."""
        found = [_CREATED.search(request) for request in list(self.asked)]
        return [match[1] for match in found if match]

    def cut(self) -> None:
        """Go away, as an engine does that is killed: all connections end, and the socket."""
        shutil.rmtree(self._folder, ignore_errors=True)
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):  # the end
            while True:
                connection, _ = self._server.accept()
                thread = Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, _connect(self._engine) as other:
            with self._lock:
                self.connections += 1
                self._open += [connection, other]
            back = Thread(target=self._pass_on, args=(other, connection), daemon=True)
            back.start()
            self._pass_on(connection, other, note=self._note)
            back.join()
            with self._lock:
                self._open = [it for it in self._open if it not in (connection, other)]

    def _pass_on(
        self,
        source: socket.socket,
        sink: socket.socket,
        note: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                note(data)
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _note(self, data: bytes) -> None:
        found = _REQUEST.findall(data)
        self.asked += [f"{method.decode()} {path.decode()}" for method, path in found]


def _connect(host: str) -> socket.socket:
    parts = urlsplit(host)
    if parts.scheme == "tcp":
        return socket.create_connection((parts.hostname or "", parts.port or 0))
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(parts.path)
    return connection
