"""What compiles for the target: an interpreter of its version, here or in a container."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from azpack.deps.interpreters import find_interpreter, undisturbed
from azpack.errors import FileError, UnreachableError, UsageError, WheelError
from azpack.package.bytecode import MAGIC
from azpack.package.compile_driver import ANOTHER_PYTHON, FILES_FAILED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from azpack.deps.workshop import ContainerPlace
    from azpack.request import Request

# Without -I: it would have the hash seed passed over, and sets would come in any order.
_FLAGS = ("-s", "-S", "-B", "-W", "ignore")
_SEED = {"PYTHONHASHSEED": "0"}
# What else there is to do in a mode where no interpreter is found.
_ELSEWHERE = {
    "auto": "start an engine for containers, ",
    "docker": "start an engine for containers, ",
    "local": "build in mode auto with an engine for containers, ",
}


class TargetCompiler:
    """An interpreter of the target's version, looked for when there is something to compile.

    This machine's, whatever the mode; where it has none, that of the container that the modes auto
    and docker build in. Bytecode is the same on every machine.
    """

    def __init__(self, request: Request) -> None:
        """Compile for the target of a request."""
        self._request = request
        self._python = request.target.python
        self._container: ContainerPlace | None = None
        self._interpreter = ""

    def workers(self) -> int:
        """As many as there are processors."""
        return os.cpu_count() or 1

    def run(self, folder: Path, jobs: Sequence[Path], files: Iterable[Path]) -> None:
        """Run the compiling program on each of the jobs in `folder`, all at once.

        The sources are in `files`.

        Raises:
            UsageError: there is no interpreter of that version.
            WheelError: it can't be run.
            FileError: what it makes can't be written.
        """
        if not self._interpreter:
            self._find()
        commands = [
            [
                self._interpreter, *_FLAGS, str(folder / "compile_driver.py"),
                str(MAGIC[self._python]), str(job), str(folder / "out"),
            ]
            for job in jobs
        ]  # fmt: skip
        if self._container is None:
            results = _run_here(commands, folder, self._request.environ)
        else:
            results = _run_there(self._container, commands, folder, files)
        for code, output in results:
            self._judge(code, output)

    def _find(self) -> None:
        found = find_interpreter(self._python, self._request.environ)
        if found is not None:
            self._interpreter = str(found)
            return
        if self._request.options.mode == "local":
            raise self._none_found("the mode is local")
        # There is one container for all: what is built in it later needs the project's indexes.
        indexes = self._request.indexes(self._request.requirements())
        try:
            self._container = self._request.workshop(indexes).place()
            self._interpreter = self._container.interpreter(self._python)
        except UnreachableError as error:
            raise self._none_found(error.message) from error

    def _none_found(self, why_no_container: str) -> UsageError:
        return UsageError(
            "no-interpreter",
            f"--compile needs Python {self._python}, which is not on this machine, and no "
            f"container: {why_no_container}",
            hint=f"install it, such as with 'uv python install {self._python}', "
            f"{_ELSEWHERE.get(self._request.options.mode, '')}or build without --compile",
            context={"python": self._python},
        )

    def _judge(self, code: int, output: str) -> None:
        if code == ANOTHER_PYTHON:
            raise UsageError(
                "another-bytecode",
                f"{self._interpreter} is no final release of Python {self._python}: its bytecode "
                "is another",
                hint=f"install a final release, such as with 'uv python install {self._python}'",
                context={"interpreter": self._interpreter},
            )
        if code == FILES_FAILED:
            raise FileError(
                "cache-failed",
                f"compiling failed to read or write in the cache folder: {output.strip()}",
                hint="make room there, choose another with --cache-dir, or empty it with "
                "'azpack cache clear'",
            )
        if code:
            last = output.strip().rpartition("\n")[2]
            raise WheelError(
                "interpreter-failed",
                f"{self._interpreter} can't compile: exit code {code}{f', {last}' if last else ''}",
                hint="see that it runs, or build without --compile",
                context={"interpreter": self._interpreter},
            )


def _run_here(
    commands: Sequence[Sequence[str]], folder: Path, environ: Mapping[str, str]
) -> list[tuple[int, str]]:
    inherited = {
        name: value for name, value in undisturbed(environ).items() if not name.startswith("PYTHON")
    }
    import subprocess

    with ExitStack() as stack:
        running = []
        for command in commands:
            process = subprocess.Popen(
                command, cwd=folder, env={**inherited, **_SEED}, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
            )  # fmt: skip
            running.append(stack.enter_context(process))
            stack.callback(process.kill)  # before it is waited for; one that has ended has ended
        outputs = [process.communicate()[1] for process in running]
        return [
            (process.returncode, output) for process, output in zip(running, outputs, strict=True)
        ]


def _run_there(
    place: ContainerPlace, commands: Sequence[Sequence[str]], folder: Path, files: Iterable[Path]
) -> list[tuple[int, str]]:
    from concurrent.futures import ThreadPoolExecutor

    def run(command: Sequence[str]) -> tuple[int, str]:
        lines: list[str] = []
        environment = {**place.environment, **_SEED}
        code = place.run(command, folder=folder, environment=environment, output=lines.append)
        return code, "\n".join(lines)

    for path in (folder, *files):
        place.send(path)
    with ThreadPoolExecutor(len(commands)) as pool:
        results = list(pool.map(run, commands))
    if not any(code for code, _ in results):
        place.fetch(folder / "out")
    return results
