"""`verify --in-docker`: the same verdicts, and no container left."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from azpack.deps.image import PLATFORM
from azpack.errors import UnreachableError, UsageError
from azpack.package.inspection import Wishes
from azpack.worker.in_container import Place
from azpack.worker.runtime import find_runtime
from azpack.worker.verifying import How, verify_package
from tests.broken_apps import BROKEN_APPS
from tests.commands import Azpack
from tests.packages import APP, write_package

if TYPE_CHECKING:
    from pathlib import Path

    from azpack.deps.engine import Engine
    from azpack.worker.verifying import Means

PLAIN = Place(image="azpack-test-plain", platform=PLATFORM, network="none")
HOW = How(wishes=Wishes(python="3.11"), place=PLAIN)
ON_THE_NETWORK = (
    "import socket\nimport azure.functions as func\napp = func.FunctionApp()\n"
    "@app.route()\ndef hello(req: func.HttpRequest) -> str:\n"
    "    return ' '.join(name for _, name in socket.if_nameindex())\n"
)


@pytest.fixture
def inside(means: Means, remote_docker_host: str) -> Means:
    """Means with the engine as it is reached from another machine."""
    environ = {**means.environ, "DOCKER_HOST": remote_docker_host}
    return replace(means, environ=environ)


def containers(engine: Engine, process: int) -> set[str]:
    """Those that a process of azpack started: other tests use the engine, too."""
    rows = engine.client().containers(all=True, filters={"label": "azpack.owner"})
    return {it["Id"] for it in rows if it["Labels"]["azpack.owner"].endswith(f" {process}")}


def test_a_sound_app(inside: Means, engine: Engine, tmp_path: Path) -> None:
    package = write_package(tmp_path / "app.zip", APP)
    found = verify_package(package, replace(HOW, invoke=("all-http",)), inside)
    assert (found.verdict, found.faults) == ("passed", ()), found
    assert (found.image, found.python[:5]) == ("azpack-test-plain", "3.11.")
    assert [it.body for it in found.invocations] == ["hello"]
    assert "interpreter" not in found.timings  # the clocks of two machines
    assert not any("own system" in it for it in found.unproved)
    assert containers(engine, os.getpid()) == set()


@pytest.mark.parametrize(
    "name",
    ["a missing dependency", "a crash at import", "a hang at import", "os._exit at import"],
)
def test_a_broken_app(name: str, inside: Means, tmp_path: Path) -> None:
    app = BROKEN_APPS[name]
    package = write_package(tmp_path / "app.zip", app.files)
    found = verify_package(package, replace(HOW, timeout=app.timeout), inside)
    assert found.verdict == "failed", found
    first = found.faults[0]
    assert (first.code, app.says in first.message) == (app.code, True), first
    assert app.at in ("", f"{first.path}:{first.line}", first.path)


def test_no_network_unless_asked_for(inside: Means, tmp_path: Path) -> None:
    files = {"host.json": b'{"version": "2.0"}', "function_app.py": ON_THE_NETWORK.encode()}
    package = write_package(tmp_path / "app.zip", files)
    how = replace(HOW, invoke=("hello",))
    (alone,) = verify_package(package, how, inside).invocations
    assert alone.body == "lo"
    host = replace(how, place=replace(PLAIN, network="host"))
    (shared,) = verify_package(package, host, inside).invocations
    assert "lo" in shared.body.split()


def test_what_comes_back_is_bounded(inside: Means, tmp_path: Path) -> None:
    text = (
        "import os, sys\nimport azure.functions as func\napp = func.FunctionApp()\n"
        "@app.route()\ndef hello(req: func.HttpRequest) -> str: ...\n"
        "out = os.path.join(os.path.dirname(sys.argv[1]), 'out')\n"
        "os.truncate(os.path.join(out, 'faults.txt'), 50 << 30)\n"
        "with open(os.path.join(out, 'another'), 'w') as file:\n    file.truncate(50 << 30)\n"
    )
    files = {"host.json": b'{"version": "2.0"}', "function_app.py": text.encode()}
    found = verify_package(write_package(tmp_path / "app.zip", files), HOW, inside)
    assert found.verdict == "passed"


def test_an_app_that_removes_the_result_has_none(inside: Means, tmp_path: Path) -> None:
    text = "import os, shutil, sys\nshutil.rmtree(os.path.dirname(sys.argv[1]) + '/out')\n"
    files = {"host.json": b'{"version": "2.0"}', "function_app.py": f"{text}os._exit(0)\n".encode()}
    found = verify_package(write_package(tmp_path / "app.zip", files), HOW, inside)
    assert found.verdict == "unverified"
    assert found.functions == ()


def test_what_can_t_be_had(inside: Means, tmp_path: Path) -> None:
    package = write_package(tmp_path / "app.zip", APP)
    with pytest.raises(UsageError, match=r"azpack-test-plain has no Python 3\.13"):
        verify_package(package, replace(HOW, wishes=Wishes(python="3.13")), inside)
    nowhere = replace(HOW, place=replace(PLAIN, image="localhost/no-such-image"))
    with pytest.raises(UnreachableError):
        verify_package(package, nowhere, inside)


def test_an_interrupt_removes_the_container(
    means: Means, docker_host: str, engine: Engine, tmp_path: Path
) -> None:
    find_runtime("3.11", means.indexes, means.store, means.progress)
    (tmp_path / "temporary").mkdir()
    azpack = Azpack(
        tmp_path, AZPACK_CACHE_DIR=str(means.store.folder), DOCKER_HOST=docker_host,
        TMPDIR=str(tmp_path / "temporary"),
    )  # fmt: skip
    package = write_package(tmp_path / "app.zip", BROKEN_APPS["a hang at import"].files)
    with azpack.start("verify", package, "--python", "3.11", "--in-docker", PLAIN.image) as process:
        deadline = time.monotonic() + 60
        while not containers(engine, process.pid):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert containers(engine, process.pid) == set()
    assert os.listdir(tmp_path / "temporary") == []
