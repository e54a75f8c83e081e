"""From a lock to wheels in the store: downloaded, or built where there is only a source."""

from __future__ import annotations

import hashlib
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event, local
from typing import TYPE_CHECKING, Any

from azpack.deps.distribution import CONTENTS, Distribution, Wheel, WheelContents
from azpack.deps.download import Downloader
from azpack.deps.lock import NOT_ALLOWED
from azpack.deps.unusable import Unusable, explain_unusable
from azpack.deps.uv import uv_environment
from azpack.deps.wheel import check_wheel
from azpack.errors import ResolutionError, WheelError
from azpack.store import damaged_store

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from requests import Session

    from azpack.deps.index import IndexSettings
    from azpack.deps.lock import Lock, LockedDistribution
    from azpack.progress import Progress
    from azpack.store import Store
    from azpack.target.target import Target

# More threads do not download faster, and each also checks what it has got.
_THREADS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where wheels come from and go to, and who is told."""

    store: Store
    indexes: IndexSettings
    environ: Mapping[str, str]
    progress: Progress


def obtain_wheels(
    lock: Lock, target: Target, sources: Sources, *, overridden: Collection[str] = ()
) -> tuple[Wheel, ...]:
    """Bring the wheel of each locked distribution into the store, in the order of the lock.

    What a folder asks for is in the lock too, but for the names whose versions are `overridden`.

    Raises:
        WheelError: of one or more distributions there is no usable wheel; all are named.
        ResolutionError: a folder asks for what the lock does not have.
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
    for entry in lock.distributions:
        if not entry.is_wheel:
            _check_requirements(wheels[entry.name], wheels, target, overridden)
    return tuple(wheels[entry.name] for entry in lock.distributions)


def _check_requirements(
    wheel: Wheel, wheels: Mapping[str, Wheel], target: Target, overridden: Collection[str]
) -> None:
    """What was built asks for no more than is there.

    A folder may have changed since it was locked, as no hash fixes it; of an sdist, uv keeps
    what it asked for under another Python.
    """
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    environment: dict[str, Any] = {**target.marker_environment(), "extra": ""}
    for line in wheel.contents().requires:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:  # old distributions have such; installers pass them over
            continue
        if requirement.marker and not requirement.marker.evaluate(environment):
            continue
        name = canonicalize_name(requirement.name)
        if name in overridden:
            continue
        found = wheels.get(name)
        version = found.distribution.version if found else ""
        if not found or not requirement.specifier.contains(version, prereleases=True):
            has = f"has {version}" if found else "does not have it"
            raise ResolutionError(
                "lock-does-not-fit",
                f"{wheel.distribution.name} asks for {requirement}, and the lock {has}",
                hint="lock again: azpack lock; where that does not help, let uv ask it again: "
                f"uv cache clean {wheel.distribution.name}",
                context={"name": wheel.distribution.name, "requirement": line},
            )


def _get_all(
    missing: list[LockedDistribution], target: Target, sources: Sources
) -> dict[str, Wheel]:
    wheels = {}
    problems = []
    missing.sort(key=lambda entry: -(entry.size or 0))  # the longest first, so that none is last
    total = sum(entry.size or 0 for entry in missing)
    with sources.progress.stage("wheels", total=total), sources.store.new_folder() as folder:
        getter = _Getter(target, sources, folder)
        # It fills a global bit by bit: of two threads that ask first, one would find it empty.
        sysconfig.get_config_vars()
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
        unusable = [_unusable(entry, error, sources.indexes) for entry, error in problems]
        raise explain_unusable(unusable, target, sources.indexes)
    return wheels


def _find_stored(entry: LockedDistribution, target: Target, sources: Sources) -> Wheel | None:
    """The wheel of a distribution that an earlier build left in the store."""
    sha256, tag = entry.sha256, entry.tag
    if entry.is_wheel and not tag:
        return None
    if not entry.is_wheel:
        key = _build_key(entry, target)
        found = sources.store.find_built(key) if key else None
        if found is None:
            return None
        sha256, tag = found
    path = sources.store.find_wheel(sha256) if sha256 else None
    if path is None or not _is_named(path, entry):
        return None
    return _as_wheel(entry, path, sha256, tag, sources)


def _is_named(wheel: Path, entry: LockedDistribution) -> bool:
    """Whether a wheel is of the distribution by its name: one source may be locked as two."""
    from packaging.utils import parse_wheel_filename
    from packaging.version import Version

    name, version, _, _ = parse_wheel_filename(wheel.name)
    return name == entry.name and (not entry.version or version == Version(entry.version))


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
        wheel = _as_wheel(entry, path, sha256, tag, self._sources)
        if not entry.is_wheel:
            _check_identity(entry, wheel.contents())
        if not entry.is_wheel and (key := _build_key(entry, self._target)):
            self._sources.store.record_built(key, sha256, tag)
        return wheel

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
            check_out(entry.url, entry.commit, source, environment=environment, log=log)
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


def _check_identity(entry: LockedDistribution, contents: WheelContents) -> None:
    """What was built is what was locked, as pip asks too."""
    from packaging.version import Version

    same = contents.name == entry.name
    if not same or (entry.version and Version(contents.version) != Version(entry.version)):
        raise WheelError(
            "another-distribution",
            f"its source builds {contents.name} {contents.version}",
            hint="lock again, or leave it out: its source is not what its name says",
        )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _unusable(entry: LockedDistribution, error: WheelError, indexes: IndexSettings) -> Unusable:
    places: tuple[str, ...] = ()
    # Where the hashes are at fault, it does not matter what wheels there are.
    if entry.is_from_index and error.message != NOT_ALLOWED:
        likely = [indexes.index_of(entry.url)] if entry.url else []
        places = tuple(dict.fromkeys(filter(None, [*likely, *indexes.places()])))
    return Unusable(
        name=entry.name,
        version=entry.version,
        code=error.code,
        reason=error.message,
        hint=error.hint,
        places=places,
        context=error.context,
    )
