"""What azpack tells Azure Pipelines and GitHub Actions, beside the result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.commands import Azpack, make_app

if TYPE_CHECKING:
    from pathlib import Path

AZURE = {"TF_BUILD": "True"}
GITHUB = {"GITHUB_ACTIONS": "true"}
SERVICES = [AZURE, GITHUB]
HOSTILE = "##vso[task.setvariable variable=PATH]x.py"
# A warning: AZP107, and an error: AZP301.
WARNED = {"lib.py": "from __app__ import x\n"}
BROKEN = {"function_app.py": "def f(:\n"}


@pytest.fixture
def azpack(tmp_path: Path) -> Azpack:
    return Azpack(tmp_path)


def commands(text: str) -> list[str]:
    """The lines in which an agent sees a command."""
    return [line for line in text.splitlines() if "##vso[" in line or line.startswith("::")]


def test_outputs_of_azure(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app")
    done = azpack.run("build", app, "--python", "3.11", "--checksum", "--json", environment=AZURE)
    package = done.data()["package"]
    assert commands(done.stderr) == [
        f"##vso[task.setvariable variable=packagePath;isOutput=true]{package['path']}",
        f"##vso[task.setvariable variable=packageSha256;isOutput=true]{package['sha256']}",
    ]


def test_outputs_of_github(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app")
    place = tmp_path / "output"
    environment = {**GITHUB, "GITHUB_OUTPUT": str(place)}
    done = azpack.run("build", app, "--python", "3.11", "--json", environment=environment)
    assert commands(done.stderr) == []
    lines = place.read_text().splitlines()
    assert (lines[0].partition("<<")[0], lines[1]) == (
        "packagePath",
        done.data()["package"]["path"],
    )
    assert len(lines) == 3  # no hash, where none was made


def test_an_output_that_cant_be_written_is_an_error(azpack: Azpack, tmp_path: Path) -> None:
    environment = {**GITHUB, "GITHUB_OUTPUT": str(tmp_path)}
    app = make_app(tmp_path / "app")
    done = azpack.run("build", app, "--python", "3.11", "--json", environment=environment)
    done.error(6, "file-error")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (
            {**AZURE, "BUILD_SOURCESDIRECTORY": "."},
            "##vso[task.logissue type={0};sourcepath=apps/my/{2};linenumber=1;code={1}]",
        ),
        (
            {**GITHUB, "GITHUB_WORKSPACE": "."},
            "::{0} file=apps/my/{2},line=1,title={1}::",
        ),
    ],
)
def test_findings_of_a_build_are_annotations(
    azpack: Azpack, tmp_path: Path, environment: dict[str, str], expected: str
) -> None:
    warned = make_app(tmp_path / "one" / "apps" / "my", files=WARNED)
    broken = make_app(tmp_path / "two" / "apps" / "my", files=BROKEN)
    done = azpack.run(
        "build", warned, "--python", "3.11", "--json", cwd=tmp_path / "one", environment=environment
    )
    assert done.code == 0
    found = [line for line in commands(done.stderr) if "AZP107" in line]
    assert [line.startswith(expected.format("warning", "AZP107", "lib.py")) for line in found] == [
        True
    ]
    assert json.loads(done.stdout)["data"]["findings"][0]["code"] == "AZP107"

    done = azpack.run(
        "build", broken, "--python", "3.11", cwd=tmp_path / "two", environment=environment
    )
    assert (done.code, done.stdout) == (1, b"")
    (line,) = (line for line in commands(done.stderr) if "AZP301" in line)
    assert line.startswith(expected.format("error", "AZP301", "function_app.py"))


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (AZURE, "##vso[task.logissue type=error]Azure Functions 4 does not run Python 2.7"),
        (GITHUB, "::error title=azpack::Azure Functions 4 does not run Python 2.7"),
    ],
)
def test_errors_are_annotations_and_text(
    azpack: Azpack, tmp_path: Path, environment: dict[str, str], expected: str
) -> None:
    app = make_app(tmp_path / "app")
    done = azpack.run("build", app, "--python", "2.7", environment=environment)
    assert done.code == 2
    (command,) = commands(done.stderr)
    assert command.startswith(expected)
    assert done.stderr.startswith("error: Azure Functions 4 does not run Python 2.7")
    assert "\nhint: use one of " in done.stderr


@pytest.mark.parametrize("environment", SERVICES)
def test_the_password_of_an_index_is_in_none(
    azpack: Azpack, tmp_path: Path, environment: dict[str, str]
) -> None:
    app = make_app(tmp_path / "app", "no-such-thing\n")
    index = "http://me:hush-PIPELINE-hush@127.0.0.1:9/simple"
    done = azpack.run(
        "build", app, "--python", "3.11", "--index-url", index, environment=environment
    )
    assert done.code == 5
    assert len(commands(done.stderr)) == 1
    assert "hush-PIPELINE" not in done.stderr


def test_the_summary_of_an_inspection(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", files={HOSTILE: "", "<b>|.txt": ""})
    package = tmp_path / "app.zip"
    assert azpack.run("build", app, "--python", "3.11", "-o", package).code == 0

    agent = tmp_path / "agent"
    agent.mkdir()
    environment = {**AZURE, "AGENT_TEMPDIRECTORY": str(agent)}
    done = azpack.run("inspect", package, "--json", environment=environment)
    assert done.data()["package"]["path"] == str(package)
    (page,) = agent.rglob("*.md")
    assert commands(done.stderr) == [f"##vso[task.uploadsummary]{page}"]

    place = tmp_path / "summary"
    environment = {**GITHUB, "GITHUB_STEP_SUMMARY": str(place)}
    assert azpack.run("inspect", package, environment=environment).code == 0
    assert place.read_text() == page.read_text(encoding="utf-8")
    assert place.read_text().startswith("## app.zip\n")
    assert "&#60;b&#62;&#124;.txt" in place.read_text()


@pytest.mark.parametrize("environment", SERVICES)
@pytest.mark.parametrize(
    "arguments",
    [
        ("files",), ("files", "--json"), ("build",), ("build", "--json"), ("check",),
        ("check", "--json"), ("check", "--format", "sarif"), ("check", "--format", "text"),
    ],
)  # fmt: skip
def test_the_name_of_a_file_is_no_command(
    azpack: Azpack, tmp_path: Path, environment: dict[str, str], arguments: tuple[str, ...]
) -> None:
    app = make_app(tmp_path / "app", files={HOSTILE: "def f(:\n", f"a/{HOSTILE}": "def f(:\n"})
    done = azpack.run(*arguments, app, "--exclude", "b", environment=environment)
    seen = [*commands(done.stderr), *commands(done.stdout.decode())]
    allowed = ("##vso[task.logissue ", "##vso[task.setvariable variable=packagePath;", "::")
    assert [line for line in seen if not line.startswith(allowed)] == []


def test_the_name_of_a_file_in_a_package_is_no_command(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", files={HOSTILE: "x" * 9999})
    package = tmp_path / "app.zip"
    assert azpack.run("build", app, "--python", "3.11", "-o", package).code == 0
    done = azpack.run("inspect", package, "--format", "text", environment=AZURE)
    assert "# #vso[task.setvariable variable=PATH]x.py" in done.stdout.decode()
    assert commands(done.stdout.decode()) == []
    found = azpack.run("inspect", package, "--json", environment=AZURE)
    assert b"##vso" not in found.stdout
    assert HOSTILE in [file["path"] for file in found.data()["largest"]]
