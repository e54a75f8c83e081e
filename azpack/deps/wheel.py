"""What a wheel holds, checked once when it enters the store, and where an installer puts it.

Source: the binary distribution format (packaging.python.org/specifications), PEP 376 and
PEP 627 for RECORD, and the schemes of `pip install --target` for the parts of `*.data/`.
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import io
import os
import re
import stat
import zlib
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from azpack.archive import DEFLATED, STORED, ArchiveError, Member, data_offset, read_directory
from azpack.deps.distribution import HEADERS, WheelContents, WheelEntry, WrittenFile
from azpack.deps.elf import MAGIC, ElfError
from azpack.deps.excerpt import Excerpt
from azpack.deps.needs import Code, read_code, survey
from azpack.errors import WheelError
from azpack.inflating import INFLATING_ERRORS, inflating

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_CHUNK = 1 << 20
# Of what is read whole: METADATA, RECORD and their like. The largest RECORDs have a few MB.
_LARGEST_TEXT = 64 << 20
# PATH_MAX of Linux, and room for what stands before.
_LONGEST_NAME = 4000
# Written by whoever installs, so what a wheel ships under these names says nothing.
_INSTALLER_FILES = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})
_UNHASHED = ("RECORD", "RECORD.jws", "RECORD.p7s")
_DOTTED = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_REFERENCE = re.compile(f"({_DOTTED}):({_DOTTED})")
_INTERPRETER = b"#!/usr/bin/env python3"
_SCRIPT = """\
#!/usr/bin/env python3
import sys

from {module} import {first}

if __name__ == "__main__":
    sys.exit({function}())
"""


def check_wheel(path: Path) -> WheelContents:
    """Read a wheel and check what it claims: its names, the CRC of each member, and its RECORD.

    Raises:
        WheelError: the wheel is damaged, contradicts itself, or holds what none should.
    """
    fd = os.open(path, os.O_RDONLY)
    try:
        return _Reader(path.name, fd).contents()
    except ArchiveError as error:
        raise WheelError(
            "bad-wheel",
            f"{path.name} is not a sound wheel: {error}",
            hint="the file is broken where it was published, or on its way here; "
            "another version, or another index, may have a sound one",
            context={"wheel": path.name},
        ) from error
    finally:
        os.close(fd)


class _Reader:
    """Reads one open wheel; every doubt is an `ArchiveError`."""

    def __init__(self, filename: str, fd: int) -> None:
        from packaging.utils import (
            InvalidWheelFilename,
            canonicalize_name,
            parse_wheel_filename,
        )

        self.fd = fd
        try:
            self.name, self.version, _, self.tags = parse_wheel_filename(filename)
        except InvalidWheelFilename as error:
            raise ArchiveError(str(error)) from None
        self.members = _by_name(read_directory(fd))
        own = {
            top
            for name in self.members
            for top, slash, _ in [name.partition("/")]
            if slash
            and top.endswith((".dist-info", ".data"))
            and canonicalize_name(top.partition("-")[0]) == self.name
        }
        # Not always of the same spelling as .dist-info; pip does not care for it either.
        self.data_folders = {top for top in own if top.endswith(".data")}
        infos = own - self.data_folders
        if len(infos) != 1:
            raise ArchiveError(f"it has {len(infos) or 'no'} .dist-info folders of {self.name}")
        self.dist_info = infos.pop()
        self.stem = self.dist_info.removesuffix(".dist-info")
        self.codes: list[Code] = []

    def contents(self) -> WheelContents:
        requires_python, requires = self._check_metadata()
        record = self._record()
        entries: dict[str, WheelEntry] = {}
        written: dict[str, WrittenFile] = {}
        for name, member in self.members.items():
            offset = data_offset(self.fd, member)
            digest = self._check_member(member, offset, record.pop(name, None))
            path = self._installed_path(name)
            if path is None:
                continue
            entry = WheelEntry(
                path, self._mode(member), member.method, member.crc,
                member.compressed_size, member.size, digest, offset,
            )  # fmt: skip
            if path in entries and entries[path].sha256 != digest:
                raise ArchiveError(f"two of its files are installed to {path}")
            entries[path] = entry
            if (script := self._script(member)) is not None:
                written[path] = WrittenFile(path, 0o755, script)
        if record:
            raise ArchiveError(f"its RECORD lists {min(record)!r}, which is not there")
        written.update((file.path, file) for file in self._entry_points())
        installer = f"{self.dist_info}/INSTALLER"
        written[installer] = WrittenFile(installer, 0o644, "azpack\n")
        return WheelContents(
            name=self.name,
            version=str(self.version),
            dist_info=self.dist_info,
            requires_python=requires_python,
            requires=requires,
            tags=tuple(sorted(map(str, self.tags))),
            entries=tuple(entry for path, entry in entries.items() if path not in written),
            written=tuple(written.values()),
            native=survey(
                self.codes, self.members, pure=all(tag.platform == "any" for tag in self.tags)
            ),
        )

    def _check_metadata(self) -> tuple[str, tuple[str, ...]]:
        """The name and version inside are those of the file name, the format is one we know.

        Returns Requires-Python, empty where the wheel is for any, and Requires-Dist.
        """
        from packaging.metadata import parse_email
        from packaging.specifiers import InvalidSpecifier, SpecifierSet
        from packaging.utils import canonicalize_name
        from packaging.version import InvalidVersion, Version

        metadata, _ = parse_email(self._read(f"{self.dist_info}/METADATA"))
        name, version = metadata.get("name", ""), metadata.get("version", "")
        try:
            same = canonicalize_name(name) == self.name and Version(version) == self.version
        except InvalidVersion:
            same = False
        if not same:
            raise ArchiveError(f"its METADATA is of {name} {version}")
        wheel = self._read(f"{self.dist_info}/WHEEL").decode(errors="replace")
        found = re.search(r"^Wheel-Version:\s*(\d+)", wheel, re.MULTILINE | re.IGNORECASE)
        if found is None or found[1] != "1":
            raise ArchiveError("its WHEEL file does not name a version 1.x of the format")
        try:
            requires_python = str(SpecifierSet(metadata.get("requires_python", "")))
        except InvalidSpecifier:  # old wheels have such; installers pass it over
            requires_python = ""
        return requires_python, tuple(metadata.get("requires_dist", ()))

    def _record(self) -> dict[str, tuple[str, str]]:
        """RECORD's rows: for each path the hash and the size that it claims."""
        text = self._read(f"{self.dist_info}/RECORD").decode("utf-8", errors="surrogateescape")
        rows = {}
        try:
            for row in csv.reader(io.StringIO(text, newline="")):
                if not row or row[0].endswith("/"):
                    continue
                if len(row) != 3:
                    raise ArchiveError(f"its RECORD has a row of {len(row)} fields: {row[0]!r}")
                name = row[0].replace("\\", "/")
                rows[os.path.normpath(name) if "./" in name or "//" in name else name] = (
                    row[1],
                    row[2],
                )
        except csv.Error as error:
            raise ArchiveError(f"its RECORD can't be read: {error}") from None
        return rows

    def _check_member(self, member: Member, offset: int, claimed: tuple[str, str] | None) -> str:
        """Inflate a member, hold it against its CRC and its row in RECORD; return its SHA-256."""
        hashes = {"sha256": hashlib.sha256()}
        algorithm, _, value = (claimed[0] if claimed else "").partition("=")
        if algorithm and algorithm not in hashes:
            if algorithm not in ("sha384", "sha512"):
                raise ArchiveError(f"its RECORD has a hash by {algorithm!r} for {member.name!r}")
            hashes[algorithm] = hashlib.new(algorithm)
        crc = size = 0
        excerpt = None
        for chunk in self._inflate(member, offset):
            if excerpt is not None:
                excerpt.add(chunk)
            elif not size and chunk.startswith(MAGIC):
                excerpt = Excerpt(partial(self._inflate, member, offset), chunk)
            crc = inflating.crc32(chunk, crc)
            size += len(chunk)
            for digest in hashes.values():
                digest.update(chunk)
        if crc != member.crc or size != member.size:
            raise ArchiveError(f"{member.name!r} is damaged: it does not have the CRC it should")
        # No linker loads what is damaged: it is there to be read, as data of a test are.
        with suppress(ElfError):
            if excerpt is not None and (code := read_code(member.name, excerpt.read)) is not None:
                self.codes.append(code)
        if member.is_folder or member.name in {f"{self.dist_info}/{own}" for own in _UNHASHED}:
            return hashes["sha256"].hexdigest()
        if claimed is None:
            raise ArchiveError(f"its RECORD does not list {member.name!r}")
        if algorithm and not same_hash(value, hashes[algorithm].digest()):
            raise ArchiveError(f"{member.name!r} does not have the hash that RECORD gives it")
        if claimed[1] and claimed[1] != str(size):
            raise ArchiveError(f"{member.name!r} does not have the size that RECORD gives it")
        return hashes["sha256"].hexdigest()

    def _inflate(self, member: Member, offset: int) -> Iterator[bytes]:
        """The content of a member, a piece at a time, and no more than its size."""
        left = member.size
        packed = self._packed(member, offset)
        try:
            for piece in packed if member.method == STORED else _inflated(packed):
                left -= len(piece)
                if left < 0:
                    raise ArchiveError(f"{member.name!r} is larger than the directory says")
                yield piece
        except INFLATING_ERRORS as error:
            raise ArchiveError(f"{member.name!r} is damaged: {error}") from error

    def _packed(self, member: Member, offset: int) -> Iterator[bytes]:
        end = offset + member.compressed_size
        while offset < end:
            chunk = os.pread(self.fd, min(_CHUNK, end - offset), offset)
            if not chunk:
                raise ArchiveError(f"{member.name!r} is cut off")
            offset += len(chunk)
            yield chunk

    def _read(self, name: str) -> bytes:
        if name not in self.members:
            raise ArchiveError(f"it has no {name}")
        if self.members[name].size > _LARGEST_TEXT:
            raise ArchiveError(f"its {name} is too large")
        member = self.members[name]
        return b"".join(self._inflate(member, data_offset(self.fd, member)))

    def _installed_path(self, name: str) -> str | None:
        """Where `pip install --target` puts a member, or None where it puts it nowhere."""
        if name.endswith("/") or "__pycache__" in name.split("/"):
            return None
        top, _, rest = name.partition("/")
        if top == self.dist_info and rest in _INSTALLER_FILES:
            return None
        if top not in self.data_folders:
            return name
        scheme, _, rest = rest.partition("/")
        if not rest:
            raise ArchiveError(f"{name!r} belongs to no scheme")
        if scheme == "scripts":
            return f"bin/{rest}"
        if scheme == "headers":
            return f"{HEADERS}/{self.stem.partition('-')[0]}/{rest}"
        if scheme in ("purelib", "platlib", "data"):
            return rest
        raise ArchiveError(f"{name!r} belongs to no scheme that installers know")

    def _mode(self, member: Member) -> int:
        return 0o755 if self._is_script(member) or member.mode & 0o111 else 0o644

    def _is_script(self, member: Member) -> bool:
        folder, _, rest = member.name.partition("/")
        return folder in self.data_folders and rest.startswith("scripts/")

    def _script(self, member: Member) -> str | None:
        """The text of a script that names the interpreter as `#!python`, with the real one."""
        if not self._is_script(member) or member.size > _CHUNK:
            return None
        content = self._read(member.name)
        first, newline, rest = content.partition(b"\n")
        if not first.startswith(b"#!python"):
            return None
        return (_INTERPRETER + newline + rest).decode(errors="surrogateescape")

    def _entry_points(self) -> Iterator[WrittenFile]:
        """The scripts of `console_scripts` and `gui_scripts`."""
        import configparser

        name = f"{self.dist_info}/entry_points.txt"
        if name not in self.members:
            return
        parser = configparser.RawConfigParser(delimiters=("=",), strict=False)
        parser.optionxform = str  # type: ignore[method-assign,assignment]  # names keep their case
        try:
            parser.read_string(self._read(name).decode())
        except (configparser.Error, UnicodeDecodeError):
            raise ArchiveError("its entry_points.txt can't be read") from None
        for section in ("console_scripts", "gui_scripts"):
            for script, reference in parser[section].items() if section in parser else ():
                found = _REFERENCE.fullmatch("".join(reference.partition("[")[0].split()))
                if not found or not script.isprintable() or re.search(r"^\.|[/\\]", script):
                    raise ArchiveError(f"its entry point {script!r} can't be made a script")
                module, function = found.groups()
                first = function.partition(".")[0]
                text = _SCRIPT.format(module=module, first=first, function=function)
                yield WrittenFile(f"bin/{script}", 0o755, text)


def _inflated(packed: Iterable[bytes]) -> Iterator[bytes]:
    """Inflate, in pieces of at most a chunk, so that nothing made to explode fills the memory."""
    inflater = inflating.decompressobj(-inflating.MAX_WBITS)
    for chunk in packed:
        if inflater.eof:
            raise zlib.error("there are bytes behind its end")
        while chunk:
            yield inflater.decompress(chunk, _CHUNK)
            chunk = inflater.unconsumed_tail
    yield inflater.flush()
    if not inflater.eof:
        raise zlib.error("it is cut off")
    if inflater.unused_data:
        raise zlib.error("there are bytes behind its end")


def _by_name(members: tuple[Member, ...]) -> dict[str, Member]:
    """The members by name, with those refused that no wheel should hold."""
    named: dict[str, Member] = {}
    for member in members:
        if fault := _fault(member):
            raise ArchiveError(f"{member.name!r} {fault}")
        other = named.setdefault(member.name, member)
        if other is not member and (other.crc, other.size) != (member.crc, member.size):
            raise ArchiveError(f"{member.name!r} is there twice, with different bytes")
    return named


def _fault(member: Member) -> str:
    parts = member.name.rstrip("/").split("/")
    if "\\" in member.name or "\0" in member.name or re.match(r"[A-Za-z]:", member.name):
        return "is not a name that every system can hold"
    if len(member.raw_name) > _LONGEST_NAME:
        return "is longer than a path can be"
    if ".." in parts or "." in parts or "" in parts:
        return "does not stay within the folder it is installed to"
    if member.is_encrypted:
        return "is encrypted"
    if member.mode and stat.S_IFMT(member.mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a special file"
    if not member.is_folder and member.method not in (STORED, DEFLATED):
        return f"is compressed by method {member.method}, which few tools read"
    return ""


def same_hash(value: str, digest: bytes) -> bool:
    """Compare a RECORD hash; some wheels have it in hexadecimal rather than in base64."""
    if value.lower() == digest.hex():
        return True
    try:
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)) == digest
    except (binascii.Error, ValueError):
        return False
