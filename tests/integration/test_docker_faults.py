"""What goes wrong with builds in a container: all is said, nothing is left, no secret is told."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import time
import zipfile
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from azpack.deps.container import remove_abandoned
from tests.authority import Authority
from tests.container_site import GATE, ContainerSite, wait_until
from tests.distributions import make_sdist, make_wheel
from tests.engines import image_archive, small_root
from tests.leaks import CommandLines, forms_of, places_that_tell
from tests.servers import Fault, IndexServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCKER = ("--mode", "docker", "--python", "3.11")
PLAIN = ("--docker-image", "azpack-test-plain")
TOKEN = "s3cret/of+docker%@mode"
QUOTED = quote(TOKEN, safe="")
FORMS = forms_of(TOKEN, "me")
# Seconds in which a command that was interrupted has to be gone; a guard, not a measure.
PROMPT = 15


# Builds that fail.


def test_a_compiler_that_fails(site: ContainerSite) -> None:
    site.add("broken", value="undeclared")
    site.add("another", value="unknown_too")
    done = site.build(site.app("broken", "another"), *DOCKER)
    error = done.error(4, "no-usable-wheels")
    for name, said in (("broken", "undeclared"), ("another", "unknown_too")):
        assert f"{name}-1.0.tar.gz can't be built: its build backend" in error["message"]
        assert f"{said}" in error["message"]
        assert f"{name}: the last lines of its output say why" in error["hint"]
    (context,) = [row for row in error["context"]["distributions"] if row["name"] == "broken"]
    assert 5 < len(context["output"]) <= 30


@pytest.mark.parametrize(
    ("how", "hints"),
    [
        ({"before": "#include <libpq-fe.h>"}, ("libpq-dev ", "libpq-devel ", "--docker-before")),
        ({"before": "#include <ffi.h>"}, ("libffi-dev ", "libffi-devel ")),
        ({"before": "#include <absent.h>"}, ("the header absent.h is missing",)),
        ({"options": ["-lldap"]}, ("the library ldap is missing", "libldap-dev ")),
        ({"script": 'subprocess.run(["pg_config"])'}, ("pg_config is missing", "libpq-devel ")),
        ({"script": 'subprocess.run(["cargo", "build"])'}, ("rustc and cargo",)),
        ({"script": "import numpy"}, ("it needs numpy",)),
        (
            {"script": 'import urllib.request as it\nit.urlopen("http://azpack.invalid")'},
            ("wants the network", "--docker-network host"),
        ),
        ({"script": "os.kill(os.getpid(), 9)"}, ("memory runs out",)),
        (
            {"script": 'open("/dev/shm/x", "wb").write(bytes(100 << 20))'},
            ("is full", "docker system prune"),
        ),
    ],
)
def test_hints(site: ContainerSite, how: dict[str, Any], hints: tuple[str, ...]) -> None:
    site.add("native", **how)
    options = (*DOCKER, "--docker-network", "none")
    error = site.build(site.app("native"), *options).error(4, "build-failed")
    for hint in hints:
        assert hint in error["hint"], error


def test_no_compiler_in_the_image(site: ContainerSite) -> None:
    site.add("native")
    before = "rm -f $(command -v gcc) $(command -v cc)"
    done = site.build(site.app("native"), *DOCKER, "--docker-before", before)
    assert "there is no C or C++ compiler" in done.error(4, "build-failed")["hint"]


def test_command_that_fails(site: ContainerSite) -> None:
    site.add("native")
    site.add("other")
    before = ("--docker-before", "true", "--docker-before", "echo that is why; exit 3")
    error = site.build(site.app("native", "other"), *DOCKER, *before).error(4, "before-failed")
    assert error["message"].startswith("echo that is why; exit 3 ended with exit code 3")
    assert error["message"].endswith("\n  that is why")
    assert "--docker-before" in error["hint"]


def test_symbols_that_are_too_new(site: ContainerSite) -> None:
    start = "static void *start(void *given) { return dlopen(given, 1); }"
    before = f"#include <dlfcn.h>\n#include <pthread.h>\n{start}"
    site.add("new", before=before, value="(pthread_create(0, 0, start, 0), 1)")
    error = site.build(site.app("new"), *DOCKER).error(4, "does-not-fit")
    assert "new 1.0" in error["message"]
    assert "GLIBC_2.34" in error["message"]
    assert "glibc 2.31" in error["message"]


def test_library_that_is_not_there_to_be_grafted(site: ContainerSite) -> None:
    library = "printf 'int f(void){return 1;}' >f.c && gcc -shared -fPIC -o libf.so f.c"
    script = f"subprocess.run({library!r}, shell=True, check=True)"
    site.add("lonely", before="int f(void);", value="f()", options=["-L.", "-lf"], script=script)
    error = site.build(site.app("lonely"), *DOCKER).error(4, "not-repaired")
    assert "lonely-1.0-cp311-cp311-linux_x86_64.whl was built" in error["message"]
    assert "libf.so" in error["message"]


def test_a_build_that_hangs(site: ContainerSite) -> None:
    site.add("native", script="import time; time.sleep(1000)")
    app = site.app("native", files={"azpack.toml": '[docker]\ntimeout = "0.1"\n'})
    error = site.build(app, *DOCKER).error(4, "build-timeout")
    assert "longer than 6 seconds" in error["message"]


def test_memory_runs_out(site: ContainerSite) -> None:
    script = f"{GATE}\nit = [bytearray(1 << 24) for _ in range(40)]"
    site.add("native", script=script)
    process = site.azpack.start(*site.arguments(site.app("native"), *DOCKER))
    wait_until(site.is_at_gate, process)
    client: Any = site.engine.client()  # its stubs lack this one's types
    for row in site.containers():
        client.update_container(row["Id"], mem_limit="256m", memswap_limit="256m")
    site.open_gate()
    stdout, stderr = process.communicate(timeout=90)
    assert process.returncode == 4, stderr.decode()
    (error,) = json.loads(stdout)["errors"]
    assert error["code"] == "out-of-memory"
    assert "Docker Desktop" in error["hint"]


def is_asked(site: ContainerSite, what: str) -> bool:
    return any(what in request for request in list(site.relay.asked))


# Images.


def test_image_that_can_not_be_had(site: ContainerSite) -> None:
    site.add("native")
    image = ("--docker-image", "127.0.0.1:1/nowhere:1")
    error = site.build(site.app("native"), *DOCKER, *image).error(5, "image-unreachable")
    assert "127.0.0.1:1/nowhere:1" in error["message"]
    assert "--docker-image" in error["hint"]


def test_image_for_another_processor(site: ContainerSite) -> None:
    name = f"azpack-small-{os.urandom(4).hex()}:1"
    client: Any = site.engine.client()  # its stubs lack this one's types
    client.load_image(image_archive(name, small_root(), architecture="arm64"))
    try:
        site.add("native")
        app = site.app("native")
        options = (*DOCKER, "--docker-image", name, "--docker-platform", "linux/arm64")
        error = site.build(app, *options).error(2, "image-architecture")
        assert f"{name} is for linux/arm64" in error["message"]
        assert "--docker-platform linux/amd64" in error["hint"]
    finally:
        client.remove_image(name, force=True)


def test_no_interpreter_in_the_image(site: ContainerSite) -> None:
    site.add("native")
    done = site.build(site.app("native"), *DOCKER, *PLAIN, "--python", "3.12")
    error = done.error(2, "no-interpreter-in-image")
    assert "azpack-test-plain has no Python 3.12" in error["message"]
    assert "/opt/python/cp312-cp312/bin/python" in error["message"]


def test_auditwheel_comes_from_the_index(site: ContainerSite) -> None:
    site.add("native")
    where = ("--find-links", site.links, "--docker-network", "host")
    app = site.app("native")
    data = site.azpack.run("build", app, "--json", *where, *DOCKER, *PLAIN).data()
    assert data["distributions"][0]["source"] == "sdist-container"
    assert site.run_package(data, "import native; print(native.answer())") == ["42"]


def test_no_auditwheel_and_none_to_be_had(site: ContainerSite) -> None:
    site.add("native")
    site.add("other")
    make_sdist(site.links, "pure")
    app = site.app("native", "other", "pure")
    error = site.build(app, *DOCKER, *PLAIN).error(4, "no-usable-wheels")
    said = "azpack-test-plain has no auditwheel and patchelf, and they can't be installed there"
    assert error["message"].count(said) == 2
    assert "auditwheel was not found" in error["message"]
    assert "pure" not in error["message"]
    assert "--docker-before" in error["hint"]
    # What is pure needs none.
    (app / "requirements.txt").write_text("pure\n", encoding="utf-8")
    assert site.build(app, *DOCKER, *PLAIN).data()["distributions"][0]["tag"] == "py3-none-any"


# An index with a password, by TLS with a certificate of its own.


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def index(tmp_path: Path, authority: Authority) -> Iterator[IndexServer]:
    folder = tmp_path / "private"
    make_wheel(folder, "tool")
    make_sdist(folder, "broken", requires_build=["tool"], backend=TELLING + "raise SystemExit(7)\n")
    backend = TELLING + GATE.replace("import time", "import os, time") + COPYING
    make_sdist(folder, "made", requires_build=["tool"], backend=backend)
    context = authority.server_context("127.0.0.1")
    with IndexServer(folder, user="me", password=TOKEN, context=context) as index:
        yield index


TELLING = "import os, tool\nfor pair in os.environ.items(): print(*pair)\n"
COPYING = (
    "import shutil\n"
    "from pathlib import Path\n"
    "def build_wheel(folder, settings=None, metadata=None):\n"
    "    name = 'made-1.0-py3-none-any.whl'\n"
    "    shutil.copy(Path(__file__).parent / name, folder)\n"
    "    return name\n"
)


@pytest.mark.parametrize("how", ["url", "netrc"])
def test_secrets_are_told_nowhere(
    site: ContainerSite, index: IndexServer, authority: Authority, how: str
) -> None:
    app = site.app("made")
    url = index.url
    if how == "url":
        url = index.url.replace("://", "://me:${DOCKER_MODE_TOKEN}@")
        site.azpack.environment["DOCKER_MODE_TOKEN"] = TOKEN
    else:
        netrc = site.folder / "netrc"
        netrc.write_text(f"machine 127.0.0.1 login me password {TOKEN}\n", encoding="utf-8")
        site.azpack.environment["NETRC"] = str(netrc)
    bundle = authority.bundle(site.folder / "authority.pem")
    command = ("build", app, "--json", "-vv", "--index-url", url, "--cert", bundle,
               "--docker-network", "host", *DOCKER)  # fmt: skip
    with CommandLines(FORMS) as seen:
        process = site.azpack.start(*command)
        wait_until(site.is_at_gate, process)
        told = site.told_by_engine()
        site.open_gate()
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr.decode()
    assert b"at the gate" in stderr
    assert seen.telling == set()
    assert "uv" in seen.programs
    everything = [*told, stdout, stderr]
    assert not [text for text in everything if any(form in text for form in FORMS)]
    asked = [it for it in index.asked if it.path == "/simple/tool/"]
    assert asked[-1].authorization, "the container asks for what the build needs"
    done = site.azpack.run(*command)  # of the store
    assert done.code == 0, done.stderr
    assert places_that_tell(FORMS, done, app, site.azpack.cache) == []


@pytest.mark.parametrize("fault", ["a build that tells", "an index that refuses"])
def test_secrets_are_told_nowhere_when_it_fails(
    site: ContainerSite, index: IndexServer, authority: Authority, fault: str
) -> None:
    app = site.app("broken")
    bundle = authority.bundle(site.folder / "authority.pem")
    if fault == "an index that refuses":
        index.faults = {"/simple/tool": Fault(status=403)}
    done = site.azpack.run(
        "build", app, "--json", "-vv", "--index-url", index.url_as("me", QUOTED), "--cert", bundle,
        "--docker-network", "host", *DOCKER,
    )  # fmt: skip
    (error,) = json.loads(done.stdout)["errors"]
    if fault == "an index that refuses":
        assert (done.code, error["code"]) == (5, "index-unreachable")
        assert "the build requirements of broken" in error["message"]
        assert "--docker-network host" in error["hint"]
    else:
        assert (done.code, error["code"]) == (4, "build-failed")
        assert "AZPACK_COMMAND" in done.stderr
    assert places_that_tell(FORMS, done, app, site.azpack.cache) == []


# The engine goes, and users do.


def test_engine_that_goes_in_the_middle(site: ContainerSite) -> None:
    site.add("native", script=GATE)
    app = site.app("native")
    old = with_old_zip(app)
    process = site.azpack.start(*site.arguments(app, *DOCKER))
    wait_until(site.is_at_gate, process)
    site.relay.cut()
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 5, stderr.decode()
    (error,) = json.loads(stdout)["errors"]
    assert error["code"] == "engine-gone"
    assert "azpack cache prune" in error["hint"]
    assert b"Traceback" not in stderr
    assert_nothing_half(site, app, old)
    remove_abandoned(site.engine)  # which other tests may do meanwhile
    assert site.containers() == []


def with_old_zip(app: Path) -> bytes:
    (app / "dist").mkdir()
    with zipfile.ZipFile(app / "dist" / "app.zip", "w") as opened:
        opened.writestr("old", "an earlier build")
    return (app / "dist" / "app.zip").read_bytes()


def assert_nothing_half(site: ContainerSite, app: Path, old: bytes) -> None:
    assert {path.name: path.read_bytes() for path in (app / "dist").iterdir()} == {"app.zip": old}
    store = site.azpack.cache / "v1"
    for folder in store.glob("wheels/*/*"):
        (wheel,) = folder.glob("*.whl")
        assert hashlib.sha256(wheel.read_bytes()).hexdigest() == folder.name
    assert list(store.glob("built/*")) == []


LARGE = (
    "import random, zipfile\n"
    "def build_wheel(folder, settings=None, metadata=None):\n"
    "    name = 'native-1.0-py3-none-any.whl'\n"
    "    with zipfile.ZipFile(folder + '/' + name, 'w') as opened:\n"
    "        opened.writestr('large.bin', random.Random(1).randbytes(200 << 20))\n"
    "    return name\n"
)
# What is asked of the engine when a phase begins.
PHASES = {
    "connect": "/version",
    "pull": "/images/create",
    "start": "/containers/create",
    "send": "/archive?",
    "before": "/exec/",
    "build": "/exec/",
    "fetch": "work%2Fwheel",
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("phase", PHASES)
def test_interrupted(site: ContainerSite, phase: str, number: signal.Signals) -> None:
    if phase == "fetch":
        make_sdist(site.links, "native", backend=LARGE)
    else:
        site.add("native", script=GATE)
    app = site.app("native")
    old = with_old_zip(app)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        options = {
            "pull": ("--docker-image", f"127.0.0.1:{silent.getsockname()[1]}/made:1"),
            "before": ("--docker-before", "sleep 1000"),
        }.get(phase, ())
        process = site.azpack.start(*site.arguments(app, *DOCKER, *options))
        wait_until(lambda: is_asked(site, PHASES[phase]), process)
        if phase == "build":
            wait_until(site.is_at_gate, process)
        start = time.monotonic()
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    assert time.monotonic() - start < PROMPT
    assert process.returncode == 130, stderr.decode()
    assert b"Traceback" not in stderr
    assert json.loads(stdout)["errors"][0]["code"] == "interrupted"
    assert site.containers() == []
    assert_nothing_half(site, app, old)


def test_killed_builds_leave_a_container_that_is_found(site: ContainerSite) -> None:
    site.add("native", script=GATE)
    app = site.app("native")
    old = with_old_zip(app)
    process = site.azpack.start(*site.arguments(app, *DOCKER))
    wait_until(site.is_at_gate, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert_nothing_half(site, app, old)
    assert site.azpack.run("cache", "prune").code == 0
    assert site.containers() == []


def test_no_permission(site: ContainerSite) -> None:
    site.add("native")
    os.chmod(site.relay.host.removeprefix("unix://"), 0)
    # Not even root may open it without these.
    prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--")
    arguments = site.arguments(site.app("native"), *DOCKER)
    done = site.azpack.run(*arguments, prefix=prefix if os.getuid() == 0 else ())
    error = done.error(5, "no-engine")
    assert f"{site.relay.host} (DOCKER_HOST): permission denied" in error["message"]
    assert "usermod -aG docker" in error["hint"]
    assert site.relay.connections == 0
