"""Objects in ELF for tests: what the dynamic linker would read of them, and nothing to run."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["EM_386", "EM_AARCH64", "EM_AMDGPU", "EM_S390", "EM_X86_64", "make_object", "reading"]

EM_386, EM_S390, EM_X86_64, EM_AARCH64, EM_AMDGPU = 3, 22, 62, 183, 224
_BASE = 0x10000  # the address of the first byte: addresses are no offsets


def reading(content: bytes) -> Callable[[int, int], bytes]:
    """How `azpack.deps.elf` reads what is at hand."""
    return lambda offset, size: content[offset : offset + size]


def make_object(
    *,
    machine: int = EM_X86_64,
    kind: int = 3,
    wide: bool = True,
    order: str = "<",
    needed: Sequence[str] = ("libc.so.6",),
    soname: str = "",
    versions: Iterable[tuple[str, str]] = (("libc.so.6", "GLIBC_2.2.5"),),
    weak: Iterable[tuple[str, str]] = (),
    symbols: Iterable[str] = (),
    gaps: tuple[int, int, int] = (0, 0, 0),
    static: bool = False,
) -> bytes:
    """Make a library that needs `versions`, each of a library's name and a symbol's version.

    `symbols` are those that it has by their names. `gaps` are so many bytes before its names, its
    versions and its dynamic segment. A `static` one has no dynamic segment.
    """
    wanted: dict[str, list[tuple[str, int]]] = {}
    for flags, pairs in ((0, versions), (2, weak)):
        for library, version in pairs:
            wanted.setdefault(library, []).append((version, flags))
    names: dict[str, int] = {"": 0}
    strings = bytearray(b"\0")
    found = [*needed, soname, *wanted, *(v for rows in wanted.values() for v, _ in rows), *symbols]
    for name in found:
        if name not in names:
            names[name] = len(strings)
            strings += name.encode() + b"\0"
    table = b""
    for library, rows in wanted.items():
        last = library == list(wanted)[-1]
        step = 0 if last else 16 + 16 * len(rows)
        table += struct.pack(f"{order}HHIII", 1, len(rows), names[library], 16, step)
        for number, (version, flags) in enumerate(rows, 1):
            step = 16 if number < len(rows) else 0
            table += struct.pack(f"{order}IHHII", 0, flags, 2, names[version], step)
    strings_at = 0x200 + gaps[0]
    table_at = strings_at + len(strings) + gaps[1]
    dynamic_at = table_at + len(table) + gaps[2]
    entries = [(1, names[name]) for name in needed]
    entries += [(14, names[soname])] if soname else []
    entries += [(5, _BASE + strings_at), (10, len(strings))]
    if table:
        entries += [(0x6FFFFFFE, _BASE + table_at), (0x6FFFFFFF, len(wanted))]
    form = order + ("QQ" if wide else "II")
    dynamic = b"".join(struct.pack(form, *entry) for entry in [*entries, (0, 0)])
    segments = [(1, 0, dynamic_at + len(dynamic))]
    segments += [] if static else [(2, dynamic_at, len(dynamic))]
    head = _header(machine, kind, wide, order, segments)
    content = bytearray(dynamic_at)
    content[: len(head)] = head
    content[strings_at : strings_at + len(strings)] = strings
    content[table_at : table_at + len(table)] = table
    return bytes(content) + dynamic


def _header(
    machine: int, kind: int, wide: bool, order: str, segments: list[tuple[int, int, int]]
) -> bytes:
    data = 1 if order == "<" else 2
    ident = b"\x7fELF" + bytes([2 if wide else 1, data, 1]) + bytes(9)
    if wide:
        rest = "HHIQQQIHHHHHH", 64, 56
    else:
        rest = "HHIIIIIHHHHHH", 52, 32
    form, size, segment_size = rest
    head = ident + struct.pack(
        order + form, kind, machine, 1, 0, size, 0, 0, size, segment_size, len(segments), 0, 0, 0
    )
    for segment, offset, length in segments:
        place = offset, _BASE + offset, _BASE + offset, length, length
        if wide:
            head += struct.pack(f"{order}IIQQQQQQ", segment, 4, *place, 0x1000)
        else:
            head += struct.pack(f"{order}8I", segment, *place, 4, 0x1000)
    return head
