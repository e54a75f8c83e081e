"""The native code in a package, by its headers: of Linux, Windows and macOS.

Source: for Windows "PE Format" (learn.microsoft.com/windows/win32/debug/pe-format), for macOS
<mach-o/loader.h> and <mach-o/fat.h>.
"""

from __future__ import annotations

import os
import re
import struct
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

from azpack.deps.elf import MAGIC, ElfError
from azpack.deps.needs import Code, read_code
from azpack.errors import FileError
from azpack.package.scrolling import Scroll

if TYPE_CHECKING:
    from collections.abc import Iterable

    from azpack.package.zip_tree import ZipTree

_HEAD = 64
_PE_HEAD = 1 << 12
# What no loader is ever asked to load; to look at its first bytes takes longer than all else.
_NO_CODE = {
    "7z", "afm", "avsc", "bat", "c", "cc", "cfg", "cpp", "css", "csv", "dat", "f90", "feather",
    "gif", "gz", "h", "hpp", "html", "ico", "in", "ini", "ipynb", "jpg", "jpeg", "js", "json",
    "less", "lock", "map", "md", "mplstyle", "npy", "npz", "orc", "parquet", "pdf", "pem",
    "pickle", "pkl", "pl", "png", "po", "pot", "proto", "ps1", "pth", "pxd", "pxi", "py", "pyc",
    "pyi", "pyx", "rst", "sas7bdat", "scss", "sh", "svg", "tex", "toml", "ts", "ttf", "txt",
    "typed", "tzdata", "wav", "xls", "xlsx", "xml", "xsl", "yaml", "yml", "zip",
}  # fmt: skip
_MACH_O = {
    b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe",
}  # fmt: skip
_MACH_O_FAT = {b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf"}
_MOST_ARCHITECTURES = 20  # Java's classes start with the same bytes, and then have a version
_PE_MACHINES = {0x14C: "x86", 0x8664: "x86_64", 0xAA64: "arm64", 0x1C4: "arm"}
_MODULE_SUFFIX = re.compile(r"\.(?:cp\d+-[\w-]+\.pyd|cpython-[\w-]+\.so|abi3\.so|so|pyd)\Z")


class Foreign(NamedTuple):
    """Code of another system than Linux: "Windows" or "macOS"."""

    path: str
    system: str
    machine: str

    @property
    def module(self) -> str:
        """The path without the suffix of an extension module; empty where it is none."""
        found = _MODULE_SUFFIX.search(self.path)
        return self.path[: found.start()] if found else ""


class NativeFiles(NamedTuple):
    """The native code of a package: that of Linux, and that of other systems."""

    codes: tuple[Code, ...]
    foreign: tuple[Foreign, ...]


def read_native(tree: ZipTree, paths: Iterable[str], *, sound: str = "") -> NativeFiles:
    """Find and read the native code among `paths`.

    Below the folder `sound` that of Linux is known to run on the target: it is read only where
    another system's may stand in its place.

    Raises:
        FileError: a file is damaged.
    """
    objects = []
    foreign = []
    for path in paths:
        if _suffix(path) in _NO_CODE or "/METADATA" in path:
            continue
        head = tree.read(path, _HEAD)
        if head.startswith(MAGIC):
            objects.append(path)
        elif found := _foreign(tree, path, head):
            foreign.append(found)
    if sound and not any(file.module and file.path.startswith(sound) for file in foreign):
        objects = [path for path in objects if not path.startswith(sound)]
    return NativeFiles(tuple(_read_all(tree, objects)), tuple(foreign))


def _suffix(path: str) -> str:
    return path[path.rfind("/") + 1 :].rpartition(".")[2].lower()


def _foreign(tree: ZipTree, path: str, head: bytes) -> Foreign | None:
    if head[:4] in _MACH_O:
        return Foreign(path, "macOS", "")
    if head[:4] in _MACH_O_FAT and len(head) >= 8:
        count = struct.unpack_from(">I", head, 4)[0]
        return Foreign(path, "macOS", "") if count < _MOST_ARCHITECTURES else None
    if head.startswith(b"MZ") and len(head) == _HEAD:
        start = struct.unpack_from("<I", head, 60)[0]
        content = tree.read(path, _PE_HEAD)
        if content[start : start + 4] == b"PE\0\0" and len(content) >= start + 6:
            machine = struct.unpack_from("<H", content, start + 4)[0]
            return Foreign(path, "Windows", _PE_MACHINES.get(machine, ""))
    return None


def _read_all(tree: ZipTree, paths: list[str]) -> list[Code]:
    """Read objects, the largest first, by a thread for each processor: inflating needs no lock."""
    pending = sorted(paths, key=tree.size)
    codes: list[Code] = []
    failures: list[FileError] = []

    def work() -> None:
        while pending and not failures:
            try:
                path = pending.pop()
            except IndexError:  # another thread was faster
                return
            try:
                # No linker loads what is damaged: it is there to be read, as data of a test are.
                with suppress(ElfError):
                    code = read_code(path, Scroll(partial(tree.pieces, path)).read)
                    if code is not None:
                        codes.append(code)
            except FileError as error:
                failures.append(error)

    threads = [Thread(target=work, daemon=True) for _ in range(min(os.cpu_count() or 1, 4) - 1)]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return sorted(codes, key=lambda code: code.name)
