"""Running the driver on this machine: bare, watched, and ended with all that it started."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azpack.deps.interpreters import undisturbed
from azpack.errors import UsageError
from azpack.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DRIVER = Path(__file__).with_name("driver.py")
# For how long the driver may be late in ending itself, before it is ended.
_GRACE_SECONDS = 3
LARGEST_RESULT = 32 << 20
# What the driver writes of each stage, at the least.
_FIELDS = {
    "start": {"seconds", "python"},
    "worker": {"seconds", "version"},
    "raised": {"during", "error"},
    "index": {"error", "functions", "seconds", "imports", "slowest", "sdk"},
    "invoking": {"name"},
    "invocation": {"name"},
    "forked": {"stage"},
    "end": {"forks", "children"},
}
_NONE = {"no such stage"}
_MARK = "_AZPACK_RUN"
_KEPT_LINES, _LONGEST_LINE = 200, 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the driver is to do; the paths are those of the place where it runs.

    `library` is the module of the runtime, `v1` what the host tells the worker of the functions in
    folders, `prefix` that of HTTP routes, `invoke` the names of functions or "all-http", `timeout`
    in seconds. `environment` is what the app sees.
    """

    app: str
    packages: str
    worker: str
    library: str
    result: str
    faults: str
    timeout: float
    v1: Sequence[Mapping[str, Any]]
    prefix: str
    invoke: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)

    def text(self, spawned: int | None) -> str:
        """The job as the driver reads it; `spawned` is the monotonic time, in nanoseconds."""
        table = {**asdict(self), "spawned": spawned}
        del table["environment"]
        return json.dumps(table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of a run: the stages that were reached, by name, and how it ended.

    `code` is the exit code, of one that a signal ended negative or more than 128; `faults` what
    faulthandler wrote, `output` the end of what the app printed. `image` is that of the container
    that it ran in, or empty.
    """

    stages: tuple[Mapping[str, Any], ...]
    code: int
    faults: str
    output: tuple[str, ...]
    timed_out: bool
    interpreter: str
    libc: str
    image: str = ""

    def stage(self, name: str) -> Mapping[str, Any] | None:
        """The first report of a stage, if it was reached."""
        return next((it for it in self.stages if it["stage"] == name), None)


class Tail:
    """The last lines of an output, however much there is."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)

    def add(self, line: str) -> None:
        """Keep a line, or the beginning of a long one."""
        self.lines.append(line[:_LONGEST_LINE])


def run_here(job: Job, interpreter: Path, folder: Path) -> Run:
    """Run the driver under an interpreter of this machine that has no packages; write in `folder`.

    Raises:
        UsageError: the interpreter can't make a virtual environment.
    """
    bare = _make_bare(interpreter, folder / "bare")
    mark = os.urandom(8).hex()
    file = folder / "job.json"
    tail = Tail()
    file.write_text(job.text(time.monotonic_ns()), encoding="utf-8")
    process = subprocess.Popen(
        [bare, "-I", "-B", "-X", "utf8", DRIVER, file],
        cwd=folder, env={**_needed(os.environ), **job.environment, _MARK: mark},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    reader = threading.Thread(target=_read, args=(process, tail), daemon=True)
    began = time.monotonic()
    try:
        reader.start()
        with suppress(subprocess.TimeoutExpired):
            process.wait(job.timeout + _GRACE_SECONDS)
    finally:
        _end(process, mark)
    timed_out = time.monotonic() - began >= job.timeout
    reader.join(_GRACE_SECONDS)  # a process that got away may hold the pipe
    return read_run(
        job, folder / "out", code=process.returncode, tail=tail, timed_out=timed_out,
        interpreter=str(interpreter), libc=_libc(),
    )  # fmt: skip


def _needed(environ: Mapping[str, str]) -> dict[str, str]:
    """What an interpreter may not start without, such as those of GitHub's setup-python."""
    name = "LD_LIBRARY_PATH"
    return {name: environ[name]} if name in environ else {}


def read_run(
    job: Job, folder: Path, *, code: int, tail: Tail, timed_out: bool, interpreter: str, libc: str
) -> Run:
    """What a driver that has ended left in `folder`, under the names that the job has."""
    faults = _read_file(folder / Path(job.faults).name, 1 << 18)
    stages = _stages(_read_file(folder / Path(job.result).name, LARGEST_RESULT))
    return Run(
        stages=tuple(map(_masked, stages)),
        code=code,
        faults=faults,
        output=tuple(map(redact, tail.lines)),
        timed_out=timed_out,
        interpreter=interpreter,
        libc=libc,
    )


def _stages(text: str) -> Iterator[Mapping[str, Any]]:
    """The lines that are whole: the app may have ended the process, or written there itself."""
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and row.keys() >= _FIELDS.get(str(row.get("stage")), _NONE):
            yield row


def _masked(value: Any) -> Any:
    """Values of any depth without the app settings that are secret: the app may tell them."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {name: _masked(item) for name, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value


def _read_file(path: Path, limit: int) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(limit).decode("utf-8", "replace")
    except OSError:
        return ""


def _make_bare(interpreter: Path, folder: Path) -> Path:
    """An environment without packages: the interpreter's own would hide what the package lacks."""
    done = subprocess.run(
        [interpreter, "-I", "-m", "venv", "--without-pip", folder],
        env=undisturbed(os.environ), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise UsageError(
            "no-bare-interpreter",
            f"{interpreter} can't make a virtual environment: {said[-1] if said else 'no reason'}",
            hint="install its module venv (on Debian: python3-venv), or use --in-docker",
        )
    return folder / "bin" / "python"


def _read(process: subprocess.Popen[bytes], tail: Tail) -> None:
    assert process.stdout is not None  # noqa: S101  # it is a pipe
    with process.stdout as stream:
        while line := stream.readline(_LONGEST_LINE):
            tail.add(line.decode("utf-8", "replace").rstrip("\r\n"))


def _end(process: subprocess.Popen[bytes], mark: str) -> None:
    """End the process, its group, and what left that, which the mark in its environment tells."""
    sign = f"{_MARK}={mark}".encode()
    for _ in range(5):
        with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a dead one
            os.killpg(process.pid, signal.SIGKILL)
        found = [it for it in _marked(sign) if it != process.pid]
        for it in found:
            with suppress(ProcessLookupError):
                os.kill(it, signal.SIGKILL)
        if not found:
            break
    process.wait()


def _marked(sign: bytes) -> Iterator[int]:
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            if sign in place.read_bytes().split(b"\0"):
                yield int(place.parent.name)
        except OSError:  # another user's, or gone
            continue


def _libc() -> str:
    import platform

    name, version = platform.libc_ver()
    return f"{name} {version}" if name else sys.platform


def ended_by(code: int) -> str:
    """The name of the signal that ended a process, or ""."""
    number = -code if code < 0 else code - 128 if code > 128 else 0
    try:
        return signal.Signals(number).name if number else ""
    except ValueError:
        return ""


def last_place(faults: str, app: str) -> tuple[str, int] | None:
    """The innermost place in the app's own code that faulthandler tells of, main thread first."""
    threads = re.split(r"\n(?=(?:Current thread|Thread) 0x)", faults)
    for thread in reversed(threads):
        for path, line in re.findall(r'File "([^"\n]+)", line (\d+)', thread):
            if path.startswith(f"{app}/") and "/.python_packages/" not in path:
                return path[len(app) + 1 :], int(line)
    return None
