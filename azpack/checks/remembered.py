"""What the checks came to, remembered for builds of the same files and dependencies.

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
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from azpack.app.collect import FileSet
    from azpack.checks.selection import Selection
    from azpack.store import Store
    from azpack.target.target import Target

# Depends on the day, not on the files.
_OF_TODAY = "AZP112"
_READ_TOO = (".funcignore", "local.settings.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found; `key` stands for all that it depends on, "" where that can't be told.

    `news` are findings that no build remembers yet, and their keys.
    """

    findings: tuple[Finding, ...]
    key: str = ""
    news: tuple[tuple[str, tuple[Finding, ...]], ...] = ()

    def remember(self, store: Store) -> None:
        """Keep the news for the next build. A store is not begun for them alone, nor needed."""
        if self.news and store.folder.is_dir():
            with suppress(FileError):
                for key, findings in self.news:
                    store.record_plan(key, json.dumps([asdict(it) for it in findings]))


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPackage:
    """A package that is written, and has no name yet: `fd` is where it is open, to be at `path`.

    It has the project's `files`, those in `written` with the contents that azpack gives them, and
    the dependencies whose segment of the store is `segment`, "" for none. `overrides` are the
    requirements that stand in the place of what distributions ask for, and `is_remote` says that
    the platform installs the dependencies.
    """

    path: Path
    fd: int
    files: FileSet
    target: Target
    segment: str
    written: Mapping[str, bytes]
    overrides: tuple[str, ...]
    is_remote: bool

    def origin(self) -> list[str]:
        """What of it does not come from the project."""
        written = [f"{path}|{_digest_of(content)}" for path, content in self.written.items()]
        return [self.segment, str(self.is_remote), *self.overrides, "", *written]


def check_project_once(
    files: FileSet, target: Target, selection: Selection, store: Store
) -> Checked:
    """What is wrong or doubtful with a project, without notes and without AZP112.

    Raises:
        FileError: a file can't be read.
    """
    key = _project_key(files, target, selection)
    if (known := _recall(store, key)) is not None:
        return Checked(findings=known, key=key)
    from azpack.checks.project import check_project

    findings = _lasting(check_project(files, target, selection))
    return Checked(findings=findings, key=key, news=((key, findings),) if key else ())


def check_package_once(
    built: BuiltPackage, before: Checked, selection: Selection, store: Store
) -> Checked:
    """The same of the package that was made of the project, of which `before` is what was found.

    What there is to say of the dependencies alone is remembered by itself: an app changes more
    often than they do.

    Raises:
        FileError: a file in the package can't be read.
    """
    key = _digest("package", before.key, *built.origin()) if before.key else ""
    if (known := _recall(store, key)) is not None:
        return Checked(findings=known, key=key)
    from azpack.checks.package import asked_for, check_package, is_of_dependencies
    from azpack.checks.running import in_order
    from azpack.package.zip_tree import ZipTree

    with ZipTree(built.path, built.fd) as package:
        packed_key = ""
        if built.segment:
            parts = (built.segment, *built.overrides, "", *asked_for(package))
            packed_key = _digest("packed", *_settings(built.target, selection), *parts)
        packed = _recall(store, packed_key)
        found = check_package(package, built, selection, known=packed is not None)
    findings = in_order({*(packed or ()), *_lasting(found)})
    news = [(key, findings)] if key else []
    if packed_key and packed is None:
        news.append((packed_key, tuple(filter(is_of_dependencies, findings))))
    return Checked(findings=findings, key=key, news=tuple(news))


def _lasting(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What is worth a word in each build, and true as long as the files are the same."""
    return tuple(it for it in findings if it.severity != "info" and it.code != _OF_TODAY)


def _recall(store: Store, key: str) -> tuple[Finding, ...] | None:
    # A store that can't be read, or a record that a power failure cut short, is no hindrance.
    with suppress(OSError, ValueError, TypeError):
        if key and (found := store.find_plan(key)) is not None:
            return tuple(Finding(**row) for row in json.loads(found))
    return None


def _digest(*parts: str) -> str:
    return _digest_of("\0".join(parts).encode("utf-8", "surrogateescape"))


def _digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _settings(target: Target, selection: Selection) -> list[str]:
    return [
        __version__,
        *target.record().values(),
        target.plan,
        *map(repr, (selection.select, selection.ignore, dict(selection.per_file_ignores))),
    ]


def _project_key(files: FileSet, target: Target, selection: Selection) -> str:
    """What the findings depend on; files count by when they were changed, as for make."""
    # What azpack leaves out of itself is also the package of the last build.
    left_out = [it for it in files.ignored if it.rule.source != "azpack" or it.path in _READ_TOO]
    parts = ["checks", *_settings(target, selection)]
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
    return _digest(*parts)
