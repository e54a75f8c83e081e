"""Packages for tests: sound ones, and zips as no sound program writes them."""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

from azpack.package.inspection import Wishes, inspect_package
from tests.wheels import record_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from azpack.findings import Finding
    from azpack.package.inspection import Inspection

__all__ = [
    "APP",
    "SITE",
    "codes_of",
    "distribution",
    "findings_of",
    "inspect",
    "raw_zip",
    "write_package",
]

SITE = ".python_packages/lib/site-packages/"
_SCRIPT = b"""\
import azure.functions as func

app = func.FunctionApp()


@app.route(route="hello/{name}")
def hello(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("hello")
"""
_HOST = b"""\
{"version": "2.0", "extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle",
 "version": "[4.*, 5.0.0)"}}
"""
# An app without dependencies, of which there is nothing to say.
APP = {"host.json": _HOST, "function_app.py": _SCRIPT}


def distribution(
    name: str,
    version: str = "1.0",
    files: Mapping[str, bytes] | None = None,
    *,
    requires: Iterable[str] = (),
    requires_python: str = "",
    tags: Iterable[str] = ("py3-none-any",),
    root: str = SITE,
    unlisted: Mapping[str, bytes] | None = None,
    listed: Mapping[str, bytes] | None = None,
    without: Iterable[str] = (),
) -> dict[str, bytes]:
    """The files of an installed distribution, by their paths in the package.

    By default it has one module of its name. `unlisted` is there and not in RECORD, `listed` in
    RECORD and not there; `without` are metadata to leave out.
    """
    module = name.replace("-", "_").lower()
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    own = dict(files) if files is not None else {f"{module}/__init__.py": b"VALUE = 1\n"}
    lines = [f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {text}" for text in requires]
    lines += [f"Requires-Python: {requires_python}"] if requires_python else []
    own[f"{info}/METADATA"] = "\n".join(["Metadata-Version: 2.1", *lines, "", "Text\n"]).encode()
    wheel = "".join(f"Tag: {tag}\n" for tag in tags)
    own[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\n{wheel}".encode()
    record = record_text({**own, **(listed or {})}, f"{info}/RECORD")
    own[f"{info}/RECORD"] = record.encode()
    own |= unlisted or {}
    for left_out in without:
        del own[f"{info}/{left_out}"]
    return {root + path: content for path, content in own.items()}


def write_package(path: Path, *parts: Mapping[str, bytes]) -> Path:
    """Write a zip of these files, of two with the same path the last one; return its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        files = {name: content for part in parts for name, content in part.items()}
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return path


def inspect(
    path: Path, *parts: Mapping[str, bytes], python: str | None = "3.11", plan: str | None = None
) -> Inspection:
    """What is found in a package of these files, written to `path` or a folder."""
    if path.is_dir():
        path /= "app.zip"
    if parts:
        write_package(path, *parts)
    return inspect_package(path, Wishes(python=python, plan=plan))


def findings_of(
    path: Path,
    *parts: Mapping[str, bytes],
    python: str | None = "3.11",
    plan: str | None = None,
) -> list[Finding]:
    """The findings in a package of these files."""
    return list(inspect(path, *parts, python=python, plan=plan).findings)


def codes_of(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """Code and severity of each."""
    return [(finding.code, finding.severity) for finding in findings]


def raw_zip(
    entries: Iterable[tuple[bytes, bytes]],
    *,
    fields: Mapping[bytes, Mapping[str, int]] | None = None,
    count: int | None = None,
    on_macos: bool = False,
) -> bytes:
    """A zip with these names and contents, whatever they are, deflated.

    `fields` has for a name other values of its headers: flags, method, size, mode, system, crc,
    compressed_size; and `offset`, where the directory says that it is. One `on_macos` is as ditto
    and the Finder write it: the sizes stand behind the content, and times and owner in a field UX.
    """
    out, directory, number = bytearray(), bytearray(), 0
    extra = struct.pack("<2H2LHH", 0x5855, 12, 0, 0, 501, 20) if on_macos else b""
    deflated: dict[bytes, tuple[bytes, int]] = {}  # many entries of a test are the same
    for name, content in entries:
        own = dict((fields or {}).get(name, {}))
        if content not in deflated:
            deflated[content] = _deflate(content), zlib.crc32(content)
        packed, crc = deflated[content]
        packed = content if own.get("method") == 0 else packed
        common = (
            own.get("flags", 8 if on_macos else 0), own.get("method", 8), 0, 0x21,
            own.get("crc", crc), own.get("compressed_size", len(packed)),
            own.get("size", len(content)), len(name), len(extra),
        )  # fmt: skip
        local = (*common[:4], 0, 0, 0, *common[7:]) if on_macos else common
        behind = struct.pack("<4s3L", b"PK\7\10", *common[4:7]) if on_macos else b""
        offset = own.get("offset", len(out))
        out += struct.pack("<4s5H3L2H", b"PK\3\4", 20, *local) + name + extra + packed + behind
        directory += struct.pack(
            "<4s4B4HL2L5H2L", b"PK\1\2", 20, own.get("system", 3), 20, 0, *common, 0, 0, 0,
            own.get("mode", 0o100644) << 16, offset,
        ) + name + extra  # fmt: skip
        number += 1
    count = min(number, 0xFFFF) if count is None else count
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(out), 0)
    if number > 0xFFFF:
        wide = struct.pack(
            "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, number, number, len(directory), len(out)
        )
        end = wide + struct.pack("<4sLQL", b"PK\6\7", 0, len(out) + len(directory), 1) + end
    return bytes(out + directory + end)


def _deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()
