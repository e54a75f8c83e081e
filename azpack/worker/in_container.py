"""Running the driver in a container: the nearest there is to the platform's own system."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from azpack.deps.workshop import interpreter_script
from azpack.errors import FileError, UsageError, WheelError
from azpack.worker.running import DRIVER, LARGEST_RESULT, Tail, read_run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from azpack.deps.container import BuildContainer
    from azpack.progress import Progress
    from azpack.worker.running import Job, Run

ROOT = "/opt/azpack-verify"
# The driver ends itself at its own limit: this is for one that can't.
_GRACE_SECONDS = 10
_SETUP_SECONDS = 120
# In lines: the stream of a command's output parts those that are too long.
_READ = (
    "import base64, sys; "
    "sys.stdout.buffer.write(base64.encodebytes(open(sys.argv[1], 'rb').read(int(sys.argv[2]))))"
)
_LIBC = "import platform, json; print(json.dumps(platform.libc_ver()))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The image to make a container of; without a `network` it has none."""

    image: str
    platform: str | None
    network: str


def run_in_container(
    job: Job,
    place: Place,
    *,
    python: str,
    app: Path,
    worker: Path,
    folder: Path,
    environ: Mapping[str, str],
    progress: Progress,
) -> Run:
    """Run the driver in a new container, which is removed whatever happens.

    `app` and `worker` are the folders of this machine that the container gets copies of, under
    the paths that the job has; `folder` is written in.

    Raises:
        UsageError: the image has no such Python, or is for another architecture.
        UnreachableError: no engine answers, or it can't get the image.
        WheelError: the engine refuses.
    """
    from azpack.deps.container import BuildContainer
    from azpack.deps.engine import connect
    from azpack.deps.image import find_image

    with connect(environ) as engine:
        image = find_image(engine, place.image, place.platform, progress)
        progress.note(f"starting a container of {place.image}")
        with BuildContainer(
            engine, image, network=place.network, platform=place.platform, warn=progress.warn
        ) as container:
            interpreter = _find_interpreter(container, place.image, python)
            for path, to in ((app, job.app), (worker, job.worker), (DRIVER, f"{ROOT}/driver.py")):
                container.send(path, to=to)
            return _run(job, container, interpreter, folder)


def _run(job: Job, container: BuildContainer, interpreter: str, folder: Path) -> Run:
    own = folder / "sent"
    for name in ("home", "tmp", "out"):
        (own / name).mkdir(parents=True)
    (own / "job.json").write_text(job.text(None), encoding="utf-8")
    container.send(own, to=ROOT)
    make = [interpreter, "-I", "-m", "venv", "--without-pip", f"{ROOT}/bare"]
    said = Tail()
    code = container.run(make, cwd="/", environment={}, output=said.add, timeout=_SETUP_SECONDS)
    if code:
        raise UsageError(
            "no-bare-interpreter",
            f"{interpreter} of the image can't make a virtual environment: "
            f"{said.lines[-1] if said.lines else 'no reason'}",
            hint="choose an image whose Python has the module venv",
        )
    libc = _libc(container, interpreter)
    tail = Tail()
    began = time.monotonic()
    try:
        code = container.run(
            [f"{ROOT}/bare/bin/python", "-I", "-B", "-X", "utf8", f"{ROOT}/driver.py",
             f"{ROOT}/job.json"],
            cwd=ROOT, environment=job.environment, output=tail.add,
            timeout=job.timeout + _GRACE_SECONDS,
        )  # fmt: skip
    except WheelError as error:
        if error.code != "build-timeout":
            raise
    timed_out = time.monotonic() - began >= job.timeout
    for path in (job.result, job.faults):
        content = _read(container, interpreter, path)
        (folder / "out" / PurePosixPath(path).name).write_bytes(content)
    run = read_run(
        job, folder / "out", code=code, tail=tail, timed_out=timed_out, interpreter=interpreter,
        libc=libc,
    )  # fmt: skip
    return replace(run, image=container.image.name)


def _read(container: BuildContainer, interpreter: str, path: str) -> bytes:
    """The beginning of a file: the app was free to make it as large as it liked.

    Raises:
        FileError: there is no end to what comes, as the app may have brought about, too.
    """
    lines: list[str] = []
    left = 2 * LARGEST_RESULT

    def take(line: str) -> None:
        nonlocal left
        left -= len(line) + 1
        if left < 0:
            raise FileError("too-large", "what the container tells of the run has no end")
        lines.append(line)

    code = container.run(
        [interpreter, "-I", "-c", _READ, path, str(LARGEST_RESULT)],
        cwd="/", environment={}, output=take, timeout=_SETUP_SECONDS,
    )  # fmt: skip
    try:
        return base64.b64decode("".join(lines)) if code == 0 else b""  # it is not there
    except ValueError:
        return b""


def _find_interpreter(container: BuildContainer, image: str, python: str) -> str:
    lines: list[str] = []
    container.run(
        ["sh", "-c", interpreter_script(python)],
        cwd="/", environment={}, output=lines.append, timeout=_SETUP_SECONDS,
    )  # fmt: skip
    if not lines or not lines[-1].startswith("/"):
        raise UsageError(
            "no-interpreter-in-image",
            f"{image} has no Python {python} on PATH, nor under /opt/python",
            hint="choose one that has it: Azure's own is "
            f"mcr.microsoft.com/azure-functions/python:4-python{python}",
        )
    return lines[-1]


def _libc(container: BuildContainer, interpreter: str) -> str:
    lines: list[str] = []
    container.run(
        [interpreter, "-I", "-c", _LIBC],
        cwd="/", environment={}, output=lines.append, timeout=_SETUP_SECONDS,
    )  # fmt: skip
    try:
        name, version = json.loads(lines[-1])
    except (IndexError, ValueError):
        return "an unknown C library"
    return f"{name} {version}"
