"""What can have changed between two packages: the values that a comparison is made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from azpack.findings import Finding
    from azpack.package.inspection import PackageSummary, PackedDistribution, PackedEntry

__all__ = [
    "Change",
    "Comparison",
    "DistributionChange",
    "FileChange",
    "FunctionChange",
    "ValueChange",
    "comparison_table",
]

Change = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueChange:
    """A named value; None where there is none. What looks like a secret is masked."""

    name: str
    old: str | None
    new: str | None

    @property
    def change(self) -> Change:
        """Whether it was added, removed or changed."""
        if self.old is None:
            return "added"
        return "changed" if self.new is not None else "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionChange:
    """A function, as the new package has it, or the old one where that alone does.

    `name` is None where only running the app would tell. `values` are what changed of it: model,
    script, trigger, route, and what its bindings say.
    """

    name: str | None
    change: Change
    trigger: str | None
    route: str | None
    script: str
    values: tuple[ValueChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributionChange:
    """A distribution by its name; of its files, which may change without its version, the numbers.

    One that a package has twice has both versions, "1.0 and 1.1", and the sizes of both.
    """

    name: str
    change: Change
    old: PackedDistribution | None
    new: PackedDistribution | None
    files_added: int
    files_removed: int
    files_changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A file by its path in the zip; `distribution` is whose it is, None for the app's own.

    `mode_alone` says that the content is the same, and the permission bits are not.
    """

    path: str
    change: Change
    distribution: str | None
    old: PackedEntry | None
    new: PackedEntry | None
    mode_alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What changed from one package to another; all is sorted by name or path.

    `app_settings` is None unless they are known of both. `odd_entries` are the kinds of odd
    entries of which there are others, or more; they are compared by their number and the first
    one. `repacked` says in what zips with the same content differ, such as the order of their
    entries; None if they are the same bytes. `unknown` says in a sentence each what can't be
    compared.
    """

    old: PackageSummary
    new: PackageSummary
    target: tuple[ValueChange, ...] = ()
    app_settings: tuple[ValueChange, ...] | None = None
    host_json: tuple[ValueChange, ...] = ()
    functions: tuple[FunctionChange, ...] = ()
    distributions: tuple[DistributionChange, ...] = ()
    files: tuple[FileChange, ...] = ()
    odd_entries: tuple[ValueChange, ...] = ()
    new_findings: tuple[Finding, ...] = ()
    gone_findings: tuple[Finding, ...] = ()
    repacked: tuple[str, ...] | None = ()
    unknown: tuple[str, ...] = ()

    @property
    def same_content(self) -> bool:
        """Whether both have the same files, with the same bytes and, where known, modes."""
        return not self.files and not self.odd_entries

    @property
    def differs(self) -> bool:
        """Whether anything changed; findings, and how the zip was made, do not count alone."""
        return bool(not self.same_content or self.target or self.app_settings)

    @property
    def app_files(self) -> tuple[FileChange, ...]:
        """The files that are of no distribution."""
        return tuple(file for file in self.files if file.distribution is None)


def comparison_table(comparison: Comparison) -> dict[str, Any]:
    """The comparison as the JSON of the reference has it."""
    table = asdict(comparison)
    for name in ("old", "new"):
        table[name]["path"] = str(table[name]["path"])
    for file in table["files"]:
        for name in ("old", "new"):
            if entry := file[name]:
                file[name] = {
                    "size": entry["size"],
                    "compressed_size": entry["compressed_size"],
                    "mode": f"{entry['mode']:o}" if entry["mode"] else None,
                }
    for distribution in table["distributions"]:
        for name in ("old", "new"):
            if distribution[name]:
                del distribution[name]["name"]
    return {"differs": comparison.differs, "same_content": comparison.same_content, **table}
