"""Rules of a package's files: their places, names, kinds and size (AZP501, 502, 505 to 507)."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from azpack.checks.requirement_lines import requirement_lines
from azpack.checks.rules import make_finding
from azpack.package.contents import PackageSubject
from azpack.package.oddities import BACKSLASHES, printable
from azpack.package.segment import SITE_PACKAGES
from azpack.target.limits import CONSUMPTION_ROOM, LARGEST_PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azpack.checks.rules import Subject
    from azpack.findings import Finding
    from azpack.package.contents import PackageContents
    from azpack.target.target import Target

_NEARLY = 0.8
_UNWISE = ('a path with "." or with empty parts', "a name that is not UTF-8")

_OTHER_PLACE = re.compile(r"(.*?/|)(?:site|dist)-packages/", re.DOTALL)
_PACKAGES = ".python_packages/"
_INSTALL = "install with --target .python_packages/lib/site-packages, or build with azpack"


def check(subject: Subject) -> Iterator[Finding]:
    """What is wrong with the files of a package."""
    if isinstance(subject, PackageSubject):
        contents = subject.contents
        yield from _host_json(contents)
        yield from _places(subject)
        yield from _oddities(contents)
        yield from _of_macos(contents)
        yield from _sizes(contents, subject.target)


def _host_json(contents: PackageContents) -> Iterator[Finding]:
    if contents.prefix:
        maker, mend = _maker(contents)
        yield make_finding(
            "AZP501",
            f"host.json is in the folder {contents.prefix}, not at the root of the package{maker}: "
            "Azure lists no functions",
            path=f"{contents.prefix}host.json",
            hint=f"zip what is in the folder, not the folder: {mend}",
        )


def _maker(contents: PackageContents) -> tuple[str, str]:
    """Which system's programs zip a folder with its name so, as far as it shows, and the mend."""
    if any(map(is_of_macos, contents.zip.entries)):
        mend = "(cd FOLDER && zip -rX ../app.zip . -x '*.DS_Store')"
        return ", as the Finder of macOS zips it", mend
    if not any(member.mode for member in contents.zip.entries.values()):
        return (
            ", zipped without modes as on Windows",
            "open it, select all (Ctrl+A), and compress that",
        )
    return "", "(cd FOLDER && zip -r ../app.zip .)"


def is_of_macos(path: str) -> bool:
    """Whether a file is one that macOS adds: AppleDouble, or the Finder's notes on a folder."""
    name = path.rpartition("/")[2]
    return name.startswith("._") or name == ".DS_Store" or path.startswith("__MACOSX/")


def _of_macos(contents: PackageContents) -> Iterator[Finding]:
    found = [path for path in contents.zip.entries if is_of_macos(path)]
    if found:
        more = f" and {len(found) - 1:,} more that macOS adds are" if len(found) > 1 else ""
        yield make_finding(
            "AZP603",
            f"{printable(found[0])}{more or ', which macOS adds, is'} in the package, "
            "and of no use on Azure",
            hint="zip on macOS with 'zip -rX app.zip . -x \"*.DS_Store\"', not with the Finder or "
            "ditto; or build with azpack",
        )


def _places(subject: PackageSubject) -> Iterator[Finding]:
    """AZP502, where dependencies are somewhere else, or nowhere."""
    contents = subject.contents
    places = Counter(
        place
        for path in contents.tree.entries
        if (place := _other_place(path)) is not None and not is_of_macos(path)
    )
    is_there = any(path.startswith(SITE_PACKAGES) for path in contents.tree.entries)
    for place, count in places.items():
        found = sum(entry.root == place for entry in contents.installed)
        what = f"{found} distributions" if found > 1 else f"{count} files of dependencies"
        in_packages = place.startswith(_PACKAGES)
        if is_there and not in_packages:
            continue  # that virtual environment is an excess, not a loss
        yield make_finding(
            "AZP502",
            f"{what} in {place}, where the worker does not look",
            path=place.rstrip("/"),
            hint=_INSTALL,
            severity="warning" if is_there else None,
        )
    if is_there or places:
        return
    at_root = sum(not entry.root for entry in contents.installed)
    listed = {line.name for line in requirement_lines(contents.tree)}
    if at_root:
        yield make_finding(
            "AZP502",
            f"{at_root} distributions lie at the root, among the app's own files: whether they or "
            "the worker's own are taken depends on the plan",
            hint=_INSTALL,
            severity="warning",
        )
    elif listed and not subject.is_remote:
        yield make_finding(
            "AZP502",
            f"the package has no dependencies, though requirements.txt lists {len(listed)}: it "
            "works by a remote build alone",
            path="requirements.txt",
            hint="publish it with a remote build, or build with azpack; programs that leave out "
            "folders with a dot drop .python_packages",
            severity="warning",
        )


def _other_place(path: str) -> str | None:
    """The folder that looks like one for dependencies, and is not the one."""
    if path.startswith(SITE_PACKAGES):
        return None
    if "-packages/" in path and (found := _OTHER_PLACE.match(path)):
        return found[0]
    return _PACKAGES if path.startswith(_PACKAGES) else None


def _oddities(contents: PackageContents) -> Iterator[Finding]:
    for code, what, count, example in contents.zip.oddities:
        more = f", and {count - 1:,} more entries too" if count > 1 else ""
        if what == BACKSLASHES:
            hint = (
                "Windows PowerShell 5 and .NET before 4.6.1 write them: use PowerShell 7, "
                "Explorer, or 'tar -a -cf app.zip *'"
            )
        elif code == "AZP505":
            hint = "make the zip on Linux or macOS, or with a program that writes forward slashes"
        else:
            hint = (
                "store or deflate the entries, without a password, and links as what they lead to"
            )
        yield make_finding(
            code,
            f"{example!r} has {what}{more}" if code == "AZP505" else f"{example!r} is {what}{more}",
            path=example,
            hint=hint,
            severity="warning" if what in _UNWISE else None,
        )


def _sizes(contents: PackageContents, target: Target) -> Iterator[Finding]:
    packed = contents.zip.file_size
    yield from _size(packed, LARGEST_PACKAGE, "the package", "1 GB, which is all that Azure takes")
    if target.plan == "consumption":
        room = "500 MB, which is all the temporary storage of the Consumption plan"
        yield from _size(packed, CONSUMPTION_ROOM, "the package", room)
        if packed <= CONSUMPTION_ROOM * _NEARLY:
            unpacked = sum(member.size for member in contents.zip.entries.values())
            yield from _size(unpacked, CONSUMPTION_ROOM, "the unpacked package", room)


def _size(size: int, limit: int, what: str, room: str) -> Iterator[Finding]:
    if size > limit * _NEARLY:
        over = size > limit
        yield make_finding(
            "AZP507",
            f"{what} has {size / 1e6:,.0f} MB, {'over' if over else 'not far from'} {room}",
            hint="leave out what is not needed ('azpack inspect' shows the largest files), or use "
            "another plan",
            severity="error" if over else "warning",
        )
