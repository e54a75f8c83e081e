from __future__ import annotations

import json
from pathlib import Path

import pytest

from azpack.app.collect import collect_files
from azpack.app.functions import http_path
from azpack.app.functions.reading import declared_script, read_app, route_prefix
from azpack.app.modules import _cache_of
from azpack.app.tree_folder import FolderTree
from azpack.checks.rules import load_rules
from azpack.target.target import find_target
from tests.fixture_apps import APPS, copy_app
from tests.function_apps import APP, HEAD, HTTP, PAGES, ROUTE, V1_APPS, V2_APPS, files_of
from tests.function_apps import function_json as function_table
from tests.unit.app.functions.trees import TextTree

TARGET = find_target(Path(), python="3.13")


def read(files: dict[str, str | bytes], **more: str) -> list[str]:
    """The findings as lines."""
    model = read_app(TextTree(files), TARGET, **more)  # type: ignore[arg-type]
    return [f"{it.code} {it.path}:{it.line} {it.message}" for it in model.findings]


def codes(files: dict[str, str | bytes]) -> list[str]:
    return [it.code for it in read_app(TextTree(files), TARGET).findings]


@pytest.mark.parametrize("name", V2_APPS)
def test_apps_of_the_v2_model(name: str) -> None:
    app = V2_APPS[name]
    model = read_app(TextTree(app.files), TARGET)
    assert sorted(it.code for it in model.findings) == sorted(app.codes), model.findings
    if not app.unknown and (app.by_host or not app.codes):
        assert [it.name for it in model.functions] == list(app.functions)
    assert bool(model.unknown) == app.unknown, model.unknown
    rules = load_rules()
    for finding in model.findings:
        assert finding.path in app.files
        assert finding.line is not None
        assert finding.hint
        assert finding.severity == rules[finding.code].severity


@pytest.mark.parametrize("name", V1_APPS)
def test_apps_of_the_v1_model(name: str) -> None:
    app = V1_APPS[name]
    files = files_of(app)
    model = read_app(TextTree(files), TARGET)
    assert sorted(it.code for it in model.findings) == sorted(app.codes), model.findings
    assert [it.name for it in model.functions] == [app.folder]
    rules = load_rules()
    for finding in model.findings:
        assert finding.path in files
        assert finding.hint
        assert finding.severity == rules[finding.code].severity


@pytest.mark.parametrize("folder", sorted(it.name for it in APPS.iterdir()))
def test_fixtures_are_in_order(folder: str) -> None:
    tree = FolderTree(collect_files(APPS / folder))
    model = read_app(tree, TARGET, left_out=tree.left_out)
    assert not model.findings
    assert not model.unknown
    assert all(it.trigger is not None and it.parameters is not None for it in model.functions)


def test_bindings_are_read_with_their_settings() -> None:
    app = (
        "@app.route(route='a/{id}', methods=['get', func.HttpMethod.POST], auth_level='admin')\n"
        "@app.blob_output(arg_name='out', path='x/y', connection='C', data_type='binary')\n"
        "def f(req, out: func.Out[bytes]): ...\n" + ROUTE
    )
    f, hello = read_app(TextTree({"function_app.py": APP + app}), TARGET).functions
    assert (f.script, f.line, f.parameters) == ("function_app.py", 5, ("req", "out"))
    assert [(it.name, it.type, it.direction, it.line) for it in f.bindings] == [
        ("out", "blob", "out", 4),
        ("req", "httpTrigger", "in", 3),
        ("$return", "http", "out", 3),
    ]
    assert f.bindings[0].settings == {"path": "x/y", "connection": "C"}
    assert f.trigger is not None
    assert f.trigger.settings == {
        "route": "a/{id}", "methods": ["GET", "POST"], "authLevel": "admin",
    }  # fmt: skip
    assert http_path(f, "api") == "/api/a/{id}"
    assert http_path(hello, "") == "/hello"
    assert http_path(hello, "/v1/") == "/v1/hello"
    assert http_path(hello, None) is None


def test_path_of_what_is_no_http_function() -> None:
    app = APP + "@app.timer_trigger(arg_name='t', schedule='0 * * * * *')\ndef f(t): ...\n"
    app += "import os\n@app.route(route=os.environ['R'])\ndef g(req): ...\n"
    timer, dynamic = read_app(TextTree({"function_app.py": app}), TARGET).functions
    assert http_path(timer, "api") is None
    assert http_path(dynamic, "api") is None


@pytest.mark.parametrize(
    ("host", "prefix"),
    [
        ("{}", "api"),
        ('{"extensions": {"http": {"routePrefix": ""}}} // none', ""),
        ('{"extensions": {"http": {"routePrefix": "v1"}}}', "v1"),
        ('{"extensions": []}', "api"),
        ("[", None),
        (None, None),
    ],
)
def test_route_prefix(host: str | None, prefix: str | None) -> None:
    assert route_prefix(TextTree({} if host is None else {"host.json": host})) == prefix


def test_no_function_at_all() -> None:
    (line,) = read({"host.json": "{}", "main.py": "x = 1\n", "a/b/function.json": "{}"})
    assert line.startswith("AZP104 None:None there is no function: no function_app.py")


def test_script_by_another_name() -> None:
    files: dict[str, str | bytes] = {"main.py": APP + ROUTE, "other.py": "x = 1\n"}
    (finding,) = (model := read_app(TextTree(files), TARGET)).findings
    assert (finding.code, finding.severity, finding.path) == ("AZP104", "warning", "main.py")
    assert "PYTHON_SCRIPT_FILE_NAME" in (finding.hint or "")
    assert [it.name for it in model.functions] == ["hello"]
    assert not read(files, script="main.py")


def test_setting_names_the_script(tmp_path: Path) -> None:
    assert declared_script(tmp_path) is None
    settings = tmp_path / "local.settings.json"
    for text, name in [
        ('{"Values": {"PYTHON_SCRIPT_FILE_NAME": "main.py"}} // x', "main.py"),
        ('{"Values": {"PYTHON_SCRIPT_FILE_NAME": "../main.py"}}', None),
        ('{"Values": 3}', None),
        ("[]", None),
        ("{", None),
    ]:
        settings.write_text(text)
        assert declared_script(tmp_path) == name


def test_both_models() -> None:
    files: dict[str, str | bytes] = {**files_of(V1_APPS["plain"]), "function_app.py": APP + ROUTE}
    model = read_app(TextTree(files), TARGET)
    assert [it.code for it in model.findings] == ["AZP105"]
    assert model.models == {"v1", "v2"}
    assert [it.name for it in model.functions] == ["Hello", "hello"]
    # A folder further down is no function's.
    assert not codes({"function_app.py": APP + ROUTE, "docs/a/function.json": "{}"})


def ignoring(root: Path, rules: str, files: dict[str, str]) -> list[str]:
    for path, text in {**files, ".funcignore": rules, "host.json": "{}"}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    tree = FolderTree(collect_files(root))
    model = read_app(tree, TARGET, left_out=tree.left_out)
    return [f"{it.code} {it.path}:{it.line} {it.message} {it.hint}" for it in model.findings]


def test_script_that_is_ignored(tmp_path: Path) -> None:
    (line,) = ignoring(tmp_path, "function_*", {"function_app.py": APP + ROUTE})
    assert line.startswith("AZP111 function_app.py:None function_app.py, which has the functions")
    assert ".funcignore:1" in line


def test_function_json_that_is_ignored(tmp_path: Path) -> None:
    files = files_of(V1_APPS["plain"])
    (line,) = ignoring(tmp_path, "*.json\n!host.json", files)
    assert line.startswith("AZP111 Hello/function.json:None Hello/function.json is left out")


def test_script_file_that_is_ignored(tmp_path: Path) -> None:
    files = {"Hello/function.json": json.dumps(function_table(scriptFile="run.py")),
             "Hello/run.py": "def main(req): ...\n"}  # fmt: skip
    (line,) = ignoring(tmp_path, "# none\nrun.py", files)
    assert line.startswith("AZP111 Hello/function.json:1 its script Hello/run.py is left out")


def test_imports_that_are_ignored(tmp_path: Path) -> None:
    files = {
        "function_app.py": APP + "from shared import rates\nimport json\n"
        "try:\n    import extra\nexcept ImportError:\n    extra = None\n" + ROUTE,
        "shared/__init__.py": "",
        "shared/rates.py": "from .tables import VAT\n",
        "shared/tables.py": "VAT = 1\n",
        "extra.py": "",
        "json.txt": "",
    }
    assert not ignoring(tmp_path, "json.txt", files)
    lines = ignoring(tmp_path, "extra.py\ntables.py\nshared/__init__.py", files)
    assert [line.partition(", imported")[0] for line in lines] == [
        "AZP111 function_app.py:3 shared/__init__.py",
        "AZP111 shared/rates.py:1 shared/tables.py",
    ]


def test_folder_of_data_with_the_name_of_a_library(tmp_path: Path) -> None:
    files = {"function_app.py": APP + "import redis\n" + ROUTE, "redis/dump.rdb": ""}
    assert not ignoring(tmp_path, "redis/", files)


def test_newer_syntax_than_the_target_has() -> None:
    app = APP + "type Name = str\n" + ROUTE
    old = find_target(Path(), python="3.11")
    new = find_target(Path(), python="3.13")
    tree = TextTree({"function_app.py": app})
    assert [it.code for it in read_app(tree, old).findings] == ["AZP301"]
    assert not read_app(TextTree({"function_app.py": app}), new).findings


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"\xef\xbb\xbf" + (APP + ROUTE).encode(), None),
        (b"# coding: latin-1\nname = '\xe9'\n" + (APP + ROUTE).encode(), None),
        (b"# coding: no-such\n" + APP.encode(), "AZP301"),
        (b"name = '\xe9'\n" + APP.encode(), "AZP301"),
        (APP.encode() + b"x = '\0'\n", "AZP301"),
        (b"", "AZP302"),
        ((APP + ROUTE).replace("\n", "\r\n").encode(), None),
        (b"\xff\xfe" + (APP + ROUTE).encode("utf-16-le"), "AZP301"),
    ],
)
def test_encodings(text: bytes, code: str | None) -> None:
    assert codes({"function_app.py": text}) == ([code] if code else [])


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "-" * 100_000 + "1",
        "x = " + "a." * 50_000 + "b",
        "x = " + "+".join(["1"] * 50_000),
        "f" + "()" * 20_000,
        "x = [" * 90 + "]" * 90,
        "\n".join(" " * at + "if x:" for at in range(99)) + "\n" + " " * 99 + "y = 1",
        "x = y = " * 5_000 + "1",
    ],
)
def test_hostile_files_are_not_known(text: str) -> None:
    model = read_app(TextTree({"function_app.py": APP + ROUTE + text + "\n"}), TARGET)
    assert {it.code for it in model.findings} <= {"AZP301"}
    json_files = {"Hello/function.json": '{"bindings": ' + "[" * 100_000, "Hello/main.py": text}
    assert codes(dict(json_files)) == ["AZP201"]


def test_too_large_a_file() -> None:
    text = APP + ROUTE + "#" * (5 << 20)
    model = read_app(TextTree({"function_app.py": text}), TARGET)
    assert not model.findings
    assert model.unknown == ("function_app.py: it is too large to be read",)


def test_names_that_look_like_modules() -> None:
    for line in ("from . import *", "from .. import a", "from ... import b", "import .x",
                 "from .a.b import c", "import a.b.c as d", "from a import (b,", "import",
                 "from azure.functions import *", "import function_app"):  # fmt: skip
        read({"function_app.py": APP + ROUTE + line + "\n", "a/__init__.py": line})


def test_function_json_as_the_host_reads_it() -> None:
    text = "// by hand\n{'scriptFile': '__init__.py', bindings: [" + json.dumps(HTTP) + ",],}"
    files = {"Hello/function.json": text, "Hello/__init__.py": "def main(req): ...\n"}
    assert not codes(dict(files))
    files["Hello/function.json"] = '{\n "bindings": [\n  {"type" "httpTrigger"}]}'
    (line,) = read(dict(files))
    assert line.startswith("AZP201 Hello/function.json:3 it is not valid JSON")
    files["Hello/function.json"] = "[]"
    assert codes(dict(files)) == ["AZP201"]


def test_odd_values_in_function_json() -> None:
    tables: tuple[dict[str, object], ...] = (
        {"bindings": {}}, {"bindings": [3]}, {"bindings": [{}]}, {"scriptFile": 3, "bindings": 3},
        {"bindings": [{"type": 1, "name": 2, "direction": 3}]},
        {"bindings": [{"type": "x", "name": "", "direction": None}]},
        {"bindings": [HTTP], "entryPoint": 3, "scriptFile": "../../../etc/passwd"},
        {"bindings": [HTTP], "scriptFile": "/etc/passwd"},
        {"bindings": [HTTP], "scriptFile": "..\\x.py"},
    )  # fmt: skip
    for table in tables:
        files = {"Hello/function.json": json.dumps(table), "Hello/__init__.py": "main = 1\n"}
        found = codes(dict(files))
        assert found
        assert all(code.startswith("AZP2") for code in found)


def test_other_case_of_a_script() -> None:
    files = {"Hello/function.json": json.dumps(function_table(scriptFile="Run.py")),
             "Hello/run.py": "def main(req): ...\n"}  # fmt: skip
    model = read_app(TextTree(files), TARGET)
    assert model.findings[0].hint == "there is Hello/run.py: upper and lower case count"


def test_only_what_is_needed_is_parsed() -> None:
    files = {f"helpers/m{at}.py": f"from helpers import m{at + 1}\n" for at in range(100)}
    files |= {"helpers/__init__.py": "", "function_app.py": APP + "import helpers.m1\n" + ROUTE}
    tree = TextTree(files)
    assert not read_app(tree, TARGET).findings
    assert set(_cache_of(tree).modules) == {"function_app.py"}


def test_star_import_of_the_library() -> None:
    app = "from azure.functions import *\napp = FunctionApp()\n" + ROUTE
    model = read_app(TextTree({"function_app.py": app}), TARGET)
    assert [it.name for it in model.functions] == ["hello"]
    assert not model.findings


def test_blueprints_of_tests_are_left_alone() -> None:
    assert not codes({"function_app.py": APP + ROUTE, "tests/pages.py": PAGES})


def test_app_that_a_library_makes() -> None:
    for line in ("from agents import create_function_app\napp = create_function_app()\n",
                 "import lib\napp = lib.make_app()\n", "from lib import *\n"):  # fmt: skip
        assert not codes({"function_app.py": line})
    assert codes({"function_app.py": "from fastapi import FastAPI\napp = FastAPI()\n"}) == [
        "AZP302"
    ]
    assert codes({"function_app.py": HEAD}) == ["AZP302"]


def test_reading_runs_nothing(tmp_path: Path) -> None:
    app = copy_app("v2-blueprint", tmp_path)
    trap = tmp_path / "trap"
    code = f"open({str(trap)!r}, 'w')\n"
    (app / "function_app.py").write_text(code + APP + ROUTE + code)
    tree = FolderTree(collect_files(app))
    read_app(tree, TARGET)
    assert not trap.exists()


def test_classes_of_a_later_library_are_not_judged() -> None:
    text = APP + "@app.route()\ndef f(req: func.NewRequest) -> func.NewResponse: ...\n"
    assert not codes({"function_app.py": text})


@pytest.mark.parametrize(("python", "found"), [("3.10", []), ("3.11", ["AZP307"])])
def test_lists_were_classes_before(python: str, found: list[str]) -> None:
    """isinstance(list[str], type) is true in Python 3.10."""
    text = APP + "@app.activity_trigger(input_name='x')\ndef f(x: list[str]): ...\n"
    target = find_target(Path(), python=python)
    model = read_app(TextTree({"function_app.py": text}), target)
    assert [it.code for it in model.findings] == found


def test_parameters_of_types_are_not_judged() -> None:
    text = APP + "@app.route()\ndef f[T](req: T) -> T: ...\n"
    assert not codes({"function_app.py": text})


def test_syntax_errors_in_modules_that_others_may_hide() -> None:
    files: dict[str, str | bytes] = {
        "function_app.py": APP + "import types\nimport rates\n" + ROUTE,
        "types.py": "x = = 1\n",
        "rates.py": "x = = 1\n",
    }
    assert read(files) == [
        (
            "AZP301 rates.py:1 Python 3.13 can't read it: invalid syntax (imported by "
            "function_app.py:4), so Azure lists no function of the app"
        )
    ]
    assert not codes(files | {".python_packages/lib/site-packages/rates.py": ""})
