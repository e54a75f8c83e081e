from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

import azpack.target.plans
from azpack.target.plans import Publishing, find_publishing
from azpack.target.runtimes import PLANS

FACTS = json.loads(Path(azpack.target.plans.__file__).with_name("plans.json").read_bytes())
DOCS = Path(__file__).parents[3] / "docs" / "publishing.md"

BUILD = ("SCM_DO_BUILD_DURING_DEPLOYMENT", "ENABLE_ORYX_BUILD")
NOT_ON_FLEX = (
    "WEBSITE_RUN_FROM_PACKAGE", *BUILD, "FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_EXTENSION_VERSION",
)  # fmt: skip
BUILT = dict.fromkeys(BUILD, "true")
BUILT_EXPRESS = {**BUILT, "BUILD_FLAGS": "UseExpressBuild", "XDG_CACHE_HOME": "/tmp/.cache"}  # noqa: S108 - in Azure, not here
EXPECTED: dict[tuple[str, str], tuple[dict[str, str], tuple[str, ...]]] = {
    ("flex", "local"): ({}, NOT_ON_FLEX),
    ("flex", "remote"): ({}, NOT_ON_FLEX),
    ("consumption", "local"): ({"WEBSITE_RUN_FROM_PACKAGE": "${PACKAGE_URL}"}, BUILD),
    ("consumption", "remote"): (BUILT, ("WEBSITE_RUN_FROM_PACKAGE",)),
    ("premium", "local"): ({"WEBSITE_RUN_FROM_PACKAGE": "1"}, BUILD),
    ("premium", "remote"): (BUILT_EXPRESS, ("WEBSITE_RUN_FROM_PACKAGE",)),
    ("dedicated", "local"): ({"WEBSITE_RUN_FROM_PACKAGE": "1"}, BUILD),
    ("dedicated", "remote"): (BUILT_EXPRESS, ("WEBSITE_RUN_FROM_PACKAGE",)),
}
FEED = {
    "PIP_EXTRA_INDEX_URL": "https://${FEED_USER}:${FEED_TOKEN}@feed.example/${FEED_USER}/simple"
}
AWKWARD = "it's {package} of $HOME.zip"

# The inputs that the tasks have, by MicrosoftDocs/azure-devops-yaml-schema,
# task-reference/azure-function-app-v2.md and azure-cli-v2.md.
INPUTS = {
    "AzureFunctionApp@2": {
        "azureSubscription", "appType", "isFlexConsumption", "appName", "deployToSlotOrASE",
        "resourceGroupName", "slotName", "package", "runtimeStack", "appSettings",
        "deploymentMethod",
    },
    "AzureCLI@2": {
        "azureSubscription", "scriptType", "scriptLocation", "scriptPath", "inlineScript",
        "arguments", "addSpnToEnvironment", "useGlobalConfig", "workingDirectory",
        "failOnStandardError", "visibleAzLogin",
    },
}  # fmt: skip

each_row = pytest.mark.parametrize(("plan", "kind"), EXPECTED)


def publishing_of(
    plan: str, mode: str, package: str = "app.zip", more: dict[str, str] | None = None
) -> Publishing:
    return find_publishing(
        plan,
        mode=mode,
        package=package,
        settings_file=package.replace(".zip", ".settings.json"),
        python="3.11",
        more_settings=more or {},
    )


def az_lines(text: str) -> list[list[str]]:
    """The words of each call of az, with what it is piped from."""
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    return [words for words in lines if "az" in words]


def steps(publishing: Publishing) -> list[dict[str, Any]]:
    loaded = yaml.safe_load(publishing.commands["azure_pipelines"])
    assert isinstance(loaded, list)
    return loaded


def inline_scripts(publishing: Publishing) -> str:
    inputs = [step["inputs"] for step in steps(publishing)]
    return "".join(found["inlineScript"] for found in inputs if "inlineScript" in found)


def test_every_plan_has_both_rows() -> None:
    assert {plan for plan, _ in EXPECTED} == set(PLANS)
    assert len(EXPECTED) == 2 * len(PLANS)


@each_row
def test_app_settings(plan: str, kind: str) -> None:
    publishing = publishing_of(plan, kind)
    assert (publishing.settings, publishing.unset) == EXPECTED[plan, kind]
    assert not publishing.settings.keys() & set(publishing.unset)
    assert list(publishing.commands) == ["core_tools", "az", "azure_pipelines"]


@pytest.mark.parametrize("mode", ["none", "docker"])
@pytest.mark.parametrize("plan", PLANS)
def test_a_package_with_its_dependencies_is_published_alike(plan: str, mode: str) -> None:
    assert publishing_of(plan, mode) == publishing_of(plan, "local")


def test_more_settings_come_after_those_of_the_plan() -> None:
    publishing = publishing_of("premium", "remote", more={"PIP_NO_INDEX": "1", **FEED})
    assert publishing.settings == {**BUILT_EXPRESS, "PIP_NO_INDEX": "1", **FEED}
    assert list(publishing.settings)[-2:] == ["PIP_NO_INDEX", "PIP_EXTRA_INDEX_URL"]


@pytest.mark.parametrize("more", [{}, {"PIP_NO_INDEX": "1"}, FEED])
@each_row
def test_az_sets_removes_and_deploys(plan: str, kind: str, more: dict[str, str]) -> None:
    publishing = publishing_of(plan, kind, more=more)
    calls = az_lines(publishing.commands["az"])
    set_, unset = (
        [call for call in calls if f"appsettings {verb} --" in " ".join(call)]
        for verb in ("set", "delete")
    )
    assert len(set_) == bool(publishing.settings)
    for call in set_:
        filled = "${" in "".join(publishing.settings.values())
        assert ("@-" if filled else "@app.settings.json") in call
        assert ("python3" in call) == filled
    [names] = [call[call.index("--setting-names") + 1 : call.index("--output")] for call in unset]
    assert tuple(names) == publishing.unset
    for call in set_ + unset:
        assert call[-2:] == ["--output", "none"]  # what it prints would be the settings
    deployed = " ".join(calls[-1])
    if (plan, kind) == ("consumption", "local"):
        assert "syncfunctiontriggers" in deployed
    else:
        # Without a word az has a Python app on Flex built remotely.
        assert "config-zip" in deployed
        assert deployed.endswith(f"--build-remote {'true' if kind == 'remote' else 'false'}")
    assert calls.index(unset[0]) == len(calls) - 2


@pytest.mark.parametrize("more", [{}, FEED])
@each_row
def test_core_tools_publishes_an_unpacked_folder(
    plan: str, kind: str, more: dict[str, str]
) -> None:
    publishing = publishing_of(plan, kind, more=more)
    text = publishing.commands["core_tools"]
    assert text.startswith("# Core Tools ")
    assert "unzip -q app.zip " in text
    build = "--build remote" if kind == "remote" else "--no-build"
    assert f"func azure functionapp publish APP --python {build})" in text.splitlines()[-1]
    assert "WEBSITE_RUN_FROM_PACKAGE" not in publishing.settings or " set --" not in text
    assert " ".join(publishing.unset) in text
    if kind == "remote":
        assert (" set --" in text) == bool(publishing.settings)


@pytest.mark.parametrize("more", [{}, FEED])
@each_row
def test_the_pipeline_has_only_inputs_that_there_are(
    plan: str, kind: str, more: dict[str, str]
) -> None:
    publishing = publishing_of(plan, kind, more=more)
    for step in steps(publishing):
        assert step.keys() <= {"task", "inputs", "env"}
        assert step["inputs"].keys() <= INPUTS[step["task"]]
        assert step["inputs"]["azureSubscription"] == "SUBSCRIPTION"
        if step["task"] == "AzureCLI@2":
            assert step["inputs"]["scriptType"] == "bash"
            assert step["inputs"]["scriptLocation"] == "inlineScript"
        else:
            assert step["inputs"]["appType"] == "functionAppLinux"
            assert step["inputs"]["appName"] == "APP"
            assert step["inputs"]["package"] == "app.zip"
            assert step["inputs"].get("isFlexConsumption", False) is (plan == "flex")
    script = inline_scripts(publishing)
    assert script.startswith("set -eo pipefail\n")
    assert " ".join(publishing.unset) in script
    by_task = (plan, kind) == ("consumption", "local")
    assert ("appsettings set" in script) == bool(publishing.settings and not by_task)


@pytest.mark.parametrize("plan", PLANS)
def test_the_pipeline_builds_remotely(plan: str) -> None:
    publishing = publishing_of(plan, "remote")
    tasks = [step["task"] for step in steps(publishing)]
    if plan in ("flex", "consumption"):  # the task can't
        assert tasks == ["AzureCLI@2"]
        assert publishing.commands["azure_pipelines"].startswith("# AzureFunctionApp@2 ")
        assert "--build-remote true" in inline_scripts(publishing)
    else:
        assert tasks == ["AzureCLI@2", "AzureFunctionApp@2"]
        assert steps(publishing)[1]["inputs"]["deploymentMethod"] == "zipDeploy"
        assert steps(publishing)[1]["inputs"]["runtimeStack"] == "PYTHON|3.11"


@pytest.mark.parametrize("plan", ["premium", "dedicated"])
def test_the_pipeline_runs_from_the_package(plan: str) -> None:
    [_, step] = steps(publishing_of(plan, "local"))
    assert step["inputs"]["deploymentMethod"] == "runFromPackage"


@each_row
def test_names_of_files_are_quoted(plan: str, kind: str) -> None:
    publishing = publishing_of(plan, kind, package=AWKWARD)
    for tool in ("core_tools", "az"):
        words = [
            word
            for line in publishing.commands[tool].splitlines()
            for word in shlex.split(line, comments=True)
        ]
        assert AWKWARD in words
    if publishing.settings:
        settings = AWKWARD.replace(".zip", ".settings.json")
        assert shlex.quote(settings) in publishing.commands["az"]
    packages = [
        step["inputs"]["package"] for step in steps(publishing) if "package" in step["inputs"]
    ]
    assert packages == [AWKWARD] * len(packages)
    assert packages or shlex.quote(AWKWARD) in inline_scripts(publishing)


def test_names_beyond_ascii() -> None:
    publishing = publishing_of("premium", "local", package="é\N{PACKAGE}.zip")
    assert steps(publishing)[1]["inputs"]["package"] == "é\N{PACKAGE}.zip"


@pytest.mark.parametrize("more", [{}, FEED])
@each_row
def test_nothing_is_left_to_fill_in(plan: str, kind: str, more: dict[str, str]) -> None:
    for text in publishing_of(plan, kind, more=more).commands.values():
        left = re.findall(r"(?<!\$)\{\w+\}", text)
        assert set(left) <= {"{subscriptionId}"}  # az rest fills that in
        assert all(line == line.rstrip() for line in text.splitlines())


@each_row
def test_variables_are_named_and_no_others_filled_in(plan: str, kind: str) -> None:
    publishing = publishing_of(plan, kind, more={**FEED, "PRICE": "$5 {of} $HOME $(id) ${}"})
    assert publishing.settings["PIP_EXTRA_INDEX_URL"] == FEED["PIP_EXTRA_INDEX_URL"]
    [program] = [words[2] for words in az_lines(publishing.commands["az"]) if words[1] == "-c"]
    names = "PACKAGE_URL|" if (plan, kind) == ("consumption", "local") else ""
    assert rf"\$\{{({names}FEED_USER|FEED_TOKEN)\}}" in program
    assert FEED["PIP_EXTRA_INDEX_URL"] not in "".join(publishing.commands.values())


@pytest.mark.parametrize("plan", PLANS)
def test_a_pipeline_hands_over_the_variables(plan: str) -> None:
    # A secret variable reaches no step that does not ask for it.
    [first, *others] = steps(publishing_of(plan, "remote", more=FEED))
    assert first["env"] == {"FEED_USER": "$(FEED_USER)", "FEED_TOKEN": "$(FEED_TOKEN)"}
    assert not any("env" in step for step in others)
    assert not any("env" in step for step in steps(publishing_of(plan, "remote")))


def test_the_facts_have_their_sources() -> None:
    assert all(source["of"] and source["at"] for source in FACTS["sources"])
    for point in FACTS["disputed"]:
        assert point.keys() == {"what", "sides", "azpack"}
        assert len(point["sides"]) > 1
        assert all(": " in side for side in point["sides"])  # who: what they say


def test_no_lines_lie_about() -> None:
    text = json.dumps([FACTS["plans"], FACTS["lines"]])
    chosen = {"set_plain", "set_filled"}
    assert all(f'{{{name}}}"' in text for name in FACTS["lines"].keys() - chosen)


@each_row
def test_the_documentation_has_the_settings(plan: str, kind: str) -> None:
    settings, unset = EXPECTED[plan, kind]
    [row] = [
        [cell.strip() for cell in line.strip("| ").split(" | ")]
        for line in DOCS.read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
        and plan in line.split("|")[1]
        and line.split("|")[2].strip() == kind
    ]
    assert re.findall(r"`([^`]+)`", row[2]) == [
        f"{name}={value}" for name, value in settings.items()
    ]
    assert re.findall(r"`([^`]+)`", row[3]) == list(unset)


def test_the_documentation_says_what_is_disputed() -> None:
    text = " ".join(DOCS.read_text(encoding="utf-8").replace("`", "").split())
    for point in FACTS["disputed"]:
        for said in (point["what"], *point["sides"], point["azpack"]):
            assert said in text
