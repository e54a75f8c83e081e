"""One container for one build, and what is left where a build was killed.

Files go in and out as tar streams, to the same paths that they have on this machine. The container
has no mounts, no ports and no secrets: those are in the environment of a single command, which the
engine does not show.
"""

from __future__ import annotations

import atexit
import errno
import hashlib
import os
import platform as machine
import signal
import threading
import time
import uuid
from collections import deque
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from azpack import __version__
from azpack.deps import command_stream, tar_stream
from azpack.deps.engine import engine_errors
from azpack.errors import AzpackError, WheelError
from azpack.store import ABANDONED_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from docker import APIClient
    from typing_extensions import Self

    from azpack.deps.engine import Engine
    from azpack.deps.image import Image

_LABEL = "azpack.build"
_STARTED = "azpack.started"
_OWNER = "azpack.owner"
_KILLED = 137
# There is no such container; it does not run; it ends just then.
_NOT_RUNNING = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.INTERNAL_SERVER_ERROR)
_ENDING_SECONDS = 5

_living: dict[str, BuildContainer] = {}


class BuildContainer:
    """A container to build in, from `__enter__` until `remove` or `__exit__`.

    It is removed whatever happens in between; where azpack itself is killed, it ends by itself
    after a day, and `remove_abandoned` finds it. Any thread may use it.
    """

    def __init__(
        self,
        engine: Engine,
        image: Image,
        *,
        network: str | None = None,
        platform: str | None = None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Nothing happens yet. `network` is "host", "none" or the name of one, by default the
        engine's own choice; `warn` is told when the container can't be removed.
        """
        self.image = image
        self.name = f"azpack-{os.urandom(8).hex()}"
        self._engine = engine
        self._network = network
        self._platform = platform
        self._warn = warn
        self._memory = command_stream.MemoryWatch()
        self._changing = threading.Lock()  # one thread may start it while another removes it
        self._removed = False

    def __enter__(self) -> Self:
        """Create and start the container.

        Raises:
            WheelError: the engine refuses, or `remove` was called.
            UnreachableError: it does not answer any more.
            FileError: its disk is full.
        """
        # Before there is one, whose name is ours: it is found whenever an interrupt comes.
        _living[self.name] = self
        try:
            with _uninterrupted(), self._changing:
                self._start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the container."""
        self.remove()

    def _start(self) -> None:
        if self._removed:
            raise _ended(self.name, "the build was broken off")
        with engine_errors(self._engine):
            client = self._engine.client()
            client.create_container(
                self.image.id,
                name=self.name,
                entrypoint=["sleep"],
                command=[str(ABANDONED_SECONDS)],
                user="0:0",
                labels=_labels(),
                # From ~/.docker/config.json, where it may hold a proxy's password.
                use_config_proxy=False,
                platform=self._platform,
                host_config=client.create_host_config(init=True, network_mode=self._network),
            )
            client.start(self.name)

    def remove(self) -> None:
        """Remove the container, and end all that runs in it; nothing happens where it is gone."""
        with _uninterrupted(), self._changing:
            self._removed = True
            if _living.pop(self.name, None) is None:
                return
            try:
                _remove(self._engine, self.name)
            except AzpackError as error:
                self._warn(
                    f"the build container {self.name} can't be removed: {error.message}; "
                    "'azpack cache prune' removes it later"
                )

    def run(
        self,
        command: Sequence[str],
        *,
        cwd: str,
        environment: Mapping[str, str],
        output: Callable[[str], None],
        timeout: float | None,
    ) -> int:
        """Run a program as root, its standard input empty and its output going to `output`.

        `environment` is added to the image's. Standard output and error come line by line as they
        were written, without line ends.

        Returns:
            The exit code; of one that a signal ended 128 more than the signal's number.

        Raises:
            WheelError: "build-timeout", and what the program started is killed; "out-of-memory";
                "container-ended".
            UnreachableError: the engine does not answer any more.
        """
        with self._faults():
            client = self._engine.client()
            code = command_stream.run(
                client, self.name, command,
                cwd=cwd, environment=environment, output=output, timeout=timeout,
            )  # fmt: skip
            if code:
                self._look_after(client)
            return code

    def _look_after(self, client: APIClient) -> None:
        """See whether a command failed because of the container, rather than by itself."""
        ran_out = self._memory.ran_out(client, self.name)
        if ran_out:
            raise _out_of_memory(self.name)
        if ran_out is None and (ended := _why_ended(client, self.name, _ENDING_SECONDS)):
            raise ended

    def send(self, path: Path, *, to: str | None = None) -> None:
        """Put a file or a folder of this machine into the container, by default at its own path.

        What is there already is kept, or written over by name. Folders above it are made.

        Raises:
            FileError: reading failed, or the engine's disk is full.
            WheelError: the container is gone.
            UnreachableError: the engine does not answer any more.
        """
        stream = tar_stream.pack(path, to or os.path.abspath(path))
        with self._faults():
            self._engine.client().put_archive(self.name, "/", stream)

    def fetch(self, path: str, folder: Path) -> None:
        """Write what is in the container's folder `path` into `folder`; a file under its name.

        Raises:
            FileNotFoundError: there is no such path in the container.
            WheelError: what is there reaches out of the folder, or the container is gone.
            FileError: writing failed.
            UnreachableError: the engine does not answer any more.
        """
        pieces = self._open_archive(path)
        if pieces is None:
            raise FileNotFoundError(errno.ENOENT, "no such path in the build container", path)
        rest = self._guarded(pieces)
        try:
            tar_stream.unpack(rest, folder)
        except AzpackError:
            deque(rest, maxlen=0)  # read to its end, which closes the connection
            raise
        deque(rest, maxlen=0)

    def _open_archive(self, path: str) -> Iterable[bytes] | None:
        from docker.errors import NotFound

        with self._faults():
            client = self._engine.client()
            try:
                pieces: Iterable[bytes] = client.get_archive(self.name, path)[0]
            except NotFound:
                client.inspect_container(self.name)  # that itself is there
                return None
            return pieces

    def _guarded(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        with self._faults():
            yield from pieces

    @contextmanager
    def _faults(self) -> Iterator[None]:
        from docker.errors import APIError

        with engine_errors(self._engine):
            try:
                yield
            except APIError as error:
                if error.status_code not in _NOT_RUNNING:
                    raise
                raise _why_ended(self._engine.client(), self.name) or error from error


def _labels() -> dict[str, str]:
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return {_LABEL: __version__, _STARTED: started, _OWNER: f"{_place()} {os.getpid()}"}


def _place() -> str:
    """This machine since its start, and this namespace of processes: where a number means one."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        marks = (boot, os.readlink("/proc/self/ns/pid"))
    except OSError:  # macOS
        marks = (machine.node(), str(uuid.getnode()))
    return hashlib.sha256(" ".join(marks).encode()).hexdigest()[:16]


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let signals that come meanwhile, however many, have their way only afterwards."""
    if threading.current_thread() is not threading.main_thread():
        yield  # which no signal interrupts
        return
    came: list[int] = []
    handlers = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            handlers[number] = signal.signal(number, lambda it, _: came.append(it))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)
        for late in dict.fromkeys(came):
            signal.raise_signal(late)


def _remove(engine: Engine, container: str) -> None:
    from docker.errors import APIError

    with engine_errors(engine):
        try:
            engine.client().remove_container(container, v=True, force=True)
        except APIError as error:
            if error.status_code not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                raise


def remove_living() -> None:
    """Remove what is there still, as Python ends.

    An interrupt may have come just before another one was seen to.
    """
    for container in tuple(_living.values()):
        container.remove()


atexit.register(remove_living)


def _why_ended(client: APIClient, name: str, seconds: float = 0) -> WheelError | None:
    """Why the container does not run any more, if it does not, or ends within so many seconds."""
    from docker.errors import APIError

    deadline = time.monotonic() + seconds
    try:
        while (state := client.inspect_container(name)["State"])["Running"]:
            if time.monotonic() > deadline:
                return None
            time.sleep(0.1)
        said = client.logs(name, tail=3).decode("utf-8", "replace").strip()
    except APIError:
        return _ended(name, "something removed it")
    if state.get("OOMKilled"):
        return _out_of_memory(name)
    code = state["ExitCode"]
    if code == _KILLED:
        return _ended(
            name, "its first process was killed, as happens where the machine has no memory left"
        )
    if not code:
        return _ended(name, f"it ran for {ABANDONED_SECONDS / 3600:.0f} hours")
    return _ended(name, f"exit code {code}: {said}" if said else f"exit code {code}")


def _ended(name: str, why: str) -> WheelError:
    return WheelError(
        "container-ended",
        f"the build container {name} ended before the build did: {why}",
        hint="build again; the engine's log tells more",
        context={"container": name},
    )


def _out_of_memory(name: str) -> WheelError:
    return WheelError(
        "out-of-memory",
        f"the memory of the build container {name} did not suffice: the kernel ended processes "
        "in it",
        hint="give the engine more memory (Docker Desktop: Settings, Resources), or build less at "
        "once, for instance with --docker-before and MAKEFLAGS=-j1",
        context={"container": name},
    )


def find_abandoned(engine: Engine) -> tuple[str, ...]:
    """The ids of containers that killed builds left at the engine.

    Those whose azpack ran on this machine and does not any more, and those that are older than a
    day, by when they have ended themselves.

    Raises:
        UnreachableError: the engine does not answer any more.
    """
    with engine_errors(engine):
        found = engine.client().containers(all=True, filters={"label": _LABEL})
    return tuple(it["Id"] for it in found if _is_abandoned(it.get("Labels") or {}))


def _is_abandoned(labels: Mapping[str, str]) -> bool:
    try:
        age = datetime.now(timezone.utc) - datetime.fromisoformat(labels[_STARTED])
        place, process = labels[_OWNER].split()
        if place == _place():
            os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, as another user's
        pass
    except (LookupError, ValueError, TypeError):  # of another version's making
        return False
    return age > timedelta(seconds=ABANDONED_SECONDS)


def remove_abandoned(engine: Engine) -> int:
    """Remove what `find_abandoned` finds; returns how many containers those were.

    Raises:
        WheelError: the engine refuses.
        UnreachableError: it does not answer any more.
    """
    abandoned = find_abandoned(engine)
    for container in abandoned:
        _remove(engine, container)
    return len(abandoned)
