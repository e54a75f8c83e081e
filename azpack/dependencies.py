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
from azpack.deps.distribution import Distribution, Wheel
from azpack.deps.requirements import find_requirements, is_lock_name, locate
from azpack.errors import FileError, ResolutionError, UsageError
from azpack.package.segment import LAYOUT, Segment, find_segment, make_segment
from azpack.store import Store, default_cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from azpack.deps.index import IndexSettings
    from azpack.deps.lock import Lock, LockedDistribution
    from azpack.deps.requirements import Requirements
    from azpack.options import Options
    from azpack.progress import Progress
    from azpack.stopwatch import Stopwatch
    from azpack.target.target import Target

LOCK_NAME = "pylock.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """The distributions of a package, their segment in the store, and the file that lists them."""

    distributions: tuple[Distribution, ...]
    segment: Segment
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for: whose dependencies, for which target, with which options."""

    root: Path
    target: Target
    options: Options
    environ: Mapping[str, str]
    progress: Progress
    clock: Stopwatch

    @property
    def store(self) -> Store:
        """The store that the options name, or the platform's."""
        return Store((self.options.cache_dir or default_cache_folder()).absolute())

    def requirements(self) -> Requirements | None:
        """What the project asks for; None where it lists nothing, or its lock alone."""
        files = self.options.requirements
        if any(map(is_lock_name, files)):
            if len(files) > 1:
                raise UsageError(
                    "mixed-requirements", "a lock can't be combined with other requirements"
                )
            if not self.lock_path().is_file():
                raise UsageError("no-requirements-file", f"there is no {files[0]}")
            return None
        extras, groups = self.options.extras, self.options.groups
        found = find_requirements(self.root, files=files, extras=extras, groups=groups)
        if (extras or groups) and found is not None and found.kind == "requirements":
            self.progress.warn(
                f"extras and groups of the configuration have no effect: {found.files[0]} "
                "lists the dependencies, and has none"
            )
        if found is not None and found.has_password:
            self.progress.warn(
                f"{', '.join(found.files)}: a password stands in an index's URL, and goes along in "
                "the package; write it as ${NAME}"
            )
        return found

    def lock_path(self) -> Path:
        """Where the project's lock stands, or would stand."""
        for name in self.options.requirements:
            if is_lock_name(name):
                return locate(self.root, name)
        return self.root / LOCK_NAME

    def indexes(self, requirements: Requirements | None) -> IndexSettings:
        """The indexes of the options, the requirements files, the environment and pip.conf."""
        from azpack.deps.index import find_indexes

        options = self.options
        return find_indexes(
            self.environ,
            index_url=options.index_url or (requirements.index_url if requirements else None),
            extra_index_urls=(
                *options.extra_index_url,
                *(requirements.extra_index_urls if requirements else ()),
            ),
            find_links=(
                *(
                    link if "://" in link else str(locate(self.root, link))
                    for link in options.find_links
                ),
                *(requirements.find_links if requirements else ()),
            ),
            no_index=options.no_index or bool(requirements and requirements.no_index),
            strategy=options.index_strategy,
            cert=options.cert,
            client_cert=options.client_cert,
            requirements=requirements.lines() if requirements else (),
        )


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


def find_dependencies(request: Request, *, timestamp: int) -> Dependencies | None:
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
        choice = _LockChoice.make(request, requirements, timestamp)
        plan = choice.plan
        if plan is not None and (segment := find_segment(store, plan.segment)) is not None:
            source = request.lock_path().name
            return Dependencies(distributions=plan.distributions, segment=segment, source=source)
        if not choice.fits and requirements is None:
            request.progress.warn("the project lists no dependencies: the package holds none")
            return None
        lock = _find_lock(request, requirements, use_file=choice.fits)
    wheels = _obtain(request, requirements, lock)
    with request.clock.stage("segment"):
        python = request.target.full_version
        segment_key, segment = make_segment(store, wheels, python=python, timestamp=timestamp)
    distributions = tuple(wheel.distribution for wheel in wheels)
    if choice.fits and not any(entry.is_path for entry in lock.distributions):
        plan = _Plan(record=choice.record, distributions=distributions, segment=segment_key)
        plan.keep(store, choice.key)
    if choice.fits or requirements is None:
        source = request.lock_path().name
    else:
        source = requirements.files[0]
    return Dependencies(distributions=distributions, segment=segment, source=source)


def locate_distributions(request: Request) -> Iterator[tuple[LockedDistribution, str | None]]:
    """What a build would take, each with its index's URL; nothing is written.

    Raises:
        ResolutionError: the requirements can't be resolved, or the lock does not fit and must.
        UnreachableError: an index does not answer, or refuses.
    """
    requirements = request.requirements()
    choice = _LockChoice.make(request, requirements, 0)
    if not choice.fits and requirements is None:
        return
    lock = _find_lock(request, requirements, use_file=choice.fits)
    indexes = request.indexes(requirements)
    for entry in lock.distributions:
        yield entry, indexes.index_of(entry.url) if entry.is_from_index else None


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
    if requirements.kind == "uv.lock" and (upgrade or upgrade_packages):
        raise UsageError(
            "versions-are-of-uv-lock",
            f"the versions are those of {requirements.files[0]}",
            hint="renew it with 'uv lock --upgrade', then lock again",
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

    A lock that is to be written is made of a uv.lock only if that fits its pyproject.toml.
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
    if request.options.locked and requirements.kind != "uv.lock":
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
        cls, request: Request, requirements: Requirements | None, timestamp: int
    ) -> _LockChoice:
        path = request.lock_path()
        content = _read(path)
        record = LockRecord(requirements_digest="", target={})
        if content is None:
            return cls(fits=False, key="", record=record, plan=None)
        key = _plan_key(content, request, timestamp)
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


def _obtain(request: Request, requirements: Requirements | None, lock: Lock) -> tuple[Wheel, ...]:
    from azpack.deps.obtain import Sources, obtain_wheels
    from azpack.deps.resolver import name_in

    sources = Sources(
        store=request.store,
        indexes=request.indexes(requirements),
        environ=request.environ,
        progress=request.progress,
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

    @classmethod
    def find(cls, store: Store, key: str) -> _Plan | None:
        content = store.find_plan(key)
        if content is None:
            return None
        try:
            table = json.loads(content)
            return cls(
                record=LockRecord(**table["record"]),
                distributions=tuple(Distribution(**row) for row in table["distributions"]),
                segment=table["segment"],
            )
        except (ValueError, KeyError, TypeError):  # of another version of azpack, or damaged
            return None

    def keep(self, store: Store, key: str) -> None:
        store.record_plan(key, json.dumps(asdict(self)))


def _plan_key(content: bytes, request: Request, timestamp: int) -> str:
    parts = [
        LAYOUT,
        hashlib.sha256(content).hexdigest(),
        request.target.full_version,
        request.target.platform,
        str(timestamp),
        *request.options.extras,
        "",
        *request.options.groups,
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
