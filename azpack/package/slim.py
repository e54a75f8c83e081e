"""What of a distribution no running app reads: test suites, headers and sources, type stubs.

Names alone decide nothing. A folder of tests is left out where it has tests in it and no module of
a distribution or of the app imports it or names it; headers, sources and stubs where no module of
their distribution names files of their kind. Licences and all of .dist-info stay.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from azpack.archive import DEFLATED
from azpack.deps.distribution import HEADERS
from azpack.inflating import INFLATING_ERRORS, inflating
from azpack.package.cuts import LeftOut
from azpack.package.mentions import SUITE_NAMES, mentions, names_includes, textual
from azpack.store import damaged_store

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from azpack.deps.distribution import Wheel, WheelContents, WheelEntry
    from azpack.store import Store

# Raised when something else is left out of the same wheel.
VERSION = "1"
# What only compilers read, and stubs, which only type checkers do.
_COMPILED = (
    "h", "hh", "hpp", "hxx", "inl", "tpp", "pxd", "pxi", "pyx", "c", "cc", "cpp", "cxx", "a", "lib",
)  # fmt: skip
_STUBS = "pyi"
_BY_SUFFIX = frozenset((*_COMPILED, _STUBS))
_SUFFIX_NAMED = re.compile(
    rb"\.(" + "|".join((*_COMPILED, _STUBS)).encode() + rb")(?:\.(?:in|jinja2?|template))?[\"'*{]"
)
# Stubs that name what is imported lazily: scientific-python.org/specs/spec-0001.
_STUBS_ARE_READ = b"attach_stub"
_INCLUDE_FOLDERS = frozenset({"include", "includes"})
_LICENCE = re.compile(
    r"(?!.*\.pyc?\Z).*(?:licen[cs]e|copying|copyright|notice|authors)", re.IGNORECASE
)
_TEST_FILE = re.compile(r"(?:.*/)?(?:test_[^/]*|[^/]*_tests?|conftest)\.pyc?")
_INFO = re.compile(r"[^/]+\.dist-info/")
_LARGEST = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What of a wheel can be left out.

    `suites` are folders of tests, with the modules of other suites that they name; `named` the
    modules of suites that the rest of the wheel names, its own or others'; `others` paths.
    """

    suites: Mapping[str, tuple[str, ...]]
    named: tuple[str, ...]
    others: tuple[str, ...]


def find_survey(store: Store, wheel: Wheel) -> Survey:
    """The survey of a wheel, made once."""
    key = f"survey-{VERSION}-{wheel.distribution.sha256}"
    if (kept := store.find_plan(key)) is not None:
        try:
            table = json.loads(kept)
            suites = {folder: tuple(named) for folder, named in table["suites"].items()}
            return Survey(suites=suites, named=tuple(table["named"]), others=tuple(table["others"]))
        except (ValueError, KeyError, TypeError, AttributeError):  # cut short
            pass
    survey = make_survey(wheel)
    store.record_plan(key, json.dumps(asdict(survey)))
    return survey


def make_survey(wheel: Wheel) -> Survey:
    """Look at all modules of a wheel, and at its native code.

    Raises:
        FileError: the wheel is not what it was when it entered the store.
    """
    contents = wheel.contents()
    suites = _find_suites([entry.path for entry in contents.entries])
    of_suites: dict[str, set[str]] = {folder: set() for folder in suites}
    named: set[str] = set()
    clues = _Clues()
    with open(wheel.path, "rb") as file:
        for entry in contents.entries:
            suite = _suite_of(entry.path, suites)
            if suite is not None and entry.path.endswith(".py"):
                of_suites[suite] |= textual(entry.path, _read(file, entry))
            elif suite is None and entry.path.endswith(".py"):
                source = _read(file, entry)
                named |= _named(entry.path, source, suites)
                clues.add(source)
            elif suite is None and entry.path.endswith(".so") and suites:
                named |= _named_by_native(_read(file, entry), suites)
            elif entry.path == f"{contents.dist_info}/entry_points.txt":
                named |= textual(entry.path, _read(file, entry).replace(b":", b"."))
    return Survey(
        suites={folder: tuple(sorted(found)) for folder, found in of_suites.items()},
        named=tuple(sorted(named)),
        others=tuple(_find_others(contents, suites, clues)),
    )


def _read(file: BinaryIO, entry: WheelEntry) -> bytes:
    if entry.size > _LARGEST:
        return b""
    content = os.pread(file.fileno(), entry.compressed_size, entry.offset)
    try:
        return inflating.decompress(content, -15) if entry.method == DEFLATED else content
    except INFLATING_ERRORS as error:
        raise damaged_store(f"{file.name}: {error}") from error


def _find_suites(paths: Sequence[str]) -> frozenset[str]:
    """The outermost folders of tests: "tests" with tests anywhere in it, "test" right in it."""
    paths = [path for path in paths if not _INFO.match(path)]
    tops = {path.partition("/")[0] for path in paths}
    found = set()
    for path in filter(_TEST_FILE.fullmatch, paths):
        *folders, _ = path.split("/")
        for depth, folder in enumerate(folders):
            alone = depth == 0 and tops == {folder}  # a distribution of nothing but tests
            direct = depth == len(folders) - 1
            if folder in SUITE_NAMES and (folder == "tests" or direct) and not alone:
                found.add("/".join(folders[: depth + 1]))
                break
    return frozenset(found)


def _suite_of(path: str, suites: Container[str]) -> str | None:
    parts = path.split("/")
    for depth in range(1, len(parts)):
        if parts[depth - 1] in SUITE_NAMES and (folder := "/".join(parts[:depth])) in suites:
            return folder
    return None


def _named(path: str, source: bytes, suites: Iterable[str]) -> set[str]:
    """The modules of suites that a module names, by import or as paths."""
    found = mentions(path, source)
    above = path.split("/")[:-1]
    beside = {
        "/".join((*above[:depth], name))
        for name in SUITE_NAMES & found.paths
        for depth in range(len(above) + 1)
    }
    ends = tuple(f"/{named}" for named in found.paths if "/" in named)
    by_path = (
        folder.replace("/", ".")
        for folder in suites
        if folder in beside or folder in found.paths or folder.endswith(ends)
    )
    return {*found.modules, *by_path}


def _named_by_native(content: bytes, suites: Iterable[str]) -> set[str]:
    """The suites that stand in compiled code, as what Cython makes of an import does."""
    if b".test" not in content:
        return set()
    names = (folder.replace("/", ".") for folder in suites)
    return {name for name in names if name.encode() in content}


class _Clues:
    """What the modules of a distribution say of headers, sources and stubs."""

    def __init__(self) -> None:
        self.suffixes: set[str] = set()
        self.includes = False

    def add(self, source: bytes) -> None:
        """Take in what a module says."""
        self.suffixes.update(found.decode() for found in _SUFFIX_NAMED.findall(source))
        if _STUBS_ARE_READ in source:
            self.suffixes.add(_STUBS)
        self.includes = self.includes or names_includes(source)


def _find_others(contents: WheelContents, suites: Container[str], clues: _Clues) -> Iterator[str]:
    for path in (entry.path for entry in contents.entries):
        suffix = path.rpartition(".")[2]
        *folders, name = path.split("/")
        if _LICENCE.match(name) or _INFO.match(path) or _suite_of(path, suites) is not None:
            continue
        unread = suffix in _BY_SUFFIX - clues.suffixes and (
            not clues.includes or _INCLUDE_FOLDERS.isdisjoint(folders)
        )
        if unread or path.startswith(f"{HEADERS}/"):
            yield path


def kept_suites(surveys: Iterable[Survey], named: Iterable[str]) -> frozenset[str]:
    """The suites that something names which is not left out: a module, or a suite that is kept."""
    surveys = tuple(surveys)
    suites: dict[str, set[str]] = {}
    for survey in surveys:
        for folder, others in survey.suites.items():
            suites.setdefault(folder, set()).update(others)
    kept: set[str] = set()
    names = [*named, *(name for survey in surveys for name in survey.named)]
    while names:
        parts = names.pop().split(".")
        for depth in range(1, len(parts) + 1):
            folder = "/".join(parts[:depth])
            if folder in suites and folder not in kept:
                kept.add(folder)
                names += suites[folder]
    return frozenset(kept)


def suite_files(wheel: Wheel, survey: Survey, kept: Container[str]) -> frozenset[str]:
    """The paths in the suites of a wheel that are not `kept`, but for licences."""
    if not survey.suites:
        return frozenset()
    found = (
        (entry.path, _suite_of(entry.path, survey.suites)) for entry in wheel.contents().entries
    )
    return frozenset(
        path
        for path, suite in found
        if suite is not None and suite not in kept and not _LICENCE.match(path.rpartition("/")[2])
    )


def left_out_of(wheel: Wheel, dropped: Collection[str], *, python: str) -> LeftOut:
    """What the paths in `dropped` come to: whole folders where nothing of them stays."""
    contents = wheel.contents()
    stays = {""}
    for path in (
        *(entry.path for entry in contents.entries),
        *(it.path for it in contents.written),
    ):
        if path not in dropped:
            parts = path.split("/")
            stays.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
    paths = set()
    for path in dropped:
        parts = path.split("/")
        above = ("/".join(parts[:depth]) for depth in range(1, len(parts)))
        folder = next((folder for folder in above if folder not in stays), None)
        paths.add(f"{folder}/" if folder is not None else path)
    headers = "include/site/python" + python
    return LeftOut(
        distribution=wheel.distribution.name,
        files=len(dropped),
        size=sum(entry.size for entry in contents.entries if entry.path in dropped),
        paths=tuple(sorted(path.replace(HEADERS, headers, 1) for path in paths)),
    )


def named_by_app(root: Path, paths: Iterable[str]) -> frozenset[str]:
    """The modules of suites that the app's own modules among the files at `paths` name."""
    found: set[str] = set()
    for path in paths:
        if path.endswith(".py"):
            try:
                source = (root / path).read_bytes()
            except OSError:  # whoever packs it says so
                continue
            found |= mentions(path, source).modules
    return frozenset(found)
