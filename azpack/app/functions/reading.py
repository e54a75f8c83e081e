"""Reading what functions an app has: which programming model, which functions, what is wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from azpack.app.functions import AppModel
from azpack.app.functions.reach import Reach
from azpack.app.functions.v1 import FUNCTION_JSON, V1App, function_folders, read_v1
from azpack.app.functions.v2 import V2App, defines_app, read_v2
from azpack.app.json_text import JsonError, parse_json
from azpack.app.limits import LARGEST_JSON
from azpack.app.modules import imports_of, parse_module
from azpack.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from azpack.app.functions import Model
    from azpack.app.modules import Import
    from azpack.app.tree import Tree
    from azpack.target.target import Target

    LeftOut = Callable[[str], str | None]

__all__ = ["DEFAULT_SCRIPT", "declared_script", "read_app", "route_prefix"]

DEFAULT_SCRIPT = "function_app.py"
SCRIPT_SETTING = "PYTHON_SCRIPT_FILE_NAME"
# The worker's rule for the setting: azure_functions_runtime.utils.validators.
_SCRIPT_NAME = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_\-]*\.py\Z")


def _nothing(_: str) -> None:
    return None


def read_app(
    tree: Tree,
    target: Target,
    *,
    script: str | None = None,
    left_out: LeftOut | None = None,
) -> AppModel:
    """Read the functions of an app, of both programming models, without running anything.

    `script` is what the app setting PYTHON_SCRIPT_FILE_NAME says, if that is known. `left_out`
    tells by which rule a file of the project, of this path, is kept out of the package.

    Raises:
        FileError: a file can't be read.
    """
    return _Reading(tree, target, script, left_out or _nothing).read()


def declared_script(root: Path) -> str | None:
    """What local.settings.json of a project says about PYTHON_SCRIPT_FILE_NAME."""
    try:
        settings = parse_json((root / "local.settings.json").read_bytes()).value
    except (OSError, JsonError):
        return None
    values = settings.get("Values") if isinstance(settings, dict) else None
    name = values.get(SCRIPT_SETTING) if isinstance(values, dict) else None
    return name if isinstance(name, str) and _SCRIPT_NAME.match(name) else None


def route_prefix(tree: Tree) -> str | None:
    """What HTTP routes begin with, by host.json; None if that can't be read."""
    try:
        if tree.size("host.json") > LARGEST_JSON:
            return None
        host = parse_json(tree.read("host.json")).value
    except (KeyError, JsonError):
        return None
    value: Any = host
    for name in ("extensions", "http", "routePrefix"):
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else "api"


class _Reading:
    """One reading of an app."""

    def __init__(self, tree: Tree, target: Target, script: str | None, left_out: LeftOut) -> None:
        self._tree = tree
        self._target = target
        self._left_out = left_out
        self._script = script or DEFAULT_SCRIPT
        self._reach = Reach(tree)
        self._paths = frozenset(tree.paths())
        self._unknown: list[str] = []

    def read(self) -> AppModel:
        findings: list[Finding] = []
        script = self._find_script(findings)
        v1 = read_v1(self._tree, self._reach, self._target, self._left_out)
        v2 = read_v2(self._tree, self._reach, self._target, script) if script else None
        folders = function_folders(self._tree)
        findings += v1.findings
        modules = v1.modules
        functions = v1.functions
        models: set[Model] = {"v1"} if folders else set()
        if v2 is not None and script is not None:
            models.add("v2")
            findings += v2.findings
            modules |= v2.modules
            functions += v2.functions
            self._unknown += v2.unknown
        if folders and script is not None:
            findings.append(_both_models(folders, script))
        self._unknown += v1.unknown
        findings += self._ignored_functions()
        findings += self._ignored_modules(modules)
        findings += self._no_functions(v1, v2, script, findings)
        return AppModel(
            models=frozenset(models),
            functions=functions,
            findings=tuple(findings),
            unknown=tuple(dict.fromkeys(self._unknown)),
        )

    def _find_script(self, findings: list[Finding]) -> str | None:
        """The script of the v2 model, if there is one."""
        if self._script in self._paths:
            return self._script
        if (rule := self._left_out(self._script)) is not None:
            message = f"{self._script}, which has the functions, is left out of the package"
            hint = f"the rule is {rule}: remove it, or add !/{self._script} to .funcignore"
            findings.append(_finding("AZP111", message, self._script, None, hint))
            return None
        if function_folders(self._tree):
            return None
        return self._other_script(findings)

    def _other_script(self, findings: list[Finding]) -> str | None:
        """A module at the root that has an app, so that the setting may name it."""
        version = self._target.version
        for path in self._tree.paths():
            if "/" in path or not _SCRIPT_NAME.match(path):
                continue
            if defines_app(self._tree, self._reach, path, version):
                message = f"Azure looks for the functions in {self._script}, and this file has them"
                hint = f"rename it, or set the app setting {SCRIPT_SETTING} to {path}"
                findings.append(
                    Finding(
                        code="AZP104",
                        severity="warning",
                        message=message,
                        path=path,
                        line=1,
                        hint=hint,
                    )
                )
                return path
        return None

    def _no_functions(
        self, v1: V1App, v2: V2App | None, script: str | None, findings: list[Finding]
    ) -> Iterator[Finding]:
        """AZP104, unless what was found already says why there is none, or may be one."""
        if v1.functions or findings or (v2 is not None and (v2.functions or not v2.complete)):
            return
        if script is not None:
            message = f"{script} has an app without a function"
            hint = "add a function with a trigger, such as @app.route()"
        else:
            message = f"there is no function: no {self._script}, and no folder with a function.json"
            hint = f"is this the right folder? Functions go into {self._script} beside host.json"
        yield _finding("AZP104", message, script, 1 if script else None, hint)

    # AZP111

    def _ignored_functions(self) -> Iterator[Finding]:
        """Folders at the root whose function.json is left out, though files of them are not."""
        folders = {path.partition("/")[0] for path in self._paths if path.count("/") == 1}
        for folder in sorted(folders):
            path = f"{folder}/{FUNCTION_JSON}"
            if path not in self._paths and (rule := self._left_out(path)) is not None:
                hint = f"the rule is {rule}: remove it, or add !/{path} to .funcignore"
                message = f"{path} is left out of the package, so {folder} is no function"
                yield _finding("AZP111", message, path, None, hint)

    def _ignored_modules(self, modules: frozenset[str]) -> Iterator[Finding]:
        """Modules of the app that its functions import, and that are left out."""
        if self._left_out is _nothing:
            return
        said: set[str] = set()
        for path in sorted(modules):
            for candidate in self._reach.absent(path):
                rule = self._left_out(candidate)
                if rule is None or candidate in said:
                    continue
                found = self._ignored_import(path, candidate, rule)
                if found is not None:
                    said.add(candidate)
                    yield found

    def _ignored_import(self, path: str, missing: str, rule: str) -> Finding | None:
        name = missing.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for found in imports_of(parse_module(self._tree, path)):
            if found.kind not in ("optional", "typing") and _imports(found, name, path):
                hint = f"the rule is {rule}: remove it, or add !/{missing} to .funcignore"
                message = f"{missing}, imported here, is left out of the package"
                return _finding("AZP111", message, path, found.line, hint)
        return None


def _imports(found: Import, name: str, path: str) -> bool:
    """Whether an import statement loads the module of this name."""
    base = found.module.removeprefix("__app__.")
    if found.level:
        package = path.split("/")[: -found.level]
        base = ".".join((*package, *([base] if base else [])))
    loaded = {base, *(f"{base}.{it}".lstrip(".") for it in found.names)}
    return any(it == name or it.startswith(f"{name}.") for it in loaded)


def _both_models(folders: tuple[str, ...], script: str) -> Finding:
    first = folders[0] if len(folders) == 1 else f"{folders[0]} and {len(folders) - 1} more"
    return _finding(
        "AZP105",
        f"the app has functions in {script} and in folders with a function.json ({first}): Azure "
        "lists those of one model alone",
        f"{folders[0]}/{FUNCTION_JSON}",
        None,
        f"move the functions into {script}, or keep them all in folders",
    )


def _finding(code: str, message: str, path: str | None, line: int | None, hint: str) -> Finding:
    return Finding(code=code, severity="error", message=message, path=path, line=line, hint=hint)
