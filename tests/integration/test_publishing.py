"""The commands that a manifest gives, run by bash with stand-ins for az and func."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

import pytest
import yaml

from azpack.package.manifest import settings_table
from azpack.target.plans import Publishing, find_publishing
from azpack.target.runtimes import PLANS
from tests.leaks import CommandLines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FEED = {
    "PIP_EXTRA_INDEX_URL": "https://me:${FEED_TOKEN}@feed.example/simple",
    "FEED_TOKEN": "${FEED_TOKEN}",
}
TOKEN = r"""s3cr$t "quoted" back\slash & é %41 ${HOME} `id`"""
URL = "https://account.blob.core.windows.net/container/x.zip?sv=2024&sig=a%2Fb%3D"
PACKAGE = "my app's.zip"

# Keeps its arguments and what it reads where az reads: @- is standard input, and what is no JSON
# is refused.
STAND_IN = """#!{python}
import json, os, pathlib, sys
name, *arguments = [pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]
read = None
if "--settings" in arguments:
    file = arguments[arguments.index("--settings") + 1]
    read = sys.stdin.read() if file == "@-" else open(file.removeprefix("@")).read()
if name == "func":
    read = sorted(os.listdir())
with open({log!r}, "a") as log:
    log.write(json.dumps([name, arguments, read]) + "\\n")
if name == "python3":
    os.execv({python!r}, [{python!r}, *arguments])
if "generate-sas" in arguments:
    print({url!r})
if "--settings" in arguments:
    json.loads(read)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of a stand-in: `read` is what az took for settings, or what func found."""

    name: str
    arguments: list[str]
    read: Any

    @property
    def command(self) -> str:
        return " ".join(self.arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A folder with a package, its settings, and stand-ins on PATH."""

    folder: Path

    def publish(self, plan: str, mode: str, more: dict[str, str] | None = None) -> Publishing:
        settings = "my app's.settings.json"
        publishing = find_publishing(
            plan,
            mode=mode,
            package=PACKAGE,
            settings_file=settings,
            python="3.11",
            more_settings=more or {},
        )
        text = json.dumps(settings_table(publishing), ensure_ascii=False)
        self.folder.joinpath(settings).write_text(text, encoding="utf-8")
        return publishing

    def run(self, script: str, **environ: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self.folder,
            env={"PATH": path, "HOME": str(self.folder), **environ},
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[Call]:
        lines = self.folder.joinpath("log").read_text(encoding="utf-8").splitlines()
        return [
            Call(name=name, arguments=arguments, read=read)
            for name, arguments, read in map(json.loads, lines)
        ]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    if shutil.which("bash") is None:
        pytest.skip("there is no bash here")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("az", "func", "python3"):
        text = STAND_IN.format(python=sys.executable, log=str(tmp_path / "log"), url=URL)
        programs.joinpath(name).write_text(text, encoding="utf-8")
        programs.joinpath(name).chmod(0o755)
    with zipfile.ZipFile(tmp_path / PACKAGE, "w") as package:
        package.writestr("host.json", "{}")
        package.writestr("requirements.txt", "")
    return Machine(folder=tmp_path)


def inline_scripts(publishing: Publishing) -> str:
    steps = yaml.safe_load(publishing.commands["azure_pipelines"])
    return "".join(step["inputs"].get("inlineScript", "") for step in steps)


@pytest.mark.parametrize("mode", ["local", "remote"])
@pytest.mark.parametrize("plan", PLANS)
def test_bash_can_read_them(plan: str, mode: str, machine: Machine) -> None:
    publishing = machine.publish(plan, mode, FEED)
    for script in (
        publishing.commands["core_tools"],
        publishing.commands["az"],
        inline_scripts(publishing),
    ):
        checked = subprocess.run(
            ["bash", "-n"], input=script, capture_output=True, text=True, check=False
        )
        assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("tool", ["core_tools", "az", "azure_pipelines"])
@pytest.mark.parametrize("plan", PLANS)
def test_a_secret_reaches_az_and_no_command_line(plan: str, tool: str, machine: Machine) -> None:
    publishing = machine.publish(plan, "remote", FEED)
    commands = publishing.commands[tool]
    if tool == "core_tools":
        commands = commands.partition("folder=")[0]
    elif tool == "azure_pipelines":
        commands = inline_scripts(publishing)
    with CommandLines({TOKEN.encode(), quote(TOKEN, safe=":").encode()}) as seen:
        ended = machine.run(commands, FEED_TOKEN=TOKEN)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    calls = machine.calls()
    [given] = [call.read for call in calls if "set" in call.arguments]
    filled = {setting["name"]: setting["value"] for setting in json.loads(given)}
    assert filled == {
        **publishing.settings,
        # In a URL as it must be there, elsewhere as it is.
        "PIP_EXTRA_INDEX_URL": f"https://me:{quote(TOKEN, safe=':')}@feed.example/simple",
        "FEED_TOKEN": TOKEN,
    }
    assert [call.name for call in calls][:3] == ["python3", "az", "az"]
    assert not any(TOKEN in call.command for call in calls)
    assert not seen.telling
    assert TOKEN not in "".join(
        path.read_text(encoding="utf-8") for path in machine.folder.glob("*.json")
    )


def test_without_the_variable_nothing_is_set(machine: Machine) -> None:
    publishing = machine.publish("flex", "remote", FEED)
    ended = machine.run(inline_scripts(publishing))
    assert ended.returncode != 0
    assert "KeyError: 'FEED_TOKEN'" in ended.stderr
    assert [call.read for call in machine.calls() if call.name == "az"] == [""]


@pytest.mark.parametrize("mode", ["local", "remote"])
@pytest.mark.parametrize("plan", ["flex", "premium", "dedicated"])
def test_az_in_order(plan: str, mode: str, machine: Machine) -> None:
    publishing = machine.publish(plan, mode)
    assert machine.run(publishing.commands["az"]).returncode == 0
    *before, last = [call.command for call in machine.calls()]
    assert [" set " in command for command in before] == [True, False][not publishing.settings :]
    assert last.startswith("functionapp deployment source config-zip ")
    assert f"--src {PACKAGE} " in last


def test_a_blob_with_a_signature(machine: Machine) -> None:
    publishing = machine.publish("consumption", "local", FEED)
    ended = machine.run(publishing.commands["az"], FEED_TOKEN=TOKEN)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    upload, sign, *rest = [call for call in machine.calls() if call.name == "az"]
    name = upload.arguments[upload.arguments.index("--name") + 1]
    assert name.endswith(".zip")
    assert name in sign.arguments
    assert PACKAGE in upload.arguments
    assert [call.arguments[:4] for call in rest] == [
        ["functionapp", "config", "appsettings", "set"],
        ["functionapp", "config", "appsettings", "delete"],
        ["rest", "--method", "post", "--url"],
    ]
    filled = {setting["name"]: setting["value"] for setting in json.loads(rest[0].read)}
    assert filled["WEBSITE_RUN_FROM_PACKAGE"] == URL
    assert all(URL not in call.command for call in machine.calls())


@pytest.mark.parametrize("mode", ["local", "remote"])
@pytest.mark.parametrize("plan", PLANS)
def test_core_tools_finds_the_unpacked_app(
    plan: str, mode: str, machine: Machine, need: Callable[[str, str], NoReturn]
) -> None:
    if shutil.which("unzip") is None:
        need("zip", "there is no unzip here")
    publishing = machine.publish(plan, mode)
    ended = machine.run(publishing.commands["core_tools"])
    assert (ended.returncode, ended.stderr) == (0, "")
    last = machine.calls()[-1]
    assert last.command.startswith("azure functionapp publish APP --python ")
    assert last.read == ["host.json", "requirements.txt"]
