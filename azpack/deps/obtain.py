"""From a lock to wheels in the store: downloaded, or built where there is only a source."""

from __future__ import annotations

import hashlib
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event, local
from typing import TYPE_CHECKING, Any, TypeAlias

from azpack.deps.distribution import CONTENTS, Distribution, Wheel, WheelContents
from azpack.deps.download import Downloader
from azpack.deps.needs import check_code
from azpack.deps.source_builder import NeedsEngineError, SourceBuilder, explain_need
from azpack.deps.unusable import explain_unusable, find_unusable
from azpack.deps.uv import uv_environment
from azpack.deps.wheel import check_wheel
from azpack.errors import AzpackError, FileError, ResolutionError, WheelError
from azpack.store import damaged_store

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from requests import Session

    from azpack.deps.index import IndexSettings
    from azpack.deps.lock import Lock, LockedDistribution
    from azpack.deps.source_builder import BuiltFile, BuiltIn, Mode
    from azpack.deps.workshop import Workshop
    from azpack.progress import Progress
    from azpack.store import Store
    from azpack.target.target import Target

_Problems: TypeAlias = "list[tuple[LockedDistribution, WheelError | NeedsEngineError]]"

# More threads do not download faster, and each also checks what it has got.
_THREADS = 4
# How many of these run at once is for the place to say where they are built.
_BUILD_THREADS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where wheels come from and go to, and who is told.

    What has no wheel is built on this machine, or in a container, or (`mode` auto) there only if
    it does not come to a fitting wheel here. `constraints` are those of build requirements, in
    pip's format.
    """

    store: Store
    indexes: IndexSettings
    environ: Mapping[str, str]
    progress: Progress
    mode: Mode
    workshop: Workshop
    constraints: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obtained:
    """The wheels in the order of the lock, and the names of those from the container.

    `digest` is that of the image that they were built in.
    """

    wheels: tuple[Wheel, ...]
    in_container: tuple[str, ...]
    digest: str


def obtain_wheels(
    lock: Lock, target: Target, sources: Sources, *, overridden: Collection[str] = ()
) -> Obtained:
    """Bring the wheel of each locked distribution into the store.

    What a folder asks for is in the lock too, but for the names whose versions are `overridden`.

    Raises:
        WheelError: of one or more distributions there is no usable wheel; all are named.
        ResolutionError: a folder asks for what the lock does not have.
        UnreachableError: an index does not answer, or refuses; or there is no engine, and
            distributions have to be built in a container.
    """
    builder = SourceBuilder(sources, target)
    built: dict[str, BuiltIn] = {}
    wheels: dict[str, Wheel] = {}
    missing = []
    problems: _Problems = []
    for entry in lock.distributions:
        try:
            wheel = _find_stored(entry, target, sources, builder, built)
        except WheelError as error:
            problems.append((entry, error))
            continue
        if wheel is not None:
            wheels[entry.name] = wheel
        else:
            missing.append(entry)
    if missing:
        wheels.update(_get_all(missing, problems, target, sources, builder, built))
    if problems:
        raise _explain(problems, target, sources)
    for entry in lock.distributions:
        if not entry.is_wheel:
            _check_requirements(wheels[entry.name], wheels, target, overridden)
    in_container = tuple(sorted(name for name, place in built.items() if place == "container"))
    return Obtained(
        wheels=tuple(wheels[entry.name] for entry in lock.distributions),
        in_container=in_container,
        digest=sources.workshop.digest() if in_container else "",
    )


def _explain(problems: _Problems, target: Target, sources: Sources) -> AzpackError:
    """One error for all that has no usable wheel; where a container would help, that is said."""
    unusable = []
    needs = []
    for entry, error in problems:
        if isinstance(error, NeedsEngineError):
            needs.append(error)
            reason = error.reason or WheelError("no-usable-wheel", entry.reason)
        else:
            reason = error
        unusable.append(find_unusable(entry, reason, sources.indexes))
    explained = explain_unusable(unusable, target, sources.indexes)
    if not needs:
        return explained
    return explain_need(needs, explained, alone=len(needs) == len(problems))


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
    missing: list[LockedDistribution],
    problems: _Problems,
    target: Target,
    sources: Sources,
    builder: SourceBuilder,
    built: dict[str, BuiltIn],
) -> dict[str, Wheel]:
    """Get the wheels that are missing; what keeps one from being had is added to `problems`."""
    wheels = {}
    missing.sort(key=lambda entry: -(entry.size or 0))  # the longest first, so that none is last
    total = sum(entry.size or 0 for entry in missing)
    with sources.progress.stage("wheels", total=total), sources.store.new_folder() as folder:
        getter = _Getter(target, sources, builder, built, folder)
        # It fills a global bit by bit: of two threads that ask first, one would find it empty.
        sysconfig.get_config_vars()
        executors = ThreadPoolExecutor(_THREADS), ThreadPoolExecutor(_BUILD_THREADS)
        try:
            futures = [
                (entry, executors[not entry.is_wheel].submit(getter.get, entry))
                for entry in missing
            ]
            for entry, future in futures:
                try:
                    wheels[entry.name] = future.result()
                except (WheelError, NeedsEngineError) as error:
                    if error.code == "before-failed":  # of the container, whatever is built in it
                        raise
                    problems.append((entry, error))
        finally:
            # Not waited for: an interrupted user waits for nobody.
            getter.stop.set()
            for executor in executors:
                executor.shutdown(wait=False, cancel_futures=True)
        if problems and not folder.is_dir():  # whatever they say, that is the cause
            raise FileError(
                "store-emptied",
                f"the wheel store was emptied while it was used: {folder} is gone",
                hint="build again",
            )
    return wheels


def _find_stored(
    entry: LockedDistribution,
    target: Target,
    sources: Sources,
    builder: SourceBuilder,
    built: dict[str, BuiltIn],
) -> Wheel | None:
    """The wheel of a distribution that an earlier build left in the store.

    Raises:
        WheelError: its code does not run on the target.
    """
    if entry.is_wheel:
        return _kept(entry, entry.sha256, entry.tag, target, sources) if entry.tag else None
    for place, key in builder.keys(entry):
        found = sources.store.find_built(key)
        if found and (wheel := _kept(entry, *found, target, sources, place)) is not None:
            built[entry.name] = place
            return wheel
    return None


def _kept(
    entry: LockedDistribution,
    sha256: str,
    tag: str,
    target: Target,
    sources: Sources,
    place: BuiltIn | None = None,
) -> Wheel | None:
    path = sources.store.find_wheel(sha256) if sha256 else None
    if path is None or not _is_named(path, entry):
        return None
    wheel = _as_wheel(entry, path, sha256, tag, sources, place)
    try:
        native = wheel.contents().native
    except FileError:  # damaged, or of a version of azpack that noted less
        sources.store.discard(path.parent)
        return None
    check_code(path.name, native, target)
    return wheel


def _is_named(wheel: Path, entry: LockedDistribution) -> bool:
    """Whether a wheel is of the distribution by its name: one source may be locked as two."""
    from packaging.utils import parse_wheel_filename
    from packaging.version import Version

    name, version, _, _ = parse_wheel_filename(wheel.name)
    return name == entry.name and (not entry.version or version == Version(entry.version))


def _as_wheel(
    entry: LockedDistribution,
    path: Path,
    sha256: str,
    tag: str,
    sources: Sources,
    place: BuiltIn | None,
) -> Wheel:
    if place is None:
        source = "wheel"
    else:
        source = "path" if entry.is_path else f"sdist-{place}"
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

    def __init__(
        self,
        target: Target,
        sources: Sources,
        builder: SourceBuilder,
        built: dict[str, BuiltIn],
        folder: Path,
    ) -> None:
        self._target = target
        self._sources = sources
        self._builder = builder
        self._built = built
        self._folder = folder
        self.stop = Event()
        self._downloader = Downloader(sources.indexes, sources.progress, self.stop)
        self._thread = local()

    def get(self, entry: LockedDistribution) -> Wheel:
        """Download or build the wheel, check it, and put it into the store."""
        folder = self._folder / entry.name
        folder.mkdir()
        if not entry.is_wheel:
            return self._get_built(entry, folder)
        if not entry.tag:
            raise WheelError("no-usable-wheel", entry.reason)
        file = folder / entry.filename
        sha256 = self._downloader.fetch(self._session(), entry, file)
        path = self._keep(file, sha256)
        return _as_wheel(entry, path, sha256, entry.tag, self._sources, None)

    def _get_built(self, entry: LockedDistribution, folder: Path) -> Wheel:
        built = self._build(entry, folder)
        sha256 = _sha256(built.path)
        path = self._keep(built.path, sha256)
        wheel = _as_wheel(entry, path, sha256, built.tag, self._sources, built.built_in)
        _check_identity(entry, wheel.contents())
        key = dict(self._builder.keys(entry)).get(built.built_in)
        if key:
            self._sources.store.record_built(key, sha256, built.tag)
        self._built[entry.name] = built.built_in
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
        # Kept all the same: another target may run it, and for this one it is known from now on.
        check_code(kept.name, contents.native, self._target)
        return kept

    def _build(self, entry: LockedDistribution, folder: Path) -> BuiltFile:
        if entry.kind == "directory":
            source = Path(entry.url)
        elif entry.kind == "vcs":
            from azpack.deps.vcs import check_out

            source = folder / "checkout"
            source.mkdir()
            environment = uv_environment(self._sources.indexes, self._sources.environ)
            log = self._sources.progress.log
            check_out(entry.url, entry.commit, source, environment=environment, log=log)
        else:
            source = folder / entry.filename
            self._downloader.fetch(self._session(), entry, source)
        return self._builder.build(
            entry,
            source / entry.subdirectory if source.is_dir() else source,
            folder,
            checkout=source if entry.kind == "vcs" else None,
        )


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
