"""Rules of the distributions in a package: whole, each once, and complete (AZP508 to AZP510).

What they need of each other is evaluated for the target, not for the machine that looks.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from azpack.checks.requirement_lines import LONGEST_REQUIREMENT, requirement_lines
from azpack.checks.rules import make_finding
from azpack.package.contents import PackageSubject
from azpack.package.installed import canonical
from azpack.package.segment import SITE_PACKAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging.requirements import Requirement

    from azpack.checks.rules import Subject
    from azpack.findings import Finding
    from azpack.package.contents import PackageContents
    from azpack.package.installed import Installed
    from azpack.target.target import Target

# What the worker has, for which no copy is needed in the package.
_WORKER_HAS = frozenset({"azure-functions", "grpcio", "protobuf", "python-dateutil", "six"})
_NO_MODULES = frozenset({"__pycache__", "bin", "etc", "include", "lib", "man", "share"})
_SHOWN = 5
# Requirements that are read, some again for an extra; a thousand distributions take 40,000.
_MOST_READ = 100_000
_EVALUATED = 8  # markers, in the time of that
_REBUILD = "empty the folder and install again, or build with azpack"


def check(subject: Subject) -> Iterator[Finding]:
    """What is wrong with the distributions in a package."""
    if not isinstance(subject, PackageSubject):
        return
    counts = Counter(entry.key for entry in subject.contents.packed)
    yield from _twice(subject.contents.packed, counts)
    for entry in subject.contents.packed:
        if counts[entry.key] == 1:
            yield from _incomplete(subject.contents, entry)
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


def _incomplete(contents: PackageContents, entry: Installed) -> Iterator[Finding]:
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
        elif size not in (None, entries[path].size) and not path.startswith(f"{entry.info}/"):
            different.append(path)
    if missing or different:
        fatal = bool(different) or any(map(_is_code, missing))
        yield make_finding(
            "AZP508",
            f"{entry.name} {entry.version} is not what its RECORD lists: "
            + " and ".join(
                [*_counted(missing, "missing"), *_counted(different, "of another size")]
            ),
            path=(different or missing)[0],
            hint=_REBUILD,
            severity=None if fatal else "warning",
        )


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
        self._environment: dict[str, Any] = dict(subject.target.marker_environment())
        self._packed: dict[str, list[Installed]] = {}
        for entry in subject.contents.packed:
            self._packed.setdefault(entry.key, []).append(entry)
        self._modules = {
            canonical(path[len(SITE_PACKAGES) :].partition("/")[0])
            for path in subject.contents.tree.entries
            if path.startswith(SITE_PACKAGES) and path not in subject.contents.owners
        }
        self._tree = subject.contents.tree
        self._left = _MOST_READ

    def findings(self) -> Iterator[Finding]:
        """What they lack, as far as it does not take too long to say."""
        try:
            yield from self._findings()
        except _TooManyError:
            yield make_finding(
                "AZP509",
                "the distributions have more requirements than are read: not all are checked",
                hint="run 'pip check' where they are installed",
                severity="info",
            )

    def _spend(self, requirements: int) -> None:
        self._left -= requirements
        if self._left < 0:
            raise _TooManyError

    def _findings(self) -> Iterator[Finding]:
        for key, extras in self._extras().items():
            for entry in self._packed[key]:
                what = f"{entry.name} {entry.version}"
                if pythons := _refuses(entry.requires_python, self._target.full_version):
                    yield make_finding(
                        "AZP509",
                        f"{what} needs Python {pythons}, the target is {self._target.full_version}",
                        path=entry.info,
                        hint="take the version for that Python: build with azpack",
                    )
                for requirement in self._requirements(entry, extras):
                    if fault := self._fault(requirement):
                        yield make_finding(
                            "AZP509",
                            f"{what} needs {requirement.name}{requirement.specifier}, {fault}",
                            path=entry.info,
                            hint="resolve for the target: 'azpack lock', then 'azpack build'",
                        )

    def _fault(self, requirement: Requirement) -> str:
        key = canonical(requirement.name)
        found = self._packed.get(key, [])
        if not found:
            has_modules = key in self._modules  # without metadata, which is another finding
            return "" if has_modules or key in _WORKER_HAS else "which is not in the package"
        self._spend(len(found))
        if any(_contains(requirement, entry.version) for entry in found):
            return ""
        return f"and {found[0].version} is in the package"

    def _extras(self) -> dict[str, set[str]]:
        """The extras that are asked for of each distribution, by requirements.txt or by others."""
        extras: dict[str, set[str]] = {key: set() for key in self._packed}
        for line in requirement_lines(self._tree):
            for requirement in _parsed([line.text]):
                if line.name in extras:
                    extras[line.name] |= requirement.extras
        pending = [*extras]
        while pending:
            key = pending.pop()
            for entry in self._packed[key]:
                for requirement in self._requirements(entry, extras[key]):
                    other = canonical(requirement.name)
                    if other in extras and not requirement.extras <= extras[other]:
                        extras[other] |= requirement.extras
                        pending.append(other)
        return extras

    def _requirements(self, entry: Installed, extras: set[str]) -> Iterator[Requirement]:
        """What it needs on the target, with these extras."""
        # Most lines of large projects are of extras that nobody asked for.
        texts = [text for text in entry.requires if extras or "extra" not in text.partition(";")[2]]
        self._spend(len(texts) + len(texts) * len(extras) // _EVALUATED)
        for requirement in _parsed(texts):
            marker = requirement.marker
            if marker is None or any(
                marker.evaluate({**self._environment, "extra": extra}) for extra in ("", *extras)
            ):
                yield requirement


def _refuses(requires_python: str, version: str) -> str:
    """The versions of Python that a distribution is for, where this one is none of them."""
    from packaging.specifiers import SpecifierSet

    try:
        pythons = SpecifierSet(requires_python[:LONGEST_REQUIREMENT])
        return "" if pythons.contains(version, prereleases=True) else str(pythons)
    except ValueError:  # installers pass it over
        return ""


class _TooManyError(Exception):
    """There are more requirements than are read."""


def _parsed(texts: Iterable[str]) -> Iterator[Requirement]:
    """The requirements among texts; what is none is passed over, as installers do."""
    from packaging.requirements import InvalidRequirement, Requirement

    for text in texts:
        if len(text) <= LONGEST_REQUIREMENT:
            try:
                yield Requirement(text)
            except (InvalidRequirement, RecursionError):
                continue


def _contains(requirement: Requirement, version: str) -> bool:
    try:
        return requirement.specifier.contains(version, prereleases=True)
    except ValueError:  # no version
        return True
