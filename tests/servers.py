"""An index server for tests: the simple API over a folder of distributions, faults on demand."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import socket
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit
from zipfile import ZipFile

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["Asked", "Fault", "Form", "IndexServer"]

_JSON = "application/vnd.pypi.simple.v1+json"

_PIECE = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What a path does in place of a good answer, so many `times` (None: always).

    `status` alone answers with that status; `location` redirects to a URL. Otherwise the answer
    is announced as usual, with `content` in place of the file's: `cut_after` so many bytes the
    connection is closed, `stall_after` so many bytes nothing more comes. With a `method` this
    is for that one alone.
    """

    status: int | None = None
    location: str = ""
    content: bytes | None = None
    cut_after: int | None = None
    stall_after: int | None = None
    times: int | None = None
    method: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that the server got."""

    path: str
    authorization: str | None
    range: str | None
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What an index says of its files, and how.

    `as_json` is the form of PEP 691, given to who accepts it; else that of PEP 503. `metadata`
    is there beside the wheels (PEP 658), and `yanked` has reasons by filename (PEP 592).
    """

    as_json: bool = False
    hashes: bool = True
    metadata: bool = True
    yanked: Mapping[str, str] = field(default_factory=dict)


class IndexServer:
    """Serves the wheels and sdists in a folder, on 127.0.0.1, while the `with` block lasts.

    Pages are at `/simple/NAME/`, files at `/files/FILENAME`, the metadata of wheels beside them, so
    that a resolver has no need of the wheels. With a `password` all of it needs basic
    authentication, with a `context` it is over TLS. `faults` are by path, without a slash at its
    end, and may be changed at any time, as `form` may; `asked` are the requests so far. `ranges`
    says whether it honours them, `rate` is how many bytes of a file it sends in a second.
    """

    def __init__(
        self,
        folder: Path,
        *,
        user: str = "",
        password: str = "",
        ranges: bool = True,
        form: Form = Form(),
        rate: float | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.folder = folder
        self.user = user
        self.password = password
        self.ranges = ranges
        self.form = form
        self.rate = rate
        self.faults: dict[str, Fault] = {}
        self.asked: list[Asked] = []
        self.closing = Event()
        self._lock = Lock()
        # Listening from here on, so that its address is known before it answers.
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        self._scheme = "https" if context else "http"
        if context:
            # Each thread does its own handshake: one that fails is not to stop the others.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
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
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        port: int = self._server.server_address[1]
        return port

    @property
    def url(self) -> str:
        """The index's URL, without the password."""
        return f"{self._scheme}://127.0.0.1:{self.port}/simple"

    def url_as(self, user: str, password: str) -> str:
        """The index's URL with credentials, which are put in as they are given."""
        return self.url.replace("://", f"://{user}:{password}@")

    def file_url(self, filename: str, *, host: str = "127.0.0.1") -> str:
        return f"{self._scheme}://{host}:{self.port}/files/{quote(filename)}"

    def paths_asked(self) -> list[str]:
        return [asked.path for asked in self.asked]

    def note(self, asked: Asked) -> None:
        with self._lock:
            self.asked.append(asked)

    def take_fault(self, path: str, method: str) -> Fault | None:
        """The fault of a path, which is used up by it where it is for so many times."""
        with self._lock:
            path = path.rstrip("/")
            fault = self.faults.get(path)
            if fault is None or fault.method not in ("", method):
                return None
            if fault.times is None:
                return fault
            if fault.times == 0:
                return None
            self.faults[path] = replace(fault, times=fault.times - 1)
            return fault

    def admits(self, authorization: str | None) -> bool:
        if not self.password:
            return True
        pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return authorization == f"Basic {pair}"

    def content(self, path: str, accept: str = "") -> tuple[str, bytes] | None:
        """The type and the bytes at a path; None where there is nothing."""
        parts = path.strip("/").split("/")
        if parts[0] == "files" and parts[-1].endswith(".whl.metadata"):
            file = self.folder / parts[1].removesuffix(".metadata")
            return ("text/plain", _metadata(file)) if self._has_metadata(file) else None
        if parts[0] == "files" and len(parts) == 2:
            file = self.folder / parts[1]
            return ("application/octet-stream", file.read_bytes()) if file.is_file() else None
        if parts[0] == "simple" and len(parts) == 2:
            files = [file for file in sorted(self.folder.iterdir()) if _project(file) == parts[1]]
            if files and self.form.as_json and _JSON in accept:
                return _JSON, self._page_in_json(parts[1], files)
            return ("text/html", self._page(files)) if files else None
        return None

    def _has_metadata(self, file: Path) -> bool:
        return self.form.metadata and file.suffix == ".whl" and file.is_file()

    def _page_in_json(self, name: str, files: list[Path]) -> bytes:
        rows = []
        for file in files:
            row: dict[str, object] = {"filename": file.name, "url": f"/files/{quote(file.name)}"}
            row["hashes"] = {"sha256": _sha256(file.read_bytes())} if self.form.hashes else {}
            if self._has_metadata(file):
                row["core-metadata"] = {"sha256": _sha256(_metadata(file))}
            if file.suffix == ".whl" and (found := _requires_python(file)):
                row["requires-python"] = found
            if file.name in self.form.yanked:
                row["yanked"] = self.form.yanked[file.name] or True
            rows.append(row)
        return json.dumps({"meta": {"api-version": "1.0"}, "name": name, "files": rows}).encode()

    def _page(self, files: list[Path]) -> bytes:
        links = []
        for file in files:
            url = f"/files/{quote(file.name)}"
            if self.form.hashes:
                url += f"#sha256={_sha256(file.read_bytes())}"
            attributes = {"href": url}
            if self._has_metadata(file):
                attributes["data-core-metadata"] = f"sha256={_sha256(_metadata(file))}"
            if file.suffix == ".whl" and (found := _requires_python(file)):
                attributes["data-requires-python"] = found
            if file.name in self.form.yanked:
                attributes["data-yanked"] = self.form.yanked[file.name]
            text = " ".join(f'{name}="{html.escape(it)}"' for name, it in attributes.items())
            links.append(f"<a {text}>{html.escape(file.name)}</a><br>")
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _requires_python(wheel: Path) -> str:
    found = re.search(rb"^Requires-Python: (.+)$", _metadata(wheel), re.MULTILINE)
    return found[1].decode() if found else ""


def _project(file: Path) -> str:
    """The name of the project that a distribution is of (PEP 503)."""
    stem = file.name.removesuffix(".tar.gz")
    name = stem.split("-")[0] if file.suffix == ".whl" else stem.rpartition("-")[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def _metadata(wheel: Path) -> bytes:
    with ZipFile(wheel) as opened:
        name = next(name for name in opened.namelist() if name.endswith(".dist-info/METADATA"))
        return opened.read(name)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # who comes at once is to be let in at once

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no error."""


def _handler_of(index: IndexServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            authorization = self.headers["Authorization"]
            asked = Asked(
                path=path,
                authorization=authorization,
                range=self.headers["Range"],
                method=self.command,
            )
            index.note(asked)
            if not index.admits(authorization):
                self._empty(401, {"WWW-Authenticate": 'Basic realm="index"'})
            elif (fault := index.take_fault(path, self.command)) is None:
                self._answer(path, Fault())
            elif fault.location:
                self._empty(302, {"Location": fault.location})
            elif fault.status is not None:
                self._empty(fault.status, {})
            else:
                self._answer(path, fault)

        do_HEAD = do_GET  # noqa: N815  # http.server asks for this name

        def _empty(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def _answer(self, path: str, fault: Fault) -> None:
            found = index.content(path, self.headers["Accept"] or "")
            if found is None:
                self._empty(404, {})
                return
            kind, content = found
            if fault.content is not None:
                content = fault.content
            start = self._start(len(content))
            self.send_response(200 if start is None else 206)
            self.send_header("Content-Type", kind)
            # So that no client keeps a page for the next test that gets the same port.
            self.send_header("Cache-Control", "no-store")
            if start is not None:
                total = len(content)
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
                content = content[start:]
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self._send(content, fault)

        def _start(self, length: int) -> int | None:
            """Where the range that is asked for starts, where ranges are honoured."""
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
            if not index.ranges or asked is None or int(asked[1]) >= length:
                return None
            return int(asked[1])

        def _send(self, content: bytes, fault: Fault) -> None:
            limits = [end for end in (fault.cut_after, fault.stall_after) if end is not None]
            for start in range(0, len(content[: min(limits, default=None)]), _PIECE):
                piece = content[start : min([start + _PIECE, *limits])]
                self.wfile.write(piece)
                if index.rate and index.closing.wait(len(piece) / index.rate):
                    return
            if limits:
                self.wfile.flush()
                if fault.stall_after is not None:
                    index.closing.wait()
                self.close_connection = True
                with suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_: object) -> None:
            """Tests look at what was asked; nobody reads a log."""

    return Handler
