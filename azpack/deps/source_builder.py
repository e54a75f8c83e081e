"""Building what has no wheel: on this machine, or in a container, as the mode says."""

from __future__ import annotations

import hashlib
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Literal, NamedTuple

from azpack.deps.uv import uv_environment
from azpack.errors import UnreachableError, WheelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from azpack.deps.lock import LockedDistribution
    from azpack.deps.obtain import Sources
    from azpack.deps.place import Place
    from azpack.target.target import Target

Mode = Literal["local", "docker", "auto"]
BuiltIn = Literal["host", "container"]

_AT_ONCE_HERE = 4
# What another machine, with a compiler and an older glibc, may be able to build.
_MAY_BUILD_ELSEWHERE = ("build-failed", "does-not-fit")


class BuiltFile(NamedTuple):
    """A wheel that was built, the best tag that the target runs it by, and where."""

    path: Path
    tag: str
    built_in: BuiltIn


class NeedsEngineError(UnreachableError):
    """A distribution has to be built in a container, and there is no engine.

    `reason` is why this machine can't build it; None where nobody asked it to.
    """

    def __init__(self, error: UnreachableError, reason: WheelError | None) -> None:
        super().__init__(error.code, error.message, hint=error.hint, context=error.context)
        self.reason = reason


class SourceBuilder:
    """Builds sources for a target; any thread may call it."""

    def __init__(self, sources: Sources, target: Target) -> None:
        self._sources = sources
        self._mode = sources.mode
        self._target = target
        self._progress = sources.progress
        self._here = BoundedSemaphore(_AT_ONCE_HERE)

    def keys(self, entry: LockedDistribution) -> Iterator[tuple[BuiltIn, str]]:
        """What a built wheel may be kept under, by where it was built. Folders have no key."""
        source = entry.sha256 or entry.commit
        builders: list[tuple[BuiltIn, str]] = []
        if self._mode != "docker":
            builders.append(("host", "host"))
        if self._mode != "local":
            builders.append(("container", self._sources.workshop.key()))
        for built_in, builder in builders:
            if source and builder:
                target = self._target
                parts = [source, entry.subdirectory, target.python, target.platform, builder]
                parts += [self._sources.constraints] if self._sources.constraints else []
                yield built_in, hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def build(
        self, entry: LockedDistribution, source: Path, folder: Path, *, checkout: Path | None
    ) -> BuiltFile:
        """Build an sdist, or a source folder, into `folder`.

        Raises:
            WheelError: it can't be built, or what it comes to does not run on the target.
            NeedsEngineError: it has to be built in a container, and there is no engine.
            UnreachableError: an index of its build requirements does not answer.
        """
        what = f"{entry.name} {entry.version}".rstrip()
        reason = None
        if self._mode != "docker":
            self._progress.note(f"building {what} on this machine: {entry.reason}")
            try:
                return self._build_here(source, folder / "host", checkout)
            except WheelError as error:
                if self._mode == "local" or error.code not in _MAY_BUILD_ELSEWHERE:
                    raise
                reason = error
        why = reason.message.splitlines()[0] if reason is not None else entry.reason
        self._progress.note(f"building {what} in a container: {why}")
        return self._build_in_container(source, folder / "container", checkout, reason)

    def _build_here(self, source: Path, folder: Path, checkout: Path | None) -> BuiltFile:
        from azpack.deps.place import Host

        with self._here:
            environment = uv_environment(self._sources.indexes, self._sources.environ)
            place = Host(environment, self._progress.log)
            return self._build_at(place, "host", source, folder, checkout)

    def _build_in_container(
        self, source: Path, folder: Path, checkout: Path | None, reason: WheelError | None
    ) -> BuiltFile:
        try:
            place = self._sources.workshop.place()
        except UnreachableError as error:
            if error.code != "no-engine":
                raise
            raise NeedsEngineError(error, reason) from error
        with self._sources.workshop.slots:
            return self._build_at(place, "container", source, folder, checkout)

    def _build_at(
        self, place: Place, built_in: BuiltIn, source: Path, folder: Path, checkout: Path | None
    ) -> BuiltFile:
        from azpack.deps.native import fitting_tag
        from azpack.deps.wheel_builder import build_wheel

        folder.mkdir(parents=True)
        wheel = build_wheel(
            source,
            target=self._target,
            place=place,
            folder=folder,
            log=self._progress.log,
            constraints=self._sources.constraints,
            checkout=checkout,
        )
        return BuiltFile(wheel, fitting_tag(wheel, self._target), built_in)


def explain_need(
    needs: Sequence[NeedsEngineError], explained: WheelError, *, alone: bool
) -> WheelError | UnreachableError:
    """The error for distributions that have to be built in a container.

    `explained` says why each has no wheel, and what to do but for a container. It is about the
    engine where these are `alone`: with an engine, others would still have no wheel.
    """
    error, count = needs[0], len(needs)
    what = "1 distribution has" if count == 1 else f"{count} distributions have"
    message = (
        f"{explained.message}\n{what} to be built in a container, and there is no engine\n"
        f"{error.message}"
    )
    hint = "\n".join(filter(None, [explained.hint, error.hint]))
    context = {**error.context, **explained.context}
    if alone:
        return UnreachableError("no-engine", message, hint=hint, context=context)
    return WheelError(explained.code, message, hint=hint, context=context)
