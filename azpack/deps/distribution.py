"""Distributions and their wheels: where they came from, and what they bring to site-packages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from azpack.store import damaged_store

if TYPE_CHECKING:
    from pathlib import Path

# Stands for the target's version in the paths of C headers, as pip in a virtual environment
# puts them: the store's wheels serve every target.
HEADERS = "include/site/pythonX.Y"

# Beside a wheel in the store: what `azpack.deps.wheel.check_wheel` found.
CONTENTS = "contents.json"


class WheelEntry(NamedTuple):
    """A file of a wheel under the path it is installed to; its bytes stand at `offset`."""

    path: str
    mode: int
    method: int
    crc: int
    compressed_size: int
    size: int
    sha256: str
    offset: int


class WrittenFile(NamedTuple):
    """A small file that installing writes: an entry point's script, INSTALLER."""

    path: str
    mode: int
    text: str


class NativeCode(NamedTuple):
    """What a wheel's libraries and programs need, whatever the target: what, and a file that does.

    `machines` are those besides Azure's that some need and no other target's would do; `versions`
    the newest of each family of symbols, "GLIBC_2.34"; `abis` the tags of extension modules,
    "cpython-311-x86_64-linux-gnu", empty for those that any Python finds.
    """

    machines: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    abis: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelContents:
    """What a checked wheel brings to site-packages, RECORD excepted."""

    name: str
    version: str
    dist_info: str
    requires_python: str
    requires: tuple[str, ...]
    tags: tuple[str, ...]
    entries: tuple[WheelEntry, ...]
    written: tuple[WrittenFile, ...]
    native: NativeCode

    def to_json(self) -> str:
        """The form in which the store keeps it."""
        return json.dumps(
            {name: getattr(self, name) for name in self.__slots__}, separators=(",", ":")
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> WheelContents:
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        for name in ("requires", "tags"):
            fields[name] = tuple(fields[name])
        fields["entries"] = tuple(WheelEntry(*row) for row in fields["entries"])
        fields["written"] = tuple(WrittenFile(*row) for row in fields["written"])
        fields["native"] = NativeCode(*(tuple(map(tuple, rows)) for rows in fields["native"]))
        return cls(**fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A distribution in a package, and where it came from.

    `source` is "wheel" (from the index), "sdist-host" or "path"; `index` the index's URL without
    credentials, or None where it came from elsewhere; `tag` the wheel tag that the target runs.
    """

    name: str
    version: str
    filename: str
    sha256: str
    index: str | None
    source: str
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A distribution's wheel in the store, checked; `path` is the file."""

    distribution: Distribution
    path: Path

    def contents(self) -> WheelContents:
        """What the wheel brings, as it was found when it entered the store.

        Raises:
            FileError: it is not what it was then.
        """
        place = self.path.parent / CONTENTS
        try:
            return WheelContents.from_json(place.read_bytes())
        except (ValueError, KeyError, TypeError) as error:
            raise damaged_store(f"{place} can't be read") from error
