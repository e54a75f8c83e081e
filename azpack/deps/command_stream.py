"""Commands in a container: their output as it comes, their exit code, and their end.

The API can start a command, and neither stop it nor tell its process in the container: so it runs
under a line of POSIX sh that tells its process first, and its processes carry a mark in their
environment, by which others that it started are found.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from azpack.errors import WheelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from docker import APIClient

# It waits for a line: what is written before the engine's answer is read is lost in the buffer of
# the HTTP library.
_SHELL = 'read -r _ || exit 1; umask 022; echo "$$"; exec "$@" </dev/null 2>&1'
_MARK = "AZPACK_COMMAND"
# The process group, then what left it (ninja gives each compiler one of its own); and again, since
# a process may start another in between.
_KILL = """\
for _ in 1 2 3 4 5; do
    kill -9 -- "-$1" 2>/dev/null
    found=
    for place in $(grep -l -F -e "$2" /proc/[0-9]*/environ 2>/dev/null); do
        place=${place#/proc/}
        kill -9 "${place%/environ}" 2>/dev/null && found=1
    done
    [ "$found" ] || exit 0
done
"""
_COUNT_KILLS = (
    "echo alive; cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control"
)
_LONGEST_LINE = 64 * 1024
_HEADER = 8
_EXIT_SECONDS = 30


def run(
    client: APIClient,
    container: str,
    command: Sequence[str],
    *,
    cwd: str,
    environment: Mapping[str, str],
    output: Callable[[str], None],
    timeout: float | None,
) -> int:
    """Run a command, and give its output line by line to `output`; returns the exit code.

    Raises:
        WheelError: "build-timeout": it took longer than `timeout` seconds, and was killed.
        docker.errors.APIError, OSError: the engine refuses, or does not answer.
    """
    mark = os.urandom(8).hex()
    deadline = None if timeout is None else time.monotonic() + timeout
    created = client.exec_create(
        container,
        ["sh", "-c", _SHELL, "sh", *command],
        stdin=True,
        environment={**environment, _MARK: mark},
        workdir=cwd,
    )
    process = ""
    with _open_stream(client, created["Id"]) as connection:
        connection.settimeout(_EXIT_SECONDS)
        connection.sendall(b"\n")
        lines = _lines(_payloads(connection, deadline))
        try:
            first = next(lines, "")
            if first.isdecimal():
                process = first
            elif first:  # there is no sh: the engine says so
                output(first)
            for line in lines:
                output(line)
        except TimeoutError as error:
            if process:
                kill = ["sh", "-c", _KILL, "sh", process, f"{_MARK}={mark}"]
                run(client, container, kill,
                    cwd="/", environment={}, output=lambda _: None, timeout=60)  # fmt: skip
            raise WheelError(
                "build-timeout",
                f"{command[0]} took longer than {timeout:.0f} seconds in the build container, "
                "and was ended",
                context={"seconds": timeout},
            ) from error
    return _exit_code(client, created["Id"])


@contextmanager
def _open_stream(client: APIClient, command: str) -> Iterator[socket.socket]:
    """Start the command; what it writes, and what it waits for, goes through the socket."""
    stream: Any = client.exec_start(command, socket=True)
    try:
        if isinstance(stream, socket.socket):  # with TLS
            yield stream
        else:  # made for reading alone
            with socket.socket(fileno=os.dup(stream.fileno())) as connection:
                yield connection
    finally:
        stream._response.close()  # by which the library holds the connection


def _payloads(connection: socket.socket, deadline: float | None) -> Iterator[bytes]:
    """What the frames hold: a byte that names the stream, three of nothing, four of size, data.

    Raises:
        TimeoutError: the deadline has passed.
    """
    received = bytearray()
    while True:
        if deadline is not None and time.monotonic() >= deadline:
            raise TimeoutError
        connection.settimeout(None if deadline is None else deadline - time.monotonic())
        data = connection.recv(_LONGEST_LINE)
        if not data:
            return
        received += data
        while len(received) >= _HEADER:
            end = _HEADER + int.from_bytes(received[4:_HEADER], "big")
            if len(received) < end:
                break
            yield bytes(received[_HEADER:end])
            del received[:end]


def _lines(payloads: Iterable[bytes]) -> Iterator[str]:
    """The lines of a text in pieces; one without end is given in parts."""
    rest = b""
    for payload in payloads:
        *lines, rest = (rest + payload).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            lines.append(rest)
            rest = b""
        yield from map(_decode, lines)
    if rest:
        yield _decode(rest)


def _decode(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")


def _exit_code(client: APIClient, command: str) -> int:
    """The engine may close the stream a moment before it knows the exit code."""
    deadline = time.monotonic() + _EXIT_SECONDS
    while True:
        state = client.exec_inspect(command)
        if not state["Running"] and state["ExitCode"] is not None:
            return int(state["ExitCode"])
        if time.monotonic() > deadline:
            raise TimeoutError("the engine does not tell the exit code")
        time.sleep(0.02)


class MemoryWatch:
    """Knows whether the kernel killed processes of a container for want of memory.

    The engine tells so of a container's first process alone, and a compiler driver that lost its
    compiler only ends with 1.
    """

    def __init__(self) -> None:
        self._seen = 0
        self._lock = threading.Lock()

    def ran_out(self, client: APIClient, container: str) -> bool | None:
        """Whether it happened since this was last asked; None where the container runs nothing."""
        lines: list[str] = []
        run(client, container, ["sh", "-c", _COUNT_KILLS],
            cwd="/", environment={}, output=lines.append, timeout=60)  # fmt: skip
        if "alive" not in lines:
            return None
        counts = [line.split()[1] for line in lines if line.startswith("oom_kill ")]
        killed = sum(map(int, counts))
        with self._lock:
            more, self._seen = killed > self._seen, killed
        return more
