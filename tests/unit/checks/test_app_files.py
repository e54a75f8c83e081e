from __future__ import annotations

import pytest

from azpack.checks import app_files
from tests.unit.checks.subjects import codes, found, package_of

SITE = ".python_packages/lib/site-packages"


@pytest.mark.parametrize(
    ("path", "plan", "severity"),
    [
        ("typing.py", "premium", "error"),
        ("typing.py", "dedicated", "error"),
        ("typing.py", "flex", "warning"),
        ("logging/__init__.py", "premium", "error"),
        ("queue.py", "premium", "error"),
        ("azure/__init__.py", "premium", "error"),
        ("azure.py", "flex", "warning"),
        ("grpc/__init__.py", "dedicated", "error"),
        ("calendar.py", "premium", "warning"),
        ("email/__init__.py", "flex", "warning"),
        ("shipped/__init__.py", "flex", "warning"),
        ("single.py", "flex", "warning"),
        ("native.py", "premium", "warning"),
        ("dateutil/__init__.py", "flex", "warning"),
    ],
)
def test_hidden_modules(path: str, plan: str, severity: str) -> None:
    shipped = (f"{SITE}/shipped/__init__.py", f"{SITE}/single.py", f"{SITE}/native.abi3.so")
    subject = package_of({path: "", **dict.fromkeys(shipped, "")}, plan=plan)
    (finding,) = found(app_files.check, subject)
    assert (finding.code, finding.severity, finding.path) == ("AZP106", severity, path)


@pytest.mark.parametrize(
    "path",
    [
        "helpers.py",
        "shared/typing.py",
        "email/function.json",  # a function of that name, no package
        "azure/mine.py",  # a namespace
        "test/__init__.py",
        "tests/__init__.py",
        "distutils/__init__.py",  # gone with Python 3.12
        f"{SITE}/typing.py",
    ],
)
def test_modules_that_hide_nothing(path: str) -> None:
    assert codes(app_files.check, package_of({path: ""}, plan="premium")) == []


def test_what_is_of_the_library_depends_on_the_target() -> None:
    files = {"distutils/__init__.py": ""}
    assert codes(app_files.check, package_of(files, python="3.11")) == ["AZP106"]


@pytest.mark.parametrize(
    ("path", "text", "hint"),
    [
        ("f/__init__.py", "from __app__.shared import helper", "from shared import helper"),
        ("f/__init__.py", "\nimport __app__.shared.helper\n", "import shared.helper"),
        ("f/__init__.py", "from ..shared import helper", "from shared import helper"),
        ("f/g/h.py", "x = 1; from ...shared import a, b", "from shared import a, b"),
        ("function_app.py", "from . import helper", "import helper"),
        ("function_app.py", "def f():\n    from .shared import a\n", "from shared import a"),
        ("function_app.py", "if x: from . import helper", "import helper"),
        ("function_app.py", "from \\\n . import helper", "import helper"),
    ],
)  # fmt: skip
def test_imports_of_the_root(path: str, text: str, hint: str) -> None:
    (finding,) = found(app_files.check, package_of({path: text}))
    assert (finding.code, finding.severity, finding.path) == ("AZP107", "warning", path)
    assert finding.line == text.splitlines().index(text.strip().splitlines()[-1]) + 1 or (
        "\\" in text
    )
    assert finding.hint == f"import from the root: {hint}"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("f/__init__.py", "from .shared import helper"),
        ("f/__init__.py", "from . import helper"),
        ("f/g/h.py", "from ..shared import helper"),
        ("f/__init__.py", "'''\nfrom __app__ import x\nfrom ...y import z\n'''"),
        ("f/__init__.py", "# from __app__ import x"),
        ("function_app.py", "if TYPE_CHECKING:\n    from .x import y\n"),
        ("function_app.py", "from .. import (\n"),  # a syntax error is another rule's
        (f"{SITE}/x.py", "from .. import y"),
    ],
)
def test_imports_within_packages(path: str, text: str) -> None:
    assert codes(app_files.check, package_of({path: text})) == []


def test_folders_without_init() -> None:
    files = {
        "function_app.py": "import os\nfrom shared import helper\nimport shared.other\n",
        "shared/helper.py": "",
        "shared/other.py": "from shared.deep.er import x",
        "shared/deep/er.py": "",
    }
    findings = found(app_files.check, package_of(files))
    assert [(it.code, it.path, it.line) for it in findings] == [
        ("AZP108", "function_app.py", 2),
        ("AZP108", "shared/other.py", 1),
    ]
    assert [it.hint for it in findings] == [
        "add an empty shared/__init__.py",
        "add an empty shared/deep/__init__.py",
    ]
    whole = {**files, "shared/__init__.py": "", "shared/deep/__init__.py": ""}
    assert codes(app_files.check, package_of(whole)) == []


@pytest.mark.parametrize(
    "files",
    [
        # The distribution's, whatever lies in a folder of that name.
        {"function_app.py": "import docs.api", "docs/conf.py": ""},
        {"function_app.py": "from yaml import load", "yaml/notes.txt": ""},
        {"function_app.py": "print('shared')", "shared/helper.py": ""},
        {"f/main.py": "from .shared import helper", "f/shared/helper.py": ""},
    ],
)
def test_folders_that_need_no_init(files: dict[str, str]) -> None:
    assert codes(app_files.check, package_of(files)) == []


def test_paths_that_differ_by_case() -> None:
    files = {"Shared/a.py": "", "shared/A.py": "", "shared/b.py": "", "Straße": "", "STRASSE": ""}
    findings = found(app_files.check, package_of(files))
    assert [(it.code, it.path) for it in findings] == [
        ("AZP109", "Straße"),
        ("AZP109", "shared/A.py"),
    ]
    assert "Shared/a.py" in findings[1].message
    assert codes(app_files.check, package_of({"Shared/a.py": "", "shared/b.py": ""})) == []
