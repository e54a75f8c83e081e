"""Looking into any finished package: what is in it, for which target, and what is wrong with it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from azpack.app.functions import http_path
from azpack.app.functions.reading import read_app, route_prefix
from azpack.checks.running import check_tree
from azpack.checks.selection import Selection
from azpack.package.contents import PackageContents, PackageSubject
from azpack.package.detection import Wishes, detect_target
from azpack.package.manifest import target_table
from azpack.package.zip_tree import ZipTree

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from azpack.app.functions import AppModel
    from azpack.findings import Finding
    from azpack.package.installed import Installed
    from azpack.target.target import Target

__all__ = [
    "Inspection",
    "NativeSummary",
    "PackageSummary",
    "PackedDistribution",
    "PackedEntry",
    "Wishes",
    "inspect_contents",
    "inspect_package",
    "inspection_table",
]

_LARGEST = 10
_GLIBC = re.compile(r"GLIBC_\d{1,9}(?:\.\d{1,9})*", re.ASCII)
_FIRST_OF_PACKAGES = "AZP5"
# Whose paths are those of the zip, wherever in it the app is.
_OF_THE_ZIP = ("AZP501", "AZP505", "AZP506", "AZP507")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageSummary:
    """The zip: sizes in bytes; the digests are those of a manifest beside it, if it has one."""

    path: Path
    content_digest: str | None
    sha256: str | None
    size: int
    uncompressed_size: int
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedDistribution:
    """A distribution in the package, by the name of its metadata; sizes in bytes."""

    name: str
    version: str
    size: int
    compressed_size: int
    files: int
    native: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedEntry:
    """A file in the package; equal size and CRC mean equal content. `mode` has permission bits.

    `native` is about what is in the file, whatever its name.
    """

    path: str
    size: int
    compressed_size: int
    crc: int
    mode: int
    distribution: str | None
    native: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeSummary:
    """The native code: how many files, for which machines, and the newest glibc that it needs."""

    files: int
    machines: tuple[str, ...]
    glibc: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What is known of a package.

    `grounds` says how the target's Python is known. `routes` has for each function of `app` the
    path that it answers on, or None. `files` are all of them, sorted by path. `manifest` is the
    one beside the package, or {}.
    """

    package: PackageSummary
    target: Target
    grounds: str
    app: AppModel
    routes: tuple[str | None, ...]
    distributions: tuple[PackedDistribution, ...]
    native: NativeSummary
    files: tuple[PackedEntry, ...]
    findings: tuple[Finding, ...]
    manifest: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def largest(self, count: int = _LARGEST) -> tuple[PackedEntry, ...]:
        """The largest files in the package, by their compressed size."""
        by_size = sorted(self.files, key=lambda file: (-file.compressed_size, file.path))
        return tuple(by_size[:count])


def inspect_package(
    path: Path, wishes: Wishes | None = None, selection: Selection | None = None
) -> Inspection:
    """Look into the zip at `path`; nothing is unpacked to disk, and nothing is run.

    Raises:
        FileError: it can't be read, or is damaged.
        UsageError: what `wishes` asks for is no runtime.
    """
    with ZipTree(path) as opened:
        return inspect_contents(PackageContents(opened), wishes, selection)


def inspect_contents(
    contents: PackageContents, wishes: Wishes | None = None, selection: Selection | None = None
) -> Inspection:
    """The same for a package that is open.

    Raises:
        FileError: it is damaged.
        UsageError: what `wishes` asks for is no runtime.
    """
    detected = detect_target(contents, wishes or Wishes())
    app = read_app(contents.tree, detected.target)
    subject = PackageSubject(
        kind="package",
        tree=contents.tree,
        target=detected.target,
        app=app,
        contents=contents,
        is_remote=detected.manifest.get("mode") == "remote",
    )
    findings = check_tree(subject, selection or Selection())
    if _hides_the_app(contents.zip):
        findings = tuple(found for found in findings if found.code >= _FIRST_OF_PACKAGES)
    prefix = route_prefix(contents.tree)
    return Inspection(
        package=_summary(contents, detected.manifest.get("package", {})),
        target=detected.target,
        grounds=detected.grounds,
        app=app,
        routes=tuple(http_path(function, prefix) for function in app.functions),
        distributions=_distributions(contents),
        native=_native(contents),
        files=tuple(_entries(contents)),
        findings=tuple(_in_zip(finding, contents.prefix) for finding in findings),
        manifest=detected.manifest,
    )


def _hides_the_app(package: ZipTree) -> bool:
    """Whether files of the app can't be read, so that nothing can be said of what it lacks."""
    return any(
        path.endswith((".py", ".json")) and not path.startswith(".python_packages/")
        for path in package.unreadable
    )


def _summary(contents: PackageContents, recorded: Mapping[str, Any]) -> PackageSummary:
    return PackageSummary(
        path=contents.zip.path,
        content_digest=recorded.get("content_digest"),
        sha256=recorded.get("sha256"),
        size=contents.zip.file_size,
        uncompressed_size=sum(member.size for member in contents.zip.entries.values()),
        entries=contents.zip.count,
    )


def _distributions(contents: PackageContents) -> tuple[PackedDistribution, ...]:
    native = _native_paths(contents)
    found = [_distribution(contents, entry, native) for entry in contents.installed]
    return tuple(sorted(found, key=lambda entry: (-entry.compressed_size, entry.name)))


def _distribution(
    contents: PackageContents, entry: Installed, native: set[str]
) -> PackedDistribution:
    files = contents.files_of[entry.info]
    members = [contents.tree.entries[path] for path in files]
    return PackedDistribution(
        name=entry.name,
        version=entry.version,
        size=sum(member.size for member in members),
        compressed_size=sum(member.compressed_size for member in members),
        files=len(files),
        native=not native.isdisjoint(files),
    )


def _native_paths(contents: PackageContents) -> set[str]:
    codes = {file.name for file in contents.native.codes}
    return codes | {file.path for file in contents.native.foreign}


def _native(contents: PackageContents) -> NativeSummary:
    machines = {code.needs.machine for code in contents.native.codes}
    machines |= {file.system for file in contents.native.foreign}
    versions = {
        tuple(map(int, version.removeprefix("GLIBC_").split(".")))
        for code in contents.native.codes
        for _, version in code.needs.versions
        if _GLIBC.fullmatch(version)
    }
    return NativeSummary(
        files=len(contents.native.codes) + len(contents.native.foreign),
        machines=tuple(sorted(machines)),
        glibc=".".join(map(str, max(versions))) if versions else None,
    )


def _entries(contents: PackageContents) -> list[PackedEntry]:
    start = len(contents.prefix)
    owners = contents.owners
    native = _native_paths(contents)
    found = []
    for path, member in contents.zip.entries.items():
        inner = path[start:] if path.startswith(contents.prefix) else ""
        owner = owners.get(inner)
        found.append(
            PackedEntry(
                path=path,
                size=member.size,
                compressed_size=member.compressed_size,
                crc=member.crc,
                mode=member.mode & 0o7777,
                distribution=owner.name if owner else None,
                native=inner in native,
            )
        )
    return found


def _in_zip(finding: Finding, prefix: str) -> Finding:
    """The finding with its path as it is in the zip."""
    if not prefix or finding.path is None or finding.code in _OF_THE_ZIP:
        return finding
    return replace(finding, path=prefix + finding.path)


def inspection_table(inspection: Inspection) -> dict[str, Any]:
    """The inspection as the JSON of the contract has it, but for the findings."""
    package = inspection.package
    return {
        "package": {**asdict(package), "path": str(package.path)},
        "target": {**target_table(inspection.target), "grounds": inspection.grounds},
        "functions": [
            {
                "name": function.name,
                "model": function.model,
                "trigger": function.trigger.type if function.trigger else None,
                "script": function.script,
            }
            for function in inspection.app.functions
        ],
        "distributions": [asdict(distribution) for distribution in inspection.distributions],
        "largest": [
            {"path": file.path, "size": file.size, "compressed_size": file.compressed_size}
            for file in inspection.largest()
        ],
    }
