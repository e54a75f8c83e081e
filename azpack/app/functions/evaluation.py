"""What an app's modules do when they are imported, told from their syntax trees.

Statements are followed in their order, as Python would, over values of which little is known. A
branch whose condition is not known may run or not: what it makes is then not `certain`. Functions
are not followed into; what they may do to an app is a doubt about the app.
"""

from __future__ import annotations

import ast
import builtins
import sys
from itertools import chain
from typing import TYPE_CHECKING

from azpack.app.functions import decorating
from azpack.app.functions.reach import ExhaustedError
from azpack.app.functions.values import (
    App,
    Builder,
    ClassValue,
    Constant,
    Decorator,
    External,
    FunctionValue,
    Imported,
    Items,
    Method,
    ModuleValue,
    Parameters,
    Unknown,
    Value,
    load_decorators,
)
from azpack.app.limits import MOST_TOKENS_KEPT
from azpack.app.modules import find_module, is_namespace, parse_module

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from azpack.app.functions.reach import Reach
    from azpack.app.tree import Tree

__all__ = ["Evaluation"]

_MOST_ROUNDS = 200
_CHARACTERS_JOINED = 16
_NAMES_COPIED = 4  # in the time of one step
_BUILTINS = frozenset(dir(builtins))
_REGISTERING = ("register_functions", "register_blueprint")
_DYNAMIC_CALLS = frozenset(f"builtins.{it}" for it in ("exec", "eval", "globals", "setattr"))
# What makes an orchestrator or an entity of the v1 model: a function of one parameter.
_DURABLE = frozenset(f"azure.durable_functions.{it}.create" for it in ("Orchestrator", "Entity"))
_COLLECTING = frozenset(f"builtins.{it}" for it in ("tuple", "list", "set", "sorted", "reversed"))


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
        self.returned: dict[ast.AST, decorating.Returned] = {}
        # What their annotations may name: what a module binds, and what it does for type checkers.
        self.bound: dict[str, tuple[frozenset[str], frozenset[str]] | None] = {}
        self._globals: dict[ast.AST, tuple[str, ...]] = {}  # those that functions assign
        # Decorators that were not called: `@app.route`, with the function below.
        self.bare: list[tuple[Method, FunctionValue, int]] = []
        self.imports_dynamically = False
        self._tree = tree
        self._reach = reach
        self.version = version
        self._certain = True
        self._module = ModuleValue("", None)
        self._tokens = 0

    # Modules

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
        path = find_module(self._tree, name)
        if path is None and not is_namespace(self._tree, name):
            return None
        module = self.modules[name] = ModuleValue(name, path)
        if path is not None and self._reach.is_relevant(path):
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
        parsed = parse_module(self._tree, path)
        self._tokens += parsed.tokens
        if parsed.tree is None:
            problem = parsed.problem
            if problem is not None and problem.kind == "unknown":
                self.doubt(path, problem.line, problem.message)
            module.star.add("?")
            return
        outer = self._module, self._certain
        self._module, self._certain = module, True
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
            self._module, self._certain = outer

    def syntax_of(self, module: ModuleValue) -> ast.Module | None:
        """The syntax tree of a module that was followed."""
        return parse_module(self._tree, module.path).tree if module.path else None

    def text_of(self, module: ModuleValue) -> bytes:
        """The source of a module."""
        return self._reach.text(module.path) if module.path else b""

    def doubt(self, path: str, line: int | None, what: str) -> str:
        """Note what can't be known, once; return the sentence."""
        sentence = f"{path}:{line}: {what}" if line else f"{path}: {what}"
        self.doubts[sentence] = None
        return sentence

    def spend(self, steps: int = 1) -> None:
        """Count what is done; ExhaustedError: it is more than is done for any app."""
        self._reach.spend(steps)

    def _here(self, node: ast.AST, what: str) -> str:
        return self.doubt(self._module.path or "", getattr(node, "lineno", None), what)

    # Statements

    def run(self, body: Iterable[ast.stmt], scope: dict[str, Value]) -> None:
        """Follow statements, in a module's, class's or branch's names."""
        for statement in body:
            self.spend()
            follow = getattr(self, f"_run_{type(statement).__name__}", None)
            if follow is not None:
                follow(statement, scope)
            else:
                for child in ast.iter_child_nodes(statement):
                    if isinstance(child, ast.expr):
                        self.value(child, scope)

    def _run_Expr(self, node: ast.Expr, scope: dict[str, Value]) -> None:
        self.value(node.value, scope)

    def _run_Assign(self, node: ast.Assign, scope: dict[str, Value]) -> None:
        value = self.value(node.value, scope)
        for target in node.targets:
            self._bind(target, value, scope)

    def _run_AnnAssign(self, node: ast.AnnAssign, scope: dict[str, Value]) -> None:
        if node.value is not None:
            self._bind(node.target, self.value(node.value, scope), scope)

    def _run_AugAssign(self, node: ast.AugAssign, scope: dict[str, Value]) -> None:
        added = self.value(node.value, scope)
        if isinstance(node.target, ast.Name):
            known = scope.get(node.target.id)
            if isinstance(known, Items) and isinstance(added, Items):
                self.spend(len(added.items))
                known.items.extend(added.items)
            else:
                self._bind(node.target, Unknown(), scope)

    def _run_Delete(self, node: ast.Delete, scope: dict[str, Value]) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                scope.pop(target.id, None)

    def _run_If(self, node: ast.If, scope: dict[str, Value]) -> None:
        truth = self._truth(node.test, scope)
        if truth is None:
            self.value(node.test, scope)
            self._either([node.body, node.orelse], scope)
        else:
            self.run(node.body if truth else node.orelse, scope)

    def _run_Match(self, node: ast.Match, scope: dict[str, Value]) -> None:
        self.value(node.subject, scope)
        for inner in (it for case in node.cases for it in self.walk(case.pattern)):
            name = inner.rest if isinstance(inner, ast.MatchMapping) else getattr(inner, "name", "")
            if name:
                self._bind_name(name, Unknown(True), scope, node.lineno)
        self._either([*(case.body for case in node.cases), []], scope)

    def _run_While(self, node: ast.While, scope: dict[str, Value]) -> None:
        self._either([[*node.body, *node.orelse], []], scope)

    def _run_For(self, node: ast.For, scope: dict[str, Value]) -> None:
        over = self.value(node.iter, scope)
        leaves = any(isinstance(it, ast.Break | ast.Continue) for it in self.walk(node))
        if isinstance(over, Items) and len(over.items) <= _MOST_ROUNDS and not leaves:
            for item in list(over.items):
                self._bind(node.target, item, scope)
                self.run(node.body, scope)
        else:
            if isinstance(over, Items):
                self._escape(over, node)
            self._bind(node.target, Unknown(), scope)
            self._either([node.body, []], scope)
        self.run(node.orelse, scope)

    def _run_With(self, node: ast.With, scope: dict[str, Value]) -> None:
        for item in node.items:
            self.value(item.context_expr, scope)
            if item.optional_vars is not None:
                self._bind(item.optional_vars, Unknown(True), scope)
        self.run(node.body, scope)

    def _run_Try(self, node: ast.Try, scope: dict[str, Value]) -> None:
        self.run(node.body, scope)
        outer, self._certain = self._certain, False
        self.run(node.orelse, scope)
        for handler in node.handlers:
            other = self._copied(scope)
            self.run(handler.body, other)
            for name, value in other.items():
                scope.setdefault(name, value)
        self._certain = outer
        self.run(node.finalbody, scope)

    _run_TryStar = _run_Try

    def _run_ClassDef(self, node: ast.ClassDef, scope: dict[str, Value]) -> None:
        kinds = [self._kind(self.value(base, scope)) for base in node.bases]
        names: dict[str, Value] = {}
        self._in_class(node, names, scope)
        kind = next((kind for kind in kinds if kind), None)
        if kind is None and any(self.is_maybe_app(self.value(it, scope)) for it in node.bases):
            kind = "?"
        made: Value = ClassValue(node.name, kind, names)
        for decorator in reversed(node.decorator_list):
            applied = self.value(decorator, scope)
            # Other decorators, such as dataclass, are taken to return the class.
            if isinstance(applied, Decorator) or isinstance(made, Builder):
                made = decorating.decorate(self, applied, made, decorator)
        self._bind_name(node.name, made, scope, node.lineno)

    def _in_class(
        self, node: ast.ClassDef, names: dict[str, Value], scope: dict[str, Value]
    ) -> None:
        """Run a class's body: it sees the module's names, which stay as they are."""
        inner = self._copied(scope)
        self.run(node.body, inner)
        names.update((name, value) for name, value in inner.items() if scope.get(name) is not value)

    def _run_FunctionDef(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: dict[str, Value]
    ) -> None:
        made: Value = FunctionValue(
            node.name, Parameters.of(node, self._module), node, self._module, node.lineno
        )
        self._look_inside(node, scope)
        for decorator in reversed(node.decorator_list):
            made = decorating.decorate(self, self.value(decorator, scope), made, decorator)
        self._bind_name(node.name, made, scope, node.lineno)

    _run_AsyncFunctionDef = _run_FunctionDef

    def _look_inside(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: dict[str, Value]
    ) -> None:
        """Doubt apps to which a function would add others when it is called."""
        path, last = self._module.path, node.end_lineno or node.lineno
        if path is not None and not self._reach.has_marks(path, node.lineno, last):
            return
        table = load_decorators()["decorators"]
        own = {it.arg for it in ast.walk(node.args) if isinstance(it, ast.arg)}
        for inner in (it for statement in node.body for it in self.walk(statement)):
            if isinstance(inner, ast.Call) and _imports_by_name(inner.func):
                self.imports_dynamically = True
                self._here(inner, f"{node.name}() imports what can't be known without running it")
            if not isinstance(inner, ast.Attribute) or not isinstance(inner.value, ast.Name):
                continue
            if inner.attr not in table and inner.attr not in _REGISTERING:
                continue
            name = inner.value.id
            app = None if name in own else self._lookup(name, scope)
            if isinstance(app, App):
                app.doubts.append(self._here(inner, f"{node.name}() adds functions when called"))

    def _run_Import(self, node: ast.Import, scope: dict[str, Value]) -> None:
        for alias in node.names:
            name = alias.name.removeprefix("__app__.")
            module: Value | None = self.load(name)
            if module is None:
                module = External(name)
            if alias.asname is None:
                top = name.partition(".")[0]
                if isinstance(module, External):
                    module = External(top)
                else:
                    module = self.modules[top]
                self._bind_name(top, module, scope, node.lineno)
            else:
                self._bind_name(alias.asname, module, scope, node.lineno)

    def _run_ImportFrom(self, node: ast.ImportFrom, scope: dict[str, Value]) -> None:
        source = self._source_of(node)
        module = self.load(source) if source else None
        for alias in node.names:
            bound = alias.asname or alias.name
            if alias.name == "*":
                self._import_star(source, module, scope)
            elif module is not None:
                submodule = None
                if alias.name not in module.names:
                    submodule = self.load(f"{module.name}.{alias.name}")
                value: Value = submodule or Imported(module, alias.name)
                self._bind_name(bound, value, scope, node.lineno)
            else:
                top = self.load(alias.name) if node.level and not source else None
                value = top or External(f"{source}.{alias.name}")
                self._bind_name(bound, value, scope, node.lineno)

    def _source_of(self, node: ast.ImportFrom) -> str:
        """The absolute name of the module that names are imported from; "" for the root."""
        name = node.module or ""
        if not node.level:
            return "" if name == "__app__" else name.removeprefix("__app__.")
        package = self._module.name.split(".")
        path = self._module.path or ""
        drop = node.level - 1 if path.endswith("/__init__.py") else node.level
        return ".".join((*package[: max(len(package) - drop, 0)], *([name] if name else [])))

    def _import_star(
        self, source: str, module: ModuleValue | None, scope: dict[str, Value]
    ) -> None:
        if module is None:
            self._module.star.add(source)
            return
        self.follow(module)
        self.spend(len(module.names))
        self._module.star |= module.star
        listed = module.names.get("__all__")
        items = listed.items if isinstance(listed, Items) else []
        public = {
            it.value for it in items if isinstance(it, Constant) and isinstance(it.value, str)
        }
        for name, value in list(module.names.items()):
            if isinstance(listed, Items):
                exported = name in public
            else:
                exported = not name.startswith("_")
            if exported:
                self._bind_name(name, value, scope, module.lines.get(name, 1))

    def _copied(self, scope: dict[str, Value]) -> dict[str, Value]:
        """The names of a branch, which are those of around it at first."""
        self.spend(len(scope) // _NAMES_COPIED)
        return dict(scope)

    def walk(self, node: ast.AST) -> Iterator[ast.AST]:
        """The node and all in it, each of which is a step."""
        for inner in ast.walk(node):
            self.spend()
            yield inner

    # Branches

    def _either(self, bodies: Sequence[list[ast.stmt]], scope: dict[str, Value]) -> None:
        """Run each body as one that may not run, and join what they leave behind."""
        outer, self._certain = self._certain, False
        results = []
        for body in bodies:
            branch = self._copied(scope)
            self.run(body, branch)
            results.append(branch)
        self._certain = outer
        for name in {name: None for branch in results for name in branch}:
            values = [branch[name] for branch in results if name in branch]
            joined = values[0]
            for value in values[1:]:
                joined = self._join(joined, value)
            scope[name] = joined

    def _join(self, one: Value, other: Value) -> Value:
        if one is other or (isinstance(one, Constant | External) and one == other):
            return one
        if isinstance(one, App) and isinstance(other, App) and one.kind == other.kind:
            # One of the two it is: with the functions of both, not all of which may be there.
            other.registered = True
            if one.auth_level != other.auth_level:
                one.auth_level = None
            return one
        for value in (one, other):
            if isinstance(value, Decorator):
                what = "whether this decorator is applied can't be known"
                path = self._module.path or ""
                value.app.doubts.append(self.doubt(path, value.line, what))
        if isinstance(one, App) and isinstance(other, Constant):
            return one
        if isinstance(other, App) and isinstance(one, Constant):
            return other
        return Unknown(self.is_maybe_app(one) or self.is_maybe_app(other))

    def _truth(self, test: ast.expr, scope: dict[str, Value]) -> bool | None:
        """Whether a condition holds when Azure imports the module, if that is known."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            inner = self._truth(test.operand, scope)
            return None if inner is None else not inner
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            left, right = test.left, test.comparators[0]
            if isinstance(left, ast.Name) and left.id == "__name__":
                main = isinstance(right, ast.Constant) and right.value == "__main__"
                return isinstance(test.ops[0], ast.NotEq) if main else None
            if self.value(left, scope) == External("sys.version_info"):
                return self._is_version(test.ops[0], self.value(right, scope))
            return None
        value = self.value(test, scope)
        if isinstance(value, External) and value.name.endswith(".TYPE_CHECKING"):
            return False
        return bool(value.value) if isinstance(value, Constant) else None

    def _is_version(self, operator: ast.cmpop, value: Value) -> bool | None:
        """How the target's version compares with another one."""
        items = value.items if isinstance(value, Items) else []
        numbers = tuple(it.value for it in items if isinstance(it, Constant))
        if len(numbers) not in (1, 2) or not all(type(it) is int for it in numbers):
            return None
        own = (*self.version, 0)  # longer, and so greater, than an equal one
        if isinstance(operator, ast.Gt | ast.GtE):
            return own > numbers
        return own < numbers if isinstance(operator, ast.Lt | ast.LtE) else None

    # Names

    def _bind(self, target: ast.expr, value: Value, scope: dict[str, Value]) -> None:
        if isinstance(target, ast.Name):
            self._bind_name(target.id, value, scope, target.lineno)
        elif isinstance(target, ast.Tuple | ast.List):
            same = isinstance(value, Items) and len(value.items) == len(target.elts)
            starred = any(isinstance(it, ast.Starred) for it in target.elts)
            for at, element in enumerate(target.elts):
                known = isinstance(value, Items) and same and not starred
                inner = element.value if isinstance(element, ast.Starred) else element
                part = value.items[at] if known and isinstance(value, Items) else Unknown()
                self._bind(inner, part, scope)
        elif isinstance(target, ast.Attribute):
            base = self.value(target.value, scope)
            if isinstance(base, ModuleValue | ClassValue):
                base.names[target.attr] = value
            else:
                self._escape(value, target)
        elif isinstance(target, ast.Subscript):
            base = self.value(target.value, scope)
            if isinstance(base, Items):
                base.items.append(value)
            else:
                self._escape(value, target)

    def _bind_name(self, name: str, value: Value, scope: dict[str, Value], line: int) -> None:
        # An entry moves to the end, so that the order is that of the last assignments.
        scope.pop(name, None)
        scope[name] = value
        self._module.lines[name] = line

    def _lookup(self, name: str, scope: dict[str, Value]) -> Value:
        value = scope.get(name)
        if value is None:
            value = self._module.names.get(name)
        if value is not None:
            return self.resolved(value)
        for star in ("azure.functions", "azure.durable_functions"):
            if star in self._module.star and f"{star}.{name}" in load_decorators()["classes"]:
                return External(f"{star}.{name}")
        if "azure.functions" in self._module.star and name in load_decorators()["exports"]:
            return External(f"azure.functions.{name}")
        if name in _BUILTINS and not self._module.star - {"azure.functions"}:
            return External(f"builtins.{name}")
        return Unknown(bool(self._module.star))

    def resolved(self, value: Value) -> Value:
        """The value, looked up where it is imported from."""
        for _ in range(_MOST_ROUNDS):
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
        marked = module.path is not None and self._reach.is_marked(module.path)
        return Unknown(marked or bool(module.star))

    # Expressions

    def value(self, node: ast.expr, scope: dict[str, Value]) -> Value:
        """What an expression stands for; what it does to apps on the way is noted."""
        self._reach.spend()
        find = getattr(self, f"_value_{type(node).__name__}", None)
        if find is not None:
            found: Value = find(node, scope)
            return found
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self._escape(self.value(child, scope), node)
        return Unknown()

    def _value_Constant(self, node: ast.Constant, _: dict[str, Value]) -> Value:
        return Constant(node.value)

    def _value_Name(self, node: ast.Name, scope: dict[str, Value]) -> Value:
        return self._lookup(node.id, scope)

    def _value_Lambda(self, node: ast.Lambda, scope: dict[str, Value]) -> Value:
        own = {it.arg for it in ast.walk(node.args) if isinstance(it, ast.arg)}
        for inner in self.walk(node.body):
            if isinstance(inner, ast.Name) and inner.id not in own:
                self._escape(self._lookup(inner.id, scope), node)
        return Unknown()

    def _value_Compare(self, _: ast.Compare, __: dict[str, Value]) -> Value:
        return Unknown()

    def _value_Attribute(self, node: ast.Attribute, scope: dict[str, Value]) -> Value:
        base = self.value(node.value, scope)
        if isinstance(base, ModuleValue):
            return self.resolved(self.attribute(base, node.attr))
        if isinstance(base, External):
            return External(f"{base.name}.{node.attr}")
        if isinstance(base, App | Items):
            return Method(base, node.attr)
        if isinstance(base, ClassValue):
            return self.resolved(base.names.get(node.attr, Unknown(may_be_app=True)))
        return Unknown(self.is_maybe_app(base))

    def _value_Subscript(self, node: ast.Subscript, scope: dict[str, Value]) -> Value:
        base, index = self.value(node.value, scope), self.value(node.slice, scope)
        if isinstance(base, Items):
            at = index.value if isinstance(index, Constant) else None
            if isinstance(at, int) and -len(base.items) <= at < len(base.items):
                return base.items[at]
            self._escape(base, node)
            self.spend(len(base.items))
            return Unknown(any(self.is_maybe_app(item) for item in base.items))
        return Unknown()

    def _items(self, nodes: Iterable[ast.expr | None], scope: dict[str, Value]) -> Items:
        found: list[Value] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                inner = self.value(node.value, scope)
                self.spend(len(inner.items) if isinstance(inner, Items) else 0)
                found.extend(inner.items if isinstance(inner, Items) else [Unknown()])
            elif node is not None:
                found.append(self.value(node, scope))
        return Items(found)

    def _value_Tuple(self, node: ast.Tuple, scope: dict[str, Value]) -> Value:
        return self._items(node.elts, scope)

    def _value_List(self, node: ast.List, scope: dict[str, Value]) -> Value:
        return self._items(node.elts, scope)

    def _value_Set(self, node: ast.Set, scope: dict[str, Value]) -> Value:
        return self._items(node.elts, scope)

    def _value_Dict(self, node: ast.Dict, scope: dict[str, Value]) -> Value:
        # What an index or a loop gives is the key, not one of these.
        for value in self._items(node.values, scope).items:
            self._escape(value, node)
        return Unknown()

    def _value_IfExp(self, node: ast.IfExp, scope: dict[str, Value]) -> Value:
        truth = self._truth(node.test, scope)
        if truth is not None:
            return self.value(node.body if truth else node.orelse, scope)
        outer, self._certain = self._certain, False
        joined = self._join(self.value(node.body, scope), self.value(node.orelse, scope))
        self._certain = outer
        return joined

    def _value_NamedExpr(self, node: ast.NamedExpr, scope: dict[str, Value]) -> Value:
        value = self.value(node.value, scope)
        self._bind(node.target, value, scope)
        return value

    def _value_JoinedStr(self, node: ast.JoinedStr, scope: dict[str, Value]) -> Value:
        parts = []
        for part in node.values:
            inner = part.value if isinstance(part, ast.FormattedValue) else part
            value = self.value(inner, scope)
            plain = not isinstance(part, ast.FormattedValue) or (
                part.format_spec is None and part.conversion == -1
            )
            if not isinstance(value, Constant) or not isinstance(value.value, str) or not plain:
                return Unknown()
            parts.append(value.value)
        self.spend(sum(map(len, parts)) // _CHARACTERS_JOINED)
        return Constant("".join(parts))

    def _value_BinOp(self, node: ast.BinOp, scope: dict[str, Value]) -> Value:
        left, right = self.value(node.left, scope), self.value(node.right, scope)
        if isinstance(node.op, ast.Add):
            if isinstance(left, Items) and isinstance(right, Items):
                self.spend(len(left.items) + len(right.items))
                return Items([*left.items, *right.items])
            if isinstance(left, Constant) and isinstance(right, Constant):
                texts = left.value, right.value
                if isinstance(texts[0], str) and isinstance(texts[1], str):
                    self.spend(len(texts[0] + texts[1]) // _CHARACTERS_JOINED)
                    return Constant(texts[0] + texts[1])
        return Unknown()

    def _value_ListComp(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, scope: dict[str, Value]
    ) -> Value:
        first = node.generators[0]
        over = self.value(first.iter, scope)
        inner = self._copied(scope)
        if len(node.generators) == 1 and not first.ifs and isinstance(over, Items):
            found = []
            for item in over.items[:_MOST_ROUNDS]:
                self._bind(first.target, item, inner)
                found.append(self.value(node.elt, inner))
            return Items(found)
        self._escape(over, node)
        for generator in node.generators:
            self._bind(generator.target, Unknown(), inner)
        outer, self._certain = self._certain, False
        self._escape(self.value(node.elt, inner), node)
        self._certain = outer
        return Unknown()

    _value_SetComp = _value_ListComp
    _value_GeneratorExp = _value_ListComp

    def _value_Call(self, node: ast.Call, scope: dict[str, Value]) -> Value:
        called = self.value(node.func, scope)
        given = self._items(node.args, scope).items
        named = {it.arg: self.value(it.value, scope) for it in node.keywords}
        complete = None not in named and not any(isinstance(it, ast.Starred) for it in node.args)
        keywords = {name: value for name, value in named.items() if name is not None}
        if isinstance(called, Method):
            return self._call_method(called, given, keywords, node, complete=complete)
        if isinstance(called, Decorator) and len(given) == 1 and not named:
            return decorating.decorate(self, called, given[0], node)
        if isinstance(called, External) and (kind := self._kind(called)):
            return self._make_app(kind, called.name, given, keywords, node)
        if isinstance(called, ClassValue):
            return self._make_own(called, node)
        if isinstance(called, External):
            return self._call_external(called, given, keywords, node)
        for value in (*given, *named.values()):
            self._escape(value, node)
        if isinstance(called, FunctionValue):
            return self._call_function(called, node)
        return Unknown(self.is_maybe_app(called))

    def _call_function(self, called: FunctionValue, node: ast.Call) -> Value:
        path = called.module.path or ""
        self._forget_globals(called)
        may_be_app = bool(path) and self._reach.is_marked(path)
        if called.node is not None and any(
            isinstance(it, ast.FunctionDef) for it in called.node.body
        ):
            return FunctionValue(None, None, called.node, called.module, node.lineno,
                                 called.calls + 1)  # fmt: skip
        return Unknown(may_be_app)

    def _forget_globals(self, called: FunctionValue) -> None:
        """Take what a function assigns to names of its module, which may be an app, for unknown."""
        body, path = called.node, called.module.path
        if body is None or path is None:
            return
        names = self._globals.get(body)
        if names is None:
            names = ()
            if self._reach.has_marks(path, body.lineno, body.end_lineno or body.lineno):
                found = (it.names for it in self.walk(body) if isinstance(it, ast.Global))
                names = tuple(dict.fromkeys(chain.from_iterable(found)))
            self._globals[body] = names
        self.spend(len(names))
        called.module.names.update((name, Unknown(True)) for name in names)

    def _call_external(
        self, called: External, given: list[Value], named: dict[str, Value], node: ast.Call
    ) -> Value:
        name = called.name
        if name in _COLLECTING and len(given) == 1 and isinstance(given[0], Items):
            self.spend(len(given[0].items))
            return Items(list(given[0].items))
        if name == "importlib.import_module":
            return self._import_named(given, node)
        if name in ("builtins.__import__", "runpy.run_module", "runpy.run_path"):
            self.imports_dynamically = True
        if name in _DYNAMIC_CALLS:
            self._here(node, f"{name.rpartition('.')[2]}() may do anything")
            self._module.star.add("?")
        if name == "builtins.getattr" and len(given) > 1:
            return self._getattr(given[0], given[1])
        if name in _DURABLE:
            parameters = Parameters(names=("context",), annotations={})
            return FunctionValue("handle", parameters, None, self._module, node.lineno)
        for value in (*given, *named.values()):
            self._escape(value, node)
        if name.startswith("azure.functions."):
            return External(f"{name}()")
        flat = [
            it for value in given for it in (value.items if isinstance(value, Items) else [value])
        ]
        self.spend(len(flat))
        return Unknown(_may_make_app(name) or any(map(self._kind, flat)))

    def _import_named(self, given: list[Value], node: ast.Call) -> Value:
        if len(given) == 1 and isinstance(given[0], Constant) and isinstance(given[0].value, str):
            return self.load(given[0].value) or External(given[0].value)
        self.imports_dynamically = True
        self._here(node, "which module is imported can't be known without running it")
        return Unknown(may_be_app=True)

    def _getattr(self, base: Value, name: Value) -> Value:
        if isinstance(name, Constant) and isinstance(name.value, str):
            if isinstance(base, ModuleValue):
                return self.resolved(self.attribute(base, name.value))
            if isinstance(base, App):
                return Method(base, name.value)
        if isinstance(base, App):
            base.doubts.append("")
        return Unknown(isinstance(base, ModuleValue | App) or self.is_maybe_app(base))

    def in_module(self, node: ast.expr, module: ModuleValue) -> Value:
        """What an expression stands for after a module was followed."""
        outer, self._module = self._module, module
        try:
            return self.resolved(self.value(node, module.names))
        except ExhaustedError:
            self.exhausted = True
            return Unknown(may_be_app=True)
        finally:
            self._module = outer

    # Apps

    def _kind(self, value: Value) -> str | None:
        """What kind of app a class makes."""
        if isinstance(value, ClassValue):
            return value.kind
        if isinstance(value, External):
            name = value.name.replace("azure.functions.decorators.", "azure.functions.")
            name = name.replace("azure.functions.function_app.", "azure.functions.")
            kind: str | None = load_decorators()["classes"].get(name)
            return kind
        return None

    def _make_app(
        self,
        kind: str,
        name: str,
        given: list[Value],
        named: dict[str, Value],
        node: ast.Call,
    ) -> App:
        made = App(
            kind=kind,  # type: ignore[arg-type]
            class_name=name.rpartition(".")[2],
            path=self._module.path or "",
            line=node.lineno,
            certain=self._certain,
        )
        at = 1 if kind == "site" else 0
        level = named.get("http_auth_level", given[at] if len(given) > at else Constant("function"))
        made.auth_level = decorating.enum_text(level)
        self.apps.append(made)
        if kind == "site":
            name_of = named.get("function_name", given[2] if len(given) > 2 else None)
            decorating.add_site(made, name_of)
        return made

    def _make_own(self, called: ClassValue, node: ast.Call) -> Value:
        if called.kind is None:
            return Unknown()
        if called.kind == "?":
            return Unknown(may_be_app=True)
        made = self._make_app(called.kind, called.name, [], {}, node)
        made.doubts.append(self._here(node, f"{called.name} may add functions of its own"))
        return made

    def _call_method(
        self,
        method: Method,
        given: list[Value],
        named: dict[str, Value],
        node: ast.Call,
        *,
        complete: bool,
    ) -> Value:
        owner, name = method.owner, method.name
        if isinstance(owner, Items):
            return self._call_on_items(owner, name, given, node)
        if name in _REGISTERING:
            for value in (*given, *named.values()):
                self._register(owner, value, node)
            return Constant(None)
        row = decorating.row_of(name)
        if row is None:
            for value in (*given, *named.values()):
                self._escape(value, node)
            return Unknown()
        arguments = dict(zip(row["parameters"], given, strict=False))
        arguments.update(named)
        return Decorator(owner, name, arguments, node.lineno, complete)

    def _call_on_items(self, owner: Items, name: str, given: list[Value], node: ast.Call) -> Value:
        if name in ("append", "add") and len(given) == 1 and self._certain:
            owner.items.append(given[0])
        elif name in ("extend", "update") and given and isinstance(given[0], Items):
            self.spend(len(given[0].items))
            owner.items.extend(given[0].items)
        else:
            self._escape(owner, node)
            self._escape(Items(given), node)
        return Unknown()

    def _register(self, app: App, value: Value, node: ast.Call) -> None:
        if not isinstance(value, App):
            if not isinstance(value, Constant):
                app.doubts.append(self._here(node, "which blueprint is registered can't be known"))
            return
        value.registered = True
        self.spend(len(value.doubts) + len(value.functions))
        app.doubts.extend(value.doubts)
        if not self._certain or not value.certain:
            app.doubts.append(self._here(node, "whether it is registered can't be known"))
            app.functions.extend(decorating.uncertain(it) for it in value.functions)
        else:
            app.functions.extend(value.functions)

    def new_builder(self, app: App, function: Value, line: int) -> Builder:
        """A function that is added to an app."""
        known = function if isinstance(function, FunctionValue) else None
        builder = Builder(
            app,
            known.name if known else None,
            known.parameters if known else None,
            known.module.path or "" if known else self._module.path or "",
            known.line if known else line,
            self._certain,
        )
        app.functions.append(builder)
        return builder

    def is_maybe_app(self, value: Value) -> bool:
        """Whether a value may be an app that is not known."""
        value = self.resolved(value)
        if isinstance(value, Unknown):
            return value.may_be_app
        return isinstance(value, App)

    def _escape(self, value: Value, node: ast.AST) -> None:
        """Doubt an app that is handed to what is not followed."""
        pending, seen = [value], set[Items]()
        while pending:
            value = self.resolved(pending.pop())
            if isinstance(value, Method):  # app.register_functions, handed to map()
                value = value.owner
            elif isinstance(value, Decorator):
                value = value.app
            if isinstance(value, App):
                what = f"what is done with the {value.class_name} can't be known"
                value.doubts.append(self._here(node, what))
            elif isinstance(value, Items) and value not in seen:
                self.spend(len(value.items))
                seen.add(value)
                pending += value.items
                last = value.items[-1] if value.items else None
                if not (isinstance(last, Unknown) and last.may_be_app):
                    value.items.append(Unknown(True))  # what it may get there


def _imports_by_name(called: ast.expr) -> bool:
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name in ("import_module", "__import__")


def _may_make_app(name: str) -> bool:
    """Whether a library's class or function may return an app: it is called so, or is no class."""
    package, _, last = name.rpartition(".")
    if package.partition(".")[0] in sys.stdlib_module_names or not package:
        return False
    words = last.replace("_", "").lower()
    return "functionapp" in words or words == "dfapp" or (last.islower() and "app" in words)
