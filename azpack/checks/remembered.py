"""What the checks of a project came to, remembered for builds whose files are as before.

It is imported by each build, so it imports nothing heavy itself.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from azpack import __version__
from azpack.errors import FileError
from azpack.findings import Finding

if TYPE_CHECKING:
    from azpack.app.collect import FileSet
    from azpack.checks.selection import Selection
    from azpack.store import Store
    from azpack.target.target import Target

# Depends on the day, not on the files.
_OF_TODAY = "AZP112"
_READ_TOO = (".funcignore", "local.settings.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found; `key` is where that is to be remembered, "" where it need or can not be."""

    findings: tuple[Finding, ...]
    key: str = ""

    def remember(self, store: Store) -> None:
        """Keep it for the next build. A store is not begun for this alone, nor needed."""
        if self.key and store.folder.is_dir():
            with suppress(FileError):
                store.record_plan(self.key, json.dumps([asdict(it) for it in self.findings]))


def check_once(files: FileSet, target: Target, selection: Selection, store: Store) -> Checked:
    """What is wrong or doubtful with a project, without notes and without AZP112.

    Raises:
        FileError: a file can't be read.
    """
    key = _key(files, target, selection)
    # A store that can't be read, or a record that a power failure cut short, is no hindrance.
    with suppress(OSError, ValueError, TypeError):
        if key and (found := store.find_plan(key)) is not None:
            return Checked(findings=tuple(Finding(**row) for row in json.loads(found)))
    from azpack.checks.project import check_project

    findings = tuple(
        finding
        for finding in check_project(files, target, selection)
        if finding.severity != "info" and finding.code != _OF_TODAY
    )
    return Checked(findings=findings, key=key)


def _key(files: FileSet, target: Target, selection: Selection) -> str:
    """What the findings depend on; files count by when they were changed, as for make."""
    # What azpack leaves out of itself is also the package of the last build.
    left_out = [it for it in files.ignored if it.rule.source != "azpack" or it.path in _READ_TOO]
    parts = ["checks", __version__, *target.record().values(), target.plan]
    parts += map(repr, (selection.select, selection.ignore, dict(selection.per_file_ignores)))
    parts += (f"{it.path}|{it.rule.source}|{it.rule.pattern}" for it in left_out)
    # Rules may read what is left out, too.
    paths = (*files.included, *(it.path for it in left_out if not it.path.endswith("/")))
    for path in paths:
        try:
            state = os.stat(files.on_disk(path))
        except OSError:  # the check says why
            return ""
        parts.append(
            f"{path}|{state.st_size}|{state.st_mtime_ns}|{state.st_ctime_ns}|{state.st_ino}"
        )
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
