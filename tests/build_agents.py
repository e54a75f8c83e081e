"""What runs the scripts of a pipeline: an agent of Azure Pipelines and a runner of GitHub Actions.

They give a script what the real ones give it (variables, an empty home, no terminal), and read
what it tells them. What they don't run are the tasks and actions of others.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.commands import Azpack

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST = 300  # seconds: a guard against hanging
_COMMAND = re.compile(r"##vso\[([\w.]+)(?: ([^\]]*))?\](.*)")
_MACRO = re.compile(r"\$\(([\w.]+)\)")
_EXPRESSION = re.compile(r"\$\{\{ (.*?) \}\}")
_OUTPUT = re.compile(r"^(\w+)(?:=([^\n]*)|<<(\S+)\n(.*?)\n\3)$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a script came to: `commands` are those of Azure's agent, as (name, properties, data)."""

    code: int
    stdout: str
    stderr: str
    commands: tuple[tuple[str, dict[str, str], str], ...] = ()


def _run(
    folder: Path, script: str, *, flags: tuple[str, ...], environment: Mapping[str, str], cwd: Path
) -> Ran:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", *flags, "-c", script, "script"],
        cwd=cwd, env={**Azpack(folder).environment, **environment, "HOME": str(home)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_LONGEST, check=False,
    )  # fmt: skip
    return Ran(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


class AzureAgent:
    """An agent with a checkout in `folder`/s; `variables` by their names in lower case."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        places = {
            "build.sourcesdirectory": "s",
            "build.artifactstagingdirectory": "a",
            "agent.tempdirectory": "_temp",
            "pipeline.workspace": ".",
            "system.defaultworkingdirectory": "s",
        }
        self.variables = {name: str(folder / place) for name, place in places.items()}
        self.variables |= {"agent.os": "Linux", "tf_build": "True"}
        for place in places.values():
            (folder / place).mkdir(parents=True, exist_ok=True)

    def expand(self, text: str) -> str:
        """The text with `$(name)` filled in where there is such a variable."""
        return _MACRO.sub(lambda found: self.variables.get(found[1].lower(), found[0]), text)

    def run(self, step: Mapping[str, Any]) -> Ran:
        """Run the script of a step, and take to heart what it says."""
        script = step.get("bash") or step["inputs"]["inlineScript"]
        own = {name: self.expand(str(value)) for name, value in step.get("env", {}).items()}
        # As in VarUtil.cs of the agent: each variable is in the environment of each step.
        inherited = {
            name.replace(".", "_").replace(" ", "_").upper(): value
            for name, value in self.variables.items()
        }
        ran = _run(
            self.folder, self.expand(script), flags=(), environment={**inherited, **own},
            cwd=Path(self.variables["build.sourcesdirectory"]),
        )  # fmt: skip
        commands = []
        for name, listed, data in _COMMAND.findall(f"{ran.stdout}\n{ran.stderr}"):
            pairs = (pair.partition("=") for pair in listed.split(";") if pair)
            properties = {key: _unescaped(value) for key, _, value in pairs}
            commands.append((name, properties, _unescaped(data)))
            if name == "task.setvariable":
                prefix = f"{step['name']}." if properties.get("isOutput") == "true" else ""
                self.variables[f"{prefix}{properties['variable']}".lower()] = _unescaped(data)
        return Ran(code=ran.code, stdout=ran.stdout, stderr=ran.stderr, commands=tuple(commands))


def _unescaped(text: str) -> str:
    for written, meant in {"%3B": ";", "%0D": "\r", "%0A": "\n", "%5D": "]"}.items():
        text = text.replace(written, meant)
    return text.replace("%AZP25", "%")


class GithubRunner:
    """A runner with a checkout in `folder`/work, and the action's own code at `action`."""

    def __init__(self, folder: Path, action: Path, inputs: Mapping[str, str]) -> None:
        self.folder = folder
        self.workspace = folder / "work"
        self.temporary = folder / "_temp"
        self.summary = folder / "summary.md"
        self.action = action
        self.values = {"runner.temp": str(self.temporary), "runner.os": "Linux"}
        self.values |= {f"inputs.{name}": value for name, value in inputs.items()}
        for place in (self.workspace, self.temporary):
            place.mkdir(parents=True, exist_ok=True)

    def expand(self, text: str) -> str:
        """The text with what is between `${{ }}` filled in; what is not known is empty."""
        return _EXPRESSION.sub(lambda found: self.values.get(found[1], ""), text)

    def wanted(self, step: Mapping[str, Any]) -> bool:
        """Whether a step runs, by its `if`."""
        if "if" not in step:
            return True
        found = re.fullmatch(r"(inputs\.\w+) != ''", step["if"])
        assert found
        return self.values[found[1]] != ""

    def run(self, step: Mapping[str, Any]) -> Ran:
        """Run the script of a step, and keep its outputs."""
        assert step["shell"] == "bash"
        output = self.folder / "output"
        output.write_text("")
        own = {name: self.expand(str(value)) for name, value in step.get("env", {}).items()}
        environment = {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(self.action),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(self.temporary),
            **own,
        }
        ran = _run(
            self.folder, step["run"], flags=("-e", "-o", "pipefail"), environment=environment,
            cwd=self.workspace,
        )  # fmt: skip
        for name, plain, _, long in _OUTPUT.findall(output.read_text()):
            self.values[f"steps.{step['id']}.outputs.{name}"] = plain or long
        return ran
