"""Reaching engines: sockets, TCP, TLS, ssh and contexts, and those that do not answer."""

from __future__ import annotations

import gc
import json
import os
import shlex
import socket
import stat
import time
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

import pytest
import trustme
from docker.context import Context
from docker.tls import TLSConfig

from azpack.deps.container import BuildContainer
from azpack.deps.engine import Engine, connect
from azpack.deps.image import find_image
from azpack.errors import UnreachableError
from azpack.progress import Progress
from tests.engines import image_archive, private_engine, small_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture(autouse=True)
def _sockets_forgotten() -> Iterator[None]:
    """What the docker library leaves open where it can't connect is closed without a word."""
    yield
    gc.collect()


def use(engine: Engine, image: str = "azpack-test") -> None:
    """All kinds of requests that a build makes."""
    assert engine.cores() >= 1
    found = find_image(engine, image, None, Progress())
    lines: list[str] = []
    with BuildContainer(engine, found) as container:
        script = "echo begun; sleep 1; echo done"
        code = container.run(
            ["sh", "-c", script], cwd="/", environment={}, output=lines.append, timeout=60
        )
    assert (code, lines) == (0, ["begun", "done"])


def fault(environ: dict[str, str]) -> str:
    """What is said of the one engine that was tried."""
    with pytest.raises(UnreachableError) as caught:
        connect(environ)
    assert caught.value.code == "no-engine"
    _, line = caught.value.message.split("\n")
    return line.partition(": ")[2]


def test_unix_and_tcp(docker_host: str, remote_docker_host: str) -> None:
    for host in (docker_host, remote_docker_host):
        with connect({"DOCKER_HOST": host}) as engine:
            assert engine.address == host
            use(engine)


def test_usual_socket(docker_host: str, short_folder: Path) -> None:
    """Docker Desktop's, below the home folder; nothing else of this machine is found first."""
    if os.path.exists("/var/run/docker.sock"):
        pytest.skip("an engine is there where engines usually are")
    place = short_folder / ".docker/run"
    place.mkdir(parents=True)
    (place / "docker.sock").symlink_to(docker_host.removeprefix("unix://"))
    with connect({"HOME": str(short_folder)}) as engine:
        assert engine.address == f"unix://{place}/docker.sock"
        use(engine)


def test_docker_context(docker_host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "mine"}))
    Context("mine", endpoints={"docker": {"Host": docker_host}}).save()
    with connect({}) as engine:
        use(engine)


def test_proxies_are_not_for_engines(
    remote_docker_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with connect({"DOCKER_HOST": remote_docker_host}) as engine:
        use(engine)


def test_socket_that_is_not_there(tmp_path: Path) -> None:
    assert fault({"DOCKER_HOST": f"unix://{tmp_path}/none"}) == "there is no such socket"


def test_socket_that_is_for_others(docker_host: str) -> None:
    """Root may open all: so this is tried as somebody else."""
    path = docker_host.removeprefix("unix://")
    assert not os.stat(path).st_mode & stat.S_IWOTH
    if os.geteuid():
        pytest.skip("not root, and so nobody else")
    with pytest.raises(UnreachableError) as caught, as_nobody():
        connect({"DOCKER_HOST": docker_host})
    assert caught.value.message.endswith(": permission denied")
    assert "usermod -aG docker" in caught.value.hint


@contextmanager
def as_nobody() -> Iterator[None]:
    import docker  # noqa: F401  # while its files may be read

    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_nobody_listens(short_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert fault({"DOCKER_HOST": f"tcp://127.0.0.1:{port}"}).startswith("connection refused")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(short_folder / "left.sock"))
    assert fault({"DOCKER_HOST": f"unix://{short_folder}/left.sock"}).startswith(
        "connection refused"
    )


def test_host_that_is_none() -> None:
    assert fault({"DOCKER_HOST": "tcp://no-such-host.invalid:1"}) == "there is no such host"


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_engine_that_says_nothing(
    kind: str, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("azpack.deps.engine._CONNECT_SECONDS", 1)
    path = str(short_folder / "silent.sock")
    with socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET) as server:
        server.bind(path if kind == "unix" else ("127.0.0.1", 0))
        server.listen()
        host = f"unix://{path}" if kind == "unix" else "tcp://{}:{}".format(*server.getsockname())
        begun = time.monotonic()
        assert fault({"DOCKER_HOST": host}) == "no answer within 1 seconds"
    assert time.monotonic() - begun < 10


def test_what_answers_is_no_engine() -> None:
    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=answer)
        thread.start()
        assert fault({"DOCKER_HOST": "tcp://{}:{}".format(*server.getsockname())})
        thread.join()


# TLS


class Certificates:
    """Those of an engine and its client, from one authority, in the files that docker expects."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.folder = folder
        folder.mkdir()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        for name, issued in (
            ("server-", authority.issue_cert("127.0.0.1")),
            ("", authority.issue_cert("client@example.org")),
        ):
            issued.private_key_pem.write_to_path(str(folder / f"{name}key.pem"))
            for part in issued.cert_chain_pems:
                part.write_to_path(str(folder / f"{name}cert.pem"), append=True)


@pytest.fixture
def tls_engine(docker_host: str, short_folder: Path) -> Iterator[tuple[str, Certificates]]:
    assert docker_host
    certificates = Certificates(short_folder / "certificates")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    place = certificates.folder
    with private_engine(
        short_folder / "e", "--host", f"tcp://127.0.0.1:{port}", "--tlsverify",
        "--tlscacert", f"{place}/ca.pem", "--tlscert", f"{place}/server-cert.pem",
        "--tlskey", f"{place}/server-key.pem",
    ) as private, connect({"DOCKER_HOST": private.docker_host}) as engine:  # fmt: skip
        client: Any = engine.client()  # its stubs lack this one's types
        client.load_image(image_archive("small:1", small_root()))
        yield f"tcp://127.0.0.1:{port}", certificates


def test_tls(
    tls_engine: tuple[str, Certificates], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, certificates = tls_engine
    # Authorities for the web are not for engines.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    environ = {"DOCKER_HOST": host, "DOCKER_TLS_VERIFY": "1"}
    with connect({**environ, "DOCKER_CERT_PATH": str(certificates.folder)}) as engine:
        use(engine, "small:1")
    other = Certificates(tmp_path / "other")
    said = fault({**environ, "DOCKER_CERT_PATH": str(other.folder)})
    assert said.startswith("TLS: ")
    assert fault({"DOCKER_HOST": host})  # it wants TLS


def test_tls_of_a_context(
    tls_engine: tuple[str, Certificates], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, certificates = tls_engine
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    place = certificates.folder
    context = Context("safe", endpoints={"docker": {"Host": host, "SkipTLSVerify": False}})
    context.tls_cfg["docker"] = TLSConfig(
        client_cert=(f"{place}/cert.pem", f"{place}/key.pem"),
        ca_cert=f"{place}/ca.pem",
        verify=True,
    )
    context.save()
    with connect({"DOCKER_CONTEXT": "safe"}) as engine:
        use(engine, "small:1")


# ssh


@pytest.fixture
def ssh(tmp_path: Path, docker_host: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program ssh which reaches this machine only; the file has what it was called with."""
    called = tmp_path / "called"
    called.touch()
    programs = tmp_path / "programs"
    programs.mkdir()
    program = programs / "ssh"
    program.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> {shlex.quote(str(called))}\n'
        'while [ "$1" != -- ]; do shift; done\n'
        'if [ "$2" != far.example ]; then\n'
        '    echo "ssh: Could not resolve hostname $2: Name or service not known" >&2\n'
        "    exit 255\n"
        "fi\n"
        f"export DOCKER_HOST={shlex.quote(docker_host)}\n"
        'exec sh -c "$3"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return called


def test_ssh(ssh: Path, tmp_path: Path) -> None:
    (tmp_path / "sent").write_text("text")
    with connect({"DOCKER_HOST": "ssh://me@far.example:2222"}) as engine:
        use(engine)
        image = find_image(engine, "azpack-test", None, Progress())
        with BuildContainer(engine, image) as container:
            container.send(tmp_path / "sent")
            container.fetch(str(tmp_path / "sent"), tmp_path / "back")
    assert (tmp_path / "back/sent").read_text() == "text"
    assert "-l me -p 2222 -- far.example docker system dial-stdio" in ssh.read_text()
    assert "BatchMode=yes" in ssh.read_text()
    wait_until_gone()


def wait_until_gone() -> None:
    """No ssh is left running."""
    deadline = time.monotonic() + 10
    while ours := [path for path in children() if "dial-stdio" in path]:
        assert time.monotonic() < deadline, ours
        time.sleep(0.1)


def children() -> list[str]:
    found = []
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/children") as file:
            for child in file.read().split():
                with open(f"/proc/{child}/cmdline") as line:
                    found.append(line.read().replace("\0", " "))
    return found


@pytest.mark.usefixtures("ssh")
def test_ssh_that_fails() -> None:
    said = fault({"DOCKER_HOST": "ssh://nowhere.example"})
    assert said == ("ssh: Could not resolve hostname nowhere.example: Name or service not known")


def test_no_ssh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "No such file or directory: ssh" in fault({"DOCKER_HOST": "ssh://far.example"})
