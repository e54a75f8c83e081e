"""Where a finding is, for a reader elsewhere: a build service, or a viewer of SARIF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azpack.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """How files are named: below `base`, the project's folder in the repository, or in an archive.

    `base` is "" or ends with a slash; `archive` is the path of the zip that was looked at.
    """

    base: str = ""
    archive: str = ""

    def file_of(self, finding: Finding) -> str:
        """The file to show a finding at; host.json stands for the app as a whole."""
        return self.archive or f"{self.base}{finding.path or 'host.json'}"

    def line_of(self, finding: Finding) -> int | None:
        """The line to show it at, if there is one."""
        return None if self.archive else finding.line

    def text_of(self, finding: Finding) -> str:
        """What was found, with the place where that is not the file itself, and the hint."""
        inner = ""
        if self.archive and finding.path:
            inner = f"{finding.path}:{finding.line}: " if finding.line else f"{finding.path}: "
        hint = f" ({finding.hint})" if finding.hint else ""
        return f"{inner}{finding.message}{hint}"
