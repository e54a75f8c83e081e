"""`azpack check`, as a user and as build services run it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

from azpack.checks.rules import load_rules
from tests.commands import Azpack, make_app
from tests.distributions import make_wheel
from tests.fixture_apps import APPS, copy_app
from tests.objects import make_object

if TYPE_CHECKING:
    from collections.abc import Mapping

IGNORED = (
    "the host knows no functionTimout in host.json, and ignores it (perhaps you meant "
    "functionTimeout)"
)
FUNCTION = """\
import azure.functions as func

app = func.FunctionApp()


@app.route("hello")
def hello(req: func.HttpRequest) -> str:
    return "hello"
"""
HOST = """\
{
  "version": "2.0", // of the file
  "functionTimout": "00:05:00"
}
"""
# As outside of any build service.
OUTSIDE = dict.fromkeys(
    ("GITHUB_ACTIONS", "TF_BUILD", "GITHUB_WORKSPACE", "BUILD_SOURCESDIRECTORY"), ""
)


@pytest.fixture
def azpack(tmp_path: Path) -> Azpack:
    return Azpack(tmp_path, **OUTSIDE, AZPACK_IGNORE="", AZPACK_PYTHON="3.12")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app with a warning of each of two rules."""
    files = {"function_app.py": FUNCTION, "host.json": HOST, "calendar.py": ""}
    return make_app(tmp_path / "repo" / "my app", files=files)


@pytest.mark.parametrize("name", sorted(path.name for path in APPS.iterdir()))
def test_the_fixtures_are_sound(azpack: Azpack, tmp_path: Path, name: str) -> None:
    done = azpack.run("check", copy_app(name, tmp_path), "--json")
    findings = done.data()["findings"]
    assert {row["severity"] for row in findings} <= {"info"}, findings


def test_text(azpack: Azpack, app: Path) -> None:
    done = azpack.run("check", app)
    assert done.code == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.decode().splitlines() == [
        "calendar.py",
        "  warning AZP106: calendar.py has the name of a module of the standard library",
        "    of Python 3.12: on the flex plan `import calendar` gives that one, not this",
        "    hint: rename it, or move it into a package of yours",
        "",
        "host.json",
        "  3: warning AZP114: the host knows no functionTimout in host.json, and ignores",
        "    it",
        "    hint: perhaps you meant functionTimeout",
        "",
        "2 warnings in 4 files; 'azpack check --explain CODE' says more",
    ]
    assert not azpack.run("check", app, "-q").stdout.decode().endswith("more\n")


def test_what_makes_it_fail(azpack: Azpack, app: Path) -> None:
    assert azpack.run("check", app).code == 0
    assert azpack.run("check", app, "--fail-on", "warning").code == 1
    assert azpack.run("check", app, environment={"AZPACK_FAIL_ON": "warning"}).code == 1
    # An error: on this plan the app's folder comes first.
    (app / "typing.py").touch()
    assert azpack.run("check", app).code == 0
    assert azpack.run("check", app, "--plan", "premium").code == 1
    assert azpack.run("check", app, "--plan", "premium", "--fail-on", "never").code == 0
    assert azpack.run("check", app, "--plan", "premium", "--exclude", "typing.py").code == 0


def test_json(azpack: Azpack, app: Path) -> None:
    for arguments in (["--json"], ["--format", "json"]):
        data = azpack.run("check", app, *arguments).data()
        assert data["files"] == 4
        assert data["target"]["python"] == "3.12"
        assert [(row["code"], row["path"], row["line"]) for row in data["findings"]] == [
            ("AZP106", "calendar.py", None),
            ("AZP114", "host.json", 3),
        ]
    found = azpack.run("check", app, "--json", "--fail-on", "warning").findings()
    assert set(found) == {"AZP106", "AZP114"}
    azpack.run("check", app, "--format", "json", "--python", "2.7").error(2, "unsupported-python")
    azpack.run("check", app, "--json", "--format", "github").error(2, "contradiction")
    nothing = azpack.run("check", app, "--json", "--select", "AZP6").data()
    assert nothing["findings"] == []


def test_selection(azpack: Azpack, app: Path) -> None:
    def codes(*arguments: str) -> list[str]:
        data = azpack.run("check", app, "--json", *arguments).data()
        return [row["code"] for row in data["findings"]]

    assert codes("--select", "AZP106") == ["AZP106"]
    assert codes("--ignore", "AZP1") == []
    assert codes("--ignore", "AZP106,AZP602") == ["AZP114"]
    azpack.run("check", app, "--json", "--select", "AZP16").error(2, "unknown-rule")
    (app / "calendar.py").write_text("# azpack: ignore[AZP106]\n")
    assert codes() == ["AZP114"]
    (app / "azpack.toml").write_text(
        "[check]\nfail-on = 'warning'\n[check.per-file-ignores]\n'*.json' = ['AZP114']\n"
    )
    assert codes() == []
    (app / "calendar.py").write_text("")
    assert azpack.run("check", app).code == 1


def test_sarif(azpack: Azpack, app: Path) -> None:
    done = azpack.run("check", "my app", "--format", "sarif", cwd=app.parent)
    log = json.loads(done.stdout)
    schema = Path(__file__).parents[2] / "fixtures" / "sarif-schema-2.1.0.json"
    jsonschema.validate(log, json.loads(schema.read_bytes()))
    places = [row["locations"][0]["physicalLocation"] for row in log["runs"][0]["results"]]
    assert [place["artifactLocation"]["uri"] for place in places] == [
        "my%20app/calendar.py",
        "my%20app/host.json",
    ]


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        (
            {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": "{repo}"},
            f"::warning file=my app/host.json,line=3,title=AZP114::{IGNORED}",
        ),
        (
            {"TF_BUILD": "True", "BUILD_SOURCESDIRECTORY": "{repo}"},
            (
                "##vso[task.logissue type=warning;sourcepath=my app/host.json;linenumber=3;"
                "code=AZP114]"
                f"AZP114: {IGNORED}"
            ),
        ),
    ],
)
def test_build_services(
    azpack: Azpack, app: Path, environment: Mapping[str, str], line: str
) -> None:
    there = {name: value.format(repo=app.parent) for name, value in environment.items()}
    done = azpack.run("check", app, environment=there)
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 3
    assert lines[1] == line
    # What is asked for counts more.
    assert azpack.run("check", app, "--json", environment=there).data()["files"] == 4
    asked = azpack.run("check", app, "--format", "text", environment=there)
    assert asked.stdout.decode().startswith("calendar.py\n")


def test_what_is_explained(azpack: Azpack, tmp_path: Path) -> None:
    done = azpack.run("check", "--explain", "azp106", cwd=tmp_path)
    rule = load_rules()["AZP106"]
    text = " ".join(done.stdout.decode().split())
    assert text.startswith("AZP106 (warning; error where it keeps the worker from starting): ")
    assert f"{rule.text} {rule.mend}" in text
    data = azpack.run("check", "--explain", "AZP106", "--json", cwd=tmp_path).data()
    assert data["title"] == rule.title


def test_no_secret_is_printed(azpack: Azpack, app: Path) -> None:
    secret = "ghp_" + "".join(f"{number:x}" for number in os.urandom(64))[:36]
    (app / "settings.py").write_text(f"TOKEN = '{secret}'\n")
    for form in ("text", "json", "sarif", "github", "azure"):
        done = azpack.run("check", app, "--format", form, "-vv", "--select", "AZP602")
        assert b"AZP602" in done.stdout
        assert secret not in done.stdout.decode() + done.stderr


def test_no_such_project(azpack: Azpack, tmp_path: Path) -> None:
    azpack.run("check", tmp_path / "none", "--json").error(2, "no-such-folder")
    (tmp_path / "empty").mkdir()
    azpack.run("check", tmp_path / "empty", "--json").error(2, "no-host-json")
    left_out = make_app(tmp_path / "left", files={".funcignore": "host.json\n"})
    found = azpack.run("check", left_out, "--json").findings()
    assert "AZP101" in found


@pytest.fixture
def importing(tmp_path: Path) -> Path:
    """An app that imports what its only dependency has, and what nothing has."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    modules = {"two_b/__init__.py": b"", "space/of/its/own.py": b"", "bare.so": make_object()}
    make_wheel(wheels, "one-a", files=modules, tag="py3-none-manylinux_2_17_x86_64")
    imports = "import two_b.c, bare, nowhere\nfrom space.of import its, hers\n"
    files = {"function_app.py": f"{imports}{FUNCTION}"}
    return make_app(tmp_path / "app", f"--find-links {wheels}\none-a\n", files=files)


def missing(azpack: Azpack, app: Path) -> list[str]:
    """The modules that nothing provides, as far as is known."""
    done = azpack.run("check", app, "--json", "--fail-on", "never")
    rows = done.data()["findings"]
    assert {row["code"] for row in rows} <= {"AZP403"}
    return [row["message"].removeprefix("nothing provides the module ") for row in rows]


def test_imports_against_what_a_lock_was_built_to(azpack: Azpack, importing: Path) -> None:
    assert missing(azpack, importing) == []  # nothing is known of one-a, and nothing guessed
    assert azpack.run("lock", importing).code == 0
    assert missing(azpack, importing) == []
    assert azpack.run("build", importing, "--no-check").code == 0
    found = missing(azpack, importing)
    assert [text.partition(":")[0] for text in found] == ["nowhere", "space.of.hers"]
    (importing / "azpack.toml").write_text("mode = 'remote'\n")
    assert missing(azpack, importing) == []
    (importing / "azpack.toml").unlink()
    lock = importing / "pylock.toml"
    lock.write_text(f"{lock.read_text()}\n# the same, and never built from\n")
    assert missing(azpack, importing) == found
    (contents,) = azpack.cache.glob("v*/wheels/*/*/contents.json")
    whole = contents.read_bytes()
    for damaged in (b"", b"{}", whole[:-9]):
        contents.write_bytes(damaged)
        assert missing(azpack, importing) == []
    contents.write_bytes(whole)
    with (importing / "requirements.txt").open("a") as requirements:
        requirements.write("two\n")
    assert missing(azpack, importing) == []  # the lock does not fit any more


def test_a_wheel_that_is_not_here(azpack: Azpack, importing: Path, tmp_path: Path) -> None:
    assert azpack.run("build", importing, "--no-check").code == 0
    make_wheel(tmp_path / "wheels", "other")
    with (importing / "requirements.txt").open("a") as requirements:
        requirements.write("other\n")
    assert azpack.run("lock", importing).code == 0
    assert missing(azpack, importing) == []
