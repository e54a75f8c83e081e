"""What would make a remote build fail there, or install something else than was resolved here.

The platform's ways are those of Oryx, which runs `pip install -r requirements.txt` in the package.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from azpack.deps.index import public
from azpack.deps.requirements_file import decode_text
from azpack.errors import UsageError
from azpack.findings import Finding
from azpack.redaction import LITERAL_SECRET
from azpack.target.target import declared_pythons, major_minor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from azpack.app.collect import FileSet
    from azpack.deps.holdings import Barred
    from azpack.deps.index import IndexSettings
    from azpack.deps.lock import LockedDistribution
    from azpack.deps.pips_choice import Taken
    from azpack.deps.requirements import Requirement
    from azpack.findings import Severity
    from azpack.target.target import Target

_SHOWN_NAMES = 8
_BUILD_HERE = "build with --mode local, which packs it"
_ONE_INDEX = "name one index alone (--index-url) that serves both"
# What azpack reads from the environment, and pip does not.
_UNREAD_VARIABLE = re.compile(r"\$\{(?![A-Z0-9_]+\})\w+\}")
_PINNED = re.compile(r"===?[^=*]*$|://|^[./]")


def project_findings(root: Path, packed: Collection[str], target: Target) -> Iterator[Finding]:
    """What in the project the platform would take for something else than azpack does."""
    if (root / ".python_packages").is_dir():
        yield Finding(
            code="AZP415",
            severity="warning",
            message="the project has .python_packages, which is not packed: the platform deletes "
            "it before it installs",
            path=".python_packages",
            hint="remove it, or ship it with --mode none",
        )
    for name, text in declared_pythons(root):
        try:
            version = major_minor(text, name)
        except UsageError:
            version = ""
        if version == target.python or (name not in packed and name == "runtime.txt"):
            continue
        obeyed = name == "runtime.txt"
        yield Finding(
            code="AZP416",
            severity="error" if obeyed else "warning",
            message=f"{name} says {text}, the package is for Python {target.python} "
            f"({target.reason})"
            + (": the platform would install for another Python" if obeyed else ""),
            path=name,
            hint=f"write {'python-' if obeyed else ''}{target.python} there, or remove the file",
        )


def reach_findings(reasons: Mapping[LockedDistribution, str]) -> Iterator[Finding]:
    """AZP404, for the distributions that the platform can't get, each with the reason."""
    for entry, reason in reasons.items():
        what = f"{entry.name} {entry.version}".rstrip()
        yield Finding(
            code="AZP404",
            severity="error",
            message=f"the platform can't install {what}: {reason}",
            hint=f"{_BUILD_HERE}; or publish it to an index"
            + (", or move it into the project" if entry.is_path else ""),
        )


def include_findings(files: Iterable[str], packed: Collection[str]) -> Iterator[Finding]:
    """AZP404, for files that a shipped requirements.txt includes and that do not go along."""
    for file in files:
        if file not in packed:
            yield Finding(
                code="AZP404",
                severity="error",
                message=f"requirements.txt includes {file}, which is not in the package",
                path=file,
                hint="leave out --no-pin, and all becomes one file; or have .funcignore keep it",
            )


def compile_findings(
    distributions: Iterable[LockedDistribution], target: Target
) -> Iterator[Finding]:
    """AZP412, for what the platform builds from source."""
    for entry in distributions:
        if entry.is_wheel:
            continue
        what = f"{entry.name} {entry.version}".rstrip()
        yield Finding(
            code="AZP412",
            severity="warning",
            message=f"{what} is built by the platform at each deployment ({entry.reason}, Python "
            f"{target.python} on {target.platform}): seconds if it is pure Python, minutes to over "
            "an hour if it must be compiled, or it fails for want of a library",
            hint=f"take a version that has a wheel, or {_BUILD_HERE}, built once",
        )


def hash_findings(unhashed: Sequence[str]) -> Iterator[Finding]:
    """AZP411, where no hash can fix some distributions, so that pip takes none of any."""
    if unhashed:
        yield Finding(
            code="AZP411",
            severity="warning",
            message="requirements.txt has no hashes: pip takes all or none, and there is none for "
            f"{_listed(unhashed)}, a folder or a commit",
            path="requirements.txt",
            hint="build with --mode local, which checks every file; or publish it to an index",
        )


def twin_findings(twins: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """AZP413, for names on several indexes, where pip takes the file that the hashes fix.

    `twins` has the indexes that have a name, by name.
    """
    if twins:
        indexes = dict.fromkeys(index for holders in twins.values() for index in holders)
        yield Finding(
            code="AZP413",
            severity="info",
            message=f"{_listed(twins)} {_are(twins)} on several indexes ({', '.join(indexes)}); "
            "the hashes see to it that the platform takes the files that were resolved here",
        )


def confusion_findings(
    taken: Mapping[str, Taken], twins: Mapping[str, Sequence[str]], *, pinned: bool
) -> Iterator[Finding]:
    """AZP413, for names on several indexes that no hash fixes (dependency confusion).

    `taken` has by name the file that pip takes on the platform, and the index it is from: the
    best of all of them, of the `pinned` version or of any. The first index that has a name is
    whose it is meant to be.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for name, file in taken.items():
        if not (pinned and file.is_pinned):
            groups.setdefault((file.place, twins[name][0]), []).append(file.filename)
    for (index, first), filenames in groups.items():
        foreign = index != first
        if pinned and not foreign:
            continue
        yield Finding(
            code="AZP413",
            severity="error" if foreign else "warning",
            message=f"pip takes the best file of all indexes: {_listed(filenames)} from {index}"
            + (
                f", though {first} has the name too"
                if foreign
                else " as long as no other index has a higher one"
            ),
            hint=f"{_BUILD_HERE}; or {_ONE_INDEX}"
            if pinned
            else f"leave out --no-pin, so that hashes fix each file; or {_ONE_INDEX}",
        )


def mismatch_findings(taken: Mapping[str, Taken]) -> Iterator[Finding]:
    """AZP413, for files that pip takes, by name, though their hashes are not those it is given.

    It prefers a file of which a page says the hash; of others it learns too late which they are.
    """
    for name, file in taken.items():
        yield Finding(
            code="AZP413",
            severity="error",
            message=f"pip takes {file.filename} from {file.place} for {name}, and then finds that "
            "it has another hash: the page of the file that was resolved here does not say its",
            hint=f"{_BUILD_HERE}; or {_ONE_INDEX}",
        )


def missing_findings(
    distributions: Iterable[LockedDistribution], indexes: IndexSettings
) -> Iterator[Finding]:
    """AZP404, for files that none of the places lists which pip is to ask."""
    places = [public(place) for place in indexes.remote_places()]
    for entry in distributions:
        yield Finding(
            code="AZP404",
            severity="error",
            message=f"the platform can't install {entry.name} {entry.version}: {entry.filename} is "
            f"from {urlsplit(entry.url).hostname}, and "
            + (f"{' or '.join(places)} does not list it" if places else "no index is named"),
            hint="name the index that has it with --extra-index-url; or, where it is gone from "
            "there, lock again",
        )


def insecure_findings(places: Iterable[str]) -> Iterator[Finding]:
    """AZP414, for indexes without TLS, which pip passes over."""
    for place in places:
        host = urlsplit(place).netloc.rpartition("@")[2]
        yield Finding(
            code="AZP414",
            severity="error",
            message=f"the platform can't use {public(place)}: it has no TLS (http://), and pip "
            "passes over it unless its host is trusted",
            hint=f"use https://; or write --trusted-host {host} into requirements.txt, or set "
            "PIP_TRUSTED_HOST",
        )


def isolation_findings(names: Sequence[str]) -> Iterator[Finding]:
    """AZP404, for what pip would have to build without an index for what the build needs."""
    if names:
        yield Finding(
            code="AZP404",
            severity="error",
            message=f"the platform can't build {_listed(names)}: with --no-index pip does not get "
            "what a build needs, such as setuptools",
            hint=f"{_BUILD_HERE}; or leave out --no-index",
        )


def barred_findings(barred: Iterable[Barred]) -> Iterator[Finding]:
    """AZP414, for indexes that this machine can use and the platform can't."""
    for index in barred:
        severity: Severity
        if index.reason == "refused":
            severity = "error"
            hint = (
                "name the index with --extra-index-url or in [tool.azpack], with ${NAME} for user "
                "and password (pip's own settings take no variables): the app settings carry it"
            )
        else:
            severity = "warning"
            hint = "give the index a certificate of a public authority, or build with --mode local"
        yield Finding(
            code="AZP414",
            severity=severity,
            message=f"the platform can't use {index.url}: {index.what}",
            hint=hint,
        )


def pin_findings(requirements: Iterable[Requirement]) -> Iterator[Finding]:
    """AZP407, for the lines of a shipped requirements.txt that leave the version open."""
    loose = [
        entry
        for entry in requirements
        if not _PINNED.search(entry.text.partition(";")[0].removeprefix("-e ").strip())
    ]
    if loose:
        file, _, line = loose[0].place.rpartition(":")
        yield Finding(
            code="AZP407",
            severity="info",
            message=f"{_listed([entry.text for entry in loose])} {_are(loose)} not pinned: each "
            "deployment may install other versions",
            path=file,
            line=int(line) if line.isdecimal() else None,
            hint="leave out --no-pin",
        )


def editable_findings(requirements: Iterable[Requirement]) -> Iterator[Finding]:
    """AZP404, for editable lines of a shipped requirements.txt.

    pip leaves of such no more than the path in `--target`, and Python does not read it there.
    """
    for entry in requirements:
        if entry.text.startswith("-e "):
            file, _, line = entry.place.rpartition(":")
            yield Finding(
                code="AZP404",
                severity="error",
                message=f"{entry.text}: what is editable does not get into the app's packages",
                path=file,
                line=int(line) if line.isdecimal() else None,
                hint="write the path without -e, or leave out --no-pin",
            )


def variable_findings(text: str) -> Iterator[Finding]:
    """AZP414, for variables in a shipped requirements.txt that pip leaves as they are."""
    for name in dict.fromkeys(_UNREAD_VARIABLE.findall(text)):
        yield Finding(
            code="AZP414",
            severity="error",
            message=f"pip does not read {name} from the environment: it takes names in capital "
            "letters alone",
            path="requirements.txt",
            hint=f"write {name.upper()}, and set that variable",
        )


def override_findings(overrides: Sequence[str]) -> Iterator[Finding]:
    """AZP404, for pins that pip takes for a conflict, where it has to look at dependencies."""
    if overrides:
        yield Finding(
            code="AZP404",
            severity="error",
            message=f"pip has no overrides, and {_listed(overrides)} of [tool.uv] may contradict "
            "what other distributions ask for",
            path="pyproject.toml",
            hint=f"{_BUILD_HERE}; or do without what has to be built: of wheels alone pip need not "
            "look at dependencies",
        )


def partial_findings(
    distributions: Iterable[LockedDistribution], root: Path, files: FileSet
) -> Iterator[Finding]:
    """AZP404, for folders to be built of which a part is left out of the package."""
    for entry in distributions:
        if not entry.is_path:
            continue
        folder = Path(os.path.relpath(entry.url, root.resolve())).as_posix()
        missing = [
            it
            for it in files.ignored
            if it.path.startswith(f"{folder}/") and it.rule.source != "azpack"
        ]
        if missing:
            yield Finding(
                code="AZP404",
                severity="warning",
                message=f"{entry.name} is built from {folder}, of which a part does not go along: "
                f"{_listed([it.path for it in missing])} ({missing[0].rule.source})",
                path=missing[0].path,
                hint="have .funcignore keep what the build needs",
            )


def credential_findings(root: Path, files: Iterable[str]) -> Iterator[Finding]:
    """AZP405, for passwords in files that go along."""
    for file in files:
        content = (root / file).read_bytes()
        try:
            text = decode_text(content, file)
        except UsageError:  # whoever reads it says so
            text = content.decode(errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if LITERAL_SECRET.search(line):
                yield Finding(
                    code="AZP405",
                    severity="error",
                    message="a password stands in a URL, and would go along in the package",
                    path=file,
                    line=number,
                    hint="write it as ${NAME}, and give the app a setting of that name, or leave "
                    "the file out by .funcignore; whoever saw the file knows the old one",
                )


def address_findings(distributions: Iterable[LockedDistribution]) -> Iterator[Finding]:
    """AZP405, for addresses of files that would stand in the package with what opens them."""
    for entry in distributions:
        if not entry.is_from_index and LITERAL_SECRET.search(entry.url.rpartition("@")[2]):
            yield _address(f"the URL of {entry.name}", "requirements.txt")


def setting_findings(app_settings: Mapping[str, str]) -> Iterator[Finding]:
    """AZP405, for settings that would stand beside the package with a password in them."""
    for name, value in app_settings.items():
        if LITERAL_SECRET.search(value):
            yield _address(f"the app setting {name}", None)


def _address(what: str, path: str | None) -> Finding:
    return Finding(
        code="AZP405",
        severity="error",
        message=f"{what} has a signature or token in it, and would be written down",
        path=path,
        hint="use an index or a URL that needs none, with ${NAME} for user and password, or "
        f"{_BUILD_HERE}",
    )


def _listed(names: Iterable[str]) -> str:
    """Names as a sentence has them, the first ones where there are many."""
    words = list(names)
    if len(words) > _SHOWN_NAMES:
        words = [*words[: _SHOWN_NAMES - 1], f"{len(words) - _SHOWN_NAMES + 1} more"]
    *front, last = words
    return f"{', '.join(front)} and {last}" if front else last


def _are(names: Collection[object]) -> str:
    return "is" if len(names) == 1 else "are"
