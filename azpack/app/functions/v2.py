"""The v2 programming model: functions that decorators in function_app.py declare."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from azpack.app.functions import Function
from azpack.app.functions.evaluation import Evaluation
from azpack.app.functions.signature import (
    FUNCTION_NAME,
    annotation_problems,
    is_bad_binding_name,
    missing_bindings,
    missing_parameters,
)
from azpack.app.functions.startup import broken_imports, syntax_error
from azpack.app.functions.values import App, ModuleValue
from azpack.app.modules import parse_module, problem_on, python_files
from azpack.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azpack.app.functions import Binding
    from azpack.app.functions.reach import Reach
    from azpack.app.functions.values import Builder
    from azpack.app.tree import Tree
    from azpack.findings import Severity
    from azpack.target.target import Target

__all__ = ["V2App", "defines_app", "read_v2"]

_NOTHING_LISTED = "so Azure lists no function of the app"
_TESTS = re.compile(r"(?:^|/)(?:tests?/|test_[^/]*$|conftest\.py$)")
_BLUEPRINT = re.compile(rb"Blueprint\s*\(")


@dataclass(frozen=True, slots=True, kw_only=True)
class V2App:
    """What is known of the functions of a script and the modules that it imports.

    `complete` says that no other function is there. `modules` are the files that were looked at.
    """

    functions: tuple[Function, ...]
    findings: tuple[Finding, ...]
    unknown: tuple[str, ...]
    complete: bool
    modules: frozenset[str]


def defines_app(tree: Tree, reach: Reach, path: str, version: tuple[int, int]) -> bool:
    """Whether a module has an app, so that it may be the app's script."""
    if b"FunctionApp" not in reach.text(path) and b"DFApp" not in reach.text(path):
        return False
    evaluation = Evaluation(tree, reach, version)
    module = evaluation.load(path.removesuffix(".py"))
    return module is not None and bool(_apps(evaluation, module))


def read_v2(tree: Tree, reach: Reach, target: Target, script: str) -> V2App:
    """Read the functions of a script at the root, and judge them by AZP301 to AZP307."""
    evaluation = Evaluation(tree, reach, target.version)
    module = evaluation.load(script.removesuffix(".py")) or ModuleValue(script, script)
    evaluation.follow(module)
    return _Reader(tree, reach, target, evaluation, module).read()


def _apps(evaluation: Evaluation, module: ModuleValue) -> dict[str, App]:
    """The names of a module that stand for an app, as the worker would look for them."""
    found = {}
    for name, value in module.names.items():
        resolved = evaluation.resolved(value)
        if isinstance(resolved, App) and resolved.kind != "blueprint":
            found[name] = resolved
    return found


class _Reader:
    """What is found out about one script."""

    def __init__(
        self,
        tree: Tree,
        reach: Reach,
        target: Target,
        evaluation: Evaluation,
        module: ModuleValue,
    ) -> None:
        self._tree = tree
        self._reach = reach
        self._target = target
        self._evaluation = evaluation
        self._module = module
        self._path = module.path or ""
        self._apps = _apps(evaluation, module)
        self._broken = broken_imports(tree, reach, target, [self._path])
        self._unknown: list[str] = []

    def read(self) -> V2App:
        findings = list(self._syntax_findings())
        apps = list(dict.fromkeys(self._apps.values()))
        builders = [it for app in apps for it in app.functions]
        # Of what was followed in part, what seems to be missing may be there.
        if not findings and not self._evaluation.exhausted:
            findings += self._app_findings(apps)
            for app in apps:
                findings += self._name_findings(app)
            for builder in dict.fromkeys(builders):
                findings += self._function_findings(builder)
            findings += self._broken_findings()
            findings += self._bare_findings()
            findings += self._blueprint_findings(frozenset(builders))
        unknown = dict.fromkeys((*self._evaluation.doubts, *self._unknown))
        reached = self._reach.from_modules(self._path)
        return V2App(
            functions=tuple(
                _function(builder, app) for app in apps for builder in dict.fromkeys(app.functions)
            ),
            findings=tuple(findings),
            unknown=tuple(unknown),
            complete=not findings and bool(apps) and not self._is_open(apps),
            modules=reached,
        )

    def _is_open(self, apps: list[App]) -> bool:
        """Whether there may be functions that are not known."""
        return bool(
            self._evaluation.exhausted
            or any(app.doubts or not app.certain for app in apps)
            or any(self._reach.is_dynamic(it) for it in self._reach.from_modules(self._path))
            or self._module.star - {"azure.functions", "azure.durable_functions"}
        )

    def _syntax_findings(self) -> Iterator[Finding]:
        """AZP301 for the script; of another module with functions it may be a doubt alone."""
        broken = {each.path for each in self._broken}
        for path in self._evaluation.followed:
            own = path == self._path
            problem = problem_on(parse_module(self._tree, path), self._target.version, compiled=own)
            if problem is None:
                continue
            if problem.kind == "syntax" and own:
                yield syntax_error(path, problem, self._target.python, f", {_NOTHING_LISTED}")
            elif path not in broken:
                self._evaluation.doubt(path, problem.line, problem.message)

    def _broken_findings(self) -> Iterator[Finding]:
        for each in self._broken:
            yield each.finding(self._target.python, _NOTHING_LISTED)

    def _app_findings(self, apps: list[App]) -> Iterator[Finding]:
        if not apps:
            if not self._may_have_app():
                yield self._no_app()
            return
        if len(self._apps) > 1 and all(app.certain for app in apps):
            lines = self._module.lines
            names = sorted(self._apps, key=lambda name: lines.get(name, 0))
            one = len(apps) == 1
            yield _finding(
                "AZP303",
                f"{_listed(names)} are {'names of one app' if one else 'apps'}, and Azure takes "
                f"one name alone, {_NOTHING_LISTED}",
                self._path,
                lines.get(names[1]),
                f"keep {names[0]}, and give the others a place outside of this file's names"
                if one
                else "keep one app, and make the others blueprints that are registered on it",
            )

    def _may_have_app(self) -> bool:
        evaluation = self._evaluation
        if self._module.star - {"azure.functions", "azure.durable_functions"}:
            return True
        found = False
        for name, value in self._module.names.items():
            if evaluation.is_maybe_app(value) and not isinstance(evaluation.resolved(value), App):
                line = self._module.lines.get(name)
                evaluation.doubt(self._path, line, f"whether {name} is an app can't be known")
                found = True
        return found

    def _no_app(self) -> Finding:
        elsewhere = [it for it in self._evaluation.apps if it.kind != "blueprint"]
        hint = "add app = func.FunctionApp(), at the top level of the file"
        if elsewhere:
            place = f"{elsewhere[0].path}:{elsewhere[0].line}"
            hint = f"import the name of the app that {place} makes, at the top level"
        message = f"no app is made or imported at the top level, {_NOTHING_LISTED}"
        return _finding("AZP302", message, self._path, 1, hint)

    def _name_findings(self, app: App) -> Iterator[Finding]:
        seen: dict[str, Builder] = {}
        for builder in app.functions:
            if builder.name is None:
                self._unknown.append(
                    f"{builder.path}:{builder.line}: the function's name can't be known "
                    "without running it"
                )
            elif builder.certain and builder.name in seen:
                yield self._duplicate(seen[builder.name], builder)
            elif builder.certain:
                seen[builder.name] = builder

    def _duplicate(self, first: Builder, builder: Builder) -> Finding:
        if first is builder:
            return _finding(
                "AZP304",
                f"{builder.name} is registered twice, as its blueprint is, {_NOTHING_LISTED}",
                builder.path,
                builder.line,
                "register each blueprint once",
            )
        return _finding(
            "AZP304",
            f"there is a function {builder.name} in {first.path}:{first.line} too, "
            f"{_NOTHING_LISTED}",
            builder.path,
            builder.line,
            "rename one of them, or name it with @app.function_name(name=...)",
        )

    def _function_findings(self, builder: Builder) -> Iterator[Finding]:
        if not builder.certain:
            self._unknown.append(
                f"{builder.path}:{builder.line}: whether the function "
                f"{builder.name or '?'} is there can't be known without running it"
            )
            return
        shown = builder.name or "this function"
        if builder.doubtful:
            return
        if builder.triggers != 1:
            kind = "no trigger" if not builder.triggers else f"{builder.triggers} triggers"
            yield _finding(
                "AZP305",
                f"{shown} has {kind}, and a function has exactly one, {_NOTHING_LISTED}",
                builder.path,
                builder.line,
                "add a trigger, such as @app.route() or @app.timer_trigger(...)"
                if not builder.triggers
                else "make a function of its own for each trigger",
            )
        yield from self._naming_findings(builder)
        yield from self._parameter_findings(builder, shown)

    def _naming_findings(self, builder: Builder) -> Iterator[Finding]:
        if builder.name is not None and not FUNCTION_NAME.match(builder.name):
            yield _finding(
                "AZP202",
                f"the host refuses {builder.name!r} as the name of a function",
                builder.path,
                builder.line,
                "begin with a letter, then letters, digits, _ and -, at most 128 in all; not host",
            )
        seen: dict[str, Binding] = {}
        for binding in builder.bindings:
            name = binding.name
            if name is None:
                continue
            if is_bad_binding_name(name):
                code, what = "AZP205", f"the host refuses {name!r} as the name of a binding"
            elif seen.setdefault(name.lower(), binding) is not binding:
                code, what = "AZP206", f"two bindings of {builder.name} have the name {name}"
            elif name == "$return" and binding.direction != "out":
                code, what = "AZP207", f"$return names an input of {builder.name}"
            else:
                continue
            hint = "name each binding after a parameter of the function: letters, digits, single _"
            yield _finding(code, what, builder.path, binding.line, hint)

    def _parameter_findings(self, builder: Builder, shown: str) -> Iterator[Finding]:
        parameters, bindings = builder.parameters, builder.bindings
        if parameters is None:
            self._unknown.append(
                f"{builder.path}:{builder.line}: the parameters of {shown} can't be known, as a "
                "decorator hides them"
            )
            return
        evaluation = self._evaluation
        known = all(it.name is not None for it in bindings) and builder.triggers == 1
        for binding in bindings:
            if binding.name is None or binding.type is None:
                what = "name" if binding.name is None else "type"
                self._unknown.append(
                    f"{builder.path}:{binding.line}: the {what} of a binding of {shown} can't be "
                    "known without running it"
                )
        loose = missing_bindings(evaluation, parameters, bindings, clients=True) if known else ()
        if loose:
            yield _finding(
                "AZP307",
                f"{shown} has the {_plural('parameter', loose)} {_listed(loose)}, which no binding "
                f"fills, {_NOTHING_LISTED}",
                builder.path,
                builder.line,
                _hint_on_loose(loose, bindings),
            )
        for name, binding in missing_parameters(parameters, bindings):
            yield _finding(
                "AZP307",
                f"{shown} has the binding {name}, but no parameter of that name, {_NOTHING_LISTED}",
                builder.path,
                binding.line,
                f"add the parameter {name}, or give the decorator the name of another one"
                if parameters.names != ("context",)
                else 'write context_name="context": Durable Functions calls it by that name',
            )
        for place, message, hint in annotation_problems(evaluation, parameters, bindings):
            line = builder.line if place is None else place.line
            what = f"{shown}: {message}, {_NOTHING_LISTED}"
            yield _finding("AZP307", what, builder.path, line, hint)

    def _bare_findings(self) -> Iterator[Finding]:
        for method, function, line in self._evaluation.bare:
            yield _finding(
                "AZP305",
                f"{function.name} is no function of the app: @{method.name} is not called",
                function.module.path,
                line,
                f"write @app.{method.name}(...), with parentheses",
            )

    def _blueprint_findings(self, builders: frozenset[Builder]) -> Iterator[Finding]:
        """AZP306, for blueprints of the modules that are imported, and of those that are not."""
        evaluation = self._evaluation
        if not self._apps or any(app.doubts for app in self._apps.values()):
            return  # which of them are registered can't be known
        for app in evaluation.apps:
            if app.kind == "blueprint" and app.certain and not app.doubts and app.functions:
                yield from _unregistered(app, builders)
        if evaluation.imports_dynamically:
            return
        reached = self._reach.from_modules(self._path)
        if any(self._reach.is_dynamic(path) for path in reached):
            return
        for path in python_files(self._tree):
            if path in reached or _TESTS.search(path) or not _is_importable(path):
                continue
            if _BLUEPRINT.search(self._reach.text(path)):
                yield from self._never_imported(path)

    def _never_imported(self, path: str) -> Iterator[Finding]:
        other = Evaluation(self._tree, self._reach, self._target.version)
        other.load(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
        for app in other.apps if not other.exhausted else ():
            if app.path == path and app.kind == "blueprint" and app.functions and not app.doubts:
                yield _finding(
                    "AZP306",
                    f"the functions of this blueprint ({_named(app.functions)}) are not in the "
                    f"app: {self._path} does not import it",
                    path,
                    app.line,
                    f"import it in {self._path}, and register it: app.register_functions(...)",
                    "warning",
                )


def _function(builder: Builder, app: App) -> Function:
    names = builder.parameters.names if builder.parameters is not None else None
    return Function(
        name=builder.name,
        model="v2",
        script=builder.path,
        line=builder.line,
        bindings=tuple(_completed(it, builder, app) for it in builder.bindings),
        parameters=names,
    )


def _unregistered(app: App, builders: frozenset[Builder]) -> Iterator[Finding]:
    late = [it for it in app.functions if it not in builders and it.certain]
    if not app.registered:
        yield _finding(
            "AZP306",
            f"the functions of this blueprint ({_named(app.functions)}) are not in the app: it is "
            "never registered",
            app.path,
            app.line,
            "register it: app.register_functions(...)",
            "warning",
        )
    elif late and any(it in builders for it in app.functions) and builders:
        yield _finding(
            "AZP306",
            f"{_named(late)} is added to its blueprint after that was registered, and so is not in "
            "the app",
            late[0].path,
            late[0].line,
            "register the blueprint after the last of its functions",
            "warning",
        )


def _completed(binding: Binding, builder: Builder, app: App) -> Binding:
    """A binding with what the library fills in when the app is complete."""
    if binding.type != "httpTrigger":
        return binding
    settings = dict(binding.settings)
    if "route" not in settings and builder.name is not None:
        settings["route"] = builder.name
    if app.auth_level is not None:
        settings.setdefault("authLevel", app.auth_level)
    return replace(binding, settings=MappingProxyType(settings))


def _is_importable(path: str) -> bool:
    return all(it.isidentifier() for it in path.removesuffix(".py").split("/"))


def _named(builders: list[Builder]) -> str:
    return _listed([it.name or "?" for it in dict.fromkeys(builders)])


def _listed(names: tuple[str, ...] | list[str]) -> str:
    shown = list(names) if len(names) <= 6 else [*names[:5], f"{len(names) - 5} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _plural(word: str, things: tuple[str, ...]) -> str:
    return word if len(things) == 1 else f"{word}s"


def _hint_on_loose(loose: tuple[str, ...], bindings: list[Binding]) -> str:
    trigger = next((it.name for it in bindings if it.is_trigger), None)
    if "self" in loose:
        return "declare it at the top level, outside of the class"
    if len(loose) == 1 and trigger is not None:
        return f"remove it, bind it, or name it {trigger} if it is what the trigger fills"
    return "remove them, or add a decorator for each that binds it"


def _finding(
    code: str,
    message: str,
    path: str | None,
    line: int | None,
    hint: str,
    severity: Severity = "error",
) -> Finding:
    return Finding(code=code, severity=severity, message=message, path=path, line=line, hint=hint)
