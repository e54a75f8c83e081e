"""Rules of a package's native code: for which machine, Python and glibc (AZP503, AZP504)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azpack.app.folders import enclosing
from azpack.checks.other_systems import is_of_another_system
from azpack.checks.rules import make_finding
from azpack.deps.distribution import NativeCode
from azpack.deps.needs import find_abi_faults, find_faults, find_machine_faults, survey
from azpack.package.contents import PackageSubject
from azpack.package.segment import SITE_PACKAGES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from azpack.checks.rules import Subject
    from azpack.deps.needs import Code
    from azpack.findings import Finding
    from azpack.package.contents import PackageContents
    from azpack.package.installed import Installed
    from azpack.package.native_files import Foreign
    from azpack.target.target import Target

_OTHER_SYSTEMS = {"Windows": ("win32", "win_"), "macOS": ("macosx",)}


def check(subject: Subject) -> Iterator[Finding]:
    """What of a package's native code does not run on the target."""
    if isinstance(subject, PackageSubject):
        for group in _groups(subject.contents):
            yield from group.findings(subject.target)


class _Group:
    """The native code that came together: a distribution's, or that of a folder."""

    def __init__(self, owner: Installed | None, files: Sequence[str]) -> None:
        self.owner = owner
        self.files = frozenset(files)
        self.codes: list[Code] = []
        self.foreign: list[Foreign] = []

    @property
    def title(self) -> str:
        return f"{self.owner.name} {self.owner.version}: " if self.owner else ""

    def findings(self, target: Target) -> Iterator[Finding]:
        tags = self.owner.tags if self.owner else ()
        pure = bool(tags) and all(tag.endswith("-any") for tag in tags)
        native = survey(self.codes, self.files, pure=pure)
        build = f"take the files for Python {target.python} on Linux x86_64: build with azpack"
        for row in native.machines:
            (fault,) = find_machine_faults(NativeCode((row,), (), ()))
            yield make_finding("AZP503", self.title + fault, path=row[1], hint=build)
        for fault in find_abi_faults(native, target)[:1]:
            yield make_finding("AZP503", self.title + fault, path=native.abis[0][1], hint=build)
        for row in native.versions:
            for fault in find_faults(NativeCode((), (row,), ()), target):
                yield make_finding(
                    "AZP504",
                    self.title + fault,
                    path=row[1],
                    hint="take a version with a wheel for an older manylinux, or a Python with a "
                    "newer image ('azpack runtimes'); azpack takes the wheels that fit",
                )
        for system in _OTHER_SYSTEMS:
            if wrong := self._wrong_system(system):
                count = f" and {len(wrong) - 1} more are" if len(wrong) > 1 else " is"
                yield make_finding(
                    "AZP503",
                    f"{self.title}{wrong[0].path}{count} for {system}, Azure runs Linux",
                    path=wrong[0].path,
                    hint=build,
                )

    def _wrong_system(self, system: str) -> list[Foreign]:
        """The code of another system that is not there beside what Linux takes in its place."""
        if self.owner and is_of_another_system(self.owner.key):
            return []  # which AZP408 says
        tags = self.owner.tags if self.owner else ()
        own = [file for file in self.foreign if file.system == system]
        prefixes = _OTHER_SYSTEMS[system]
        if tags and all(tag.rpartition("-")[2].startswith(prefixes) for tag in tags):
            return own
        home = {
            f"{code.name.rpartition('/')[0]}/{code.module}".lstrip("/")
            for code in self.codes
            if code.runs_there and code.module
        }
        return [
            file
            for file in own
            if file.module and file.module not in home and f"{file.module}.py" not in self.files
        ]


def _groups(contents: PackageContents) -> list[_Group]:
    groups: dict[str, _Group] = {}
    ownerless: dict[str, list[str]] = {}
    for path in contents.tree.entries:
        if path not in contents.owners:
            ownerless.setdefault(_folder(path), []).append(path)

    def group_of(path: str) -> _Group:
        owner = contents.owners.get(path)
        key = owner.info if owner else _folder(path)
        if key not in groups:
            files = contents.files_of[key] if owner else ownerless[key]
            groups[key] = _Group(owner, files)
        return groups[key]

    # What a virtual environment holds is not loaded from there; AZP603 and AZP502 speak of it.
    environments = [
        path.removesuffix("pyvenv.cfg")
        for path in contents.tree.entries
        if path.endswith("/pyvenv.cfg")
    ]
    around = dict(enclosing(contents.tree.entries, environments))
    for code in contents.native.codes:
        if around.get(code.name) is None:
            group_of(code.name).codes.append(code)
    for file in contents.native.foreign:
        if around.get(file.path) is None:
            group_of(file.path).foreign.append(file)
    return [groups[key] for key in sorted(groups)]


def _folder(path: str) -> str:
    """The folder that stands for a distribution, where none says that a file is its own."""
    start = len(SITE_PACKAGES) if path.startswith(SITE_PACKAGES) else 0
    return path[: path.find("/", start) + 1]
