"""Rules of the dependencies that an app lists, and of what it imports (AZP401 to 403, 406 to 409).

Of a project before a build only what is certain without resolving is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from azpack.checks.imports import Imports
from azpack.checks.other_systems import is_of_another_system
from azpack.checks.provided import ProvidedModules
from azpack.checks.requirement_lines import requirement_lines
from azpack.checks.rules import make_finding
from azpack.package.contents import PackageSubject
from azpack.package.installed import canonical
from azpack.package.segment import SITE_PACKAGES
from azpack.target.worker import shadowed_versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from packaging.requirements import Requirement

    from azpack.checks.imports import Imported
    from azpack.checks.rules import Subject
    from azpack.findings import Finding

_LISTS = frozenset(
    {
        "Pipfile",
        "azpack.toml",
        "poetry.lock",
        "pylock.toml",
        "pyproject.toml",
        "setup.py",
        "uv.lock",
    }
)
# Of the most used modules those that are in a distribution of another name. A guess is no hint:
# the name of a module may be that of a distribution that has nothing to do with it.
_HAS_MODULE = {
    "Crypto": "pycryptodome",
    "OpenSSL": "pyOpenSSL",
    "PIL": "Pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "PyMuPDF",
    "jose": "python-jose",
    "jwt": "PyJWT",
    "multipart": "python-multipart",
    "psycopg2": "psycopg2-binary",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}
_REQUIREMENTS = "requirements.txt"
_SHOWN = 8
_FIRST_2_PYTHON = (3, 13)
_NEW_1 = (1, 26)  # the line that refuses Python 3.13


def check(subject: Subject) -> Iterator[Finding]:
    """What is wrong with what an app lists and imports."""
    for dependency in _dependencies(subject):
        yield from _judge(dependency, subject.target.version)
    yield from _imports(subject)


class _Dependency(NamedTuple):
    """A distribution that is listed or packed; of a packed one the version is known."""

    name: str
    requirement: Requirement | None
    version: str
    path: str
    line: int | None


def _dependencies(subject: Subject) -> Iterator[_Dependency]:
    """Each one once: of what is listed and packed the version is known, and the line."""
    packed = {dependency.name: dependency for dependency in _packed(subject)}
    there = frozenset(packed)
    for listed in _listed(subject):
        if listed.name not in there:
            yield listed
        elif (found := packed.pop(listed.name, None)) is not None:
            yield found._replace(path=listed.path, line=listed.line)
    yield from packed.values()


def _listed(subject: Subject) -> Iterator[_Dependency]:
    """Those of requirements.txt that are for the target."""
    from packaging.requirements import InvalidRequirement, Requirement

    environment: dict[str, Any] = dict(subject.target.marker_environment())
    for name, text, path, line in requirement_lines(subject.tree):
        try:
            requirement = Requirement(text)
        except (InvalidRequirement, RecursionError):
            continue  # a path, or what the resolver will refuse
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield _Dependency(name, requirement, "", path, line)


def _packed(subject: Subject) -> Iterator[_Dependency]:
    """Those in a package, by the names of their folders, which is all that is needed of them."""
    if isinstance(subject, PackageSubject):
        folders = {
            path[: path.find("/", len(SITE_PACKAGES))]
            for path in subject.tree.paths()
            if ".dist-info/" in path and path.startswith(SITE_PACKAGES)
        }
        for folder in sorted(folders):
            if folder.endswith(".dist-info"):
                name, _, version = folder[len(SITE_PACKAGES) : -len(".dist-info")].partition("-")
                yield _Dependency(canonical(name), None, version, folder, None)


def _judge(dependency: _Dependency, python: tuple[int, int]) -> Iterator[Finding]:
    if dependency.name == "azure-functions-worker":
        yield make_finding(
            "AZP402",
            "azure-functions-worker is part of the platform, and does not belong in the package",
            path=dependency.path,
            line=dependency.line,
            hint="remove it",
        )
    elif dependency.name == "azure-functions":
        yield from _library(dependency, python)
    elif is_of_another_system(dependency.name):
        yield make_finding(
            "AZP408",
            f"{dependency.name} is for another operating system alone, and Azure runs Linux",
            path=dependency.path,
            line=dependency.line,
            hint='remove it, or give it a marker: ; sys_platform == "win32" (or "darwin")',
        )
    elif dependency.name in shadowed_versions(python):
        yield from _shadow(dependency, python)


def _library(dependency: _Dependency, python: tuple[int, int]) -> Iterator[Finding]:
    """AZP406: azure-functions 2 is for Python 3.13 and later, 1.26 for those before."""
    if python >= _FIRST_2_PYTHON:
        fits = _admits(dependency, lambda version: version[0] >= 2 or version[:2] < _NEW_1)
        right = "2"
    else:
        fits = _admits(dependency, lambda version: version[0] < 2)
        right = "1"
    if not fits:
        asked = dependency.version or str(
            dependency.requirement and dependency.requirement.specifier
        )
        yield make_finding(
            "AZP406",
            f"azure-functions {asked} is not for Python {python[0]}.{python[1]}",
            path=dependency.path,
            line=dependency.line,
            hint=f"take azure-functions {right}, or leave out the version",
        )


def _admits(dependency: _Dependency, is_right: Callable[[tuple[int, ...]], bool]) -> bool:
    """Whether some version that is right is allowed; what can't be read is."""
    from packaging.version import Version

    if dependency.version:
        try:
            return is_right(Version(dependency.version).release)
        except ValueError:
            return True
    requirement = dependency.requirement
    if requirement is None or not requirement.specifier or requirement.url:
        return True
    written = [clause.version.removesuffix(".*") for clause in requirement.specifier]
    grid = [
        f"{major}.{minor}.{patch}" for major in (1, 2) for minor in range(60) for patch in (0, 9)
    ]
    versions = [Version(text) for text in [*written, *grid]]
    return any(
        is_right(version.release)
        for version in versions
        if requirement.specifier.contains(version, prereleases=True)
    )


def _shadow(dependency: _Dependency, python: tuple[int, int]) -> Iterator[Finding]:
    """AZP409, unless it is of the worker's own line of versions."""
    line, stopped_below = shadowed_versions(python)[dependency.name]
    version = dependency.version
    if dependency.requirement is not None:
        pins = [
            clause.version for clause in dependency.requirement.specifier if "==" in clause.operator
        ]
        version = pins[0] if len(pins) == 1 else ""
    if f"{version}.".startswith(f"{line}."):
        return
    stops = bool(version and stopped_below) and _older(version, stopped_below or "")
    effect = "with which the worker does not start" if stops else "which the worker then uses too"
    yield make_finding(
        "AZP409",
        f"{dependency.name} {version}".rstrip()
        + f" takes the place of the worker's own {line}, {effect}",
        path=dependency.path,
        line=dependency.line,
        hint=f"take {dependency.name} {line}, or give the app the setting "
        "PYTHON_ISOLATE_WORKER_DEPENDENCIES=1",
        severity="error" if stops else None,
    )


def _older(version: str, other: str) -> bool:
    from packaging.version import Version

    try:
        return Version(version) < Version(other)
    except ValueError:
        return False


def _imports(subject: Subject) -> Iterator[Finding]:
    """AZP401 and AZP403."""
    paths = (*subject.tree.paths(), *(subject.brought or ()))
    installed = subject.brought is not None or any(path.startswith(SITE_PACKAGES) for path in paths)
    lines = [*requirement_lines(subject.tree)]
    if not installed and (lines or (subject.kind == "project" and _has_other_lists(subject))):
        return  # what that will bring is not known
    if isinstance(subject, PackageSubject) and subject.is_remote:
        return
    imports = Imports(subject)
    provided = ProvidedModules(paths)
    missing = [*imports.third_party(provided)]
    if subject.kind == "project" and not installed and _REQUIREMENTS not in paths:
        yield from _no_list(missing)
    else:
        yield from _unprovided(missing, subject)


def _has_other_lists(subject: Subject) -> bool:
    """Whether a file at the root may list dependencies, also one that does not go along."""
    names = {path for path in subject.tree.paths() if "/" not in path}
    if subject.files is not None:
        names |= {ignored.path for ignored in subject.files.ignored}
    return any(
        name in _LISTS or (name != _REQUIREMENTS and "requirements" in name) for name in names
    ) or (_REQUIREMENTS in names and _REQUIREMENTS not in subject.tree.paths())


def _no_list(missing: Sequence[Imported]) -> Iterator[Finding]:
    if missing:
        names = sorted({found.name.partition(".")[0] for found in missing})
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield make_finding(
            "AZP401",
            f"the code imports {', '.join(names[:_SHOWN])}{more}, and no file lists dependencies",
            path=missing[0].path,
            line=missing[0].line,
            hint="write requirements.txt beside host.json",
            severity="warning" if all(found.is_late for found in missing) else None,
        )


def _unprovided(missing: Sequence[Imported], subject: Subject) -> Iterator[Finding]:
    there = frozenset(subject.tree.paths())
    said: set[tuple[str, str]] = set()
    for found in missing:
        above = found.name.rpartition(".")[0]
        if (found.path, found.name) in said or (found.path, above) in said:
            continue
        said.add((found.path, found.name))
        beside = f"{found.path.rpartition('/')[0]}/{found.name.replace('.', '/')}"
        if not there.isdisjoint((f"{beside}.py", f"{beside}/__init__.py")):
            hint = f"it lies beside this file: write 'from . import {found.name}'"
        else:
            known = _HAS_MODULE.get(found.name.partition(".")[0])
            which = f"{known}, which has it" if known else "the distribution that has it"
            hint = f"list {which}, or mend the name"
        yield make_finding(
            "AZP403",
            f"nothing provides the module {found.name}: not the app, its dependencies, Python "
            f"{subject.target.python} or the worker",
            path=found.path,
            line=found.line,
            hint=hint,
            severity="warning" if found.is_late else None,
        )
