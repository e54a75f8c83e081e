"""AZP106 to 109: the app's modules, by their names and what they import."""

from __future__ import annotations

import re
from os.path import commonpath
from typing import TYPE_CHECKING

from azpack.app.modules import (
    find_module,
    imports_of,
    is_namespace,
    parse_module,
    python_files,
    source_of,
)
from azpack.checks.rules import make_finding
from azpack.target.stdlib import stdlib_modules
from azpack.target.worker import APP_FIRST_PLANS, startup_modules, worker_modules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azpack.app.modules import Import
    from azpack.app.tree import Tree
    from azpack.checks.rules import Subject
    from azpack.findings import Finding

_SITE_PACKAGES = ".python_packages/lib/site-packages/"
# Of the standard library, and imported by nobody: a folder of tests hides nothing that is missed.
_NOT_MISSED = {"antigravity", "idlelib", "lib2to3", "test", "this", "turtle", "turtledemo"}

# What an import statement names, and more: also the text of a string may look like one.
_IMPORT = re.compile(
    rb"(?:^|[;:])[ \t]*(?:from|import)\b[ \t\\\r\n]*([^\n;#\\]*(?:\\\r?\n[^\n;#\\]*)*)",
    re.MULTILINE,
)
_WORD = re.compile(rb"\w+")


def check(subject: Subject) -> Iterator[Finding]:
    """Look at the app's files and their imports."""
    yield from _check_names(subject)
    yield from _check_imports(subject)
    yield from _check_case(subject.tree)


def _check_names(subject: Subject) -> Iterator[Finding]:
    shipped = _shipped_modules(subject.tree)
    standard = stdlib_modules(subject.target.python) - _NOT_MISSED
    for name, path in _root_modules(subject.tree).items():
        if name in standard:
            owner = f"the standard library of Python {subject.target.python}"
        elif name in shipped:
            owner = "a distribution in the package"
        elif name in worker_modules() or name == "azure":
            owner = "Azure's Python worker and libraries"
        else:
            continue
        yield _hidden(name, path, owner, subject.target.plan)


def _hidden(name: str, path: str, owner: str, plan: str) -> Finding:
    app_first = plan in APP_FIRST_PLANS
    breaks = app_first and name in startup_modules()
    if breaks:
        what = f"on the {plan} plan it is found first, by the worker too, which then does not start"
    elif app_first:
        what = f"on the {plan} plan it is found first, by all that mean the other one"
    else:
        what = f"on the {plan} plan `import {name}` gives that one, not this"
    return make_finding(
        "AZP106",
        f"{path} has the name of a module of {owner}: {what}",
        path=path,
        hint="rename it, or move it into a package of yours",
        severity="error" if breaks else None,
    )


def _root_modules(tree: Tree) -> dict[str, str]:
    """The modules and packages that are at the root, each with its file."""
    modules: dict[str, str] = {}
    for path in tree.paths():
        folder, _, rest = path.partition("/")
        if rest == "__init__.py" and not path.startswith("."):
            modules[folder] = path
        elif not rest and path.endswith(".py"):
            modules.setdefault(path.removesuffix(".py"), path)
    return modules


def _shipped_modules(tree: Tree) -> set[str]:
    """The top-level modules of the distributions in a package; namespaces are left out."""
    found: set[str] = set()
    for path in tree.paths():
        if path.startswith(_SITE_PACKAGES):
            folder, _, rest = path[len(_SITE_PACKAGES) :].partition("/")
            if rest == "__init__.py":
                found.add(folder)
            elif not rest and folder.endswith((".py", ".so")):
                found.add(folder.partition(".")[0])
    return found


def _check_imports(subject: Subject) -> Iterator[Finding]:
    tree = subject.tree
    bare = _bare_folders(tree)
    reported: set[str] = set()
    for path in python_files(tree):
        if not _is_suspect(source_of(tree, path), path.count("/"), bare):
            continue
        for found in imports_of(parse_module(tree, path)):
            if found.kind == "typing":
                continue
            if (finding := _check_root_import(path, found)) is not None:
                yield finding
            for folder in _namespaces(tree, found):
                if folder not in reported:
                    reported.add(folder)
                    yield make_finding(
                        "AZP108",
                        f"{found.module} is imported from {folder}, a folder without __init__.py: "
                        "another package of that name would take its place",
                        path=path,
                        line=found.line,
                        hint=f"add an empty {folder}/__init__.py",
                    )


def _bare_folders(tree: Tree) -> set[bytes]:
    """The names of folders that hold modules, and of those around them, without `__init__.py`."""
    files = sorted(python_files(tree))
    packages = {path.removesuffix("__init__.py") for path in files}
    names: set[str] = set()
    before = ""
    for path in files:
        # What is new of its folders: paths that begin alike stand beside each other.
        at = path.rfind("/", 0, len(commonpath([before, path]))) + 1
        while at := path.find("/", at) + 1:
            if path[:at] not in packages:
                names.add(path[:at].rpartition("/")[0].rpartition("/")[2])
        before = path
    return {name.encode() for name in names}


def _is_suspect(source: bytes, depth: int, bare: set[bytes]) -> bool:
    """Whether a module, so many folders deep, may import what it should not: parsing takes long."""
    for match in _IMPORT.finditer(source):
        words = match[1]
        if words.startswith(b"."):
            if len(words) - len(words.lstrip(b". \t")) > depth:
                return True
        elif b"__app__" in words or not bare.isdisjoint(_WORD.findall(words)):
            return True
    return False


def _check_root_import(path: str, found: Import) -> Finding | None:
    """AZP107 for one import."""
    if found.level == 0 and (found.module == "__app__" or found.module.startswith("__app__.")):
        rest = found.module.removeprefix("__app__").removeprefix(".")
        what, instead = f"{found.module} is imported: __app__ is deprecated", rest
    elif found.level > path.count("/"):
        dots = "." * found.level
        what = (
            f"the relative import of {dots}{found.module} leads beyond the top level: modules at "
            "the app's root have no parent package"
        )
        instead = found.module
    else:
        return None
    if instead:
        hint = f"from {instead} import {', '.join(found.names)}" if found.names else instead
    else:
        hint = f"import {', '.join(found.names)}" if found.names else "the module by its own name"
    if not hint.startswith(("import", "from", "the")):
        hint = f"import {hint}"
    return make_finding(
        "AZP107", what, path=path, line=found.line, hint=f"import from the root: {hint}"
    )


def _namespaces(tree: Tree, found: Import) -> Iterator[str]:
    """The app's folders without `__init__.py` that an absolute import goes through."""
    if found.level or not found.module:
        return
    names = [found.module, *(f"{found.module}.{name}" for name in found.names)]
    if not any(find_module(tree, name) for name in names):
        return  # whatever it is, it is not the app's
    parts = found.module.split(".")
    for end in range(1, len(parts) + 1):
        name = ".".join(parts[:end])
        if find_module(tree, name) is None and is_namespace(tree, name):
            yield name.replace(".", "/")


def _check_case(tree: Tree) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for path in tree.paths():
        other = seen.setdefault(path.casefold(), path)
        if other is not path and not path.startswith(".python_packages/"):
            yield make_finding(
                "AZP109",
                f"{path} and {other} differ only by case: where names have no case, as on Windows "
                "and macOS, one of them replaces the other",
                path=path,
                hint="rename one of them",
            )
