"""The template of Azure Pipelines and the action of GitHub: by their schemas, and run."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from azpack.target.plans import find_publishing
from azpack.target.runtimes import PLANS
from tests.build_agents import AzureAgent, GithubRunner, Ran
from tests.commands import Azpack, make_app
from tests.distributions import make_wheel
from tests.pipeline_templates import expand

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT = Path(__file__).parents[2]
AZURE = PROJECT / "pipelines" / "azure-pipelines"
BUILD, PUBLISH = AZURE / "azpack.yml", AZURE / "publish.yml"
ACTION = PROJECT / "action.yml"
WORKFLOW = PROJECT / "pipelines" / "github-actions" / "example.yml"
APP = """\
import azure.functions as func
import one

app = func.FunctionApp()


@app.route("hello")
def hello(req):
    return one.VERSION
"""
WHERE = {
    "azureSubscription": "connection",
    "resourceGroup": "my group",
    "appName": "app",
    "python": "3.11",
}


def make_project(folder: Path, *, files: Mapping[str, str] | None = None) -> Path:
    """An app with a distribution, its lock, and the wheel of it beside."""
    wheels = folder.parent / "wheels"
    make_wheel(wheels, "one")
    requirements = f"--no-index\n--find-links {wheels}\none\n"
    app = make_app(folder, requirements, files={"function_app.py": APP, **(files or {})})
    assert Azpack(folder.parent).run("lock", app, "--python", "3.11").code == 0
    return app


def check_package(path: Path) -> None:
    with zipfile.ZipFile(path) as package:
        assert ".python_packages/lib/site-packages/one.py" in package.namelist()


# What the services' own schemas say.


def check_schema(schema: str, *files: Path) -> None:
    command = ["--builtin-schema", f"vendor.{schema}", "--regex-variant", "nonunicode"]
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", *command, *files],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]


def test_schema_of_the_action() -> None:
    check_schema("github-actions", ACTION)


def test_schema_of_the_workflow() -> None:
    check_schema("github-workflows", WORKFLOW)


def test_schema_of_the_pipeline() -> None:
    check_schema("azure-pipelines", AZURE / "example.yml")


def test_schema_of_the_steps_that_the_templates_make(tmp_path: Path) -> None:
    steps = [*expand(BUILD, extraIndex="project/feed"), *expand(BUILD, artifact="")]
    for plan in PLANS:
        for mode in ("local", "remote"):
            steps += expand(PUBLISH, plan=plan, mode=mode, **WHERE)
    for step in steps:
        if step.get("task") == "AzureFunctionApp@2":
            # The schema knows it by its other name alone, and has aliases in a keyword of its own.
            step["inputs"]["connectedServiceNameARM"] = step["inputs"].pop("azureSubscription")
    path = tmp_path / "steps.yml"
    path.write_text(yaml.safe_dump({"steps": steps}))
    check_schema("azure-pipelines", path)


def test_the_schema_would_find_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "steps.yml"
    path.write_text("steps: [{task: Cache@2, inputs: {key: a, paths: b}}]")
    with pytest.raises(AssertionError, match="paths"):
        check_schema("azure-pipelines", path)


def used_parameters(text: str, template: Path) -> set[str]:
    used = re.findall(r"parameters\.(\w+)", text)
    declared = {row["name"] for row in yaml.safe_load(template.read_text())["parameters"]}
    assert set(used) == declared
    return declared


@pytest.mark.parametrize("template", [BUILD, PUBLISH])
def test_the_example_gives_parameters_that_there_are(template: Path) -> None:
    declared = used_parameters(template.read_text(), template)
    example = yaml.safe_load((AZURE / "example.yml").read_text())
    found = [
        row
        for row in _mappings(example)
        if row.get("template", "").endswith(f"azure-pipelines/{template.name}@azpack")
    ]
    assert len(found) == 1
    assert found[0]["parameters"].keys() <= declared
    expand(template, **found[0]["parameters"])


def _mappings(node: Any) -> list[dict[str, Any]]:
    """All mappings in a value of YAML."""
    if isinstance(node, dict):
        return [node, *(row for value in node.values() for row in _mappings(value))]
    return [row for item in node for row in _mappings(item)] if isinstance(node, list) else []


def test_the_example_gives_inputs_that_there_are() -> None:
    inputs = yaml.safe_load(ACTION.read_text())["inputs"]
    example = yaml.safe_load(WORKFLOW.read_text())
    (step,) = (row for row in _mappings(example) if "azpack@" in str(row.get("uses")))
    assert step["with"].keys() <= inputs.keys()


# Scripts.


def scripts() -> list[Any]:
    found: list[Any] = []
    for path in (ACTION, WORKFLOW, *sorted(AZURE.glob("*.yml"))):
        rows = _mappings(yaml.safe_load(path.read_text()))
        for row in rows:
            text = row.get("run") or row.get("bash") or row.get("inlineScript")
            if isinstance(text, str):
                found.append(pytest.param(text, id=f"{path.stem}-{len(found)}"))
    return found


@pytest.mark.parametrize("script", scripts())
def test_no_script_has_a_value_written_into_it(script: str) -> None:
    assert "${{" not in script
    assert "$(" not in re.sub(r"\$\((?:cd|cat) ", "", script)  # a macro of Azure Pipelines


@pytest.mark.parametrize("script", scripts())
def test_shellcheck_finds_nothing(script: str) -> None:
    checker = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run(
        [checker, "--shell=bash", "-"],
        input=f"set -eo pipefail\n{script}",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


# Azure Pipelines.


@pytest.fixture
def agent(tmp_path: Path) -> AzureAgent:
    return AzureAgent(tmp_path / "agent")


def run_steps(
    agent: AzureAgent, parameters: Mapping[str, str], *, install: bool = True
) -> dict[str, Ran]:
    """Run the scripts of the template, until one fails, by the names that are displayed.

    Without `install`, which takes its time, they find the azpack of these tests.
    """
    if not install:
        Path(agent.variables["agent.tempdirectory"], "azpack").symlink_to(sys.prefix)
    ran: dict[str, Ran] = {}
    for step in expand(BUILD, requirement=str(PROJECT), **parameters):
        if "bash" in step and (install or step["displayName"] != "Install azpack"):
            ran[step["displayName"]] = found = agent.run(step)
            if found.code:
                break
    return ran


def test_azure_builds(agent: AzureAgent) -> None:
    checkout = Path(agent.variables["build.sourcesdirectory"])
    files = {"probes/lib.py": "from __app__ import x\n"}
    make_project(checkout / "apps" / "my app", files=files)
    parameters = {
        "project": "$(Build.SourcesDirectory)/apps/my app",
        "python": "3.11",
        "plan": "premium",
        "arguments": f"--locked\n\n--sbom\n{agent.folder}/a/azpack/function-app.cdx.json\n",
    }
    ran = run_steps(agent, parameters)
    assert [(name, it.code) for name, it in ran.items()] == [
        ("Install azpack", 0), ("Build the package", 0), ("Inspect the package", 0),
    ], list(ran.values())[-1]  # fmt: skip

    package = Path(agent.variables["azpack.packagepath"])
    assert package == agent.folder / "a" / "azpack" / "function-app.zip"
    check_package(package)
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    assert agent.variables["azpack.packagesha256"] == digest
    manifest = json.loads(package.with_name("function-app.manifest.json").read_bytes())
    assert manifest["target"]["plan"] == "premium"

    issues = [it for it in ran["Build the package"].commands if it[0] == "task.logissue"]
    assert [it[1] for it in issues] == [
        {"type": "warning", "sourcepath": "apps/my app/probes/lib.py", "linenumber": "1",
         "code": "AZP107"},
    ]  # fmt: skip
    (summary,) = ran["Inspect the package"].commands
    assert summary[0] == "task.uploadsummary"
    assert Path(summary[2]).read_text().startswith("## function-app.zip\n")

    steps = expand(BUILD, **parameters)
    (published,) = (Path(agent.expand(it["publish"])) for it in steps if "publish" in it)
    assert sorted(path.name for path in published.iterdir()) == [
        "function-app.cdx.json", "function-app.manifest.json", "function-app.settings.json",
        "function-app.zip", "function-app.zip.sha256",
    ]  # fmt: skip
    (cache,) = (it["inputs"] for it in steps if it.get("task") == "Cache@2")
    assert list(Path(agent.expand(cache["path"])).rglob("*.whl"))
    assert re.fullmatch(r'"azpack" \| "Linux" \| "[0-9a-f]{64}"', agent.expand(cache["key"]))
    assert not (agent.folder / "home" / ".cache" / "azpack").exists()


def test_azure_takes_the_projects_own_configuration(agent: AzureAgent) -> None:
    checkout = Path(agent.variables["build.sourcesdirectory"])
    shutil.rmtree(checkout)
    make_project(checkout, files={"azpack.toml": 'python = "3.11"\nplan = "dedicated"\n'})
    ran = run_steps(agent, {"name": "api", "artifact": ""}, install=False)
    assert [it.code for it in ran.values()] == [0, 0], list(ran.values())[-1]
    package = Path(agent.variables["api.packagepath"])
    manifest = json.loads(package.with_name("function-app.manifest.json").read_bytes())
    assert manifest["target"]["plan"] == "dedicated"
    assert not [it for it in expand(BUILD, artifact="") if "publish" in it]


def test_azure_shows_what_is_wrong(agent: AzureAgent) -> None:
    checkout = Path(agent.variables["build.sourcesdirectory"])
    shutil.rmtree(checkout)
    make_project(checkout, files={"function_app.py": "def f(:\n"})
    before = agent.variables.keys()
    ran = run_steps(agent, {"python": "3.11"}, install=False)
    build = ran["Build the package"]
    assert [*ran] == ["Build the package"]
    assert build.code == 1
    issues = [properties for name, properties, _ in build.commands if name == "task.logissue"]
    place = {"sourcepath": "function_app.py", "linenumber": "1", "code": "AZP301"}
    assert {"type": "error", **place} in issues
    assert agent.variables.keys() - before == set()


def test_azure_takes_a_feed_by_the_variable_of_the_task() -> None:
    (task,) = (it for it in expand(BUILD, extraIndex="p/a,p/b") if "PipAuth" in str(it.get("task")))
    assert task["inputs"] == {"artifactFeeds": "p/a,p/b", "onlyAddExtraIndex": True}
    assert not [it for it in expand(BUILD) if "PipAuth" in str(it.get("task"))]


def test_the_cache_is_keyed_on_what_locks(agent: AzureAgent) -> None:
    checkout = Path(agent.variables["build.sourcesdirectory"])
    install = next(it for it in expand(BUILD) if it.get("displayName") == "Install azpack")
    script = install["bash"].partition("# What decides")
    step = {**install, "bash": f"set -euo pipefail\n#{script[1]}{script[2]}"}
    keys = []
    for name in (None, "other.py", "pylock.toml", "dev-requirements.txt", "uv.lock"):
        if name:
            checkout.joinpath(name).write_text("x")
        assert agent.run(step).code == 0
        keys.append(agent.variables["azpackcachekey"])
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4
    moved = checkout.rename(agent.folder / "elsewhere")
    agent.variables["build.sourcesdirectory"] = str(moved)
    assert agent.run(step).code == 0
    assert agent.variables["azpackcachekey"] == keys[-1]


# Publishing.

AZ = """#!{python}
import json, sys
arguments = sys.argv[1:]
read = None
if "--settings" in arguments:
    file = arguments[arguments.index("--settings") + 1]
    read = json.load(open(file.removeprefix("@")))
with open({log!r}, "a") as log:
    log.write(json.dumps([arguments, read]) + "\\n")
"""


def publish(agent: AzureAgent, plan: str, mode: str) -> tuple[list[Ran], list[Any], Any]:
    """Run the publishing steps with a stand-in for az: what ran, its calls, and the task."""
    log = agent.folder / "log"
    log.write_text("")
    programs = agent.folder / "bin"
    programs.mkdir(exist_ok=True)
    az = programs / "az"
    az.write_text(AZ.format(python=sys.executable, log=str(log)))
    az.chmod(0o755)
    agent.variables["path"] = f"{programs}:/usr/bin:/bin:{Path(sys.executable).parent}"
    steps = expand(PUBLISH, plan=plan, mode=mode, **WHERE)
    ran = [agent.run(step) for step in steps if step["task"] == "AzureCLI@2"]
    task = [step["inputs"] for step in steps if step["task"] != "AzureCLI@2"]
    return ran, [json.loads(line) for line in log.read_text().splitlines()], task


def put_manifest(agent: AzureAgent, plan: str, mode: str, **more: str) -> Any:
    """A manifest where the artifact is downloaded to; gives what azpack says of publishing."""
    folder = agent.folder / "function-app"
    folder.mkdir(exist_ok=True)
    publishing = find_publishing(
        plan, mode=mode, package=str(folder / "function-app.zip"), settings_file="x", python="3.11",
        more_settings=more,
    )  # fmt: skip
    rows = [{"name": name, "value": value} for name, value in publishing.settings.items()]
    manifest = {
        "mode": mode,
        "target": {"plan": plan},
        "app_settings": {"set": rows, "unset": list(publishing.unset)},
    }
    folder.joinpath("function-app.manifest.json").write_text(json.dumps(manifest))
    return publishing


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("mode", ["local", "remote"])
def test_publishing_is_what_azpack_says(agent: AzureAgent, plan: str, mode: str) -> None:
    publishing = put_manifest(agent, plan, mode)
    ran, calls, task = publish(agent, plan, mode)
    assert [it.code for it in ran] == [0] * len(ran), ran

    said = yaml.safe_load(publishing.commands["azure_pipelines"])
    assert [
        {
            **inputs,
            "azureSubscription": "SUBSCRIPTION",
            "appName": "APP",
            "package": str(agent.folder / "function-app" / "function-app.zip"),
        }
        for inputs in task
    ] == [row["inputs"] for row in said if row["task"] != "AzureCLI@2"]

    app = ["--resource-group", "my group", "--name", "app"]
    named = ["functionapp", "config", "appsettings"]
    uploaded_by_the_task = (plan, mode) == ("consumption", "local")
    expected = []
    if publishing.settings and not uploaded_by_the_task:
        expected.append([*named, "set", *app])
    expected.append([*named, "delete", *app, "--setting-names", *publishing.unset])
    if mode == "remote" and plan in ("flex", "consumption"):
        zipped = agent.expand("$(Pipeline.Workspace)/function-app/function-app.zip")
        expected.append(
            [
                "functionapp",
                "deployment",
                "source",
                "config-zip",
                *app,
                "--src",
                zipped,
                "--build-remote",
                "true",
            ]
        )
    for (arguments, _), wanted in zip(calls, expected, strict=True):
        assert arguments[: len(wanted)] == wanted
    read = [{row["name"]: row["value"] for row in rows} for _, rows in calls if rows is not None]
    assert read == ([dict(publishing.settings)] if len(expected[0]) == 8 else [])


@pytest.mark.parametrize(
    ("built", "said"),
    [
        (("premium", "local", {}), "built for the plan premium and mode local"),
        (("flex", "remote", {}), "built for the plan flex and mode remote"),
        (("flex", "local", {"PIP_EXTRA_INDEX_URL": "https://${TOKEN}@x"}), "have variables in"),
    ],
)
def test_what_can_not_be_published_so_is_not(
    agent: AzureAgent, built: tuple[str, str, dict[str, str]], said: str
) -> None:
    put_manifest(agent, built[0], built[1], **built[2])
    ran, calls, _ = publish(agent, "flex", "local")
    assert ran[0].code == 1
    ((name, properties, message),) = ran[0].commands
    assert (name, properties) == ("task.logissue", {"type": "error"})
    assert said in message
    assert calls == []


# GitHub Actions.


def run_action(runner: GithubRunner, *, install: bool = True) -> dict[str, Ran]:
    """Run the scripts of the action, until one fails, by their names; `install` as above."""
    if not install:
        runner.temporary.joinpath("azpack").symlink_to(sys.prefix)
    ran: dict[str, Ran] = {}
    for step in yaml.safe_load(ACTION.read_text())["runs"]["steps"]:
        if "run" not in step or not runner.wanted(step):
            continue
        if install or step["name"] != "Install azpack":
            ran[step["name"]] = found = runner.run(step)
            if found.code:
                break
    return ran


def inputs(**given: str) -> dict[str, str]:
    declared = yaml.safe_load(ACTION.read_text())["inputs"]
    return {**{name: row.get("default", "") for name, row in declared.items()}, **given}


def test_github_builds(tmp_path: Path) -> None:
    given = inputs(
        project="apps/my app", python="3.11", plan="premium", sarif="azpack.sarif",
        output="out/function-app.zip", extraIndex="https://me:x@feed.invalid/simple",
        arguments="--locked\n--sbom\nout/function-app.cdx.json\n",
    )  # fmt: skip
    runner = GithubRunner(tmp_path / "runner", PROJECT, given)
    files = {"probes/lib.py": "from __app__ import x\n"}
    make_project(runner.workspace / "apps" / "my app", files=files)
    ran = run_action(runner)
    assert [(name, it.code) for name, it in ran.items()] == [
        ("Install azpack", 0), ("Check the project", 0), ("Build the package", 0),
        ("Inspect the package", 0),
    ], list(ran.values())[-1]  # fmt: skip

    outputs = {
        name: runner.expand(row["value"])
        for name, row in yaml.safe_load(ACTION.read_text())["outputs"].items()
    }
    package = runner.workspace / "out" / "function-app.zip"
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    assert outputs == {"packagePath": str(package), "packageSha256": digest}
    check_package(package)
    assert (
        "::warning file=apps/my app/probes/lib.py,line=1,title=AZP107::"
        in ran["Build the package"].stderr
    )
    assert runner.summary.read_text().startswith("## function-app.zip\n")
    log = json.loads((runner.workspace / "azpack.sarif").read_bytes())
    (result,) = (it for it in log["runs"][0]["results"] if it["ruleId"] == "AZP107")
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert place == "apps/my%20app/probes/lib.py"

    steps = yaml.safe_load(ACTION.read_text())["runs"]["steps"]
    uses = {row["uses"].partition("@")[0]: row["with"] for row in steps if "uses" in row}
    uploaded = Path(runner.expand(uses["actions/upload-artifact"]["path"]))
    assert sorted(path.name for path in uploaded.iterdir()) == [
        "function-app.cdx.json", "function-app.manifest.json", "function-app.settings.json",
        "function-app.zip", "function-app.zip.sha256",
    ]  # fmt: skip
    assert list(Path(runner.expand(uses["actions/cache"]["path"])).rglob("*.whl"))
    assert re.fullmatch("azpack-Linux-[0-9a-f]{64}", runner.expand(uses["actions/cache"]["key"]))
    assert not (runner.folder / "home" / ".cache" / "azpack").exists()


def test_github_shows_what_is_wrong(tmp_path: Path) -> None:
    runner = GithubRunner(tmp_path / "runner", PROJECT, inputs(python="3.11", sarif="a.sarif"))
    shutil.rmtree(runner.workspace)
    make_project(runner.workspace, files={"function_app.py": "def f(:\n"})
    ran = run_action(runner, install=False)
    assert [it.code for it in ran.values()] == [0, 1]
    assert "::error file=function_app.py,line=1,title=AZP301::" in ran["Build the package"].stderr
    assert "AZP301" in (runner.workspace / "a.sarif").read_text()


def test_both_have_the_same_outputs_and_inputs() -> None:
    action = yaml.safe_load(ACTION.read_text())
    template = yaml.safe_load(BUILD.read_text())
    declared = {row["name"] for row in template["parameters"]}
    assert declared - action["inputs"].keys() == {"requirement", "name"}
    assert action["inputs"].keys() - declared == {"sarif"}
    assert action["outputs"].keys() == {"packagePath", "packageSha256"}


def documented(start: str, end: str) -> set[str]:
    """The names in the first column of a table of the page, between two texts."""
    page = (PROJECT / "docs" / "pipelines.md").read_text(encoding="utf-8")
    rows = page[page.index(start) : page.index(end)].splitlines()
    return {
        name
        for row in rows
        if row.startswith("| `")
        for name in re.findall(r"`(\w+)`", row.split(" | ")[0])
    }


def test_the_page_has_all_parameters() -> None:
    for template, start, end in (
        (BUILD, "**azpack.yml**", "**publish.yml**"),
        (PUBLISH, "**publish.yml**", "| plan | local | remote |"),
    ):
        declared = {row["name"] for row in yaml.safe_load(template.read_text())["parameters"]}
        assert documented(start, end) == declared
    assert documented("| input | meaning |", "The outputs are") == {"extraIndex", "sarif"}
