"""Findings in all the forms that are written."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from azpack.checks.rules import load_rules
from azpack.findings import Finding
from azpack.report.annotations import (
    azure_lines,
    github_lines,
    without_commands,
    without_commands_json,
)
from azpack.report.places import Places
from azpack.report.sarif import sarif_log
from azpack.report.text import finding_lines, rule_lines, summary

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "fixtures" / "sarif-schema-2.1.0.json").read_bytes()
)
ERROR = Finding(
    code="AZP102",
    severity="error",
    message='host.json has the version "3.0"; the host takes "2.0" alone',
    path="host.json",
    line=3,
    hint='write "version": "2.0"',
)
WARNING = Finding(code="AZP112", severity="warning", message="100% of a,b;c]d::e\r\nf")
INFO = Finding(code="AZP110", severity="info", message="x", path="a b/ü%,:;].py", hint="y")
FINDINGS = (WARNING, INFO, ERROR)

finding_values = st.builds(
    Finding,
    code=st.sampled_from(sorted(load_rules())),
    severity=st.sampled_from(["error", "warning", "info"]),
    message=st.text(min_size=1),
    path=st.none() | st.text(min_size=1),
    line=st.none() | st.integers(1, 10**6),
    hint=st.none() | st.text(),
)
places_values = st.builds(
    Places, base=st.sampled_from(["", "apps/mine/"]), archive=st.sampled_from(["", "dist/a.zip"])
)


def test_text_is_grouped_by_file_and_fits_80_columns() -> None:
    lines = list(finding_lines(FINDINGS, lambda severity: severity, whole="the app"))
    assert lines == [
        "the app",
        r"  warning AZP112: 100% of a,b;c]d::e\r\nf",
        "",
        "a b/ü%,:;].py",
        "  info AZP110: x",
        "    hint: y",
        "",
        "host.json",
        '  3: error AZP102: host.json has the version "3.0"; the host takes "2.0" alone',
        '    hint: write "version": "2.0"',
        "",
    ]


def test_colours_take_no_room() -> None:
    long = Finding(code="AZP101", severity="error", message="word " * 40, path="a")
    plain = list(finding_lines([long], lambda severity: severity, whole=""))
    painted = list(finding_lines([long], lambda severity: f"\x1b[31m{severity}\x1b[0m", whole=""))
    assert max(map(len, plain)) <= 80
    assert len(plain) > 3
    assert [re.sub(r"\x1b\[\d+m", "", line) for line in painted] == plain
    assert painted != plain


@pytest.mark.parametrize(
    ("findings", "says"),
    [
        ((), "nothing found in 3 files"),
        (FINDINGS, "1 error, 1 warning, 1 note in 3 files"),
        ((ERROR, ERROR), "2 errors in 3 files"),
    ],
)
def test_summary(findings: tuple[Finding, ...], says: str) -> None:
    assert summary(findings, "3 files") == says


def test_every_rule_is_explained_in_80_columns() -> None:
    for rule in load_rules().values():
        lines = list(rule_lines(rule))
        assert max(map(len, lines)) <= 80
        assert lines[0].startswith(f"{rule.code} ({rule.severity}")
        assert rule.mend.split()[-1] in lines[-1]


def test_github() -> None:
    assert list(github_lines(FINDINGS, Places(base="apps/mine/"))) == [
        "::warning file=apps/mine/host.json,title=AZP112::100%25 of a,b;c]d::e%0D%0Af",
        "::notice file=apps/mine/a b/ü%25%2C%3A;].py,title=AZP110::x (y)",
        (
            "::error file=apps/mine/host.json,line=3,title=AZP102::host.json has the version "
            '"3.0"; the host takes "2.0" alone (write "version": "2.0")'
        ),
    ]


def test_azure() -> None:
    assert list(azure_lines(FINDINGS, Places())) == [
        (
            "##vso[task.logissue type=warning;sourcepath=host.json;code=AZP112]"
            "AZP112: 100%AZP25 of a,b;c]d::e%0D%0Af"
        ),
        "a b/ü%,:;].py: AZP110: x (y)",
        (
            "##vso[task.logissue type=error;sourcepath=host.json;linenumber=3;code=AZP102]"
            'AZP102: host.json has the version "3.0"; the host takes "2.0" alone '
            '(write "version": "2.0")'
        ),
    ]
    odd = Finding(code="AZP101", severity="error", message="x", path="a;b]c%.py")
    (line,) = azure_lines([odd], Places())
    assert "sourcepath=a%3Bb%5Dc%AZP25.py;" in line


def test_names_are_no_commands() -> None:
    path = "a\n##vso[task.setvariable variable=PATH]b\x1b[31m.py"
    note = Finding(code="AZP110", severity="info", message=f"{path} ##[x]", path=path)
    (line,) = azure_lines([note], Places())
    assert line.startswith(r"a\n# #vso[task.setvariable variable=PATH]b\x1b[31m.py: AZP110: a\n")
    assert line.endswith("# #[x]")
    assert "##vso" not in line
    text = list(finding_lines([note], lambda severity: severity, whole="the app"))
    assert text[0] == r"a\n##vso[task.setvariable variable=PATH]b\x1b[31m.py"
    assert all(it.isprintable() for it in text)


def test_places_in_an_archive() -> None:
    places = Places(archive="dist/app.zip")
    assert [places.file_of(it) for it in FINDINGS] == ["dist/app.zip"] * 3
    assert [places.line_of(it) for it in FINDINGS] == [None] * 3
    assert places.text_of(ERROR).startswith("host.json:3: host.json has")
    assert places.text_of(INFO).startswith("a b/ü%,:;].py: x")


@given(st.lists(finding_values, max_size=8), places_values)
def test_annotations_are_one_line_each(findings: list[Finding], places: Places) -> None:
    for lines in (github_lines(findings, places), azure_lines(findings, places)):
        written = list(lines)
        assert len(written) == len(findings)
        for line in written:
            assert "\n" not in line
            assert "\r" not in line


@given(finding_values, places_values)
def test_what_github_reads_is_what_was_found(finding: Finding, places: Places) -> None:
    """The agent's own reading: properties up to the second `::`, split at commas."""
    (line,) = github_lines([finding], places)
    command, _, message = line.removeprefix("::").partition("::")
    level, _, listed = command.partition(" ")
    pairs = dict(pair.split("=", 1) for pair in listed.split(","))
    assert level in ("error", "warning", "notice")
    assert _unescaped(pairs["file"]) == places.file_of(finding)
    assert _unescaped(message) == places.text_of(finding)


def _unescaped(text: str) -> str:
    for escape, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escape, char)
    return text


@given(st.lists(finding_values, max_size=8), places_values)
def test_sarif_is_valid(findings: list[Finding], places: Places) -> None:
    log = json.loads(json.dumps(sarif_log(findings, places, version="1.2.3")))
    jsonschema.validate(log, SCHEMA, format_checker=jsonschema.FormatChecker())
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted({it.code for it in findings})
    for finding, result in zip(findings, run["results"], strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == finding.code
        (location,) = result["locations"]
        uri = location["physicalLocation"]["artifactLocation"]["uri"]
        assert unquote(uri) == places.file_of(finding)
        assert uri.isascii()


def test_sarif_tells_findings_without_a_line_apart() -> None:
    """As github/codeql-action does by a hash of the line, where there is one."""
    two = [ERROR, replace(ERROR, path="a/host.json"), replace(ERROR, message="x"), ERROR]
    (run,) = sarif_log(two, Places(archive="dist/a.zip"), version="1")["runs"]
    prints = [it["partialFingerprints"]["primaryLocationLineHash"] for it in run["results"]]
    assert len(set(prints)) == 3
    assert prints[0] == prints[3]
    (run,) = sarif_log([ERROR], Places(), version="1")["runs"]
    assert "partialFingerprints" not in run["results"][0]


def test_sarif_is_within_the_limits_of_code_scanning() -> None:
    """docs.github.com, "SARIF support for code scanning"."""
    findings = [
        Finding(code=code, severity=rule.severity, message="x")
        for code, rule in load_rules().items()
    ]
    (run,) = sarif_log(findings, Places(), version="1")["runs"]
    for rule in run["tool"]["driver"]["rules"]:
        assert len(rule["id"]) <= 255
        assert max(len(rule[it]["text"]) for it in ("shortDescription", "fullDescription")) <= 1024


def test_sarif_levels_and_lines() -> None:
    (run,) = sarif_log(FINDINGS, Places(base="app/"), version="1")["runs"]
    assert [it["level"] for it in run["results"]] == ["warning", "note", "error"]
    places = [it["locations"][0]["physicalLocation"] for it in run["results"]]
    assert [it["artifactLocation"]["uri"] for it in places] == [
        "app/host.json",
        "app/a%20b/%C3%BC%25%2C%3A%3B%5D.py",
        "app/host.json",
    ]
    assert [it.get("region") for it in places] == [None, None, {"startLine": 3}]


COMMANDS = (
    "##vso[task.setvariable variable=PATH]x",
    "a path/##vso[task.setvariable variable=PATH]x.py",
    "##\u200bvso[task.setvariable variable=PATH]x",
    "##vso\u200b[task.setvariable variable=PATH]x",
    "#\u200b#v\u00ad\u200bso[task.setvariable variable=PATH]x",
    "####vso[task.setvariable variable=PATH]x",
    "##[add-mask]x",
    "first\n  ::add-mask::x",
    "::error::x",
)


def _is_command(text: str) -> bool:
    """As the agents look for commands; to Azure's, characters without width are nothing."""
    bare = text.replace("\u200b", "").replace("\u00ad", "")
    lines = (line.strip() for line in bare.splitlines())
    return "##vso[" in bare or "##[" in bare or any(line.startswith("::") for line in lines)


@pytest.mark.parametrize("text", COMMANDS)
def test_text_of_others_is_no_command(text: str) -> None:
    assert _is_command(text)
    assert not _is_command(without_commands(text))
    assert without_commands(without_commands(text)) == without_commands(text)


@pytest.mark.parametrize("text", ["# a ## heading", "a::b", "C++ :: x", "#vso[x]", "a [b] ##"])
def test_other_text_stays(text: str) -> None:
    assert without_commands(text) == text


@given(st.text() | st.sampled_from(COMMANDS))
def test_json_means_what_it_meant(text: str) -> None:
    for is_ascii in (True, False):
        written = without_commands_json(json.dumps({"a": text}, ensure_ascii=is_ascii))
        assert json.loads(written) == {"a": text}
        assert "##vso[" not in written


def test_a_finding_in_a_file_of_any_name_is_no_other_command() -> None:
    for severity in ("error", "warning", "info"):
        path = "##vso[task.setvariable variable=PATH]x"
        finding = Finding(code="AZP110", severity=severity, message=path, path=path)
        (line,) = azure_lines([finding], Places())
        assert line.startswith("##vso[task.logissue ") or not _is_command(line)
