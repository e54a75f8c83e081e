from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import pytest

from azpack.checks import support
from azpack.target.target import find_target
from tests.unit.checks.subjects import codes, package_of


@pytest.mark.parametrize(
    ("days", "found"), [(-1, True), (0, True), (182, True), (190, False), (900, False)]
)
def test_the_end_of_support(days: int, found: bool) -> None:
    today = datetime.datetime.now(tz=datetime.timezone.utc).date()
    end = (today + datetime.timedelta(days=days)).isoformat()
    target = replace(find_target(Path(), python="3.11"), end_of_support=end)
    findings = support.support_findings(target)
    assert [finding.code for finding in findings] == (["AZP112"] if found else [])
    for finding in findings:
        assert finding.severity == "warning"
        assert f"{'ended' if days <= 0 else 'ends'} on {end}" in finding.message
    assert codes(support.check, replace(package_of({}), target=target)) == ["AZP112"] * found
