from __future__ import annotations

import re
from pathlib import Path

from azpack.checks import running
from azpack.checks.rules import load_rules, make_finding
from azpack.report.rules_page import rules_page

ROOT = Path(__file__).parents[3]
# Those of the contract, and azpack's own for remote builds.
CODES = (
    *range(101, 115), *range(201, 214), *range(301, 308), *range(401, 417), *range(501, 511),
    *range(601, 604),
)  # fmt: skip
NOT_ERRORS = {
    "warning": {106, 107, 108, 112, 114, 306, 402, 409, 411, 412, 415, 602, 603},
    "info": {110, 407},
}


def test_the_rules_are_those_of_the_contract() -> None:
    rules = load_rules()
    assert list(rules) == [f"AZP{number}" for number in CODES]
    for code, rule in rules.items():
        assert rule.code == code
        number = int(code.removeprefix("AZP"))
        severity = next((name for name, some in NOT_ERRORS.items() if number in some), "error")
        assert rule.severity == severity


def test_each_rule_says_what_why_and_how_to_mend() -> None:
    for rule in load_rules().values():
        assert rule.title[0].islower() or rule.title[0] in "`.P"
        assert not rule.title.endswith(".")
        assert len(rule.title) < 60
        for text in (rule.text, rule.mend):
            assert text.endswith(".")
        assert len(rule.text) > 40


def test_the_page_is_in_step_with_the_table() -> None:
    page = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    assert page == rules_page(), "run 'make docs'"
    assert set(re.findall(r"^### (\w+)$", page, re.MULTILINE)) == set(load_rules())


def test_a_finding_has_the_severity_of_its_rule() -> None:
    assert make_finding("AZP101", "x").severity == "error"
    assert make_finding("AZP110", "x").severity == "info"
    assert make_finding("AZP110", "x", severity="warning").severity == "warning"


def test_no_code_is_written_that_has_no_rule() -> None:
    """What the source of azpack names is in the table."""
    sources = (ROOT / "azpack").rglob("*.py")
    named = {code for file in sources for code in re.findall(r"AZP\d{3}", file.read_text())}
    assert named <= set(load_rules())


def test_each_family_is_run() -> None:
    modules = {check.__module__.rpartition(".")[2] for check in running.FAMILIES}
    assert {"host_json", "app_files", "ignore_readers", "support", "secrets_found"} <= modules
