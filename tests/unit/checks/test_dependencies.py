from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from azpack.app.collect import collect_files
from azpack.checks.project import check_project
from azpack.checks.selection import Selection
from azpack.target.target import find_target
from tests.packages import APP, SITE, codes_of, distribution, findings_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from azpack.findings import Finding

ONLY = Selection(select=("AZP4",))
SCRIPT = APP["function_app.py"]


def project(folder: Path, files: Mapping[str, bytes], *, python: str = "3.11") -> list[Finding]:
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    target = find_target(folder, python=python)
    return list(check_project(collect_files(folder), target, ONLY))


def importing(*lines: str) -> dict[str, bytes]:
    return {**APP, "function_app.py": "\n".join(lines).encode() + b"\n" + SCRIPT}


def test_no_list_of_dependencies(tmp_path: Path) -> None:
    found = project(tmp_path, importing("import requests, numpy.linalg", "import os"))
    assert codes_of(found) == [("AZP401", "error")]
    assert (found[0].path, found[0].line) == ("function_app.py", 1)
    assert "imports numpy, requests, and no file" in found[0].message


@pytest.mark.parametrize(
    "listed", ["requirements.txt", "pyproject.toml", "uv.lock", "requirements-prod.txt"]
)
def test_list_of_dependencies(listed: str, tmp_path: Path) -> None:
    content = b"requests\n" if listed.endswith(".txt") else b""
    assert project(tmp_path, {**importing("import requests"), listed: content}) == []


def test_list_that_is_left_out_of_the_package(tmp_path: Path) -> None:
    files = {**importing("import requests"), "requirements.txt": b"requests\n"}
    assert project(tmp_path, {**files, ".funcignore": b"requirements.txt\n"}) == []


def test_empty_list_of_dependencies(tmp_path: Path) -> None:
    files = {**importing("import requests", "import grpc"), "requirements.txt": b"# none\n"}
    assert codes_of(project(tmp_path, files)) == [("AZP403", "error")]


def test_nothing_to_list(tmp_path: Path) -> None:
    code = importing(
        "import os, json.decoder, tomllib, azure.functions",
        "import own, namespace.inner",
        "import google.protobuf.message, grpc, dateutil.parser",
        "try:", "    import ujson", "except ImportError:", "    import orjson as ujson",
        "from typing import TYPE_CHECKING", "if TYPE_CHECKING:", "    import mypy_extensions",
    )  # fmt: skip
    files = {**code, "own.py": b"import own2\n", "own2.py": b"", "namespace/inner.py": b""}
    assert project(tmp_path, files) == []


def test_modules_that_nothing_loads_do_not_count(tmp_path: Path) -> None:
    assert project(tmp_path, {**APP, "tests/test_it.py": b"import pytest\n"}) == []


def test_imports_through_own_modules(tmp_path: Path) -> None:
    files = {**importing("from pkg.sub import a"), "pkg/sub/a.py": b"\nimport requests\n"}
    (finding,) = project(tmp_path, files)
    assert (finding.code, finding.path, finding.line) == ("AZP401", "pkg/sub/a.py", 2)


def test_imports_that_run_later(tmp_path: Path) -> None:
    found = project(tmp_path, importing("def late():", "    import requests"))
    assert codes_of(found) == [("AZP401", "warning")]


def test_standard_library_of_the_target(tmp_path: Path) -> None:
    code = importing("import distutils.util")
    assert project(tmp_path, code, python="3.11") == []
    assert codes_of(project(tmp_path, code, python="3.12")) == [("AZP401", "error")]


@pytest.mark.parametrize(
    ("statement", "provided"),
    [
        ("import one", True),
        ("import one.anything", True),
        ("from one import anything", True),
        ("import two", False),
        ("import shared.inner", True),
        ("from shared import inner", True),
        ("from shared import missing", False),
        ("import azure.storage.blob", True),
        ("from azure.storage.blob import BlobClient", True),
        ("import azure.cosmos", False),
        ("from azure import functions", True),
        ("from google.cloud import storage", False),
        ("import fast", True),
        ("import six", True),
        ("import imp", True),
    ],
)
def test_what_a_package_provides(statement: str, provided: bool, tmp_path: Path) -> None:
    files = {
        "one/__init__.py": b"", "shared/inner/__init__.py": b"",
        "azure/storage/blob/__init__.py": b"", "fast.abi3.so": b"",
    }  # fmt: skip
    found = findings_of(tmp_path, importing(statement), distribution("one", files=files))
    assert codes_of(found) == ([] if provided else [("AZP403", "error")])
    if not provided:
        assert (found[0].path, found[0].line) == ("function_app.py", 1)


def test_imports_that_may_not_run(tmp_path: Path) -> None:
    code = importing("import os, sys", "if os.getenv('DEBUG'):", "    import debugpy")
    assert codes_of(findings_of(tmp_path, code, distribution("one"))) == [("AZP403", "warning")]
    code = importing("import sys", "if sys.platform == 'win32':", "    import win32api")
    assert findings_of(tmp_path, code, distribution("one")) == []


def test_distutils_of_setuptools(tmp_path: Path) -> None:
    code = importing("import setuptools, distutils.util")
    files = {"setuptools/__init__.py": b"", "_distutils_hack/__init__.py": b""}
    part = distribution("setuptools", files=files)
    assert findings_of(tmp_path, code, part, python="3.13") == []
    part = distribution("setuptools", files={"setuptools/__init__.py": b""})
    found = findings_of(tmp_path, code, part, python="3.13")
    assert codes_of(found) == [("AZP403", "error")]


def test_what_is_known_to_be_brought(tmp_path: Path) -> None:
    files = {**importing("import one.a, two"), "requirements.txt": b"one\n"}
    assert project(tmp_path, files) == []
    for brought in ((), (f"{SITE}one/__init__.py",)):
        found = check_project(
            collect_files(tmp_path), find_target(tmp_path, python="3.11"), ONLY, brought=brought
        )
        names = [finding.message.split()[4].rstrip(":") for finding in found]
        assert names == (["two"] if brought else ["one.a", "two"])
        assert set(codes_of(found)) == {("AZP403", "error")}


@pytest.mark.parametrize(
    "listed", ["two\n".encode("utf-16"), b"-r more.txt\n", b"-r ignored/more.txt\n"]
)
def test_what_a_list_will_bring_is_not_known(listed: bytes, tmp_path: Path) -> None:
    files = {
        **importing("import two"), "requirements.txt": listed,
        "ignored/more.txt": b"two\n", ".funcignore": b"ignored/\n",
    }  # fmt: skip
    assert project(tmp_path, files) == []


def test_the_distribution_of_a_well_known_module_is_named(tmp_path: Path) -> None:
    code = importing("from PIL import Image", "import pill")
    named, unnamed = findings_of(tmp_path, code, distribution("one"))
    assert named.hint == "list Pillow, which has it, or mend the name"
    assert unnamed.hint == "list the distribution that has it, or mend the name"


def test_one_finding_for_an_import(tmp_path: Path) -> None:
    found = findings_of(
        tmp_path, importing("from two import a, b", "import two"), distribution("one")
    )
    assert [finding.line for finding in found] == [1]


def test_module_beside_the_script(tmp_path: Path) -> None:
    files = {
        "host.json": APP["host.json"],
        "Fn/__init__.py": b"import helper\n\n\ndef main(timer):\n    return helper.x\n",
        "Fn/helper.py": b"x = 1\n",
        "Fn/function.json": b'{"bindings": [{"name": "timer", "type": "timerTrigger", '
        b'"direction": "in", "schedule": "0 0 * * * *"}]}',
    }
    (finding,) = findings_of(tmp_path, files, distribution("one"))
    assert finding.code == "AZP403"
    assert "from . import helper" in (finding.hint or "")
    changed = {
        **files,
        "Fn/__init__.py": b"import sys\nsys.path.append('Fn')\n" + files["Fn/__init__.py"],
    }
    assert findings_of(tmp_path, changed, distribution("one")) == []


def test_worker_in_the_list(tmp_path: Path) -> None:
    listed = {"requirements.txt": b"azure-functions\nazure-functions-worker==1.2\n"}
    found = project(tmp_path, {**APP, **listed})
    assert codes_of(found) == [("AZP402", "warning")]
    assert (found[0].path, found[0].line) == ("requirements.txt", 2)


def test_worker_in_the_package(tmp_path: Path) -> None:
    found = findings_of(tmp_path, APP, distribution("azure-functions-worker"))
    assert codes_of(found) == [("AZP402", "warning")]


@pytest.mark.parametrize(
    ("text", "python", "fits"),
    [
        ("azure-functions", "3.11", True),
        ("azure-functions==1.26.*", "3.11", True),
        ("azure-functions>=1.20", "3.13", True),
        ("azure-functions==2.1.0", "3.12", False),
        ("azure-functions>=2", "3.11", False),
        ("azure-functions==2.0.0b4", "3.13", True),
        ("azure-functions==1.26.0", "3.13", False),
        ("azure-functions~=1.26.1", "3.13", False),
        ("azure-functions==1.21.3", "3.13", True),
        ('azure-functions==2.1.0; python_version >= "3.13"', "3.12", True),
    ],
)
def test_azure_functions(text: str, python: str, fits: bool, tmp_path: Path) -> None:
    found = project(tmp_path, {**APP, "requirements.txt": text.encode()}, python=python)
    assert codes_of(found) == ([] if fits else [("AZP406", "error")])


@pytest.mark.parametrize(
    ("version", "python", "fits"),
    [
        ("1.26.0", "3.12", True),
        ("2.0.0", "3.12", False),
        ("2.0.0", "3.13", True),
        ("1.26.0", "3.13", False),
    ],
)
def test_azure_functions_in_the_package(
    version: str, python: str, fits: bool, tmp_path: Path
) -> None:
    part = distribution("azure-functions", version, {"azure/functions/__init__.py": b""})
    found = findings_of(tmp_path, APP, part, python=python)
    assert codes_of(found) == ([] if fits else [("AZP406", "error")])


@pytest.mark.parametrize("name", ["pywin32", "pyobjc-core", "winrt-Windows.Foundation"])
def test_other_systems(name: str, tmp_path: Path) -> None:
    files = {**APP, "requirements.txt": f"{name}==1\n".encode()}
    assert codes_of(project(tmp_path, files)) == [("AZP408", "error")]
    files["requirements.txt"] = f'{name}; sys_platform == "win32"\n'.encode()
    assert project(tmp_path, files) == []
    assert codes_of(findings_of(tmp_path, APP, distribution(name))) == [("AZP408", "error")]


@pytest.mark.parametrize(
    ("name", "version", "python", "severity"),
    [
        ("grpcio", "1.80.0", "3.12", "warning"),
        ("grpcio", "1.59.3", "3.12", None),
        ("grpcio", "1.80.0", "3.13", None),
        ("protobuf", "6.32.0", "3.11", "warning"),
        ("protobuf", "3.19.6", "3.11", "error"),
        ("protobuf", "4.25.8", "3.11", None),
        ("protobuf", "odd", "3.11", "warning"),
    ],
)
def test_shadows(
    name: str, version: str, python: str, severity: str | None, tmp_path: Path
) -> None:
    expected = [("AZP409", severity)] if severity else []
    found = findings_of(tmp_path, APP, distribution(name, version), python=python)
    assert codes_of(found) == expected
    if version != "odd":
        listed = {"requirements.txt": f"{name}=={version}\n".encode()}
        assert codes_of(project(tmp_path, {**APP, **listed}, python=python)) == expected


def test_one_finding_for_what_is_listed_and_packed(tmp_path: Path) -> None:
    files = {**APP, "requirements.txt": b"\ngrpcio<2\ngrpcio>1 # again\n"}
    part = distribution("grpcio", "1.80.0", {"grpc/__init__.py": b""})
    (finding,) = findings_of(tmp_path, files, part)
    assert (finding.code, finding.path, finding.line) == ("AZP409", "requirements.txt", 2)
    assert "grpcio 1.80.0 takes" in finding.message
    assert findings_of(tmp_path, files, distribution("grpcio", "1.59.3")) == []


def test_lines_of_requirements(tmp_path: Path) -> None:
    listed = {
        "requirements.txt": b"\xef\xbb\xbf--index-url https://x\n"
        b"-r more/base.txt\n-r more/none.txt\n"
        b"-e .\n./local\nhttps://x/y.whl\nonly @ https://x/y.zip\n# pywin32\n",
        "more/base.txt": b"-r ../requirements.txt\nPyWin32 == 1 \\\n    --hash=sha256:0\n",
    }
    found = project(tmp_path, {**APP, **listed})
    assert [(f.code, f.path, f.line) for f in found] == [("AZP408", "more/base.txt", 2)]


def test_package_that_has_its_dependencies_elsewhere(tmp_path: Path) -> None:
    elsewhere = distribution("one", root=SITE.replace("site", "other"))
    found = findings_of(tmp_path, importing("import one"), elsewhere)
    assert "AZP502" in dict(codes_of(found))
