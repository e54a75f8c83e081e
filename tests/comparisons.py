"""Comparisons for tests, of whatever names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from azpack.findings import Finding
from azpack.package.changes import (
    Comparison,
    DistributionChange,
    FileChange,
    FunctionChange,
    ValueChange,
)
from azpack.package.inspection import PackageSummary, PackedDistribution, PackedEntry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azpack.package.changes import Change

__all__ = ["comparison_of", "package"]

_CHANGES: tuple[Change, ...] = ("added", "removed", "changed")


def package(name: str = "old.zip", *, size: int = 1_000_000, entries: int = 280) -> PackageSummary:
    """A package that is called `name`."""
    return PackageSummary(
        path=Path("dist") / name, content_digest=None, sha256=None, size=size,
        uncompressed_size=3 * size, entries=entries,
    )  # fmt: skip


def comparison_of(
    names: Sequence[str], *, values: bool = True, unknown: Sequence[str] = ()
) -> Comparison:
    """A comparison with an entry of each kind for each name, which is also its text."""
    return Comparison(
        old=package(),
        new=package("new.zip", size=1_100_000),
        target=tuple(ValueChange(name=it, old=None, new=it) for it in names),
        app_settings=tuple(ValueChange(name=it, old=it, new=None) for it in names),
        host_json=tuple(ValueChange(name=it, old="a", new=it) for it in names),
        functions=tuple(map(_function, names)) if values else (),
        distributions=tuple(_distribution(it, number) for number, it in enumerate(names)),
        files=tuple(_file(it, number) for number, it in enumerate(names)),
        odd_entries=tuple(ValueChange(name=it, old="1", new="2") for it in names),
        new_findings=tuple(_finding(it, it) for it in names),
        gone_findings=tuple(_finding(it, None) for it in names),
        unknown=tuple(unknown),
    )


def _function(name: str) -> FunctionChange:
    value = ValueChange(name=name, old=name, new=None)
    return FunctionChange(
        name=name, change="changed", trigger=name, route=name, script=name, values=(value,)
    )


def _distribution(name: str, number: int) -> DistributionChange:
    change = _CHANGES[number % 3]
    entry = PackedDistribution(
        name=name, version=name, size=9, compressed_size=3, files=2, native=False
    )
    return DistributionChange(
        name=name,
        change=change,
        old=None if change == "added" else entry,
        new=None if change == "removed" else entry,
        files_added=1,
        files_removed=2,
        files_changed=3,
    )


def _file(path: str, number: int) -> FileChange:
    change = _CHANGES[number % 3]
    entry = PackedEntry(path=path, size=9, compressed_size=3, crc=1, mode=0o644, distribution=None)
    return FileChange(
        path=path,
        change=change,
        distribution=None,
        old=None if change == "added" else entry,
        new=None if change == "removed" else entry,
        mode_alone=False,
    )


def _finding(message: str, path: str | None) -> Finding:
    return Finding(code="AZP403", severity="error", message=message, path=path)
