"""What is odd about the entries of a zip: names that are unsafe, and kinds that can't be read.

Names are judged as Linux takes them, on which Azure unpacks the zip.
"""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING, NamedTuple

from azpack.archive import DEFLATED, STORED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from azpack.archive import Member

_LONGEST_PATH = 4096 - 256  # PATH_MAX, less what stands before
_LONGEST_NAME = 255  # NAME_MAX
_DEEPEST = 200
_CONTROLS = r"\0-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
_CONTROL_CHARACTER = re.compile(f"[{_CONTROLS}]")
# With what shows a text in another order than it has. Names of files may well hold that.
_UNPRINTABLE = re.compile(rf"[{_CONTROLS}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_DRIVE = re.compile(r"[A-Za-z]:")
_METHODS = {
    1: "shrinking", 6: "imploding", 9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard",
    95: "XZ", 98: "PPMd",
}  # fmt: skip


class Fault(NamedTuple):
    """Why an entry is odd; one that is `lost` can't stand in a tree."""

    code: str
    what: str
    lost: bool


class Oddity(NamedTuple):
    """A fault, how many entries have it, and the name of the first one, fit to be printed."""

    code: str
    what: str
    entries: int
    example: str


_NUL = Fault("AZP505", "a NUL in the name, at which most programs cut it off", lost=True)
_CONTROL = Fault("AZP505", "control characters in the name", lost=True)
BACKSLASHES = "backslashes in the name, which on Linux part no folders but belong to it"
_BACKSLASH = Fault("AZP505", BACKSLASHES, lost=False)
_ABSOLUTE = Fault("AZP505", "an absolute path", lost=False)
_OUTSIDE = Fault("AZP505", 'a path with "..", which leads out of its folder', lost=True)
_UNCLEAN = Fault("AZP505", 'a path with "." or with empty parts', lost=False)
_EMPTY = Fault("AZP505", "no name", lost=True)
_TOO_LONG = Fault("AZP505", "a name that is longer than Linux allows", lost=True)
_TOO_DEEP = Fault("AZP505", f"a path of more than {_DEEPEST} folders", lost=True)
_NO_UTF8 = Fault("AZP505", "a name that is not UTF-8", lost=False)
_TWICE = Fault("AZP505", "the same path as another entry", lost=False)
_BELOW_FILE = Fault("AZP505", "a path below what is a file", lost=True)
_LINK = Fault("AZP506", "a symbolic link", lost=True)
_SPECIAL = Fault("AZP506", "a special file, such as a device", lost=True)
_ENCRYPTED = Fault("AZP506", "encrypted content", lost=True)


class Sorter:
    """Takes the entries of a zip, and tells those that can be read from the odd ones."""

    def __init__(self, members: Iterable[Member]) -> None:
        self.unreadable: set[str] = set()  # the paths of links, and of what is AZP506 otherwise
        self._files: dict[str, Member] = {}
        self._counts: dict[Fault, int] = {}
        self._examples: dict[Fault, str] = {}
        for member in members:
            self._add(member)
        for path in _below_files(self._files):
            self._note(_BELOW_FILE, path)
            del self._files[path]

    def entries(self) -> dict[str, Member]:
        """The files by their paths, sorted by their UTF-8 bytes; of two the last one counts."""
        return {path: self._files[path] for path in sorted(self._files)}

    def oddities(self) -> Iterator[Oddity]:
        """What is odd, the first met first."""
        for fault, count in self._counts.items():
            yield Oddity(fault.code, fault.what, count, self._examples[fault])

    def _add(self, member: Member) -> None:
        path, faults = _judge_name(member)
        is_folder = path.endswith("/") or stat.S_ISDIR(member.mode)
        if not is_folder:
            faults += _judge_kind(member)
            if path in self._files:
                faults.append(_TWICE)
        for fault in faults:
            self._note(fault, member.name)
            if fault.code == "AZP506":
                self.unreadable.add(path)
        if not is_folder and not any(fault.lost for fault in faults):
            self._files[path] = member

    def _note(self, fault: Fault, name: str) -> None:
        self._counts[fault] = self._counts.get(fault, 0) + 1
        if fault not in self._examples:
            self._examples[fault] = printable(name[:300])


def printable(text: str) -> str:
    """A text with escapes for what does something to a terminal, or is not what is seen."""
    return _UNPRINTABLE.sub(_escape, text)


def without_controls(path: str) -> str:
    """A path with escapes for the characters that no file in a tree has in its name."""
    return _CONTROL_CHARACTER.sub(_escape, path)


def _escape(found: re.Match[str]) -> str:
    return repr(found[0])[1:-1]


def _judge_name(member: Member) -> tuple[str, list[Fault]]:
    """The path that is meant, a folder's with a slash at the end, and what is odd about it."""
    name = member.name
    faults = []
    if "\0" in name:
        faults.append(_NUL)
    elif _CONTROL_CHARACTER.search(name):
        faults.append(_CONTROL)
    if not name.isascii() and not _is_utf8(member.raw_name):
        faults.append(_NO_UTF8)
    if "\\" in name:
        faults.append(_BACKSLASH)
        name = name.replace("\\", "/")
    if name.startswith("/") or _DRIVE.match(name):
        faults.append(_ABSOLUTE)
        name = _DRIVE.sub("", name, count=1).lstrip("/")
    parts = name.split("/")
    if len(parts) > _DEEPEST:
        faults.append(_TOO_DEEP)
    elif len(member.raw_name) > _LONGEST_PATH or (
        len(name) * 3 > _LONGEST_NAME and max(len(part.encode()) for part in parts) > _LONGEST_NAME
    ):
        faults.append(_TOO_LONG)
    if ".." in parts:
        faults.append(_OUTSIDE)
    *folders, last = parts
    if "." in parts or "" in folders:
        faults.append(_UNCLEAN)
        kept = [part for part in folders if part not in ("", ".")]
        name = "/".join([*kept, last])
    if not name.strip("/"):
        faults.append(_EMPTY)
    return name, faults


def _is_utf8(raw_name: bytes) -> bool:
    try:
        raw_name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _judge_kind(member: Member) -> list[Fault]:
    kind = stat.S_IFMT(member.mode)
    if kind == stat.S_IFLNK:
        return [_LINK]
    if kind not in (0, stat.S_IFREG):
        return [_SPECIAL]
    if member.is_encrypted:
        return [_ENCRYPTED]
    if member.method not in (STORED, DEFLATED):
        named = _METHODS.get(member.method, f"method {member.method}")
        return [Fault("AZP506", f"compression by {named}", lost=True)]
    return []


def _below_files(paths: Iterable[str]) -> Iterator[str]:
    """The paths that lead through one that is a file."""
    # With the slash sorted first, what is below a path comes right behind it.
    file = ""
    for key in sorted(path.replace("/", "\0") for path in paths):
        if file and key.startswith(file):
            yield key.replace("\0", "/")
        else:
            file = key + "\0"
