from __future__ import annotations

import io
import struct
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from elftools.elf.hash import GNUHashSection
from elftools.elf.sections import SymbolTableSection
from hypothesis import given
from hypothesis import strategies as st

from azpack.deps.elf import (
    MAGIC,
    ElfError,
    SharedObject,
    dynamic_range,
    is_object,
    read_object,
)
from tests.objects import EM_386, EM_AARCH64, EM_AMDGPU, EM_S390, make_object, reading

if TYPE_CHECKING:
    from collections.abc import Iterator

# Where this machine's own objects are, besides those of this environment.
SYSTEM = ("/usr/lib/x86_64-linux-gnu", "/usr/lib64")
VERSIONS = (("libc.so.6", "GLIBC_2.2.5"), ("libm.so.6", "GLIBC_2.29"), ("libc.so.6", "GLIBC_2.34"))


def read(content: bytes, symbol: str = "") -> SharedObject:
    found = read_object(reading(content), symbol=symbol)
    assert found is not None
    return found


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("order", ["<", ">"])
def test_what_an_object_needs(wide: bool, order: str) -> None:
    content = make_object(
        wide=wide, order=order, machine=EM_S390, needed=["libc.so.6", "libm.so.6"],
        soname="libx.so.1", versions=VERSIONS, symbols=["PyInit_x"],
    )  # fmt: skip
    assert read(content, "PyInit_x") == SharedObject(
        machine="s390x",
        soname="libx.so.1",
        needed=("libc.so.6", "libm.so.6"),
        # In the order of the table, which has the versions of a library together.
        versions=(VERSIONS[0], VERSIONS[2], VERSIONS[1]),
        has_symbol=True,
    )
    assert read(content, "PyInit_y").has_symbol is False
    assert read(content, "PyInit").has_symbol is False
    assert read(content).has_symbol is False


@pytest.mark.parametrize(
    ("machine", "wide", "needed", "named"),
    [
        (62, True, ["libc.so.6"], "x86_64"),
        (62, False, ["libc.so.6"], "x32"),
        (62, True, ["libm.so.6", "libc.musl-x86_64.so.1"], "x86_64 with musl"),
        (EM_AARCH64, True, ["ld-musl-aarch64.so.1"], "aarch64 with musl"),
        (EM_AARCH64, True, [], "aarch64"),
        (EM_386, False, ["libc.so.6"], "i686"),
    ],
)
def test_machines(machine: int, wide: bool, needed: list[str], named: str) -> None:
    content = make_object(machine=machine, wide=wide, needed=needed)
    assert read(content).machine == named


def test_weak_versions_need_not_be_there() -> None:
    content = make_object(weak=[("libc.so.6", "GLIBC_2.99"), ("libz.so.1", "ZLIB_1.2.9")])
    assert read(content).versions == (("libc.so.6", "GLIBC_2.2.5"),)


def test_an_object_that_needs_nothing() -> None:
    nothing = SharedObject(machine="x86_64", soname="", needed=(), versions=(), has_symbol=False)
    assert read(make_object(static=True)) == nothing
    assert read(make_object(needed=[], versions=[])) == nothing


@pytest.mark.parametrize(
    "content",
    [
        b"",
        MAGIC,
        MAGIC + b"\2\1",
        b"#!/bin/sh\n" * 100,
        make_object()[:19],
        make_object(kind=1),  # what a linker takes
        make_object(kind=4),  # a core dump
        make_object(machine=EM_AMDGPU),
        MAGIC + b"\3" + make_object()[5:],
        MAGIC + b"\2\0" + make_object()[6:],
    ],
)
def test_what_is_no_library_or_program(content: bytes) -> None:
    assert not is_object(content[:20])
    assert read_object(reading(content)) is None
    assert dynamic_range(content) == (0, 0)


def test_where_the_dynamic_segment_is() -> None:
    content = make_object(gaps=(0, 0, 5 << 20))
    offset, size = dynamic_range(content[: 1 << 10])
    assert (offset > 5 << 20, offset + size) == (True, len(content))
    assert dynamic_range(content[:100]) == (0, 0)


def damaged(content: bytes) -> str:
    with pytest.raises(ElfError) as caught:
        read_object(reading(content))
    return str(caught.value)


def test_objects_that_are_cut_off() -> None:
    content = make_object(versions=VERSIONS, soname="x")
    for length in range(20, len(content) - 16):
        try:
            found = read_object(reading(content[:length]))
        except ElfError:
            continue
        # What is behind may not have been of interest.
        assert found is None or found.versions in ((), read(content).versions)
    assert damaged(content[:40]) == "it is cut off"
    assert damaged(content[:150]) == "it is cut off"


def test_names_that_are_not_there() -> None:
    assert read(make_object(soname="x" * 1023)).soname == "x" * 1023
    assert damaged(make_object(soname="x" * 1024)) == "a name is cut off, or too long"
    content = make_object()
    moved = content.replace(struct.pack("<QQ", 5, 0x10200), struct.pack("<QQ", 5, 0x999999))
    assert damaged(moved) == "a table that it needs is not in it"
    without = content.replace(struct.pack("<QQ", 5, 0x10200), struct.pack("<QQ", 6, 0x10200))
    assert damaged(without) == "a table that it needs is not in it"


def test_tables_that_go_round() -> None:
    """Each entry says that the next stands where it stands itself, and that there are many."""
    content = make_object(versions=[("libc.so.6", "GLIBC_2.2.5")])
    entry = struct.pack("<HHIII", 1, 1, 1, 16, 0)
    assert content.count(entry) == 1
    many = content.replace(entry, struct.pack("<HHIII", 1, 0xFFFF, 1, 16, 0))
    assert damaged(many) == "its versions are damaged, or too many"
    number = struct.pack("<QQ", 0x6FFFFFFF, 1)
    again = content.replace(number, struct.pack("<QQ", 0x6FFFFFFF, (1 << 64) - 1))
    assert damaged(again) == "its versions are damaged, or too many"


@pytest.mark.parametrize(("count", "size"), [(0xFFFF, 56), (2, 55), (2, 0), (2, 0xFFFF)])
def test_damaged_program_headers(count: int, size: int) -> None:
    content = bytearray(make_object())
    struct.pack_into("<HH", content, 54, size, count)
    assert damaged(bytes(content)) == "its program headers are damaged"


def test_too_many_names_to_look_through() -> None:
    content = make_object(gaps=(0, 0, 5 << 20))
    strings = content.index(struct.pack("<Q", 10), 5 << 20)
    size = struct.pack("<Q", (4 << 20) + 1)
    content = content[: strings + 8] + size + content[strings + 16 :]
    assert read(content, "PyInit_x").has_symbol is None


PATCHES = st.lists(
    st.tuples(
        st.integers(0, 2000),
        st.binary(min_size=1, max_size=9) | st.sampled_from([b"\xff" * 4, b"\xff" * 8, bytes(8)]),
    ),
    min_size=1,
    max_size=4,
)


@given(patches=PATCHES, wide=st.booleans(), order=st.sampled_from("<>"), cut=st.integers(0, 100))
def test_any_bytes_come_to_an_end(
    patches: list[tuple[int, bytes]], wide: bool, order: str, cut: int
) -> None:
    content = bytearray(
        make_object(wide=wide, order=order, versions=VERSIONS, soname="x", symbols=["PyInit_x"])
    )
    for position, patch in patches:
        position %= len(content)
        content[position : position + len(patch)] = patch
    judge(bytes(content[: len(content) - cut]))


@given(content=st.binary(max_size=2000))
def test_bytes_that_only_start_like_an_object(content: bytes) -> None:
    judge(MAGIC + b"\2\1" + content)
    judge(make_object()[:20] + content)


def judge(content: bytes) -> None:
    """Read, and count what it takes."""
    steps = got = 0

    def counted(offset: int, size: int) -> bytes:
        nonlocal steps, got
        assert offset >= 0 <= size
        found = content[offset : offset + size]
        steps, got = steps + 1, got + len(found)
        return found

    try:
        found = read_object(counted, symbol="PyInit_x")
    except ElfError as error:
        str(error).encode()
    else:
        assert found is None or str(found).encode()
    # Each name is of an entry of 16 bytes, or 8 in the narrow form, of a table.
    assert steps <= 10 + len(content) // 8
    assert got <= 10 * len(content) + steps * (1 << 10)
    dynamic_range(content)


def own_objects() -> Iterator[Path]:
    """The objects of this environment and of this machine."""
    paths = sysconfig.get_paths()
    for path in (
        *Path(paths["platlib"]).rglob("*.so*"),
        *(Path(paths["stdlib"]) / "lib-dynload").glob("*.so"),
        *(path for folder in SYSTEM for path in Path(folder).glob("*.so*")),
        Path(sys.executable),
    ):
        if path.is_file() and not path.is_symlink():
            with open(path, "rb") as file:
                if file.read(4) == MAGIC:
                    yield path


def by_elftools(content: bytes, symbol: str) -> dict[str, Any]:
    """The same facts by another reader, which goes by the sections."""
    elf = ELFFile(io.BytesIO(content))
    found: dict[str, Any] = {"needed": [], "soname": "", "versions": []}
    for segment in elf.iter_segments():
        for tag in segment.iter_tags() if isinstance(segment, DynamicSegment) else ():
            if tag.entry.d_tag == "DT_NEEDED":
                found["needed"].append(vars(tag)["needed"])
            elif tag.entry.d_tag == "DT_SONAME":
                found["soname"] = vars(tag)["soname"]
    section = elf.get_section_by_name(".gnu.version_r")
    for library, versions in (
        section.iter_versions() if isinstance(section, GNUVerNeedSection) else ()
    ):
        found["versions"] += [
            (library.name, version.name)
            for version in versions
            if not version.entry["vna_flags"] & 2
        ]
    hashed = elf.get_section_by_name(".gnu.hash")
    if isinstance(hashed, GNUHashSection):
        found["has_symbol"] = hashed.get_symbol(symbol) is not None
    else:
        symbols = elf.get_section_by_name(".dynsym")
        found["has_symbol"] = isinstance(symbols, SymbolTableSection) and any(
            entry.name == symbol for entry in symbols.iter_symbols()
        )
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="objects are ELF on Linux only")
def test_real_objects_against_elftools() -> None:
    count = modules = 0
    for path in own_objects():
        content = path.read_bytes()
        symbol = f"PyInit_{path.name.partition('.')[0]}"
        found = read(content, symbol)
        expected = by_elftools(content, symbol)
        actual = {name: getattr(found, name) for name in expected}
        actual |= {name: list(actual[name]) for name in ("needed", "versions")}
        assert actual == expected, path
        count, modules = count + 1, modules + bool(found.has_symbol)
    assert count > 20
    assert modules > 10
