from __future__ import annotations

import importlib.util
import os
import struct
import sys
import zipfile
from pathlib import Path

import pytest

from azpack.deps.native import fitting_tag
from azpack.errors import WheelError
from azpack.target.target import Target

EM_386, EM_AARCH64, ET_REL = 3, 183, 1
needs_elf = pytest.mark.skipif(sys.platform != "linux", reason="extensions are ELF on Linux only")


def target(python: str = "3.11", glibc: str = "2.31") -> Target:
    return Target(
        functions="4", python=python, full_version=f"{python}.1", glibc=glibc, plan="flex",
        end_of_support="2027-10-31", reason="asked for",
    )  # fmt: skip


def wheel(folder: Path, tag: str, **files: bytes) -> Path:
    path = folder / f"demo-1.0-{tag}.whl"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        opened.writestr("demo/__init__.py", "")
        for name, content in files.items():
            opened.writestr(name.replace("__", "/").replace("_so", ".so"), content)
    return path


@pytest.fixture(scope="session")
def native() -> bytes:
    """Any extension of this interpreter: it needs an old glibc, and nothing else."""
    for module in ("charset_normalizer.md", "_json", "_bisect"):
        spec = importlib.util.find_spec(module)
        if spec and spec.origin and ".so" in spec.origin:
            return Path(spec.origin).read_bytes()
    pytest.fail("this interpreter has no extension module to try with")


def with_header(native: bytes, *, kind: int | None = None, machine: int | None = None) -> bytes:
    was = struct.unpack_from("<HH", native, 16)
    header = struct.pack("<HH", kind or was[0], machine or was[1])
    return native[:16] + header + native[20:]


def with_text(native: bytes, old: bytes, new: bytes) -> bytes:
    """Put another name, no longer than the old one, into the tables of strings."""
    assert old + b"\0" in native
    return native.replace(old + b"\0", new.ljust(len(old) + 1, b"\0"))


def refused(path: Path, target: Target) -> WheelError:
    with pytest.raises(WheelError) as caught:
        fitting_tag(path, target)
    assert caught.value.code == "does-not-fit"
    assert path.name in caught.value.message
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("tag", "fitting"),
    [
        ("py3-none-any", "py3-none-any"),
        ("py2.py3-none-any", "py3-none-any"),
        ("py311-none-any", "py311-none-any"),
        ("cp311-none-any", "cp311-none-any"),
        ("cp39.cp310.cp311-none-any", "cp311-none-any"),
        ("cp311-cp311-linux_x86_64", "cp311-cp311-manylinux_2_5_x86_64"),
        ("cp38-abi3-manylinux2014_x86_64", "cp38-abi3-manylinux_2_5_x86_64"),
        ("py3-none-linux_x86_64", "py3-none-manylinux_2_5_x86_64"),
    ],
)
def test_a_wheel_without_native_code(tmp_path: Path, tag: str, fitting: str) -> None:
    assert fitting_tag(wheel(tmp_path, tag), target()) == fitting


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("cp312-cp312-linux_x86_64", "it is for cp312-cp312, and the target is Python 3.11"),
        ("cp312-none-any", "cp312-none"),
        ("cp311-cp311t-linux_x86_64", "cp311-cp311t"),
        ("pp311-pypy311_pp73-linux_x86_64", "pp311-pypy311_pp73"),
        ("cp311-cp311-any", "cp311-cp311"),
        ("py2-none-any", "py2-none"),
        ("cp311-cp311-linux_aarch64", "for linux_aarch64, and Azure runs Linux on x86_64"),
        ("cp311-cp311-macosx_14_0_arm64", "macosx_14_0_arm64"),
        ("cp311-cp311-musllinux_1_2_x86_64", "musllinux_1_2_x86_64"),
    ],
)
def test_a_tag_that_the_target_does_not_run(tmp_path: Path, tag: str, said: str) -> None:
    assert said in refused(wheel(tmp_path, tag), target()).message


@needs_elf
@pytest.mark.parametrize("tag", ["cp311-cp311-linux_x86_64", "py3-none-any"])
def test_native_code(tmp_path: Path, native: bytes, tag: str) -> None:
    before = os.getcwd()
    path = wheel(tmp_path, tag, demo__x_so=native)
    interpreter = tag.rpartition("-")[0]
    assert fitting_tag(path, target(glibc="2.39")).startswith(f"{interpreter}-manylinux_2_")
    assert os.getcwd() == before


@needs_elf
@pytest.mark.parametrize("tag", ["cp311-cp311-linux_x86_64", "py3-none-any"])
@pytest.mark.parametrize("version", ["2.99", "PRIVA"])
def test_a_newer_glibc(tmp_path: Path, native: bytes, tag: str, version: str) -> None:
    code = with_text(native, b"GLIBC_2.2.5", f"GLIBC_{version}".encode())
    error = refused(wheel(tmp_path, tag, demo__x_so=code), target())
    assert f"demo/x.so needs GLIBC_{version}, which" in error.message
    assert "glibc 2.31 or older" in error.hint


@needs_elf
def test_a_library_that_need_not_be_there(tmp_path: Path, native: bytes) -> None:
    code = with_text(native, b"libc.so.6", b"libq.so.6")
    path = wheel(tmp_path, "cp311-cp311-linux_x86_64", demo__x_so=code)
    error = refused(path, target(glibc="2.39"))
    assert "demo/x.so needs libq.so.6, which the wheel does not bring" in error.message
    assert "glibc" not in error.hint


@needs_elf
def test_other_architectures(tmp_path: Path, native: bytes) -> None:
    arm = with_header(native, machine=EM_AARCH64)
    tag = "cp311-cp311-linux_x86_64"
    error = refused(wheel(tmp_path, tag, demo__x_so=arm), target())
    assert "demo/x.so is for aarch64, Azure runs x86_64" in error.message
    # One library for each platform, of which the distribution loads the right one.
    both = wheel(tmp_path, tag, demo__x_so=native, demo__arm_so=arm)
    assert fitting_tag(both, target(glibc="2.39")).startswith("cp311-cp311-manylinux_2_")
    # What is linked, and what another kind of machine loads, is data here.
    objects = wheel(tmp_path, tag, demo__x_so=with_header(native, kind=ET_REL, machine=EM_386))
    assert fitting_tag(objects, target()) == "cp311-cp311-manylinux_2_5_x86_64"


@needs_elf
def test_modules_for_another_python(tmp_path: Path, native: bytes) -> None:
    name = "demo__x.cpython-312-x86_64-linux-gnu_so"
    path = wheel(tmp_path, "py3-none-any", **{name: native})
    error = refused(path, target(glibc="2.39"))
    assert "x.cpython-312-x86_64-linux-gnu.so is for CPython 3.12, the target is" in error.message
    assert "uv python install 3.11" in error.hint
    assert fitting_tag(path, target("3.12", "2.39")).startswith("py3-none-manylinux_2_")


@needs_elf
def test_musl(tmp_path: Path, native: bytes) -> None:
    code = with_text(native, b"libc.so.6", b"ld-musl-x")
    error = refused(wheel(tmp_path, "cp311-cp311-linux_x86_64", demo__x_so=code), target())
    assert "x86_64 with musl" in error.message


@needs_elf
def test_damaged_code(tmp_path: Path, native: bytes) -> None:
    for code in (native[:64], native[: len(native) // 2], native[:40] + b"\xff" * 40):
        error = refused(wheel(tmp_path, "cp311-cp311-linux_x86_64", demo__x_so=code), target())
        assert "demo/x.so can't be read" in error.message


@needs_elf
def test_not_on_linux(tmp_path: Path, native: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("auditwheel.architecture", "auditwheel.libc", "auditwheel.policy"):
        monkeypatch.setitem(sys.modules, module, None)
    error = refused(wheel(tmp_path, "py3-none-any", demo__x_so=native), target())
    assert "judged on Linux only" in error.message


@pytest.mark.parametrize("name", ["demo-1.0-py3-none-any.whl", "demo.whl", "demo-1.0.zip"])
def test_no_wheel(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK no zip")
    with pytest.raises(WheelError) as caught:
        fitting_tag(tmp_path / name, target())
    assert caught.value.code == "bad-wheel"
