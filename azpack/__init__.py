"""Package Python apps for Azure Functions.

The names below are the public ones; docs/python-api.md shows their use. They are imported when they
are first asked for: the command line needs few of them, and starts in no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azpack.api import (
        assemble,
        build,
        collect_files,
        find_target,
        inspect_package,
        load_options,
        load_project,
        obtain_wheels,
        resolve,
    )
    from azpack.app.collect import FileSet, IgnoredPath
    from azpack.app.ignore import Rule
    from azpack.app.project import Project
    from azpack.deps.distribution import Distribution, Wheel
    from azpack.deps.lock import Lock, LockedDistribution
    from azpack.errors import (
        AzpackError,
        FileError,
        FindingsError,
        ResolutionError,
        UnreachableError,
        UsageError,
        WheelError,
    )
    from azpack.findings import Finding
    from azpack.options import Options
    from azpack.package.assemble import Package
    from azpack.package.inspection import Inspection
    from azpack.pipeline import Result
    from azpack.target.target import Target

__version__ = "0.1.0"

__all__ = [
    "AzpackError",
    "Distribution",
    "FileError",
    "FileSet",
    "Finding",
    "FindingsError",
    "IgnoredPath",
    "Inspection",
    "Lock",
    "LockedDistribution",
    "Options",
    "Package",
    "Project",
    "ResolutionError",
    "Result",
    "Rule",
    "Target",
    "UnreachableError",
    "UsageError",
    "Wheel",
    "WheelError",
    "assemble",
    "build",
    "collect_files",
    "find_target",
    "inspect_package",
    "load_options",
    "load_project",
    "obtain_wheels",
    "resolve",
]

_HOMES = {
    "Distribution": "azpack.deps.distribution",
    "FileSet": "azpack.app.collect",
    "Finding": "azpack.findings",
    "IgnoredPath": "azpack.app.collect",
    "Inspection": "azpack.package.inspection",
    "Lock": "azpack.deps.lock",
    "LockedDistribution": "azpack.deps.lock",
    "Options": "azpack.options",
    "Package": "azpack.package.assemble",
    "Project": "azpack.app.project",
    "Result": "azpack.pipeline",
    "Rule": "azpack.app.ignore",
    "Target": "azpack.target.target",
    "Wheel": "azpack.deps.distribution",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'azpack' has no attribute {name!r}")
    home = "azpack.errors" if name.endswith("Error") else _HOMES.get(name, "azpack.api")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
