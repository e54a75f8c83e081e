"""From a lock to wheels in the store: downloaded, or built where there is only a source."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event, local
from typing import TYPE_CHECKING

from azpack.deps.distribution import CONTENTS, Distribution, Wheel
from azpack.deps.download import Downloader
from azpack.deps.offers import describe_offers
from azpack.deps.uv import uv_environment
from azpack.deps.wheel import check_wheel
from azpack.errors import WheelError
from azpack.store import damaged_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import Session

    from azpack.deps.index import IndexSettings
    from azpack.deps.lock import Lock, LockedDistribution
    from azpack.progress import Progress
    from azpack.store import Store
    from azpack.target.target import Target

# More threads do not download faster, and each also checks what it has got.
_THREADS = 4


class NoUsableWheelError(WheelError):
    """Distributions without a wheel that fits; `published` are those with wheels that do not."""

    published: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where wheels come from and go to, and who is told."""

    store: Store
    indexes: IndexSettings
    environ: Mapping[str, str]
    progress: Progress


def obtain_wheels(lock: Lock, target: Target, sources: Sources) -> tuple[Wheel, ...]:
    """Bring the wheel of each locked distribution into the store, in the order of the lock.

    Raises:
        WheelError: of one or more distributions there is no usable wheel; all are named.
        UnreachableError: an index does not answer, or refuses.
    """
    wheels: dict[str, Wheel] = {}
    missing = []
    for entry in lock.distributions:
        if (wheel := _find_stored(entry, target, sources)) is not None:
            wheels[entry.name] = wheel
        else:
            missing.append(entry)
    if missing:
        wheels.update(_get_all(missing, target, sources))
    return tuple(wheels[entry.name] for entry in lock.distributions)


def _get_all(
    missing: list[LockedDistribution], target: Target, sources: Sources
) -> dict[str, Wheel]:
    wheels = {}
    problems = []
    missing.sort(key=lambda entry: -(entry.size or 0))  # the longest first, so that none is last
    total = sum(entry.size or 0 for entry in missing)
    with sources.progress.stage("wheels", total=total), sources.store.new_folder() as folder:
        getter = _Getter(target, sources, folder)
        executor = ThreadPoolExecutor(_THREADS)
        try:
            futures = [(entry, executor.submit(getter.get, entry)) for entry in missing]
            for entry, future in futures:
                try:
                    wheels[entry.name] = future.result()
                except WheelError as error:
                    problems.append((entry, error))
        finally:
            # Not waited for: an interrupted user waits for nobody.
            getter.stop.set()
            executor.shutdown(wait=False, cancel_futures=True)
    if problems:
        raise _together(problems, target, sources)
    return wheels


def _find_stored(entry: LockedDistribution, target: Target, sources: Sources) -> Wheel | None:
    """The wheel of a distribution that an earlier build left in the store."""
    sha256, tag = entry.sha256, entry.tag
    if not entry.is_wheel:
        key = _build_key(entry, target)
        found = sources.store.find_built(key) if key else None
        if found is None:
            return None
        sha256, tag = found
    path = sources.store.find_wheel(sha256) if sha256 else None
    return _as_wheel(entry, path, sha256, tag, sources) if path is not None else None


def _build_key(entry: LockedDistribution, target: Target) -> str:
    """What a built wheel is kept under: its source, the target, the builder. Folders have none."""
    source = entry.sha256 or entry.commit
    if not source:
        return ""
    parts = [source, entry.subdirectory, target.python, target.platform, "host"]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _as_wheel(
    entry: LockedDistribution, path: Path, sha256: str, tag: str, sources: Sources
) -> Wheel:
    if entry.is_wheel:
        source = "wheel"
    elif entry.is_path:
        source = "path"
    else:
        source = "sdist-host"
    return Wheel(
        distribution=Distribution(
            name=entry.name,
            version=entry.version or path.name.split("-")[1],
            filename=path.name,
            sha256=sha256,
            index=sources.indexes.index_of(entry.url) if entry.is_from_index else None,
            source=source,
            tag=tag,
        ),
        path=path,
    )


class _Getter:
    """Gets one distribution after the other, in several threads, each with its own session."""

    def __init__(self, target: Target, sources: Sources, folder: Path) -> None:
        self._target = target
        self._sources = sources
        self._folder = folder
        self.stop = Event()
        self._downloader = Downloader(sources.indexes, sources.progress, self.stop)
        self._thread = local()

    def get(self, entry: LockedDistribution) -> Wheel:
        """Download or build the wheel, check it, and put it into the store."""
        folder = self._folder / entry.name
        folder.mkdir()
        if entry.is_wheel:
            if not entry.tag:
                raise WheelError("no-usable-wheel", entry.reason)
            file = folder / entry.filename
            sha256, tag = self._downloader.fetch(self._session(), entry, file), entry.tag
        else:
            file, tag = self._build(entry, folder)
            sha256 = _sha256(file)
        path = self._keep(file, sha256)
        if not entry.is_wheel and (key := _build_key(entry, self._target)):
            self._sources.store.record_built(key, sha256, tag)
        return _as_wheel(entry, path, sha256, tag, self._sources)

    def _session(self) -> Session:
        if not hasattr(self._thread, "session"):
            self._thread.session = self._downloader.session()
        session: Session = self._thread.session
        return session

    def _keep(self, file: Path, sha256: str) -> Path:
        contents = check_wheel(file)
        whole = file.parent / sha256
        whole.mkdir()
        file.rename(whole / file.name)
        (whole / CONTENTS).write_text(contents.to_json(), encoding="utf-8")
        store = self._sources.store
        store.place(whole, store.wheel_folder(sha256))
        kept = store.find_wheel(sha256)  # under another name, if it was there already
        if kept is None:
            raise damaged_store(f"{store.wheel_folder(sha256)} went away")
        return kept

    def _build(self, entry: LockedDistribution, folder: Path) -> tuple[Path, str]:
        from azpack.deps.host_builder import build_on_host
        from azpack.deps.native import fitting_tag
        from azpack.deps.vcs import check_out

        log = self._sources.progress.log
        environment = uv_environment(self._sources.indexes, self._sources.environ)
        if entry.kind == "directory":
            source = Path(entry.url)
        elif entry.kind == "vcs":
            source = folder / "checkout"
            source.mkdir()
            check_out(entry.url, entry.commit, source, log=log)
        else:
            source = folder / entry.filename
            self._downloader.fetch(self._session(), entry, source)
        built = folder / "built"
        built.mkdir()
        what = f"{entry.name} {entry.version}".rstrip()
        self._sources.progress.note(f"building {what} on this machine: {entry.reason}")
        wheel = build_on_host(
            source / entry.subdirectory if source.is_dir() else source,
            target=self._target,
            environment=environment,
            folder=built,
            log=log,
            checkout=source if entry.kind == "vcs" else None,
        )
        return wheel, fitting_tag(wheel, self._target)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _together(
    problems: list[tuple[LockedDistribution, WheelError]], target: Target, sources: Sources
) -> NoUsableWheelError:
    """One error for all distributions that can't be had, each with its reason."""
    lines = []
    context = []
    published = []
    for entry, error in sorted(problems, key=lambda problem: problem[0].name):
        offers = ""
        if entry.kind == "sdist" and (index := sources.indexes.index_of(entry.url)):
            offers = describe_offers(index, entry.name, entry.version, target, sources.indexes)
        parts = [f"{entry.name} {entry.version}".strip() + ":", error.message]
        if offers:
            parts.insert(1, f"{offers};")
            published.append((entry.name, entry.version))
        lines.append("  " + " ".join(parts).replace("\n", "\n    "))
        context.append(
            {
                "name": entry.name,
                "version": entry.version,
                "code": error.code,
                "reason": error.message,
                "wheels": offers,
                **error.context,
            }
        )
    count = len(problems)
    what = "1 distribution has" if count == 1 else f"{count} distributions have"
    hints = dict.fromkeys(error.hint for _, error in problems if error.hint)
    code = problems[0][1].code if count == 1 else "no-usable-wheels"
    together = NoUsableWheelError(
        code,
        f"{what} no usable wheel for Python {target.python} on {target.platform}\n"
        + "\n".join(lines),
        hint="\n".join(hints),
        context={"distributions": context},
    )
    together.published = tuple(published)
    return together
