from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from azpack.app.functions import AppModel, Binding, Function
from azpack.checks import host_json
from azpack.checks.host_json import timespan
from tests.unit.checks.subjects import EMPTY_APP, codes, found, package_of, project_of

if TYPE_CHECKING:
    from pathlib import Path

    from azpack.findings import Finding

BUNDLE = {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"}
GOOD = {"version": "2.0", "extensionBundle": BUNDLE}


def check(text: str | bytes, *, plan: str = "flex", app: AppModel = EMPTY_APP) -> list[Finding]:
    return found(host_json.check, package_of({"host.json": text}, plan=plan, app=app))


def check_keys(plan: str = "flex", **keys: Any) -> list[tuple[str, str]]:
    return [(it.code, it.severity) for it in check(json.dumps({**GOOD, **keys}), plan=plan)]


def test_a_good_one() -> None:
    assert check(json.dumps(GOOD)) == []
    assert check(b"\xef\xbb\xbf" + json.dumps(GOOD).encode()) == []
    with_comments = (
        '{ // why\n "version": "2.0", /* and\n more */ "functionTimeout": "00:05:00",\n}'
    )
    assert check(with_comments) == []
    assert check("{}") == []  # the host fills it in


def test_there_is_none(tmp_path: Path) -> None:
    assert codes(host_json.check, package_of({"app/host.json": "{}"})) == ["AZP101"]
    left_out = project_of(tmp_path, {"host.json": "{}", ".funcignore": "# tools\n*.json\n"})
    (finding,) = found(host_json.check, left_out)
    assert (finding.code, finding.path) == ("AZP101", "host.json")
    assert "the rule *.json (.funcignore:2)" in finding.message


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "not valid JSON"),
        ('{\n "version": "2.0"\n "x": 1}', 3, "not valid JSON"),
        ("[]", 1, "not a JSON object"),
        ('{\n"version": "3.0"}', 2, 'version "3.0"'),
        ('{"version": 2.0}', 1, "version 2.0"),
        ('{"version": null}', 1, "version null"),
        ('{"logging": {}}', 1, "no version"),
    ],
)
def test_not_valid(text: str, line: int, says: str) -> None:
    (finding,) = check(text)
    assert (finding.code, finding.severity, finding.line) == ("AZP102", "error", line)
    assert says in finding.message


def test_what_mends_json() -> None:
    (empty,), (cut,) = check(""), check('{\n "version": "2.0"\n "x": 1}')
    assert empty.hint == 'write {"version": "2.0"}'
    assert "the end of the one before" in (cut.hint or "")


@pytest.mark.parametrize(
    ("bundle", "plan", "severity"),
    [
        (BUNDLE, "flex", None),
        ({**BUNDLE, "version": "[4.0.0, 5.0.0)"}, "flex", None),
        ({**BUNDLE, "version": "[3.*, 5.0.0)"}, "flex", None),  # the newest one is taken
        ({**BUNDLE, "version": "[4.0.0,)"}, "flex", None),
        ({**BUNDLE, "version": "4.*"}, "flex", None),
        ({**BUNDLE, "version": "[4.20.0]"}, "flex", None),
        ({**BUNDLE, "version": "[3.*, 4.0.0)"}, "flex", "error"),
        ({**BUNDLE, "version": "[3.*, 4.0.0)"}, "premium", "warning"),
        ({**BUNDLE, "version": "[3.3.0, 4.0.0)"}, "consumption", "warning"),
        ({**BUNDLE, "version": "[1.*, 2.0.0)"}, "dedicated", "warning"),
        ({**BUNDLE, "version": "(2.*, 3.5.0]"}, "premium", "warning"),
        ({**BUNDLE, "version": "[3.*, 4.0.1)"}, "premium", None),
        ({**BUNDLE, "version": "[3.1.0]"}, "premium", "warning"),
        ({**BUNDLE, "version": "[4.*, 5.0.0"}, "premium", "error"),
        ({**BUNDLE, "version": "~4"}, "premium", "error"),
        ({**BUNDLE, "version": ""}, "premium", "error"),
        ({**BUNDLE, "version": 4}, "premium", "error"),
        ({"id": BUNDLE["id"]}, "premium", "error"),
        ({"version": "[4.*, 5.0.0)"}, "premium", "error"),
        ({"id": "not a name", "version": "[4.*, 5.0.0)"}, "premium", "error"),
        ({"ID": BUNDLE["id"], "Version": "[4.*, 5.0.0)"}, "flex", None),
        ({"id": "My.Own.Bundle", "version": "[1.*, 2.0.0)"}, "premium", None),
        ("x", "premium", "error"),
    ],
)
def test_bundles(bundle: object, plan: str, severity: str | None) -> None:
    expected = [("AZP103", severity)] if severity else []
    assert check_keys(plan, extensionBundle=bundle) == expected


def test_bindings_without_a_bundle() -> None:
    def app_with(kind: str | None) -> AppModel:
        binding = Binding(name="m", type=kind, direction="in")
        function = Function(name="f", model="v2", script="a.py", line=1, bindings=(binding,))
        return AppModel(models=frozenset(["v2"]), functions=(function,), findings=())

    bare = '{"version": "2.0"}'
    assert check(bare, app=app_with("httpTrigger")) == []
    assert check(bare, app=app_with("timerTrigger")) == []
    assert check(bare, app=app_with(None)) == []  # not known
    assert check(json.dumps(GOOD), app=app_with("queueTrigger")) == []
    (finding,) = check(bare, app=app_with("queueTrigger"))
    assert (finding.code, finding.severity) == ("AZP103", "error")
    assert "queueTrigger" in finding.message
    own = package_of({"host.json": bare, "bin/extensions.json": "{}"}, app=app_with("queueTrigger"))
    assert codes(host_json.check, own) == []


@pytest.mark.parametrize(
    ("value", "plan", "says"),
    [
        ("00:10:00", "consumption", ""),
        ("00:10:01", "consumption", "more than the ten minutes"),
        ("10:00", "consumption", "more than the ten minutes"),  # ten hours
        ("600", "consumption", "600 days"),
        (600, "consumption", "600 days"),
        ("-1", "consumption", "no limit"),
        (None, "consumption", ""),
        ("-1", "flex", ""),
        (-1, "premium", ""),
        ("02:00:00", "flex", ""),
        ("600", "dedicated", ""),
        ("00:00:00", "premium", "less than a second"),
        ("00:00:01", "premium", ""),
        ("-00:10:00", "premium", "less than a second"),
        ("ten minutes", "premium", "no time"),
        ("00:60:00", "premium", "no time"),
        (True, "premium", "no time"),
        ({}, "premium", "no time"),
    ],
)
def test_timeouts(value: object, plan: str, says: str) -> None:
    text = json.dumps({**GOOD, "functionTimeout": value}, indent=1)
    findings = check(text, plan=plan)
    assert [it.code for it in findings] == (["AZP113"] if says else [])
    for finding in findings:
        assert says in finding.message
        assert finding.line == 7


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("00:05:00", 300), ("1.00:00:00", 86400), ("24:00:00", 24 * 86400), ("00:00:00.5", 0),
        ("7", 7 * 86400), ("23:59", 86340), ("", None), ("1.24:00:00", None), ("::", None),
    ],
)  # fmt: skip
def test_times_of_dotnet(text: str, seconds: float | None) -> None:
    assert timespan(text) == seconds


@pytest.mark.parametrize(
    ("keys", "hint"),
    [
        ({"functionTimout": "00:05:00"}, "perhaps you meant functionTimeout"),
        ({"http": {"routePrefix": ""}}, "extensions.http is its place"),
        ({"logger": {}}, "logging is its place"),
        ({"somethingElse": 1}, "remove it"),
        ({"extensions": {"http": {"routePrefx": ""}}}, "perhaps you meant routePrefix"),
        ({"extensions": {"eventHub": {}}}, "extensions.eventHubs is its place"),
        ({"extensions": {"queue": {}}}, "perhaps you meant queues"),
        (
            {"logging": {"applicationInsights": {"sampling": {}}}},
            "logging.applicationInsights.samplingSettings is its place",
        ),
    ],
)
def test_unknown_keys(keys: dict[str, Any], hint: str) -> None:
    (finding,) = check(json.dumps({**GOOD, **keys}))
    assert (finding.code, finding.severity, finding.hint) == ("AZP114", "warning", hint)


@pytest.mark.parametrize(
    "keys",
    [
        {"extensions": {"someoneElses": {"x": 1}, "HTTP": {"ROUTEPREFIX": "x"}}},
        {"logging": {"logLevel": {"default": "Warning", "Host.Results": "Error"}}},
        {"logging": {"MyProvider": {"x": 1}}},
        {"telemetryMode": "OpenTelemetry"},
        {"Logging": {"fileLoggingMode": "always"}, "$schema": "x", "id": "x"},
        {"concurrency": {"dynamicConcurrencyEnabled": True}},
        {"extensions": 1, "logging": None},
    ],
)
def test_known_keys(keys: dict[str, Any]) -> None:
    assert check_keys(**keys) == []
