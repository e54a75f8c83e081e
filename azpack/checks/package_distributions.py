"""Rules of the distributions in a package: whole, each once, and complete (AZP508 to AZP510).

What they need of each other is evaluated for the target, not for the machine that looks.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from azpack.checks.requirement_lines import requirement_lines
from azpack.checks.rules import make_finding
from azpack.package.contents import PackageSubject
from azpack.package.installed import canonical, record_hashes
from azpack.package.requirement_graph import (
    LONGEST_REQUIREMENT,
    RequirementGraph,
    TooManyRequirementsError,
)
from azpack.package.segment import SITE_PACKAGES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from packaging.requirements import Requirement

    from azpack.checks.rules import Subject
    from azpack.findings import Finding, Severity
    from azpack.package.contents import PackageContents
    from azpack.package.installed import Installed
    from azpack.target.target import Target

# What the worker has, for which no copy is needed in the package.
_WORKER_HAS = frozenset({"azure-functions", "grpcio", "protobuf", "python-dateutil", "six"})
_NO_MODULES = frozenset({"__pycache__", "bin", "etc", "include", "lib", "man", "share"})
_SHOWN = 5
# Unpacked: it takes 0.2 s. Of larger packages the sizes alone are compared.
_HASHED_AT_MOST = 32 << 20
_ALGORITHMS = ("sha256", "sha384", "sha512")
_REBUILD = "empty the folder and install again, or build with azpack"


def check(subject: Subject) -> Iterator[Finding]:
    """What is wrong with the distributions in a package."""
    if not isinstance(subject, PackageSubject):
        return
    contents = subject.contents
    counts = Counter(entry.key for entry in contents.packed)
    yield from _twice(contents.packed, counts)
    shared = _shared(contents.packed)
    small = sum(it.size for it in contents.tree.entries.values()) <= _HASHED_AT_MOST
    for entry in contents.packed:
        if counts[entry.key] == 1:
            yield from _incomplete(contents, entry, shared, hashed=small)
    yield from _without_metadata(subject.contents)
    yield from _Needs(subject).findings()


def _twice(packed: Iterable[Installed], counts: Counter[str]) -> Iterator[Finding]:
    repeated: dict[str, list[Installed]] = {}
    for entry in packed:
        if counts[entry.key] > 1:
            repeated.setdefault(entry.key, []).append(entry)
    for _, same in sorted(repeated.items()):
        versions = " and ".join(entry.version for entry in same[:_SHOWN])
        versions += f" and {len(same) - _SHOWN} more" if len(same) > _SHOWN else ""
        yield make_finding(
            "AZP510",
            f"{same[0].name} is there {len(same)} times, as {versions}: their files are mixed",
            path=same[-1].info,
            hint=_REBUILD,
        )


def _shared(packed: Iterable[Installed]) -> frozenset[str]:
    """The files that several distributions bring; they have the bytes of one of these alone."""
    counts = Counter(path for entry in packed for path in entry.record or ())
    return frozenset(path for path, count in counts.items() if count > 1)


def _incomplete(
    contents: PackageContents, entry: Installed, shared: frozenset[str], *, hashed: bool
) -> Iterator[Finding]:
    """AZP508, for a distribution whose metadata or files are not all there."""
    if entry.fault:
        yield make_finding(
            "AZP508", f"{entry.name} {entry.version}: its {entry.fault}", path=entry.info,
            hint=_REBUILD,
        )  # fmt: skip
    entries = contents.tree.entries
    unreadable = contents.zip.unreadable
    missing, different = [], []
    for path, size in (entry.record or {}).items():
        if path not in entries:
            own = entry.fault and path.startswith(f"{entry.info}/")  # said already
            if not (path.endswith(".pyc") or own or contents.prefix + path in unreadable):
                missing.append(path)
        elif path in shared or path.startswith(f"{entry.info}/"):
            continue
        elif size not in (None, entries[path].size):
            different.append(path)
    changed = [*_changed(contents, entry, {*missing, *different, *shared})] if hashed else []
    if missing or different or changed:
        fatal = bool(different or changed) or any(map(_is_code, missing))
        yield make_finding(
            "AZP508",
            f"{entry.name} {entry.version} is not what its RECORD lists: "
            + " and ".join(
                [
                    *_counted(missing, "missing"),
                    *_counted(different, "of another size"),
                    *_counted(changed, "of another content"),
                ]
            ),
            path=(different or changed or missing)[0],
            hint=_REBUILD,
            severity=None if fatal else "warning",
        )


def _changed(contents: PackageContents, entry: Installed, said: Collection[str]) -> Iterator[str]:
    """The files whose hash is not the one in RECORD."""
    from azpack.deps.wheel import same_hash

    if entry.record is None:
        return
    for path, (algorithm, value) in record_hashes(contents.tree, entry).items():
        there = path in contents.tree.entries and path not in said
        whole = contents.prefix + path
        own = path.startswith(f"{entry.info}/")
        if there and not own and algorithm in _ALGORITHMS and whole not in contents.zip.unreadable:
            digest = hashlib.new(algorithm)
            for piece in contents.zip.pieces(whole):
                digest.update(piece)
            if not same_hash(value, digest.digest()):
                yield path


def _counted(paths: list[str], what: str) -> Iterator[str]:
    if paths:
        first = min(paths).removeprefix(SITE_PACKAGES)
        more = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
        yield f"{first}{more} {'are' if more else 'is'} {what}"


def _is_code(path: str) -> bool:
    """Whether the app may come to import it: test suites are left out on purpose."""
    return path.endswith((".py", ".so")) and not {"test", "tests"} & set(path.split("/"))


def _without_metadata(contents: PackageContents) -> Iterator[Finding]:
    """AZP508, for modules that belong to no distribution; it is enough for importing them."""
    if any(entry.record is None for entry in contents.packed):
        return
    found: dict[str, None] = {}
    for path in contents.tree.entries:
        if path.startswith(SITE_PACKAGES):
            top, slash, _ = path[len(SITE_PACKAGES) :].partition("/")
            if top.endswith(".egg-info"):  # the metadata of former times
                return
            if path not in contents.owners and _is_code(path) and top not in _NO_MODULES:
                found[top if slash else top.partition(".")[0]] = None
    if found:
        names = [*found]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        are = "has" if len(names) == 1 else "have"
        yield make_finding(
            "AZP508",
            f"{', '.join(names[:_SHOWN])}{more} {are} no .dist-info: importlib.metadata and entry "
            "points do not find them",
            path=SITE_PACKAGES + names[0],
            hint="keep the .dist-info folders",
            severity="warning",
        )


class _Needs:
    """What the distributions need of each other on the target, as `pip check` looks at it."""

    def __init__(self, subject: PackageSubject) -> None:
        self._target: Target = subject.target
        asked = (line.text for line in requirement_lines(subject.tree) if line.name)
        self._graph = RequirementGraph(subject.contents.packed, subject.target, asked)
        self._modules = {
            canonical(path[len(SITE_PACKAGES) :].partition("/")[0])
            for path in subject.contents.tree.entries
            if path.startswith(SITE_PACKAGES) and path not in subject.contents.owners
        }
        self._overridden = subject.overridden

    def findings(self) -> Iterator[Finding]:
        """What they lack, as far as it does not take too long to say."""
        try:
            yield from self._findings()
        except TooManyRequirementsError:
            yield make_finding(
                "AZP509",
                "the distributions have more requirements than are read: not all are checked",
                hint="run 'pip check' where they are installed",
                severity="info",
            )

    def _findings(self) -> Iterator[Finding]:
        for key, extras in self._graph.extras.items():
            for entry in self._graph.packed[key]:
                what = f"{entry.name} {entry.version}"
                if pythons := _refuses(entry.requires_python, self._target.full_version):
                    yield make_finding(
                        "AZP509",
                        f"{what} needs Python {pythons}, the target is {self._target.full_version}",
                        path=entry.info,
                        hint="take the version for that Python: build with azpack",
                    )
                for requirement in self._graph.requirements(entry, extras):
                    if fault := self._fault(requirement):
                        yield make_finding(
                            "AZP509",
                            f"{what} needs {requirement.name}{requirement.specifier}, {fault}",
                            path=entry.info,
                            hint="resolve for the target: 'azpack lock', then 'azpack build'",
                            severity=self._severity(requirement),
                        )

    def _fault(self, requirement: Requirement) -> str:
        key = canonical(requirement.name)
        found = self._graph.packed.get(key, ())
        if not found:
            has_modules = key in self._modules  # without metadata, which is another finding
            return "" if has_modules or key in _WORKER_HAS else "which is not in the package"
        self._graph.spend(len(found))
        if any(_contains(requirement, entry.version) for entry in found):
            return ""
        return f"and {found[0].version} is in the package"

    def _severity(self, requirement: Requirement) -> Severity | None:
        """Who overrides a requirement knows better, as a rule."""
        return "warning" if canonical(requirement.name) in self._overridden else None


def _refuses(requires_python: str, version: str) -> str:
    """The versions of Python that a distribution is for, where this one is none of them."""
    from packaging.specifiers import SpecifierSet

    try:
        pythons = SpecifierSet(requires_python[:LONGEST_REQUIREMENT])
        return "" if pythons.contains(version, prereleases=True) else str(pythons)
    except ValueError:  # installers pass it over
        return ""


def _contains(requirement: Requirement, version: str) -> bool:
    try:
        return requirement.specifier.contains(version, prereleases=True)
    except ValueError:  # no version
        return True
