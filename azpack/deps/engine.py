"""Finds a container engine and talks to it through Docker's API: Docker, Docker Desktop, Podman.

Which engine is asked is as for the docker program: DOCKER_HOST, else the current docker context.
Where neither names one, the usual sockets are tried.
"""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azpack.errors import AzpackError, FileError, UnreachableError, WheelError
from azpack.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from docker import APIClient
    from docker.errors import DockerException
    from docker.tls import TLSConfig
    from docker.transport.unixconn import UnixHTTPConnectionPool
    from typing_extensions import Self

    from azpack.deps.ssh_tunnel import SshTunnel

_CONNECT_SECONDS = 15
_SSH_SECONDS = 40
_ANSWER_SECONDS = 120
_DENIED = "permission denied"
_OLDEST_API = "1.41"  # Docker 20.10, Podman 4
# Asked after half a minute of silence, then every ten seconds; not all systems have all of them.
_KEEP_ALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 6))
        if hasattr(socket, name)
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An engine that may be there; `source` says who names it."""

    address: str
    source: str
    tls: TLSConfig | None = None


class Engine:
    """A container engine that answered. Any thread may use it; each has a client of its own."""

    def __init__(
        self,
        *,
        address: str,
        base_url: str,
        version: str,
        tls: TLSConfig | None = None,
        tunnel: SshTunnel | None = None,
    ) -> None:
        """Use the engine at `base_url`, a URL for the docker library.

        `address` names it to people; `version` is that of the API, such as "1.41".
        """
        self.address = address
        self._base_url = base_url
        self._version = version
        self._tls = tls
        self._tunnel = tunnel
        self._local = threading.local()

    def __enter__(self) -> Self:
        """Use it until `__exit__` closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the connection."""
        self.close()

    def client(self) -> APIClient:
        """The client of this thread: its session is not made for several."""
        client: APIClient | None = getattr(self._local, "client", None)
        if client is None:
            client = _make_client(self._base_url, self._version, _ANSWER_SECONDS, self._tls)
            self._local.client = client
        return client

    def cores(self) -> int:
        """The number of processors that the engine gives its containers.

        Raises:
            UnreachableError: the engine does not answer any more.
        """
        with engine_errors(self):
            return max(1, int(self.client().info().get("NCPU") or 1))

    def close(self) -> None:
        """End the connection; clients of other threads end with their threads."""
        client: APIClient | None = getattr(self._local, "client", None)
        if client is not None:
            client.close()
            del self._local.client
        if self._tunnel is not None:
            self._tunnel.close()


def connect(environ: Mapping[str, str]) -> Engine:
    """Find the engine that the environment and the docker configuration name, and greet it.

    Takes at most some seconds for each engine that is tried.

    Raises:
        UnreachableError: no engine answers; the message says what was tried.
    """
    faults = {}
    try:
        candidates = find_candidates(environ)
    except _BadSettingError as error:
        raise _no_engine({str(error): error.fault}, environ) from error
    for candidate in candidates:
        try:
            return _greet(candidate)
        except _NoAnswerError as error:
            faults[f"{redact(candidate.address)} ({candidate.source})"] = str(error)
    raise _no_engine(faults, environ)


def find_candidates(environ: Mapping[str, str]) -> list[Candidate]:
    """The engines to try, in order: the one that is named, or those that are usual."""
    from docker.errors import TLSParameterError
    from docker.utils import kwargs_from_env

    if host := environ.get("DOCKER_HOST"):
        try:
            tls = kwargs_from_env(environment=dict(environ)).get("tls")
        except TLSParameterError as error:
            raise _BadSettingError(f"{redact(host)} (DOCKER_HOST)", error.msg) from error
        return [Candidate(address=host, source="DOCKER_HOST", tls=tls)]
    return _of_context(environ) or _usual(environ)


def _of_context(environ: Mapping[str, str]) -> list[Candidate]:
    from docker.context import Context
    from docker.context.config import get_current_context_name

    chosen = environ.get("DOCKER_CONTEXT")
    name = chosen or get_current_context_name() or "default"
    if name == "default":
        return []
    source = f"docker context {name}"
    try:
        context = Context.load_context(name)
    except Exception as error:  # the library's own word for a damaged file
        raise _BadSettingError(source, str(error)) from error
    if context is None or not context.Host:
        raise _BadSettingError(source, "there is no such context")
    return [Candidate(address=context.Host, source=source, tls=context.TLSConfig)]


def _usual(environ: Mapping[str, str]) -> list[Candidate]:
    sockets = [("/var/run/docker.sock", "Docker")]
    if home := environ.get("HOME"):
        sockets.append((f"{home}/.docker/run/docker.sock", "Docker Desktop"))
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        sockets.append((f"{runtime}/podman/podman.sock", "Podman"))
    sockets.append(("/run/podman/podman.sock", "Podman as root"))
    return [Candidate(address=f"unix://{path}", source=source) for path, source in sockets]


class _BadSettingError(Exception):
    """What names the engine is wrong itself."""

    def __init__(self, setting: str, fault: str) -> None:
        super().__init__(setting)
        self.fault = fault


class _NoAnswerError(Exception):
    """Why an engine can't be used."""


def _greet(candidate: Candidate) -> Engine:
    from azpack.deps.ssh_tunnel import SshTunnel

    address, tunnel, seconds = candidate.address, None, _CONNECT_SECONDS
    try:
        if candidate.address.startswith("ssh://"):
            tunnel = SshTunnel(candidate.address)
            address, seconds = f"unix://{tunnel.socket}", _SSH_SECONDS
        client = _make_client(address, _OLDEST_API, seconds, candidate.tls)
        with client:
            version = str(client.version(api_version=False)["ApiVersion"])
    except Exception as error:
        fault = tunnel.fault() if tunnel else ""
        if tunnel:
            tunnel.close()
        raise _NoAnswerError(fault or explain(error, seconds)) from error
    return Engine(
        address=redact(candidate.address),
        base_url=address,
        version=version,
        tls=candidate.tls,
        tunnel=tunnel,
    )


def _make_client(base_url: str, version: str, seconds: int, tls: TLSConfig | None) -> APIClient:
    from docker import APIClient

    client = APIClient(base_url=base_url, version=version, timeout=seconds, tls=tls or False)
    # An engine is not behind a proxy for the web, nor is its certificate from the authorities
    # of REQUESTS_CA_BUNDLE, which would take the place of the engine's own.
    client.trust_env = False
    _set_connections(client, seconds)
    return client


def _set_connections(client: APIClient, seconds: int) -> None:
    from docker.transport import UnixHTTPAdapter
    from requests.adapters import HTTPAdapter

    class Keeping(UnixHTTPAdapter):
        """The library has a connection for each URL, and with ssh a login."""

        def get_connection(self, url: bytes | str, proxies: Any = None) -> UnixHTTPConnectionPool:  # noqa: ARG002
            return super().get_connection("http+docker://localhost")

    class Watching(HTTPAdapter):
        """Notices an engine that vanished without a word, while it has nothing to say for long."""

        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs, socket_options=_KEEP_ALIVE)

    adapter = client.get_adapter(client.base_url)
    if isinstance(adapter, UnixHTTPAdapter):
        client.mount("http+docker://", Keeping(adapter.socket_path, seconds))
    else:
        client.mount(client.base_url, Watching())


def _no_engine(faults: Mapping[str, str], environ: Mapping[str, str]) -> UnreachableError:
    lines = "".join(f"\n  {what}: {fault}" for what, fault in faults.items())
    hint = "start Docker or Podman"
    if any(_DENIED in fault for fault in faults.values()):
        hint = (
            "the socket is for members of its group: 'sudo usermod -aG docker $USER', then log in "
            "again"
        )
    if not environ.get("DOCKER_HOST"):
        hint += "; or name another engine in DOCKER_HOST"
    return UnreachableError(
        "no-engine",
        f"no container engine answers{lines}",
        hint=f"{hint}; or do without: choose versions that have a wheel, or let the platform "
        "build, with --mode remote",
        context={"tried": [{"engine": what, "fault": fault} for what, fault in faults.items()]},
    )


def explain(error: BaseException, seconds: float) -> str:
    """What the nested error of a library comes down to.

    `seconds` is for how long an answer was waited for, where that is what happened.
    """
    import requests

    chain = list(_nested(error))
    for kind, words in (
        (PermissionError, _DENIED),
        (FileNotFoundError, "there is no such socket"),
        (ConnectionRefusedError, "connection refused: nothing is there"),
        (socket.gaierror, "there is no such host"),
        ((TimeoutError, requests.Timeout), f"no answer within {seconds:.0f} seconds"),
    ):
        if any(isinstance(item, kind) for item in chain):
            return words
    for item in chain:
        if isinstance(item, ssl.SSLError):
            verdict = getattr(item, "verify_message", "") or getattr(item, "reason", "")
            return f"TLS: {verdict or item}"
    deepest = next((item for item in reversed(chain) if isinstance(item, OSError)), error)
    return redact(str(getattr(deepest, "strerror", None) or deepest)).strip() or repr(deepest)


def _nested(error: object, depth: int = 0) -> Iterator[BaseException]:
    if not isinstance(error, BaseException) or depth > 8:
        return
    yield error
    inner = (error.__cause__, error.__context__, getattr(error, "reason", None), *error.args)
    for item in inner:
        yield from _nested(item, depth + 1)


@contextmanager
def engine_errors(engine: Engine) -> Iterator[None]:
    """Turn what the docker library raises into errors of azpack.

    Raises:
        UnreachableError: the engine does not answer any more.
        FileError: its disk is full.
        WheelError: it refuses what it is asked for.
    """
    from docker.errors import DockerException
    from requests import RequestException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except AzpackError:
        raise
    except DockerException as error:
        raise _refusal(engine, error) from error
    except (RequestException, HTTPError, OSError) as error:
        raise UnreachableError(
            "engine-gone",
            f"the container engine at {engine.address} does not answer any more: "
            f"{explain(error, _ANSWER_SECONDS)}",
            hint="see whether it still runs, then build again; 'azpack cache prune' removes a "
            "container that was left there",
            context={"engine": engine.address},
        ) from error


def _refusal(engine: Engine, error: DockerException) -> AzpackError:
    reason = redact(str(getattr(error, "explanation", None) or error)).strip()
    if "no space left on device" in reason or "disk quota exceeded" in reason:
        return FileError(
            "engine-disk-full",
            f"the disk of the container engine at {engine.address} is full: {reason}",
            hint="make room there, for instance with 'docker system prune'",
            context={"engine": engine.address},
        )
    return WheelError(
        "engine-refuses",
        f"the container engine at {engine.address} refuses: {reason}",
        hint="see what the engine's log says of it",
        context={"engine": engine.address},
    )
