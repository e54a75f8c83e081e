"""pypiserver: an index server of the kind that is in use."""

from __future__ import annotations

import base64
import hashlib
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["PypiServer", "run_pypiserver"]


@dataclass(frozen=True, kw_only=True)
class PypiServer:
    """A server that runs; `url` is without the password, `log` a file."""

    url: str
    log: Path


@contextmanager
def run_pypiserver(
    packages: Path, *, user: str = "", password: str = "", fallback: str = ""
) -> Iterator[PypiServer]:
    """Serve a folder; unknown names are sent on to the index `fallback`, if there is one."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    log = packages.parent / "pypiserver.log"
    options = ["--fallback-url", fallback] if fallback else ["--disable-fallback"]
    if password:
        passwords = packages.parent / "htpasswd"
        digest = base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()  # noqa: S324
        passwords.write_text(f"{user}:{{SHA}}{digest}\n", encoding="utf-8")
        options += ["-a", "download,list", "-P", str(passwords)]
    command = [
        sys.executable, "-W", "ignore", "-m", "pypiserver", "run", "-i", "127.0.0.1",
        "-p", str(port), "--server", "wsgiref", "-v", "--log-file", str(log), *options,
        str(packages),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(f"http://127.0.0.1:{port}/health")
            yield PypiServer(url=f"http://127.0.0.1:{port}/simple/", log=log)
        finally:
            server.kill()


def _wait_for(url: str) -> None:
    for _ in range(200):
        try:
            with urlopen(url):  # noqa: S310  # it is of this machine
                return
        except URLError:
            time.sleep(0.05)
    raise AssertionError(f"{url} does not answer")
