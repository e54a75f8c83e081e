"""A place to build packages whose distributions are compiled in a container."""

from __future__ import annotations

import json
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azpack.deps.container import BuildContainer
from azpack.deps.image import find_image
from azpack.progress import Progress
from tests.commands import Azpack, Done, make_app
from tests.native_code import native_files, pack_sdist

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping

    from azpack.deps.engine import Engine
    from tests.relay import EngineRelay

__all__ = ["GATE", "ContainerSite", "manifest_of", "wait_until"]

_LONGEST = 60  # seconds: a guard against hanging, not a measure
_PYTHONS = {
    # Where the interpreter is, in an image that has no library of the build's.
    "3.11": ("azpack-test-plain", "python3.11"),
    "3.12": ("azpack-test", "/opt/python/cp312-cp312/bin/python"),
}
# A build that holds until `ContainerSite.open_gate`.
GATE = """
import time
print("at the gate", flush=True)
open("/tmp/at-the-gate", "w").close()
for _ in range(1200):
    if os.path.exists("/tmp/gate"):
        break
    time.sleep(0.05)
"""


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait for what a process is to do soon."""
    deadline = time.monotonic() + _LONGEST
    while not holds():
        if process.poll() is not None:
            raise AssertionError(process.communicate())
        if time.monotonic() > deadline:
            process.kill()
            raise AssertionError(process.communicate())
        time.sleep(0.02)


class ContainerSite:
    """An app, a folder of sdists, and a relay to the engine, which tells what was asked of it."""

    def __init__(self, folder: Path, engine: Engine, relay: EngineRelay) -> None:
        self.folder = folder
        self.engine = engine
        self.relay = relay
        self.links = folder / "links"
        self.links.mkdir()
        self.azpack = Azpack(folder / "own", DOCKER_HOST=relay.host)

    def add(self, name: str, version: str = "1.0", **how: Any) -> None:
        """Publish a distribution with native code; `how` is that of `native_files`."""
        pack_sdist(self.links, name, native_files(name, version, **how), version)

    def app(self, *requirements: str, files: Mapping[str, str] | None = None) -> Path:
        """An app that asks for these."""
        return make_app(self.folder / "app", "".join(f"{it}\n" for it in requirements), files=files)

    def arguments(self, app: Path, *options: str | Path) -> tuple[str | Path, ...]:
        """Those of a build that takes all from the folder of sdists."""
        return ("build", app, "--json", "--no-index", "--find-links", self.links, *options)

    def build(self, app: Path, *options: str | Path, **environment: str) -> Done:
        """Build; the result is in JSON."""
        return self.azpack.run(*self.arguments(app, *options), environment=environment)

    def containers(self) -> list[dict[str, Any]]:
        """What the engine still has of the containers that were asked for here."""
        names = {f"/{name}" for name in self.relay.containers()}
        listed: list[dict[str, Any]] = self.engine.client().containers(all=True)
        return [row for row in listed if names & set(row["Names"])]

    def open_gate(self) -> None:
        """Let the builds go on that wait for it."""
        for row in self.containers():
            self.execute(row["Id"], "touch", "/tmp/gate")  # noqa: S108  # that of a container

    def is_at_gate(self) -> bool:
        """Whether a build waits there."""
        running = [row["Id"] for row in self.containers() if row["State"] == "running"]
        return any("at-the-gate" in self.execute(name, "ls", "/tmp") for name in running)  # noqa: S108

    def told_by_engine(self) -> list[bytes]:
        """What the engine says of the containers, and of what runs in them."""
        client: Any = self.engine.client()  # its stubs lack this one's types
        told = []
        for row in self.containers():
            state = client.inspect_container(row["Id"])
            commands = [client.exec_inspect(it) for it in state["ExecIDs"] or ()]
            assert commands
            shown = (state, commands, client.top(row["Id"], "-eo pid,args"))
            told += [client.logs(row["Id"]), *(json.dumps(it).encode() for it in shown)]
        return told

    def execute(self, container: str, *command: str) -> str:
        """What a command prints in a container that others started."""
        client = self.engine.client()
        started = client.exec_create(container, list(command))
        printed: bytes = client.exec_start(started["Id"])
        return printed.decode()

    def run_package(self, data: Any, code: str) -> list[str]:
        """What Python code prints that imports from a package, in a fresh container."""
        place = self.folder / "unpacked"
        with zipfile.ZipFile(data["package"]["path"]) as opened:
            opened.extractall(place)
        name, python = _PYTHONS[data["target"]["python"]]
        image = find_image(self.engine, name, None, Progress())
        lines: list[str] = []
        with BuildContainer(self.engine, image, network="none") as fresh:
            fresh.send(place, to="/package")
            status = fresh.run(
                [python, "-c", code],
                cwd="/",
                environment={"PYTHONPATH": "/package/.python_packages/lib/site-packages"},
                output=lines.append,
                timeout=_LONGEST,
            )
        assert status == 0, lines
        return lines


def manifest_of(data: Any) -> Any:
    """The manifest of a package."""
    return json.loads(Path(data["manifest"]).read_bytes())
