"""The dependencies' part of a zip: made once for a set of wheels, then copied as one piece.

The members of the wheels are taken as they are, deflated, and stand in the segment behind new
local headers, sorted by name; the directory's records for them stand in a second file. A zip
starts with a segment's bytes, so the offsets in those records hold in every zip.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from azpack.archive import (
    DEFLATED,
    STORED,
    ArchiveError,
    Entry,
    central_record,
    copy_range,
    local_header,
)
from azpack.deps.distribution import HEADERS, Wheel
from azpack.errors import WheelError
from azpack.store import Store, damaged_store, mark_used

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from azpack.deps.distribution import WheelEntry
    from azpack.package.cuts import Compiled, Cut, LeftOut, Tailoring

SITE_PACKAGES = ".python_packages/lib/site-packages/"

# Raised when the same wheels give other bytes.
LAYOUT = "1"
_MOST_OPEN = 100  # files; macOS lets a process have 256


class Collision(NamedTuple):
    """A path that two distributions bring with different bytes; the first one's is packed."""

    path: str
    kept: str
    dropped: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A segment in the store; sizes in bytes, `data_size` that of the file at `data`."""

    data: Path
    directory: Path
    digest_lines: Path
    data_size: int
    entries: int
    uncompressed_size: int
    collisions: tuple[Collision, ...]
    compiled: Compiled | None = None
    left_out: tuple[LeftOut, ...] | None = None

    @property
    def key(self) -> str:
        """What the store has it under: a hash of all that it depends on."""
        return self.data.parent.name

    def paths(self) -> tuple[str, ...]:
        """The paths of its entries in the package."""
        lines = self.digest_lines.read_text(encoding="utf-8").split("\n")
        return tuple(line.partition("\0")[0] for line in lines if line)


def find_segment(store: Store, key: str) -> Segment | None:
    """The segment under `key`, if the store has it."""
    folder = store.segment_folder(key)
    try:
        meta = json.loads((folder / "meta.json").read_bytes())
        sizes = meta.pop("sizes")
        whole = all((folder / name).stat().st_size == size for name, size in sizes.items())
    except FileNotFoundError:
        return None
    except (ValueError, KeyError):
        whole = False
    if not whole:  # a power failure can leave files behind that were never written
        store.discard(folder)
        return None
    mark_used(folder)
    meta["collisions"] = tuple(Collision(*row) for row in meta["collisions"])
    if any(meta.get(name) is not None for name in ("compiled", "left_out")):
        from azpack.package.cuts import read_summary

        meta |= read_summary(meta)
    return Segment(
        data=folder / "data",
        directory=folder / "directory",
        digest_lines=folder / "digest-lines",
        data_size=sizes["data"],
        **meta,
    )


def segment_key(
    wheels: Iterable[Wheel], *, python: str, timestamp: int, tailored: Sequence[str] = ()
) -> str:
    """What a segment depends on: the wheels, the target's Python, and the entries' time."""
    hashes = sorted(wheel.distribution.sha256 for wheel in wheels)
    parts = [LAYOUT, python, str(timestamp), *hashes, *tailored]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def make_segment(
    store: Store,
    wheels: Sequence[Wheel],
    *,
    python: str,
    timestamp: int,
    tailoring: Tailoring | None = None,
) -> tuple[str, Segment]:
    """Return the segment of these wheels and its key, from the store or made now.

    `python` is the target's full version, "3.11.14".

    Raises:
        WheelError: a wheel is for other Python versions, or a path is a file in one wheel and a
            folder in another.
        FileError: a wheel in the store is not what it was when it came there.
    """
    tailored = tailoring.key if tailoring is not None else ()
    key = segment_key(wheels, python=python, timestamp=timestamp, tailored=tailored)
    if (segment := find_segment(store, key)) is not None:
        return key, segment
    cuts = tailoring.cuts(wheels) if tailoring is not None else {}
    sources, collisions = _merge(wheels, cuts, python=python)
    with store.new_folder() as folder:
        whole = folder / "segment"
        whole.mkdir()
        entries = [source.entry for source in sources]
        with (
            open(whole / "data", "wb", buffering=1 << 20) as data,
            open(whole / "directory", "wb") as directory,
        ):
            offset = 0
            lengths = _write(data, sources, timestamp=timestamp)
            for entry, length in zip(entries, lengths, strict=True):
                directory.write(central_record(entry, offset, timestamp=timestamp))
                offset += length
        lines = "".join(map(digest_line, entries))
        (whole / "digest-lines").write_bytes(lines.encode())
        meta = {
            "sizes": {file.name: file.stat().st_size for file in whole.iterdir()},
            "entries": len(entries),
            "uncompressed_size": sum(entry.size for entry in entries),
            "collisions": collisions,
            **_summary(sources, cuts),
        }
        (whole / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
        store.place(whole, store.segment_folder(key))
    made = find_segment(store, key)
    if made is None:
        raise FileNotFoundError(f"{store.segment_folder(key)} went away")
    return key, made


def digest_line(entry: Entry) -> str:
    """An entry's line in what the content digest is the SHA-256 of."""
    return f"{entry.name}\0{entry.mode:o}\0{entry.sha256}\n"


def deflate(content: bytes) -> tuple[int, bytes]:
    """Return the method and the bytes that take the least room."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(content) + packer.flush()
    return (DEFLATED, packed) if len(packed) < len(content) else (STORED, content)


def _summary(sources: Iterable[_Source], cuts: Mapping[str, Cut]) -> dict[str, object]:
    if not cuts:
        return {}
    from azpack.package.cuts import summary

    return summary([source.entry for source in sources if source.compiled_from], cuts.values())


class _Source(NamedTuple):
    """An entry and where its bytes are: in a file at an offset, or here.

    `compiled_from` is the name of the source that it is the bytecode of.
    """

    entry: Entry
    file: Path
    offset: int
    content: bytes | None
    compiled_from: str = ""


def _merge(
    wheels: Sequence[Wheel], cuts: Mapping[str, Cut], *, python: str
) -> tuple[list[_Source], list[Collision]]:
    """Lay the wheels over each other, in the order of their names."""
    sources: dict[str, _Source] = {}
    owners: dict[str, str] = {}
    collisions = []
    for wheel in sorted(wheels, key=lambda wheel: wheel.distribution.name):
        owner = wheel.distribution.name
        cut = cuts.get(wheel.distribution.sha256)
        for source in _sources(wheel, cut, python=python):
            name = source.entry.name
            if source.compiled_from and owners[source.compiled_from] != owner:
                continue  # the source in the package is another distribution's
            if name not in sources:
                sources[name] = source
                owners[name] = owner
            elif sources[name].entry.sha256 != source.entry.sha256:
                path = name.removeprefix(SITE_PACKAGES)
                collisions.append(Collision(path, owners[name], owner))
    _check_folders(owners)
    names = sorted(sources, key=str.encode)
    return [sources[name] for name in names], collisions


def _sources(wheel: Wheel, cut: Cut | None, *, python: str) -> Iterator[_Source]:
    """What a wheel brings, its bytecode behind the sources, its new RECORD last."""
    contents = wheel.contents()
    _check_python(wheel, contents.requires_python, python)
    headers = "include/site/python" + ".".join(python.split(".")[:2])
    dropped = cut.dropped if cut is not None else ()
    rows = []
    for entry in contents.entries:
        path = entry.path
        if path in dropped:
            continue
        if path.startswith(HEADERS):
            path = path.replace(HEADERS, headers, 1)
        rows.append((path, _record_hash(entry.sha256), str(entry.size)))
        yield _Source(_entry(SITE_PACKAGES + path, entry), wheel.path, entry.offset, None)
    for source in _bytecode_sources(cut) if cut is not None else ():
        path = source.entry.name.removeprefix(SITE_PACKAGES)
        rows.append((path, _record_hash(source.entry.sha256), str(source.entry.size)))
        yield source
    for file in contents.written:
        content = file.text.encode(errors="surrogateescape")
        source = _written(file.path, file.mode, content, wheel)
        rows.append((file.path, _record_hash(source.entry.sha256), str(source.entry.size)))
        yield source
    record = f"{contents.dist_info}/RECORD"
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([*sorted(rows), (record, "", "")])
    yield _written(record, 0o644, text.getvalue().encode(), wheel)


def _bytecode_sources(cut: Cut) -> Iterator[_Source]:
    """The bytecode of what is packed of a wheel."""
    if cut.bytecode is None:
        return
    from azpack.package.bytecode import source_path

    for compiled in cut.bytecode.entries:
        source = source_path(compiled.path)
        if source.removeprefix(SITE_PACKAGES) not in cut.dropped:
            entry = _entry(compiled.path, compiled)
            yield _Source(entry, cut.bytecode.data, compiled.offset, None, source)


def _entry(name: str, entry: WheelEntry) -> Entry:
    return Entry(
        name=name,
        mode=entry.mode,
        method=entry.method,
        crc=entry.crc,
        compressed_size=entry.compressed_size,
        size=entry.size,
        sha256=entry.sha256,
    )


def _check_python(wheel: Wheel, requires_python: str, python: str) -> None:
    """Resolvers go by what the index says of a file, and some say nothing."""
    from packaging.specifiers import SpecifierSet

    if not SpecifierSet(requires_python).contains(python, prereleases=True):
        distribution = wheel.distribution
        raise WheelError(
            "for-another-python",
            f"{distribution.name} {distribution.version} needs Python {requires_python}, "
            f"the target is {python}",
            hint="ask for another version of it, or for another Python with --python",
            context={"name": distribution.name, "requires_python": requires_python},
        )


def _written(path: str, mode: int, content: bytes, wheel: Wheel) -> _Source:
    method, packed = deflate(content)
    entry = Entry(
        name=SITE_PACKAGES + path,
        mode=mode,
        method=method,
        crc=zlib.crc32(content),
        compressed_size=len(packed),
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    return _Source(entry, wheel.path, 0, packed)


def _record_hash(sha256: str) -> str:
    digest = base64.urlsafe_b64encode(bytes.fromhex(sha256)).rstrip(b"=")
    return f"sha256={digest.decode()}"


def _check_folders(owners: dict[str, str]) -> None:
    for name, owner in owners.items():
        folder = name
        while len(folder := folder.rpartition("/")[0]) > len(SITE_PACKAGES):
            if folder in owners:
                path = folder.removeprefix(SITE_PACKAGES)
                raise WheelError(
                    "file-against-folder",
                    f"{path} is a file in {owners[folder]} and a folder in {owner}",
                    hint="the two distributions can't be installed together; leave one out",
                    context={"path": path, "distributions": [owners[folder], owner]},
                )


def _write(out: BinaryIO, sources: Sequence[_Source], *, timestamp: int) -> Iterator[int]:
    """Write the entries one behind the other; yield the length of each, header and data."""
    with ExitStack() as stack:
        opened: dict[Path, int] = {}
        for entry, file, offset, content, _ in sources:
            if len(opened) == _MOST_OPEN:
                stack.close()
                opened.clear()
            header = local_header(entry, timestamp=timestamp)
            out.write(header)
            if content is not None:
                out.write(content)
            else:
                if file not in opened:
                    opened[file] = stack.enter_context(open(file, "rb")).fileno()
                try:
                    copy_range(opened[file], offset, entry.compressed_size, out)
                except ArchiveError as error:
                    raise damaged_store(f"{file}: {error}") from error
            yield len(header) + entry.compressed_size
