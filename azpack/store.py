"""The store: what builds share on a machine, addressed by content and written atomically.

    wheels/ab/abcd…/NAME.whl            a wheel under its SHA-256, and what is in it:
                    contents.json       (azpack.deps.distribution.WheelContents)
    built/KEY                           the SHA-256 of the wheel that an sdist was built to
    segments/KEY/                       the dependencies' part of a zip (azpack.package.segment)
    bytecode/KEY/                       compiled sources (azpack.package.bytecode)
    plans/KEY                           what a lock came to: distributions and segment
    tools/NAME/                         a program that azpack runs, in an environment of its own
    tmp/                                what is being written

A folder appears under its name only when it is whole: it is made under `tmp` and renamed.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from azpack.errors import FileError, is_disk_full

if TYPE_CHECKING:
    from collections.abc import Iterator

# Raised when the meaning of what is stored changes: what an older azpack left is not read.
_FORMAT = "v1"
_SECTIONS = frozenset(
    {"wheels", "built", "segments", "bytecode", "plans", "tools", "tmp", ".DS_Store"}
)
# When what a killed build left is no build's any more.
ABANDONED_SECONDS = 24 * 3600


def default_cache_folder() -> Path:
    """The platform's cache folder for azpack; `AZPACK_CACHE_DIR` overrides it."""
    if chosen := os.environ.get("AZPACK_CACHE_DIR"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "azpack"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "azpack" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "azpack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What a kind of stored thing takes: how many, and how many bytes."""

    name: str
    count: int
    size: int


class Store:
    """The wheel store in a cache folder. Making the value touches no disk."""

    def __init__(self, folder: Path) -> None:
        """Use the store below `folder`, an absolute path."""
        self.folder = folder
        self._root = folder / _FORMAT

    def wheel_folder(self, sha256: str) -> Path:
        """Where the wheel with this hash stands, or would stand."""
        return self._root / "wheels" / sha256[:2] / sha256

    def segment_folder(self, key: str) -> Path:
        """Where the segment under this key stands, or would stand."""
        return self._root / "segments" / key

    def bytecode_folder(self, key: str) -> Path:
        """Where the bytecode under this key stands, or would stand."""
        return self._root / "bytecode" / key

    def tool_folder(self, name: str) -> Path:
        """Where the environment of a tool stands, or would stand."""
        return self._root / "tools" / name

    def find_wheel(self, sha256: str) -> Path | None:
        """The file of the wheel with this hash, if it is here."""
        folder = self.wheel_folder(sha256)
        try:
            names = os.listdir(folder)
        except (FileNotFoundError, NotADirectoryError):
            return None
        wheel = next((name for name in names if name.endswith(".whl")), None)
        if wheel is None or len(names) < 2:  # without its contents it was never whole
            self.discard(folder)
            return None
        mark_used(folder)
        return folder / wheel

    def find_built(self, key: str) -> tuple[str, str] | None:
        """The hash and the tag of the wheel that was built under `key`, if it is still here."""
        place = self._root / "built" / key
        try:
            sha256, tag = place.read_text(encoding="ascii").split()
        except (FileNotFoundError, ValueError):  # ValueError: cut short, by a power failure
            return None
        mark_used(place)
        return (sha256, tag) if self.wheel_folder(sha256).is_dir() else None

    def record_built(self, key: str, sha256: str, tag: str) -> None:
        """Remember that the wheel with this hash is what was built under `key`."""
        self._record("built", key, f"{sha256} {tag}")

    def find_plan(self, key: str) -> bytes | None:
        """What was recorded under `key` by `record_plan`."""
        place = self._root / "plans" / key
        try:
            plan = place.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        mark_used(place)
        return plan

    def record_plan(self, key: str, plan: str) -> None:
        """Remember what a lock came to, so that it need not be read again."""
        self._record("plans", key, plan)

    def _record(self, kind: str, key: str, text: str) -> None:
        with self.new_folder() as folder:
            file = folder / "record"
            file.write_text(text, encoding="utf-8")
            place = self._root / kind / key
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)

    @contextmanager
    def new_folder(self) -> Iterator[Path]:
        """A fresh folder on the store's own file system; what is left in it is removed."""
        folder = self._root / "tmp" / os.urandom(8).hex()
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise FileError(
                "cache-not-writable",
                f"the cache folder {self.folder} can't be written: {error.strerror}",
                hint="choose another with --cache-dir or AZPACK_CACHE_DIR",
            ) from error
        try:
            yield folder
        except OSError as error:
            if is_disk_full(error):
                raise FileError(
                    "disk-full",
                    f"the cache folder {self.folder} can't be written: {error.strerror}",
                    hint="make room there ('azpack cache prune' removes what no build has used for "
                    "30 days), or choose another with --cache-dir",
                ) from error
            raise
        finally:
            _remove_folder(folder)

    def place(self, folder: Path, destination: Path) -> None:
        """Move a whole folder to its name; where another build was faster, keep that one's."""
        destination.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.rename(destination)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise

    def sections(self) -> tuple[Section, ...]:
        """What the store holds, by kind."""
        return (
            self._section("wheels", "wheels/*/*"),
            self._section("built", "built/*"),
            self._section("segments", "segments/*"),
            self._section("bytecode", "bytecode/*"),
            self._section("plans", "plans/*"),
            self._section("tools", "tools/*"),
            self._section("tmp", "tmp/*"),
        )

    def _section(self, name: str, pattern: str) -> Section:
        entries = list(self._root.glob(pattern))
        return Section(name=name, count=len(entries), size=sum(map(_size, entries)))

    def prune(self, *, unused_days: float) -> int:
        """Remove what no build has used for so many days, and what killed builds left.

        Returns:
            The number of bytes that were freed.
        """
        unused = unused_days * 24 * 3600
        patterns = ("wheels/*/*", "segments/*", "bytecode/*", "built/*", "plans/*", "tools/*")
        ages = {**dict.fromkeys(patterns, unused), "tmp/*": ABANDONED_SECONDS}
        now = time.time()
        freed = 0
        for pattern, age in ages.items():
            for entry in self._root.glob(pattern):
                with suppress(FileNotFoundError):
                    if now - entry.stat().st_mtime > age:
                        freed += self._remove(entry)
        return freed + sum(map(self._remove, self._formats(_FORMAT)))

    def clear(self) -> int:
        """Remove everything; returns the number of bytes that were freed."""
        return sum(map(self._remove, self._formats()))

    def discard(self, folder: Path) -> None:
        """Remove what turned out to be damaged, where it can be made again."""
        self._remove(folder)

    def _formats(self, *excepted: str) -> list[Path]:
        """The folders of this store and of older formats, and nothing else: whoever calls the
        home folder the cache folder must not lose what happens to be named alike there.
        """
        return [
            entry
            for entry in self.folder.glob("v*")
            if entry.name not in excepted
            and re.fullmatch(r"v\d+(-removed-\w+)?", entry.name)
            and entry.is_dir()
            and _SECTIONS.issuperset(os.listdir(entry))
        ]

    def _remove(self, entry: Path) -> int:
        """Remove a file, or a folder whose name is free at once: half a folder would be believed
        to be whole, should this be interrupted.
        """
        size = _size(entry)
        if not entry.is_dir():
            entry.unlink(missing_ok=True)
            return size
        mark = os.urandom(8).hex()
        if entry.parent == self.folder:
            grave = entry.with_name(f"{entry.name.partition('-')[0]}-removed-{mark}")
        else:
            grave = self._root / "tmp" / mark
            grave.parent.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):
            entry.rename(grave)
        _remove_folder(grave)
        return size


def damaged_store(what: str) -> FileError:
    """The error for what was whole when it entered the store, and is not any more."""
    return FileError(
        "damaged-store",
        f"the wheel store is damaged: {what}",
        hint="empty it with 'azpack cache clear', and build again",
    )


def mark_used(folder: Path) -> None:
    """Note that a stored thing was used now; a store that can't be written is no hindrance."""
    with suppress(OSError):
        os.utime(folder)


def _size(entry: Path) -> int:
    try:
        if entry.is_symlink():
            return entry.lstat().st_size
        if entry.is_dir():
            return sum(map(_size, entry.iterdir()))
        return entry.stat().st_size
    except FileNotFoundError:  # another process removed it
        return 0


def _remove_folder(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
