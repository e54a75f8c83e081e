from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import stat
import struct
import tracemalloc
import zipfile
import zlib
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import azpack.deps.wheel as wheel_module
from azpack.deps.distribution import HEADERS, NativeCode, WheelContents
from azpack.deps.wheel import check_wheel
from azpack.errors import WheelError
from tests.objects import EM_AARCH64, make_object
from tests.wheels import WHEEL, rewrite_headers, sha256_of, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

INFLATING: ModuleType = vars(wheel_module)["inflating"]
INFO = "demo-1.0.dist-info"
FILES = {"demo/__init__.py": b"x = 1\n" * 20, "demo/data.bin": bytes(range(256)), "demo/e": b""}


def paths(contents: WheelContents) -> set[str]:
    return {entry.path for entry in contents.entries} - {f"{INFO}/METADATA", f"{INFO}/WHEEL"}


def written(contents: WheelContents) -> dict[str, str]:
    return {file.path: file.text for file in contents.written}


@pytest.fixture(params=["isal", "zlib"])
def _inflater(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ISA-L, and as where it is not there."""
    if request.param == "zlib":
        monkeypatch.setattr(wheel_module, "inflating", zlib)
    elif INFLATING is zlib:
        pytest.skip("this machine has no ISA-L")


inflaters = pytest.mark.usefixtures("_inflater")


def refused(path: Path) -> str:
    """Check that the wheel is refused as damaged, and return the reason."""
    with pytest.raises(WheelError) as caught:
        check_wheel(path)
    error = caught.value
    assert error.code == "bad-wheel"
    assert error.context == {"wheel": path.name}
    prefix = f"{path.name} is not a sound wheel: "
    assert error.message.startswith(prefix)
    error.message.encode()  # it can be printed
    return error.message.removeprefix(prefix)


@inflaters
def test_sound_wheel(tmp_path: Path) -> None:
    path = write_wheel(
        tmp_path,
        "demo",
        "1.0",
        FILES,
        modes={"demo/data.bin": stat.S_IFREG | 0o755},
        tag="py2.py3-none-any",
    )
    contents = check_wheel(path)
    assert (contents.name, contents.version, contents.dist_info) == ("demo", "1.0", INFO)
    assert contents.tags == ("py2-none-any", "py3-none-any")
    assert paths(contents) == set(FILES)
    assert written(contents) == {f"{INFO}/INSTALLER": "azpack\n"}
    packed = path.read_bytes()
    for entry in contents.entries:
        content = packed[entry.offset : entry.offset + entry.compressed_size]
        content = zlib.decompress(content, -zlib.MAX_WBITS) if entry.method == 8 else content
        assert content == FILES.get(entry.path, content)
        assert (entry.size, entry.crc) == (len(content), zlib.crc32(content))
        assert entry.sha256 == hashlib.sha256(content).hexdigest()
        assert entry.mode == (0o755 if entry.path == "demo/data.bin" else 0o644)
    assert WheelContents.from_json(contents.to_json()) == contents


@inflaters
def test_stored_members(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", FILES, method=zipfile.ZIP_STORED)
    assert {entry.method for entry in check_wheel(path).entries} == {zipfile.ZIP_STORED}


@inflaters
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("gap", [0, 9 << 20])
def test_what_native_code_needs(tmp_path: Path, method: int, gap: int) -> None:
    versions = [("libc.so.6", "GLIBC_2.34"), ("libgrafted.so.1", "GCC_12.0.0")]
    module = make_object(versions=versions, gaps=(gap, gap, gap), symbols=["PyInit_a"])
    files = {
        "demo/a.cpython-311-x86_64-linux-gnu.so": module,
        "demo.libs/libgrafted.so.1": make_object(),
        "demo/data.bin": module[:100],  # as data of tests may be
        "demo/text.so": b"INPUT ( libgrafted.so )",
    }
    path = write_wheel(tmp_path, "demo", "1.0", files, method=method)
    contents = check_wheel(path)
    name = "demo/a.cpython-311-x86_64-linux-gnu.so"
    assert contents.native == NativeCode(
        machines=(),
        versions=(("GLIBC_2.34", name),),
        abis=(("cpython-311-x86_64-linux-gnu", name),),
    )
    assert WheelContents.from_json(contents.to_json()) == contents


@pytest.mark.parametrize(("tag", "found"), [("py3-none-any", 0), ("py3-none-linux_x86_64", 1)])
def test_native_code_for_what_is_no_linux(tmp_path: Path, tag: str, found: int) -> None:
    phone = make_object(machine=EM_AARCH64, needed=["libc.so"], versions=[])
    contents = check_wheel(write_wheel(tmp_path, "demo", "1.0", {"demo/a": phone}, tag=tag))
    assert len(contents.native.machines) == found


def test_contents_that_lack_what_is_noted_of_native_code(tmp_path: Path) -> None:
    contents = json.loads(check_wheel(write_wheel(tmp_path, "demo", "1.0", FILES)).to_json())
    assert contents.pop("native") == [[], [], []]
    with pytest.raises(KeyError):
        WheelContents.from_json(json.dumps(contents))


def test_name_and_version_that_are_spelled_otherwise(tmp_path: Path) -> None:
    path = write_wheel(
        tmp_path,
        "Some.Demo",
        "1.0.0",
        {"demo.py": b""},
        metadata="Metadata-Version: 2.1\nName: some-DEMO\nVersion: 1\n\nA long description\n",
        filename="some_demo-1.0-py3-none-any.whl",
        dist_info="Some.Demo-1.0.0.dist-info",
    )
    contents = check_wheel(path)
    assert (contents.name, contents.version) == ("some-demo", "1.0")
    assert contents.dist_info == "Some.Demo-1.0.0.dist-info"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../x", "does not stay within"),
        ("demo/../../x", "does not stay within"),
        ("demo/..", "does not stay within"),
        ("./x", "does not stay within"),
        ("/etc/passwd", "does not stay within"),
        ("demo//x", "does not stay within"),
        ("demo\\x", "not a name that every system"),
        ("C:/x", "not a name that every system"),
        ("c:x", "not a name that every system"),
        ("a" * 5000, "longer than a path"),
    ],
)
@pytest.mark.parametrize("folder", [False, True])
def test_unsafe_names(name: str, said: str, folder: bool, tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", {name + "/" * folder: b""})
    assert said in refused(path)


def test_nul_in_a_name(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", {"demo/a.py": b""})
    content = path.read_bytes()
    path.write_bytes(content.replace(b"demo/a.py", b"demo/a\0py"))
    assert "'demo/a\\x00py' is not a name" in refused(path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFBLK])
def test_links_and_special_files(kind: int, tmp_path: Path) -> None:
    path = write_wheel(
        tmp_path, "demo", "1.0", {"demo/a": b"/etc/passwd"}, modes={"demo/a": kind | 0o777}
    )
    assert refused(path) == "'demo/a' is a link or a special file"


def test_encrypted_member(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", FILES)
    rewrite_headers(path, "demo/data.bin", both={"flags": 1})
    assert refused(path) == "'demo/data.bin' is encrypted"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_method_that_few_read(method: int, tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", FILES, method=method)
    assert f"is compressed by method {method}" in refused(path)


def test_the_same_file_twice(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", {"a": b"abc"}, repeated=[("a", b"abc")])
    assert paths(check_wheel(path)) == {"a"}
    path = write_wheel(tmp_path, "demo", "1.0", {"a": b"abc"}, repeated=[("a", b"abd")])
    assert refused(path) == "'a' is there twice, with different bytes"


def test_two_files_with_one_place(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", {"a": b"abc"}, data={"purelib/a": b"abc"})
    assert paths(check_wheel(path)) == {"a"}
    path = write_wheel(tmp_path, "demo", "1.0", {"a": b"abc"}, data={"purelib/a": b"abd"})
    assert refused(path) == "two of its files are installed to a"


def test_wrong_crc_that_both_headers_have(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", FILES)
    rewrite_headers(path, "demo/data.bin", both={"crc": 1})
    assert "'demo/data.bin' is damaged: it does not have the CRC" in refused(path)


def test_local_header_that_contradicts_the_directory(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", FILES)
    rewrite_headers(path, "demo/data.bin", local={"crc": 1})
    assert refused(path) == "'demo/data.bin': its local header contradicts the directory"


@inflaters
@pytest.mark.parametrize(
    ("size", "said"), [(255, "larger than the directory says"), (257, "is damaged")]
)
def test_wrong_size(size: int, said: str, tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", FILES)
    rewrite_headers(path, "demo/data.bin", both={"size": size})
    assert said in refused(path)


@inflaters
def test_damaged_and_cut_off_members(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", FILES)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("demo/data.bin")
    content = bytearray(path.read_bytes())
    content[info.header_offset + 30 + len(info.filename)] = 0xFF
    path.write_bytes(content)
    assert "'demo/data.bin' is damaged" in refused(path)
    path = write_wheel(tmp_path, "demo", "1.0", FILES)
    rewrite_headers(path, "demo/data.bin", both={"compressed_size": info.compress_size - 1})
    assert "'demo/data.bin' is damaged: it is cut off" in refused(path)


@inflaters
@pytest.mark.parametrize("count", [1, 1 << 20, 32 << 20])
def test_bytes_behind_the_end_of_a_member(count: int, tmp_path: Path) -> None:
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(b"abc") + packer.flush() + b"x" * count
    path = write_wheel(tmp_path, "demo", "1.0", {"a": packed}, method=zipfile.ZIP_STORED)
    rewrite_headers(path, "a", both={"method": 8, "size": 3, "crc": zlib.crc32(b"abc")})
    tracemalloc.start()
    try:
        assert refused(path) == "'a' is damaged: there are bytes behind its end"
        assert tracemalloc.get_traced_memory()[1] < 8 << 20  # they are not gathered
    finally:
        tracemalloc.stop()


@inflaters
def test_member_made_to_explode(tmp_path: Path) -> None:
    """64 MiB in 64 KiB that say they are 1 KiB, and that tell the truth, in little memory."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    chunk = bytes(1 << 20)
    packed = b"".join(packer.compress(chunk) for _ in range(64)) + packer.flush()
    tracemalloc.start()
    try:
        for size, said in ((1 << 10, "larger than the directory says"), (64 << 20, "RECORD")):
            path = write_wheel(
                tmp_path, "demo", "1.0", {}, method=zipfile.ZIP_STORED, unlisted={"a": packed}
            )
            crc = zlib.crc32(bytes(size))
            rewrite_headers(path, "a", both={"method": 8, "size": size, "crc": crc})
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            assert said in refused(path)
            assert tracemalloc.get_traced_memory()[1] - before < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["METADATA", "RECORD", "WHEEL"])
def test_text_made_to_explode(name: str, tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", FILES)
    rewrite_headers(path, f"{INFO}/{name}", both={"size": 65 << 20})
    assert refused(path) == f"its {INFO}/{name} is too large"


def row(path: str, content: bytes, *, change: str = "hash") -> Callable[[str], str]:
    """Make RECORD lie about a file."""
    true = f"{path},{sha256_of(content)},{len(content)}\n"
    lies = {
        "hash": f"{path},{sha256_of(b'other')},{len(content)}\n",
        "size": f"{path},{sha256_of(content)},{len(content) + 1}\n",
        "unlisted": "",
        "missing file": f"{true}demo/gone.py,{sha256_of(b'')},0\n",
        "four fields": true.replace("\n", ",more\n"),
        "two fields": f"{path},{sha256_of(content)}\n",
        "md5": f"{path},md5={base64.urlsafe_b64encode(bytes(16)).decode()},{len(content)}\n",
        "no base64": f"{path},sha256=é,{len(content)}\n",
        "above": f"{true}../../bin/x,,\n",
    }

    def record(text: str) -> str:
        assert true in text
        return text.replace(true, lies[change])

    return record


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("hash", "'demo/data.bin' does not have the hash that RECORD gives it"),
        ("no base64", "'demo/data.bin' does not have the hash that RECORD gives it"),
        ("size", "'demo/data.bin' does not have the size that RECORD gives it"),
        ("unlisted", "its RECORD does not list 'demo/data.bin'"),
        ("missing file", "its RECORD lists 'demo/gone.py', which is not there"),
        ("above", "its RECORD lists '../../bin/x', which is not there"),
        ("four fields", "its RECORD has a row of 4 fields: 'demo/data.bin'"),
        ("two fields", "its RECORD has a row of 2 fields: 'demo/data.bin'"),
        ("md5", "its RECORD has a hash by 'md5' for 'demo/data.bin'"),
    ],
)
def test_record_that_lies(change: str, said: str, tmp_path: Path) -> None:
    record = row("demo/data.bin", FILES["demo/data.bin"], change=change)
    assert refused(write_wheel(tmp_path, "demo", "1.0", FILES, record=record)) == said


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('"' + "a" * 200_000 + '",,\n', id="long field"),
        pytest.param("a\0b,,\n", id="NUL"),
        pytest.param("\udcff\udcfe,,\n", id="not UTF-8"),
        pytest.param('"never closed,,\n', id="quote"),
        pytest.param("a\rb,,\r\r\n", id="lone carriage returns"),
    ],
)
def test_record_that_is_hard_to_read(text: str, tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", FILES, record=lambda true: text + true)
    assert "RECORD" in refused(path)


def test_record_in_other_forms(tmp_path: Path) -> None:
    content = FILES["demo/data.bin"]
    true = f"demo/data.bin,{sha256_of(content)},256"
    digest = hashlib.sha256(content)
    for other in (
        f"demo/data.bin,sha256={digest.hexdigest()},256",
        f"demo/data.bin,sha256={digest.hexdigest().upper()},256",
        f"demo/data.bin,{sha256_of(content)}=,256",
        f"demo/data.bin,{sha256_of(content)},",
        f"demo\\data.bin,{sha256_of(content)},256",
        f"./demo/data.bin,{sha256_of(content)},256",
        f'"demo/data.bin",{sha256_of(content)},256',
        f"demo/,,\n{true}",
        f"\n{true}",
        "demo/data.bin,sha512="
        + base64.urlsafe_b64encode(hashlib.sha512(content).digest()).decode().rstrip("=")
        + ",256",
        f"demo/data.bin,sha384={hashlib.sha384(content).hexdigest()},256",
    ):

        def record(text: str, other: str = other) -> str:
            assert true in text
            return text.replace(true, other)

        path = write_wheel(tmp_path, "demo", "1.0", FILES, record=record)
        assert paths(check_wheel(path)) == set(FILES), other
    path = write_wheel(
        tmp_path, "demo", "1.0", FILES, record=lambda text: text.replace("\n", "\r\n")
    )
    assert paths(check_wheel(path)) == set(FILES)


@pytest.mark.parametrize(
    "name", ["a b", "a,b", 'a"b', "a'b", "ü/é", "a\nb", "a\x0cb", "a\x1cb", "a\x85b", "a\u2028b"]
)
def test_names_in_record(name: str, tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", {name: b"abc"})
    assert paths(check_wheel(path)) == {name}


def test_wrong_sha512(tmp_path: Path) -> None:
    path = write_wheel(
        tmp_path,
        "demo",
        "1.0",
        FILES,
        record=lambda text: text.replace(
            sha256_of(FILES["demo/data.bin"]), f"sha512={hashlib.sha512(b'other').hexdigest()}"
        ),
    )
    assert "does not have the hash" in refused(path)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ("Name: other\nVersion: 1.0\n", "other 1.0"),
        ("Name: demo\nVersion: 2.0\n", "demo 2.0"),
        ("Name: demo\nVersion: not one\n", "demo not one"),
        ("Name: demo\n", "demo"),
        ("\n\nName: demo\nVersion: 1.0\n", ""),
        ("Name: demo\nName: demo\nVersion: 1.0\n", " 1.0"),
    ],
)
def test_metadata_of_another(metadata: str, said: str, tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", FILES, metadata=metadata)
    assert refused(path).strip() == f"its METADATA is of {said}".strip()


@pytest.mark.parametrize("kind", ["multipart/mixed; boundary=x", "message/rfc822", "text/x"])
def test_metadata_that_is_no_plain_message(kind: str, tmp_path: Path) -> None:
    metadata = f"Name: demo\nVersion: 1.0\nContent-Type: {kind}\n\n--x\n\n--x--\n"
    path = write_wheel(tmp_path, "demo", "1.0", FILES, metadata=metadata)
    assert paths(check_wheel(path)) == set(FILES)


@pytest.mark.parametrize(
    "wheel", [WHEEL.replace("1.0", "2.0"), WHEEL.replace("1.0", "11.0"), "", "\xff"]
)
def test_version_of_the_format(wheel: str, tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", FILES, wheel=wheel)
    assert "does not name a version 1.x" in refused(path)


def test_later_version_of_the_format_that_is_compatible(tmp_path: Path) -> None:
    path = write_wheel(
        tmp_path,
        "demo",
        "1.0",
        FILES,
        wheel=WHEEL.replace("Wheel-Version: 1.0", "wheel-version:1.9"),
    )
    assert paths(check_wheel(path)) == set(FILES)


@pytest.mark.parametrize("name", ["METADATA", "WHEEL", "RECORD"])
def test_missing_metadata(name: str, tmp_path: Path) -> None:
    path = write_wheel(
        tmp_path,
        "demo",
        "1.0",
        {"a": b""},
        wheel=None if name == "WHEEL" else WHEEL,
        record=(lambda _: None) if name == "RECORD" else None,
    )
    if name == "METADATA":
        content = path.read_bytes()
        path.write_bytes(content.replace(b"/METADATA", b"/METADATB"))
    assert refused(path) == f"it has no {INFO}/{name}"


def test_dist_info_folders(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", FILES, dist_info="")
    assert refused(path) == "it has no .dist-info folders of demo"
    other = {"other-1.0.dist-info/METADATA": b"Name: other\n", "a/demo-1.0.dist-info/METADATA": b""}
    path = write_wheel(tmp_path, "demo", "1.0", other)
    contents = check_wheel(path)
    assert contents.dist_info == INFO
    assert paths(contents) == set(other)
    path = write_wheel(tmp_path, "demo", "1.0", {"Demo-1.0.dist-info/METADATA": b""})
    assert refused(path) == "it has 2 .dist-info folders of demo"


@pytest.mark.parametrize("filename", ["demo.whl", "demo-1.0.whl", "demo-x-py3-none-any.whl"])
def test_file_name_that_is_no_wheel_s(filename: str, tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", FILES, filename=filename)
    assert "nvalid" in refused(path)


def test_not_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(b"<html>")
    assert "not a zip file" in refused(path)


def test_installed_paths(tmp_path: Path) -> None:
    path = write_wheel(
        tmp_path,
        "demo",
        "1.0",
        {
            "demo/__init__.py": b"",
            "demo/__pycache__/a.pyc": b"stale",
            "demo/": b"",
            "demo.data/x": b"not of this scheme",
            f"{INFO}/INSTALLER": b"somebody\n",
            f"{INFO}/REQUESTED": b"",
            f"{INFO}/direct_url.json": b"{}",
            f"{INFO}/licenses/LICENSE": b"MIT",
        },
        data={
            "purelib/pure.py": b"pure",
            "platlib/plat/a.so": b"plat",
            "data/share/man/a.1": b"man",
            "data/bin/b": b"b",
            "scripts/run": b"#!/bin/sh\n",
            "headers/demo.h": b"int x;",
        },
    )
    contents = check_wheel(path)
    assert paths(contents) == {
        "demo/__init__.py",
        "demo.data/x",
        f"{INFO}/licenses/LICENSE",
        "pure.py",
        "plat/a.so",
        "share/man/a.1",
        "bin/b",
        "bin/run",
        f"{HEADERS}/demo/demo.h",
    }
    assert {entry.path for entry in contents.entries if entry.mode == 0o755} == {"bin/run"}
    assert written(contents) == {f"{INFO}/INSTALLER": "azpack\n"}


def test_data_of_another_spelling(tmp_path: Path) -> None:
    path = write_wheel(
        tmp_path,
        "demo",
        "1.0",
        {"Demo-1.0.0.data/scripts/run": b"#!python\n", "Demo-1.0.0.data/purelib/a.py": b""},
    )
    contents = check_wheel(path)
    assert paths(contents) == {"a.py"}
    assert written(contents)["bin/run"] == "#!/usr/bin/env python3\n"


@pytest.mark.parametrize("name", ["other/a", "scripts", "file"])
def test_data_that_belongs_nowhere(name: str, tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", {}, data={name: b""})
    assert "belongs to no scheme" in refused(path)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (b"#!python\nprint()\n", "#!/usr/bin/env python3\nprint()\n"),
        (b"#!python", "#!/usr/bin/env python3"),
        (b"#!python3 -u\r\nprint()\r\n", "#!/usr/bin/env python3\nprint()\r\n"),
        (b"#!pythonw\n", "#!/usr/bin/env python3\n"),
        (b"#!python\n# caf\xe9\n", "#!/usr/bin/env python3\n# caf\udce9\n"),
        (b"#!/usr/bin/python\n", None),
        (b"\x7fELF", None),
        (b"", None),
    ],
)
def test_scripts(script: bytes, expected: str | None, tmp_path: Path) -> None:
    contents = check_wheel(write_wheel(tmp_path, "demo", "1.0", {}, data={"scripts/run": script}))
    contents = WheelContents.from_json(contents.to_json())
    assert written(contents).get("bin/run") == expected
    assert ("bin/run" in paths(contents)) == (expected is None)
    modes = {file.path: file.mode for file in contents.entries}
    modes.update((file.path, file.mode) for file in contents.written)
    assert modes["bin/run"] == 0o755


def test_entry_points(tmp_path: Path) -> None:
    text = (
        "# a comment\n[console_scripts]\nrun = demo.cli:main\nOther-Case=demo:App.run [extra, b]\n"
        "spaced out = demo : go\n\n[gui_scripts]\nwindow = demo:show\n[demo.plugins]\na = b\n"
    )
    path = write_wheel(tmp_path, "demo", "1.0", FILES, entry_points=text)
    contents = check_wheel(path)
    files = {file.path: file for file in contents.written}
    assert set(files) == {
        "bin/run",
        "bin/Other-Case",
        "bin/spaced out",
        "bin/window",
        f"{INFO}/INSTALLER",
    }
    assert {file.mode for name, file in files.items() if name.startswith("bin/")} == {0o755}
    assert "from demo import App\n" in files["bin/Other-Case"].text
    assert "sys.exit(App.run())" in files["bin/Other-Case"].text
    for name, file in files.items():
        if name.startswith("bin/"):
            assert file.text.startswith("#!/usr/bin/env python3\n")
            compile(file.text, name, "exec")


def test_entry_point_in_place_of_a_script(tmp_path: Path) -> None:
    path = write_wheel(
        tmp_path,
        "demo",
        "1.0",
        {},
        data={"scripts/run": b"#!/bin/sh\n"},
        entry_points="[console_scripts]\nrun = demo:main\n",
    )
    contents = check_wheel(path)
    assert "from demo import main" in written(contents)["bin/run"]
    assert paths(contents) == {f"{INFO}/entry_points.txt"}


@pytest.mark.parametrize(
    "line",
    [
        "run = demo",
        "run = demo:",
        "run = :main",
        "run = [extra]",
        "run = demo:main;import os",
        "run = demo:main\n  other = demo:main",
        "run = demo.:main",
        "run = 1demo:main",
        "../run = demo:main",
        "a/b = demo:main",
        "a\\b = demo:main",
        ".hidden = demo:main",
        "a\0b = demo:main",
        "a\x1bb = demo:main",
        "run",
        "]",
    ],
)
def test_entry_points_that_make_no_script(line: str, tmp_path: Path) -> None:
    text = f"[console_scripts]\n{line}\n"
    path = write_wheel(tmp_path, "demo", "1.0", FILES, entry_points=text)
    assert "entry" in refused(path)


def test_entry_points_without_a_section(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", FILES, entry_points="run = demo:main\n")
    assert refused(path) == "its entry_points.txt can't be read"


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (stat.S_IFREG | 0o644, 0o644),
        (stat.S_IFREG | 0o666, 0o644),
        (stat.S_IFREG | 0o600, 0o644),
        (stat.S_IFREG | 0o755, 0o755),
        (stat.S_IFREG | 0o700, 0o755),
        (stat.S_IFREG | 0o010, 0o755),
        (stat.S_IFREG | 0o4755, 0o755),
        (0, 0o644),
    ],
)
def test_modes(mode: int, expected: int, tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", {"a": b"abc"}, modes={"a": mode})
    (found,) = [entry.mode for entry in check_wheel(path).entries if entry.path == "a"]
    assert found == expected


def test_made_on_fat(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", FILES, data={"scripts/run": b"x"}, system=0)
    contents = check_wheel(path)
    assert {entry.path for entry in contents.entries if entry.mode != 0o644} == {"bin/run"}


@inflaters
def test_folders(tmp_path: Path) -> None:
    path = write_wheel(
        tmp_path, "demo", "1.0", FILES, repeated=[("demo/", b""), ("odd/", b"with data")]
    )
    assert paths(check_wheel(path)) == set(FILES)


def test_no_open_file_is_left(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "demo", "1.0", FILES)
    before = len(os.listdir("/dev/fd"))
    check_wheel(path)
    rewrite_headers(path, "demo/data.bin", both={"crc": 1})
    refused(path)
    assert len(os.listdir("/dev/fd")) == before


PATCH = st.tuples(
    st.integers(0, 5000),
    st.binary(min_size=1, max_size=5) | st.sampled_from([b"\xff" * 4, bytes(4), b"\n", b"\0"]),
)


@given(
    patches=st.lists(PATCH, min_size=1, max_size=3),
    stored=st.booleans(),
    inflater=st.sampled_from([zlib, INFLATING]),
)
def test_damage_has_one_error(
    patches: list[tuple[int, bytes]],
    stored: bool,
    inflater: ModuleType,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged"
    path = write_wheel(
        folder,
        "demo",
        "1.0",
        {"demo/a.py": b"abc" * 9},
        data={"scripts/run": b"#!python\n"},
        entry_points="[console_scripts]\nrun = demo:main\n",
        method=zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED,
    )
    content = bytearray(path.read_bytes())
    for position, patch in patches:
        position %= len(content)
        content[position : position + len(patch)] = patch
    path.write_bytes(content)
    try:
        with mock.patch.object(wheel_module, "inflating", inflater):
            contents = check_wheel(path)
    except WheelError as error:
        error.message.encode()
    else:
        assert {entry.path for entry in contents.entries} >= {f"{INFO}/METADATA"}


@given(
    name=st.sampled_from(["METADATA", "WHEEL", "RECORD", "entry_points.txt"]),
    content=st.binary(max_size=100)
    | st.text(max_size=100).map(str.encode)
    | st.lists(
        st.sampled_from(
            ["[console_scripts]", "[", "]", "=", ":", " ", "\n", "\r", "a", "#", ",", '"', "Name: "]
        )
    ).map(lambda parts: "".join(parts).encode()),
)
def test_any_metadata_has_one_error(
    name: str, content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write_wheel(
        tmp_path_factory.getbasetemp() / "metadata", "demo", "1.0", {f"{INFO}/{name}": content}
    )
    try:
        check_wheel(path)
    except WheelError as error:
        error.message.encode()


@inflaters
def test_large_member_is_read_in_pieces(tmp_path: Path) -> None:
    content = os.urandom(5 << 20) + bytes(5 << 20)
    path = write_wheel(tmp_path, "demo", "1.0", {"large": content})
    (entry,) = [entry for entry in check_wheel(path).entries if entry.path == "large"]
    assert entry.sha256 == hashlib.sha256(content).hexdigest()


def test_data_descriptors_and_zip64_extras(tmp_path: Path) -> None:
    """The same wheel written to a pipe, and with room for large sizes, is the same wheel."""
    path = write_wheel(tmp_path, "demo", "1.0", FILES)
    expected = check_wheel(path)
    members = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            members[name] = archive.read(name)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content)
    assert struct.pack("<2H", 1, 16) in out.getvalue()
    path.write_bytes(out.getvalue())
    found = check_wheel(path)
    assert [entry[:1] + entry[3:7] for entry in found.entries] == [
        entry[:1] + entry[3:7] for entry in expected.entries
    ]
