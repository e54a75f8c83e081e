"""What an app's modules do when they are imported, told from their syntax trees.

Statements are followed in their order, as Python would, over values of which little is known. A
branch whose condition is not known may run or not: what it makes is then not `certain`. Functions
are not followed into; what they may do to an app is a doubt about the app.
"""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING

from azpack.app.functions.calls import escape
from azpack.app.functions.expressions import EXPRESSIONS
from azpack.app.functions.reach import ExhaustedError
from azpack.app.functions.statements import STATEMENTS
from azpack.app.functions.values import (
    App,
    Builder,
    External,
    FunctionValue,
    Imported,
    Items,
    Method,
    ModuleValue,
    Unknown,
    load_decorators,
)
from azpack.app.limits import MOST_TOKENS_KEPT
from azpack.app.modules import find_module, is_namespace, parse_module

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from azpack.app.functions.decorating import Returned
    from azpack.app.functions.reach import Reach
    from azpack.app.functions.values import Value
    from azpack.app.tree import Tree

__all__ = ["Evaluation"]

_LONGEST_CHAIN = 200  # of imports of a name
_BUILTINS = frozenset(dir(builtins))


class Evaluation:
    """The modules that were followed, and the apps and blueprints that they make."""

    def __init__(self, tree: Tree, reach: Reach, version: tuple[int, int]) -> None:
        self.modules: dict[str, ModuleValue] = {}
        self.followed: list[str] = []
        self._paths: set[str] = set()
        self.apps: list[App] = []
        self.doubts: dict[str, None] = {}
        # There was more code than is followed, so nothing may be concluded from what is missing.
        self.exhausted = False
        # What functions that are used as decorators return.
        self.returned: dict[ast.AST, Returned] = {}
        # What their annotations may name: what a module binds, and what it does for type checkers.
        self.bound: dict[str, tuple[frozenset[str], frozenset[str]] | None] = {}
        self.global_names: dict[ast.AST, tuple[str, ...]] = {}  # those that functions assign
        # Decorators that were not called: `@app.route`, with the function below.
        self.bare: list[tuple[Method, FunctionValue, int]] = []
        self.imports_dynamically = False
        self.tree = tree
        self.reach = reach
        self.version = version
        self.certain = True
        self.module = ModuleValue("", None)
        self._tokens = 0

    def load(self, name: str) -> ModuleValue | None:
        """Import a module of the app by its dotted name, with the packages around it."""
        module: ModuleValue | None = None
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            parent = module
            module = self._load_one(".".join(parts[:count]))
            if module is None:
                return None
            if parent is not None:
                parent.names.setdefault(parts[count - 1], module)
        return module

    def _load_one(self, name: str) -> ModuleValue | None:
        if (known := self.modules.get(name)) is not None:
            return known
        path = find_module(self.tree, name)
        if path is None and not is_namespace(self.tree, name):
            return None
        module = self.modules[name] = ModuleValue(name, path)
        if path is not None and self.reach.is_relevant(path):
            self.follow(module)
        return module

    def follow(self, module: ModuleValue) -> None:
        """Go through a module's statements, once."""
        path = module.path
        if path is None or path in self._paths:
            return
        self._paths.add(path)
        self.followed.append(path)
        if self.exhausted:
            module.star.add("?")
            return
        parsed = parse_module(self.tree, path)
        self._tokens += parsed.tokens
        if parsed.tree is None:
            problem = parsed.problem
            if problem is not None and problem.kind == "unknown":
                self.doubt(path, problem.line, problem.message)
            module.star.add("?")
            return
        outer = self.module, self.certain
        self.module, self.certain = module, True
        try:
            if self._tokens > MOST_TOKENS_KEPT:  # what is known of functions keeps their trees
                raise ExhaustedError
            self.run(parsed.tree.body, module.names)
        except ExhaustedError:
            self.exhausted = True
            self.doubt(path, None, "there is more code than is followed")
            module.star.add("?")
        except RecursionError:
            self.doubt(path, None, "it is nested too deeply")
            module.star.add("?")
        finally:
            self.module, self.certain = outer

    def syntax_of(self, module: ModuleValue) -> ast.Module | None:
        """The syntax tree of a module that was followed."""
        return parse_module(self.tree, module.path).tree if module.path else None

    def text_of(self, module: ModuleValue) -> bytes:
        """The source of a module."""
        return self.reach.text(module.path) if module.path else b""

    def doubt(self, path: str, line: int | None, what: str) -> str:
        """Note what can't be known, once; return the sentence."""
        sentence = f"{path}:{line}: {what}" if line else f"{path}: {what}"
        self.doubts[sentence] = None
        return sentence

    def spend(self, steps: int = 1) -> None:
        """Count what is done; ExhaustedError: it is more than is done for any app."""
        self.reach.spend(steps)

    def here(self, node: ast.AST, what: str) -> str:
        """Note what can't be known of a node of the module that is followed."""
        return self.doubt(self.module.path or "", getattr(node, "lineno", None), what)

    def run(self, body: Iterable[ast.stmt], scope: dict[str, Value]) -> None:
        """Follow statements, in a module's, class's or branch's names."""
        for statement in body:
            self.spend()
            follow = STATEMENTS.get(type(statement))
            if follow is not None:
                follow(self, statement, scope)
            else:
                for child in ast.iter_child_nodes(statement):
                    if isinstance(child, ast.expr):
                        self.value(child, scope)

    def walk(self, node: ast.AST) -> Iterator[ast.AST]:
        """The node and all in it, each of which is a step."""
        for inner in ast.walk(node):
            self.spend()
            yield inner

    def bind_name(self, name: str, value: Value, scope: dict[str, Value], line: int) -> None:
        """Let a name stand for a value from a line on."""
        # An entry moves to the end, so that the order is that of the last assignments.
        scope.pop(name, None)
        scope[name] = value
        self.module.lines[name] = line

    def lookup(self, name: str, scope: dict[str, Value]) -> Value:
        """What a name stands for in a scope, the module, or Python itself."""
        value = scope.get(name)
        if value is None:
            value = self.module.names.get(name)
        if value is not None:
            return self.resolved(value)
        for star in ("azure.functions", "azure.durable_functions"):
            if star in self.module.star and f"{star}.{name}" in load_decorators()["classes"]:
                return External(f"{star}.{name}")
        if "azure.functions" in self.module.star and name in load_decorators()["exports"]:
            return External(f"azure.functions.{name}")
        if name in _BUILTINS and not self.module.star - {"azure.functions"}:
            return External(f"builtins.{name}")
        return Unknown(bool(self.module.star))

    def resolved(self, value: Value) -> Value:
        """The value, looked up where it is imported from."""
        for _ in range(_LONGEST_CHAIN):
            if not isinstance(value, Imported):
                return value
            value = self.attribute(value.module, value.name)
        return Unknown(may_be_app=True)

    def attribute(self, module: ModuleValue, name: str) -> Value:
        """What a module of the app has under a name."""
        self.follow(module)
        value = module.names.get(name)
        if value is not None:
            return value
        if (inner := self.modules.get(f"{module.name}.{name}")) is not None:
            return inner
        marked = module.path is not None and self.reach.is_marked(module.path)
        return Unknown(marked or bool(module.star))

    def value(self, node: ast.expr, scope: dict[str, Value]) -> Value:
        """What an expression stands for; what it does to apps on the way is noted."""
        self.reach.spend()
        find = EXPRESSIONS.get(type(node))
        if find is not None:
            return find(self, node, scope)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                escape(self, self.value(child, scope), node)
        return Unknown()

    def items_of(self, nodes: Iterable[ast.expr | None], scope: dict[str, Value]) -> Items:
        """The values of some expressions in a row."""
        found: list[Value] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                inner = self.value(node.value, scope)
                self.spend(len(inner.items) if isinstance(inner, Items) else 0)
                found.extend(inner.items if isinstance(inner, Items) else [Unknown()])
            elif node is not None:
                found.append(self.value(node, scope))
        return Items(found)

    def in_module(self, node: ast.expr, module: ModuleValue) -> Value:
        """What an expression stands for after a module was followed."""
        outer, self.module = self.module, module
        try:
            return self.resolved(self.value(node, module.names))
        except ExhaustedError:
            self.exhausted = True
            return Unknown(may_be_app=True)
        finally:
            self.module = outer

    def new_builder(self, app: App, function: Value, line: int) -> Builder:
        """A function that is added to an app."""
        known = function if isinstance(function, FunctionValue) else None
        builder = Builder(
            app,
            known.name if known else None,
            known.parameters if known else None,
            known.module.path or "" if known else self.module.path or "",
            known.line if known else line,
            self.certain,
        )
        app.functions.append(builder)
        return builder

    def is_maybe_app(self, value: Value) -> bool:
        """Whether a value may be an app that is not known."""
        value = self.resolved(value)
        if isinstance(value, Unknown):
            return value.may_be_app
        return isinstance(value, App)
