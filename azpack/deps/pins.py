"""Exact distributions in pip's format: for people who use pip, and for the platform's own pip."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from azpack.deps.index import public
from azpack.deps.lock import file_path

if TYPE_CHECKING:
    from collections.abc import Collection

    from azpack.deps.lock import Lock, LockedDistribution

# What nothing in a requirements file gives a meaning of its own; of spaces pip takes those within.
_PLAIN_PATH = re.compile(r"[\w./+!~-]+")
_SPACED_PATH = re.compile(r"[\w./+!~-]+(?: [\w.+!~][\w./+!~-]*)*")
# By one of these pip knows a folder that it can build.
_BUILD_FILES = ("pyproject.toml", "setup.py")


def unhashed(lock: Lock) -> tuple[str, ...]:
    """The distributions that no hash fixes: folders and commits."""
    return tuple(entry.name for entry in lock.distributions if not entry.sha256)


def requirements_text(
    lock: Lock, *, root: Path, head: str, packed: Collection[str] | None = None
) -> str:
    """The pins as a pip that is run at `root` reads them, below the comment `head`.

    Each has its file's hash, or none has: pip refuses a file in which only some are hashed. With
    `packed` they are for the platform, which has these files: one of them is named by its path,
    also where an index lists it, and nothing by where it is on this machine.
    """
    root = root.resolve()
    hashed = not unhashed(lock)
    lines = [f"# {line}" for line in head.splitlines()]
    lines.append("")
    for entry in lock.distributions:
        line = _line(entry, root, packed)
        lines += [f"{line} \\", f"    --hash=sha256:{entry.sha256}"] if hashed else [line]
    return "\n".join(lines) + "\n"


def _line(entry: LockedDistribution, root: Path, packed: Collection[str] | None) -> str:
    suffix = f"#subdirectory={entry.subdirectory}" if entry.subdirectory else ""
    if entry.kind == "directory":
        return _path_line(entry.name, Path(entry.url, entry.subdirectory), root, "", packed)
    if entry.kind == "vcs":
        return f"{entry.name} @ git+{public(entry.url)}@{entry.commit}{suffix}"
    path = file_path(entry.url)
    if path is not None and (not entry.is_from_index or _relative(path, root) in (packed or ())):
        return _path_line(entry.name, path, root, suffix, packed)
    if entry.is_from_index:
        return f"{entry.name}=={entry.version}"
    return f"{entry.name} @ {public(entry.url)}{suffix}"


def _path_line(
    name: str, path: Path, root: Path, suffix: str, packed: Collection[str] | None
) -> str:
    """A file or folder as pip's format has it: from the project, or else by its URL."""
    relative = _relative(path, root)
    if packed is None and (suffix or not _PLAIN_PATH.fullmatch(relative)):
        return f"{name} @ {path.as_uri()}{suffix}"
    return (relative if relative.startswith("../") else f"./{relative}") + suffix


def _relative(path: Path, root: Path) -> str:
    return Path(os.path.relpath(path, root)).as_posix()


def out_of_reach(
    entry: LockedDistribution, *, root: Path, packed: Collection[str], closed: Collection[str]
) -> str:
    """Why the platform can't get a distribution; nothing where it can.

    It has the files that are `packed`, and the network, without keys. `closed` are the URLs that
    need a password which only this machine knows.
    """
    path = Path(entry.url, entry.subdirectory) if entry.is_path else file_path(entry.url)
    if path is not None and entry.kind != "vcs":
        return _not_packed(entry, _relative(path, root.resolve()), packed)
    url = public(entry.url)
    if entry.kind == "vcs" and urlsplit(url).scheme != "https":
        return f"the platform has no access to {url}"
    if "@" in urlsplit(entry.url).netloc or url in closed:
        return f"the platform has no password for {url}"
    return ""


def _not_packed(entry: LockedDistribution, relative: str, packed: Collection[str]) -> str:
    if relative == ".." or relative.startswith("../"):
        return f"{relative} is outside the project"
    needed = [f"{relative}/{name}" for name in _BUILD_FILES] if entry.is_path else [relative]
    if not any(os.path.normpath(name) in packed for name in needed):
        return f"{relative} is not in the package"
    if (entry.subdirectory and not entry.is_path) or not _SPACED_PATH.fullmatch(relative):
        return f"pip's format can't name {relative} in relation to the project"
    return ""
