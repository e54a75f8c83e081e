"""The build container on a real engine: commands, their output and end, files in and out."""

from __future__ import annotations

import gc
import json
import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from azpack.deps.container import BuildContainer
from azpack.deps.engine import connect
from azpack.deps.image import Image, find_image
from azpack.errors import FileError, UnreachableError, WheelError
from azpack.progress import Progress
from tests.engines import image_archive, private_engine, small_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from azpack.deps.engine import Engine

SECRET = "hunter2-in-the-environment"


@pytest.fixture(scope="module")
def image(engine: Engine) -> Image:
    return find_image(engine, "azpack-test", None, Progress())


@pytest.fixture(scope="module")
def shared(engine: Engine, image: Image) -> Iterator[BuildContainer]:
    """A container for tests that leave it as it is."""
    with BuildContainer(engine, image) as container:
        yield container


@pytest.fixture
def own(engine: Engine, image: Image) -> Iterator[BuildContainer]:
    """A container for one test."""
    with BuildContainer(engine, image) as container:
        yield container


def run(
    container: BuildContainer,
    *command: str,
    cwd: str = "/",
    timeout: float | None = 60,
    **environment: str,
) -> tuple[int, list[str]]:
    lines: list[str] = []
    code = container.run(
        command, cwd=cwd, environment=environment, output=lines.append, timeout=timeout
    )
    return code, lines


def shell(container: BuildContainer, script: str, timeout: float | None = 60) -> list[str]:
    return run(container, "sh", "-c", script, timeout=timeout)[1]


def inspected(engine: Engine, container: BuildContainer) -> Any:
    return engine.client().inspect_container(container.name)


# Commands


def test_output_is_one_stream(shared: BuildContainer) -> None:
    script = r"echo one; echo two >&2; printf 'a\303\244\377\r\n\n'; echo three >&2; printf end"
    assert shell(shared, script) == ["one", "two", "aä\ufffd", "", "three", "end"]


def test_output_comes_as_it_is_written(shared: BuildContainer) -> None:
    came: list[float] = []
    script = "echo first; sleep 2; echo last"
    shared.run(
        ["sh", "-c", script],
        cwd="/",
        environment={},
        output=lambda _: came.append(time.monotonic()),
        timeout=None,
    )
    assert came[1] - came[0] > 1.5


def test_much_output(shared: BuildContainer) -> None:
    lines = shell(shared, "seq 300000")
    assert lines == [str(number) for number in range(1, 300_001)]


@pytest.mark.parametrize(
    ("script", "code"),
    [("true", 0), ("exit 1", 1), ("exit 77", 77), ("kill -TERM $$", 143), ("kill -9 $$", 137)],
)
def test_exit_code(shared: BuildContainer, script: str, code: int) -> None:
    assert run(shared, "sh", "-c", script) == (code, [])


def test_no_such_program(shared: BuildContainer) -> None:
    code, lines = run(shared, "no-such-program")
    assert code == 127
    assert "no-such-program" in lines[0]


def test_no_such_folder(shared: BuildContainer) -> None:
    code, lines = run(shared, "true", cwd="/no/such/folder")
    assert code
    assert "/no/such/folder" in "\n".join(lines)


def test_arguments_and_environment_are_as_given(shared: BuildContainer) -> None:
    arguments = ["", "a b", "$HOME", "it's", '"', "*", "-e", "ü", "two\nlines"]
    printed = "import sys, json, os; print(json.dumps([sys.argv[1:], os.environ['KEY']]))"
    code, lines = run(shared, "python3.11", "-c", printed, *arguments, KEY="$a 'b'\n\"ü")
    assert (code, json.loads(lines[0])) == (0, [arguments, "$a 'b'\n\"ü"])


def test_a_command_has_the_folder_root_and_no_input(shared: BuildContainer) -> None:
    script = "pwd; id -u; umask; cat; test -t 0 || echo no terminal"
    assert run(shared, "sh", "-c", script, cwd="/usr/lib") == (
        0,
        ["/usr/lib", "0", "0022", "no terminal"],
    )


def test_environment_is_that_of_one_command(engine: Engine, own: BuildContainer) -> None:
    with ThreadPoolExecutor(1) as pool:
        command = ["sh", "-c", "echo $TOKEN; sleep 3"]
        running = pool.submit(run, own, *command, TOKEN=SECRET)
        time.sleep(1)
        told = json.dumps(inspected(engine, own)) + str(engine.client().top(own.name))
        lines = shell(own, "env; cat /proc/*/cmdline | tr '\\0' ' '")
        assert running.result() == (0, [SECRET])
    assert SECRET not in told
    assert "sleep 3" in told
    assert SECRET not in "\n".join(lines)
    assert SECRET not in json.dumps(inspected(engine, own))


def test_commands_at_once(shared: BuildContainer) -> None:
    def work(number: int) -> tuple[int, list[str]]:
        script = f"for it in 1 2 3 4 5; do echo {number}.$it; sleep 0.1; done; exit {number}"
        return run(shared, "sh", "-c", script)

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(work, range(16)))
    assert done == [(it, [f"{it}.{turn}" for turn in range(1, 6)]) for it in range(16)]


def test_connections_are_closed(engine: Engine, own: BuildContainer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    engine.client().ping()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        run(own, "true")
        own.send(tmp_path / "file", to="/sent")
        own.fetch("/sent", tmp_path / "back")
        (tmp_path / "back/sent").unlink()
    assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_what_takes_too_long_is_killed(own: BuildContainer) -> None:
    script = "sleep 1001 & setsid sleep 1002 & (sleep 1003; echo never) & echo begun; sleep 1004"
    lines: list[str] = []
    begun = time.monotonic()
    with pytest.raises(WheelError, match="sh took longer than 2 seconds") as caught:
        own.run(["sh", "-c", script], cwd="/", environment={}, output=lines.append, timeout=2)
    assert caught.value.code == "build-timeout"
    assert time.monotonic() - begun < 20
    assert lines == ["begun"]
    assert not re.search(
        r"sleep\s100\d", " ".join(shell(own, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"))
    )
    assert run(own, "true") == (0, [])


def test_only_what_takes_too_long_is_killed(own: BuildContainer) -> None:
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(run, own, "sh", "-c", "sleep 5; echo alive")
        with pytest.raises(WheelError):
            run(own, "sleep", "1000", timeout=1)
        assert other.result() == (0, ["alive"])


# The container


def test_what_the_engine_is_asked_for(engine: Engine, image: Image) -> None:
    with BuildContainer(engine, image, network="none", platform="linux/amd64") as container:
        found = inspected(engine, container)
        assert shell(container, "ls /sys/class/net") == ["lo"]
    assert found["Image"] == image.id
    assert found["HostConfig"]["NetworkMode"] == "none"
    assert found["HostConfig"]["Init"] is True
    assert found["HostConfig"]["Privileged"] is False
    assert found["Mounts"] == []
    assert found["HostConfig"]["Binds"] is None
    assert not found["HostConfig"]["PortBindings"]
    assert all(entry.startswith("PATH=") for entry in found["Config"]["Env"] or ())
    assert {"azpack.build", "azpack.started", "azpack.owner"} <= found["Config"]["Labels"].keys()


def test_proxy_of_the_docker_configuration_stays_out(
    engine: Engine, image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, docker_host: str
) -> None:
    proxies = {"default": {"httpProxy": f"http://user:{SECRET}@proxy:1"}}
    (tmp_path / "config.json").write_text(json.dumps({"proxies": proxies}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with connect({"DOCKER_HOST": docker_host}) as other, BuildContainer(other, image) as container:
        assert SECRET not in json.dumps(inspected(engine, container))


def test_network_that_is_none(engine: Engine, image: Image) -> None:
    container = BuildContainer(engine, image, network="no-such-network")
    with pytest.raises(WheelError, match="no-such-network not found"):
        container.__enter__()
    assert names(engine, container.name) == []


def test_zombies_are_reaped(own: BuildContainer) -> None:
    shell(own, "sh -c 'sleep 0.2 & exec sleep 0.4' & sleep 1")
    assert "zombie" not in " ".join(shell(own, "cat /proc/[0-9]*/status 2>/dev/null"))


def test_two_builds_have_a_container_each(engine: Engine, image: Image) -> None:
    with BuildContainer(engine, image) as one, BuildContainer(engine, image) as other:
        assert one.name != other.name
        shell(one, "echo mine > /file")
        assert shell(other, "test -e /file || echo none") == ["none"]
    assert names(engine, one.name) == names(engine, other.name) == []


def names(engine: Engine, name: str) -> list[str]:
    found = engine.client().containers(all=True, filters={"name": name})
    return [item["Names"][0].strip("/") for item in found]


def test_removing_twice_or_before_it_is_there(engine: Engine, image: Image) -> None:
    warnings: list[str] = []
    with BuildContainer(engine, image, warn=warnings.append) as container:
        container.remove()
        container.remove()
    unused = BuildContainer(engine, image, warn=warnings.append)
    unused.remove()
    with pytest.raises(WheelError, match="the build was broken off"):
        unused.__enter__()
    with BuildContainer(engine, image, warn=warnings.append) as container:
        engine.client().remove_container(container.name, force=True)
    assert warnings == []


def test_removing_while_it_starts(engine: Engine, image: Image) -> None:
    """As where another thread makes it while the main one is interrupted."""
    container = BuildContainer(engine, image)
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(container.__enter__)
        time.sleep(0.1)
        container.remove()
        starting.exception()
    assert names(engine, container.name) == []


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("remove", "something removed it|its first process was killed"),
        ("kill", "its first process was killed"),
        ("stop", "exit code 143"),
    ],
)
def test_container_that_ends_meanwhile(
    engine: Engine, own: BuildContainer, end: str, words: str
) -> None:
    client = engine.client()

    def finish() -> None:
        if end == "remove":
            client.remove_container(own.name, force=True)
        elif end == "kill":
            client.kill(own.name)
        else:
            client.stop(own.name)

    timer = threading.Timer(1, finish)
    timer.start()
    with pytest.raises(WheelError, match=words) as caught:
        run(own, "sleep", "1000", timeout=None)
    assert caught.value.code == "container-ended"
    timer.join()
    with pytest.raises(WheelError, match=words):
        run(own, "true")


def test_container_ends_by_itself(
    engine: Engine, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("azpack.deps.container.ABANDONED_SECONDS", 1)
    with BuildContainer(engine, image) as container:
        time.sleep(2)
        with pytest.raises(WheelError, match="it ran for 0 hours"):
            run(container, "true")


@pytest.mark.parametrize("script", ["{}", "{}; exit 1", "({}) || exit 3"])
def test_out_of_memory(engine: Engine, own: BuildContainer, script: str) -> None:
    limit = 100 * 2**20
    engine.client().update_container(own.name, mem_limit=limit, memswap_limit=limit)
    hungry = "python3.11 -c 'bytearray(2**30)'"
    with pytest.raises(WheelError, match="memory") as caught:
        shell(own, script.format(hungry))
    assert caught.value.code == "out-of-memory"
    assert "memory" in caught.value.hint
    # Said once, not of all that fails later.
    assert run(own, "sh", "-c", "exit 5") == (5, [])


# Files


def make_tree(folder: Path) -> None:
    (folder / "deep/empty").mkdir(parents=True)
    (folder / "deep/run.sh").write_text("#!/bin/sh\necho it runs\n")
    (folder / "deep/run.sh").chmod(0o755)
    (folder / "secret").write_text("x" * 1000)
    (folder / "secret").chmod(0o600)
    (folder / "link").symlink_to("deep/run.sh")
    (folder / "ünïcode with 'space'").write_text("u")
    os.utime(folder / "secret", (1_600_000_000, 1_600_000_000))


def snapshot(folder: Path) -> Mapping[str, tuple[int, str]]:
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode & 0o100,
            os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else "",
        )
        for path in folder.rglob("*")
    }


def test_send_and_fetch(own: BuildContainer, tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    make_tree(folder)
    own.send(folder)
    assert run(own, f"{folder}/link") == (0, ["it runs"])
    script = f"cd {folder}; stat -c '%n %a %u %g %Y' secret deep/run.sh; stat -c %a .."
    assert shell(own, script) == [
        "secret 600 0 0 1600000000",
        f"deep/run.sh 755 0 0 {int((folder / 'deep/run.sh').stat().st_mtime)}",
        "755",
    ]
    own.fetch(str(folder), tmp_path / "back")
    assert snapshot(tmp_path / "back") == snapshot(folder)
    assert (tmp_path / "back/secret").stat().st_mtime == 1_600_000_000


def test_send_elsewhere_and_again(own: BuildContainer, tmp_path: Path) -> None:
    file = tmp_path / "file"
    for text in ("one", "two"):
        file.write_text(text)
        own.send(file, to="/new/place/name")
        own.send(file, to="/tmp/name")  # noqa: S108  # the container's
    assert shell(own, "cat /new/place/name /tmp/name; stat -c %a /tmp") == ["twotwo1777"]


def test_fetch_a_file(own: BuildContainer, tmp_path: Path) -> None:
    shell(own, "mkdir /out; echo text > /out/file; chmod 4711 /out/file")
    own.fetch("/out/file", tmp_path / "back")
    assert (tmp_path / "back/file").read_text() == "text\n"
    assert (tmp_path / "back/file").stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize("path", ["/nowhere", "/nowhere/at/all"])
def test_fetch_what_is_not_there(shared: BuildContainer, path: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=path):
        shared.fetch(path, tmp_path / "back")


def test_send_what_is_not_there(shared: BuildContainer, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="nowhere can't be sent"):
        shared.send(tmp_path / "nowhere")
    assert run(shared, "true") == (0, [])


@pytest.mark.parametrize(
    "script",
    [
        "ln -s /etc/passwd evil",
        "ln -s ../../../.. evil",
        "mkdir d; ln -s .. d/up; ln -s d/up/.. evil",
        "mknod evil c 1 3",
        "mkfifo evil",
    ],
)
def test_fetch_refuses_what_leads_out(own: BuildContainer, script: str, tmp_path: Path) -> None:
    shell(own, f"mkdir /out; cd /out; echo fine > fine; {script}")
    with pytest.raises(WheelError) as caught:
        own.fetch("/out", tmp_path / "back")
    assert caught.value.code == "unsafe-archive"
    assert not os.path.lexists(tmp_path / "back/evil")
    assert run(own, "true") == (0, [])


_BIG = """\
import resource, sys
from pathlib import Path
from azpack.deps.container import BuildContainer
from azpack.deps.engine import connect
from azpack.deps.image import find_image
from azpack.progress import Progress

host, source, back = sys.argv[1:]
with connect({"DOCKER_HOST": host}) as engine:
    image = find_image(engine, "azpack-test", None, Progress())
    with BuildContainer(engine, image) as container:
        container.run(["true"], cwd="/", environment={}, output=print, timeout=60)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        container.send(Path(source))
        container.fetch(source, Path(back))
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_large_folder_is_not_held_in_memory(docker_host: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("one", "two"):
        with (source / name).open("wb") as file:
            file.truncate(400 * 2**20)
            file.write(b"begins")
            file.seek(-4, os.SEEK_END)
            file.write(b"ends")
    done = subprocess.run(
        [sys.executable, "-c", _BIG, docker_host, str(source), str(tmp_path / "back")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout) < 60, "megabytes more than before"
    with (tmp_path / "back/two").open("rb") as file:
        assert file.read(6) == b"begins"
        file.seek(-4, os.SEEK_END)
        assert file.read() == b"ends"
        assert file.tell() == 400 * 2**20


# Engines that are elsewhere, fill up, or go


def test_engine_on_another_machine(remote_docker_host: str, tmp_path: Path) -> None:
    make_tree(tmp_path / "tree")
    with connect({"DOCKER_HOST": remote_docker_host}) as engine:
        image = find_image(engine, "azpack-test", None, Progress())
        with BuildContainer(engine, image) as container:
            container.send(tmp_path / "tree")
            assert run(container, f"{tmp_path}/tree/link") == (0, ["it runs"])
            container.fetch(f"{tmp_path}/tree", tmp_path / "back")
            with pytest.raises(WheelError, match="took longer"):
                run(container, "sleep", "1000", timeout=1)
    assert snapshot(tmp_path / "back") == snapshot(tmp_path / "tree")


def test_full_disk_of_the_engine(short_folder: Path, docker_host: str) -> None:
    large = short_folder / "large"
    with large.open("wb") as file:
        file.truncate(100 * 2**20)
    with (
        private_engine(short_folder / "e", megabytes=60) as private,
        connect({"DOCKER_HOST": private.docker_host}) as engine,
        BuildContainer(engine, load(engine)) as container,
    ):
        with pytest.raises(FileError, match="the disk of the container engine") as caught:
            container.send(large)
        assert caught.value.code == "engine-disk-full"
    assert docker_host != private.docker_host


def load(engine: Engine) -> Image:
    client: Any = engine.client()  # its stubs lack this one's types
    client.load_image(image_archive("small:1", small_root()))
    return find_image(engine, "small:1", None, Progress())


@pytest.fixture
def _sockets_forgotten() -> Iterator[None]:
    """What the docker library leaves open where it can't connect is closed without a word."""
    yield
    gc.collect()


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.usefixtures("docker_host", "_sockets_forgotten")
@pytest.mark.parametrize("phase", ["start", "run", "send", "fetch"])
def test_engine_that_goes_meanwhile(short_folder: Path, phase: str) -> None:
    warnings: list[str] = []
    with (
        private_engine(short_folder / "e") as private,
        connect({"DOCKER_HOST": private.docker_host}) as engine,
    ):
        container = BuildContainer(engine, load(engine), warn=warnings.append)
        if phase == "run":
            threading.Timer(2, private.kill).start()

        def work() -> None:
            if phase == "start":
                private.kill()
            with container:
                if phase == "run":
                    run(container, "sleep", "1000", timeout=None)
                private.kill()
                if phase == "send":
                    container.send(short_folder / "e/log")
                container.fetch("/etc", short_folder / "back")

        with pytest.raises(UnreachableError, match=private.docker_host) as caught:
            work()
    assert caught.value.code == "engine-gone"
    assert len(warnings) == 1
    assert "azpack cache prune" in warnings[0]
