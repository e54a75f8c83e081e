"""Which engines are tried, and what is said where none answers."""

from __future__ import annotations

import json
import socket
import ssl
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import requests
from docker.context import Context
from urllib3.exceptions import ProtocolError

from azpack.deps.engine import connect, explain, find_candidates
from azpack.errors import UnreachableError

if TYPE_CHECKING:
    from pathlib import Path

USUAL = [
    "unix:///var/run/docker.sock",
    "unix:///home/u/.docker/run/docker.sock",
    "unix:///run/user/7/podman/podman.sock",
    "unix:///run/podman/podman.sock",
]
HOME = {"HOME": "/home/u", "XDG_RUNTIME_DIR": "/run/user/7"}


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker configuration without contexts."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


@pytest.fixture(autouse=True)
def _no_configuration_of_this_machine(configuration: Path) -> None:
    pass


def addresses(environ: dict[str, str]) -> list[str]:
    return [candidate.address for candidate in find_candidates(environ)]


def test_usual_sockets_where_nothing_is_named() -> None:
    assert addresses(HOME) == USUAL
    assert addresses({}) == [USUAL[0], USUAL[3]]
    assert addresses({**HOME, "DOCKER_HOST": "", "DOCKER_CONTEXT": ""}) == USUAL


@pytest.mark.parametrize("host", ["unix:///x.sock", "tcp://h:2375", "ssh://u@h:22"])
def test_docker_host_comes_first_and_alone(host: str, configuration: Path) -> None:
    add_context("other", "tcp://other:1", configuration, current=True)
    (candidate,) = find_candidates({**HOME, "DOCKER_HOST": host, "DOCKER_CONTEXT": "other"})
    assert (candidate.address, candidate.source, candidate.tls) == (host, "DOCKER_HOST", None)


def test_docker_tls_variables(tmp_path: Path) -> None:
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).touch()
    environ = {"DOCKER_HOST": "tcp://h:2376", "DOCKER_CERT_PATH": str(tmp_path)}
    (candidate,) = find_candidates({**environ, "DOCKER_TLS_VERIFY": "1"})
    assert candidate.tls
    assert candidate.tls.verify
    assert candidate.tls.cert == (f"{tmp_path}/cert.pem", f"{tmp_path}/key.pem")


def add_context(name: str, host: str, configuration: Path, *, current: bool = False) -> None:
    Context(name, endpoints={"docker": {"Host": host, "SkipTLSVerify": False}}).save()
    if current:
        (configuration / "config.json").write_text(json.dumps({"currentContext": name}))


def test_context_in_use(configuration: Path) -> None:
    add_context("desktop", "unix:///desktop.sock", configuration, current=True)
    (candidate,) = find_candidates(HOME)
    assert (candidate.address, candidate.source) == (
        "unix:///desktop.sock",
        "docker context desktop",
    )


def test_context_of_the_environment(configuration: Path) -> None:
    add_context("desktop", "unix:///desktop.sock", configuration, current=True)
    add_context("far", "ssh://far", configuration)
    assert addresses({**HOME, "DOCKER_CONTEXT": "far"}) == ["ssh://far"]
    assert addresses({**HOME, "DOCKER_CONTEXT": "default"}) == USUAL


def failure(environ: dict[str, str]) -> UnreachableError:
    with pytest.raises(UnreachableError) as caught:
        connect(environ)
    assert caught.value.code == "no-engine"
    assert caught.value.exit_code == 5
    assert "--mode remote" in caught.value.hint
    return caught.value


def test_unknown_context() -> None:
    error = failure({"DOCKER_CONTEXT": "nowhere"})
    assert "docker context nowhere: there is no such context" in error.message


def test_damaged_context(configuration: Path) -> None:
    add_context("broken", "tcp://h:1", configuration)
    (meta,) = configuration.rglob("meta.json")
    meta.write_text("{")
    error = failure({"DOCKER_CONTEXT": "broken"})
    assert "docker context broken: Detected corrupted meta file" in error.message


def test_no_certificates(tmp_path: Path) -> None:
    environ = {"DOCKER_HOST": "tcp://h:2376", "DOCKER_CERT_PATH": str(tmp_path)}
    assert "tcp://h:2376 (DOCKER_HOST): Path to a certificate" in failure(environ).message


@pytest.mark.parametrize("host", ["foo://x", "tcp://", "ssh://", "unix:/"])
def test_address_that_is_none(host: str) -> None:
    error = failure({"DOCKER_HOST": host})
    assert f"\n  {host} (DOCKER_HOST): " in error.message
    assert "DOCKER_HOST" not in error.hint


def test_all_that_was_tried_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = {
        "/var/run/docker.sock": PermissionError(13, "Permission denied"),
        "/home/u/.docker/run/docker.sock": FileNotFoundError(2, "No such file"),
        "/run/user/7/podman/podman.sock": ConnectionRefusedError(111, "Connection refused"),
        "/run/podman/podman.sock": TimeoutError("timed out"),
    }

    def refuse(self: socket.socket, address: Any) -> NoReturn:
        self.close()
        raise faults[address]

    monkeypatch.setattr(socket.socket, "connect", refuse)
    error = failure(HOME)
    lines = [
        "unix:///var/run/docker.sock (Docker): permission denied",
        "unix:///home/u/.docker/run/docker.sock (Docker Desktop): there is no such socket",
        "unix:///run/user/7/podman/podman.sock (Podman): connection refused: nothing is there",
        "unix:///run/podman/podman.sock (Podman as root): no answer within 15 seconds",
    ]
    assert error.message.splitlines()[1:] == [f"  {line}" for line in lines]
    tried = [dict(zip(("engine", "fault"), line.split(": ", 1), strict=True)) for line in lines]
    assert error.context["tried"] == tried
    assert "usermod -aG docker" in error.hint
    assert "DOCKER_HOST" in error.hint


def test_hint_without_permissions_amiss(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, _: Any) -> NoReturn:
        self.close()
        raise FileNotFoundError(2, "No such file")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert failure({}).hint.startswith("start Docker or Podman; ")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ProtocolError("Connection aborted.", PermissionError(13, "no")), "permission denied"),
        (requests.ConnectionError(FileNotFoundError(2, "no")), "there is no such socket"),
        (requests.ReadTimeout("read timed out"), "no answer within 15 seconds"),
        (requests.ConnectionError(socket.gaierror(-2, "unknown")), "there is no such host"),
        (ssl.SSLCertVerificationError(1, "unable to get local issuer"), "TLS: "),
        (requests.ConnectionError(ConnectionResetError(104, "Connection reset")), "Connection re"),
        (ValueError("https://u:secret@h is odd"), "https://****@h is odd"),
        (ValueError(), "ValueError()"),
    ],
)
def test_explain(error: Exception, words: str) -> None:
    assert explain(error, 15).startswith(words)
