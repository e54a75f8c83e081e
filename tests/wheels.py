"""Wheels for tests: sound ones, and ones that lie."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import stat
import struct
import warnings
import zipfile
from typing import TYPE_CHECKING

from azpack.deps.distribution import CONTENTS, Distribution, Wheel
from azpack.deps.wheel import check_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from azpack.store import Store

WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_wheel(
    folder: Path,
    name: str,
    version: str,
    files: Mapping[str, bytes],
    *,
    modes: Mapping[str, int] | None = None,
    data: Mapping[str, bytes] | None = None,
    entry_points: str = "",
    dist_info: str | None = None,
    metadata: str | None = None,
    wheel: str | None = WHEEL,
    record: str | Callable[[str], str | None] | None = None,
    unlisted: Mapping[str, bytes] | None = None,
    repeated: Iterable[tuple[str, bytes]] = (),
    system: int = 3,
    method: int = zipfile.ZIP_DEFLATED,
    tag: str = "py3-none-any",
    filename: str | None = None,
) -> Path:
    """Write a wheel into `folder` and return its path.

    `files` are by their path in the wheel, `data` by their path below `NAME-VERSION.data/`.
    `modes` are of paths in the wheel, with the file type where they should have one; others get
    0644. `record` is RECORD's text, or makes it (None: no RECORD) from the true one. `unlisted`
    is there but not in RECORD; `repeated` comes last, with names that may be there already.
    """
    stem = f"{name.replace('-', '_')}-{version}"
    info = dist_info if dist_info is not None else f"{stem}.dist-info"
    members = dict(files)
    members.update((f"{stem}.data/{path}", content) for path, content in (data or {}).items())
    if info:
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        members.setdefault(f"{info}/METADATA", (metadata or text).encode())
        if wheel is not None:
            members.setdefault(f"{info}/WHEEL", wheel.encode())
        if entry_points:
            members.setdefault(f"{info}/entry_points.txt", entry_points.encode())
        lines: str | None = record_text(members, f"{info}/RECORD")
        if callable(record):
            lines = record(lines or "")
        elif record is not None:
            lines = record
        if lines is not None:
            members[f"{info}/RECORD"] = lines.encode("utf-8", "surrogateescape")
    path = folder / (filename or f"{stem}-{tag}.whl")
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a name for the second time
        for member, content in [*members.items(), *(unlisted or {}).items(), *repeated]:
            entry = zipfile.ZipInfo(member)
            entry.create_system = system
            entry.compress_type = method
            if system == 3:
                mode = (modes or {}).get(member, stat.S_IFREG | 0o644)
                entry.external_attr = mode << 16
            archive.writestr(entry, content)
    return path


def record_text(members: Mapping[str, bytes], record: str) -> str:
    """The RECORD of these members, itself listed last."""
    text = io.StringIO()
    rows = [(path, sha256_of(content), str(len(content))) for path, content in members.items()]
    csv.writer(text, lineterminator="\n").writerows([*rows, (record, "", "")])
    return text.getvalue()


def sha256_of(content: bytes) -> str:
    """The hash of a file as RECORD has it."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"


def keep_wheel(store: Store, path: Path) -> Wheel:
    """Check a wheel and put it into the store, as a build does when it has got one."""
    contents = check_wheel(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    with store.new_folder() as folder:
        whole = folder / sha256
        whole.mkdir()
        (whole / path.name).write_bytes(path.read_bytes())
        (whole / CONTENTS).write_text(contents.to_json(), encoding="utf-8")
        store.place(whole, store.wheel_folder(sha256))
    return Wheel(
        distribution=Distribution(
            name=contents.name,
            version=contents.version,
            filename=path.name,
            sha256=sha256,
            index=None,
            source="wheel",
            tag=contents.tags[0],
        ),
        path=store.wheel_folder(sha256) / path.name,
    )


# Where a field stands in the local header and in the directory's record, and how it is written.
_FIELDS = {
    "flags": (6, 8, "<H"),
    "method": (8, 10, "<H"),
    "crc": (14, 16, "<L"),
    "compressed_size": (18, 20, "<L"),
    "size": (22, 24, "<L"),
}


def rewrite_headers(
    path: Path,
    name: str,
    *,
    local: Mapping[str, int] | None = None,
    central: Mapping[str, int] | None = None,
    both: Mapping[str, int] | None = None,
) -> None:
    """Write other values into the headers of a zip's entry, one made by Python's zipfile."""
    content = bytearray(path.read_bytes())
    encoded = name.encode()
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo(name).header_offset
        record = archive.start_dir
    while content[record + 46 : record + 46 + len(encoded)] != encoded:
        record = content.index(b"PK\1\2", record + 1)
    for field, value in {**(both or {}), **(local or {})}.items():
        offset, _, form = _FIELDS[field]
        struct.pack_into(form, content, start + offset, value)
    for field, value in {**(both or {}), **(central or {})}.items():
        _, offset, form = _FIELDS[field]
        struct.pack_into(form, content, record + offset, value)
    path.write_bytes(content)
