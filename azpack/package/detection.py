"""For which target a package was made: by what it holds, and what lies beside it."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from azpack.errors import UsageError
from azpack.package.manifest import companions_of, is_manifest
from azpack.target.runtimes import load_runtimes
from azpack.target.target import Target, find_target, major_minor, target_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from azpack.package.contents import PackageContents

_FUNCTIONS, _PLAN = "4", "flex"
_ASSUMED = "assumed: nothing in the package tells"
_NOT_RUN = "and Azure does not run that"
_LARGEST_MANIFEST = 4 << 20  # without what it lists, the files most of all
_LISTS = b'\n  "distributions": '
_TAG = re.compile(r"cp(\d)(\d{1,3})-cp\1\2-")
_ABI = re.compile(r"\.(?:cpython-|cp)(\d)(\d{1,3})-[\w-]+\.(?:so|pyd)\Z")
_COMPILED = re.compile(r"\.cpython-(\d)(\d{1,3})(?:\.opt-\d)?\.pyc\Z")
_FOLDER = re.compile(r"lib/python(\d)\.(\d{1,3})/site-packages/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The target as the user names it; None for what is to be detected."""

    python: str | None = None
    functions: str | None = None
    plan: str | None = None


class Detected(NamedTuple):
    """The target, on what grounds its Python is known, and the manifest of the package, or {}."""

    target: Target
    grounds: str
    manifest: Mapping[str, Any]


def detect_target(contents: PackageContents, wishes: Wishes) -> Detected:
    """Decide for which target a package is.

    Raises:
        UsageError: what the user asks for is no runtime.
    """
    manifest = _read_manifest(contents)
    recorded = manifest.get("target", {})
    functions = wishes.functions or str(recorded.get("functions", _FUNCTIONS))
    plan = wishes.plan or str(recorded.get("plan", _PLAN))
    if wishes.python is not None:
        target = find_target(
            contents.zip.path.parent, python=wishes.python, origin="--python",
            functions=functions, plan=plan,
        )  # fmt: skip
        return Detected(target, "--python", manifest)
    python, grounds = _python(contents, recorded)
    found = target_of(python, functions=functions, plan=plan, reason=grounds)
    if found is None:
        newest = load_runtimes()[-1].python
        grounds = f"{grounds}, which is Python {python}, {_NOT_RUN}"
        found = target_of(newest, functions=_FUNCTIONS, plan=plan, reason=grounds)
    if found is None:
        raise UsageError("unknown-plan", f"there is no plan {plan!r}")
    return Detected(found, grounds, manifest)


def is_known(grounds: str) -> bool:
    """Whether the grounds tell the Python of a package, and not only what stands in for it."""
    return grounds != _ASSUMED and not grounds.endswith(_NOT_RUN)


def _read_manifest(contents: PackageContents) -> dict[str, Any]:
    """The manifest beside a package, where it is of this one, but for what it lists at its end."""
    path = companions_of(contents.zip.path).manifest
    if not is_manifest(path):
        return {}
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST_MANIFEST)
        head, lists, _ = content.partition(_LISTS)
        manifest = json.loads(head.rstrip(b", \r\n") + b"}" if lists else content)
        package = manifest["package"]
        own = (package["size"], package["entries"]) == (contents.zip.file_size, contents.zip.count)
        return manifest if own and isinstance(manifest["target"], dict) else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def _python(contents: PackageContents, recorded: Mapping[str, Any]) -> tuple[str, str]:
    """The version and the grounds, the strongest first."""
    if isinstance(python := recorded.get("python"), str):
        return python, companions_of(contents.zip.path).manifest.name
    tagged = Counter[str]()
    examples: dict[str, str] = {}
    for entry in contents.installed:
        for python in {_version(found) for tag in entry.tags if (found := _TAG.match(tag))}:
            tagged[python] += 1
            examples.setdefault(python, f"{entry.name} {entry.version}")
    if tagged:
        python = _most(tagged)
        more = f" and {tagged[python] - 1} more" if tagged[python] > 1 else ""
        return python, f"the wheels of {examples[python]}{more}"
    paths = contents.tree.entries
    for pattern, what in (
        (_ABI, "the names of extension modules"),
        (_COMPILED, "compiled modules"),
        (_FOLDER, "the folder of the dependencies"),
    ):
        named = Counter(_version(match) for path in paths if (match := pattern.search(path)))
        if named:
            return _most(named), what
    return _declared(contents) or _default()


def _declared(contents: PackageContents) -> tuple[str, str] | None:
    for name in (".python-version", "runtime.txt"):
        if name in contents.tree.entries:
            text = contents.tree.read(name, 200).decode("utf-8-sig", "replace").strip()
            try:
                return major_minor(text.partition("\n")[0].strip(), name), name
            except UsageError:
                continue
    return None


def _default() -> tuple[str, str]:
    """Where nothing tells: what most run, the newest that every plan has."""
    python = [row.python for row in load_runtimes() if row.packaged and row.consumption][-1]
    return python, _ASSUMED


def _version(match: re.Match[str]) -> str:
    return f"{match[1]}.{match[2]}"


def _most(found: Mapping[str, int]) -> str:
    """The version with most votes; of several the newest."""
    return max(found, key=lambda python: (found[python], _numbers(python)))


def _numbers(python: str) -> Iterable[int]:
    return tuple(map(int, python.split(".")))
