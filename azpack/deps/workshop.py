"""The container of a build: an image's interpreter, uv and auditwheel, started when first needed.

It sees the indexes as uv sees them on this machine, by an environment that each command gets and
no other: not in what the engine tells of the container, and on no command line.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from threading import BoundedSemaphore, Lock, RLock
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

from azpack.deps.lock import file_path
from azpack.deps.passwords import find_login
from azpack.deps.uv import find_uv, uv_environment
from azpack.errors import AzpackError, UsageError, WheelError
from azpack.redaction import conceal, redact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from azpack.deps.container import BuildContainer
    from azpack.deps.engine import Engine
    from azpack.deps.index import IndexSettings
    from azpack.progress import Progress
    from azpack.store import Store

# What of this machine's environment is about the network, and so holds there too.
_PASSED = re.compile(r"(HTTPS?|ALL|NO)_PROXY\Z|UV_HTTP_", re.IGNORECASE)
_UV = PurePosixPath("/opt/azpack/uv")
_TOOLS = PurePosixPath("/opt/azpack/auditwheel")
# auditwheel asks for such a patchelf, and that of Debian 12 and Ubuntu 22.04 is older.
_FIND_AUDITWHEEL = (
    'least=0.14.5; has=$(patchelf --version 2>/dev/null | cut -d " " -f 2); '
    '[ "$has" ] && [ "$(printf "%s\\n" "$least" "$has" | sort -V | head -n 1)" = "$least" ] '
    "&& command -v auditwheel"
)
_SHOWN_LINES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSettings:
    """What to build in: an image, its platform and network, and commands to run in it first.

    `names` are environment variables that are passed through; `timeout` is in seconds, for each
    command of a build.
    """

    image: str
    platform: str
    network: str | None
    before: tuple[str, ...]
    names: tuple[str, ...]
    timeout: float


class Workshop:
    """Makes one container for all that a build needs one for, and removes it at the end.

    `slots` are for as many builds at once as the engine has cores, once the container is there.
    """

    def __init__(
        self,
        settings: ContainerSettings,
        indexes: IndexSettings,
        environ: Mapping[str, str],
        store: Store,
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._indexes = indexes
        self._environ = environ
        self._store = store
        self._progress = progress
        self._lock = Lock()
        self._closing = Lock()
        self.slots = BoundedSemaphore(1)
        self._engine: Engine | None = None
        self._container: BuildContainer | None = None
        self._place: ContainerPlace | None = None
        self._fault: AzpackError | None = None
        self._closed = False

    def key(self) -> str:
        """What wheels from this container are kept under; empty while its image is not known.

        The engine is not asked: what the image's name stood for when it last was is remembered.
        """
        digest = self._store.find_plan(self._image_key())
        if digest is None:
            return ""
        return "\n".join(("container", digest.decode(), *self._settings.before))

    def digest(self) -> str:
        """The digest of the image that was used last."""
        return (self._store.find_plan(self._image_key()) or b"").decode()

    def _image_key(self) -> str:
        parts = ("image", self._settings.image, self._settings.platform)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def place(self) -> ContainerPlace:
        """The container, started and made ready by whoever is the first to ask.

        Raises:
            UnreachableError: there is no engine, or it can't get the image.
            UsageError: the image is for another architecture, or lacks what a build needs.
            WheelError: a command that is to run first failed.
        """
        with self._lock:
            if self._fault is not None:  # it would be the same for the next distribution
                raise self._fault
            if self._place is None:
                try:
                    self._place = self._open()
                except AzpackError as error:
                    self._fault = error
                    raise
            return self._place

    def _open(self) -> ContainerPlace:
        from azpack.deps.container import BuildContainer
        from azpack.deps.engine import connect
        from azpack.deps.image import find_image

        settings = self._settings
        _check_names(settings.names, self._environ)
        self._engine = connect(self._environ)
        image = find_image(self._engine, settings.image, settings.platform, self._progress)
        self._store.record_plan(self._image_key(), image.digest)
        container = BuildContainer(
            self._engine,
            image,
            network=settings.network,
            platform=settings.platform,
            warn=self._progress.warn,
        )
        with self._closing:
            if self._closed:
                raise WheelError("interrupted", "the build was interrupted")
            self._container = container
        self._progress.note(f"starting a container of {settings.image}")
        container.__enter__()
        self.slots = BoundedSemaphore(self._engine.cores())
        return ContainerPlace(container, settings, self._indexes, self._environ, self._progress)

    def close(self) -> None:
        """Remove the container, also one that another thread is just about to start.

        No thread is waited for: it may pull an image, or run a command that takes its time.
        """
        with self._closing:
            self._closed = True
        if self._container is not None:
            self._container.remove()
        if self._engine is not None:
            self._engine.close()


class ContainerPlace:
    """A container as `azpack.deps.place.Place` has it; several threads may build in it."""

    connection_hint = (
        "check that the container reaches the index: --docker-network host gives it this machine's "
        "network, and HTTPS_PROXY a proxy"
    )

    def __init__(
        self,
        container: BuildContainer,
        settings: ContainerSettings,
        indexes: IndexSettings,
        environ: Mapping[str, str],
        progress: Progress,
    ) -> None:
        self._container = container
        self._settings = settings
        self._progress = progress
        self._lock = RLock()
        self._sent: set[Path] = set()
        self._interpreters: dict[str, str] = {}
        self._auditwheel: Future[tuple[str, str]] | None = None
        self.indexes = _with_logins(indexes)
        self.environment: Mapping[str, str] = _environment(settings, self.indexes, environ)
        for needed in _needed_files(indexes):
            self.send(needed)
        for command in settings.before:
            self._run_first(command)
        self.environment = {**self.environment, "PATH": self._ask('printf %s "$PATH"')}
        self._uv = ""

    def interpreter(self, python: str) -> str:
        """The image's interpreter of that version, for something to be built.

        Raises:
            UsageError: it has none.
        """
        with self._lock:
            found = self._interpreter(python)
            # It may have to be installed, which the build need not wait for.
            if self._auditwheel is None:
                executor = ThreadPoolExecutor(1)
                self._auditwheel = executor.submit(self._find_auditwheel, python)
                executor.shutdown(wait=False)
            return found

    def _interpreter(self, python: str) -> str:
        with self._lock:
            if python not in self._interpreters:
                found = self._find_interpreter(python)
                self._uv = self._uv or self._bring_uv(found)
                self._interpreters[python] = found
            return self._interpreters[python]

    def uv(self) -> str:
        """The program uv, which is there once an interpreter was asked for."""
        return self._uv

    def _bring_uv(self, interpreter: str) -> str:
        """Send this machine's uv, or where that is for another system, have pip install it."""
        own = Path(find_uv())
        if _runs_there(own):
            self.send(own)
            return str(own)
        from azpack.deps.pip_tools import pip_environment

        log = Path("/opt/azpack/pip.log")
        settings = dict(pip_environment(self.indexes, self.environment, log=log))
        del settings["PIP_USE_FEATURE"]  # the image's pip may be too old for it
        for command in (
            [interpreter, "-m", "venv", str(_UV)],
            [f"{_UV}/bin/python", "-m", "pip", "install", "--only-binary", ":all:",
             f"uv=={version('uv')}"],
        ):  # fmt: skip
            code, lines = self._run_here(command, settings)
            if code:
                raise WheelError(
                    "no-uv-in-container",
                    "uv can't be installed in the container, and this machine's is for another "
                    f"system{_end_of(lines)}",
                    hint=self.connection_hint,
                )
        return f"{_UV}/bin/uv"

    def run(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        output: Callable[[str], None],
    ) -> int:
        """Run a program in the container, for so long as the settings allow."""
        return self._container.run(
            command,
            cwd=str(folder),
            environment=environment,
            output=output,
            timeout=self._settings.timeout,
        )

    def send(self, path: Path) -> None:
        """Send a file or folder; a file that is there already is the same."""
        with self._lock:
            if path in self._sent and path.is_file():
                return
            self._sent.add(path)
        self._container.send(path)

    def fetch(self, path: Path) -> None:
        """Fetch what is in a folder there; a file that is here too is replaced."""
        with TemporaryDirectory(prefix="azpack-", dir=path.parent) as temporary:
            self._container.fetch(str(path), Path(temporary))
            for entry in Path(temporary).iterdir():
                entry.replace(path / entry.name)

    def write(self, path: PurePosixPath, text: str) -> None:
        """Write a file that this machine does not have."""
        with TemporaryDirectory(prefix="azpack-") as temporary:
            file = Path(temporary, path.name)
            file.write_text(text, encoding="utf-8")
            self._container.send(file, to=str(path))

    def finish(self, wheel: Path) -> Path:
        """Have auditwheel bring in what the wheel links to, and say what it then runs on."""
        if wheel.stem.endswith("-any"):
            return wheel
        assert self._auditwheel is not None  # noqa: S101  # what is finished was built
        auditwheel, path = self._auditwheel.result()
        repaired = wheel.parent.parent / "repaired"
        command = [auditwheel, "repair", "--wheel-dir", str(repaired), str(wheel)]
        code, lines = self._run_here(command, {"PATH": path})
        if code:
            raise _not_repaired(wheel.name, lines)
        repaired.mkdir()
        self.fetch(repaired)
        return next(repaired.glob("*.whl"))

    def _find_auditwheel(self, python: str) -> tuple[str, str]:
        """auditwheel of the image, or one from the indexes, and the PATH on which is patchelf."""
        path = self.environment["PATH"]
        if found := self._ask(_FIND_AUDITWHEEL):
            return found, path
        self._install_auditwheel(python)
        return f"{_TOOLS}/bin/auditwheel", f"{_TOOLS}/bin:{path}"

    def _install_auditwheel(self, python: str) -> None:
        lines = self.make_environment(_TOOLS, python, ("auditwheel", "patchelf"))
        if lines:
            raise WheelError(
                "no-auditwheel",
                f"{self._settings.image} has no auditwheel and patchelf, and they can't be "
                f"installed there{_end_of(lines)}",
                hint="choose a manylinux image, or install both with --docker-before",
            )

    def make_environment(
        self, folder: PurePosixPath, python: str, packages: Sequence[str]
    ) -> list[str]:
        """Make a virtual environment with packages in it; where that fails, what was printed."""
        interpreter = self._interpreter(python)
        uv = [self.uv(), "--no-config", "--color", "never"]
        for command in (
            [*uv, "venv", "--no-project", "--python", interpreter, str(folder)],
            [*uv, "pip", "install", "--python", str(folder), "--only-binary", ":all:", *packages],
        ):
            code, lines = self._run_here(command)
            if code:
                return lines
        return []

    def _run_here(
        self, command: Sequence[str], environment: Mapping[str, str] = MappingProxyType({})
    ) -> tuple[int, list[str]]:
        """Run a command of our own: its exit code, and what it printed."""
        lines: list[str] = []

        def tell(line: str) -> None:
            lines.append(redact(line))
            self._progress.log(lines[-1])

        whole = {**self.environment, **environment}
        return self.run(command, folder=Path("/"), environment=whole, output=tell), lines

    def _run_first(self, command: str) -> None:
        self._progress.note(f"running in the container: {command}")
        code, lines = self._run_here(["sh", "-c", command])
        if code:
            raise WheelError(
                "before-failed",
                f"{command} ended with exit code {code} in the container{_end_of(lines)}",
                hint="mend --docker-before; -v shows all that it prints",
            )

    def _find_interpreter(self, python: str) -> str:
        found = self._ask(interpreter_script(python))
        if not found:
            raise UsageError(
                "no-interpreter-in-image",
                f"{self._settings.image} has no Python {python}: neither {_own_python(python)}, "
                f"nor python{python} or python3 on PATH",
                hint="choose an image that has it with --docker-image (the manylinux images have "
                "all), or install it with --docker-before",
            )
        return found

    def _ask(self, script: str) -> str:
        """What a small script prints."""
        return "\n".join(self._run_here(["sh", "-c", script])[1]).strip()


def interpreter_script(python: str) -> str:
    """A script for sh that prints the path of an image's interpreter of that version, or nothing.

    The manylinux images have theirs off PATH.
    """
    probe = shlex.quote("import sys; print('%d.%d' % sys.version_info[:2])")
    return (
        f"for it in {_own_python(python)} python{python} python3 python; do "
        f'[ "$("$it" -c {probe} 2>/dev/null)" = {python} ] && command -v "$it" && break; done'
    )


def _own_python(python: str) -> str:
    tag = f"cp{python.replace('.', '')}"
    return f"/opt/python/{tag}-{tag}/bin/python"


def _check_names(names: Sequence[str], environ: Mapping[str, str]) -> None:
    """Each variable that is to be passed through is set; from now on its value is shown nowhere."""
    missing = [name for name in names if name not in environ]
    if missing:
        raise UsageError(
            "variable-not-set",
            f"[tool.azpack.docker] environment names {', '.join(missing)}, which is not set",
            hint="set it, or take it out",
        )
    for name in names:
        conceal(environ[name])


def _environment(
    settings: ContainerSettings, indexes: IndexSettings, environ: Mapping[str, str]
) -> dict[str, str]:
    """What programs in the container see beside the image's own environment."""
    environment = uv_environment(indexes, {})
    environment.pop("UV_KEYRING_PROVIDER", None)  # the URLs have the passwords
    passed = {name: value for name, value in environ.items() if _PASSED.match(name)}
    if bundle := indexes.certificates:
        passed |= {"REQUESTS_CA_BUNDLE": bundle, "CURL_CA_BUNDLE": bundle}
    # uv links from its cache, which is gone with the container.
    return {
        **environment, "UV_LINK_MODE": "hardlink", "HOME": "/root", **passed,
        **{name: environ[name] for name in settings.names},
    }  # fmt: skip


def _runs_there(program: Path) -> bool:
    """Whether a program is for Linux on x86-64, as every image is."""
    with open(program, "rb") as file:
        head = file.read(20)
    return head[:5] == b"\x7fELF\x02" and head[18:20] == b"\x3e\x00"


def _with_logins(indexes: IndexSettings) -> IndexSettings:
    """The settings with the credentials of netrc in the URLs: the container has no netrc."""
    return replace(
        indexes,
        index_url=_with_login(indexes.index_url),
        extra_index_urls=tuple(map(_with_login, indexes.extra_index_urls)),
    )


def _with_login(url: str) -> str:
    parts = urlsplit(url)
    login = find_login(parts.hostname or "") if "@" not in parts.netloc else None
    if login is None:
        return url
    user, password = (quote(part, safe="") for part in login)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc}"))


def _needed_files(indexes: IndexSettings) -> list[Path]:
    """The certificates and the folders of wheels of this machine that the settings name."""
    named = [indexes.certificates, indexes.client_certificate]
    folders = [file_path(link) for link in indexes.find_links]
    return [Path(path) for path in (*named, *folders) if path]


def _not_repaired(name: str, lines: Sequence[str]) -> WheelError:
    return WheelError(
        "not-repaired",
        f"{name} was built, and can't be made to run elsewhere{_end_of(lines)}",
        hint="where auditwheel asks for a library, install it with --docker-before; where it finds "
        "symbols that are too new, choose an image with an older glibc",
    )


def _end_of(lines: Sequence[str]) -> str:
    return "".join(f"\n  {line}" for line in [line for line in lines if line][-_SHOWN_LINES:])
