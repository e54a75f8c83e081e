"""What a library or program in ELF runs on and needs, read as the dynamic linker reads it.

By the segments, not by the sections: those may be stripped, and the linker does not look at them.
Source: the System V ABI ("Program Loading and Dynamic Linking"), and for the versions of symbols
the Linux Standard Base Core 5.0, "Symbol Versioning". Any bytes give a value or an `ElfError`,
after no more steps than the limits here allow.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    # The bytes at an offset, as many as are asked for; fewer only where the object ends.
    Read = Callable[[int, int], bytes]

MAGIC = b"\x7fELF"

_HEADER = 64  # the larger of the two forms
_MOST_SEGMENTS = 512
_LARGEST_DYNAMIC = 1 << 14  # of a thousand wheels the most was 2 KB, and of versions 1 KB
_LARGEST_VERSIONS = 1 << 14
_LONGEST_STRING = 1 << 10
_LARGEST_STRINGS = 4 << 20

_LOADED_TYPES = (2, 3)  # ET_EXEC and ET_DYN; what a linker or a kernel takes does not count
_LOAD, _DYNAMIC = 1, 2  # PT_
_NEEDED, _STRTAB, _STRSZ, _SONAME = 1, 5, 10, 14  # DT_
_VERNEED, _VERNEEDNUM = 0x6FFFFFFE, 0x6FFFFFFF  # DT_
_WEAK = 2  # VER_FLG_WEAK

# Those that Python runs on, as wheel tags name them. The others are graphics cards and
# microcontrollers, whose code is data to a wheel.
_MACHINES = {
    3: "i686", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "armv7l", 43: "sparc64",
    62: "x86_64", 183: "aarch64", 243: "riscv64", 258: "loongarch64",
}  # fmt: skip
_MUSL = ("libc.musl-", "ld-musl-")


class ElfError(ValueError):
    """What is wrong with an object that can't be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedObject:
    """A library or program: what it runs on and what it needs.

    `machine` is as in wheel tags, "x86_64", and "x86_64 with musl" where that is its C library.
    `versions` are those that must be there of the symbols it takes from others: the library's
    name, and "GLIBC_2.34". `has_symbol` answers for the one that was asked about: None where the
    names are too many to look through.
    """

    machine: str
    soname: str
    needed: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    has_symbol: bool | None


class _Form(NamedTuple):
    """Where things stand, by class and byte order."""

    wide: bool
    machine: struct.Struct  # type and machine
    segments: struct.Struct  # place, size and number of the segments' headers
    segment: struct.Struct
    tag: struct.Struct
    library: struct.Struct  # Verneed
    version: struct.Struct  # Vernaux


def _form(order: str, *, wide: bool) -> _Form:
    forms = ("32xQ14xHH", "IIQQQQQQ", "QQ") if wide else ("28xI10xHH", "8I", "II")
    return _Form(
        wide, *(struct.Struct(order + form) for form in ("16xHH", *forms, "HHIII", "IHHII"))
    )


_FORMS = {
    (2, 1): _form("<", wide=True),
    (1, 1): _form("<", wide=False),
    (2, 2): _form(">", wide=True),
    (1, 2): _form(">", wide=False),
}


class _Segment(NamedTuple):
    kind: int
    offset: int
    address: int
    size: int  # in the file


def read_object(read: Read, *, symbol: str = "") -> SharedObject | None:
    """Read what an object needs; `symbol` is one whose name it may have among its own.

    Returns:
        None for what is no ELF, or is neither library nor program, or is for no such machine.

    Raises:
        ElfError: it is damaged.
    """
    try:
        header = _read_header(read)
        if header is None:
            return None
        form, machine, segments = header
        dynamic = next((segment for segment in segments if segment.kind == _DYNAMIC), None)
        if dynamic is None:  # a program without libraries
            return SharedObject(
                machine=machine, soname="", needed=(), versions=(), has_symbol=False
            )
        return _Tables(read, form, segments, dynamic).shared_object(machine, symbol)
    except struct.error:
        raise ElfError("it is cut off") from None


def is_object(head: bytes) -> bool:
    """Whether what starts so is a library or program, by the first 20 bytes."""
    form = _FORMS.get((*head[4:6],)) if head.startswith(MAGIC) else None
    if form is None or len(head) < form.machine.size:
        return False
    kind, machine = form.machine.unpack_from(head)
    return kind in _LOADED_TYPES and machine in _MACHINES


def dynamic_range(head: bytes) -> tuple[int, int]:
    """The offset and size of the table that is read next, of an object that starts with `head`.

    Both are 0 where there is none, or it can't be known from so much.
    """
    try:
        header = _read_header(lambda offset, size: head[offset : offset + size])
    except (ElfError, struct.error):
        return 0, 0
    for segment in header[2] if header else ():
        if segment.kind == _DYNAMIC:
            return segment.offset, min(segment.size, _LARGEST_DYNAMIC)
    return 0, 0


def _read_header(read: Read) -> tuple[_Form, str, list[_Segment]] | None:
    header = read(0, _HEADER)
    if not is_object(header):
        return None
    form = _FORMS[header[4], header[5]]
    machine = _MACHINES[form.machine.unpack_from(header)[1]]
    if machine == "x86_64" and not form.wide:
        machine = "x32"
    offset, size, count = form.segments.unpack_from(header)
    if count > _MOST_SEGMENTS or (count and size != form.segment.size):
        raise ElfError("its program headers are damaged")
    segments = []
    for fields in form.segment.iter_unpack(read(offset, size * count)):
        at = 1 if form.wide else 0  # of the wide form, flags stand before
        segments.append(_Segment(fields[0], fields[1 + at], fields[2 + at], fields[4 + at]))
    if len(segments) != count:
        raise ElfError("it is cut off")
    return form, machine, segments


class _Tables:
    """What the table of the dynamic segment names."""

    def __init__(
        self, read: Read, form: _Form, segments: list[_Segment], dynamic: _Segment
    ) -> None:
        self._read = read
        self._form = form
        self._segments = [segment for segment in segments if segment.kind == _LOAD]
        self._needed: list[int] = []
        self._values: dict[int, int] = {}
        table = read(dynamic.offset, min(dynamic.size, _LARGEST_DYNAMIC))
        whole = len(table) - len(table) % form.tag.size
        for tag, value in form.tag.iter_unpack(table[:whole]):
            if tag == 0:
                break
            if tag == _NEEDED:
                self._needed.append(value)
            else:
                self._values[tag] = value

    def shared_object(self, machine: str, symbol: str) -> SharedObject:
        needed = tuple(map(self._string, self._needed))
        if any(name.startswith(_MUSL) for name in needed):
            machine += " with musl"
        return SharedObject(
            machine=machine,
            soname=self._string(self._values[_SONAME]) if _SONAME in self._values else "",
            needed=needed,
            versions=tuple(self._versions()),
            has_symbol=self._has_symbol(symbol.encode() + b"\0") if symbol else False,
        )

    def _place(self, tag: int) -> int:
        """The offset of the table at the address that the tag gives."""
        address = self._values.get(tag, -1)
        for segment in self._segments:
            if segment.address <= address < segment.address + segment.size:
                return address - segment.address + segment.offset
        raise ElfError("a table that it needs is not in it")

    def _string(self, offset: int) -> str:
        text, end, _ = self._read(self._place(_STRTAB) + offset, _LONGEST_STRING).partition(b"\0")
        if not end:
            raise ElfError("a name is cut off, or too long")
        return text.decode(errors="replace")

    def _versions(self) -> Iterator[tuple[str, str]]:
        if _VERNEED not in self._values:
            return
        table = self._read(self._place(_VERNEED), _LARGEST_VERSIONS)
        left = len(table) // self._form.version.size  # so that none is read again and again
        at = 0
        for _ in range(self._values.get(_VERNEEDNUM, 0)):
            _, count, name, first, step = self._form.library.unpack_from(table, at)
            library = self._string(name)
            left -= 1 + count
            if left < 0:
                raise ElfError("its versions are damaged, or too many")
            version_at = at + first
            for _ in range(count):
                entry = self._form.version.unpack_from(table, version_at)
                _, flags, _, version, next_version = entry
                # Of a weak one the linker does not ask that it is there.
                if not flags & _WEAK:
                    yield library, self._string(version)
                version_at += next_version
            at += step

    def _has_symbol(self, symbol: bytes) -> bool | None:
        size = self._values.get(_STRSZ, 0)
        if size > _LARGEST_STRINGS:
            return None
        return symbol in self._read(self._place(_STRTAB), size)
