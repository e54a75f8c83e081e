"""The target: the interpreter, the platform and the markers that Azure will run."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azpack.errors import FileError, UsageError
from azpack.target.runtimes import PLANS, Runtime, load_runtimes, load_symbol_versions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from packaging.markers import Environment
    from packaging.tags import Tag

ARCHITECTURE = "x86_64"
_OLDEST_MANYLINUX = (2, 5)
_LEGACY_MANYLINUX = {(2, 5): "manylinux1", (2, 12): "manylinux2010", (2, 17): "manylinux2014"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What Azure will run: Functions version, Python, glibc and hosting plan.

    `python` is "3.11", `full_version` "3.11.14", `glibc` "2.31". `reason` says where the Python
    version was taken from.
    """

    functions: str
    python: str
    full_version: str
    glibc: str
    plan: str
    end_of_support: str
    reason: str

    @property
    def version(self) -> tuple[int, int]:
        """The Python version as two numbers."""
        major, minor = self.python.split(".")
        return int(major), int(minor)

    @property
    def platform(self) -> str:
        """The newest manylinux platform that runs on the target."""
        return f"manylinux_{self.glibc.replace('.', '_')}_{ARCHITECTURE}"

    @property
    def interpreter_tag(self) -> str:
        """The interpreter as wheel tags name it: "cp311"."""
        return "cp{}{}".format(*self.version)

    def symbol_versions(self) -> dict[str, str]:
        """The newest version of symbols that is there, by the family: "GLIBC", "GLIBCXX"."""
        return {"GLIBC": self.glibc, **load_symbol_versions().get(self.glibc, {})}

    def record(self) -> dict[str, str]:
        """What of a target a lock depends on."""
        return {
            "functions": self.functions,
            "python": self.full_version,
            "platform": self.platform,
        }

    def tags(self) -> tuple[Tag, ...]:
        """The wheel tags that the target runs, the best first (PEP 425, PEP 600).

        Of the Linux platforms only manylinux, up to the target's glibc: a bare `linux_x86_64`
        promises nothing about the glibc that it needs, and musl is not there.
        """
        from packaging.tags import compatible_tags, cpython_tags

        platforms = _platforms(self.glibc)
        interpreter = self.interpreter_tag
        return (
            *cpython_tags(self.version, abis=[interpreter], platforms=platforms),
            *compatible_tags(self.version, interpreter=interpreter, platforms=platforms),
        )

    def marker_environment(self) -> Environment:
        """The environment that the target evaluates markers in (PEP 508)."""
        return {
            "implementation_name": "cpython",
            "implementation_version": self.full_version,
            "os_name": "posix",
            "platform_machine": ARCHITECTURE,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": self.full_version,
            "python_version": self.python,
            "sys_platform": "linux",
        }


def _platforms(glibc: str) -> list[str]:
    major, newest = (int(part) for part in glibc.split("."))
    platforms = []
    for minor in range(newest, _OLDEST_MANYLINUX[1] - 1, -1):
        platforms.append(f"manylinux_{major}_{minor}_{ARCHITECTURE}")
        if legacy := _LEGACY_MANYLINUX.get((major, minor)):
            platforms.append(f"{legacy}_{ARCHITECTURE}")
    return platforms


def find_target(
    root: Path,
    *,
    python: str | None = None,
    origin: str = "asked for",
    functions: str = "4",
    plan: str = "flex",
) -> Target:
    """Decide the target of the project at `root`.

    The Python version is `python` where it is given (by `origin`), else what `.python-version` or
    `runtime.txt` of the project name, else this interpreter's if Azure supports it.

    Raises:
        UsageError: no such runtime, or none that azpack makes packages for.
        FileError: a file that names the version can't be read.
    """
    if plan not in PLANS:
        raise UsageError("unknown-plan", f"there is no plan {plan!r}", hint=_one_of(PLANS))
    if python is None:
        declared = next(declared_pythons(root), None)
        reason, python = declared or _own_python(functions)
    else:
        reason = origin
    runtime = _find_runtime(major_minor(python, reason), functions, reason)
    if plan == "consumption" and not runtime.consumption:
        raise UsageError(
            "unsupported-python",
            f"the Linux Consumption plan does not run Python {runtime.python} ({reason})",
            hint="choose Flex Consumption, its successor (--plan flex), or Python 3.12",
        )
    return _make(runtime, plan=plan, reason=reason)


def target_of(python: str, *, functions: str, plan: str, reason: str) -> Target | None:
    """The target of a package that is there already, also one that is no longer supported.

    None where Azure never ran that Python on this runtime.
    """
    for row in load_runtimes():
        if (row.python, row.functions) == (python, functions):
            return _make(row, plan=plan, reason=reason)
    return None


def other_targets(target: Target) -> tuple[Target, ...]:
    """The targets with other Pythons on the same runtime and plan, the oldest first."""
    return tuple(
        _make(row, plan=target.plan, reason="")
        for row in load_runtimes()
        if row.functions == target.functions and row.packaged and row.python != target.python
        if row.consumption or target.plan != "consumption"
    )


def _make(runtime: Runtime, *, plan: str, reason: str) -> Target:
    return Target(
        functions=runtime.functions,
        python=runtime.python,
        full_version=runtime.full_version,
        glibc=runtime.glibc,
        plan=plan,
        end_of_support=runtime.end_of_support,
        reason=reason,
    )


def declared_pythons(root: Path) -> Iterator[tuple[str, str]]:
    """The files of a project that name its Python, each with the first line that counts.

    They are `.python-version` (pyenv, uv) and `runtime.txt` (Oryx), in this order.

    Raises:
        FileError: one of them can't be read.
    """
    for name in (".python-version", "runtime.txt"):
        try:
            text = (root / name).read_text(encoding="utf-8-sig")
        except (FileNotFoundError, IsADirectoryError):
            continue
        except (OSError, UnicodeDecodeError) as error:
            hint = "save it as UTF-8" if isinstance(error, ValueError) else ""
            raise FileError("unreadable", f"{name} can't be read: {error}", hint=hint) from error
        for line in text.splitlines():
            if (version := line.strip()) and not version.startswith("#"):
                yield name, version
                break


def _own_python(functions: str) -> tuple[str, str]:
    own = "{}.{}".format(*sys.version_info)
    supported = _packaged(functions)
    if supported and own not in supported:
        raise UsageError(
            "no-python",
            f"this interpreter is Python {own}, which Azure Functions {functions} does not run",
            hint=f"name the app's version with --python; {_one_of(supported)}",
        )
    return "this interpreter", own


def major_minor(python: str, reason: str) -> str:
    """The version X.Y in what a user, a tool or a file writes; `reason` says where it stands.

    Raises:
        UsageError: it is no version.
    """
    version = python.lower().removeprefix("python").lstrip("-").removeprefix("cpython").lstrip("-@")
    parts = version.split(".")
    if len(parts) < 2 or not (parts[0].isdecimal() and parts[1].isdecimal()):
        raise UsageError(
            "invalid-python",
            f"{python!r} ({reason}) is not a Python version",
            hint="write it as 3.12",
        )
    return f"{parts[0]}.{parts[1]}"


def _find_runtime(python: str, functions: str, reason: str) -> Runtime:
    rows = [row for row in load_runtimes() if row.functions == functions]
    if not rows:
        known = sorted({row.functions for row in load_runtimes() if row.packaged})
        raise UsageError(
            "unknown-runtime",
            f"there is no Azure Functions {functions} for Python",
            hint=_one_of(known),
        )
    row = next((row for row in rows if row.python == python), None)
    if row is not None and row.packaged:
        return row
    if row is None:
        message = f"Azure Functions {functions} does not run Python {python} ({reason})"
    else:
        message = (
            f"Python {python} ({reason}) on Azure Functions {functions} ended on "
            f"{row.end_of_support}; azpack makes no packages for it"
        )
    supported = _packaged(functions)
    if supported:
        hint = f"{_one_of(supported)}; 'azpack runtimes' lists them all"
    else:
        hint = "move the app to Azure Functions 4; 'azpack runtimes' lists its Python versions"
    raise UsageError("unsupported-python", message, hint=hint)


def _packaged(functions: str) -> list[str]:
    return [row.python for row in load_runtimes() if row.functions == functions and row.packaged]


def _one_of(values: tuple[str, ...] | list[str]) -> str:
    return f"use one of {', '.join(values)}"
