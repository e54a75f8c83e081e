from __future__ import annotations

import gc
import sys

import pytest

from azpack.app.modules import (
    find_module,
    imports_of,
    is_namespace,
    parse_module,
    problem_on,
    python_files,
)
from tests.unit.app.functions.trees import TextTree


def kinds(text: str) -> list[tuple[str, str]]:
    module = parse_module(TextTree({"a.py": text}), "a.py")
    return [(it.module or "." * it.level, it.kind) for it in imports_of(module)]


def test_imports_with_their_lines() -> None:
    text = "import a.b as c, d\nfrom . import x\nfrom ..y import z as w, v\nfrom e import *\n"
    module = parse_module(TextTree({"p/m.py": text}), "p/m.py")
    found = [(it.line, it.module, it.names, it.level) for it in imports_of(module)]
    assert sorted(found) == [
        (1, "a.b", (), 0),
        (1, "d", (), 0),
        (2, "", ("x",), 1),
        (3, "y", ("z", "v"), 2),
        (4, "e", ("*",), 0),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import a", "plain"),
        ("if x:\n    import a", "conditional"),
        ("if x:\n    pass\nelif y:\n    import a", "conditional"),
        ("if x:\n    pass\nelse:\n    import a", "conditional"),
        ("if x:\n    try:\n        import a\n    except ImportError:\n        pass", "optional"),
        ("if x:\n    def f():\n        import a", "conditional"),
        ("def f():\n    if x:\n        import a", "function"),
        ("if __name__ == '__main__':\n    import a", "optional"),
        ("import os\nif os.name == 'nt':\n    import a", "optional"),
        ("import sys\nif sys.platform == 'win32':\n    import a", "optional"),
        ("import platform\nif platform.system() == 'Windows':\n    import a", "optional"),
        ("import sys\nif sys.version_info < (3, 9):\n    import a", "optional"),
        ("if settings.platform:\n    import a", "conditional"),
        ("try:\n    import a\nexcept ImportError:\n    pass", "optional"),
        ("try:\n    import a\nexcept (ValueError, ModuleNotFoundError):\n    pass", "optional"),
        ("try:\n    import a\nexcept:\n    pass", "optional"),
        ("try:\n    import a\nexcept Exception:\n    pass", "optional"),
        ("try:\n    import a\nexcept ValueError:\n    pass", "plain"),
        ("try:\n    pass\nexcept ImportError:\n    import a", "optional"),
        ("try:\n    import a\nfinally:\n    pass", "plain"),
        ("import contextlib as c\nwith c.suppress(ImportError):\n    import a", "optional"),
        ("with suppress(KeyError):\n    import a", "plain"),
        ("import typing\nif typing.TYPE_CHECKING:\n    import a", "typing"),
        ("if TYPE_CHECKING:\n    if x:\n        import a", "typing"),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import a", "plain"),
        ("def f():\n    import a", "function"),
        ("class A:\n    import a", "plain"),
        ("class A:\n    async def f(self):\n        for x in y:\n            import a", "function"),
        ("def f():\n    try:\n        import a\n    except ImportError:\n        pass", "optional"),
        ("match x:\n    case 1:\n        import a", "plain"),
        ("import sys\nif sys.version_info >= (3, 11):\n    pass\nelse:\n    import a", "optional"),
    ],
)
def test_kinds_of_imports(text: str, expected: str) -> None:
    assert dict(kinds(text))["a"] == expected


def test_deep_nesting_is_no_recursion() -> None:
    text = "".join(" " * at + "if x:\n" for at in range(90)) + " " * 90 + "import a\n"
    assert kinds(text) == [("a", "conditional")]


def test_modules_of_the_app() -> None:
    tree = TextTree(
        dict.fromkeys(
            ("a.py", "p/__init__.py", "p/b.py", "q/c.py", "p.py", ".python_packages/x.py", "t.txt"),
            "",
        )
    )
    assert find_module(tree, "a") == "a.py"
    assert find_module(tree, "p") == "p/__init__.py"
    assert find_module(tree, "p.b") == "p/b.py"
    assert find_module(tree, "q") is None
    assert is_namespace(tree, "q")
    assert not is_namespace(tree, "a")
    assert python_files(tree) == ("a.py", "p.py", "p/__init__.py", "p/b.py", "q/c.py")


def test_each_file_is_parsed_once() -> None:
    tree = TextTree({"a.py": "x = 1\n"})
    module = parse_module(tree, "a.py")
    tree.files["a.py"] = b"x = (\n"
    assert parse_module(tree, "a.py") is module
    assert parse_module(TextTree({"a.py": "x = 2\n"}), "a.py") is not module
    assert gc.isenabled()


def test_problems() -> None:
    def problem(text: str | bytes) -> tuple[str, int | None]:
        found = parse_module(TextTree({"a.py": text}), "a.py").problem
        assert found is not None
        return found.kind, found.line

    assert problem("x = 1\ny = (\n") == ("syntax", 2)
    assert problem(b"a\nx = '\0'") == ("syntax", 2)
    assert problem("x = " + "-" * 200_000 + "1")[0] in ("unknown", "syntax")
    assert imports_of(parse_module(TextTree({"a.py": "import a\n("}), "a.py")) == ()


@pytest.mark.parametrize(
    ("since", "text"),
    [
        ((3, 11), "try:\n    pass\nexcept* ValueError:\n    pass\n"),
        ((3, 12), "type A = int\n"),
        ((3, 12), "def f[T](x: T) -> T: ...\n"),
        ((3, 12), "class A[T]: ...\n"),
        ((3, 12), "a = {}\nb = f'{a['x']}'\n"),
        ((3, 14), "a = t'{1}'\n"),
        ((3, 14), "try:\n    pass\nexcept ValueError, TypeError:\n    pass\n"),
    ],
)
def test_newer_syntax_than_this_interpreter_has(since: tuple[int, int], text: str) -> None:
    module = parse_module(TextTree({"a.py": text}), "a.py")
    if sys.version_info[:2] >= since:
        assert module.problem is None
        assert problem_on(module, since) is None
    else:
        assert module.problem is not None
        assert module.problem.kind == "unknown"
        later = problem_on(module, since)
        assert later is not None
        assert later.kind == "unknown"
        own = problem_on(module, sys.version_info[:2])
        assert own is not None
        assert own.kind == "syntax"


def test_syntax_that_no_version_has() -> None:
    for text in ("def f(:\n", "x = = 1\n", "return = 3\n", "if x\n    y\n"):
        module = parse_module(TextTree({"a.py": text}), "a.py")
        found = problem_on(module, (3, 14))
        assert found is not None
        assert found.kind == "syntax"


def test_what_only_the_compiler_sees() -> None:
    module = parse_module(TextTree({"a.py": "x = 1\nreturn x\n"}), "a.py")
    assert problem_on(module, (3, 13)) is None
    found = problem_on(module, (3, 13), compiled=True)
    assert found is not None
    assert (found.kind, found.line) == ("syntax", 2)
