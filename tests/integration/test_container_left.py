"""Interrupts at any moment leave no container; what a kill leaves is found and removed."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from azpack.deps import container as module
from azpack.deps.container import BuildContainer, find_abandoned
from azpack.deps.image import find_image
from azpack.progress import Progress
from tests.commands import Azpack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azpack.deps.engine import Engine

# Says where it is, and dwells there: before and after each request that changes something.
BUILD = """\
import signal, sys, time
from pathlib import Path
from docker import APIClient
from azpack.deps.container import BuildContainer
from azpack.deps.engine import connect
from azpack.deps.image import find_image
from azpack.progress import Progress

def interrupt(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGTERM, interrupt)

def say(what):
    print(what, flush=True)
    # Not one sleep, which would go on after a handler that does nothing.
    time.sleep(0.2)

def dwelling(name):
    method = getattr(APIClient, name)
    def dwell(*args, **kwargs):
        say("before " + name)
        try:
            return method(*args, **kwargs)
        finally:
            say("after " + name)
    setattr(APIClient, name, dwell)

for name in ("create_container", "start", "put_archive", "get_archive", "remove_container"):
    dwelling(name)

host, folder = sys.argv[1:]
with connect({"DOCKER_HOST": host}) as engine:
    image = find_image(engine, "azpack-test", None, Progress())
    container = BuildContainer(engine, image)
    print(container.name, flush=True)
    try:
        with container:
            container.send(Path(folder))
            container.run(["sh", "-c", "echo in run; sleep 1; echo out"], cwd="/", environment={},
                          output=say, timeout=60)
            container.fetch(folder, Path(folder) / "back")
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(130)
"""

PHASES = [
    f"{when} {what}"
    for what in ("create_container", "start", "put_archive", "get_archive", "remove_container")
    for when in ("before", "after")
] + ["in run"]


@contextmanager
def build(host: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", BUILD, host, str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], phase: str) -> None:
    assert process.stdout
    for line in process.stdout:
        if line.strip() == phase:
            return
    raise AssertionError(phase)


def is_there(engine: Engine, name: str) -> bool:
    return bool(engine.client().containers(all=True, filters={"name": name}))


CASES = [
    *((phase, [signal.SIGINT]) for phase in PHASES),
    *((phase, [signal.SIGINT, signal.SIGTERM, signal.SIGINT]) for phase in PHASES),
    ("in run", [signal.SIGTERM]),
]


@pytest.mark.parametrize(("phase", "signals"), CASES)
def test_interrupt_leaves_no_container(
    phase: str, signals: list[signal.Signals], engine: Engine, docker_host: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("text")
    with build(docker_host, tmp_path) as process:
        assert process.stdout
        name = process.stdout.readline().strip()
        read_until(process, phase)
        for number in signals:
            process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT, 1), errors
    assert "KeyboardInterrupt" in errors or "interrupted" in output
    assert not is_there(engine, name)


def test_second_interrupt_during_the_removal(
    engine: Engine, docker_host: str, tmp_path: Path
) -> None:
    with build(docker_host, tmp_path) as process:
        assert process.stdout
        name = process.stdout.readline().strip()
        read_until(process, "in run")
        process.send_signal(signal.SIGINT)
        for phase in ("before remove_container", "after remove_container"):
            read_until(process, phase)
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert not is_there(engine, name)


def killed_build(engine: Engine, docker_host: str, folder: Path) -> str:
    """The name of a container that a killed build left."""
    with build(docker_host, folder) as process:
        assert process.stdout
        name = process.stdout.readline().strip()
        read_until(process, "in run")
        assert container_id(engine, name) not in find_abandoned(engine)
        process.kill()
        process.wait()
    assert container_id(engine, name) in find_abandoned(engine)
    return name


def container_id(engine: Engine, name: str) -> str:
    return str(engine.client().inspect_container(name)["Id"])


def test_prune_removes_what_killed_builds_left(
    engine: Engine, docker_host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    azpack = Azpack(tmp_path / "azpack", DOCKER_HOST=docker_host)
    image = find_image(engine, "azpack-test", None, Progress())
    with monkeypatch.context() as patch:
        patch.setattr(module, "_place", lambda: "another-machine")
        elsewhere = BuildContainer(engine, image)
        elsewhere.__enter__()
    with BuildContainer(engine, image) as living:
        left = killed_build(engine, docker_host, tmp_path)
        assert azpack.run("cache", "prune", "--json").data()["containers"] >= 1
        assert not is_there(engine, left)

        left = killed_build(engine, docker_host, tmp_path)
        said = azpack.run("cache", "prune").stdout.decode()
        assert re.search(r"\nremoved \d+ build containers? of killed builds\n", said)
        assert not is_there(engine, left)

        assert is_there(engine, living.name)
        # Whoever may still be building there: until it has ended by itself.
        assert is_there(engine, elsewhere.name)
        monkeypatch.setattr(module, "ABANDONED_SECONDS", -1)
        assert container_id(engine, elsewhere.name) in find_abandoned(engine)
    elsewhere.remove()


def test_prune_without_an_engine(tmp_path: Path) -> None:
    azpack = Azpack(tmp_path)
    assert azpack.run("cache", "prune", "--json").data()["containers"] == 0
    done = azpack.run("cache", "prune")
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.decode().splitlines() == [f"freed 0 B in {azpack.cache}"]


def test_containers_of_another_making_are_left(engine: Engine) -> None:
    client = engine.client()
    for labels in (
        {"azpack.build": "9"},
        {"azpack.build": "9", "azpack.started": "yesterday", "azpack.owner": "me"},
        {"azpack.build": "9", "azpack.started": "2020-01-01T00:00:00", "azpack.owner": "x 1"},
    ):
        made = client.create_container("azpack-test", ["true"], labels=labels)["Id"]
        assert made not in find_abandoned(engine)
        client.remove_container(made)
