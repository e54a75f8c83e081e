"""Azure's runtime library: in the store, pinned by hash, for each Python a folder of its own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from azpack.deps.interpreters import undisturbed
from azpack.errors import UnreachableError, UsageError, WheelError
from azpack.store import mark_used

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from azpack.deps.index import IndexSettings
    from azpack.deps.lock import LockedDistribution
    from azpack.progress import Progress
    from azpack.store import Store

_NOT_LISTED = (404, 410)
V1, V2 = "azure_functions_runtime_v1", "azure_functions_runtime"
_ELSEWHERE = (
    "name an index that has it with --index-url or --find-links, or a folder with the libraries "
    "with --runtime-dir"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedWheel:
    """A wheel of the library, or of what it needs; `pythons` are those that it is for."""

    name: str
    version: str
    filename: str
    sha256: str
    pythons: tuple[str, ...]


def pinned_wheels(python: str) -> tuple[PinnedWheel, ...]:
    """The wheels for a Python ("3.12"), none for one that no runtime library is known for."""
    rows = json.loads(Path(__file__).with_name("runtime.json").read_bytes())["wheels"]
    wheels = (PinnedWheel(**{**row, "pythons": tuple(row["pythons"])}) for row in rows)
    return tuple(wheel for wheel in wheels if python in wheel.pythons)


def check_runtime_folder(folder: Path) -> Path:
    """A folder that the user names, as `pip install --target` makes it.

    Raises:
        UsageError: the libraries are not in it.
    """
    missing = [name for name in (V2, V1, "azure/functions") if not (folder / name).is_dir()]
    if missing:
        raise UsageError(
            "no-runtime-library",
            f"{folder} has no {' and no '.join(missing)}",
            hint="make it with: pip install --target FOLDER --no-deps --ignore-requires-python "
            "azure-functions-runtime azure-functions-runtime-v1 azurefunctions-extensions-base "
            "azure-functions werkzeug markupsafe",
        )
    return folder.absolute()


def find_runtime(
    python: str,
    indexes: IndexSettings,
    store: Store,
    progress: Progress,
    interpreter: Path | None = None,
) -> Path:
    """The folder with the libraries for this Python, got from the indexes where need be.

    An interpreter of that version compiles them, so that what is measured later is the app.

    Raises:
        WheelError: no index lists a wheel with the name and hash.
        UnreachableError: an index does not answer.
    """
    wheels = pinned_wheels(python)
    parts = [*(it.sha256 for it in wheels), "compiled" if interpreter else ""]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    folder = store.tool_folder(f"functions-runtime-{python}-{key}")
    if folder.is_dir():
        mark_used(folder)
        return folder
    progress.note(f"getting Azure's runtime library for Python {python}")
    with store.new_folder() as temporary:
        made = temporary / "library"
        made.mkdir()
        for path in _download(wheels, indexes, progress, temporary):
            with zipfile.ZipFile(path) as archive:
                archive.extractall(made)  # its hash is known
        if interpreter is not None:
            _compile(interpreter, made, folder)
        store.place(made, folder)
    return folder


def _compile(interpreter: Path, made: Path, folder: Path) -> None:
    """Compile what will stand in `folder`; what can't be is left to whoever imports it."""
    subprocess.run(
        [interpreter, "-I", "-m", "compileall", "-q", "-s", made, "-p", folder,
         "--invalidation-mode", "unchecked-hash", made],
        env=undisturbed(os.environ), stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip


def _download(
    wheels: Sequence[PinnedWheel], indexes: IndexSettings, progress: Progress, folder: Path
) -> Iterator[Path]:
    from threading import Event

    from azpack.deps.download import Downloader

    downloader = Downloader(indexes, progress, Event())
    with downloader.session() as session:
        for wheel in wheels:
            path = folder / wheel.filename
            downloader.fetch(session, _locate(wheel, indexes), path)
            yield path


def _locate(wheel: PinnedWheel, indexes: IndexSettings) -> LockedDistribution:
    """The first place that lists the file: whichever that is, the hash says that it is the one."""
    from azpack.deps.index import public
    from azpack.deps.lock import LockedDistribution

    faults = []
    for place in indexes.places():
        url, fault = _listed(place, wheel, indexes)
        if url:
            return LockedDistribution(
                name=wheel.name, version=wheel.version, kind="wheel", url=url,
                filename=wheel.filename, sha256=wheel.sha256, index=place,
            )  # fmt: skip
        faults.append(f"  {public(place)}: {fault or 'does not list it'}")
        if fault:
            raise UnreachableError(
                "index-unreachable",
                "an index does not answer, which is asked for Azure's runtime library\n"
                f"{faults[-1]}",
                hint=f"check the network and the proxy; or {_ELSEWHERE}",
            )
    raise WheelError(
        "no-runtime-library",
        f"Azure's runtime library is not complete: {wheel.filename} is nowhere\n"
        + "\n".join(faults or ["  no index is to be asked"]),
        hint=_ELSEWHERE,
        context={"filename": wheel.filename, "sha256": wheel.sha256},
    )


def _listed(place: str, wheel: PinnedWheel, indexes: IndexSettings) -> tuple[str, str]:
    """The URL of the file, or nothing, and why the place does not answer, if it does not."""
    from azpack.deps.asking import asking
    from azpack.deps.lock import file_path
    from azpack.deps.pages import Page, find_files, page_of

    page = page_of(place, wheel.name, indexes)
    path = file_path(page)
    if path is not None:
        files = find_files(place, wheel.name, indexes)
        base = f"{(path.parent if path.is_file() else path).as_uri()}/"
        found = (it.url or it.filename for it in files if it.filename == wheel.filename)
        return next((urljoin(base, url) for url in found), ""), ""
    with asking(indexes) as asker:
        answer = asker.each(asker.page, [page])[page]
    if isinstance(answer, Page):
        named = (it.url for it in answer.files if it.filename == wheel.filename)
        return next(named, ""), ""
    return "", "" if answer in _NOT_LISTED else str(answer)
