"""An image registry for tests: the part of its API that an engine pulls by."""

from __future__ import annotations

import gzip
import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["Registry"]

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


class Registry:
    """Serves the image `made` of one layer, for each of the architectures, while the block lasts.

    `digest` is that of the list of its manifests, by which the image is the same everywhere.
    """

    def __init__(self, root: bytes, *architectures: str) -> None:
        self._blobs: dict[str, tuple[str, bytes]] = {}
        listed = [self._add_image(root, architecture) for architecture in architectures]
        whole = {"schemaVersion": 2, "mediaType": _LIST, "manifests": listed}
        self.digest = self._add(_LIST, json.dumps(whole).encode())
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self.image = f"127.0.0.1:{self._server.server_port}/made:1"

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

    def _add(self, kind: str, content: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self._blobs[digest] = (kind, content)
        return digest

    def _add_image(self, root: bytes, architecture: str) -> dict[str, Any]:
        layer = gzip.compress(root, mtime=0)
        config = json.dumps(
            {
                "architecture": architecture,
                "os": "linux",
                "config": {"Env": ["PATH=/usr/bin:/bin"]},
                "rootfs": {
                    "type": "layers",
                    "diff_ids": [f"sha256:{hashlib.sha256(root).hexdigest()}"],
                },
            }
        ).encode()
        parts = [
            {"mediaType": kind, "size": len(content), "digest": self._add(kind, content)}
            for kind, content in (
                ("application/vnd.docker.container.image.v1+json", config),
                ("application/vnd.docker.image.rootfs.diff.tar.gzip", layer),
            )
        ]
        manifest = json.dumps(
            {"schemaVersion": 2, "mediaType": _MANIFEST, "config": parts[0], "layers": parts[1:]}
        ).encode()
        return {
            "mediaType": _MANIFEST,
            "size": len(manifest),
            "digest": self._add(_MANIFEST, manifest),
            "platform": {"os": "linux", "architecture": architecture},
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the library's name
                name = self.path.rpartition("/")[2]
                status = 200
                if self.path == "/v2/":
                    kind, content = "application/json", b"{}"
                elif name == "1" or name in registry._blobs:
                    kind, content = registry._blobs[registry.digest if name == "1" else name]
                else:
                    unknown = [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]
                    status, kind = 404, "application/json"
                    content = json.dumps({"errors": unknown}).encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.send_header(
                    "Docker-Content-Digest", f"sha256:{hashlib.sha256(content).hexdigest()}"
                )
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            do_HEAD = do_GET  # noqa: N815  # the library's name

            def log_message(self, *_: object) -> None:
                pass

        return Handler
