"""Where wheels are built: on this machine, or in a container, which has the same paths."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from azpack.deps.interpreters import find_interpreter, undisturbed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


class Place(Protocol):
    """A machine to build on; a path that is sent there is the same there as here.

    `environment` is what programs see there, the indexes and their credentials among it.
    """

    @property
    def environment(self) -> Mapping[str, str]:
        """What programs see there."""

    @property
    def connection_hint(self) -> str:
        """What to do where an index is not reached from there."""

    def interpreter(self, python: str) -> str:
        """An interpreter of that version ("3.12"), or the next best one.

        Raises:
            WheelError: there is none.
        """

    def uv(self) -> str:
        """The program uv."""

    def run(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        output: Callable[[str], None],
    ) -> int:
        """Run a program in a folder, its output told line by line, and return its exit code.

        Raises:
            WheelError: it takes too long.
            UnreachableError: the place is no more.
        """

    def send(self, path: Path) -> None:
        """Have a file or folder of this machine there."""

    def fetch(self, path: Path) -> None:
        """Have what is in a folder there in the same folder here."""

    def finish(self, wheel: Path) -> Path:
        """Bring what a wheel that was built there links to into it, where the target may lack it.

        Raises:
            WheelError: it can't be repaired.
        """


class Host:
    """This machine, where a wheel is judged as it is built."""

    connection_hint = (
        "check --index-url or --extra-index-url, the network and the proxy, then build again"
    )

    def __init__(self, environment: Mapping[str, str], log: Callable[[str], None]) -> None:
        self.environment = undisturbed(environment)
        self._all = environment
        self._log = log

    def interpreter(self, python: str) -> str:
        """One of the version, or else this one: whether the wheel fits is seen when it is built."""
        found = find_interpreter(python, self._all)
        if found is None:
            self._log(f"no Python {python} here: building with {sys.executable}")
        return str(found or sys.executable)

    def uv(self) -> str:
        """The program uv."""
        from azpack.deps.uv import find_uv

        return find_uv()

    def run(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        output: Callable[[str], None],
    ) -> int:
        """Run a program, for as long as it takes."""
        import subprocess

        with subprocess.Popen(
            command, cwd=folder, env=environment, umask=0o022, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, encoding="utf-8", errors="replace",
        ) as process:  # fmt: skip
            try:
                for line in process.stdout or ():
                    output(line.rstrip())
            except BaseException:
                process.kill()
                raise
        return process.returncode

    def send(self, path: Path) -> None:
        """It is here."""

    def fetch(self, path: Path) -> None:
        """It is here."""

    def finish(self, wheel: Path) -> Path:
        """The wheel as it is."""
        return wheel
