"""From what a project asks for to its dependencies in the store: lock, resolver, wheels, segment.

A lock that was built from before has a plan in the store, under the hash of its bytes: what it
came to for this target. Then nothing is parsed, resolved or looked for.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from azpack.app.config import read_toml
from azpack.deps.distribution import CONTENTS, Distribution, WheelContents
from azpack.errors import AzpackError, FileError, ResolutionError, UsageError
from azpack.package.assemble import zip_timestamp
from azpack.package.segment import (
    LAYOUT,
    SITE_PACKAGES,
    Segment,
    find_segment,
    make_segment,
)
from azpack.request import LOCK_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from azpack.deps.index import IndexSettings
    from azpack.deps.lock import Lock, LockedDistribution
    from azpack.deps.obtain import Obtained
    from azpack.deps.requirements import Requirements
    from azpack.package.cuts import Tailoring
    from azpack.request import Request
    from azpack.store import Store

# The locks of other tools, and how these renew them.
_LOCKS = {"uv.lock": "uv lock --upgrade", "poetry.lock": "poetry update"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InContainer:
    """Which distributions were built in a container, of which image, after which commands."""

    distributions: tuple[str, ...]
    image: str
    digest: str
    before: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """The distributions of a package, their segment in the store, and the file that lists them.

    `in_container` says what was built in a container; None where nothing was. `overrides` stand in
    the place of what distributions ask for.
    """

    distributions: tuple[Distribution, ...]
    segment: Segment
    source: str
    in_container: InContainer | None
    overrides: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRecord:
    """What `azpack lock` recorded in a lock, empty in one that another tool wrote."""

    requirements_digest: str
    target: Mapping[str, str]

    def doubt(self, request: Request, requirements: Requirements | None) -> str:
        """Why the lock does not fit what is asked for; nothing where it does."""
        if not self.requirements_digest:
            if request.options.requirements and requirements is not None:
                return f"it does not say that it was made from {', '.join(requirements.files)}"
            return ""
        asked = request.target.record()
        if _without_patch(self.target) != _without_patch(asked):
            return f"it is for {_describe(self.target)}, the target is {_describe(asked)}"
        if requirements is not None and self.requirements_digest != requirements.digest:
            return f"{', '.join(requirements.files)} asks for something else now"
        return ""


def _without_patch(record: Mapping[str, str]) -> dict[str, str]:
    """A platform's next patch release must not unfit every lock."""
    python = ".".join(str(record.get("python")).split(".")[:2])
    return {**record, "python": python}


def _describe(record: Mapping[str, str]) -> str:
    return f"Python {record.get('python')} on {record.get('platform')}"


def find_dependencies(
    request: Request, *, timestamp: int, tailoring: Tailoring | None = None
) -> Dependencies | None:
    """Bring a project's dependencies into the store, as one segment of a zip.

    Returns:
        None where the project lists no dependencies anywhere.

    Raises:
        ResolutionError: they can't be resolved, or the lock does not fit and must.
        WheelError: a wheel can't be had, checked or built.
        UnreachableError: an index does not answer, or refuses.
    """
    store = request.store
    with request.clock.stage("resolve"):
        requirements = request.requirements()
        overrides = requirements.overrides if requirements is not None else ()
        choice = _LockChoice.make(request, requirements, timestamp, tailoring)
        plan = choice.plan
        if plan is not None and (segment := find_segment(store, plan.segment)) is not None:
            return Dependencies(
                distributions=plan.distributions,
                segment=segment,
                source=request.lock_path().name,
                in_container=plan.in_container,
                overrides=overrides,
            )
        if not choice.fits and requirements is None:
            request.progress.warn("the project lists no dependencies: the package holds none")
            return None
        lock = _find_lock(request, requirements, use_file=choice.fits)
    obtained = obtain(request, requirements, lock)
    wheels = obtained.wheels
    with request.clock.stage("segment"):
        python = request.target.full_version
        segment_key, segment = make_segment(
            store, wheels, python=python, timestamp=timestamp, tailoring=tailoring
        )
    distributions = tuple(wheel.distribution for wheel in wheels)
    in_container = _container_of(request, obtained)
    if choice.fits and not any(entry.is_path for entry in lock.distributions):
        plan = _Plan(
            record=choice.record,
            distributions=distributions,
            segment=segment_key,
            in_container=in_container,
        )
        plan.keep(store, choice.key)
    source = _source(request, requirements, fits=choice.fits)
    return Dependencies(
        distributions=distributions,
        segment=segment,
        source=source,
        in_container=in_container,
        overrides=overrides,
    )


def _container_of(request: Request, obtained: Obtained) -> InContainer | None:
    if not obtained.in_container:
        return None
    container = request.container()
    return InContainer(
        distributions=obtained.in_container,
        image=container.image,
        digest=obtained.digest,
        before=container.before,
    )


def recall_files(request: Request) -> tuple[str, ...] | None:
    """The paths in the package of what a build with the lock on disk would bring.

    Returns:
        None where that is not known: the lock is missing or does not fit, or the store does not
        have all of its wheels. Nothing is resolved, and nothing fetched.
    """
    if request.options.mode in ("none", "remote"):
        return None
    try:
        requirements = request.requirements()
        choice = _LockChoice.make(request, requirements, zip_timestamp(request.environ))
        if not choice.fits:
            return None
        plan = choice.plan
        if plan is not None and (segment := find_segment(request.store, plan.segment)) is not None:
            return segment.paths()
        lock = _find_lock(request, requirements, use_file=True)
        return _paths_of_wheels(request.store, lock)
    # What is wrong with the requirements, the lock or the store is said by who builds.
    except (AzpackError, OSError, ValueError, KeyError, TypeError):
        return None


def _paths_of_wheels(store: Store, lock: Lock) -> tuple[str, ...] | None:
    paths: list[str] = []
    for entry in lock.distributions:
        # What was built of a source is named after how it was built, and that may be in many ways.
        wheel = store.find_wheel(entry.sha256) if entry.is_wheel else None
        if wheel is None:
            return None
        contents = WheelContents.from_json((wheel.parent / CONTENTS).read_bytes())
        paths += (SITE_PACKAGES + found.path for found in contents.entries)
    return tuple(paths)


def _source(request: Request, requirements: Requirements | None, *, fits: bool) -> str:
    """The file that the versions come from, as a user knows it."""
    if fits or requirements is None:
        return request.lock_path().name
    return requirements.files[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Exact distributions before any is fetched, the indexes, and the file that lists them."""

    lock: Lock
    requirements: Requirements | None
    indexes: IndexSettings
    source: str

    def with_indexes(self) -> tuple[tuple[LockedDistribution, str | None], ...]:
        """Each distribution with the URL of the index that lists it, without credentials."""
        index_of = self.indexes.index_of
        return tuple(
            (entry, index_of(entry.index or entry.url) if entry.is_from_index else None)
            for entry in self.lock.distributions
        )


def locate_distributions(request: Request, *, use_lock: bool = True) -> Located | None:
    """What a build would take, of the project's lock or else resolved; nothing is written.

    Returns:
        None where the project lists no dependencies anywhere.

    Raises:
        ResolutionError: the requirements can't be resolved, or the lock does not fit and must.
        UnreachableError: an index does not answer, or refuses.
    """
    requirements = request.requirements()
    fits = use_lock and _LockChoice.make(request, requirements, 0).fits
    if not fits and requirements is None:
        return None
    lock = _find_lock(request, requirements, use_file=fits)
    named = (entry.index for entry in lock.distributions if entry.index)
    return Located(
        lock=lock,
        requirements=requirements,
        indexes=request.indexes(requirements).with_explicit(named),
        source=_source(request, requirements, fits=fits),
    )


def renew_lock(
    request: Request, *, upgrade: bool = False, upgrade_packages: Sequence[str] = ()
) -> Lock:
    """Resolve the project's requirements, keeping the versions of its lock where they fit.

    With `locked` nothing is resolved: the lock on disk is read, and must fit.

    Raises:
        UsageError: the project lists no requirements.
        ResolutionError: they can't be resolved, or the lock does not fit and must.
        UnreachableError: an index does not answer, or refuses.
    """
    requirements = request.requirements()
    if requirements is None:
        raise UsageError(
            "nothing-to-lock",
            f"{request.root} lists no requirements",
            hint="list them in requirements.txt or pyproject.toml, or name a file with -r",
        )
    if request.options.locked:
        choice = _LockChoice.make(request, requirements, 0)
        return _find_lock(request, requirements, use_file=choice.fits)
    if requirements.kind in _LOCKS and (upgrade or upgrade_packages):
        raise UsageError(
            f"versions-are-of-{requirements.kind.replace('.', '-')}",
            f"the versions are those of {requirements.files[0]}",
            hint=f"renew it with '{_LOCKS[requirements.kind]}', then lock again",
        )
    lock = _find_lock(
        request,
        requirements,
        use_file=False,
        preferred=None if upgrade else request.lock_path(),
        upgrade_packages=upgrade_packages,
        to_write=True,
    )
    for entry in lock.distributions:
        if not entry.url or (entry.is_wheel and not entry.tag):
            raise ResolutionError(
                "no-usable-file", f"{entry.name} {entry.version} can't be locked: {entry.reason}"
            )
    return lock


def _find_lock(
    request: Request,
    requirements: Requirements | None,
    *,
    use_file: bool,
    preferred: Path | None = None,
    upgrade_packages: Sequence[str] = (),
    to_write: bool = False,
) -> Lock:
    """Read the lock on disk, or resolve the requirements.

    A lock that is to be written is made of another tool's only if that fits its pyproject.toml.
    """
    from azpack.deps.lock import Lock, read_lock
    from azpack.deps.resolver import Freedom
    from azpack.resolving import check_python, resolve_requirements

    path = request.lock_path()
    if use_file or requirements is None:
        return read_lock(
            read_toml(path),
            folder=path.parent.resolve(),  # so that ../ is what the system takes it for
            target=request.target,
            name=path.name,
            extras=request.options.extras,
            groups=request.options.groups,
        )
    if request.options.locked and requirements.kind not in _LOCKS:
        raise ResolutionError(
            "no-lock",
            f"--locked, but there is no {LOCK_NAME} in {request.root}",
            hint="make it with 'azpack lock', and keep it with the source",
        )
    check_python(request.root, request.target)
    if requirements.is_empty:
        return Lock(
            distributions=(), target=request.target.record(),
            requirements_digest=requirements.digest, files=requirements.files,
        )  # fmt: skip
    with request.progress.stage("resolve"):
        freedom = Freedom(
            preferred=preferred,
            upgrade_packages=tuple(upgrade_packages),
            locked=request.options.locked or to_write,
        )
        return resolve_requirements(request, requirements, freedom)


@dataclass(frozen=True, slots=True, kw_only=True)
class _LockChoice:
    """Whether the lock on disk is used, and what it came to before."""

    fits: bool
    key: str
    record: LockRecord
    plan: _Plan | None

    @classmethod
    def make(
        cls,
        request: Request,
        requirements: Requirements | None,
        timestamp: int,
        tailoring: Tailoring | None = None,
    ) -> _LockChoice:
        path = request.lock_path()
        content = _read(path)
        record = LockRecord(requirements_digest="", target={})
        if content is None:
            return cls(fits=False, key="", record=record, plan=None)
        key = _plan_key(content, request, timestamp, tailoring)
        plan = _Plan.find(request.store, key)
        record = plan.record if plan is not None else _read_record(path)
        if doubt := record.doubt(request, requirements):
            message = f"{path.name} does not fit: {doubt}"
            if request.options.locked or requirements is None:
                again = f"azpack lock --python {request.target.python}"
                raise ResolutionError("lock-does-not-fit", message, hint=f"lock again: {again}")
            request.progress.warn(f"{message}; resolved anew. 'azpack lock' renews it")
            return cls(fits=False, key="", record=record, plan=None)
        return cls(fits=True, key=key, record=record, plan=plan)


def _read_record(path: Path) -> LockRecord:
    own = read_toml(path)
    for key in ("tool", "azpack"):
        table = own.get(key)
        own = table if isinstance(table, dict) else {}
    target = own.get("target")
    return LockRecord(
        requirements_digest=str(own.get("requirements-digest", "")),
        target=target if isinstance(target, dict) else {},
    )


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError("unreadable", f"{path} can't be read: {error.strerror}") from error


def obtain(request: Request, requirements: Requirements | None, lock: Lock) -> Obtained:
    """Bring the wheels of a lock into the store, building what the mode lets be built.

    Raises:
        WheelError: a wheel can't be had, checked or built.
        UnreachableError: an index or the engine does not answer, or refuses.
    """
    from azpack.deps.build_constraints import find_build_constraints
    from azpack.deps.obtain import Sources, obtain_wheels
    from azpack.deps.resolver import name_in

    mode = request.options.mode
    indexes = request.indexes(requirements)
    sources = Sources(
        store=request.store,
        indexes=indexes,
        environ=request.environ,
        progress=request.progress,
        mode="local" if mode == "local" else "docker" if mode == "docker" else "auto",
        workshop=request.workshop(indexes),
        constraints=find_build_constraints(request.root, request.environ),
    )
    overrides = requirements.overrides if requirements is not None else ()
    with request.clock.stage("wheels"):
        return obtain_wheels(
            lock, request.target, sources, overridden=frozenset(map(name_in, overrides))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What a lock came to: kept in the store under the hash of the lock's bytes."""

    record: LockRecord
    distributions: tuple[Distribution, ...]
    segment: str
    in_container: InContainer | None

    @classmethod
    def find(cls, store: Store, key: str) -> _Plan | None:
        content = store.find_plan(key)
        if content is None:
            return None
        try:
            table = json.loads(content)
            container = table["in_container"]
            return cls(
                record=LockRecord(**table["record"]),
                distributions=tuple(Distribution(**row) for row in table["distributions"]),
                segment=table["segment"],
                in_container=InContainer(
                    distributions=tuple(container["distributions"]),
                    image=container["image"],
                    digest=container["digest"],
                    before=tuple(container["before"]),
                )
                if container
                else None,
            )
        except (ValueError, KeyError, TypeError):  # of another version of azpack, or damaged
            return None

    def keep(self, store: Store, key: str) -> None:
        store.record_plan(key, json.dumps(asdict(self)))


def _plan_key(
    content: bytes, request: Request, timestamp: int, tailoring: Tailoring | None = None
) -> str:
    parts = [
        LAYOUT,
        hashlib.sha256(content).hexdigest(),
        request.target.full_version,
        request.target.platform,
        str(timestamp),
        *request.container_key(),
        *request.options.extras,
        "",
        *request.options.groups,
        *(tailoring.key if tailoring is not None else ()),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
