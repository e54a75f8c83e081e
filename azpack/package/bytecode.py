"""Bytecode for the target's Python: compiled once for a wheel, then kept in the store.

Source: PEP 552 (unchecked-hash pycs: an import takes them without a look at the source's time, of
which a zip keeps steps of two seconds), PEP 3147 (where they stand).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from azpack.deps.distribution import WheelEntry
from azpack.package import compile_driver
from azpack.package.segment import SITE_PACKAGES, deflate
from azpack.store import mark_used

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Executor
    from pathlib import Path

    from azpack.package.compile_driver import Source
    from azpack.store import Store

# Where the platform mounts a package; an import puts the real place there if it is another one.
ON_AZURE = "/home/site/wwwroot/"
# Of final releases; CPython's Include/internal/pycore_magic_number.h, Lib/importlib up to 3.13.
MAGIC = {"3.10": 3439, "3.11": 3495, "3.12": 3531, "3.13": 3571, "3.14": 3627}
# Raised when the same sources give other bytecode.
VERSION = "1"
# Sources of one fork, in bytes: few forks, and what dies of a source has done little in vain.
_BATCH = 256 << 10
# A source of so many bytes takes its compiler a GB.
_LARGEST_SOURCE = 8 << 20
TOO_LARGE = "it is too large"


class Module(NamedTuple):
    """A source to compile: its path in the package, and where its bytes are, deflated or stored."""

    path: str
    file: Path
    offset: int
    length: int
    method: int
    size: int


class Uncompiled(NamedTuple):
    """A source without bytecode: the line that can't be compiled, 0 for none, and why."""

    path: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytecode:
    """Compiled sources in the store: the bytes of each entry stand in `data`, deflated or stored.

    Entries' paths are those in the package; `interpreter` is the full version of what made them.
    """

    data: Path
    entries: tuple[WheelEntry, ...]
    uncompiled: tuple[Uncompiled, ...]
    interpreter: str


class Compiler(Protocol):
    """What runs the compiling program (azpack.package.compile_driver)."""

    def workers(self) -> int:
        """How many can run at once."""

    def run(self, folder: Path, jobs: Sequence[Path], files: Iterable[Path]) -> None:
        """Run it on each of the jobs in `folder`; the results are in `folder`/out.

        The sources are in `files`.
        """


def is_module(path: str) -> bool:
    """Whether a file of a distribution can be imported by its name: templates often can't."""
    *folders, name = path.split("/")
    return name.endswith(".py") and all(
        part.isidentifier() for part in (*folders, name.removesuffix(".py"))
    )


def compiled_path(path: str, python: str) -> str:
    """Where the bytecode of the source at `path` stands: "a/__pycache__/b.cpython-311.pyc"."""
    folder, slash, name = path.rpartition("/")
    tag = python.replace(".", "")
    return f"{folder}{slash}__pycache__/{name.removesuffix('.py')}.cpython-{tag}.pyc"


def source_path(path: str) -> str:
    """Where the source of the bytecode at `path` stands."""
    folder, _, name = path.rpartition("__pycache__/")
    return f"{folder}{name.rpartition('.cpython-')[0]}.py"


def bytecode_key(*parts: str, python: str) -> str:
    """What bytecode is kept under: `parts` say of which sources it is."""
    content = "\n".join((VERSION, ON_AZURE, str(MAGIC[python]), *parts))
    return hashlib.sha256(content.encode(errors="surrogateescape")).hexdigest()


def find_bytecode(store: Store, key: str) -> Bytecode | None:
    """The bytecode under `key`, if the store has it."""
    folder = store.bytecode_folder(key)
    try:
        meta = json.loads((folder / "meta.json").read_bytes())
        if (folder / "data").stat().st_size != meta["size"]:
            raise ValueError
        found = Bytecode(
            data=folder / "data",
            entries=tuple(WheelEntry(*row) for row in meta["entries"]),
            uncompiled=tuple(Uncompiled(*row) for row in meta["uncompiled"]),
            interpreter=meta["interpreter"],
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):  # a power failure left it so
        store.discard(folder)
        return None
    mark_used(folder)
    return found


def make_bytecode(
    store: Store, wanted: Mapping[str, Sequence[Module]], compiler: Compiler, *, python: str
) -> dict[str, Bytecode]:
    """Compile sources, and keep the bytecode in the store under the key that each set of them has.

    The order of a set counts: the same sources in another order may give other bytes.

    Raises:
        WheelError: the interpreter can't be run.
        FileError: the store can't be written.
    """
    import shutil
    from concurrent.futures import ThreadPoolExecutor

    with store.new_folder() as folder:
        work = folder / "work"
        (work / "out").mkdir(parents=True)
        shutil.copyfile(compile_driver.__file__, work / "compile_driver.py")
        batches: list[_Batch] = []
        numbers: dict[str, int] = {}  # of the first module of each key
        number = 0
        for key, modules in wanted.items():
            numbers[key] = number
            batches += _batches(modules, number)
            number += len(modules)
        if jobs := _write_jobs(work, batches, compiler.workers()):
            files = {module.file for modules in wanted.values() for module in modules}
            compiler.run(work, jobs, sorted(files))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for key, modules in wanted.items():
                made = folder / key
                made.mkdir()
                _collect(work / "out", modules, numbers[key], made, pool, python=python)
                store.place(made, store.bytecode_folder(key))
    return {key: _kept(store, key) for key in wanted}


def _kept(store: Store, key: str) -> Bytecode:
    found = find_bytecode(store, key)
    if found is None:  # another process empties the store
        raise FileNotFoundError(f"{store.bytecode_folder(key)} went away")
    return found


class _Batch(NamedTuple):
    size: int
    sources: list[Source]


def _batches(modules: Sequence[Module], number: int) -> Iterator[_Batch]:
    """Divide modules by their order and sizes alone: what is in a batch shows in the bytecode."""
    size = 0
    sources: list[Source] = []
    for index, module in enumerate(modules, number):
        if module.size > _LARGEST_SOURCE:
            continue
        if sources and size + module.size > _BATCH:
            yield _Batch(size, sources)
            size, sources = 0, []
        name = ON_AZURE + module.path
        place = (str(module.file), module.offset, module.length, module.method)
        sources.append((index, name, *place))
        size += module.size
    if sources:
        yield _Batch(size, sources)


def _write_jobs(work: Path, batches: Iterable[_Batch], workers: int) -> list[Path]:
    """Give each worker about as much to do as the others."""
    loads: list[list[_Batch]] = [[] for _ in range(workers)]
    for batch in sorted(batches, key=lambda batch: -batch.size):
        min(loads, key=lambda load: sum(given.size for given in load)).append(batch)
    files = []
    for number, load in enumerate(filter(None, loads)):
        file = work / f"jobs-{number}"
        lines = (json.dumps(batch.sources) + "\n" for batch in load)
        file.write_text("".join(lines), encoding="utf-8")
        files.append(file)
    return files


def _collect(
    out: Path,
    modules: Sequence[Module],
    first: int,
    made: Path,
    pool: Executor,
    *,
    python: str,
) -> None:
    """Deflate what was compiled of some modules, and write it as the store keeps it."""
    entries: list[WheelEntry] = []
    uncompiled = []
    offset = 0
    numbers = range(first, first + len(modules))
    with open(made / "data", "wb") as data:
        results = pool.map(_packed, (out / str(number) for number in numbers))
        for module, number, packed in zip(modules, numbers, results, strict=True):
            if packed is None:
                uncompiled.append(_uncompiled(module, out / f"{number}.error"))
                continue
            path = compiled_path(module.path, python)
            entries.append(packed.entry._replace(path=path, offset=offset))
            offset += data.write(packed.content)
    interpreter = out / "interpreter"
    meta = {
        "size": offset,
        "entries": entries,
        "uncompiled": uncompiled,
        "interpreter": interpreter.read_text(encoding="ascii") if interpreter.exists() else "",
    }
    (made / "meta.json").write_text(json.dumps(meta), encoding="utf-8")


class _Packed(NamedTuple):
    entry: WheelEntry
    content: bytes


def _packed(file: Path) -> _Packed | None:
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    method, packed = deflate(content)
    digest = hashlib.sha256(content).hexdigest()
    entry = WheelEntry("", 0o644, method, zlib.crc32(content), len(packed), len(content), digest, 0)
    return _Packed(entry, packed)


def _uncompiled(module: Module, error: Path) -> Uncompiled:
    if not error.exists():
        return Uncompiled(module.path, 0, TOO_LARGE)
    line, _, reason = error.read_text(encoding="utf-8", errors="replace").partition(":")
    return Uncompiled(module.path, int(line), re.sub(r"\s+", " ", reason))


def wheel_modules(
    file: Path, entries: Iterable[WheelEntry], without: frozenset[str]
) -> tuple[Module, ...]:
    """The modules among a wheel's entries, but for those at the paths in `without`."""
    found = (
        Module(
            SITE_PACKAGES + entry.path, file, entry.offset, entry.compressed_size,
            entry.method, entry.size,
        )
        for entry in entries
        if is_module(entry.path)
        and entry.path not in without
        and not entry.path.startswith("bin/")
    )  # fmt: skip
    return tuple(sorted(found, key=lambda module: module.path.encode()))
