"""The v1 programming model: a folder with a function.json for each function."""

from __future__ import annotations

import ast
import posixpath
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from azpack.app.functions import Binding, Function
from azpack.app.functions.evaluation import Evaluation
from azpack.app.functions.reach import ExhaustedError
from azpack.app.functions.signature import (
    FUNCTION_NAME,
    annotation_problems,
    is_bad_binding_name,
    missing_bindings,
    missing_parameters,
)
from azpack.app.functions.startup import broken_imports
from azpack.app.functions.values import Constant, FunctionValue, Items, ModuleValue
from azpack.app.json_text import Document, JsonError, parse_json
from azpack.app.limits import LARGEST_JSON, MOST_FUNCTIONS, MOST_JSON
from azpack.app.modules import parse_module, problem_on
from azpack.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from azpack.app.functions.reach import Reach
    from azpack.app.modules import Module, Problem
    from azpack.app.tree import Tree
    from azpack.target.target import Target

    LeftOut = Callable[[str], str | None]

__all__ = ["V1App", "function_folders", "read_v1"]

FUNCTION_JSON = "function.json"
_ANY = "__getattr__"
_MORE_CODE = "there is more code than is followed"
_DIRECTIONS = {"in": "in", "out": "out", "inout": "inout", "0": "in", "1": "out", "2": "inout"}


@dataclass(frozen=True, slots=True, kw_only=True)
class V1App:
    """What is known of the functions in an app's folders; `modules` are the files looked at."""

    functions: tuple[Function, ...]
    findings: tuple[Finding, ...]
    unknown: tuple[str, ...]
    modules: frozenset[str]


def function_folders(tree: Tree) -> tuple[str, ...]:
    """The folders right below the root that have a function.json."""
    parts = (path.split("/") for path in tree.paths() if path.endswith(f"/{FUNCTION_JSON}"))
    return tuple(found[0] for found in parts if len(found) == 2)


def read_v1(tree: Tree, reach: Reach, target: Target, left_out: LeftOut) -> V1App:
    """Read the functions of an app's folders, and judge them by AZP201 to AZP213."""
    app = _Folders(tree, reach, target, left_out)
    functions: list[Function] = []
    findings: list[Finding] = []
    unknown: list[str] = []
    for folder in app.names[:MOST_FUNCTIONS]:
        reader = _Reader(app, folder)
        function = reader.read()
        functions += [function] if function is not None else []
        findings += reader.findings
        unknown += reader.unknown
    if (more := len(app.names) - MOST_FUNCTIONS) > 0:
        path = f"{app.names[MOST_FUNCTIONS]}/{FUNCTION_JSON}"
        what = f"{more:,} folders more have a function.json, which were not read"
        findings.append(_unread(what, path))
        unknown.append(f"{path}: {what}")
    read = dict.fromkeys(it.script for it in functions if it.parameters is not None)
    for broken in broken_imports(tree, reach, target, tuple(read)):
        findings.append(broken.finding(target.python, "so functions that import it fail"))
    scripts = (it.script for it in functions if it.script.endswith(".py"))
    return V1App(
        functions=tuple(functions),
        findings=tuple(findings),
        unknown=tuple(unknown),
        modules=reach.from_modules(*scripts),
    )


def _unread(what: str, path: str) -> Finding:
    return Finding(
        code="AZP201",
        severity="warning",
        message=what,
        path=path,
        hint="no app needs so much; what is in it is not checked",
    )


class _Folders:
    """What the readers of an app's folders have in common."""

    def __init__(self, tree: Tree, reach: Reach, target: Target, left_out: LeftOut) -> None:
        self.tree = tree
        self.reach = reach
        self.target = target
        self.left_out = left_out
        self.names = function_folders(tree)
        self.paths = frozenset(tree.paths())
        self.evaluation = Evaluation(tree, reach, target.version)
        self.json_left = MOST_JSON
        self._files: dict[str, list[str]] = {}
        self._alike: dict[str, str] = {}
        self._problems: dict[str, Problem | None] = {}
        self._made: dict[str, frozenset[str]] = {}
        for path in tree.paths():
            if path.count("/") == 1:
                self._files.setdefault(path.partition("/")[0], []).append(path)

    def files(self, folder: str) -> list[str]:
        """The files right in a folder."""
        return self._files.get(folder, [])

    def alike(self, path: str) -> str | None:
        """A file whose path differs by case alone, or by nothing."""
        if not self._alike:
            self._alike = {it.lower(): it for it in reversed(self.tree.paths())}
        return self._alike.get(path.lower())

    def problem(self, module: Module) -> Problem | None:
        """What the target's Python has against a script."""
        if module.path not in self._problems:
            problem = problem_on(module, self.target.version, compiled=True)
            self._problems[module.path] = problem
        return self._problems[module.path]

    def may_make(self, module: ModuleValue, name: str) -> bool:
        """Whether functions of a module that was followed may make the name."""
        path = module.path or ""
        if path not in self._made:
            tree = self.evaluation.syntax_of(module)
            self._made[path] = _made_when_run(tree) if tree is not None else frozenset()
        return not self._made[path].isdisjoint({name, _ANY})


class _Reader:
    """What is found out about one folder."""

    def __init__(self, app: _Folders, folder: str) -> None:
        self.findings: list[Finding] = []
        self.unknown: list[str] = []
        self._app = app
        self._tree = app.tree
        self._target = app.target
        self._left_out = app.left_out
        self._folder = folder
        self._path = f"{folder}/{FUNCTION_JSON}"
        self._document = Document(value=None, lines={})

    def read(self) -> Function | None:
        """The function, or None if there is none to speak of."""
        if not FUNCTION_NAME.match(self._folder):
            self._report(
                "AZP202",
                f"the host refuses {self._folder!r} as the name of a function",
                None,
                "rename the folder: begin with a letter, then letters, digits, _ and -, at most "
                "128 in all; not host",
            )
        table = self._load()
        if table is None:
            return None
        bindings = tuple(self._bindings(table))
        self._judge_bindings(bindings)
        script = self._script(table)
        line, parameters = None, None
        if script is not None:
            line, parameters = self._judge_script(script, table, bindings)
        return Function(
            name=self._folder,
            model="v1",
            script=script or self._path,
            line=line,
            bindings=bindings,
            parameters=parameters,
        )

    def _report(
        self, code: str, message: str, line: int | None, hint: str, path: str | None = None
    ) -> None:
        self.findings.append(
            Finding(
                code=code,
                severity="error",
                message=message,
                path=path or self._path,
                line=line,
                hint=hint,
            )
        )

    def _load(self) -> dict[str, Any] | None:
        size = self._tree.size(self._path)
        if size > min(LARGEST_JSON, self._app.json_left):
            what = f"it has {size:,} bytes" if size > LARGEST_JSON else "with the others it has"
            what += ", more than is read of such a file" if size > LARGEST_JSON else " too much"
            self.findings.append(_unread(f"{what}: it is not checked", self._path))
            self.unknown.append(f"{self._path}: {what} to be read")
            return None
        self._app.json_left -= size
        try:
            self._document = parse_json(self._tree.read(self._path))
        except JsonError as error:
            message = f"it is not valid JSON: {error.message}"
            self._report("AZP201", message, error.line, "mend it; the host skips this function")
            return None
        value = self._document.value
        if not isinstance(value, dict):
            hint = 'write an object: {"scriptFile": ..., "bindings": [...]}'
            self._report("AZP201", "it is not a JSON object", 1, hint)
            return None
        return value

    # Bindings

    def _bindings(self, table: Mapping[str, Any]) -> Iterator[Binding]:
        listed = table.get("bindings")
        if not isinstance(listed, list) or not listed:
            self._report(
                "AZP203",
                f"the function {self._folder} has no binding",
                self._document.line("bindings"),
                'add a trigger to "bindings"',
            )
            return
        for at, entry in enumerate(listed):
            if isinstance(entry, dict):
                yield self._binding(entry, at)
            else:
                line = self._document.line("bindings", at)
                self._report("AZP203", "a binding is not an object", line, "write it as {...}")

    def _binding(self, entry: Mapping[str, Any], at: int) -> Binding:
        line = self._document.line("bindings", at)
        name, type_ = entry.get("name"), entry.get("type")
        if not isinstance(type_, str) or not type_:
            what = f"the binding {name}" if isinstance(name, str) else "a binding"
            hint = 'say what it is, such as "type": "httpTrigger"'
            self._report("AZP208", f"{what} has no type", line, hint)
        self._judge_name(name, at)
        return Binding(
            name=name if isinstance(name, str) else None,
            type=type_ if isinstance(type_, str) and type_ else None,
            direction=self._direction(entry, at),
            line=line,
            settings=MappingProxyType(
                {k: v for k, v in entry.items() if k not in ("name", "type", "direction")}
            ),
        )

    def _judge_name(self, name: Any, at: int) -> None:
        if not isinstance(name, str) or not name:
            line = self._document.line("bindings", at)
            hint = "name it after the parameter of the function that it fills"
            self._report("AZP205", "a binding has no name", line, hint)
        elif is_bad_binding_name(name):
            self._report(
                "AZP205",
                f"the host refuses {name!r} as the name of a binding",
                self._document.line("bindings", at, "name"),
                "letters, digits and single _ alone, not a digit first, at most 128 in all; or "
                "$return",
            )

    def _direction(self, entry: Mapping[str, Any], at: int) -> str:
        given = entry.get("direction")
        line = self._document.line("bindings", at, "direction")
        if given is None or given == "":
            # The host takes it for an input.
            return "in"
        direction = _DIRECTIONS.get(str(given).lower())
        if direction is None:
            self._report("AZP209", f"{given!r} is no direction", line, 'write "in" or "out"')
            return "in"
        if direction == "inout":
            hint = 'write "in" or "out", or make two bindings of it'
            self._report("AZP209", "the Python worker refuses the direction inout", line, hint)
        return direction

    def _judge_bindings(self, bindings: tuple[Binding, ...]) -> None:
        seen: set[str] = set()
        for binding in bindings:
            if binding.name is not None:
                if binding.name.lower() in seen:
                    self._report(
                        "AZP206",
                        f"there are two bindings with the name {binding.name}",
                        binding.line,
                        "give each another name; upper and lower case are the same to the host",
                    )
                seen.add(binding.name.lower())
            if binding.name == "$return" and binding.direction == "in":
                hint = 'add "direction": "out"'
                self._report("AZP207", "the direction of $return is not out", binding.line, hint)
            if binding.is_trigger and binding.direction == "out":
                hint = 'write "direction": "in"'
                self._report("AZP209", "the direction of the trigger is out", binding.line, hint)
        triggers = [it for it in bindings if it.is_trigger]
        if bindings and len(triggers) != 1 and all(it.type for it in bindings):
            self._report(
                "AZP204",
                f"the function {self._folder} has "
                + ("no trigger" if not triggers else f"{len(triggers)} triggers"),
                triggers[1].line if triggers else self._document.line("bindings"),
                "keep exactly one binding whose type ends with Trigger",
            )

    # The script

    def _script(self, table: Mapping[str, Any]) -> str | None:
        """The script's path: the one that is named, else the one that the host would take."""
        given = table.get("scriptFile")
        path = self._named(given) if isinstance(given, str) and given else self._only_script()
        if path is not None and not path.endswith(".py"):
            self._report(
                "AZP210",
                f"the script {posixpath.basename(path)} is no Python file",
                self._document.line("scriptFile"),
                'name a .py file: "scriptFile": "__init__.py"',
            )
            return None
        return path

    def _named(self, given: str) -> str | None:
        path = posixpath.normpath(posixpath.join(self._folder, given))
        if path in self._app.paths:
            return path
        line = self._document.line("scriptFile")
        if (rule := self._left_out(path)) is not None:
            message = f"its script {path} is left out of the package by {rule}"
            self._report("AZP111", message, line, f"keep it: add !/{path} to .funcignore")
            return None
        alike = self._app.alike(path)
        hint = f"there is {alike}: upper and lower case count" if alike else "correct scriptFile"
        if "\\" in given:
            hint = "write it with forward slashes"
        self._report("AZP210", f"the script file {given} does not exist", line, hint)
        return None

    def _only_script(self) -> str | None:
        inside = self._app.files(self._folder)
        files = [it for it in inside if it.lower() != self._path.lower()]
        if len(files) == 1:
            return files[0]
        for path in files:
            name = posixpath.basename(path).lower()
            if posixpath.splitext(name)[0] == "run" or name == "__init__.py":
                return path
        self._report(
            "AZP210",
            "the folder has no file that could be the function's script"
            if not files
            else f"which of the {len(files)} files of the folder is the script can't be determined",
            None,
            'name it: "scriptFile": "__init__.py"',
        )
        return None

    def _judge_script(
        self, script: str, table: Mapping[str, Any], bindings: tuple[Binding, ...]
    ) -> tuple[int | None, tuple[str, ...] | None]:
        """The line and the parameters of the function that the script has."""
        module = parse_module(self._tree, script)
        problem = self._app.problem(module)
        if problem is not None and problem.kind == "unknown":
            self.unknown.append(f"{script}:{problem.line or 1}: {problem.message}")
            return None, None
        if problem is not None:
            self._report(
                "AZP211",
                f"Python {self._target.python} can't read the script: {problem.message}",
                problem.line,
                f"mend the syntax; 'python -m py_compile {script}' shows the place",
                script,
            )
            return None, None
        evaluation = self._app.evaluation
        followed = self._follow(evaluation, script)
        entry = table.get("entryPoint")
        name = entry if isinstance(entry, str) and entry else "main"
        found = self._entry_point(evaluation, followed, name)
        if evaluation.exhausted:
            self.unknown.append(f"{script}: {_MORE_CODE}")
            return None, None
        if found is None:
            return None, None
        if found.parameters is None:
            hidden = "its parameters can't be known, as a decorator hides them"
            self.unknown.append(f"{script}:{found.line}: {hidden}")
            return found.line, None
        self._compare(evaluation, found, bindings)
        return found.line, found.parameters.names

    def _follow(self, evaluation: Evaluation, script: str) -> ModuleValue:
        name = script.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        parent, _, _ = name.rpartition(".")
        if parent:
            evaluation.load(parent)
        module = evaluation.modules.get(name) or ModuleValue(name, script)
        evaluation.modules[name] = module
        evaluation.follow(module)
        return module

    def _entry_point(
        self, evaluation: Evaluation, module: ModuleValue, name: str
    ) -> FunctionValue | None:
        """The function of this name, if it is one of the app's own; else what is known is said."""
        value = evaluation.resolved(evaluation.attribute(module, name))
        path = module.path or ""
        if isinstance(value, FunctionValue):
            return value
        if self._app.may_make(module, name):
            self.unknown.append(f"{path}: whether there is a {name} can't be known")
        elif name not in module.names and not module.star:
            self._report(
                "AZP211",
                f"there is no function {name} in {path}",
                self._document.line("entryPoint"),
                f"define {name} there, or name another one as entryPoint",
            )
        elif isinstance(value, Constant | Items):
            line = module.lines.get(name)
            self._report(
                "AZP211", f"{name} is not a function", line, "define it as a function", path
            )
        else:
            line = module.lines.get(name, 1)
            self.unknown.append(f"{path}:{line}: the parameters of {name} can't be known")
        return None

    def _compare(
        self, evaluation: Evaluation, found: FunctionValue, bindings: tuple[Binding, ...]
    ) -> None:
        parameters = found.parameters
        if parameters is None or not bindings or any(it.name is None for it in bindings):
            return
        script = found.module.path
        try:
            evaluation.spend(len(parameters.names))
        except ExhaustedError:
            evaluation.exhausted = True
            self.unknown.append(f"{script}: {_MORE_CODE}")
            return
        loose = missing_bindings(evaluation, parameters, bindings, clients=False)
        if loose:
            self._report(
                "AZP212",
                f"{self._folder}: no binding fills {', '.join(loose)}",
                found.line,
                f"add a binding to {self._path}, or remove the parameter",
                script,
            )
        for name, binding in missing_parameters(parameters, bindings):
            self._report(
                "AZP212",
                f"{found.name or 'the function'} has no parameter for the binding {name}",
                binding.line,
                f"add the parameter {name} in {script}:{found.line}, or remove the binding",
            )
        for _, message, hint in annotation_problems(evaluation, parameters, bindings):
            self._report("AZP213", f"{self._folder}: {message}", found.line, hint, script)


def _made_when_run(tree: ast.Module) -> frozenset[str]:
    """The global names that functions of a module assign, and __getattr__, which makes any."""
    names = {name for it in ast.walk(tree) if isinstance(it, ast.Global) for name in it.names}
    names |= {_ANY for it in tree.body if isinstance(it, ast.FunctionDef) and it.name == _ANY}
    return frozenset(names)
