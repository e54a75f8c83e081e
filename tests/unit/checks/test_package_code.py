from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from tests.objects import EM_AARCH64, make_object
from tests.packages import APP, SITE, codes_of, distribution, findings_of, inspect

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from azpack.findings import Finding

ABI = "cpython-311-x86_64-linux-gnu"
LINUX = ("cp311-cp311-manylinux_2_17_x86_64",)
WINDOWS = ("cp311-cp311-win_amd64",)
MACOS = ("cp311-cp311-macosx_11_0_arm64",)
ELF = make_object()
PE = b"MZ" + bytes(58) + struct.pack("<I", 128) + bytes(64) + b"PE\0\0\x64\x86" + bytes(99)
MACH_O = b"\xcf\xfa\xed\xfe" + bytes(99)
FAT = b"\xca\xfe\xba\xbe\0\0\0\2" + bytes(99)
JAVA = b"\xca\xfe\xba\xbe\0\0\0\x34" + bytes(99)


def found_in(
    folder: Path, files: dict[str, bytes], tags: Iterable[str] = LINUX, python: str = "3.11"
) -> list[Finding]:
    return findings_of(folder, APP, distribution("one", files=files, tags=tags), python=python)


def needing(version: str) -> bytes:
    return make_object(versions=[("libc.so.6", "GLIBC_2.2.5"), ("libc.so.6", version)])


@pytest.mark.parametrize(
    ("files", "tags"),
    [
        ({f"one/_one.{ABI}.so": ELF}, LINUX),
        ({"one/_one.abi3.so": ELF}, ("cp38-abi3-manylinux2014_x86_64",)),
        ({f"one/_one.{ABI}.so": ELF, "one/_one.cpython-312-x86_64-linux-gnu.so": ELF}, LINUX),
        # A launcher of Windows, a class of Java, a library for phones: data of a pure distribution.
        ({"one/__init__.py": b"", "one/t64.exe": PE}, ("py3-none-any",)),
        ({"one/__init__.py": b"", "one/net.dll": PE}, ("py3-none-any",)),
        ({"one/__init__.py": b"", "one/A.class": JAVA}, ("py3-none-any",)),
        # A module for each system, of which Python takes its own.
        ({f"one/_one.{ABI}.so": ELF, "one/_one.cp311-win_amd64.pyd": PE}, LINUX),
        ({"one/_one.py": b"", "one/_one.pyd": PE}, ("py3-none-any",)),
        ({"one/__init__.py": b"", "one/damaged.so": ELF[:100]}, LINUX),
    ],
)
def test_code_that_runs(files: dict[str, bytes], tags: tuple[str, ...], tmp_path: Path) -> None:
    assert found_in(tmp_path, files, tags) == []


@pytest.mark.parametrize(
    ("files", "tags", "said"),
    [
        ({f"one/_one.{ABI}.so": make_object(machine=EM_AARCH64)}, LINUX, "is for aarch64"),
        ({"one/_one.so": make_object(needed=["libc.musl-x86_64.so.1"])}, LINUX, "with musl"),
        ({"one/_one.cpython-312-x86_64-linux-gnu.so": ELF}, LINUX, "is for CPython 3.12"),
        ({"one/_one.cp311-win_amd64.pyd": PE, "one/_two.pyd": PE}, WINDOWS, "for Windows"),
        ({"one/_one.cp311-win_amd64.pyd": PE}, ("py3-none-any",), "for Windows"),
        ({"one/one.dll": PE}, ("py3-none-win_amd64",), "for Windows"),
        ({"one/_one.cpython-311-darwin.so": MACH_O}, MACOS, "for macOS"),
        ({"one/_one.so": FAT}, MACOS, "for macOS"),
        ({"one/lib.dylib": MACH_O}, ("py3-none-macosx_11_0_arm64",), "for macOS"),
        # The name says one thing, the header another.
        ({f"one/_one.{ABI}.so": MACH_O}, LINUX, "for macOS"),
    ],
)
def test_code_for_others(
    files: dict[str, bytes], tags: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    (finding,) = found_in(tmp_path, files, tags)
    assert (finding.code, finding.severity) == ("AZP503", "error")
    assert said in finding.message
    assert finding.message.startswith("one 1.0: ")
    assert finding.path in {SITE + path for path in files}


@pytest.mark.parametrize(
    ("version", "python", "fits"),
    [
        ("GLIBC_2.31", "3.11", True),
        ("GLIBC_2.34", "3.11", False),
        ("GLIBC_2.34", "3.12", True),
        ("GLIBC_2.38", "3.12", False),
        ("GLIBC_2.38", "3.14", True),
    ],
)
def test_glibc(version: str, python: str, fits: bool, tmp_path: Path) -> None:
    found = found_in(tmp_path, {"one/_one.abi3.so": needing(version)}, python=python)
    assert codes_of(found) == ([] if fits else [("AZP504", "error")])
    if not fits:
        assert f"needs {version}, the target has GLIBC_2.3" in found[0].message
        assert found[0].path == f"{SITE}one/_one.abi3.so"


def test_library_without_a_name_that_says_so(tmp_path: Path) -> None:
    found = found_in(tmp_path, {"one/__init__.py": b"", "one/tool": needing("GLIBC_2.36")})
    assert codes_of(found) == [("AZP504", "error")]


def test_code_that_is_no_distribution(tmp_path: Path) -> None:
    own = {"mine/_fast.cpython-310-x86_64-linux-gnu.so": ELF}
    assert codes_of(findings_of(tmp_path, APP, own)) == [("AZP503", "error")]
    # With the metadata lost, each folder is looked at by itself.
    loose = {f"{SITE}a/_a.{ABI}.so": ELF, f"{SITE}b/_b.cpython-310-x86_64-linux-gnu.so": ELF}
    found = [f for f in findings_of(tmp_path, APP, loose) if f.code != "AZP508"]
    assert [(f.code, f.path) for f in found] == [
        ("AZP503", f"{SITE}b/_b.cpython-310-x86_64-linux-gnu.so")
    ]


def test_code_of_a_virtual_environment(tmp_path: Path) -> None:
    """It is an excess, which AZP603 says; nothing loads it from there."""
    files = {"env/bin/python": needing("GLIBC_2.99"), "env/x.pyd": PE}
    found = findings_of(tmp_path, APP, files | {"env/pyvenv.cfg": b""})
    assert codes_of(found) == [("AZP603", "warning")]
    assert codes_of(findings_of(tmp_path, APP, files)) == [
        ("AZP504", "error"), ("AZP503", "error"),
    ]  # fmt: skip


def test_tables_far_from_each_other(tmp_path: Path) -> None:
    mib = 1 << 20
    for gaps in [(3 * mib, 0, 0), (0, 9 * mib, 0), (9 * mib, 0, 9 * mib), (0, 0, 20 * mib)]:
        content = make_object(versions=[("libc.so.6", "GLIBC_2.34")], gaps=gaps)
        found = found_in(tmp_path, {"one/_one.abi3.so": content})
        assert codes_of(found) == [("AZP504", "error")], gaps


def test_what_native_code_is_there(tmp_path: Path) -> None:
    files = {"one/a.abi3.so": needing("GLIBC_2.17"), "one/b.abi3.so": ELF, "one/c.exe": PE}
    found = inspect(
        tmp_path, APP, distribution("one", files=files, tags=LINUX), distribution("two")
    )
    assert found.native.files == 3
    assert found.native.machines == ("Windows", "x86_64")
    assert found.native.glibc == "2.17"
    assert {entry.name: entry.native for entry in found.distributions} == {
        "one": True,
        "two": False,
    }
