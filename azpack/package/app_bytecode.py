"""The bytecode of an app's own modules: compiled anew when one of them has changed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from azpack.errors import FileError
from azpack.findings import Finding
from azpack.inflating import INFLATING_ERRORS, inflating
from azpack.package.bytecode import (
    TOO_LARGE,
    Module,
    bytecode_key,
    find_bytecode,
    make_bytecode,
    source_path,
)
from azpack.package.cuts import Compiled
from azpack.store import damaged_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azpack.app.collect import FileSet
    from azpack.package.bytecode import Bytecode, Compiler, Uncompiled
    from azpack.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class AppBytecode:
    """The bytecode of an app's modules by its path, and the SHA-256 of the sources it is of."""

    written: Mapping[str, bytes]
    sources: Mapping[str, str]
    findings: tuple[Finding, ...]
    compiled: Compiled


class _Content(NamedTuple):
    path: str
    content: bytes
    sha256: str


def compile_app(store: Store, files: FileSet, compiler: Compiler, *, python: str) -> AppBytecode:
    """Compile the modules among a project's files, or find their bytecode in the store.

    Raises:
        FileError: a file can't be read.
        UsageError: there is no interpreter of the target's version.
    """
    contents = [_read(files, path) for path in files.included if _is_own_module(path)]
    lines = (f"{content.sha256} {content.path}" for content in contents)
    key = bytecode_key("app", *lines, python=python)
    found = find_bytecode(store, key)
    if found is None:
        found = _compile(store, contents, key, compiler, python=python)
    written = _unpacked(found)
    sources = {content.path: content.sha256 for content in contents}
    return AppBytecode(
        written=written,
        sources={path: sources[path] for path in map(source_path, written)},
        findings=tuple(
            _finding(entry, python) for entry in found.uncompiled if entry.reason != TOO_LARGE
        ),
        compiled=Compiled(
            files=len(written),
            size=sum(map(len, written.values())),
            uncompiled=len(found.uncompiled),
            interpreters=(found.interpreter,) if found.interpreter else (),
        ),
    )


def _is_own_module(path: str) -> bool:
    """What is in .python_packages is shipped as it is."""
    return path.endswith(".py") and not path.startswith(".python_packages/")


def _read(files: FileSet, path: str) -> _Content:
    try:
        content = Path(files.on_disk(path)).read_bytes()
    except OSError as error:
        raise FileError(
            "unreadable",
            f"{path} can't be read: {error.strerror}",
            hint="mend its permissions, or leave it out by .funcignore",
        ) from error
    return _Content(path, content, hashlib.sha256(content).hexdigest())


def _compile(
    store: Store, contents: list[_Content], key: str, compiler: Compiler, *, python: str
) -> Bytecode:
    """Compile a copy of the sources: they may change meanwhile."""
    modules = []
    with store.new_folder() as folder:
        file = folder / "sources"
        with open(file, "wb") as sources:
            for path, content, _ in contents:
                size = len(content)
                modules.append(Module(path, file, sources.tell(), size, 0, size))
                sources.write(content)
        return make_bytecode(store, {key: modules}, compiler, python=python)[key]


def _unpacked(found: Bytecode) -> dict[str, bytes]:
    data = found.data.read_bytes()
    written = {}
    try:
        for entry in found.entries:
            packed = data[entry.offset : entry.offset + entry.compressed_size]
            written[entry.path] = inflating.decompress(packed, -15) if entry.method else packed
    except INFLATING_ERRORS as error:
        raise damaged_store(f"{found.data}: {error}") from error
    return written


def _finding(entry: Uncompiled, python: str) -> Finding:
    what = "it" if entry.line else entry.path  # which is shown beside a line
    return Finding(
        code="AZP301",
        severity="warning",
        message=f"Python {python} can't compile {what}: {entry.reason}; importing it fails",
        path=entry.path,
        line=entry.line or None,
        hint="mend it, or leave it out by .funcignore if the app does not need it",
    )
